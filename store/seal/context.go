package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math"

	"postern/store"
)

// The labels of FORMAT.md. Each stands here and nowhere else; a sealed value of one label never opens under another.
const (
	protocol   = "postern/v1" // first part of every context; changes with the format
	stanzaType = "postern-v1" // the one stanza of a body

	ctxKeyID          = "key-id"
	ctxTokenCheck     = "token-check"
	ctxLookup         = "lookup"
	ctxTemporary      = "temp"
	ctxCode           = "code"
	ctxServerKeyCheck = "server-key-check"
	ctxServerCheck    = "check"
	ctxServer         = "server"
	ctxMACKey         = "mac-key"
	ctxBrowser        = "browser"
	ctxQueueKeyCheck  = "queue-key-check"
	ctxQueue          = "queue"
	ctxNotice         = "notice"
	ctxCard           = "card"
	ctxMessageID      = "message-id"
	ctxLink           = "link"
	ctxAccount        = "account"
	ctxParent         = "parent"
	ctxSender         = "sender"
	ctxRecovery       = "recovery"
	ctxBox            = "box"
	ctxPassword       = "password"
	ctxChain          = "chain"
	ctxReminder       = "reminder"
	ctxTOTP           = "totp"
	ctxSession        = "session"
	ctxSessionID      = "session-id"
)

// ErrSealed: a sealed value does not open with what was given. It says no more on purpose: damage, a moved value and
// a wrong secret look alike.
var ErrSealed = errors.New("sealed value does not open")

// encode is C of KEYS K1: the protocol label and each part, led by its length in two octets. It is the only encoding
// of contexts, so that no two lists of parts give the same octets.
func encode(parts ...string) []byte {
	n := 2 + len(protocol)
	for _, p := range parts {
		n += 2 + len(p)
	}
	out := appendPart(make([]byte, 0, n), protocol)
	for _, p := range parts {
		out = appendPart(out, p)
	}
	return out
}

func appendPart(out []byte, part string) []byte {
	if len(part) > math.MaxUint16 {
		panic("seal: context part over 65,535 octets")
	}
	out = binary.BigEndian.AppendUint16(out, uint16(len(part)))
	return append(out, part...)
}

// derive is Derive of KEYS K1: HKDF-SHA256 without salt.
func derive(secret []byte, parts ...string) key { return deriveInfo(secret, encode(parts...)) }

func deriveInfo(secret, info []byte) (k key) {
	out, err := hkdf.Key(sha256.New, secret, nil, string(info), len(k))
	if err != nil {
		panic("seal: HKDF: " + err.Error()) // 32 octets are always to be had
	}
	copy(k[:], out)
	return k
}

// sum is SHA-256 over a context.
func sum(parts ...string) [sha256.Size]byte { return sha256.Sum256(encode(parts...)) }

// key is a derived or stored symmetric key of 32 octets.
type key [32]byte

// seal appends Box(k, ctx; x) of KEYS K1 to dst.
func (k key) seal(dst, ctx, x []byte) []byte { return k.aead().Seal(dst, nil, x, ctx) }

// open undoes seal; ErrSealed.
func (k key) open(ctx, box []byte) ([]byte, error) {
	x, err := k.aead().Open(nil, nil, box, ctx)
	if err != nil {
		return nil, ErrSealed
	}
	return x, nil
}

func (k key) aead() cipher.AEAD {
	block, err := aes.NewCipher(k[:])
	if err != nil {
		panic("seal: AES: " + err.Error())
	}
	gcm, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic("seal: GCM: " + err.Error())
	}
	return gcm
}

// sealBound is Box under a key derived with the very context that the box is bound to, as most boxes are.
func sealBound(dst, secret, ctx, x []byte) []byte { return deriveInfo(secret, ctx).seal(dst, ctx, x) }

func openBound(secret, ctx, box []byte) ([]byte, error) {
	return deriveInfo(secret, ctx).open(ctx, box)
}

// symmetricID names a symmetric key: 8 characters (KEYS K1).
func symmetricID(k key) store.KeyID {
	id := derive(k[:], ctxKeyID)
	return store.KeyID(store.EncodeB32(id[:symmetricIDBytes]))
}

const (
	symmetricIDBytes = 5
	symmetricIDLen   = 8
)

// isSymmetricID reports whether id has the form of one, so that a damaged value is not quoted in an error.
func isSymmetricID(id string) bool {
	b, err := store.DecodeB32(id)
	return err == nil && len(b) == symmetricIDBytes
}
