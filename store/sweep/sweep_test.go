package sweep

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"postern/store"
	"postern/store/blob"
	"postern/store/bolt"
)

var (
	start   = time.Date(2021, 3, 1, 12, 0, 0, 0, time.UTC)
	errDisk = errors.New("disk on fire")
)

// bench is a sweeper over a real store with a clock, and faults to be switched on.
type bench struct {
	*Sweeper
	t     *testing.T
	store *faultyStore
	ring  *fakeRing
	now   time.Time
}

// faultyStore fails what its fields say.
type faultyStore struct {
	store.Store
	blobs  *faultyBlobs
	update func() error // asked before each Update
}

func (s *faultyStore) Blobs() store.Blobs { return s.blobs }

func (s *faultyStore) Update(ctx context.Context, f func(store.Tx) error) error {
	if err := s.update(); err != nil {
		return err
	}
	return s.Store.Update(ctx, f)
}

type faultyBlobs struct {
	store.Blobs
	mu     sync.Mutex
	list   error
	delete map[store.BlobID]error
}

func (b *faultyBlobs) List(ctx context.Context, after store.BlobID, n int) ([]store.BlobInfo, error) {
	b.mu.Lock()
	err := b.list
	b.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return b.Blobs.List(ctx, after, n)
}

func (b *faultyBlobs) failList(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.list = err
}

func (b *faultyBlobs) Delete(ctx context.Context, id store.BlobID) error {
	if err := b.delete[id]; err != nil {
		return err
	}
	return b.Blobs.Delete(ctx, id)
}

// fakeRing seals by writing the key's name.
type fakeRing struct {
	current store.KeyID
	gone    map[store.KeyID]bool
	before  func(store.QueueItem) // called by Reseal
	mu      sync.Mutex
	retired [][]store.KeyID
}

// retirements are the arguments of Retire so far, one for each pass.
func (r *fakeRing) retirements() [][]store.KeyID {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.retired)
}

func (r *fakeRing) Current() store.KeyID { return r.current }

func (r *fakeRing) Reseal(i store.QueueItem) (store.QueueItem, error) {
	if r.before != nil {
		r.before(i)
	}
	if r.gone[i.KeyID] {
		return i, fmt.Errorf("queue key %s is gone", i.KeyID)
	}
	i.KeyID, i.Wrap = r.current, []byte("under "+r.current)
	return i, nil
}

