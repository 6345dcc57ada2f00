package message_test

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"postern/pickup/message"
	"postern/store"
)

// countingStore counts commits, and can refuse them.
type countingStore struct {
	store.Store
	updates atomic.Int64
	full    atomic.Bool
}

func (s *countingStore) Update(ctx context.Context, f func(store.Tx) error) error {
	s.updates.Add(1)
	if s.full.Load() {
		return store.ErrFull
	}
	return s.Store.Update(ctx, f)
}

func TestRecorderWritesOnceASecondAndNeverBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		st := &countingStore{Store: e.bed.Store}
		rec := message.NewRecorder(st, slog.New(slog.DiscardHandler), time.Now)
		s := e.deliver(letter{to: []store.Address{bob}})[0]
		for range 10_000 { // nobody takes them yet
			rec.Fetched(s.secret.LinkID())
		}
		lost := rec.Dropped()
		if lost == 0 || lost >= 10_000 {
			t.Fatalf("%d of 10,000 dropped", lost)
		}
		stop := run(t, rec.Run)
		time.Sleep(3500 * time.Millisecond)
		if n := st.updates.Load(); n != 1 {
			t.Errorf("%d commits for one second's notes", n)
		}
		if r := e.bed.Rcpt(s.key); r.Fetched.N != 10_000-lost {
			t.Errorf("%d fetches counted, %d dropped of 10,000", r.Fetched.N, lost)
		}
		st.full.Store(true)
		rec.Fetched(s.secret.LinkID())
		time.Sleep(2 * time.Second)
		if rec.Dropped() != lost+1 {
			t.Errorf("%d dropped on a full disk, want one more", rec.Dropped()-lost)
		}
		st.full.Store(false)
		ses := store.Session{ID: store.SessionID{7}, Account: store.AccountID{1}, Kind: store.SessionFull, Created: time.Now(), Seen: time.Now(),
			Idle: time.Hour, Ends: time.Now().Add(12 * time.Hour)}
		e.bed.Update(func(tx store.Tx) error { return tx.Sessions().Put(ses) })
		seen := time.Now().Add(5 * time.Minute)
		rec.LastSeen(ses.ID, seen)
		rec.LastSeen(store.SessionID{8}, seen) // ended meanwhile
		rec.Record(store.Event{ID: store.NewEventID(time.Now()), What: store.EventDownloaded, Message: s.key.Message, N: 1})
		stop() // writes what is left
		e.bed.View(func(tx store.Tx) error {
			got, err := tx.Sessions().Get(ses.ID)
			if !got.Seen.Equal(seen) {
				t.Errorf("last use %v, want %v", got.Seen, seen)
			}
			if _, err := tx.Sessions().Get(store.SessionID{8}); err == nil {
				t.Error("an ended session is back")
			}
			return err
		})
		if got := e.bed.Events(s.key.Message); len(got) != 1 || got[0] != "downloaded.1" {
			t.Errorf("events %v", got)
		}
	})
}

// A download repeated within a second is one line of the history, so that nobody who is signed in fills the disk.
func TestRecorderMergesDownloads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		s := e.deliver(letter{to: []store.Address{bob}})[0]
		who := e.person(bob, store.Confirmed)
		stop := run(t, e.rec.Run)
		for range 500 {
			e.Downloaded(who, s.key, "1.2")
			e.Downloaded(who, s.key, "eml")
		}
		time.Sleep(1500 * time.Millisecond)
		e.Downloaded(who, s.key, "eml")
		stop()
		if got := e.bed.Events(s.key.Message); len(got) != 3 {
			t.Errorf("%d events for two files in one second and one in the next", len(got))
		}
	})
}

// Fetching a link over and over leaves room for what else is to be recorded: nobody hides his guesses in a flood.
func TestRecorderKeepsRoomBesideFetches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		s := e.deliver(letter{to: []store.Address{bob}})[0]
		for range 10_000 {
			e.rec.Fetched(s.secret.LinkID())
		}
		e.rec.Record(store.Event{ID: store.NewEventID(time.Now()), What: store.EventSignInFail, Message: s.key.Message, N: 1})
		run(t, e.rec.Run)()
		if got := e.bed.Events(s.key.Message); len(got) != 1 {
			t.Errorf("events %v, want the failed sign-in", got)
		}
	})
}
