package storetest

import (
	"fmt"
	"slices"
	"time"

	"postern/store"
)

func recordCases() []testCase {
	return []testCase{
		{"EveryFieldOfAnEventSurvives", everyFieldOfEvent},
		{"EventsPageInOrder", eventPages},
		{"EventsOfASpan", eventSpan},
		{"ThreadsAreRememberedUntilSwept", threadsSwept},
		{"SettingsKeepOctets", settingsKeep},
	}
}

func event(n int, m store.MessageID, a store.AccountID) store.Event {
	return store.Event{ID: store.NewEventID(at(n)), What: store.EventOpened, Message: m, Account: a}
}

func (b *bench) add(events ...store.Event) {
	b.Helper()
	b.update(func(tx store.Tx) error {
		for _, e := range events {
			if err := tx.Audit().Add(e); err != nil {
				return err
			}
		}
		return nil
	})
}

func everyFieldOfEvent(b *bench) {
	e := filled[store.Event]()
	b.add(e)
	b.fails(store.ErrExists, func(tx store.Tx) error { return tx.Audit().Add(e) })
	of := func(tx store.Tx, c store.Cursor, n int) ([]store.Event, store.Cursor, error) {
		return tx.Audit().OfMessage(e.Message, c, n)
	}
	same(b, "event", walk(b, 5, of), []store.Event{e})
}

func eventPages(b *bench) {
	m, a := message(0).ID, id[store.AccountID](1)
	var all []store.Event
	for n := range 9 {
		e := event(n, m, a)
		b.add(e, event(n, message(0).ID, id[store.AccountID](2)))
		all = append(all, e)
	}
	newest := slices.Clone(all)
	slices.Reverse(newest)
	for _, n := range []int{1, 4, 100} {
		same(b, fmt.Sprintf("of a message in pages of %d", n), walk(b, n, func(tx store.Tx, c store.Cursor, n int) ([]store.Event, store.Cursor, error) {
			return tx.Audit().OfMessage(m, c, n)
		}), all)
		same(b, fmt.Sprintf("of an account in pages of %d", n), walk(b, n, func(tx store.Tx, c store.Cursor, n int) ([]store.Event, store.Cursor, error) {
			return tx.Audit().OfAccount(a, c, n)
		}), newest)
	}
	same(b, "without message or account", len(walk(b, 5, func(tx store.Tx, c store.Cursor, n int) ([]store.Event, store.Cursor, error) {
		return tx.Audit().OfAccount(store.AccountID{}, c, n)
	})), 0)
}

func eventSpan(b *bench) {
	var all []store.Event
	for n := range 9 {
		all = slices.Insert(all, 0, event(n, store.MessageID{}, store.AccountID{}))
	}
	b.add(all...)
	for name, c := range map[string]struct {
		from, to time.Time
		want     []store.Event
	}{
		"all":      {time.Time{}, time.Time{}, all},
		"from":     {at(3), time.Time{}, all[:6]},
		"to":       {time.Time{}, at(3), all[6:]},
		"both":     {at(2), at(5), all[4:7]},
		"nothing":  {at(20), time.Time{}, nil},
		"too old":  {time.Time{}, time.Unix(0, 0), nil},
		"in order": {at(3).Add(time.Microsecond), at(5).Add(time.Microsecond), all[3:5]},
	} {
		for _, n := range []int{1, 2, 100} {
			got := walk(b, n, func(tx store.Tx, cursor store.Cursor, n int) ([]store.Event, store.Cursor, error) {
				return tx.Audit().List(store.EventFilter{From: c.from, To: c.to}, cursor, n)
			})
			if len(got)+len(c.want) > 0 {
				same(b, fmt.Sprintf("%s in pages of %d", name, n), got, c.want)
			}
		}
	}
}

func threadsSwept(b *bench) {
	put := func(n byte, ends int) {
		b.update(func(tx store.Tx) error { return tx.Threads().Put(store.ThreadID{n}, message(0).ID, at(ends)) })
	}
	known := func(ids ...byte) bool {
		return read(b, func(tx store.Tx) (bool, error) {
			var all []store.ThreadID
			for _, n := range ids {
				all = append(all, store.ThreadID{n})
			}
			return tx.Threads().Sealed(all)
		})
	}
	sweep := func(t time.Time, n int) (swept int) {
		b.update(func(tx store.Tx) (err error) {
			swept, err = tx.Threads().Sweep(t, n)
			return err
		})
		return swept
	}
	put(1, 10)
	put(2, 20)
	put(2, 5) // the later end stays
	put(3, 5)
	put(3, 30) // and replaces an earlier one
	same(b, "known", []bool{known(), known(9), known(1), known(9, 3)}, []bool{false, false, true, true})
	same(b, "swept before the end", sweep(at(10).Add(-time.Millisecond), 9), 0)
	same(b, "swept at the end", sweep(at(10), 9), 1)
	same(b, "known", []bool{known(1), known(2), known(3)}, []bool{false, true, true})
	same(b, "swept in portions", sweep(at(99), 1), 1)
	same(b, "known", []bool{known(2), known(3)}, []bool{false, true})
	same(b, "swept in portions", sweep(at(99), 9), 1)
	same(b, "nothing left", sweep(at(99), 9), 0)
}

func settingsKeep(b *bench) {
	get := func(name string) func(tx store.Tx) ([]byte, error) {
		return func(tx store.Tx) ([]byte, error) { return tx.Settings().Get(name) }
	}
	set := func(name string, value []byte) {
		b.update(func(tx store.Tx) error { return tx.Settings().Set(name, value) })
	}
	value := []byte{0, 0xff, '"'}
	set("key/one", value)
	set("key/two", nil)
	set("other", []byte("x"))
	set("other", []byte("y"))
	same(b, "octets", read(b, get("key/one")), value)
	same(b, "empty value", len(read(b, get("key/two"))), 0)
	same(b, "second value", string(read(b, get("other"))), "y")
	missing(b, store.ErrNotFound, get("key"))
	names := func(prefix string) []string {
		return read(b, func(tx store.Tx) ([]string, error) { return tx.Settings().Names(prefix) })
	}
	same(b, "names", names("key/"), []string{"key/one", "key/two"})
	for range 2 { // the second finds nothing, which is no error
		b.update(func(tx store.Tx) error { return tx.Settings().Delete("key/one") })
	}
	same(b, "names", names(""), []string{"key/two", "other"})
	b.fails(nil, func(tx store.Tx) error { return tx.Settings().Set("", value) })
}
