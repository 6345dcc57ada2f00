package bolt

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	bbolt "go.etcd.io/bbolt"

	"postern/store"
	"postern/store/blob"
)

func config(dir string) Config { return Config{Dir: dir, Blobs: blob.In(filepath.Join(dir, "blobs"))} }

// edit changes a closed data file behind the engine's back.
func edit(t *testing.T, dir string, f func(b *bbolt.Tx) error) {
	t.Helper()
	db, err := bbolt.Open(filepath.Join(dir, fileName), 0o600, options())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Update(f); err != nil {
		t.Fatal(err)
	}
}

func TestOpenRefusesAFolderInUse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openIn(t, dir)
	w, err := s.Blobs().Create(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var used *InUseError
	if _, err := Open(config(dir)); !errors.As(err, &used) || used.Dir != dir {
		t.Fatalf("second opening: %v", err)
	}
	if want := "data folder " + dir + " is used by another running Postern"; used.Error() != want {
		t.Errorf("it says %q, want %q", used, want)
	}
	if _, err := w.Commit(); err != nil {
		t.Errorf("the second opening disturbed a blob that the first writes: %v", err)
	}
	s.Close()
	again, err := Open(config(dir))
	if err != nil {
		t.Fatalf("opening after the first was closed: %v", err)
	}
	again.Close()
}

// TestOpenRefusesAFileThatLacksAList: it would fail at the first use of the list, in the middle of service.
func TestOpenRefusesAFileThatLacksAList(t *testing.T) {
	t.Parallel()
	dir := made(t)
	edit(t, dir, func(b *bbolt.Tx) error { return b.DeleteBucket([]byte("i_reply")) })
	if s, err := Open(config(dir)); !errors.Is(err, store.ErrCorrupt) || !strings.Contains(err.Error(), "i_reply") || !strings.Contains(err.Error(), "before the first release") {
		if err == nil {
			s.Close()
		}
		t.Errorf("opened: %v", err)
	}
}

func TestOpenRefusesANewerFormat(t *testing.T) {
	t.Parallel()
	dir := made(t)
	edit(t, dir, func(b *bbolt.Tx) error {
		return b.Bucket([]byte("meta")).Put(keyVersion, be64(7))
	})
	before, err := os.ReadFile(filepath.Join(dir, fileName))
	if err != nil {
		t.Fatal(err)
	}
	var newer *FormatError
	if _, err := Open(config(dir)); !errors.As(err, &newer) || newer.Found != 7 || newer.Known != format {
		t.Fatalf("opening: %v", err)
	}
	after, err := os.ReadFile(filepath.Join(dir, fileName))
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("the file was changed, %v", err)
	}
}

func TestOpenRefusesWhatIsNoDataFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, fileName), bytes.Repeat([]byte("no data file "), 5000), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(config(dir)); err == nil || !strings.Contains(err.Error(), fileName) {
		t.Errorf("opening a foreign file: %v", err)
	}
	broken := config(filepath.Join(dir, fileName, "inside a file"))
	if _, err := Open(broken); err == nil {
		t.Error("a folder inside a file was opened")
	}
	for _, c := range []Config{{}, {Dir: dir}, {Blobs: blob.In(dir)}} {
		if _, err := Open(c); err == nil {
			t.Errorf("opened with %+v", c)
		}
	}
}

func TestOpenLetsGoWhenBlobsFail(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	want := errors.New("no blobs today")
	if _, err := Open(Config{Dir: dir, Blobs: func() (store.Blobs, error) { return nil, want }}); !errors.Is(err, want) {
		t.Fatalf("opening: %v", err)
	}
	s, err := Open(config(dir))
	if err != nil {
		t.Fatalf("opening after it: %v", err)
	}
	s.Close()
}

func TestFilesAreForTheOwnerOnly(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	openIn(t, dir).Close()
	for path, want := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, fileName): 0o600, filepath.Join(dir, "blobs"): 0o700} {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
}

// TestWaitingUpdatesShareACommit holds the first commit open until all others wait.
func TestWaitingUpdatesShareACommit(t *testing.T) {
	t.Parallel()
	s := open(t)
	var wg sync.WaitGroup
	write := func(name string, before func()) {
		wg.Go(func() {
			err := s.Update(t.Context(), func(tx store.Tx) error {
				before()
				return tx.Settings().Set(name, []byte("x"))
			})
			if err != nil {
				t.Errorf("update: %v", err)
			}
		})
	}
	inside, others := make(chan struct{}), make(chan struct{})
	write("first", func() {
		close(inside)
		<-others
	})
	<-inside
	const many = 50
	for n := range many {
		write(string(rune('a'+n)), func() {})
	}
	for waiting := 0; waiting < many; {
		runtime.Gosched()
		s.commit.mu.Lock()
		waiting = len(s.commit.waiting)
		s.commit.mu.Unlock()
	}
	close(others)
	wg.Wait()
	s.Close()
	if s.commit.last != 2 {
		t.Errorf("%d commits for 51 Updates, want 2", s.commit.last)
	}
}

func TestUpdatesThatWriteNothingCommitNothing(t *testing.T) {
	t.Parallel()
	s := open(t)
	for range 3 {
		err := s.Update(t.Context(), func(tx store.Tx) error {
			_, err := tx.Queue().Claim(store.Claim{Domain: "a.example", Max: 5})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	s.Close()
	if s.commit.last != 0 {
		t.Errorf("%d commits", s.commit.last)
	}
}

func TestRolesEndWithTheirFunction(t *testing.T) {
	t.Parallel()
	s := open(t)
	var kept store.Tx
	if err := s.Update(t.Context(), func(tx store.Tx) error { kept = tx; return nil }); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if recover() == nil {
			t.Error("a role worked after its transaction")
		}
	}()
	kept.Settings().Set("late", nil)
}

// TestSwallowedWriteErrorsFailTheUpdate: a function must not commit half of what a role wrote.
func TestSwallowedWriteErrorsFailTheUpdate(t *testing.T) {
	t.Parallel()
	s := open(t)
	err := s.Update(t.Context(), func(tx store.Tx) error {
		_ = tx.Settings().Set("before", []byte("x"))
		_ = tx.Settings().Set(strings.Repeat("n", bbolt.MaxKeySize+1), []byte("x"))
		return nil
	})
	if err == nil || visible(s, "before") {
		t.Errorf("update answered %v, first row visible %t", err, visible(s, "before"))
	}
}

func TestCloseAnswersWhatWaits(t *testing.T) {
	t.Parallel()
	s := openIn(t, t.TempDir())
	var wg sync.WaitGroup
	for range 40 {
		wg.Go(func() {
			err := s.Update(t.Context(), func(tx store.Tx) error { return tx.Settings().Set("row", []byte("x")) })
			if err != nil && !errors.Is(err, store.ErrClosed) {
				t.Errorf("update while closing: %v", err)
			}
		})
	}
	s.Close()
	wg.Wait()
	if err := s.Close(); !errors.Is(err, store.ErrClosed) {
		t.Errorf("closing again: %v", err)
	}
}
