package seal

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"postern/store"
)

func TestCode(t *testing.T) {
	t.Parallel()
	keys := testKeys(t)
	sealed := keys.SealCode("flow", "12345678")
	for typed, want := range map[string]bool{"12345678": true, "12345679": false, "": false, "123456780": false} {
		if ok, err := keys.CheckCode("flow", typed, sealed); err != nil || ok != want {
			t.Errorf("%q: %v, %v", typed, ok, err)
		}
	}
}

func TestBrowserMAC(t *testing.T) {
	t.Parallel()
	keys := testKeys(t)
	a, b := store.AccountID{1}, store.AccountID{2}
	at := Registration{At: time.Date(2026, 6, 9, 9, 42, 0, 0, time.UTC), Key: "key"}
	value := keys.BrowserMAC(a, at)
	id, err := keys.Add()
	if err != nil {
		t.Fatal(err)
	}
	if err := keys.Promote(id); err != nil {
		t.Fatal(err)
	}
	if !keys.CheckBrowserMAC(a, at, value) || !keys.CheckBrowserMAC(a, at, keys.BrowserMAC(a, at)) {
		t.Error("a good value does not count, before or after rotation")
	}
	for name, v := range map[string]string{
		"other account": keys.BrowserMAC(b, at), "other registration": keys.BrowserMAC(a, Registration{at.At.Add(time.Millisecond), at.Key}), "other key": keys.BrowserMAC(a, Registration{At: at.At}), "none": "", "key id alone": string(id) + ".", "cut": value[:len(value)-1],
		"longer": value + "0", "foreign": testKeys(t).BrowserMAC(a, at), "relabelled": string(id) + value[8:],
	} {
		if keys.CheckBrowserMAC(a, at, v) {
			t.Errorf("%s counts", name)
		}
	}
}

func TestMACKeySum(t *testing.T) {
	t.Parallel()
	k := MACKey(random(32))
	if k.Sum("ab", "c") == k.Sum("a", "bc") || k.Sum("a") == k.Sum("a", "") || k.Sum("a") == MACKey(random(32)).Sum("a") {
		t.Error("different inputs have one sum")
	}
	if k.Thread("<a@b>") != store.ThreadID(k.Sum("<a@b>")) || k.Thread("<a@b>") == k.Thread("<b@a>") {
		t.Error("thread ids do not follow the Message-ID")
	}
	k.Thread(string(make([]byte, 1<<20))) // a remote Message-ID may be as long as a header
}

// settings is a store that holds settings and nothing else.
type settings struct {
	store.Store
	store.Tx
	mu     sync.Mutex
	values map[string][]byte
	err    error
}

func (s *settings) View(_ context.Context, f func(store.Tx) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	return f(s)
}

func (s *settings) Update(ctx context.Context, f func(store.Tx) error) error {
	return s.View(ctx, func(tx store.Tx) error {
		if err := f(tx); err != nil {
			return err
		}
		return f(tx) // an engine may run it twice
	})
}

func (s *settings) Settings() store.Settings { return settingsRole{s} }

type settingsRole struct{ s *settings }

func (r settingsRole) Get(name string) ([]byte, error) {
	if v, ok := r.s.values[name]; ok {
		return v, nil
	}
	return nil, store.ErrNotFound
}
func (r settingsRole) Set(name string, v []byte) error { r.s.values[name] = v; return nil }
func (r settingsRole) Delete(string) error             { return nil }
func (r settingsRole) Names(string) ([]string, error)  { return nil, nil }

func TestLoadMACKey(t *testing.T) {
	t.Parallel()
	keys, db := testKeys(t), &settings{values: make(map[string][]byte)}
	ctx := context.Background()
	var wg sync.WaitGroup
	got := make([]MACKey, 8)
	for i := range got {
		wg.Go(func() {
			var err error
			if got[i], err = LoadMACKey(ctx, db, keys, "thread"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, k := range got {
		if k != got[0] || k == (MACKey{}) {
			t.Fatal("several starts have several keys")
		}
	}
	other, err := LoadMACKey(ctx, db, keys, "origin")
	if err != nil || other == got[0] {
		t.Errorf("another name has the same key: %v", err)
	}
	stored := string(db.values[MACKeyPrefix+"thread"])
	if _, err := LoadMACKey(ctx, db, testKeys(t), "thread"); !errors.Is(err, ErrServerLayer) {
		t.Errorf("a foreign server key: %v", err)
	}
	if string(db.values[MACKeyPrefix+"thread"]) != stored {
		t.Error("a key that does not open was replaced")
	}
	out, changed, err := keys.RewrapMACKey("thread", db.values[MACKeyPrefix+"thread"])
	if err != nil || changed || string(out) != stored {
		t.Errorf("rewrap: %v", err)
	}
	db.err = store.ErrClosed
	if _, err := LoadMACKey(ctx, db, keys, "thread"); !errors.Is(err, store.ErrClosed) {
		t.Errorf("a closed store: %v", err)
	}
}
