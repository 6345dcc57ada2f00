package bolt

import (
	"errors"
	"fmt"
	"time"

	"postern/store"
)

// sessions implements store.Sessions.
type sessions struct{ t *tx }

func (s sessions) Put(ses store.Session) error {
	if ses.ID.IsZero() {
		return errors.New("put session: it has no id")
	}
	cut(&ses.Created, &ses.Seen, &ses.Ends)
	ses.Idle = ses.Idle.Truncate(time.Millisecond)
	value, err := encode("session", ses)
	if err != nil {
		return err
	}
	var was []entry
	old, err := s.Get(ses.ID)
	switch {
	case err == nil:
		was = sessionEntries(old)
	case !errors.Is(err, store.ErrNotFound):
		return err
	}
	if err := s.t.move(was, sessionEntries(ses)); err != nil {
		return err
	}
	return s.t.put(sessionsB, ses.ID[:], value)
}

// sessionEntries are the index entries of a session: one without account (KEYS K10) is its address's.
func sessionEntries(s store.Session) []entry {
	out := []entry{{in: sessionEndB, key: join(msKey(s.Until()), s.ID[:])}}
	if !s.Account.IsZero() {
		return append(out, entry{in: sessionOfB, key: join(s.Account[:], s.ID[:])})
	}
	return append(out, entry{in: visitsB, key: join(text(s.Address.Key()), s.ID[:])})
}

func (s sessions) Get(id store.SessionID) (ses store.Session, err error) {
	value := s.t.get(sessionsB, id[:])
	if value == nil {
		return ses, fmt.Errorf("session: %w", store.ErrNotFound)
	}
	if !decode(value, &ses) {
		return store.Session{}, corrupt("session", id)
	}
	ses.ID = id
	return ses, nil
}

// Delete ends a session. One that is not there is no error.
func (s sessions) Delete(id store.SessionID) error {
	old, err := s.Get(id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil
	case errors.Is(err, store.ErrCorrupt):
		err = s.t.purge(id[:], sessionEndB, sessionOfB, visitsB)
	default:
		err = s.t.move(sessionEntries(old), nil)
	}
	if err != nil {
		return err
	}
	return s.t.del(sessionsB, id[:])
}

func (s sessions) DeleteAll(a store.AccountID, except store.SessionID) error {
	for _, id := range s.ids(a) {
		if id == except {
			continue
		}
		if err := s.Delete(id); err != nil {
			return err
		}
	}
	return nil
}

func (s sessions) DeleteAt(k store.AddressKey) error {
	var ids []store.SessionID
	for key := range s.t.up(visitsB, text(k), nil) {
		ids = append(ids, toID[store.SessionID](tail(key, idLen)))
	}
	for _, id := range ids {
		if err := s.Delete(id); err != nil {
			return err
		}
	}
	return nil
}

func (s sessions) Visits(c store.Cursor, n int) ([]store.Session, store.Cursor, error) {
	l, err := s.t.from(visitsB, nil, c)
	if err != nil {
		return nil, "", err
	}
	return page(s.t, l, n, func(key, _ []byte) (store.Session, error) { return s.Get(toID[store.SessionID](tail(key, idLen))) })
}

func (s sessions) ids(a store.AccountID) (ids []store.SessionID) {
	for k := range s.t.up(sessionOfB, a[:], nil) {
		ids = append(ids, toID[store.SessionID](k[idLen:]))
	}
	return ids
}

func (s sessions) Of(a store.AccountID) (all []store.Session, err error) {
	for _, id := range s.ids(a) {
		ses, err := s.Get(id)
		if err != nil {
			s.t.report(err)
			continue
		}
		all = append(all, ses)
	}
	return all, nil
}

func (s sessions) Expired(t time.Time, n int) ([]store.SessionID, error) {
	return upTo[store.SessionID](s.t, sessionEndB, afterMs(t), n), nil
}
