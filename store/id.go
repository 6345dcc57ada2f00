package store

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"strings"
	"time"
)

// b32 is Crockford's base32 in lower case without padding, the one text form of ids, key ids and tokens (KEYS K1).
var b32 = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// EncodeB32 writes b in lower-case Crockford base32 without padding.
func EncodeB32(b []byte) string { return b32.EncodeToString(b) }

// DecodeB32 reads what EncodeB32 wrote; it accepts no other spelling.
func DecodeB32(s string) ([]byte, error) { return b32.DecodeString(s) }

// ID is a 16-octet identifier of a K. Its text form has 26 characters. No id is a secret.
type ID[K any] [16]byte

// The kinds of ids. They exist so that one cannot be taken for another.
type (
	messageKind struct{}
	accountKind struct{}
	eventKind   struct{}
	blobKind    struct{}
	ownerKind   struct{}
	linkKind    struct{}
	sessionKind struct{}
	tokenKind   struct{}

	MessageID = ID[messageKind] // sorts by time
	EventID   = ID[eventKind]   // sorts by time
	AccountID = ID[accountKind]
	BlobID    = ID[blobKind]
	Owner     = ID[ownerKind]   // one running process, as holder of queue leases
	LinkID    = ID[linkKind]    // lookup of a pickup link (KEYS K2), never the secret
	SessionID = ID[sessionKind] // KEYS K10
	TokenID   = ID[tokenKind]   // lookup of a use-once token (KEYS K2)
)

// NewMessageID makes the id of a message that arrives at t: 48 bits of Unix milliseconds, then 80 random bits.
func NewMessageID(t time.Time) MessageID { return timed[messageKind](t) }

// NewEventID makes the id of an event at t, by the same rule as NewMessageID.
func NewEventID(t time.Time) EventID { return timed[eventKind](t) }

func timed[K any](t time.Time) (id ID[K]) {
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(t.UnixMilli()))
	copy(id[:6], ms[2:])
	rand.Read(id[6:])
	return id
}

// Time is the moment that a time-sorted id carries, in milliseconds.
func (id ID[K]) Time() time.Time {
	var ms [8]byte
	copy(ms[2:], id[:6])
	return time.UnixMilli(int64(binary.BigEndian.Uint64(ms[:]))).UTC()
}

// IsZero reports whether the id is unset.
func (id ID[K]) IsZero() bool { return id == ID[K]{} }

func (id ID[K]) String() string { return EncodeB32(id[:]) }

// MarshalText writes the 26 characters of the id.
func (id ID[K]) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads the text form of an id.
func (id *ID[K]) UnmarshalText(text []byte) error {
	b, err := b32.DecodeString(string(text))
	if err != nil || len(b) != len(id) {
		return fmt.Errorf("%q is not an id of 26 characters", text)
	}
	copy(id[:], b)
	return nil
}

// ParseID reads the text form of an id.
func ParseID[K any](s string) (id ID[K], err error) {
	err = id.UnmarshalText([]byte(s))
	return id, err
}

// ParseMessageID reads the text form of a message id.
func ParseMessageID(s string) (MessageID, error) { return ParseID[messageKind](s) }

// IDEnd is how an id ends: six of its random octets. Its text form has 10 characters, which is what lists for people show
// of an id, as two halves with a hyphen between.
type IDEnd [6]byte

func (e IDEnd) String() string { s := EncodeB32(e[:]); return s[:len(s)/2] + "-" + s[len(s)/2:] }

// End is how the id ends.
func (id ID[K]) End() IDEnd { return IDEnd(id[len(id)-len(IDEnd{}):]) }

// ParseIDEnd reads the text form of the end of an id, with the hyphen or without.
func ParseIDEnd(s string) (e IDEnd, err error) {
	b, err := DecodeB32(strings.Replace(s, "-", "", 1))
	if err != nil || len(b) != len(e) {
		return e, fmt.Errorf("%q is not the end of an id, of 10 characters", s)
	}
	if copy(e[:], b); e.String() != s && EncodeB32(e[:]) != s {
		return IDEnd{}, fmt.Errorf("%q is not the end of an id, of 10 characters", s)
	}
	return e, nil
}

// ThreadID is the keyed hash of an RFC 5322 Message-ID (MAIL 3.6).
type ThreadID [32]byte

// IsZero reports whether the id is unset: the message had no Message-ID.
func (t ThreadID) IsZero() bool { return t == ThreadID{} }

func (t ThreadID) String() string { return EncodeB32(t[:]) }

// MarshalText writes the 52 characters of the id.
func (t ThreadID) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads the text form of an id.
func (t *ThreadID) UnmarshalText(text []byte) error {
	b, err := b32.DecodeString(string(text))
	if err != nil || len(b) != len(t) {
		return fmt.Errorf("%q is not a thread id of 52 characters", text)
	}
	copy(t[:], b)
	return nil
}

// KeyID names a key (KEYS K1); see package seal.
type KeyID string

// Cursor is where a page of a list ended; empty for the first page, and after the last.
type Cursor string

// RcptKey names one recipient of one message, and its queue item. An item of our own mail has N 0; recipients count
// from 1.
type RcptKey struct {
	Message MessageID
	N       uint32
}

func (k RcptKey) String() string { return fmt.Sprintf("%s.%d", k.Message, k.N) }

// MarshalText writes "ID.N".
func (k RcptKey) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads "ID.N".
func (k *RcptKey) UnmarshalText(text []byte) error {
	parsed, err := ParseRcptKey(string(text))
	if err == nil {
		*k = parsed
	}
	return err
}

// ParseRcptKey reads "ID.N".
func ParseRcptKey(s string) (k RcptKey, err error) {
	const idLen = 26
	if len(s) < idLen+2 || s[idLen] != '.' {
		return k, fmt.Errorf("%q is not an item id (message id, dot, number)", s)
	}
	if k.Message, err = ParseMessageID(s[:idLen]); err != nil {
		return k, err
	}
	if _, err = fmt.Sscanf(s[idLen+1:], "%d", &k.N); err != nil || s != k.String() {
		return RcptKey{}, fmt.Errorf("%q is not an item id (message id, dot, number)", s)
	}
	return k, nil
}
