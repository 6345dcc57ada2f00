package bolt

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"postern/store"
)

const (
	idLen   = 16
	rcptLen = idLen + 4
	msLen   = 8
)

func be64(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// msKey is a moment in an index; what lies before 1970, such as an unset time, is earliest.
func msKey(t time.Time) []byte { return be64(uint64(max(0, t.UnixMilli()))) }

func msTime(key []byte) time.Time { return time.UnixMilli(int64(number(key[:msLen]))).UTC() }

// afterMs is the first key behind a moment: what lies at or before t sorts below it.
func afterMs(t time.Time) []byte { return be64(uint64(max(0, t.UnixMilli())) + 1) }

func rcptKey(k store.RcptKey) []byte {
	return binary.BigEndian.AppendUint32(slices.Clone(k.Message[:]), k.N)
}

// toRcpt reads R; of another length it is the zero key, which no record has.
func toRcpt(b []byte) (k store.RcptKey) {
	if len(b) == rcptLen {
		copy(k.Message[:], b)
		k.N = binary.BigEndian.Uint32(b[idLen:])
	}
	return k
}

// invert turns an id's order round: newest first.
func invert(b []byte) []byte {
	out := make([]byte, len(b))
	for i := range b {
		out[i] = ^b[i]
	}
	return out
}

// newestRcpt is ^R: newest message first, recipients of a message in their order.
func newestRcpt(k store.RcptKey) []byte {
	return binary.BigEndian.AppendUint32(invert(k.Message[:]), k.N)
}

func fromNewest(b []byte) (k store.RcptKey) {
	if k = toRcpt(b); len(b) == rcptLen {
		copy(k.Message[:], invert(b[:idLen]))
	}
	return k
}

// toID reads an id; of another length it is zero.
func toID[T ~[idLen]byte](b []byte) (id T) {
	if len(b) == idLen {
		id = T(b)
	}
	return id
}

// text is a string in a key, ended by a zero octet.
func text[S ~string | ~[]byte](s S) []byte { return append([]byte(string(s)), 0) }

// tail cuts the last n octets of a key; nil when it has fewer.
func tail(key []byte, n int) []byte {
	if len(key) < n {
		return nil
	}
	return key[len(key)-n:]
}

func join(parts ...[]byte) []byte { return slices.Concat(parts...) }

// checkText refuses what would break keys: invalid UTF-8 does not survive a record, and a zero octet ends a part.
func checkText[S ~string](what string, s S) error {
	switch {
	case s == "":
		return fmt.Errorf("%s is empty", what)
	case !utf8.ValidString(string(s)) || strings.IndexByte(string(s), 0) >= 0:
		return fmt.Errorf("%s is not valid text", what)
	}
	return nil
}

// cursorAt is a position in a list as callers carry it.
func cursorAt(pos []byte) store.Cursor {
	return store.Cursor(base64.RawURLEncoding.EncodeToString(pos))
}

// position reads a cursor. Whatever a client makes of one stays inside its list: it is only ever appended to the list's
// own prefix.
func position(c store.Cursor) ([]byte, error) {
	pos, err := base64.RawURLEncoding.DecodeString(string(c))
	if err != nil || len(pos) > maxPosition {
		return nil, store.ErrCursor
	}
	return pos, nil
}

// maxPosition is longer than the tail of any list key (a domain, a moment and a recipient; an address).
const maxPosition = 512

// follow is where a list goes on after a cursor.
func follow(c store.Cursor) ([]byte, error) {
	pos, err := position(c)
	if err != nil || len(pos) == 0 {
		return nil, err
	}
	return append(pos, 0), nil
}
