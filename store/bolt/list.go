package bolt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	bbolt "go.etcd.io/bbolt"

	"postern/store"
)

func (m messages) Recipients(id store.MessageID, c store.Cursor, n int) ([]store.Recipient, store.Cursor, error) {
	l, err := m.t.from(recipientsB, id[:], c)
	if err != nil {
		return nil, "", err
	}
	return page(m.t, l, n, func(k, _ []byte) (store.Recipient, error) { return m.row(k) })
}

func (m messages) Inbox(a store.AccountID, c store.Cursor, n int) ([]store.Recipient, store.Cursor, error) {
	l, err := m.t.from(inboxB, a[:], c)
	if err != nil {
		return nil, "", err
	}
	return page(m.t, l, n, func(k, _ []byte) (store.Recipient, error) {
		return m.listed(fromNewest(k[idLen:]))
	})
}

func (m messages) Sent(a store.AccountID, c store.Cursor, n int) ([]store.Message, store.Cursor, error) {
	return m.pageOf(sentB, a[:], c, n)
}

func (m messages) Replies(to store.RcptKey, c store.Cursor, n int) ([]store.Message, store.Cursor, error) {
	return m.pageOf(replyB, rcptKey(to), c, n)
}

// pageOf reads the messages that the entries "prefix ^M" of an index name.
func (m messages) pageOf(in bucket, prefix []byte, c store.Cursor, n int) ([]store.Message, store.Cursor, error) {
	l, err := m.t.from(in, prefix, c)
	if err != nil {
		return nil, "", err
	}
	return page(m.t, l, n, func(k, _ []byte) (store.Message, error) {
		var id store.MessageID
		copy(id[:], invert(k[len(prefix):]))
		msg, err := m.Get(id)
		if errors.Is(err, store.ErrNotFound) {
			err = corrupt("entry of message", id)
		}
		return msg, err
	})
}

// listed reads a recipient that an index names: if it is missing the index is damaged.
func (m messages) listed(k store.RcptKey) (store.Recipient, error) {
	r, err := m.Recipient(k)
	if errors.Is(err, store.ErrNotFound) {
		err = corrupt("entry of recipient", k)
	}
	return r, err
}

func (m messages) ByMsgID(id store.ThreadID, n int) ([]store.MessageID, error) {
	return first(m.t, msgidB, id[:], n, func(k []byte) (out store.MessageID, more bool) {
		copy(out[:], invert(k[len(id):]))
		return out, true
	}), nil
}

// endSteps bounds the search by the end of an id, in each state.
const endSteps = 500_000

// ByEnd reads keys alone, of the index in which each recipient stands once.
func (m messages) ByEnd(end store.IDEnd) (found []store.MessageID, err error) {
	want := invert(end[:])
	for _, state := range store.States() {
		steps := 0
		for k := range m.t.up(stateB, text(state), nil) {
			if steps++; steps > endSteps {
				break
			}
			if id := tail(k, rcptLen); len(id) == rcptLen && bytes.Equal(id[idLen-len(want):idLen], want) {
				found = append(found, fromNewest(id).Message)
			}
		}
	}
	slices.SortFunc(found, func(a, b store.MessageID) int { return bytes.Compare(b[:], a[:]) })
	return slices.Compact(found), nil
}

func (m messages) Unclaimed(a store.AddressKey, n int) ([]store.RcptKey, error) {
	return first(m.t, unclaimedB, text(a), n, func(k []byte) (store.RcptKey, bool) {
		return toRcpt(tail(k, rcptLen)), true
	}), nil
}

func (m messages) Expired(t time.Time, c store.Cursor, n int) ([]store.RcptKey, store.Cursor, error) {
	l, err := m.t.from(expiryB, nil, c)
	if err != nil {
		return nil, "", err
	}
	return page(m.t, l.until(afterMs(t)), n, func(k, _ []byte) (store.RcptKey, error) { return toRcpt(tail(k, rcptLen)), nil })
}

// place is ^R: where a recipient stands in every list by metadata.
type place [rcptLen]byte

// next is the place behind p; false: there is none.
func (p place) next() (place, bool) {
	for i := len(p) - 1; i >= 0; i-- {
		if p[i]++; p[i] != 0 {
			return p, true
		}
	}
	return p, false
}

// source is an ordered set of places.
type source interface {
	// seek answers the first place at or behind p; false: there is none.
	seek(p place) (place, bool)
}

// indexed is the set of places in an index under one prefix.
type indexed struct {
	c      *bbolt.Cursor
	prefix []byte
}

func (s indexed) seek(p place) (place, bool) {
	k, _ := s.c.Seek(join(s.prefix, p[:]))
	if !bytes.HasPrefix(k, s.prefix) || len(k) != len(s.prefix)+rcptLen {
		return place{}, false
	}
	return place(k[len(s.prefix):]), true
}

