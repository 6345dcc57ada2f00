package seal

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"postern/store"
)

// TestServerKeyRotation: the first line seals, every line opens.
func TestServerKeyRotation(t *testing.T) {
	t.Parallel()
	path := keyPath(t)
	keys, err := CreateServerKeys(path)
	if err != nil {
		t.Fatal(err)
	}
	first := keys.Current()
	ctx := []string{"x"}
	sealed := keys.Seal(ctx, []byte("y"))
	second, err := keys.Add()
	if err != nil || keys.Current() != first {
		t.Fatalf("add: %v", err)
	}
	if _, changed, err := keys.Rewrap(ctx, sealed); changed || err != nil {
		t.Errorf("re-wrapped under the same key: %v", err)
	}
	if err := keys.Promote(second); err != nil || keys.Current() != second {
		t.Fatalf("promote: %v", err)
	}
	if _, err := keys.Open(ctx, sealed); err != nil {
		t.Errorf("an older value: %v", err)
	}
	out, changed, err := keys.Rewrap(ctx, sealed)
	if id, ok := KeyOf(out); err != nil || !changed || !ok || id != second {
		t.Fatalf("re-wrapped under %s: %v", id, err)
	}
	if err := keys.Remove(second); err == nil {
		t.Error("the key that seals was removed")
	}
	if err := keys.Remove("00000000"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("an unknown key was removed: %v", err)
	}
	if err := keys.Promote("00000000"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("an unknown key was promoted: %v", err)
	}
	gone := serverLines().secret(keys.all()[1].key)
	if err := keys.Remove(first); err != nil {
		t.Fatal(err)
	}
	if folderHolds(t, filepath.Dir(path), gone) {
		t.Error("the removed key is still in the folder")
	}
	if _, err := keys.Open(ctx, sealed); !errors.Is(err, ErrServerLayer) || !strings.Contains(err.Error(), string(first)) {
		t.Errorf("a value under the removed key: %v", err)
	}
	if x, err := keys.Open(ctx, out); err != nil || string(x) != "y" {
		t.Errorf("the re-wrapped value: %v", err)
	}
}

// TestServerKeyChangeKilled ends Add, Promote and Remove after each step: the file stays good and loses no key that is
// still in use.
func TestServerKeyChangeKilled(t *testing.T) {
	t.Parallel()
	changes := map[string]func(s *ServerKeys, last store.KeyID) error{
		"add":     func(s *ServerKeys, _ store.KeyID) error { _, err := s.Add(); return err },
		"promote": func(s *ServerKeys, last store.KeyID) error { return s.Promote(last) },
		"remove":  func(s *ServerKeys, last store.KeyID) error { return s.Remove(last) },
	}
	for name, change := range changes {
		for n := 0; ; n++ {
			path := keyPath(t)
			keys, err := CreateServerKeys(path)
			if err != nil {
				t.Fatal(err)
			}
			last, err := keys.Add()
			if err != nil {
				t.Fatal(err)
			}
			used := keys.IDs()
			keys.disk = killAfter(n)
			done := change(keys, last)
			now, err := OpenServerKeys(path)
			if err != nil {
				t.Fatalf("%s killed after %d: %v", name, n, err)
			}
			for _, id := range used {
				if !slices.Contains(now.IDs(), id) && name != "remove" {
					t.Errorf("%s killed after %d: key %s is lost", name, n, id)
				}
			}
			if !slices.Contains(now.IDs(), used[0]) {
				t.Errorf("%s killed after %d: the first key is lost", name, n)
			}
			if done == nil {
				break
			}
			if !slices.Equal(keys.IDs(), used) {
				t.Errorf("%s killed after %d: the running keys changed", name, n)
			}
			if _, err := now.Add(); err != nil {
				t.Errorf("%s killed after %d: next change: %v", name, n, err)
			}
			noLeftovers(t, filepath.Dir(path))
		}
	}
}

// TestK3RemovedKeyIsDestroyedAtTheNextStart: after a crash in Remove the key is either in the file still or, once the
// file was opened again, nowhere in the folder: older copies of the store must be dead then.
func TestK3RemovedKeyIsDestroyedAtTheNextStart(t *testing.T) {
	t.Parallel()
	for n := 0; ; n++ {
		path := keyPath(t)
		keys, err := CreateServerKeys(path)
		if err != nil {
			t.Fatal(err)
		}
		last, err := keys.Add()
		if err != nil {
			t.Fatal(err)
		}
		gone := serverLines().secret(keys.all()[1].key)
		keys.disk = killAfter(n)
		done := keys.Remove(last)
		now, err := OpenServerKeys(path)
		if err != nil {
			t.Fatalf("killed after %d: %v", n, err)
		}
		if !slices.Contains(now.IDs(), last) && folderHolds(t, filepath.Dir(path), gone) {
			t.Errorf("killed after %d: the removed key is still in the folder", n)
		}
		if done == nil {
			return
		}
	}
}

func TestServerKeysSeenByAnotherProcess(t *testing.T) {
	t.Parallel()
	path := keyPath(t)
	server, err := CreateServerKeys(path)
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link.key")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	tool, err := OpenServerKeys(link)
	if err != nil {
		t.Fatal(err)
	}
	a, err := tool.Add()
	if err != nil {
		t.Fatal(err)
	}
	b, err := server.Add() // begins with what is in the file
	if err != nil {
		t.Fatal(err)
	}
	if got := server.IDs(); len(got) != 3 || got[1] != a || got[2] != b {
		t.Errorf("server has %v", got)
	}
	if err := tool.Reload(); err != nil || !slices.Equal(tool.IDs(), server.IDs()) {
		t.Errorf("tool has %v: %v", tool.IDs(), err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := tool.Reload(); err == nil || len(tool.IDs()) != 3 {
		t.Errorf("an emptied file was taken over: %v", err)
	}
}
