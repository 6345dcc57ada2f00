package seal

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

func keyPath(t *testing.T) string { return filepath.Join(t.TempDir(), "keys", "server.key") }

func TestServerKeysCreateAndOpen(t *testing.T) {
	t.Parallel()
	path := keyPath(t)
	if _, err := OpenServerKeys(path); !errors.Is(err, ErrNoKeyFile) || !strings.Contains(err.Error(), path) {
		t.Fatalf("missing file: %v", err)
	}
	made, err := CreateServerKeys(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v: %v", info.Mode(), err)
	}
	if info, err := os.Stat(filepath.Dir(path)); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("folder mode %v: %v", info.Mode(), err)
	}
	read, err := OpenServerKeys(path)
	if err != nil || read.Current() != made.Current() || len(read.Current()) != 8 {
		t.Fatalf("read back: %v", err)
	}
	if x, err := read.Open([]string{"x"}, made.Seal([]string{"x"}, []byte("y"))); err != nil || string(x) != "y" {
		t.Errorf("opens what the other sealed: %v", err)
	}
}

func TestServerKeysAreNeverReplacedByCreate(t *testing.T) {
	t.Parallel()
	path := keyPath(t)
	made, err := CreateServerKeys(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := CreateServerKeys(path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("second create: %v", err)
	}
	read, err := OpenServerKeys(path)
	if err != nil || read.Current() != made.Current() {
		t.Errorf("the key changed: %v", err)
	}
}

func TestServerKeysCreateRace(t *testing.T) {
	t.Parallel()
	path := keyPath(t)
	var wg sync.WaitGroup
	made := make([]*ServerKeys, 8)
	for i := range made {
		wg.Go(func() { made[i], _ = CreateServerKeys(path) })
	}
	wg.Wait()
	made = slices.DeleteFunc(made, func(s *ServerKeys) bool { return s == nil })
	if len(made) != 1 {
		t.Fatalf("%d of 8 made the file", len(made))
	}
	if read, err := OpenServerKeys(path); err != nil || read.Current() != made[0].Current() {
		t.Errorf("file: %v", err)
	}
}

// TestServerKeysCreateKilled: after a crash there is either no file or a good one.
func TestServerKeysCreateKilled(t *testing.T) {
	t.Parallel()
	for n := 0; ; n++ {
		path := keyPath(t)
		_, err := createServerKeys(path, killAfter(n))
		if err == nil {
			return
		}
		if !errors.Is(err, errKilled) {
			t.Fatal(err)
		}
		if _, err := OpenServerKeys(path); errors.Is(err, ErrNoKeyFile) {
			_, err = CreateServerKeys(path)
			if err != nil {
				t.Errorf("killed after %d: create again: %v", n, err)
			}
		} else if err != nil {
			t.Errorf("killed after %d: open: %v", n, err)
		}
	}
}

func TestServerKeyFileReadableByOthersIsRefused(t *testing.T) {
	t.Parallel()
	path := keyPath(t)
	if _, err := CreateServerKeys(path); err != nil {
		t.Fatal(err)
	}
	for mode, ok := range map[os.FileMode]bool{
		0o600: true, 0o400: true, 0o640: false, 0o604: false, 0o620: false, 0o666: false, 0o601: false,
	} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := OpenServerKeys(path)
		if ok != (err == nil) || !ok && !errors.Is(err, ErrKeyFileReadable) {
			t.Errorf("mode %v: %v", mode, err)
		}
	}
	if _, err := OpenServerKeys(filepath.Dir(path)); err == nil {
		t.Error("a folder opens as key file")
	}
}

