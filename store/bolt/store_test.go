package bolt

import (
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"postern/store"
	"postern/store/blob"
	"postern/store/storetest"
)

// checked is a store that verifies itself before it is closed.
type checked struct {
	*Store
	t testing.TB
}

func (c checked) Close() error {
	if c.Store.commit.blocked() == nil && !c.Store.commit.closing {
		verify(c.t, c.Store)
	}
	return c.Store.Close()
}

func openIn(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(Config{Dir: dir, Blobs: blob.In(filepath.Join(dir, "blobs")), Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return s
}

// open opens an empty store that the test need not close.
func open(t testing.TB) *Store {
	t.Helper()
	s := openIn(t, t.TempDir())
	t.Cleanup(func() { s.Close() })
	return s
}

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t testing.TB) store.Store { return checked{openIn(t, t.TempDir()), t} })
}

func TestMain(m *testing.M) {
	if child() {
		return
	}
	goleak.VerifyTestMain(m)
}

var testTime = time.Date(2021, 3, 1, 12, 0, 0, 0, time.UTC)
