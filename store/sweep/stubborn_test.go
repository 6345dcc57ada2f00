package sweep

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"postern/store"
)

// TestI5UndeletableBlobsHoldUpNoOther: more files than a portion resist at the head of the list; the others go within the
// same pass, and the pass says what is left.
func TestI5UndeletableBlobsHoldUpNoOther(t *testing.T) {
	b := newBench(t)
	var all []store.BlobID
	for range 2*portion + 5 {
		all = append(all, b.blob())
	}
	slices.SortFunc(all, func(x, y store.BlobID) int { return bytes.Compare(x[:], y[:]) })
	for _, id := range all {
		m := b.message(id, 1)
		b.update(func(tx store.Tx) error { return tx.Bodies().Unref(m) })
	}
	const bad = portion + 1
	for _, id := range all[:bad] {
		b.store.blobs.delete[id] = errDisk
	}
	err := b.Pass(t.Context())
	if !errors.Is(err, errDisk) || !strings.Contains(err.Error(), all[0].String()) || !strings.Contains(err.Error(), fmt.Sprintf("and %d more", bad-10)) {
		t.Fatalf("pass: %v", err)
	}
	for i, id := range all {
		if b.exists(id) != (i < bad) {
			t.Fatalf("blob %d exists: %t", i, b.exists(id))
		}
	}
	if b.released() != bad {
		t.Errorf("%d are listed still, want %d", b.released(), bad)
	}
}

// TestI2LeapOfTheClockMakesNoOrphans: after a leap of the clock every blob looks old, also one whose transaction is on its
// way. No pass is made until the clock has settled.
func TestI2LeapOfTheClockMakesNoOrphans(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
		var unsettled atomic.Bool
		unsettled.Store(true)
		b.Unsettled = unsettled.Load
		coming := b.blob()
		b.now = b.now.Add(1000 * time.Hour)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- b.Run(ctx) }()
		time.Sleep(interval + time.Second)
		synctest.Wait()
		if !b.exists(coming) {
			t.Error("the blob of a message on its way is gone")
		}
		b.message(coming, 1)
		lost := b.blob()
		b.now = b.now.Add(2 * time.Hour)
		unsettled.Store(false)
		time.Sleep(interval)
		synctest.Wait()
		if !b.exists(coming) || b.exists(lost) {
			t.Errorf("after it: needed blob exists %t, orphan %t", b.exists(coming), b.exists(lost))
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
