package seal

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"

	"postern/store"
)

var (
	// ErrPassword: the password does not open the box.
	ErrPassword = errors.New("wrong password")
	// ErrKeyMismatch: the box opened, but the stored public key belongs to another seed: somebody wrote to the store
	// (KEYS K7).
	ErrKeyMismatch = errors.New("stored public key does not belong to the account's seed")
	// ErrUnusablePassword: the text cannot be a password: no valid UTF-8, or over MaxPassword.
	ErrUnusablePassword = errors.New("password is too long or no valid text")
)

// MaxPassword is the greatest length of a password in code points of its NFC form.
const MaxPassword = 256

// Argon2id parameters of new boxes (KEYS K7). p is part of the result: it is never taken from the machine.
const (
	argonTime    = 3
	argonMemory  = 64 << 10 // KiB
	argonThreads = 4
	saltLen      = 16
)

// What stored parameters may ask for: a written store must not make a sign-in eat the machine.
const (
	maxArgonTime    = 16
	maxArgonMemory  = 1 << 20 // KiB
	maxArgonThreads = 16
)

// argon is one set of Argon2id parameters.
type argon struct {
	time, memory uint32
	threads      uint8
	salt         [saltLen]byte
}

func newArgon() argon {
	p := argon{time: argonTime, memory: argonMemory, threads: argonThreads}
	rand.Read(p.salt[:])
	return p
}

// String is the stored form; it is part of the box's context.
func (p argon) String() string {
	return fmt.Sprintf("argon2id,t=%d,m=%d,p=%d,salt=%s", p.time, p.memory, p.threads, store.EncodeB32(p.salt[:]))
}

func (p argon) key(password string) key {
	return key(argon2.IDKey([]byte(norm.NFC.String(password)), p.salt[:], p.time, p.memory, p.threads, 32))
}

// parseArgon reads the stored form; only the spelling that String writes counts.
func parseArgon(s string) (p argon, err error) {
	fields := strings.Split(s, ",")
	if len(fields) != 5 || fields[0] != "argon2id" {
		return p, errors.New("not the parameters of argon2id")
	}
	t, errT := number(fields[1], "t=", maxArgonTime)
	m, errM := number(fields[2], "m=", maxArgonMemory)
	threads, errP := number(fields[3], "p=", maxArgonThreads)
	if err := errors.Join(errT, errM, errP); err != nil {
		return p, err
	}
	salt, err := store.DecodeB32(strings.TrimPrefix(fields[4], "salt="))
	if err != nil || len(salt) != saltLen {
		return p, errors.New("salt is not 16 octets of base32")
	}
	p = argon{time: t, memory: m, threads: uint8(threads), salt: [saltLen]byte(salt)}
	if p.String() != s {
		return argon{}, errors.New("parameters are not spelt as they are written")
	}
	return p, nil
}

func number(field, name string, most uint64) (uint32, error) {
	digits, ok := strings.CutPrefix(field, name)
	n, err := strconv.ParseUint(digits, 10, 32)
	if !ok || err != nil || n < 1 || n > most {
		return 0, fmt.Errorf("parameter %s is not a number from 1 to %d", strings.TrimSuffix(name, "="), most)
	}
	return uint32(n), nil
}

// StandardParams reports whether a key version's box was made with today's parameters. If not, a good sign-in seals it
// anew with ResealBox (KEYS K13).
func StandardParams(params string) bool {
	p, err := parseArgon(params)
	return err == nil && p.time == argonTime && p.memory == argonMemory && p.threads == argonThreads
}

// CheckPassword answers ErrUnusablePassword for a text that cannot be a password. It does not judge its strength.
func CheckPassword(password string) error {
	if !utf8.ValidString(password) || utf8.RuneCountInString(norm.NFC.String(password)) > MaxPassword {
		return ErrUnusablePassword
	}
	return nil
}

func boxLayer(aid store.AccountID, kid store.KeyID) []string {
	return []string{ctxBox, aid.String(), string(kid)}
}

// boxKey and boxContext are what a box opens with: a key of its own per version from the Argon2id over the password.
func boxKey(a key, aid store.AccountID, kid store.KeyID) key {
	return derive(a[:], ctxPassword, aid.String(), string(kid))
}

func boxContext(p argon, aid store.AccountID, kid store.KeyID) []byte {
	return encode(ctxPassword, aid.String(), string(kid), p.String())
}

// SealBox makes a current key version of an account from its seed: a new salt, one Argon2id, the box, the public key.
// Made is left zero. ErrUnusablePassword.
func (s *ServerKeys) SealBox(password string, aid store.AccountID, seed Seed) (store.KeyVersion, error) {
	x, err := Stretch(password)
	if err != nil {
		return store.KeyVersion{}, err
	}
	return s.SealStretched(x, aid, seed), nil
}

