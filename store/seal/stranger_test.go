package seal_test

// This file opens Postern's frozen samples by FORMAT.md alone: with an age library, crypto/hpke and the standard
// library, and without package seal. If it needs a change, FORMAT.md was not precise or the format has changed.

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hpke"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"filippo.io/age"
)

// --- section 1 ---

var b32 = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

func contextC(parts ...string) (out []byte) {
	for _, p := range append([]string{"postern/v1"}, parts...) {
		out = binary.BigEndian.AppendUint16(out, uint16(len(p)))
		out = append(out, p...)
	}
	return out
}

func deriveKey(k []byte, parts ...string) []byte {
	out, err := hkdf.Key(sha256.New, k, nil, string(contextC(parts...)), 32)
	if err != nil {
		panic(err)
	}
	return out
}

func openAES(k, ctx, box []byte) ([]byte, error) {
	if len(box) < 28 {
		return nil, errors.New("box too short")
	}
	block, err := aes.NewCipher(k)
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	return gcm.Open(nil, box[:12], box[12:], ctx)
}

func openHPKE(seed, ctx, sealed []byte) ([]byte, error) {
	kem, err := hpke.NewKEM(0x647a)
	if err != nil {
		return nil, err
	}
	kdf, err := hpke.NewKDF(1)
	if err != nil {
		return nil, err
	}
	aead, err := hpke.NewAEAD(2)
	if err != nil {
		return nil, err
	}
	k, err := kem.NewPrivateKey(seed)
	if err != nil {
		return nil, err
	}
	return hpke.Open(k, kdf, aead, ctx, sealed)
}

func publicID(seed []byte) string {
	k, err := hpke.MLKEM768X25519().NewPrivateKey(seed)
	if err != nil {
		panic(err)
	}
	h := sha256.Sum256(contextC("key-id", string(k.PublicKey().Bytes())))
	return b32.EncodeToString(h[:10])
}

// --- section 2 and 7: key files ---

// readKeys reads a server key file or a ring: KID to key.
func readKeys(t *testing.T, file, word, check string) map[string][]byte {
	t.Helper()
	keys := make(map[string][]byte)
	for line := range strings.Lines(file) {
		f := strings.Fields(line)
		if f[0] != word {
			t.Fatalf("line begins with %s", f[0])
		}
		b, err := b32.DecodeString(f[len(f)-1])
		if err != nil || len(b) != 34 {
			t.Fatalf("key of %d octets: %v", len(b), err)
		}
		k := b[:32]
		h := sha256.Sum256(contextC(check, string(k)))
		if !bytes.Equal(h[:2], b[32:]) || b32.EncodeToString(deriveKey(k, "key-id")[:5]) != f[1] {
			t.Fatalf("key %s does not fit its check or its id", f[1])
		}
		keys[f[1]] = k
	}
	return keys
}

// layer is the server layer.
func layer(keys map[string][]byte, sealed []byte, ctx ...string) ([]byte, error) {
	kid := string(sealed[:8])
	parts := append([]string{"server", kid}, ctx...)
	return openAES(deriveKey(keys[kid], parts...), contextC(parts...), sealed[8:])
}

// --- section 3 ---

// known is an age identity for a file key that is known already.
type known struct {
	mid string
	fk  []byte
}

func (k known) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	if len(stanzas) != 1 || stanzas[0].Type != "postern-v1" || len(stanzas[0].Args) != 1 ||
		stanzas[0].Args[0] != k.mid || len(stanzas[0].Body) != 0 {
		return nil, errors.New("not this message")
	}
	return k.fk, nil
}

