package seal

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"postern/store"
)

func sessionLayer(sid store.SessionID) []string { return []string{ctxSession, sid.String()} }

func sessionKey(token SessionToken, sid store.SessionID) key {
	return derive(token[:], ctxSession, sid.String())
}

func sessionContext(sid store.SessionID, owner string, kind store.SessionKind) []byte {
	return encode(ctxSession, sid.String(), owner, string(kind))
}

// SealSession seals what a session carries (KEYS K10): it opens with the cookie's token only, for this account and
// kind.
func (s *ServerKeys) SealSession(token SessionToken, sid store.SessionID, aid store.AccountID, kind store.SessionKind, payload []byte) []byte {
	return s.sealSession(token, sid, sessionContext(sid, aid.String(), kind), payload)
}

func (s *ServerKeys) sealSession(token SessionToken, sid store.SessionID, ctx, payload []byte) []byte {
	return s.Seal(sessionLayer(sid), sessionKey(token, sid).seal(nil, ctx, payload))
}

// OpenSession undoes SealSession: ErrServerLayer, ErrSealed.
func (s *ServerKeys) OpenSession(token SessionToken, sid store.SessionID, aid store.AccountID, kind store.SessionKind, sealed []byte) ([]byte, error) {
	return s.openSession(token, sid, sessionContext(sid, aid.String(), kind), sealed)
}

func (s *ServerKeys) openSession(token SessionToken, sid store.SessionID, ctx, sealed []byte) ([]byte, error) {
	box, err := s.Open(sessionLayer(sid), sealed)
	if err != nil {
		return nil, err
	}
	return sessionKey(token, sid).open(ctx, box)
}

// SealVisit seals the links that a session without account carries (KEYS K10): for this address and kind.
func (s *ServerKeys) SealVisit(token SessionToken, sid store.SessionID, k store.AddressKey, kind store.SessionKind, links []LinkSecret) []byte {
	var payload []byte
	for _, l := range links {
		payload = append(payload, l[:]...)
	}
	return s.sealSession(token, sid, sessionContext(sid, string(k), kind), payload)
}

// OpenVisit undoes SealVisit: ErrServerLayer, ErrSealed.
func (s *ServerKeys) OpenVisit(token SessionToken, sid store.SessionID, k store.AddressKey, kind store.SessionKind, sealed []byte) ([]LinkSecret, error) {
	payload, err := s.openSession(token, sid, sessionContext(sid, string(k), kind), sealed)
	if err != nil {
		return nil, err
	}
	if len(payload)%len(LinkSecret{}) != 0 {
		return nil, ErrSealed
	}
	var links []LinkSecret
	for l := range slices.Chunk(payload, len(LinkSecret{})) {
		links = append(links, LinkSecret(l))
	}
	return links, nil
}

func reminderContext(aid store.AccountID) []string { return []string{ctxReminder, aid.String()} }

// SealReminder seals an account's reminder phrase. It is readable with the server key, so that it can be mailed.
func (s *ServerKeys) SealReminder(aid store.AccountID, text string) []byte {
	return s.Seal(reminderContext(aid), []byte(text))
}

// OpenReminder undoes SealReminder; ErrServerLayer.
func (s *ServerKeys) OpenReminder(aid store.AccountID, sealed []byte) (string, error) {
	x, err := s.Open(reminderContext(aid), sealed)
	return string(x), err
}

func totpContext(aid store.AccountID) []string { return []string{ctxTOTP, aid.String()} }

// SealTOTP seals the secret of a second factor (RFC 6238) of an administrator. It is a rule of the site and opens no
// message (KEYS K7).
func (s *ServerKeys) SealTOTP(aid store.AccountID, secret []byte) []byte {
	return s.Seal(totpContext(aid), secret)
}

// OpenTOTP undoes SealTOTP; ErrServerLayer.
func (s *ServerKeys) OpenTOTP(aid store.AccountID, sealed []byte) ([]byte, error) {
	return s.Open(totpContext(aid), sealed)
}

func messageIDContext(id store.MessageID) []string { return []string{ctxMessageID, id.String()} }

// SealMessageID seals the Message-ID of the original, which later notices refer to (KEYS K5).
func (s *ServerKeys) SealMessageID(id store.MessageID, messageID string) []byte {
	return s.Seal(messageIDContext(id), []byte(messageID))
}

// OpenMessageID undoes SealMessageID; ErrServerLayer.
func (s *ServerKeys) OpenMessageID(id store.MessageID, sealed []byte) (string, error) {
	x, err := s.Open(messageIDContext(id), sealed)
	return string(x), err
}

func codeContext(flow string) []string { return []string{ctxCode, flow} }

// SealCode seals a code of 8 digits for one flow: a hash of so few digits would be no secret (KEYS K2).
func (s *ServerKeys) SealCode(flow, code string) []byte {
	return s.Seal(codeContext(flow), []byte(code))
}

