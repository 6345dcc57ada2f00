package storetest

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"postern/store"
)

func listCases() []testCase {
	return []testCase{
		{"InboxPagesNewestFirst", inboxPages},
		{"InboxHoldsSealedOnesOfTheAccount", inboxMembers},
		{"PagesStayStableWhileMailArrives", pagesStable},
		{"CursorsOfStrangersStayInTheirList", foreignCursors},
		{"SentPagesNewestFirst", sentPages},
		{"RepliesAreThoseToOneShare", replies},
		{"UnclaimedFollowsAccountAndLife", unclaimed},
		{"ExpiredFollowsExpiryAndLife", expired},
		{"CountStateIsExact", countState},
		{"ListFilters", listFilters},
		{"ListPagesWithinAMessage", listWithinMessage},
		{"ListBoundsTime", listBounds},
	}
}

type rcptPage = func(tx store.Tx, c store.Cursor, n int) ([]store.Recipient, store.Cursor, error)

func inbox(a store.AccountID) rcptPage {
	return func(tx store.Tx, c store.Cursor, n int) ([]store.Recipient, store.Cursor, error) {
		return tx.Messages().Inbox(a, c, n)
	}
}

func listed(f store.Filter) rcptPage {
	return func(tx store.Tx, c store.Cursor, n int) ([]store.Recipient, store.Cursor, error) {
		return tx.Messages().List(f, c, n)
	}
}

func keys(rows []store.Recipient) (out []store.RcptKey) {
	for _, r := range rows {
		out = append(out, r.Key)
	}
	return out
}

// fillInbox makes n messages for an account, a minute apart, and answers their keys, newest first.
func (b *bench) fillInbox(a store.AccountID, n int) (newest []store.RcptKey) {
	b.update(func(tx store.Tx) error {
		newest = nil
		for i := range n {
			m := message(i)
			r := sealed(m, 1, "bob@example.net", 1000)
			r.Account = a
			if err := tx.Messages().Create(m, []store.Recipient{r}); err != nil {
				return err
			}
			newest = slices.Insert(newest, 0, r.Key)
		}
		return nil
	})
	return newest
}

func inboxPages(b *bench) {
	a := id[store.AccountID](1)
	want := b.fillInbox(a, 23)
	b.fillInbox(id[store.AccountID](2), 3)
	for _, n := range []int{1, 2, 10, 22, 23, 24, 1000} {
		same(b, fmt.Sprintf("inbox in pages of %d", n), keys(walk(b, n, inbox(a))), want)
	}
	if rows := walk(b, 5, inbox(id[store.AccountID](3))); len(rows) != 0 {
		b.Fatalf("empty inbox has %d rows", len(rows))
	}
}

func inboxMembers(b *bench) {
	a, other := id[store.AccountID](1), id[store.AccountID](2)
	m := message(0)
	mine, pass, nobodys := sealed(m, 1, "bob@example.net", 9), relayed(m, 2, "bob@example.net"), sealed(m, 3, "eve@example.net", 9)
	mine.Account, pass.Account = a, a
	b.create(m, mine, pass, nobodys)
	same(b, "inbox", keys(walk(b, 9, inbox(a))), []store.RcptKey{mine.Key})
	b.change(nobodys.Key, func(r *store.Recipient) { r.Account = other })
	b.change(mine.Key, func(r *store.Recipient) { r.Account = other })
	same(b, "the inbox it left", keys(walk(b, 9, inbox(a))), nil)
	same(b, "the inbox it went to", keys(walk(b, 9, inbox(other))), []store.RcptKey{mine.Key, nobodys.Key})
	b.change(mine.Key, func(r *store.Recipient) { r.State, r.Grants = store.StateExpired, nil })
	same(b, "inbox with an ended one", len(walk(b, 9, inbox(other))), 2)
}

