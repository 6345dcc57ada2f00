package storetest

import (
	"time"

	"postern/store"
)

func sessionCases() []testCase {
	return []testCase{
		{"EveryFieldOfASessionSurvives", everyFieldOfSession},
		{"SessionsOfAnAccountEndTogether", sessionsEnd},
		{"SessionsOfAnAddressEndTogether", visitsEnd},
		{"ExpiredSessionsFollowIdleAndEnd", sessionsExpire},
	}
}

func session(n byte, account byte, ends int) store.Session {
	return store.Session{
		ID: id[store.SessionID](n), Account: id[store.AccountID](account), Kind: store.SessionFull, Created: at(0),
		Seen: at(0), Idle: 30 * time.Minute, Ends: at(ends), Sealed: []byte("sealed"),
	}
}

func (b *bench) putSessions(all ...store.Session) {
	b.Helper()
	b.update(func(tx store.Tx) error {
		for _, s := range all {
			if err := tx.Sessions().Put(s); err != nil {
				return err
			}
		}
		return nil
	})
}

func everyFieldOfSession(b *bench) {
	s := filled[store.Session]()
	b.putSessions(s)
	get := func(tx store.Tx) (store.Session, error) { return tx.Sessions().Get(s.ID) }
	same(b, "session", read(b, get), cutTimes(s))
	s.Seen = s.Seen.Add(time.Hour)
	b.putSessions(s)
	same(b, "session put again", read(b, get), cutTimes(s))
	same(b, "sessions of the account", sessionsOf(b, s.Account), []store.SessionID{s.ID})
	b.update(func(tx store.Tx) error { return tx.Sessions().Delete(s.ID) })
	missing(b, store.ErrNotFound, get)
	same(b, "sessions of the account", len(sessionsOf(b, s.Account)), 0)
	b.update(func(tx store.Tx) error { return tx.Sessions().Delete(s.ID) })
}

func sessionsOf(b *bench, a store.AccountID) (ids []store.SessionID) {
	for _, s := range read(b, func(tx store.Tx) ([]store.Session, error) { return tx.Sessions().Of(a) }) {
		ids = append(ids, s.ID)
	}
	return ids
}

func sessionsEnd(b *bench) {
	code := session(5, 0, 60)
	b.putSessions(session(1, 1, 60), session(2, 1, 60), session(3, 1, 60), session(4, 2, 60), code)
	one, two := id[store.AccountID](1), id[store.AccountID](2)
	b.update(func(tx store.Tx) error { return tx.Sessions().DeleteAll(one, id[store.SessionID](2)) })
	same(b, "left of the account", sessionsOf(b, one), []store.SessionID{id[store.SessionID](2)})
	same(b, "of another account", sessionsOf(b, two), []store.SessionID{id[store.SessionID](4)})
	b.update(func(tx store.Tx) error { return tx.Sessions().DeleteAll(one, store.SessionID{}) })
	same(b, "left of the account", len(sessionsOf(b, one)), 0)
	same(b, "sessions of no account", len(sessionsOf(b, store.AccountID{})), 0)
	b.update(func(tx store.Tx) error { return tx.Sessions().DeleteAll(store.AccountID{}, store.SessionID{}) })
	same(b, "session without account", read(b, func(tx store.Tx) (store.Session, error) {
		return tx.Sessions().Get(code.ID)
	}).ID, code.ID)
}

// visitsEnd: sessions without account are those of an address, found by it and listed apart from all others.
func visitsEnd(b *bench) {
	bob, bobby := store.Address{Local: "Bob", Domain: "a.example"}, store.Address{Local: "bob", Domain: "a.example.org"}
	visit := func(n byte, of store.Address) store.Session {
		s := session(n, 0, 60)
		s.Kind, s.Address = store.SessionCode, of
		return s
	}
	b.putSessions(visit(1, bob), visit(2, bobby), visit(3, bob), session(4, 1, 60))
	all := func() (ids []store.SessionID) {
		for c := store.Cursor(""); ; {
			var page []store.Session
			b.view(func(tx store.Tx) (err error) {
				page, c, err = tx.Sessions().Visits(c, 1)
				return err
			})
			for _, s := range page {
				ids = append(ids, s.ID)
			}
			if c == "" {
				return ids
			}
		}
	}
	sid := id[store.SessionID]
	same(b, "sessions without account", all(), []store.SessionID{sid(1), sid(3), sid(2)})
	b.update(func(tx store.Tx) error { return tx.Sessions().DeleteAt(bob.Key()) })
	same(b, "left of the addresses", all(), []store.SessionID{sid(2)})
	missing(b, store.ErrNotFound, func(tx store.Tx) (store.Session, error) { return tx.Sessions().Get(sid(1)) })
	same(b, "session of an account", read(b, func(tx store.Tx) (store.Session, error) { return tx.Sessions().Get(sid(4)) }).ID, sid(4))
	b.update(func(tx store.Tx) error { return tx.Sessions().Delete(sid(2)) })
	same(b, "left of the addresses", len(all()), 0)
}

func sessionsExpire(b *bench) {
	idle, ends := session(1, 1, 600), session(2, 1, 10)
	b.putSessions(idle, ends, session(3, 1, 20))
	gone := func(t time.Time, n int) []store.SessionID {
		return read(b, func(tx store.Tx) ([]store.SessionID, error) { return tx.Sessions().Expired(t, n) })
	}
	same(b, "before any end", len(gone(at(10).Add(-time.Millisecond), 9)), 0)
	same(b, "at the first end", gone(at(10), 9), []store.SessionID{ends.ID})
	same(b, "when all are idle", gone(at(30), 9), []store.SessionID{ends.ID, id[store.SessionID](3), idle.ID})
	same(b, "one of them", len(gone(at(30), 1)), 1)
	idle.Seen = at(100)
	b.putSessions(idle)
	same(b, "after it was seen", gone(at(100), 9), []store.SessionID{ends.ID, id[store.SessionID](3)})
}
