// Package sweep removes what nobody needs any more: released and orphaned blobs, ended sessions, tokens (what they hold
// sealed when they end, their rows later) and memories of threads, and the queue keys of closed hours.
//
// Flow: Run makes a pass at the start and then every ten minutes. A pass has parts that do not depend on each other:
// one that fails does not keep the others from their work. Each part goes in small transactions, so that mail is not
// held up, and in an order that a crash at any point leaves safe: the file goes before the note that lists it, the new
// seal of a queue item is durable before its old key is destroyed. What a cut-off pass leaves, the next one takes.
//
// Duty: nothing that a record names is ever deleted. A blob counts as an orphan only when no record names it and it has
// been in its folder for an hour: the transaction that will name it may still be on its way.
package sweep

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"postern/store"
)

const (
	// interval is the time between two passes (ARCHITECTURE 1.10).
	interval = 10 * time.Minute
	// orphanAge is how old the folder entry of a blob must be before it can be an orphan.
	orphanAge = time.Hour
	// spentFor is how long the row of a spent or ended token stays, to say what became of it (KEYS K2).
	spentFor = 30 * 24 * time.Hour
	// portion bounds a page and a transaction.
	portion = 200
)

// Ring is what sweeping needs of the queue keys (seal.Ring).
type Ring interface {
	Current() store.KeyID
	Reseal(store.QueueItem) (store.QueueItem, error)
	Retire(live []store.KeyID) error
}

// Sweeper has what a pass works on. All fields are needed but Unsettled.
type Sweeper struct {
	Store store.Store
	Ring  Ring
	Now   func() time.Time
	Log   *slog.Logger
	// Unsettled reports that the clock leapt forward lately: the age of a blob says nothing then, and no pass is made.
	Unsettled func() bool
}

// Run makes passes until ctx ends, and then answers nil. Failures are logged; the next pass tries again.
func (s *Sweeper) Run(ctx context.Context) error {
	for {
		if s.Unsettled != nil && s.Unsettled() {
			s.Log.Warn("not swept: the clock went forward lately", "event", "clock")
		} else if err := s.Pass(ctx); err != nil && ctx.Err() == nil {
			s.Log.Error("sweep incomplete", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(interval):
		}
	}
}

// Pass does every part once and joins their errors.
func (s *Sweeper) Pass(ctx context.Context) error {
	var errs []error
	for _, part := range []struct {
		name string
		do   func(context.Context) (int, error)
	}{
		{"released blobs", s.released},
		{"orphan blobs", s.orphans},
		{"sessions", s.sessions},
		{"ended tokens", s.emptied},
		{"tokens", s.tokens},
		{"threads", s.threads},
		{"queue keys", s.queueKeys},
	} {
		n, err := part.do(ctx)
		if err != nil {
			errs = append(errs, fmt.Errorf("sweep %s: %w", part.name, err))
		}
		if n > 0 {
			s.Log.Info("swept", "what", part.name, "count", n)
		}
	}
	return errors.Join(errs...)
}

// trouble is what failed in one part of a pass: the first few in full, the others counted.
type trouble struct {
	errs []error
	more int
}

func (t *trouble) add(err error) {
	const few = 10
	if len(t.errs) == few {
		t.more++
		return
	}
	t.errs = append(t.errs, err)
}

// with joins it all and one last error, which may be nil.
func (t *trouble) with(last error) error {
	if t.more > 0 {
		last = errors.Join(fmt.Errorf("and %d more", t.more), last)
	}
	return errors.Join(append(t.errs, last)...)
}

// sessions deletes those that have ended.
func (s *Sweeper) sessions(ctx context.Context) (int, error) {
	now := s.Now()
	return s.portions(ctx, func(tx store.Tx) (int, error) {
		ids, err := tx.Sessions().Expired(now, portion)
		for _, id := range ids {
			err = errors.Join(err, tx.Sessions().Delete(id))
		}
		return len(ids), err
	})
}

// emptied takes what is sealed out of tokens that ended unused, such as the key of a password that nobody activated. The
// rows stay, to say what became of them.
func (s *Sweeper) emptied(ctx context.Context) (int, error) {
	now := s.Now()
	return s.portions(ctx, func(tx store.Tx) (int, error) { return tx.Tokens().Empty(now, portion) })
}

// tokens deletes those that were used or have ended long ago.
func (s *Sweeper) tokens(ctx context.Context) (int, error) {
	before := s.Now().Add(-spentFor)
	return s.portions(ctx, func(tx store.Tx) (int, error) {
		ids, err := tx.Tokens().Expired(before, portion)
		for _, id := range ids {
			err = errors.Join(err, tx.Tokens().Delete(id))
		}
		return len(ids), err
	})
}

func (s *Sweeper) threads(ctx context.Context) (int, error) {
	now := s.Now()
	return s.portions(ctx, func(tx store.Tx) (int, error) { return tx.Threads().Sweep(now, portion) })
}

// portions repeats a transaction until it finds less than a portion to do, and says how much was done.
func (s *Sweeper) portions(ctx context.Context, f func(tx store.Tx) (int, error)) (total int, err error) {
	for {
		var n int
		err := s.Store.Update(ctx, func(tx store.Tx) (err error) {
			n, err = f(tx)
			return err
		})
		if err != nil {
			return total, err
		}
		if total += n; n < portion {
			return total, nil
		}
	}
}