func (r *fakeRing) Retire(live []store.KeyID) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.retired = append(r.retired, live)
	return nil
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, now: start, ring: &fakeRing{current: "hour0001", gone: make(map[store.KeyID]bool)}}
	dir := t.TempDir()
	now := func() time.Time { return b.now }
	s, err := bolt.Open(bolt.Config{Dir: dir, Now: now, Blobs: func() (store.Blobs, error) {
		return blob.Open(blob.Config{Dir: filepath.Join(dir, "blobs"), Now: now})
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	b.store = &faultyStore{Store: s, update: func() error { return nil }}
	b.store.blobs = &faultyBlobs{Blobs: s.Blobs(), delete: make(map[store.BlobID]error)}
	b.Sweeper = &Sweeper{Store: b.store, Ring: b.ring, Now: now, Log: slog.New(slog.DiscardHandler)}
	return b
}

func (b *bench) pass() {
	b.t.Helper()
	if err := b.Pass(b.t.Context()); err != nil {
		b.t.Fatalf("pass: %v", err)
	}
}

func (b *bench) update(f func(tx store.Tx) error) {
	b.t.Helper()
	if err := b.store.Store.Update(b.t.Context(), f); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) view(f func(tx store.Tx) error) {
	b.t.Helper()
	if err := b.store.View(b.t.Context(), f); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) blob() store.BlobID {
	b.t.Helper()
	w, err := b.store.blobs.Create(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := io.WriteString(w, "sealed"); err != nil {
		b.t.Fatal(err)
	}
	id, err := w.Commit()
	if err != nil {
		b.t.Fatal(err)
	}
	return id
}

// message stores a message with a blob that refs recipients need.
func (b *bench) message(id store.BlobID, refs int) store.MessageID {
	m := store.Message{ID: store.NewMessageID(b.now), At: b.now, Blob: id, Refs: refs}
	b.update(func(tx store.Tx) error { return tx.Messages().Create(m, nil) })
	return m.ID
}

func (b *bench) exists(id store.BlobID) bool {
	r, err := b.store.blobs.Open(b.t.Context(), id)
	if err == nil {
		r.Close()
	} else if !errors.Is(err, store.ErrNotFound) {
		b.t.Fatal(err)
	}
	return err == nil
}

func (b *bench) released() (n int) {
	b.view(func(tx store.Tx) error {
		ids, err := tx.Bodies().Released(store.BlobID{}, 1000)
		n = len(ids)
		return err
	})
	return n
}

func TestReleasedBlobsGoAndNeededOnesStay(t *testing.T) {
	b := newBench(t)
	needed, done := b.blob(), b.blob()
	b.message(needed, 1)
	m := b.message(done, 1)
	b.now = b.now.Add(48 * time.Hour)
	b.pass()
	if !b.exists(done) {
		t.Fatal("a blob went while it was needed")
	}
	b.update(func(tx store.Tx) error { return tx.Bodies().Unref(m) })
	b.pass()
	if b.exists(done) || b.released() != 0 || !b.exists(needed) {
		t.Fatalf("released exists %t, listed %d, needed exists %t", b.exists(done), b.released(), b.exists(needed))
	}
}

// TestReleasedBlobsSurviveACutOffPass stops a pass between file and note, and lets one file resist.
func TestReleasedBlobsSurviveACutOffPass(t *testing.T) {
	b := newBench(t)
	one, two := b.blob(), b.blob()
	for _, id := range []store.BlobID{one, two} {
		m := b.message(id, 1)
		b.update(func(tx store.Tx) error { return tx.Bodies().Unref(m) })
	}
	b.store.blobs.delete[one] = errDisk
	b.store.update = func() error { return errDisk }
	if err := b.Pass(t.Context()); !errors.Is(err, errDisk) {
		t.Fatalf("pass on a broken disk: %v", err)
	}
	if !b.exists(one) || b.exists(two) || b.released() != 2 {
		t.Fatalf("exist %t and %t, listed %d", b.exists(one), b.exists(two), b.released())
	}
	b.store.update = func() error { return nil }
	if err := b.Pass(t.Context()); !errors.Is(err, errDisk) || b.released() != 1 {
		t.Fatalf("pass with one bad file: %v, listed %d", err, b.released())
	}
	delete(b.store.blobs.delete, one)
	b.pass()
	if b.exists(one) || b.released() != 0 {
		t.Fatal("the last pass left something")
	}
}

func TestOrphansGoAfterAnHour(t *testing.T) {
	b := newBench(t)
	known := b.blob()
	b.message(known, 1)
	var old []store.BlobID
	for range portion + 5 {
		old = append(old, b.blob())
	}
	b.now = b.now.Add(30 * time.Minute)
	young := b.blob()
	b.now = b.now.Add(30*time.Minute - time.Second)
	b.pass()
	if !b.exists(old[0]) {
		t.Fatal("an orphan went before its hour")
	}
	b.now = b.now.Add(time.Second)
	b.store.blobs.delete[old[0]] = errDisk
	if err := b.Pass(t.Context()); !errors.Is(err, errDisk) {
		t.Fatalf("pass with one bad file: %v", err)
	}
	for i, id := range old {
		if b.exists(id) != (i == 0) {
			t.Fatalf("orphan %d exists: %t", i, b.exists(id))
		}
	}
	if !b.exists(young) || !b.exists(known) {
		t.Fatalf("young one exists %t, known one %t", b.exists(young), b.exists(known))
	}
}

func TestEndedSessionsTokensThreadsGo(t *testing.T) {
	b := newBench(t)
	const many = 2*portion + 50
	b.update(func(tx store.Tx) error {
		for n := range many {
			id := [16]byte{1, byte(n >> 8), byte(n), 1}
			ends := b.now.Add(time.Hour)
			if n == 0 {
				ends = b.now.Add(1000 * time.Hour)
			}
			err := errors.Join(
				tx.Sessions().Put(store.Session{ID: id, Seen: b.now, Idle: ends.Sub(b.now), Ends: ends}),
				tx.Tokens().Put(store.Token{ID: id, Purpose: store.PurposeReset, Owner: fmt.Sprint(n), Created: b.now, Ends: ends}, store.Keep{}),
				tx.Threads().Put(store.ThreadID{1, byte(n >> 8), byte(n)}, store.MessageID{}, ends))
			if err != nil {
				return err
			}
		}
		return nil
	})
	left := func() (n [3]int) {
		b.view(func(tx store.Tx) error {
			for i := range many {
				id := [16]byte{1, byte(i >> 8), byte(i), 1}
				if _, err := tx.Sessions().Get(id); err == nil {
					n[0]++
				}
				if _, err := tx.Tokens().Peek(id, store.PurposeReset, b.now); !errors.Is(err, store.ErrNotFound) {
					n[1]++
				}
				if known, _ := tx.Threads().Sealed([]store.ThreadID{{1, byte(i >> 8), byte(i)}}); known {
					n[2]++
				}
			}
			return nil
		})
		return n
	}
	for _, step := range []struct {
		after time.Duration
		want  [3]int
	}{
		{0, [3]int{many, many, many}},
		{2 * time.Hour, [3]int{1, many, 1}},
		{30 * 24 * time.Hour, [3]int{1, many, 1}},
		{30*24*time.Hour + 2*time.Hour, [3]int{1, 1, 1}},
		{80 * 24 * time.Hour, [3]int{0, 0, 0}},
	} {
		b.now = start.Add(step.after)
		b.pass()
		if got := left(); got != step.want {
			t.Fatalf("after %s: sessions, tokens, threads %v, want %v", step.after, got, step.want)
		}
	}
}

// TestEndedTokensHoldNothing: the key of a password that was asked for and never activated is gone at the first pass after
// its link ended; the row says for thirty days more what became of it.
func TestEndedTokensHoldNothing(t *testing.T) {
	b := newBench(t)
	const many = portion + 3
	b.update(func(tx store.Tx) (err error) {
		for n := range many {
			err = errors.Join(err, tx.Tokens().Put(store.Token{ID: [16]byte{1, byte(n >> 8), byte(n)}, Purpose: store.PurposeVerify, Owner: fmt.Sprint(n),
				Created: b.now, Ends: b.now.Add(24 * time.Hour), Sealed: []byte("reminder"), Key: &store.KeyVersion{Box: []byte("box")}}, store.Keep{}))
		}
		return err
	})
	held := func() (n int) {
		b.view(func(tx store.Tx) error {
			for i := range many {
				tok, err := tx.Tokens().Peek([16]byte{1, byte(i >> 8), byte(i)}, store.PurposeVerify, b.now)
				if errors.Is(err, store.ErrNotFound) {
					t.Error("the row is gone")
				}
				if tok.Key != nil || tok.Sealed != nil {
					n++
				}
			}
			return nil
		})
		return n
	}
	b.now = start.Add(24*time.Hour - time.Minute)
	if b.pass(); held() != many {
		t.Errorf("%d hold something while they live, want %d", held(), many)
	}
	b.now = start.Add(24 * time.Hour)
	if b.pass(); held() != 0 {
		t.Errorf("%d hold something after their end", held())
	}
}

// TestOneFailingPartDoesNotStopTheOthers breaks the first parts and looks at the last one.
func TestOneFailingPartDoesNotStopTheOthers(t *testing.T) {
	b := newBench(t)
	b.store.blobs.failList(errDisk)
	b.update(func(tx store.Tx) error {
		return tx.Sessions().Put(store.Session{ID: [16]byte{1}, Seen: b.now, Ends: b.now})
	})
	err := b.Pass(t.Context())
	if !errors.Is(err, errDisk) || !strings.Contains(err.Error(), "orphan blobs") {
		t.Fatalf("pass: %v", err)
	}
	b.view(func(tx store.Tx) error {
		if _, err := tx.Sessions().Get([16]byte{1}); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("ended session: %v", err)
		}
		return nil
	})
	if len(b.ring.retirements()) != 1 {
		t.Errorf("keys retired %d times, want once", len(b.ring.retirements()))
	}
}

func TestRunPassesAtStartAndEveryTenMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- b.Run(ctx) }()
		synctest.Wait()
		for want := 1; want < 4; want++ {
			if got := len(b.ring.retirements()); got != want {
				t.Errorf("%d passes, want %d", got, want)
			}
			time.Sleep(interval)
			synctest.Wait()
		}
		b.store.blobs.failList(errDisk) // a bad pass does not end it
		time.Sleep(2 * interval)
		synctest.Wait()
		if got := len(b.ring.retirements()); got != 6 {
			t.Errorf("%d passes, want 6", got)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run answered %v", err)
		}
	})
}

