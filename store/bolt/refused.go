package bolt

import (
	"bytes"
	"errors"

	"postern/store"
)

// refusedCounter counts the recipients of messages that were refused as a whole.
const refusedCounter = "refused"

func (m messages) Refuse(msg store.Message, rcpts []store.Recipient, e store.Event, most int) error {
	if len(rcpts) == 0 || e.What != store.EventRefused || e.Message != msg.ID {
		return errors.New("keep refused message: it has no recipient, or the event is not its own")
	}
	if err := m.Create(msg, rcpts); err != nil {
		return err
	}
	if err := (audit{m.t}).Add(e); err != nil {
		return err
	}
	if err := m.t.add(refusedCounter, int64(len(rcpts))); err != nil {
		return err
	}
	for m.t.count(refusedCounter) > int64(most) {
		if gone, err := m.forgetOldest(e.ID); !gone || err != nil {
			return err
		}
	}
	return nil
}

// forgetOldest drops the refused message whose event is the oldest; false: there is none but the one to keep.
func (m messages) forgetOldest(keep store.EventID) (gone bool, err error) {
	key := m.oldestRefusal()
	id := invert(tail(key, idLen))
	if key == nil || bytes.Equal(id, keep[:]) {
		return false, nil
	}
	e, err := audit{m.t}.read(id)
	if errors.Is(err, store.ErrCorrupt) { // it cannot tell its message any more
		return true, errors.Join(m.t.purge(id, auditMessageB), m.t.del(auditWhatB, key), m.t.del(auditB, id))
	}
	if err != nil {
		return false, err
	}
	return true, errors.Join(m.t.move(eventEntries(e), nil), m.t.del(auditB, id), m.forget(e.Message))
}

// oldestRefusal is the index key of the oldest event of a refusal; nil: there is none.
func (m messages) oldestRefusal() []byte {
	prefix := text(store.EventRefused)
	behind := bytes.Clone(prefix)
	behind[len(behind)-1]++
	for k := range m.t.down(auditWhatB, behind) {
		if bytes.HasPrefix(k, prefix) {
			return bytes.Clone(k)
		}
		break
	}
	return nil
}

// forget deletes a refused message and its recipients. One of which nothing is kept but its event is no error.
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
		return nil
	case errors.Is(err, store.ErrCorrupt):
		err = m.t.purge(invert(id[:]), msgidB)
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
