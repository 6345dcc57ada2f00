package seal

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/store"
)

// clock is a time that tests set.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 3, 1, 10, 30, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func testRing(t testing.TB, dir string, c *clock) *Ring {
	t.Helper()
	r, err := OpenRing(dir, c.now)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// wrapped is an item as the queue holds it.
type wrapped struct {
	id   store.KeyID
	key  store.RcptKey
	wrap []byte
	fk   FileKey
}

func wrap(t testing.TB, r *Ring) wrapped {
	t.Helper()
	w := wrapped{key: testRcpt(1), fk: FileKey(random(16))}
	var err error
	if w.id, w.wrap, err = r.Wrap(w.key, w.fk); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w wrapped) check(r *Ring) error {
	fk, err := r.Unwrap(w.id, w.key, w.wrap)
	if err == nil && fk != w.fk {
		err = errors.New("another file key")
	}
	return err
}

func TestRingNewKeyEachHour(t *testing.T) {
	t.Parallel()
	dir, c := filepath.Join(t.TempDir(), "keys"), newClock()
	r := testRing(t, dir, c)
	a := wrap(t, r)
	c.add(29 * time.Minute)
	if b := wrap(t, r); b.id != a.id {
		t.Error("a second key in the same hour")
	}
	c.add(time.Minute)
	b := wrap(t, r)
	if b.id == a.id || r.Current() != b.id {
		t.Error("no new key in the new hour")
	}
	again := testRing(t, dir, c)
	for _, w := range []wrapped{a, b} {
		if err := errors.Join(w.check(r), w.check(again)); err != nil {
			t.Error(err)
		}
	}
	if again.Current() != b.id {
		t.Error("the reopened ring has another newest key")
	}
	if info, err := os.Stat(filepath.Join(dir, ringFile)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v: %v", info.Mode(), err)
	}
}

func TestRingCurrentMakesTheHoursKey(t *testing.T) {
	t.Parallel()
	dir, c := t.TempDir(), newClock()
	r := testRing(t, dir, c)
	first := r.Current()
	c.add(time.Hour)
	if second := r.Current(); first == "" || second == first {
		t.Errorf("keys %q, %q", first, second)
	}
}

func TestRingClockTurnedBack(t *testing.T) {
	t.Parallel()
	dir, c := t.TempDir(), newClock()
	r := testRing(t, dir, c)
	a := wrap(t, r)
	c.add(-3 * time.Hour)
	b := wrap(t, r)
	if b.id == a.id {
		t.Error("a key of a future hour seals")
	}
	again := testRing(t, dir, c)
	if again.Current() != b.id {
		t.Error("the reopened ring seals under the key of the future")
	}
	if err := errors.Join(a.check(again), b.check(again)); err != nil {
		t.Error(err)
	}
}