// pagesStable adds newer rows and takes rows away between two pages: nothing is shown twice or left out.
func pagesStable(b *bench) {
	a := id[store.AccountID](1)
	want := b.fillInbox(a, 10)
	var page []store.Recipient
	var c store.Cursor
	b.view(func(tx store.Tx) (err error) {
		page, c, err = tx.Messages().Inbox(a, "", 4)
		return err
	})
	newer := message(100)
	r := sealed(newer, 1, "bob@example.net", 1000)
	r.Account = a
	b.create(newer, r)
	b.change(want[3], func(r *store.Recipient) { r.Account = id[store.AccountID](9) }) // the cursor's own row
	b.change(want[6], func(r *store.Recipient) { r.Account = id[store.AccountID](9) })
	rest := read(b, func(tx store.Tx) ([]store.Recipient, error) {
		rows, _, err := tx.Messages().Inbox(a, c, 100)
		return rows, err
	})
	want = slices.Delete(slices.Clone(want), 6, 7)
	same(b, "both pages", append(keys(page), keys(rest)...), want)
}

func foreignCursors(b *bench) {
	a, other := id[store.AccountID](1), id[store.AccountID](2)
	b.fillInbox(a, 3)
	own := b.fillInbox(other, 3)
	for _, c := range []store.Cursor{"A", "####", "\x00", store.Cursor(make([]byte, 4000)), "ä"} {
		err := b.View(b.ctx(), func(tx store.Tx) error {
			_, _, err := tx.Messages().Inbox(a, c, 10)
			return err
		})
		if !errors.Is(err, store.ErrCursor) {
			b.Errorf("cursor %.20q: %v, want ErrCursor", c, err)
		}
	}
	_, c := pageOf(b, inbox(a), "", 1)
	rows, _ := pageOf(b, inbox(other), c, 100)
	for _, r := range rows {
		if !slices.Contains(own, r.Key) {
			b.Errorf("a cursor of another inbox shows %s", r.Key)
		}
	}
}

func pageOf(b *bench, f rcptPage, c store.Cursor, n int) (rows []store.Recipient, next store.Cursor) {
	b.Helper()
	b.view(func(tx store.Tx) (err error) {
		rows, next, err = f(tx, c, n)
		return err
	})
	return rows, next
}

func sentPages(b *bench) {
	writer := id[store.AccountID](1)
	var want []store.MessageID
	for n := range 7 {
		m := message(n)
		if m.Writer = writer; n == 3 {
			m.Writer = id[store.AccountID](2)
		} else {
			want = slices.Insert(want, 0, m.ID)
		}
		b.create(m)
	}
	rows := walk(b, 2, func(tx store.Tx, c store.Cursor, n int) ([]store.Message, store.Cursor, error) {
		return tx.Messages().Sent(writer, c, n)
	})
	var got []store.MessageID
	for _, m := range rows {
		got = append(got, m.ID)
	}
	same(b, "sent", got, want)
}

func replies(b *bench) {
	parent := store.RcptKey{Message: message(50).ID, N: 2}
	neighbour := store.RcptKey{Message: parent.Message, N: 1}
	var want []store.MessageID
	for n := range 8 {
		m := message(n)
		m.Parent = parent
		switch n {
		case 2:
			m.Parent = neighbour
		case 4:
			m.Parent.Message = message(51).ID
		case 6:
			m.Parent = store.RcptKey{}
		default:
			want = slices.Insert(want, 0, m.ID)
		}
		b.create(m)
	}
	of := func(to store.RcptKey) (got []store.MessageID) {
		for _, m := range walk(b, 2, func(tx store.Tx, c store.Cursor, n int) ([]store.Message, store.Cursor, error) {
			return tx.Messages().Replies(to, c, n)
		}) {
			got = append(got, m.ID)
		}
		return got
	}
	same(b, "replies", of(parent), want)
	same(b, "to the other recipient", len(of(neighbour)), 1)
	same(b, "to nothing", len(of(store.RcptKey{})), 0)
}