func TestServerKeyFileProblemsNameTheLine(t *testing.T) {
	t.Parallel()
	path := keyPath(t)
	made, err := CreateServerKeys(path)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	good := strings.TrimSuffix(string(data), "\n")
	secret := good[strings.LastIndexByte(good, ' ')+1:]
	other := strings.TrimSuffix(string(serverLines().write([]keyLine{newKeyLine()})), "\n")
	typo := []byte(good)
	typo[len(typo)-20] = map[bool]byte{true: '1', false: '0'}[typo[len(typo)-20] == '0']
	for name, c := range map[string]struct {
		text string
		line int
	}{
		"empty":         {"\n\n", 0},
		"other word":    {good + "\npostern-server-key-v2 " + string(made.Current()) + " " + secret, 2},
		"no word":       {"# my key\n" + good, 1},
		"two fields":    {"\n" + strings.TrimSuffix(good, " "+secret), 2},
		"four fields":   {good + " x", 1},
		"cut":           {good[:len(good)-1], 1},
		"capitals":      {strings.ToUpper(good[:22]) + good[22:], 1},
		"typing error":  {string(typo), 1},
		"foreign id":    {strings.Replace(other, other[22:30], string(made.Current()), 1), 1},
		"twice":         {good + "\n" + other + "\n" + good, 3},
		"no base32":     {good[:len(good)-1] + "u", 1},
		"queue's line":  {string(queueLines().write([]keyLine{newKeyLine()})), 1},
		"spare padding": {good + "=", 1},
	} {
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := OpenServerKeys(path)
		var bad *KeyFileError
		if !errors.As(err, &bad) || bad.Line != c.line || bad.Path != path {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if strings.Contains(err.Error(), secret[:8]) || strings.Contains(err.Error(), other[31:39]) {
			t.Errorf("%s: the error quotes a key", name)
		}
	}
	if err := os.WriteFile(path, []byte("\r\n"+good+"\r\n\r\n"+other+"\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if read, err := OpenServerKeys(path); err != nil || len(read.IDs()) != 2 || read.Current() != made.Current() {
		t.Errorf("CRLF and empty lines: %v", err)
	}
}

// TestServerKeyChecks: a start with a missing, wrong or older file is noticed and names key and file.
func TestServerKeyChecks(t *testing.T) {
	t.Parallel()
	path := keyPath(t)
	older, err := CreateServerKeys(path)
	if err != nil {
		t.Fatal(err)
	}
	now, err := OpenServerKeys(path)
	if err != nil {
		t.Fatal(err)
	}
	added, err := now.Add()
	if err != nil {
		t.Fatal(err)
	}
	if err := now.VerifyChecks(now.Checks()); err != nil {
		t.Errorf("its own checks: %v", err)
	}
	if err := now.VerifyChecks(older.Checks()); err != nil {
		t.Errorf("the checks of an older file: %v", err)
	}
	var bad *KeyCheckError
	if err := older.VerifyChecks(now.Checks()); !errors.As(err, &bad) || bad.ID != added || !bad.Missing {
		t.Errorf("older file: %v", err)
	}
	if err := testKeys(t).VerifyChecks(now.Checks()); !errors.As(err, &bad) || !bad.Missing {
		t.Errorf("wrong file: %v", err)
	}
	wrong := now.Checks()
	wrong[added][3] ^= 1
	err = now.VerifyChecks(wrong)
	if !errors.As(err, &bad) || bad.ID != added || bad.Missing {
		t.Errorf("another key of that id: %v", err)
	}
	if !strings.Contains(err.Error(), string(added)) || !strings.Contains(err.Error(), path) {
		t.Errorf("the error does not name key and file: %v", err)
	}
}

func TestServerLayerFaultIsNamed(t *testing.T) {
	t.Parallel()
	keys := testKeys(t)
	other := testKeys(t)
	foreign := other.Seal([]string{"x"}, nil)
	_, err := keys.Open([]string{"x"}, foreign)
	if !errors.Is(err, ErrServerLayer) || !strings.Contains(err.Error(), string(other.Current())) {
		t.Errorf("foreign key: %v", err)
	}
	for _, bad := range [][]byte{nil, []byte("short"), []byte("12345678"), []byte("!?!?!?!?and more of it that is long enough")} {
		if _, err := keys.Open([]string{"x"}, bad); !errors.Is(err, ErrServerLayer) || strings.Contains(err.Error(), "!?") {
			t.Errorf("%d octets: %v", len(bad), err)
		}
	}
	relabelled := append([]byte(keys.Current()), foreign[8:]...)
	if _, err := keys.Open([]string{"x"}, relabelled); !errors.Is(err, ErrServerLayer) {
		t.Errorf("value under another key's id: %v", err)
	}
}

func TestServerKeysConcurrentUse(t *testing.T) {
	t.Parallel()
	keys := testKeys(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 50 {
				if _, err := keys.Open([]string{"x"}, keys.Seal([]string{"x"}, nil)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 3 {
		wg.Go(func() {
			id, err := keys.Add()
			if err == nil {
				err = keys.Promote(id)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(keys.IDs()) != 4 {
		t.Errorf("%d keys", len(keys.IDs()))
	}
}