// queued puts an item under a key.
func (b *bench) queued(k store.KeyID) store.RcptKey {
	i := store.QueueItem{
		Key: store.RcptKey{Message: store.NewMessageID(b.now), N: 1}, Domain: "a.example", KeyID: k, Wrap: []byte("under " + k),
		Due: b.now.Add(time.Hour), Arrived: b.now, Attempts: 3,
	}
	b.update(func(tx store.Tx) error { return tx.Queue().Put(i) })
	return i.Key
}

func (b *bench) item(k store.RcptKey) (i store.QueueItem) {
	b.view(func(tx store.Tx) (err error) {
		i, err = tx.Queue().Get(k)
		return err
	})
	return i
}

func TestQueueKeysOfClosedHoursAreFreed(t *testing.T) {
	b := newBench(t)
	var old []store.RcptKey
	for range portion + 5 {
		old = append(old, b.queued("hour0001"))
	}
	b.ring.current = "hour0002"
	fresh := b.queued("hour0002")
	b.pass()
	for _, k := range append(old, fresh) {
		i := b.item(k)
		if i.KeyID != "hour0002" || !bytes.Equal(i.Wrap, []byte("under hour0002")) || i.Attempts != 3 || !i.Due.Equal(start.Add(time.Hour)) {
			t.Fatalf("item after the pass: %+v", i)
		}
	}
	if got := b.ring.retirements(); len(got) != 1 || len(got[0]) != 1 || got[0][0] != "hour0002" {
		t.Fatalf("retired with live keys %v", got)
	}
}