func unclaimed(b *bench) {
	m := message(0)
	r1, r2 := sealed(m, 1, "Bob@Example.net", 9), sealed(m, 2, "bob@example.net", 9)
	pass, longer := relayed(m, 3, "bob@example.net"), sealed(m, 4, "bob@example.net.au", 9)
	b.create(m, r1, r2, pass, longer)
	of := func(n int) []store.RcptKey {
		return read(b, func(tx store.Tx) ([]store.RcptKey, error) { return tx.Messages().Unclaimed("bob@example.net", n) })
	}
	same(b, "unclaimed", of(10), []store.RcptKey{r1.Key, r2.Key})
	same(b, "the oldest", of(1), []store.RcptKey{r1.Key})
	b.change(r1.Key, func(r *store.Recipient) { r.Account = id[store.AccountID](1) })
	same(b, "unclaimed, one claimed", of(10), []store.RcptKey{r2.Key})
	b.change(r2.Key, func(r *store.Recipient) { r.State = store.StateRecalled })
	same(b, "unclaimed, one recalled", len(of(10)), 0)
}

func expired(b *bench) {
	m := message(0)
	late, early, never := sealed(m, 1, "a@example.net", 30), sealed(m, 2, "b@example.net", 10), sealed(m, 3, "c@example.net", 0)
	never.Expires = time.Time{}
	opened := sealed(m, 4, "d@example.net", 20)
	b.create(m, late, early, never, opened, relayed(m, 5, "e@example.net"))
	due := func(t time.Time) []store.RcptKey {
		return read(b, func(tx store.Tx) (all []store.RcptKey, err error) {
			all, next, err := tx.Messages().Expired(t, "", 10)
			same(b, "what follows", next, "")
			return all, err
		})
	}
	next := func(tx store.Tx) (time.Time, error) { return tx.Messages().NextExpiry() }
	same(b, "expired just before", len(due(at(10).Add(-time.Millisecond))), 0)
	same(b, "expired at the moment", due(at(10)), []store.RcptKey{early.Key})
	same(b, "expired in the end", due(at(99)), []store.RcptKey{early.Key, opened.Key, late.Key})
	same(b, "next expiry", read(b, next), at(10))
	b.view(func(tx store.Tx) error {
		page, c, err := tx.Messages().Expired(at(25), "", 1)
		same(b, "first page", page, []store.RcptKey{early.Key})
		page, c, moreErr := tx.Messages().Expired(at(25), c, 1)
		same(b, "last page", page, []store.RcptKey{opened.Key})
		same(b, "what follows it", c, "")
		return errors.Join(err, moreErr)
	})
	b.change(early.Key, func(r *store.Recipient) { r.State = store.StateExpired })
	b.change(opened.Key, func(r *store.Recipient) { r.State, r.Opened = store.StateOpened, at(5) })
	b.change(late.Key, func(r *store.Recipient) { r.Expires = at(15) })
	same(b, "expired, one ended, one opened, one moved", due(at(99)), []store.RcptKey{late.Key, opened.Key})
	b.change(opened.Key, func(r *store.Recipient) { r.Ended, r.EndedAt = store.StateExpired, at(20) })
	b.change(late.Key, func(r *store.Recipient) { r.State = store.StateFailed })
	same(b, "expired, all ended", len(due(at(99))), 0)
	missing(b, store.ErrNotFound, next)
}

func countState(b *bench) {
	m := message(0)
	b.create(m, sealed(m, 1, "a@example.net", 9), sealed(m, 2, "b@example.net", 9), relayed(m, 3, "c@example.net"))
	b.change(store.RcptKey{Message: m.ID, N: 1}, func(r *store.Recipient) { r.State = store.StateOpened })
	b.change(store.RcptKey{Message: m.ID, N: 1}, func(r *store.Recipient) { r.Detail = "again" })
	b.fails(nil, func(tx store.Tx) error {
		r, err := tx.Messages().Recipient(store.RcptKey{Message: m.ID, N: 2})
		r.State = store.StateOpened
		return errors.Join(err, tx.Messages().Set(r), errors.New("given up"))
	})
	for state, want := range map[store.State]int64{store.StateQueued: 2, store.StateOpened: 1, store.StateFailed: 0} {
		same(b, string(state), read(b, func(tx store.Tx) (int64, error) { return tx.Messages().CountState(state, false) }), want)
	}
}

