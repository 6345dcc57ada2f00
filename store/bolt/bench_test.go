package bolt

import (
	"context"
	"fmt"
	"testing"
	"time"

	"postern/store"
	"postern/store/blob"
)

// accept writes what a relayed message of one recipient writes when it is accepted.
func accept(tx store.Tx, m store.Message, r store.Recipient, body []byte) error {
	if err := tx.Messages().Create(m, []store.Recipient{r}); err != nil {
		return err
	}
	if err := tx.Bodies().Put(m.ID, body); err != nil {
		return err
	}
	item := store.QueueItem{
		Key: r.Key, Kind: store.KindRelay, Domain: "example.net", From: m.From, To: store.Rcpt{Address: r.Address},
		KeyID: "hour0001", Wrap: make([]byte, 60), Arrived: m.At, Due: m.At, GiveUp: m.At.Add(5 * 24 * time.Hour),
	}
	if err := tx.Queue().Put(item); err != nil {
		return err
	}
	return tx.Audit().Add(store.Event{ID: store.NewEventID(m.At), What: store.EventAccepted, Message: m.ID})
}

func sample(n int) (store.Message, store.Recipient) {
	at := testTime.Add(time.Duration(n) * time.Millisecond)
	from := store.Address{Local: "alice", Domain: "example.org"}
	m := store.Message{ID: store.NewMessageID(at), At: at, From: &from, Refs: 1, Size: 4096, Stored: 4200, Received: "Received: from a by b with ESMTPS id c; date\r\n"}
	r := store.Recipient{
		Key: store.RcptKey{Message: m.ID, N: 1}, Address: store.Address{Local: fmt.Sprintf("bob%d", n%5000), Domain: "example.net"},
		Sender: from, Action: store.ActionRelay, Rule: "built-in", Reason: "nothing asked for sealing", State: store.StateQueued, Since: at,
	}
	return m, r
}

func BenchmarkUpdate(b *testing.B) {
	for _, writers := range []int{1, 20, 60} {
		b.Run(fmt.Sprintf("value4KiB/writers=%d", writers), func(b *testing.B) {
			value := make([]byte, 4096)
			benchUpdate(b, writers, func(n int, tx store.Tx) error {
				return tx.Settings().Set(fmt.Sprintf("row/%d", n), value)
			})
		})
		b.Run(fmt.Sprintf("accept4KiB/writers=%d", writers), func(b *testing.B) {
			body := make([]byte, 4200)
			benchUpdate(b, writers, func(n int, tx store.Tx) error {
				m, r := sample(n)
				return accept(tx, m, r, body)
			})
		})
	}
}

func benchUpdate(b *testing.B, writers int, f func(n int, tx store.Tx) error) {
	s := open(b)
	work := make(chan int)
	done := make(chan error, writers)
	for range writers {
		go func() {
			var err error
			for n := range work {
				if e := s.Update(context.Background(), func(tx store.Tx) error { return f(n, tx) }); e != nil {
					err = e
				}
			}
			done <- err
		}()
	}
	b.ReportAllocs()
	b.ResetTimer()
	for n := range b.N {
		work <- n
	}
	close(work)
	for range writers {
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
}

// stock fills a store with n messages, the first inbox of them sealed for one account.
func stock(b *testing.B, s *Store, n, inbox int) store.AccountID {
	b.Helper()
	account := store.AccountID{1}
	const group = 2000
	for first := 0; first < n; first += group {
		err := s.Update(context.Background(), func(tx store.Tx) error {
			for i := first; i < min(first+group, n); i++ {
				m, r := sample(i)
				if i%(n/inbox) == 0 {
					r.Action, r.Account, r.State, r.Expires = store.ActionSeal, account, store.StateNotified, m.At.Add(720*time.Hour)
				}
				if err := tx.Messages().Create(m, []store.Recipient{r}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	return account
}

func BenchmarkInboxPage(b *testing.B) {
	s := open(b)
	account := stock(b, s, 100_000, 10_000)
	b.ReportAllocs()
	for b.Loop() {
		err := s.View(context.Background(), func(tx store.Tx) error {
			rows, _, err := tx.Messages().Inbox(account, "", 50)
			if err == nil && len(rows) != 50 {
				err = fmt.Errorf("%d rows", len(rows))
			}
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSet is a state change of one recipient of a store with 100,000 messages.
func BenchmarkSet(b *testing.B) {
	s := open(b)
	account := stock(b, s, 100_000, 10_000)
	var key store.RcptKey
	if err := s.View(context.Background(), func(tx store.Tx) error {
		rows, _, err := tx.Messages().Inbox(account, "", 1)
		key = rows[0].Key
		return err
	}); err != nil {
		b.Fatal(err)
	}
	states := []store.State{store.StateOpened, store.StateNotified}
	for n := 0; b.Loop(); n++ {
		err := s.Update(context.Background(), func(tx store.Tx) error {
			r, err := tx.Messages().Recipient(key)
			if err != nil {
				return err
			}
			r.State = states[n%2]
			return tx.Messages().Set(r)
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	s := openIn(b, dir)
	stock(b, s, 100_000, 10_000)
	s.Close()
	for b.Loop() {
		s, err := Open(Config{Dir: dir, Blobs: blob.In(dir + "/blobs")})
		if err != nil {
			b.Fatal(err)
		}
		s.Close()
	}
}
