package bolt

import (
	"bytes"
	"errors"
	"iter"

	"postern/store"
)

// list is a stretch of an index as a page reads it.
type list struct {
	entries iter.Seq2[[]byte, []byte]
	prefix  int // octets that all its keys share; what follows them is the position in a cursor
}

// until ends a list before a key.
func (l list) until(limit []byte) list {
	all := l.entries
	l.entries = func(yield func(k, v []byte) bool) {
		for k, v := range all {
			if bytes.Compare(k, limit) >= 0 || !yield(k, v) {
				return
			}
		}
	}
	return l
}

// page reads up to n rows of a list. Damaged rows are logged and passed over.
func page[T any](t *tx, l list, n int, row func(k, v []byte) (T, error)) ([]T, store.Cursor, error) {
	var rows []T
	var last []byte
	for k, v := range l.entries {
		if len(rows) >= n {
			return rows, cursorAt(last), nil
		}
		last = k[l.prefix:]
		r, err := row(k, v)
		switch {
		case errors.Is(err, store.ErrCorrupt):
			t.report(err)
		case err != nil:
			return nil, "", err
		default:
			rows = append(rows, r)
		}
	}
	return rows, "", nil
}

// from begins the list of all entries with a prefix, in order, behind a cursor.
func (t *tx) from(b bucket, prefix []byte, c store.Cursor) (list, error) {
	pos, err := follow(c)
	return list{entries: t.up(b, prefix, pos), prefix: len(prefix)}, err
}

// first reads what up to n entries with a prefix lead to; keep says no to those that end the list.
func first[T any](t *tx, b bucket, prefix []byte, n int, read func(k []byte) (r T, more bool)) (rows []T) {
	for k := range t.up(b, prefix, nil) {
		if len(rows) >= n {
			break
		}
		r, more := read(k)
		if !more {
			break
		}
		rows = append(rows, r)
	}
	return rows
}

// upTo reads the ids at the end of keys "ms id" that lie at or before a moment.
func upTo[T ~[idLen]byte](t *tx, b bucket, limit []byte, n int) []T {
	return first(t, b, nil, n, func(k []byte) (T, bool) {
		return toID[T](tail(k, idLen)), string(k) < string(limit)
	})
}
