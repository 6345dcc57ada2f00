package bolt

import (
	"errors"
	"slices"
	"testing"

	"postern/store"
)

// TestListSearchesInPortions: a filter whose parts never meet costs bounded work per page, and still ends.
func TestListSearchesInPortions(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.steps = 10
	var want []store.RcptKey
	update(t, s, func(tx store.Tx) error {
		for n := range 100 {
			m, r := sample(n)
			r.Sender.Local = []string{"alice", "amy"}[n%2]
			r.Address.Local = []string{"bob", "ben"}[n%2]
			if n == 40 {
				r.Address.Local = "ben"
				want = append(want, r.Key)
			}
			if err := tx.Messages().Create(m, []store.Recipient{r}); err != nil {
				return err
			}
		}
		return nil
	})
	var got []store.RcptKey
	pages := 0
	for c := store.Cursor(""); pages == 0 || c != ""; pages++ {
		err := s.View(t.Context(), func(tx store.Tx) error {
			rows, next, err := tx.Messages().List(store.Filter{Sender: "alice@example.org", Rcpt: "ben@example.net"}, c, 50)
			for _, r := range rows {
				got = append(got, r.Key)
			}
			c = next
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(got, want) || pages < 5 {
		t.Errorf("found %v in %d pages, want %v in several", got, pages, want)
	}
}

// FuzzCursor: whatever a client sends as a cursor, a list answers rows of its own or ErrCursor.
func FuzzCursor(f *testing.F) {
	s := open(f)
	mine, other := store.AccountID{1}, store.AccountID{2}
	err := s.Update(f.Context(), func(tx store.Tx) error {
		for n := range 6 {
			m, r := sample(n)
			r.Action, r.Account = store.ActionSeal, []store.AccountID{mine, other}[n%2]
			err := errors.Join(accept(tx, m, r, nil), tx.Audit().Add(store.Event{ID: store.NewEventID(m.At), What: store.EventOpened, Account: r.Account}))
			if err != nil {
				return err
			}
		}
		return tx.Accounts().Create(store.Account{ID: mine, Address: store.Address{Local: "a", Domain: "b.example"}, Status: store.StatusActive})
	})
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{"", "A", "AAAA", "_____________________________________w", "AQAAAAAAAAAAAAAAAAAAAA", "!"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, cursor string) {
		c := store.Cursor(cursor)
		err := s.View(t.Context(), func(tx store.Tx) error {
			inbox, _, err := tx.Messages().Inbox(mine, c, 10)
			for _, r := range inbox {
				if r.Account != mine {
					t.Errorf("row of %s", r.Account)
				}
			}
			events, _, eventErr := tx.Audit().OfAccount(mine, c, 10)
			for _, e := range events {
				if e.Account != mine {
					t.Errorf("event of %s", e.Account)
				}
			}
			_, _, allErr := tx.Messages().List(store.Filter{}, c, 10)
			_, _, stateErr := tx.Messages().List(store.Filter{State: store.StateQueued, Sender: "alice@example.org"}, c, 10)
			_, _, auditErr := tx.Audit().List(store.EventFilter{From: testTime, To: testTime.AddDate(1, 0, 0)}, c, 10)
			_, _, actorErr := tx.Audit().List(store.EventFilter{Actor: "ann@example.org"}, c, 10)
			_, _, searchErr := tx.Accounts().List(store.AccountFilter{Search: "b"}, c, 10)
			_, _, queueErr := tx.Queue().List("", c, 10)
			_, _, peopleErr := tx.Accounts().List(store.AccountFilter{}, c, 10)
			for _, err := range []error{err, eventErr, allErr, stateErr, auditErr, queueErr, peopleErr, actorErr, searchErr} {
				if err != nil && !errors.Is(err, store.ErrCursor) {
					t.Errorf("cursor %q: %v", cursor, err)
				}
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}