func TestRingBoundToItem(t *testing.T) {
	t.Parallel()
	c := newClock()
	r := testRing(t, t.TempDir(), c)
	k := store.RcptKey{Message: store.MessageID{1}, N: 1}
	fk := FileKey(random(16))
	id, w, err := r.Wrap(k, fk)
	if err != nil {
		t.Fatal(err)
	}
	_, mail, err := r.SealMail(k, []byte("0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	c.add(time.Hour)
	later := r.Current()
	for name, f := range map[string]func() error{
		"other recipient": func() error { _, err := r.Unwrap(id, store.RcptKey{Message: k.Message, N: 2}, w); return err },
		"other message":   func() error { _, err := r.Unwrap(id, store.RcptKey{Message: store.MessageID{2}, N: 1}, w); return err },
		"other key id":    func() error { _, err := r.Unwrap(later, k, w); return err },
		"as mail":         func() error { _, err := r.OpenMail(id, k, w); return err },
		"mail as wrap":    func() error { _, err := r.Unwrap(id, k, mail); return err },
		"mail moved":      func() error { _, err := r.OpenMail(id, store.RcptKey{Message: k.Message}, mail); return err },
		"relabelled": func() error {
			_, err := r.Unwrap(later, k, append([]byte(later), w[8:]...))
			return err
		},
		"cut":     func() error { _, err := r.Unwrap(id, k, w[:len(w)-1]); return err },
		"nothing": func() error { _, err := r.Unwrap(id, k, nil); return err },
	} {
		if err := f(); !errors.Is(err, ErrSealed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for i := range w {
		bad := slices.Clone(w)
		bad[i] ^= 1
		if _, err := r.Unwrap(id, k, bad); !errors.Is(err, ErrSealed) {
			t.Fatalf("octet %d: %v", i, err)
		}
	}
	for _, id := range []store.KeyID{"", "00000000", "not a key id"} {
		if _, err := r.OpenMail(id, k, mail); !errors.Is(err, ErrQueueKeyGone) || strings.Contains(err.Error(), "not a key") {
			t.Errorf("key %q: %v", id, err)
		}
	}
}

func TestRingReseal(t *testing.T) {
	t.Parallel()
	dir, c := t.TempDir(), newClock()
	r := testRing(t, dir, c)
	relay := store.QueueItem{Key: testRcpt(1), Kind: store.KindRelay}
	own := store.QueueItem{Key: testRcpt(0), Kind: store.KindDSN}
	fk := FileKey(random(16))
	var err error
	if relay.KeyID, relay.Wrap, err = r.Wrap(relay.Key, fk); err != nil {
		t.Fatal(err)
	}
	if own.KeyID, own.Sealed, err = r.SealMail(own.Key, []byte("mail")); err != nil {
		t.Fatal(err)
	}
	for _, item := range []store.QueueItem{relay, own} {
		same, err := r.Reseal(item)
		if err != nil || string(same.Wrap)+string(same.Sealed) != string(item.Wrap)+string(item.Sealed) {
			t.Errorf("%s changes within its hour: %v", item.Kind, err)
		}
	}
	c.add(time.Hour)
	relay2, err1 := r.Reseal(relay)
	own2, err2 := r.Reseal(own)
	if err := errors.Join(err1, err2); err != nil || relay2.KeyID == relay.KeyID || own2.KeyID != relay2.KeyID {
		t.Fatalf("resealed under %s and %s: %v", relay2.KeyID, own2.KeyID, err)
	}
	if err := r.Retire([]store.KeyID{own2.KeyID}); err != nil {
		t.Fatal(err)
	}
	if got, err := r.Unwrap(relay2.KeyID, relay2.Key, relay2.Wrap); err != nil || got != fk {
		t.Errorf("relay copy: %v", err)
	}
	if got, err := r.OpenMail(own2.KeyID, own2.Key, own2.Sealed); err != nil || string(got) != "mail" {
		t.Errorf("own mail: %v", err)
	}
	for _, item := range []store.QueueItem{relay, own} {
		if got, err := r.Reseal(item); !errors.Is(err, ErrQueueKeyGone) || got.KeyID != item.KeyID {
			t.Errorf("%s whose key is gone: %v", item.Kind, err)
		}
	}
}

func TestRingConcurrentUse(t *testing.T) {
	t.Parallel()
	dir, c := t.TempDir(), newClock()
	r := testRing(t, dir, c)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var all []wrapped
	for range 4 {
		wg.Go(func() {
			for range 20 {
				w := wrap(t, r)
				if err := w.check(r); err != nil {
					t.Error(err)
				}
				mu.Lock()
				all = append(all, w)
				mu.Unlock()
			}
		})
	}
	wg.Go(func() {
		for range 5 {
			c.add(10 * time.Minute)
			mu.Lock()
			var live []store.KeyID
			for _, w := range all {
				live = append(live, w.id)
			}
			mu.Unlock()
			if err := r.Retire(live); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Wait()
	again := testRing(t, dir, c)
	for _, w := range all {
		if err := w.check(again); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRingOpenTwice: a second process adds keys; neither drops the other's.
func TestRingOpenTwice(t *testing.T) {
	t.Parallel()
	dir, c := t.TempDir(), newClock()
	a, b := testRing(t, dir, c), testRing(t, dir, c)
	x, y := wrap(t, a), wrap(t, b)
	c.add(time.Hour)
	z := wrap(t, a)
	again := testRing(t, dir, c)
	if err := errors.Join(x.check(again), y.check(again), z.check(again), y.check(a)); err != nil {
		t.Error(err)
	}
}

func TestRingRefusesBadFiles(t *testing.T) {
	t.Parallel()
	dir, c := t.TempDir(), newClock()
	r := testRing(t, dir, c)
	wrap(t, r)
	path := filepath.Join(dir, ringFile)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"damaged":     strings.Replace(string(good), " 1", " x", 1),
		"cut":         string(good[:len(good)-2]),
		"twice":       string(good) + string(good),
		"server key":  string(serverLines().write([]keyLine{newKeyLine()})),
		"signed hour": strings.Replace(string(good), " 1", " +1", 1),
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		var bad *KeyFileError
		if _, err := OpenRing(dir, c.now); !errors.As(err, &bad) || bad.Path != path {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := os.WriteFile(path, good, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenRing(dir, c.now); !errors.Is(err, ErrKeyFileReadable) {
		t.Errorf("readable by others: %v", err)
	}
}

func TestRingClosed(t *testing.T) {
	t.Parallel()
	r := testRing(t, t.TempDir(), newClock())
	w := wrap(t, r)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if err := w.check(r); err == nil || errors.Is(err, ErrQueueKeyGone) {
		t.Errorf("unwrap: %v", err) // a shutdown must not end items as "please send again"
	}
	_, _, err := r.Wrap(w.key, w.fk)
	if err == nil || r.Retire(nil) == nil || r.Current() != "" {
		t.Errorf("a closed ring works: %v", err)
	}
}