// TestItemsThatMoveMeanwhileAreLeftAlone lets the runner claim, finish and give back items while they are sealed anew.
func TestItemsThatMoveMeanwhileAreLeftAlone(t *testing.T) {
	b := newBench(t)
	claimed, finished, returned := b.queued("hour0001"), b.queued("hour0001"), b.queued("hour0001")
	b.ring.current = "hour0003"
	once := false
	b.ring.before = func(store.QueueItem) {
		if once {
			return
		}
		once = true
		b.update(func(tx store.Tx) error {
			owner := store.Owner{1}
			items, err := tx.Queue().Claim(store.Claim{Domain: "a.example", Owner: owner, Now: b.now.Add(time.Hour), Max: 9})
			if err != nil || len(items) != 3 {
				return fmt.Errorf("claimed %d: %w", len(items), err)
			}
			back, err := tx.Queue().Get(returned)
			if err != nil {
				return err
			}
			back.KeyID, back.Wrap, back.Attempts = "hour0002", []byte("by the runner"), 9
			return errors.Join(tx.Queue().Finish(finished, owner), tx.Queue().Retry(back))
		})
	}
	b.pass()
	if i := b.item(claimed); i.KeyID != "hour0001" || i.Owner.IsZero() {
		t.Errorf("claimed item: %+v", i)
	}
	if i := b.item(returned); string(i.Wrap) != "by the runner" || i.Attempts != 9 {
		t.Errorf("item given back: %+v", i)
	}
	b.ring.before = nil
	b.pass()
	if i := b.item(returned); i.KeyID != "hour0003" || i.Attempts != 9 {
		t.Errorf("item given back, after the next pass: %+v", i)
	}
}

func TestItemsWhoseKeyIsGoneDoNotHoldUpOthers(t *testing.T) {
	b := newBench(t)
	for range portion + 5 {
		b.queued("hour0000")
	}
	lost := b.queued("hour0000")
	good := b.queued("hour0001")
	b.ring.gone["hour0000"] = true
	b.ring.current = "hour0002"
	if err := b.Pass(t.Context()); err == nil || strings.Count(err.Error(), "gone") != 1 {
		t.Fatalf("pass: %v", err)
	}
	if b.item(good).KeyID != "hour0002" || b.item(lost).KeyID != "hour0000" {
		t.Errorf("good item under %s, lost one under %s", b.item(good).KeyID, b.item(lost).KeyID)
	}
	if got := fmt.Sprint(b.ring.retirements()); got != "[[hour0000 hour0002]]" {
		t.Errorf("retired with live keys %s", got)
	}
}
