package bolt

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
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
	if err := errors.Join(checkFilters(e), a.t.move(nil, eventEntries(e)), a.t.tally(e.At(), e.What)); err != nil {
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
	out = append(out, entry{in: auditWhatB, key: join(text(e.What), invert(e.ID[:]))})
	if isPerson(e.Actor) {
		out = append(out, entry{in: auditActorB, key: join(text(e.Actor), invert(e.ID[:]))})
	}
	return out
}

// checkFilters refuses an event that could not be found by its own words.
func checkFilters(e store.Event) error {
	if e.Actor == "" {
		return checkText("what", e.What)
	}
	return errors.Join(checkText("what", e.What), checkText("actor", e.Actor))
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

func (a audit) List(f store.EventFilter, c store.Cursor, n int) ([]store.Event, store.Cursor, error) {
	before, err := position(c)
	if err != nil {
		return nil, "", err
	}
	if len(before) == 0 && !f.To.IsZero() {
		before = idFloor(f.To)
	}
	oldest := make([]byte, idLen)
	if !f.From.IsZero() {
		oldest = idFloor(f.From)
	}
	var rows []store.Event
	var last []byte
	steps := 0
	for id := range a.newest(f, before) {
		if bytes.Compare(id, oldest) < 0 {
			break
		}
		if steps++; len(rows) >= n || steps > a.t.store.steps/auditSteps {
			return rows, cursorAt(last), nil
		}
		last = bytes.Clone(id)
		e, err := a.read(id)
		switch {
		case errors.Is(err, store.ErrCorrupt):
			a.t.report(err)
		case err != nil:
			return nil, "", err
		case f.Matches(e):
			rows = append(rows, e)
		}
	}
	return rows, "", nil
}

// auditSteps is how many steps of a search through keys a step costs that reads an event.
const auditSteps = 5

// newest yields the ids of events before one, newest first, from the index that selects best.
func (a audit) newest(f store.EventFilter, before []byte) iter.Seq[[]byte] {
	in, prefix := auditB, []byte(nil)
	switch {
	case isPerson(f.Actor):
		in, prefix = auditActorB, text(f.Actor)
	case !f.Account.IsZero():
		in, prefix = auditAccountB, f.Account[:]
	case f.What != "" && !strings.HasSuffix(string(f.What), "."):
		in, prefix = auditWhatB, text(f.What)
	}
	return func(yield func([]byte) bool) {
		if in == auditB {
			for k := range a.t.down(auditB, emptyNil(before)) {
				if !yield(k) {
					return
				}
			}
			return
		}
		var from []byte
		if len(before) > 0 {
			from = append(invert(before), 0) // behind before
		}
		for k := range a.t.up(in, prefix, from) {
			if !yield(invert(tail(k, idLen))) {
				return
			}
		}
	}
}

func emptyNil(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b
}

// isPerson reports whether an actor is somebody in particular, whose deeds have an index.
func isPerson(actor string) bool {
	switch actor {
	case "", "system", "recipient", "sender":
		return false
	}
	return true
}

// tally counts something within its hour.
func (t *tx) tally(at time.Time, what store.What) error {
	return t.put(tallyB, tallyKey(at, what), be64(uint64(t.tallied(at, what)+1)))
}

// tallied is how often something was counted within the hour of a moment.
func (t *tx) tallied(at time.Time, what store.What) int64 {
	return int64(number(t.get(tallyB, tallyKey(at, what))))
}

func tallyKey(at time.Time, what store.What) []byte {
	return append(msKey(at.Truncate(time.Hour)), what...)
}

func (a audit) Tally(from, to time.Time) (all []store.Tally, err error) {
	for k, v := range a.t.up(tallyB, nil, msKey(from.Truncate(time.Hour))) {
		hour := msTime(k)
		if !hour.Before(to) {
			break
		}
		all = append(all, store.Tally{Hour: hour, What: store.What(k[msLen:]), N: int64(number(v))})
	}
	return all, nil
}

// idFloor is the lowest id of t or later.
func idFloor(t time.Time) []byte {
	ms := be64(uint64(max(0, wholeMs(t))))
	return slices.Concat(ms[2:], make([]byte, idLen-6))
}
