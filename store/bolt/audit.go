package bolt

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

	"postern/store"
)

// audit implements store.Audit.
type audit struct{ t *tx }

func (a audit) Add(e store.Event) error {
	if e.ID.IsZero() {
		return errors.New("add event: it has no id")
	}
	if a.t.has(auditB, e.ID[:]) {
		return fmt.Errorf("add event %s: %w", e.ID, store.ErrExists)
	}
	value, err := encode("event", e)
	if err != nil {
		return err
	}
	if err := a.t.move(nil, eventEntries(e)); err != nil {
		return err
	}
	return a.t.put(auditB, e.ID[:], value)
}

// eventEntries are the index entries of an event.
func eventEntries(e store.Event) (out []entry) {
	if !e.Message.IsZero() {
		out = append(out, entry{in: auditMessageB, key: join(e.Message[:], e.ID[:])})
	}
	if !e.Account.IsZero() {
		out = append(out, entry{in: auditAccountB, key: join(e.Account[:], invert(e.ID[:]))})
	}
	return out
}

// read reads the event of a key.
func (a audit) read(key []byte) (e store.Event, err error) {
	id := toID[store.EventID](key)
	if !decode(a.t.get(auditB, key), &e) {
		return store.Event{}, corrupt("event", id)
	}
	e.ID = id
	return e, nil
}

func (a audit) OfMessage(m store.MessageID, c store.Cursor, n int) ([]store.Event, store.Cursor, error) {
	l, err := a.t.from(auditMessageB, m[:], c)
	if err != nil {
		return nil, "", err
	}
	return page(a.t, l, n, func(k, _ []byte) (store.Event, error) { return a.read(k[idLen:]) })
}

func (a audit) OfAccount(acc store.AccountID, c store.Cursor, n int) ([]store.Event, store.Cursor, error) {
	l, err := a.t.from(auditAccountB, acc[:], c)
	if err != nil {
		return nil, "", err
	}
	return page(a.t, l, n, func(k, _ []byte) (store.Event, error) { return a.read(invert(k[idLen:])) })
}

func (a audit) List(from, to time.Time, c store.Cursor, n int) ([]store.Event, store.Cursor, error) {
	before, err := position(c)
	if err != nil {
		return nil, "", err
	}
	if len(before) == 0 && !to.IsZero() {
		before = idFloor(to)
	}
	if len(before) == 0 {
		before = nil
	}
	oldest := make([]byte, idLen)
	if !from.IsZero() {
		oldest = idFloor(from)
	}
	within := func(yield func(k, v []byte) bool) {
		for k, v := range a.t.down(auditB, before) {
			if bytes.Compare(k, oldest) < 0 || !yield(k, v) {
				return
			}
		}
	}
	return page(a.t, list{entries: within}, n, func(k, _ []byte) (store.Event, error) { return a.read(k) })
}

// idFloor is the lowest id of t or later.
func idFloor(t time.Time) []byte {
	ms := be64(uint64(max(0, wholeMs(t))))
	return slices.Concat(ms[2:], make([]byte, idLen-6))
}
