package seal

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"postern/store"
)

// update rewrites what is deterministic and adds sealed samples where there are none; it never changes a frozen
// sample.
var update = flag.Bool("update", false, "rewrite testdata/derivations.json; make testdata/samples.json if missing")

// derivations are the results of all that is not random, in the order of FORMAT.md.
type derivations struct {
	Contexts  []contextVector
	Derived   []deriveVector
	Tokens    []tokenVector
	Temporary []temporaryVector
	Keys      []keyVector
	Pairs     []pairVector
	Passwords []passwordVector
	Sessions  []sessionVector
	MACs      []macVector
}

type (
	contextVector   struct{ Parts, C string }
	deriveVector    struct{ Secret, Context, Key string }
	tokenVector     struct{ Secret, Kind, Token, Lookup string }
	temporaryVector struct{ Octets, Text, Owner, Tag string }
	keyVector       struct {
		Key, KID, Check, ServerLine, RingLine, Account, Registered, Current, Browser string
		Hour                                                                         int64
	}
	pairVector     struct{ Seed, KID, Public string }
	passwordVector struct{ Typed, Params, Account, KID, A, Key string }
	sessionVector  struct{ Token, Cookie, ID string }
	macVector      struct {
		Key   string
		Parts []string
		MAC   string
	}
)

// count gives n octets from, from+1, …
func count(from, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(from + i)
	}
	return b
}

func derivationVectors() derivations {
	var d derivations
	for _, parts := range [][]string{{ctxLink}, {ctxCard, store.MessageID{1}.String()}, {"", "ä"}} {
		joined, _ := json.Marshal(parts)
		c := encode(parts...)
		d.Contexts = append(d.Contexts, contextVector{string(joined), hex.EncodeToString(c)})
		k := derive(count(0, 20), parts...)
		d.Derived = append(d.Derived, deriveVector{hex.EncodeToString(count(0, 20)), hex.EncodeToString(c), hex.EncodeToString(k[:])})
	}
	for _, k := range allKinds {
		s := vectorSecret()
		id := s.TokenID(k)
		d.Tokens = append(d.Tokens, tokenVector{hex.EncodeToString(s[:]), string(k), s.Token(k), hex.EncodeToString(id[:])})
	}
	tmp := Temporary(count(0xf0, 10))
	tag := tmp.Tag("bob@example.org")
	d.Temporary = []temporaryVector{{hex.EncodeToString(tmp[:]), tmp.String(), "bob@example.org", hex.EncodeToString(tag[:])}}
	d.Keys = []keyVector{symmetricVector(key(count(0, 32))), symmetricVector(key(count(0xa0, 32)))}
	for _, from := range []int{0, 0x80} {
		seed := Seed(count(from, 32))
		pub := seed.Public()
		d.Pairs = append(d.Pairs, pairVector{hex.EncodeToString(seed[:]), string(PublicKeyID(pub)), hex.EncodeToString(pub)})
	}
	d.Passwords = []passwordVector{passwordSample("cafe\u0301", 1, 64, 1), passwordSample("caf\u00e9", 3, 65536, 4)}
	tok := SessionToken(count(1, 32))
	d.Sessions = []sessionVector{{hex.EncodeToString(tok[:]), tok.String(), tok.ID().String()}}
	for _, parts := range [][]string{{}, {"<a@example.org>"}, {"a", "", "b"}} {
		m := MACKey(count(2, 32)).Sum(parts...)
		d.MACs = append(d.MACs, macVector{hex.EncodeToString(count(2, 32)), parts, hex.EncodeToString(m[:])})
	}
	return d
}

func symmetricVector(k key) keyVector {
	const hour = 1_700_000_000 / 3600 * 3600
	l := keyLine{id: symmetricID(k), key: k, hour: hour}
	check := derive(k[:], ctxServerCheck)
	aid := store.AccountID{7}
	return keyVector{
		Key: hex.EncodeToString(k[:]), KID: string(l.id), Check: hex.EncodeToString(check[:16]), Hour: hour,
		ServerLine: string(serverLines().write([]keyLine{l})), RingLine: string(queueLines().write([]keyLine{l})),
		Account: aid.String(), Registered: "1700000000123", Current: "abcdefghjkmnpqrs", Browser: browserMAC(l, aid, Registration{At: time.UnixMilli(1_700_000_000_123), Key: "abcdefghjkmnpqrs"}),
	}
}

func passwordSample(typed string, t, m uint32, threads uint8) passwordVector {
	p := argon{time: t, memory: m, threads: threads, salt: [saltLen]byte(count(3, saltLen))}
	aid, kid := store.AccountID{7}, store.KeyID("0123456789abcdef")
	a, k := p.key(typed), boxKey(p.key(typed), aid, kid)
	return passwordVector{typed, p.String(), aid.String(), string(kid), hex.EncodeToString(a[:]), hex.EncodeToString(k[:])}
}

// It is not parallel, so that -update is done before others read.
func TestDerivationsAreFrozen(t *testing.T) {
	path := filepath.Join("testdata", "derivations.json")
	got, err := json.MarshalIndent(derivationVectors(), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("a derivation changed: what was sealed before would not open\n%s", firstDifference(got, want))
	}
}

func firstDifference(got, want []byte) string {
	g, w := bytes.Split(got, []byte("\n")), bytes.Split(want, []byte("\n"))
	for i := range g {
		if i >= len(w) || !bytes.Equal(g[i], w[i]) {
			return "first line that differs: " + string(g[i])
		}
	}
	return "lines are missing"
}

// TestDerivationsReadBack reads what the vectors write: tokens, lines, parameters, cookies.
func TestDerivationsReadBack(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(filepath.Join("testdata", "derivations.json"))
	if err != nil {
		t.Fatal(err)
	}
	var d derivations
	if err := json.Unmarshal(data, &d); err != nil {
		t.Fatal(err)
	}
	for _, v := range d.Tokens {
		s, err := ParseToken(TokenKind(v.Kind[0]), v.Token)
		if err != nil || hex.EncodeToString(s[:]) != v.Secret {
			t.Errorf("token %s: %v", v.Token, err)
		}
	}
	for _, v := range d.Temporary {
		tmp, err := ParseTemporary(v.Text)
		if err != nil || hex.EncodeToString(tmp[:]) != v.Octets {
			t.Errorf("temporary password: %v", err)
		}
	}
	for _, v := range d.Keys {
		server, err1 := serverLines().parse("", []byte(v.ServerLine))
		ring, err2 := queueLines().parse("", []byte(v.RingLine))
		if err := errors.Join(err1, err2); err != nil || server[0].key != ring[0].key || ring[0].hour != v.Hour {
			t.Errorf("key %s: %v", v.KID, err)
		}
	}
	for _, v := range d.Passwords {
		if p, err := parseArgon(v.Params); err != nil || p.String() != v.Params {
			t.Errorf("%s: %v", v.Params, err)
		}
	}
	for _, v := range d.Sessions {
		if tok, err := ParseSessionToken(v.Cookie); err != nil || tok.ID().String() != v.ID {
			t.Errorf("session %s: %v", v.ID, err)
		}
	}
	if len(d.Tokens) != len(allKinds) || len(d.Pairs) != 2 || len(d.Passwords) != 2 {
		t.Error("vectors are missing")
	}
}

func readSamples(t *testing.T) samples {
	t.Helper()
	data, err := os.ReadFile(samplesFile)
	if err != nil {
		t.Fatal(err)
	}
	var s samples
	if err := json.Unmarshal(data, &s); err != nil {
		t.Fatal(err)
	}
	return s
}