// CheckCode compares a typed code with a sealed one in constant time; ErrServerLayer.
func (s *ServerKeys) CheckCode(flow, typed string, sealed []byte) (bool, error) {
	code, err := s.Open(codeContext(flow), sealed)
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(code, []byte(typed)) == 1, nil
}

// browserMACBytes is what a browser cookie carries of its MAC.
const browserMACBytes = 20

// BrowserMAC is the value of the cookie that a browser keeps after signing in to an account (KEYS K13). It names the
// server key that made it. It is good for the account as it was registered then, and for its key of then: who registered
// before its owner disowned that, or signed in before a new password was set, is a stranger afterwards.
func (s *ServerKeys) BrowserMAC(aid store.AccountID, of Registration) string {
	return browserMAC(s.all()[0], aid, of)
}

// Registration is what a browser cookie is good for.
type Registration struct {
	At  time.Time
	Key store.KeyID // current version; empty: of somebody whose browsers stay known after a change of password
}

// CheckBrowserMAC reports whether a cookie's value was made for the account and registration under a key of the file.
func (s *ServerKeys) CheckBrowserMAC(aid store.AccountID, of Registration, value string) bool {
	for _, l := range s.all() {
		if strings.HasPrefix(value, string(l.id)+".") {
			return subtle.ConstantTimeCompare([]byte(browserMAC(l, aid, of)), []byte(value)) == 1
		}
	}
	return false
}

func browserMAC(l keyLine, aid store.AccountID, of Registration) string {
	m := MACKey(derive(l.key[:], ctxBrowser)).Sum(aid.String(), strconv.FormatInt(of.At.UnixMilli(), 10), string(of.Key))
	return string(l.id) + "." + store.EncodeB32(m[:browserMACBytes])
}

// MACKey is the key of an index or a mark. It is random and lies sealed in the store, so that rotation of the server
// key re-wraps it and never changes it (KEYS K3).
type MACKey [32]byte

// Sum is HMAC-SHA256 over the parts, each led by its length in 8 octets, so that parts cannot run together.
func (k MACKey) Sum(parts ...string) (mac [sha256.Size]byte) {
	h := hmac.New(sha256.New, k[:])
	for _, p := range parts {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(p)))
		h.Write(n[:])
		h.Write([]byte(p))
	}
	h.Sum(mac[:0])
	return mac
}

// Thread is the index entry of a Message-ID (MAIL 3.6).
func (k MACKey) Thread(messageID string) store.ThreadID { return store.ThreadID(k.Sum(messageID)) }

func macKeyContext(name string) []string { return []string{ctxMACKey, name} }

// SealMACKey seals a MAC key under its name.
func (s *ServerKeys) SealMACKey(name string, k MACKey) []byte {
	return s.Seal(macKeyContext(name), k[:])
}

// OpenMACKey undoes SealMACKey; ErrServerLayer.
func (s *ServerKeys) OpenMACKey(name string, sealed []byte) (MACKey, error) {
	x, err := s.Open(macKeyContext(name), sealed)
	if err != nil {
		return MACKey{}, err
	}
	if len(x) != len(MACKey{}) {
		return MACKey{}, ErrServerLayer
	}
	return MACKey(x), nil
}

// MACKeyPrefix leads the names of MAC keys in Settings.
const MACKeyPrefix = "mac-key/"

// LoadMACKey reads the MAC key of that name from the store's settings and makes it where there is none. A key that
// does not open is ErrServerLayer; it is never replaced.
func LoadMACKey(ctx context.Context, db store.Store, s *ServerKeys, name string) (MACKey, error) {
	sealed, err := macKeySetting(ctx, db.View, name)
	if errors.Is(err, store.ErrNotFound) {
		sealed, err = createMACKey(ctx, db, s, name)
	}
	if err != nil {
		return MACKey{}, fmt.Errorf("load MAC key %s: %w", name, err)
	}
	k, err := s.OpenMACKey(name, sealed)
	if err != nil {
		return MACKey{}, fmt.Errorf("load MAC key %s: %w", name, err)
	}
	return k, nil
}

type transact func(context.Context, func(store.Tx) error) error

func macKeySetting(ctx context.Context, view transact, name string) (sealed []byte, err error) {
	err = view(ctx, func(tx store.Tx) error {
		sealed, err = tx.Settings().Get(MACKeyPrefix + name)
		return err
	})
	return sealed, err
}

// createMACKey stores a new key unless another process was faster, and returns what is stored.
func createMACKey(ctx context.Context, db store.Store, s *ServerKeys, name string) (stored []byte, err error) {
	var k MACKey
	rand.Read(k[:])
	fresh := s.SealMACKey(name, k)
	err = db.Update(ctx, func(tx store.Tx) error {
		var err error
		stored, err = tx.Settings().Get(MACKeyPrefix + name)
		if !errors.Is(err, store.ErrNotFound) {
			return err
		}
		stored = fresh
		return tx.Settings().Set(MACKeyPrefix+name, fresh)
	})
	return stored, err
}
