package storetest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"postern/store"
)

func commitCases() []testCase {
	return []testCase{
		{"AnErrorLeavesNothing", errorLeavesNothing},
		{"ViewDoesNotWrite", viewReadsOnly},
		{"ViewIsASnapshot", viewSnapshot},
		{"UpdateSeesItsOwnWrites", ownWrites},
		{"CancelledContextIsRefused", cancelled},
		{"ClosedStoreAnswersErrClosed", closedStore},
		{"WritersDoNotLoseEachOthersWork", manyWriters},
		{"FailuresStayWithTheirOwner", failuresStay},
		{"PanicsStayWithTheirOwner", panicsStay},
		{"ConflictsAreRepeatedByRetry", conflicts},
		{"CheckOfAGoodStore", checkGood},
	}
}

var errGivenUp = errors.New("given up")

func setting(name string) func(tx store.Tx) ([]byte, error) {
	return func(tx store.Tx) ([]byte, error) { return tx.Settings().Get(name) }
}

func errorLeavesNothing(b *bench) {
	m := message(0)
	b.fails(errGivenUp, func(tx store.Tx) error {
		if err := tx.Messages().Create(m, []store.Recipient{relayed(m, 1, "bob@example.net")}); err != nil {
			return err
		}
		if err := tx.Queue().Put(item("a.example", 0)); err != nil {
			return err
		}
		return errGivenUp
	})
	missing(b, store.ErrNotFound, func(tx store.Tx) (store.Message, error) { return tx.Messages().Get(m.ID) })
	same(b, "queue", read(b, func(tx store.Tx) (int64, error) { return tx.Queue().Count() }), 0)
	same(b, "list", len(walk(b, 5, listed(store.Filter{}))), 0)
}

func viewReadsOnly(b *bench) {
	err := b.View(b.ctx(), func(tx store.Tx) error { return tx.Settings().Set("name", []byte("x")) })
	if err == nil {
		b.Error("a View took a write")
	}
	missing(b, store.ErrNotFound, setting("name"))
	if err := b.View(b.ctx(), func(store.Tx) error { return errGivenUp }); !errors.Is(err, errGivenUp) {
		b.Errorf("View answered %v, not the error of its function", err)
	}
}

func viewSnapshot(b *bench) {
	inside, written := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(written)
		<-inside
		err := b.Update(b.ctx(), func(tx store.Tx) error { return tx.Settings().Set("name", []byte("x")) })
		if err != nil {
			b.Errorf("update beside a View: %v", err)
		}
	}()
	b.view(func(tx store.Tx) error {
		_, before := tx.Settings().Get("name")
		close(inside)
		<-written
		_, after := tx.Settings().Get("name")
		if !errors.Is(before, store.ErrNotFound) || !errors.Is(after, store.ErrNotFound) {
			b.Errorf("a View saw a later commit: %v, then %v", before, after)
		}
		return nil
	})
	read(b, setting("name"))
}

func ownWrites(b *bench) {
	m := message(0)
	r := sealed(m, 1, "bob@example.net", 9)
	r.Account = id[store.AccountID](1)
	b.update(func(tx store.Tx) error {
		if err := tx.Messages().Create(m, []store.Recipient{r}); err != nil {
			return err
		}
		rows, _, err := tx.Messages().Inbox(r.Account, "", 9)
		if err != nil || len(rows) != 1 {
			return fmt.Errorf("%d rows, %w", len(rows), err)
		}
		rows[0].Account = store.AccountID{}
		if err := tx.Messages().Set(rows[0]); err != nil {
			return err
		}
		if rows, _, err = tx.Messages().Inbox(r.Account, "", 9); err == nil && len(rows) != 0 {
			err = errors.New("the inbox still has it")
		}
		return err
	})
}

func cancelled(b *bench) {
	ctx, cancel := context.WithCancel(b.ctx())
	cancel()
	ran := false
	f := func(store.Tx) error { ran = true; return nil }
	if err := b.Update(ctx, f); !errors.Is(err, context.Canceled) || ran {
		b.Errorf("Update with a cancelled context: %v, ran %t", err, ran)
	}
	if err := b.View(ctx, f); !errors.Is(err, context.Canceled) || ran {
		b.Errorf("View with a cancelled context: %v, ran %t", err, ran)
	}
	ctx, cancel = context.WithCancel(b.ctx())
	err := b.Update(ctx, func(tx store.Tx) error { // too late: it is durable all the same
		cancel()
		return tx.Settings().Set("name", []byte("x"))
	})
	if err != nil {
		b.Errorf("Update cancelled inside: %v", err)
	}
	read(b, setting("name"))
}

func closedStore(b *bench) {
	if err := b.Close(); err != nil {
		b.Fatalf("close: %v", err)
	}
	nothing := func(store.Tx) error { return nil }
	for name, err := range map[string]error{
		"Update": b.Update(b.ctx(), nothing), "View": b.View(b.ctx(), nothing), "Check": b.Check(b.ctx()),
	} {
		if !errors.Is(err, store.ErrClosed) {
			b.Errorf("%s of a closed store: %v", name, err)
		}
	}
}