// Stretched is a password after the Argon2id of a new box, for flows that do that work before they know whether there
// is an account (KEYS K9). It is as secret as the password.
type Stretched struct {
	params argon
	key    key
}

// Stretch runs Argon2id with a new salt: ErrUnusablePassword.
func Stretch(password string) (Stretched, error) {
	if err := CheckPassword(password); err != nil {
		return Stretched{}, err
	}
	p := newArgon()
	return Stretched{params: p, key: p.key(password)}, nil
}

// SealStretched is SealBox without the Argon2id. Each Stretched makes one box.
func (s *ServerKeys) SealStretched(x Stretched, aid store.AccountID, seed Seed) store.KeyVersion {
	pub := seed.Public()
	kid := PublicKeyID(pub)
	box := boxKey(x.key, aid, kid).seal(nil, boxContext(x.params, aid, kid), seed[:])
	return store.KeyVersion{
		ID:     kid,
		Public: pub,
		State:  store.KeyCurrent,
		Params: x.params.String(),
		Box:    s.Seal(boxLayer(aid, kid), box),
	}
}

// ResealBox seals the seed of v anew with today's parameters; all else of v stays. ErrUnusablePassword.
func (s *ServerKeys) ResealBox(password string, aid store.AccountID, v store.KeyVersion, seed Seed) (store.KeyVersion, error) {
	fresh, err := s.SealBox(password, v.Owner(aid), seed)
	if err != nil {
		return v, err
	}
	if fresh.ID != v.ID {
		return v, ErrKeyMismatch
	}
	v.Params, v.Box = fresh.Params, fresh.Box
	return v, nil
}

// OpenBox opens the box of a key version with one Argon2id. ErrPassword when it does not open, ErrServerLayer,
// ErrKeyMismatch, store.ErrCorrupt for parameters that do not read.
func (s *ServerKeys) OpenBox(password string, aid store.AccountID, v store.KeyVersion) (Seed, error) {
	p, err := parseArgon(v.Params)
	if err != nil {
		return Seed{}, fmt.Errorf("key version %s: %w: %w", v.ID, err, store.ErrCorrupt)
	}
	aid = v.Owner(aid)
	box, err := s.Open(boxLayer(aid, v.ID), v.Box)
	if err != nil {
		return Seed{}, err
	}
	if CheckPassword(password) != nil {
		s.DummyBox("")
		return Seed{}, ErrPassword
	}
	b, err := boxKey(p.key(password), aid, v.ID).open(boxContext(p, aid, v.ID), box)
	if err != nil || len(b) != len(Seed{}) {
		return Seed{}, ErrPassword
	}
	seed := Seed(b)
	if !bytes.Equal(seed.Public(), v.Public) || PublicKeyID(v.Public) != v.ID {
		return Seed{}, ErrKeyMismatch
	}
	return seed, nil
}

// DummyBox does the work of OpenBox where there is no box, so that an unknown address takes as long (KEYS K13).
func (s *ServerKeys) DummyBox(password string) {
	if CheckPassword(password) != nil {
		password = ""
	}
	p := argon{time: argonTime, memory: argonMemory, threads: argonThreads}
	p.key(password)
}

func chainContext(aid store.AccountID, newID, oldID store.KeyID) []string {
	return []string{ctxChain, aid.String(), string(newID), string(oldID)}
}

// SealChain seals the seed of an older key version to a newer one's public key. The error is a public key that is
// none, or not newID's.
func (s *ServerKeys) SealChain(newPub []byte, aid store.AccountID, newID, oldID store.KeyID, old Seed) ([]byte, error) {
	if PublicKeyID(newPub) != newID {
		return nil, fmt.Errorf("chain to key %s: %w", newID, ErrKeyMismatch)
	}
	ctx := chainContext(aid, newID, oldID)
	sealed, err := sealTo(newPub, encode(ctx...), old[:])
	if err != nil {
		return nil, fmt.Errorf("chain to key %s: %w", newID, err)
	}
	return s.Seal(ctx, sealed), nil
}

// OpenChain undoes SealChain with the newer seed: ErrServerLayer, ErrSealed.
func (s *ServerKeys) OpenChain(seed Seed, aid store.AccountID, newID, oldID store.KeyID, sealed []byte) (Seed, error) {
	ctx := chainContext(aid, newID, oldID)
	inner, err := s.Open(ctx, sealed)
	if err != nil {
		return Seed{}, err
	}
	old, err := seed.open(encode(ctx...), inner)
	if err != nil || len(old) != len(Seed{}) {
		return Seed{}, ErrSealed
	}
	return Seed(old), nil
}