func openFile(file []byte, mid string, fk []byte) ([]byte, error) {
	r, err := age.Decrypt(bytes.NewReader(file), known{mid, fk})
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// --- section 5 ---

func tokenSecret(t *testing.T, token, kind string) []byte {
	t.Helper()
	secret, err := b32.DecodeString(token[1:33])
	if err != nil {
		t.Fatal(err)
	}
	h := sha256.Sum256(contextC("token-check", kind, string(secret)))
	if token[0] != '1' || b32.EncodeToString(h[:])[:4] != token[33:] {
		t.Fatalf("token %s fails its check", token)
	}
	return secret
}

type strangerSamples struct {
	ServerKeyFile string `json:"server_key_file"`
	QueueRing     string `json:"queue_ring"`
	Message       string
	Recipient     int
	FileKey       []byte `json:"file_key"`
	Body          []byte
	Text          string
	Card          []byte
	CardText      string                        `json:"card_text"`
	Link, Status  struct{ Token, Grant string } // base64, decoded below
	Account       strangerAccount
	Older         strangerAccount `json:"older_version"`
	Parent        struct {
		Message string
		FileKey []byte `json:"file_key"`
		Grant   []byte
	}
	Recovery  strangerAccount
	Session   struct{ Cookie, Kind, Sealed, Payload string }
	QueueCopy struct {
		KID    string
		Sealed []byte
	} `json:"queue_copy"`
	OwnMail struct {
		KID           string
		Sealed, Value []byte
	} `json:"own_mail"`
	Large struct {
		File, Message string
		FileKey       []byte `json:"file_key"`
		SHA256        []byte
	}
}

type strangerAccount struct {
	ID, KID, Password, Params string
	Public, Box, Chain        []byte
	Seed, Grant               []byte
}

func strangersSamples(t *testing.T) (s strangerSamples) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "samples.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

func unbase64(t *testing.T, s string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestFormatByAStranger follows FORMAT.md from each secret to the text of the message.
func TestFormatByAStranger(t *testing.T) {
	t.Parallel()
	s := strangersSamples(t)
	mid := s.Message
	for name, way := range strangersWays(t, s) {
		fk, err := way()
		if err != nil || len(fk) != 16 {
			t.Errorf("%s: file key of %d octets: %v", name, len(fk), err)
			continue
		}
		text, err := openFile(s.Body, mid, fk)
		if err != nil || string(text) != s.Text {
			t.Errorf("%s: body: %v", name, err)
		}
		card, err := openAES(deriveKey(fk, "card", mid), contextC("card", mid), s.Card)
		if err != nil || len(card)%512 != 0 || strings.TrimRight(string(card), " ") != s.CardText {
			t.Errorf("%s: card: %v", name, err)
		}
	}
	if _, err := openFile(s.Body, "00000000000000000000000000", s.FileKey); err == nil {
		t.Error("the body opens as another message")
	}
}

// strangersWays are all the ways to the file key of the sample.
func strangersWays(t *testing.T, s strangerSamples) map[string]func() ([]byte, error) {
	t.Helper()
	server := readKeys(t, s.ServerKeyFile, "postern-server-key-v1", "server-key-check")
	ring := readKeys(t, s.QueueRing, "postern-queue-key-v1", "queue-key-check")
	mid, rid := s.Message, strconv.Itoa(s.Recipient)
	return map[string]func() ([]byte, error){
		"link": func() ([]byte, error) {
			box, err := layer(server, unbase64(t, s.Link.Grant), "link", mid, rid)
			if err != nil {
				return nil, err
			}
			return openAES(deriveKey(tokenSecret(t, s.Link.Token, "p"), "link", mid, rid), contextC("link", mid, rid), box)
		},
		"sender": func() ([]byte, error) {
			box, err := layer(server, unbase64(t, s.Status.Grant), "sender", mid)
			if err != nil {
				return nil, err
			}
			return openAES(deriveKey(tokenSecret(t, s.Status.Token, "s"), "sender", mid), contextC("sender", mid), box)
		},
		"account":       func() ([]byte, error) { return strangersGrant(server, s.Account, mid) },
		"older version": func() ([]byte, error) { return strangersGrant(server, s.Older, mid) },
		"chain": func() ([]byte, error) { // from the newer seed over the chain to the older one, and on
			ctx := []string{"chain", s.Account.ID, publicID(s.Account.Seed), s.Older.KID}
			sealed, err := layer(server, s.Older.Chain, ctx...)
			if err != nil {
				return nil, err
			}
			older := s.Older
			older.Seed, err = openHPKE(s.Account.Seed, contextC(ctx...), sealed)
			if err != nil {
				return nil, err
			}
			return strangersGrant(server, older, mid)
		},
		"parent": func() ([]byte, error) {
			box, err := layer(server, s.Parent.Grant, "parent", mid)
			if err != nil {
				return nil, err
			}
			ctx := []string{"parent", s.Parent.Message, mid}
			return openAES(deriveKey(s.Parent.FileKey, ctx...), contextC(ctx...), box)
		},
		"recovery": func() ([]byte, error) {
			return openHPKE(s.Recovery.Seed, contextC("recovery", publicID(s.Recovery.Seed), mid), s.Recovery.Grant)
		},
		"queue": func() ([]byte, error) {
			kid := string(s.QueueCopy.Sealed[:8])
			ctx := []string{"queue", kid, mid, rid}
			return openAES(deriveKey(ring[kid], ctx...), contextC(ctx...), s.QueueCopy.Sealed[8:])
		},
		"session": func() ([]byte, error) { // cookie, seed, grant
			seed, err := strangersSession(t, s, server)
			if err != nil {
				return nil, err
			}
			a := s.Account
			a.Seed = seed
			return strangersGrant(server, a, mid)
		},
	}
}

func strangersGrant(server map[string][]byte, a strangerAccount, mid string) ([]byte, error) {
	kid := publicID(a.Seed)
	sealed, err := layer(server, a.Grant, "account", mid, kid)
	if err != nil {
		return nil, err
	}
	return openHPKE(a.Seed, contextC("account", kid, mid), sealed)
}

func strangersSession(t *testing.T, s strangerSamples, server map[string][]byte) ([]byte, error) {
	t.Helper()
	token, err := base64.RawURLEncoding.DecodeString(s.Session.Cookie)
	if err != nil {
		return nil, err
	}
	sid := b32.EncodeToString(deriveKey(token, "session-id")[:16])
	box, err := layer(server, unbase64(t, s.Session.Sealed), "session", sid)
	if err != nil {
		return nil, err
	}
	return openAES(deriveKey(token, "session", sid), contextC("session", sid, s.Account.ID, s.Session.Kind), box)
}

func TestFormatOfLargeBodyAndOwnMailByAStranger(t *testing.T) {
	t.Parallel()
	s := strangersSamples(t)
	file, err := os.ReadFile(filepath.Join("testdata", s.Large.File))
	if err != nil {
		t.Fatal(err)
	}
	text, err := openFile(file, s.Large.Message, s.Large.FileKey)
	if hash := sha256.Sum256(text); err != nil || !bytes.Equal(hash[:], s.Large.SHA256) {
		t.Errorf("large body: %v", err)
	}
	ring := readKeys(t, s.QueueRing, "postern-queue-key-v1", "queue-key-check")
	ctx := []string{"notice", s.OwnMail.KID, s.Message + ".0"}
	mail, err := openAES(deriveKey(ring[s.OwnMail.KID], ctx...), contextC(ctx...), s.OwnMail.Sealed[8:])
	if err != nil || !bytes.Equal(mail, s.OwnMail.Value) {
		t.Errorf("own mail: %v", err)
	}
}
