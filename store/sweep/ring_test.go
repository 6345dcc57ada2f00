package sweep

import (
	"errors"
	"testing"
	"time"

	"postern/store"
	"postern/store/seal"
)

// TestI3QueueKeysAreDestroyed drives the real key ring: an item that waits over the hour opens under the newest key,
// and with what was stored before nothing opens any more.
func TestI3QueueKeysAreDestroyed(t *testing.T) {
	b := newBench(t)
	ring, err := seal.OpenRing(t.TempDir(), func() time.Time { return b.now })
	if err != nil {
		t.Fatal(err)
	}
	defer ring.Close()
	b.Ring = ring
	key := store.RcptKey{Message: store.NewMessageID(b.now), N: 1}
	fk := seal.FileKey{1, 2, 3}
	id, wrap, err := ring.Wrap(key, fk)
	if err != nil {
		t.Fatal(err)
	}
	b.update(func(tx store.Tx) error {
		return tx.Queue().Put(store.QueueItem{Key: key, Domain: "a.example", KeyID: id, Wrap: wrap, Due: b.now})
	})
	b.now = b.now.Add(65 * time.Minute)
	b.pass()
	i := b.item(key)
	if got, err := ring.Unwrap(i.KeyID, key, i.Wrap); err != nil || got != fk || i.KeyID == id {
		t.Fatalf("item under %s (was %s): %v", i.KeyID, id, err)
	}
	if _, err := ring.Unwrap(id, key, wrap); !errors.Is(err, seal.ErrQueueKeyGone) {
		t.Fatalf("the old wrap: %v, want ErrQueueKeyGone", err)
	}
}
