package seal

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var errKilled = errors.New("killed")

// killAfter lets n operations happen and none after them, as a crash does.
func killAfter(n int) disk {
	return disk{step: func(string) error {
		if n == 0 {
			return errKilled
		}
		n--
		return nil
	}}
}

// recorder notes the operations in order.
func recorder(ops *[]string) disk {
	return disk{step: func(op string) error { *ops = append(*ops, op); return nil }}
}

// folderHolds reports whether any file of a folder contains text.
func folderHolds(t *testing.T, dir, text string) bool {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(data, []byte(text)) {
			return true
		}
	}
	return false
}

func noLeftovers(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), suffixNew) || strings.HasSuffix(e.Name(), suffixOld) {
			t.Errorf("%s is left over", e.Name())
		}
	}
}

func TestReplaceOverwritesTheOldFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	if err := os.WriteFile(path, []byte("secret octets"), 0o600); err != nil {
		t.Fatal(err)
	}
	old, err := os.Open(path) // what a copy of the disk's blocks would show
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	var ops []string
	if err := recorder(&ops).replace(path, []byte("new")); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 100)
	n, _ := old.ReadAt(buf, 0)
	if n != 13 || !bytes.Equal(buf[:n], make([]byte, 13)) {
		t.Errorf("the old file holds %q", buf[:n])
	}
	const want = "create write sync, keep old, rename, sync folder, overwrite sync, remove, sync folder"
	if got := strings.Join(ops, " "); got != strings.ReplaceAll(want, ",", "") {
		t.Errorf("order is %s", got)
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != "new" {
		t.Errorf("the new file holds %q: %v", data, err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v: %v", info.Mode(), err)
	}
	noLeftovers(t, dir)
}

// TestReplaceKilled ends replace after each step: the file holds the old or the new octets, and afterwards clean leaves
// one file and no trace of the old octets beside it.
func TestReplaceKilled(t *testing.T) {
	t.Parallel()
	for n := 0; ; n++ {
		dir := t.TempDir()
		path := filepath.Join(dir, "f")
		if err := os.WriteFile(path, []byte("old octets"), 0o600); err != nil {
			t.Fatal(err)
		}
		err := killAfter(n).replace(path, []byte("new octets"))
		data, readErr := os.ReadFile(path)
		if readErr != nil || string(data) != "old octets" && string(data) != "new octets" {
			t.Fatalf("killed after %d: file holds %q: %v", n, data, readErr)
		}
		if err := (disk{}).clean(path); err != nil {
			t.Fatalf("killed after %d: clean: %v", n, err)
		}
		noLeftovers(t, dir)
		after, readErr := os.ReadFile(path)
		if readErr != nil || !bytes.Equal(after, data) {
			t.Fatalf("killed after %d: clean changed the file to %q: %v", n, after, readErr)
		}
		if string(data) == "new octets" && folderHolds(t, dir, "old octets") {
			t.Errorf("killed after %d: the old octets are still there", n)
		}
		if err == nil {
			if n < 8 {
				t.Fatalf("replace took only %d steps", n)
			}
			return
		}
		if !errors.Is(err, errKilled) {
			t.Fatal(err)
		}
	}
}

// TestCleanKilled ends clean itself after each step, and cleans again.
func TestCleanKilled(t *testing.T) {
	t.Parallel()
	for first := 4; first < 9; first++ {
		for second := range 8 {
			dir := t.TempDir()
			path := filepath.Join(dir, "f")
			if err := os.WriteFile(path, []byte("old octets"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := killAfter(first).replace(path, []byte("new octets")); !errors.Is(err, errKilled) {
				t.Fatal(err)
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := killAfter(second).clean(path); err != nil && !errors.Is(err, errKilled) {
				t.Fatal(err)
			}
			if err := (disk{}).clean(path); err != nil {
				t.Fatalf("killed after %d and %d: %v", first, second, err)
			}
			noLeftovers(t, dir)
			if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
				t.Errorf("killed after %d and %d: file holds %q: %v", first, second, got, err)
			}
		}
	}
}

func TestCleanNeverLosesTheOnlyCopy(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path+suffixOld, []byte("octets"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := (disk{}).clean(path); err == nil || !strings.Contains(err.Error(), path+suffixOld) {
		t.Errorf("clean: %v", err)
	}
	if data, err := os.ReadFile(path + suffixOld); err != nil || string(data) != "octets" {
		t.Errorf("the only copy holds %q: %v", data, err)
	}
}

func TestFolderIsMadeForTheOwner(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	dir := filepath.Join(top, "data", "keys")
	var ops []string
	if err := recorder(&ops).folder(dir); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(ops, ", "); got != "mkdir, sync folder, mkdir, sync folder" {
		t.Errorf("order is %s", got)
	}
	for _, name := range []string{dir, filepath.Dir(dir)} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: mode %v: %v", name, info.Mode(), err)
		}
	}
	file := filepath.Join(top, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{file, filepath.Join(file, "keys")} {
		if _, err := OpenRing(name, newClock().now); err == nil {
			t.Errorf("a ring opens in %s", name)
		}
	}
}