// manyWriters counts up one row from many goroutines, each of which also writes rows of its own.
func manyWriters(b *bench) {
	const writers, rounds = 16, 25
	m := message(0)
	r := relayed(m, 1, "bob@example.net")
	b.create(m, r)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range rounds {
				err := b.Update(b.ctx(), func(tx store.Tx) error {
					got, err := tx.Messages().Recipient(r.Key)
					if err != nil {
						return err
					}
					got.Fetched.N++
					own := fmt.Sprintf("writer/%d/%d", w, i)
					return errors.Join(tx.Messages().Set(got), tx.Settings().Set(own, []byte("x")))
				})
				if err != nil {
					b.Errorf("writer %d, round %d: %v", w, i, err)
				}
			}
		})
	}
	wg.Wait()
	got := b.recipient(r.Key)
	if got.Fetched.N != writers*rounds || got.Version != 1+writers*rounds {
		b.Fatalf("counted to %d, version %d, want %d", got.Fetched.N, got.Version, writers*rounds)
	}
	names := read(b, func(tx store.Tx) ([]string, error) { return tx.Settings().Names("writer/") })
	same(b, "rows of the writers", len(names), writers*rounds)
}

// failuresStay mixes functions that fail before and after their first write with ones that do not.
func failuresStay(b *bench) {
	var wg sync.WaitGroup
	for n := range 120 {
		wg.Go(func() {
			name := fmt.Sprintf("row/%d", n)
			runs := 0
			err := b.Update(b.ctx(), func(tx store.Tx) error {
				runs++
				if n%4 == 1 {
					return errGivenUp
				}
				if err := tx.Settings().Set(name, []byte("x")); err != nil {
					return err
				}
				if n%4 == 2 {
					return errGivenUp
				}
				return nil
			})
			if want := n%4 == 1 || n%4 == 2; errors.Is(err, errGivenUp) != want || runs == 0 {
				b.Errorf("function %d, run %d times, answered %v", n, runs, err)
			}
		})
	}
	wg.Wait()
	for n := range 120 {
		err := b.View(b.ctx(), func(tx store.Tx) error {
			_, err := tx.Settings().Get(fmt.Sprintf("row/%d", n))
			return err
		})
		if failed := n%4 == 1 || n%4 == 2; errors.Is(err, store.ErrNotFound) != failed {
			b.Errorf("row %d after its function: %v", n, err)
		}
	}
}

// panicsStay lets some functions panic and some end their goroutine, as a failing test does.
func panicsStay(b *bench) {
	var wg sync.WaitGroup
	var panics, ends atomic.Int32
	for n := range 60 {
		wg.Go(func() {
			defer func() {
				if p := recover(); p == "at the disco" {
					panics.Add(1)
				}
			}()
			finished := false
			defer func() {
				if !finished && n%6 == 2 {
					ends.Add(1)
				}
			}()
			err := b.Update(b.ctx(), func(tx store.Tx) error {
				if err := tx.Settings().Set(fmt.Sprintf("row/%d", n), []byte("x")); err != nil {
					return err
				}
				switch n % 6 {
				case 1:
					panic("at the disco")
				case 2:
					runtime.Goexit()
				}
				return nil
			})
			finished = true
			if err != nil {
				b.Errorf("function %d: %v", n, err)
			}
		})
	}
	wg.Wait()
	names := read(b, func(tx store.Tx) ([]string, error) { return tx.Settings().Names("row/") })
	same(b, "panics, ended goroutines, rows", []int{int(panics.Load()), int(ends.Load()), len(names)}, []int{10, 10, 40})
}

// conflicts computes from a View and writes in an Update, as callers must when the work is slow.
func conflicts(b *bench) {
	m := message(0)
	r := relayed(m, 1, "bob@example.net")
	b.create(m, r)
	var wg sync.WaitGroup
	var done atomic.Int64
	for range 8 {
		wg.Go(func() {
			err := store.Retry(b.ctx(), func() error {
				var seen store.Recipient
				if err := b.View(b.ctx(), func(tx store.Tx) (err error) {
					seen, err = tx.Messages().Recipient(r.Key)
					return err
				}); err != nil {
					return err
				}
				seen.Fetched.N++
				return b.Update(b.ctx(), func(tx store.Tx) error { return tx.Messages().Set(seen) })
			})
			switch {
			case err == nil:
				done.Add(1)
			case !errors.Is(err, store.ErrConflict):
				b.Errorf("retry: %v", err)
			}
		})
	}
	wg.Wait()
	same(b, "counted", b.recipient(r.Key).Fetched.N, done.Load())
	if done.Load() == 0 {
		b.Error("nobody got through")
	}
}

func checkGood(b *bench) {
	if err := b.Check(b.ctx()); err != nil {
		b.Errorf("Check: %v", err)
	}
}