// everyone is the set of all recipients, whose bucket is in the opposite order of messages.
type everyone struct{ c *bbolt.Cursor }

func (s everyone) seek(p place) (place, bool) {
	id := invert(p[:idLen])
	if k, _ := s.c.Seek(join(id, p[idLen:])); bytes.HasPrefix(k, id) {
		return placeOf(k), true
	}
	k, _ := s.c.Seek(id) // the message's first recipient, or the next newer message
	if k == nil {
		k, _ = s.c.Last()
	}
	if k != nil && bytes.Compare(k[:idLen], id) >= 0 {
		k, _ = s.c.Prev() // the last recipient of the next older message
	}
	if k == nil {
		return place{}, false
	}
	k, _ = s.c.Seek(k[:idLen])
	return placeOf(k), true
}

func placeOf(key []byte) place { return place(newestRcpt(toRcpt(key))) }

// maxSteps bounds the search for one page, some tens of milliseconds.
const maxSteps = 20_000

// List intersects the indexes that the filter names, by seeking in turn in each of them behind the place that the last
// one answered. It reads no record that does not match.
func (m messages) List(f store.Filter, c store.Cursor, n int) ([]store.Recipient, store.Cursor, error) {
	at, any, err := begin(f, c)
	if err != nil || !any {
		return nil, "", err
	}
	sources := m.sources(f)
	var rows []store.Recipient
	for steps, agreed, i := 0, 0, 0; ; i = (i + 1) % len(sources) {
		if steps++; steps > m.t.store.steps {
			return rows, cursorAt(at[:]), nil
		}
		found, ok := sources[i].seek(at)
		if !ok || ended(f, found) {
			return rows, "", nil
		}
		if found != at {
			at, agreed = found, 0
		}
		if agreed++; agreed < len(sources) {
			continue
		}
		if len(rows) >= n {
			return rows, cursorAt(at[:]), nil
		}
		if rows, err = m.add(rows, at); err != nil {
			return nil, "", err
		}
		if at, ok = at.next(); !ok {
			return rows, "", nil
		}
		agreed = 0
	}
}

// add appends the recipient at a place, unless it is damaged.
func (m messages) add(rows []store.Recipient, at place) ([]store.Recipient, error) {
	r, err := m.listed(fromNewest(at[:]))
	if errors.Is(err, store.ErrCorrupt) {
		m.t.report(err)
		return rows, nil
	}
	if err != nil {
		return nil, err
	}
	return append(rows, r), nil
}

func (m messages) sources(f store.Filter) (out []source) {
	add := func(b bucket, prefix []byte) {
		out = append(out, indexed{c: m.t.bucket(b).Cursor(), prefix: prefix})
	}
	if f.Rcpt != "" {
		add(rcptB, text(f.Rcpt))
	}
	if f.Sender != "" {
		add(senderB, text(f.Sender))
	}
	if f.State != "" {
		add(stateB, text(f.State))
	}
	if f.Rule != "" {
		add(ruleB, text("r"+f.Rule))
	}
	if f.Action != "" && f.Action != store.ActionRelay {
		add(ruleB, text("a"+string(f.Action)))
	}
	if len(out) == 0 {
		out = append(out, everyone{c: m.t.bucket(recipientsB).Cursor()})
	}
	return out
}

// begin is where a list starts; false: nothing can match. A cursor is the place to go on at.
func begin(f store.Filter, c store.Cursor) (at place, any bool, err error) {
	pos, err := position(c)
	if err != nil || len(pos) != 0 && len(pos) != len(at) {
		return at, false, fmt.Errorf("list: %w", store.ErrCursor)
	}
	if !f.To.IsZero() {
		before := wholeMs(f.To)
		if before <= 0 {
			return at, false, nil
		}
		newest := be64(uint64(math.MaxUint64) - uint64(before-1))
		copy(at[:], newest[2:]) // the 48 bits of an id's time
	}
	if bytes.Compare(pos, at[:]) > 0 {
		at = place(pos)
	}
	return at, true, nil
}

// ended reports whether a place is older than the filter asks for.
func ended(f store.Filter, p place) bool {
	if f.From.IsZero() {
		return false
	}
	var ms [8]byte
	copy(ms[2:], invert(p[:6]))
	return int64(binary.BigEndian.Uint64(ms[:])) < wholeMs(f.From)
}

// wholeMs is the first whole millisecond at or after t: ids carry whole ones.
func wholeMs(t time.Time) int64 {
	ms := t.UnixMilli()
	if t.After(time.UnixMilli(ms)) {
		ms++
	}
	return ms
}
