package seal

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"postern/store"
)

// TokenKind says what a link does; it is also its path: {pickup.url}/{kind}/{token} (KEYS K2).
type TokenKind byte

// The kinds of links.
const (
	TokenPickup   TokenKind = 'p'
	TokenReset    TokenKind = 'r'
	TokenActivate TokenKind = 'v'
	TokenAlias    TokenKind = 'a'
	TokenStatus   TokenKind = 's'
	TokenWelcome  TokenKind = 'w'
	TokenSetup    TokenKind = 'n'
	// TokenFlow is no link: a cookie by which a browser that asked for a code is known again (KEYS K2).
	TokenFlow TokenKind = 'c'
)

// TokenLen is the length of a token: version, 32 characters of secret, 4 of check.
const TokenLen = 1 + secretLen + checkLen

const (
	tokenVersion = "1"
	secretLen    = 32
	checkLen     = 4
	temporaryLen = 16
	groupLen     = 4 // of a temporary password, between hyphens
)

// ErrDamaged: the characters of a link or temporary password do not belong together.
var ErrDamaged = errors.New("the link is damaged")

// IncompleteError: characters of a link are missing.
type IncompleteError struct{ N int }

func (e *IncompleteError) Error() string {
	return fmt.Sprintf("the link is incomplete: %d of %d characters arrived", e.N, TokenLen)
}

// Token is the text of the secret in a link of kind k, 37 characters.
func (s LinkSecret) Token(k TokenKind) string {
	return tokenVersion + store.EncodeB32(s[:]) + s.check(k)
}

func (s LinkSecret) check(k TokenKind) string {
	h := sum(ctxTokenCheck, string(k), string(s[:]))
	return store.EncodeB32(h[:])[:checkLen]
}

// LinkID is the row that a pickup link leads to. It does not lead back to the secret.
func (s LinkSecret) LinkID() store.LinkID { return store.LinkID(s.lookup(TokenPickup)) }

// TokenID is the row that a use-once token of kind k leads to.
func (s LinkSecret) TokenID(k TokenKind) store.TokenID { return store.TokenID(s.lookup(k)) }

func (s LinkSecret) lookup(k TokenKind) []byte {
	id := derive(s[:], ctxLookup, string(k))
	return id[:16]
}

// ParseToken reads a token of kind k from what came back from a mail: percent-encoded, broken over lines, in capitals,
// with the punctuation around it, or as the whole link. It answers *IncompleteError when characters are missing and
// ErrDamaged when they do not belong together or the token is of another kind. Damage passes once in 2^20 times, and
// then leads to no row.
func ParseToken(k TokenKind, text string) (LinkSecret, error) {
	text = strings.ToLower(unescape(text))
	if i := strings.LastIndex(text, "/"+string(k)+"/"); i >= 0 {
		text = text[i+3:]
	}
	token := tidy(text)
	switch {
	case len(token) < TokenLen:
		return LinkSecret{}, &IncompleteError{N: len(token)}
	case len(token) > TokenLen || !strings.HasPrefix(token, tokenVersion):
		return LinkSecret{}, ErrDamaged
	}
	body, check := token[1:1+secretLen], token[1+secretLen:]
	b, err := store.DecodeB32(body)
	if err != nil {
		return LinkSecret{}, ErrDamaged
	}
	s := LinkSecret(b)
	if subtle.ConstantTimeCompare([]byte(s.check(k)), []byte(check)) != 1 {
		return LinkSecret{}, ErrDamaged
	}
	return s, nil
}

// String is the temporary password as it is mailed, xxxx-xxxx-xxxx-xxxx. It reveals the value; formatting with package
// fmt does not.
func (t Temporary) String() string {
	s := store.EncodeB32(t[:])
	groups := make([]string, 0, temporaryLen/groupLen)
	for i := 0; i < len(s); i += groupLen {
		groups = append(groups, s[i:i+groupLen])
	}
	return strings.Join(groups, "-")
}

// ParseTemporary reads a typed temporary password as tolerantly as ParseToken reads a link; ErrDamaged.
func ParseTemporary(text string) (Temporary, error) {
	s := tidy(unescape(text))
	b, err := store.DecodeB32(s)
	if err != nil || len(s) != temporaryLen {
		return Temporary{}, ErrDamaged
	}
	return Temporary(b), nil
}

// Tag is what the store keeps of a temporary password: a row for its owner, an account id or an address key.
func (t Temporary) Tag(owner string) store.TokenID {
	id := derive(t[:], ctxTemporary, owner)
	return store.TokenID(id[:16])
}

// unescape undoes percent-encoding where it is well-formed and leaves the rest as it is.
func unescape(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]) {
			out.WriteByte(unhex(s[i+1])<<4 | unhex(s[i+2]))
			i += 2
			continue
		}
		out.WriteByte(s[i])
	}
	return out.String()
}

func isHex(c byte) bool { return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f' }

func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}

// tidy lowers, reads letters that look like digits as digits, and drops what mail programs and people put around and
// into a token (KEYS K2). What is no ASCII afterwards counts as one wrong character.
func tidy(s string) string {
	var out strings.Builder
	for _, r := range s {
		switch r = unicode.ToLower(r); {
		case r == 'o':
			r = '0'
		case r == 'i' || r == 'l':
			r = '1'
		case unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) || strings.ContainsRune(`-=<>"'()].,;:!?`, r):
			continue
		case r >= 0x80:
			r = '*'
		}
		out.WriteByte(byte(r))
	}
	return out.String()
}