// listFilters compares every combination of filters with a search through all rows.
func listFilters(b *bench) {
	senders := []string{"alice@example.org", "amy@example.org"}
	states := []store.State{store.StateQueued, store.StateOpened}
	var all []store.Recipient
	for n := range 40 {
		m := message(n)
		from := address(senders[n%2])
		m.From = &from
		var rcpts []store.Recipient
		for i := range uint32(n%3 + 1) {
			r := sealed(m, i+1, fmt.Sprintf("bob%d@example.net", (n/2+int(i))%3), 9)
			r.State = states[(n/5+int(i))%2]
			rcpts = append(rcpts, r)
		}
		b.create(m, rcpts...)
		all = slices.Insert(all, 0, rcpts...)
	}
	for _, f := range combinations() {
		var want []store.RcptKey
		for _, r := range all {
			if matches(f, r) {
				want = append(want, r.Key)
			}
		}
		for _, n := range []int{1, 7, 1000} {
			same(b, fmt.Sprintf("%+v in pages of %d", f, n), keys(walk(b, n, listed(f))), want)
		}
	}
}

func combinations() (out []store.Filter) {
	for _, sender := range []store.AddressKey{"", "alice@example.org", "nobody@example.org"} {
		for _, rcpt := range []store.AddressKey{"", "bob1@example.net"} {
			for _, state := range []store.State{"", store.StateOpened, store.StateFailed} {
				for _, bounds := range [][2]time.Time{{}, {at(5), at(31)}, {at(20), {}}} {
					out = append(out, store.Filter{Sender: sender, Rcpt: rcpt, State: state, From: bounds[0], To: bounds[1]})
				}
			}
		}
	}
	return out
}

func matches(f store.Filter, r store.Recipient) bool {
	t := r.Key.Message.Time()
	return (f.Sender == "" || f.Sender == r.Sender.Key()) && (f.Rcpt == "" || f.Rcpt == r.Address.Key()) &&
		(f.State == "" || f.State == r.State) && (f.From.IsZero() || !t.Before(f.From)) && (f.To.IsZero() || t.Before(f.To))
}

func listWithinMessage(b *bench) {
	m := message(0)
	var rcpts []store.Recipient
	for i := range uint32(300) {
		rcpts = append(rcpts, relayed(m, i+1, "bob@example.net"))
	}
	b.create(message(-1))
	b.create(m, rcpts...)
	b.create(message(1))
	for _, f := range []store.Filter{{}, {Rcpt: "bob@example.net"}, {Sender: "alice@example.org", State: store.StateQueued}} {
		same(b, fmt.Sprintf("%+v", f), keys(walk(b, 7, listed(f))), keys(rcpts))
	}
}

func listBounds(b *bench) {
	m := message(0)
	b.create(m, relayed(m, 1, "bob@example.net"))
	ms := time.Millisecond
	for name, c := range map[string]struct {
		from, to time.Time
		want     int
	}{
		"from its moment":             {at(0), time.Time{}, 1},
		"from a microsecond later":    {at(0).Add(time.Microsecond), time.Time{}, 0},
		"from a microsecond before":   {at(0).Add(-time.Microsecond), time.Time{}, 1},
		"before its moment":           {time.Time{}, at(0), 0},
		"before a microsecond later":  {time.Time{}, at(0).Add(time.Microsecond), 1},
		"its millisecond":             {at(0), at(0).Add(ms), 1},
		"an empty span":               {at(0), at(0), 0},
		"a span that ends before it":  {at(5), at(0), 0},
		"before the beginning of all": {time.Time{}, time.Unix(0, 0), 0},
	} {
		if got := len(walk(b, 5, listed(store.Filter{From: c.from, To: c.to}))); got != c.want {
			b.Errorf("%s: %d rows, want %d", name, got, c.want)
		}
	}
}
