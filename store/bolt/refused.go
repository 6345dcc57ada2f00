package bolt

import (
	"bytes"
	"errors"

	"postern/store"
)

// refusedCounter counts the recipients of messages that were refused as a whole.
const refusedCounter = "refused"

func (m messages) Refuse(msg store.Message, rcpts []store.Recipient, e store.Event, room store.RefusedRoom) error {
	if len(rcpts) == 0 || e.What != store.EventRefused || e.Message != msg.ID {
		return errors.New("keep refused message: it has no recipient, or the event is not its own")
	}
	if n := m.t.tallied(e.At(), e.What); n >= int64(room.Hourly) {
		return m.countRefused(e, n == int64(room.Hourly))
	}
	msg.Refused = true
	if err := m.Create(msg, rcpts); err != nil {
		return err
	}
	if err := errors.Join(audit{m.t}.Add(e), m.t.add(refusedCounter, int64(len(rcpts)))); err != nil {
		return err
	}
	return m.makeRoom(msg.ID, len(rcpts), room.Recipients)
}

// countRefused counts a refusal of which nothing else is kept. The first of an hour is told.
func (m messages) countRefused(e store.Event, first bool) error {
	if err := m.t.tally(e.At(), e.What); err != nil || !first {
		return err
	}
	return audit{m.t}.Add(store.Event{ID: e.ID, What: store.EventRefusedMany, Actor: e.Actor})
}

// makeRoom drops the oldest refused messages until the others have at most that many recipients. It drops at most one
// message more than came recipients: that keeps the number, brings a larger one down, and bounds the transaction.
func (m messages) makeRoom(keep store.MessageID, came, most int) error {
	for range came + 1 {
		oldest := m.oldestRefused()
		if m.t.count(refusedCounter) <= int64(most) || oldest == keep || oldest.IsZero() {
			return nil
		}
		if err := m.forget(oldest); err != nil {
			return err
		}
	}
	return nil
}

func (m messages) oldestRefused() store.MessageID {
	for k := range m.t.up(refusedB, nil, nil) {
		return toID[store.MessageID](k)
	}
	return store.MessageID{}
}

// forget deletes a refused message and its recipients. Its event stays, for as long as the audit log keeps events.
func (m messages) forget(id store.MessageID) error {
	var keys [][]byte
	for k := range m.t.up(recipientsB, id[:], nil) {
		keys = append(keys, bytes.Clone(k))
	}
	for _, k := range keys {
		if err := m.forgetRecipient(k); err != nil {
			return err
		}
	}
	msg, err := m.Get(id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return m.t.del(refusedB, id[:])
	case errors.Is(err, store.ErrCorrupt): // it cannot tell its entries any more
		err = errors.Join(m.t.purge(invert(id[:]), msgidB), m.t.del(refusedB, id[:]))
	case err == nil:
		err = m.t.move(messageEntries(msg), nil)
	}
	return errors.Join(err, m.t.del(messagesB, id[:]))
}

func (m messages) forgetRecipient(key []byte) error {
	r, err := m.row(key)
	if errors.Is(err, store.ErrCorrupt) {
		err = m.t.purge(newestRcpt(toRcpt(key)), rcptB, senderB, stateB, ruleB)
		r.State = store.StateRefused
	} else if err == nil {
		var entries []entry
		if entries, err = rcptEntries(r); err == nil {
			err = m.t.move(entries, nil)
		}
	}
	return errors.Join(err, m.t.shift(stateCounter(r.State), ""), m.t.add(refusedCounter, -1), m.t.del(recipientsB, key))
}
