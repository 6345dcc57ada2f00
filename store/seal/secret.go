package seal

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"postern/store"
)

// redacted is what a secret shows of itself.
const redacted = "[redacted]"

func hide(f fmt.State) { io.WriteString(f, redacted) }

func hidden() slog.Value { return slog.StringValue(redacted) }

// FileKey opens the body and the card of one message. It lies only in grants and queue wraps.
type FileKey [16]byte

// LinkSecret is the secret of a mailed link, of any TokenKind (KEYS K2).
type LinkSecret [20]byte

// Seed is the private half of an account's, or the organisation's, key pair.
type Seed [32]byte

// Temporary is a temporary password (KEYS K2).
type Temporary [10]byte

// SessionToken is what a browser's cookie holds (KEYS K10).
type SessionToken [32]byte

// NewSecret draws the secret of a link.
func NewSecret() (s LinkSecret) {
	rand.Read(s[:])
	return s
}

// NewSeed draws a key pair.
func NewSeed() (s Seed) {
	rand.Read(s[:])
	return s
}

// NewTemporary draws a temporary password.
func NewTemporary() (t Temporary) {
	rand.Read(t[:])
	return t
}

// NewSessionToken draws the token of a session.
func NewSessionToken() (t SessionToken) {
	rand.Read(t[:])
	return t
}

// errSessionToken: a cookie value that no session token has; the value is not quoted.
var errSessionToken = errors.New("not a session token")

// ParseSessionToken reads what SessionToken.String wrote.
func ParseSessionToken(s string) (t SessionToken, err error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != len(t) || SessionToken(b).String() != s { // the decoder skips line ends
		return SessionToken{}, errSessionToken
	}
	return SessionToken(b), nil
}

// String is the cookie's value. It reveals the token; formatting with package fmt does not.
func (t SessionToken) String() string { return base64.RawURLEncoding.EncodeToString(t[:]) }

// ID is the session's row: Derive(token, "session-id")[:16].
func (t SessionToken) ID() store.SessionID {
	id := derive(t[:], ctxSessionID)
	return store.SessionID(id[:16])
}

// Format and the methods below it keep secrets out of every text but those made on purpose.

func (FileKey) Format(f fmt.State, _ rune)        { hide(f) }
func (FileKey) String() string                    { return redacted }
func (FileKey) GoString() string                  { return redacted }
func (FileKey) LogValue() slog.Value              { return hidden() }
func (FileKey) MarshalText() ([]byte, error)      { return []byte(redacted), nil }
func (LinkSecret) Format(f fmt.State, _ rune)     { hide(f) }
func (LinkSecret) String() string                 { return redacted }
func (LinkSecret) GoString() string               { return redacted }
func (LinkSecret) LogValue() slog.Value           { return hidden() }
func (LinkSecret) MarshalText() ([]byte, error)   { return []byte(redacted), nil }
func (Seed) Format(f fmt.State, _ rune)           { hide(f) }
func (Seed) String() string                       { return redacted }
func (Seed) GoString() string                     { return redacted }
func (Seed) LogValue() slog.Value                 { return hidden() }
func (Seed) MarshalText() ([]byte, error)         { return []byte(redacted), nil }
func (MACKey) Format(f fmt.State, _ rune)         { hide(f) }
func (MACKey) String() string                     { return redacted }
func (MACKey) GoString() string                   { return redacted }
func (MACKey) LogValue() slog.Value               { return hidden() }
func (MACKey) MarshalText() ([]byte, error)       { return []byte(redacted), nil }
func (key) Format(f fmt.State, _ rune)            { hide(f) }
func (key) String() string                        { return redacted }
func (key) GoString() string                      { return redacted }
func (key) LogValue() slog.Value                  { return hidden() }
func (key) MarshalText() ([]byte, error)          { return []byte(redacted), nil }
func (Temporary) Format(f fmt.State, _ rune)      { hide(f) }
func (Temporary) GoString() string                { return redacted }
func (Temporary) LogValue() slog.Value            { return hidden() }
func (Temporary) MarshalText() ([]byte, error)    { return []byte(redacted), nil }
func (SessionToken) Format(f fmt.State, _ rune)   { hide(f) }
func (SessionToken) GoString() string             { return redacted }
func (SessionToken) LogValue() slog.Value         { return hidden() }
func (SessionToken) MarshalText() ([]byte, error) { return []byte(redacted), nil }
func (Stretched) Format(f fmt.State, _ rune)      { hide(f) }
func (Stretched) LogValue() slog.Value            { return hidden() }
func (Stretched) MarshalText() ([]byte, error)    { return []byte(redacted), nil }
func (keyLine) Format(f fmt.State, _ rune)        { hide(f) }
func (*Writer) Format(f fmt.State, _ rune)        { hide(f) }
func (*Body) Format(f fmt.State, _ rune)          { hide(f) }
func (*ServerKeys) Format(f fmt.State, _ rune)    { hide(f) }
func (*Ring) Format(f fmt.State, _ rune)          { hide(f) }
