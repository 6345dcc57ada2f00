package seal

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"postern/store"
)

// sealedThing is one kind of sealed value with all the ways in which it must not open.
type sealedThing struct {
	name   string
	sealed []byte
	open   func(sealed []byte) ([]byte, error)
	want   []byte
	not    map[string]func(sealed []byte) ([]byte, error) // another place, label, secret
	step   int                                            // distance of the octets that are flipped; 0: every one
}

// things seals one value of each kind under keys.
func things(t testing.TB, keys *ServerKeys) []sealedThing {
	t.Helper()
	var all []sealedThing
	all = append(all, symmetricGrants(keys)...)
	all = append(all, publicGrants(t, keys)...)
	all = append(all, sessionThings(keys)...)
	return append(all, plainThings(keys)...)
}

func key16(fk FileKey, err error) ([]byte, error) { return fk[:], err }
func key32(s Seed, err error) ([]byte, error)     { return s[:], err }

func symmetricGrants(keys *ServerKeys) []sealedThing {
	link, other := NewSecret(), NewSecret()
	k := testRcpt(1)
	id, fk := k.Message, FileKey(random(16))
	neighbour, stranger := store.RcptKey{Message: id, N: 2}, store.RcptKey{Message: store.MessageID{7}, N: 1}
	parent, parentID := FileKey(random(16)), store.MessageID{3}
	openLink := func(s LinkSecret, k store.RcptKey, kind store.GrantKind) func([]byte) ([]byte, error) {
		return func(b []byte) ([]byte, error) { return key16(keys.OpenLink(s, k, store.Grant{Kind: kind, Data: b})) }
	}
	openSender := func(s LinkSecret, id store.MessageID, kind store.GrantKind) func([]byte) ([]byte, error) {
		return func(b []byte) ([]byte, error) {
			return key16(keys.OpenSender(s, id, store.Grant{Kind: kind, Data: b}))
		}
	}
	openParent := func(p FileKey, pid, id store.MessageID, kind store.GrantKind) func([]byte) ([]byte, error) {
		return func(b []byte) ([]byte, error) {
			return key16(keys.OpenParent(p, pid, id, store.Grant{Kind: kind, Data: b}))
		}
	}
	return []sealedThing{
		{"link", keys.GrantLink(link, k, fk).Data, openLink(link, k, store.GrantLink), fk[:],
			map[string]func([]byte) ([]byte, error){
				"other secret":    openLink(other, k, store.GrantLink),
				"other recipient": openLink(link, neighbour, store.GrantLink),
				"other message":   openLink(link, stranger, store.GrantLink),
				"other label":     openLink(link, k, store.GrantSender),
				"as sender grant": openSender(link, id, store.GrantSender),
			}, 0},
		{"sender", keys.GrantSender(link, id, fk).Data, openSender(link, id, store.GrantSender), fk[:],
			map[string]func([]byte) ([]byte, error){
				"other secret":  openSender(other, id, store.GrantSender),
				"other message": openSender(link, stranger.Message, store.GrantSender),
				"other label":   openSender(link, id, store.GrantLink),
				"as link grant": openLink(link, k, store.GrantLink),
			}, 0},
		{"parent", keys.GrantParent(parent, parentID, id, fk).Data, openParent(parent, parentID, id, store.GrantParent), fk[:],
			map[string]func([]byte) ([]byte, error){
				"other parent key": openParent(fk, parentID, id, store.GrantParent),
				"other parent":     openParent(parent, id, id, store.GrantParent),
				"other message":    openParent(parent, parentID, stranger.Message, store.GrantParent),
				"turned round":     openParent(parent, id, parentID, store.GrantParent),
				"other label":      openParent(parent, parentID, id, store.GrantLink),
			}, 0},
	}
}

func publicGrants(t testing.TB, keys *ServerKeys) []sealedThing {
	t.Helper()
	seed, other := NewSeed(), NewSeed()
	pub, id, fk := seed.Public(), testRcpt(1).Message, FileKey(random(16))
	acct, err := keys.GrantAccount(pub, id, fk)
	if err != nil {
		t.Fatal(err)
	}
	rec, err := GrantRecovery(pub, id, fk)
	if err != nil {
		t.Fatal(err)
	}
	aid, old := store.AccountID{5}, NewSeed()
	newID, oldID := PublicKeyID(pub), PublicKeyID(old.Public())
	chain, err := keys.SealChain(pub, aid, newID, oldID, old)
	if err != nil {
		t.Fatal(err)
	}
	openAccount := func(s Seed, id store.MessageID, g store.Grant) func([]byte) ([]byte, error) {
		return func(b []byte) ([]byte, error) { g.Data = b; return key16(keys.OpenAccount(s, id, g)) }
	}
	openRecovery := func(s Seed, id store.MessageID, g store.Grant) func([]byte) ([]byte, error) {
		return func(b []byte) ([]byte, error) { g.Data = b; return key16(OpenRecovery(s, id, g)) }
	}
	openChain := func(s Seed, aid store.AccountID, n, o store.KeyID) func([]byte) ([]byte, error) {
		return func(b []byte) ([]byte, error) { return key32(keys.OpenChain(s, aid, n, o, b)) }
	}
	otherKey, otherLabel := acct, acct
	otherKey.Key, otherLabel.Kind = PublicKeyID(other.Public()), store.GrantRecovery
	recAsAcct := rec
	recAsAcct.Kind = store.GrantAccount
	return []sealedThing{
		{"account", acct.Data, openAccount(seed, id, acct), fk[:], map[string]func([]byte) ([]byte, error){
			"other seed":        openAccount(other, id, acct),
			"other message":     openAccount(seed, store.MessageID{7}, acct),
			"other key id":      openAccount(seed, id, otherKey),
			"other label":       openAccount(seed, id, otherLabel),
			"as recovery grant": openRecovery(seed, id, otherLabel),
		}, 5},
		{"recovery", rec.Data, openRecovery(seed, id, rec), fk[:], map[string]func([]byte) ([]byte, error){
			"other seed":       openRecovery(other, id, rec),
			"other message":    openRecovery(seed, store.MessageID{7}, rec),
			"other label":      openRecovery(seed, id, recAsAcct),
			"as account grant": openAccount(seed, id, recAsAcct),
		}, 5},
		{"chain", chain, openChain(seed, aid, newID, oldID), old[:], map[string]func([]byte) ([]byte, error){
			"other seed":    openChain(other, aid, newID, oldID),
			"other account": openChain(seed, store.AccountID{6}, newID, oldID),
			"turned round":  openChain(seed, aid, oldID, newID),
			"to itself":     openChain(seed, aid, newID, newID),
		}, 5},
	}
}

func sessionThings(keys *ServerKeys) []sealedThing {
	tok, other := NewSessionToken(), NewSessionToken()
	sid, aid := tok.ID(), store.AccountID{5}
	open := func(tok SessionToken, sid store.SessionID, aid store.AccountID, kind store.SessionKind) func([]byte) ([]byte, error) {
		return func(b []byte) ([]byte, error) { return keys.OpenSession(tok, sid, aid, kind, b) }
	}
	first, second := LinkSecret{1}, LinkSecret{2}
	visit := func(tok SessionToken, sid store.SessionID, k store.AddressKey, kind store.SessionKind) func([]byte) ([]byte, error) {
		return func(b []byte) (all []byte, err error) {
			links, err := keys.OpenVisit(tok, sid, k, kind, b)
			for _, l := range links {
				all = append(all, l[:]...)
			}
			return all, err
		}
	}
	return []sealedThing{
		{"session", keys.SealSession(tok, sid, aid, store.SessionFull, []byte("payload")),
			open(tok, sid, aid, store.SessionFull), []byte("payload"),
			map[string]func([]byte) ([]byte, error){
				"other token":   open(other, sid, aid, store.SessionFull),
				"other row":     open(tok, other.ID(), aid, store.SessionFull),
				"other account": open(tok, sid, store.AccountID{6}, store.SessionFull),
				"other kind":    open(tok, sid, aid, store.SessionConsole),
			}, 0},
		{"visit", keys.SealVisit(tok, sid, "bob@a.example", store.SessionCode, []LinkSecret{{1}, {2}}),
			visit(tok, sid, "bob@a.example", store.SessionCode), slices.Concat(first[:], second[:]),
			map[string]func([]byte) ([]byte, error){
				"other token":     visit(other, sid, "bob@a.example", store.SessionCode),
				"other row":       visit(tok, other.ID(), "bob@a.example", store.SessionCode),
				"other address":   visit(tok, sid, "bobby@a.example", store.SessionCode),
				"other kind":      visit(tok, sid, "bob@a.example", store.SessionChange),
				"as an account's": open(tok, sid, aid, store.SessionCode),
			}, 0},
	}
}

func plainThings(keys *ServerKeys) []sealedThing {
	a, b := store.AccountID{1}, store.AccountID{2}
	m, n := store.MessageID{1}, store.MessageID{2}
	text := func(s string, err error) ([]byte, error) { return []byte(s), err }
	mac := MACKey(random(32))
	openMAC := func(name string) func([]byte) ([]byte, error) {
		return func(x []byte) ([]byte, error) { k, err := keys.OpenMACKey(name, x); return k[:], err }
	}
	code := func(flow string) func([]byte) ([]byte, error) {
		return func(x []byte) ([]byte, error) {
			ok, err := keys.CheckCode(flow, "12345678", x)
			if err == nil && !ok {
				err = ErrSealed
			}
			return nil, err
		}
	}
	return []sealedThing{
		{"reminder", keys.SealReminder(a, "phrase"), func(x []byte) ([]byte, error) { return text(keys.OpenReminder(a, x)) },
			[]byte("phrase"), map[string]func([]byte) ([]byte, error){
				"other account": func(x []byte) ([]byte, error) { return text(keys.OpenReminder(b, x)) },
				"as message id": func(x []byte) ([]byte, error) { return text(keys.OpenMessageID(store.MessageID(a), x)) },
			}, 0},
		{"message-id", keys.SealMessageID(m, "<a@b>"), func(x []byte) ([]byte, error) { return text(keys.OpenMessageID(m, x)) },
			[]byte("<a@b>"), map[string]func([]byte) ([]byte, error){
				"other message": func(x []byte) ([]byte, error) { return text(keys.OpenMessageID(n, x)) },
				"as reminder":   func(x []byte) ([]byte, error) { return text(keys.OpenReminder(store.AccountID(m), x)) },
			}, 0},
		{"mac-key", keys.SealMACKey("thread", mac), openMAC("thread"), mac[:], map[string]func([]byte) ([]byte, error){
			"other name": openMAC("origin"),
		}, 0},
		{"code", keys.SealCode("flow", "12345678"), code("flow"), nil, map[string]func([]byte) ([]byte, error){
			"other flow": code("wolf"),
		}, 0},
		{"generic", keys.Seal([]string{"x", "y"}, []byte("z")),
			func(x []byte) ([]byte, error) { return keys.Open([]string{"x", "y"}, x) }, []byte("z"),
			map[string]func([]byte) ([]byte, error){
				"joined parts": func(x []byte) ([]byte, error) { return keys.Open([]string{"xy"}, x) },
				"fewer parts":  func(x []byte) ([]byte, error) { return keys.Open([]string{"x"}, x) },
				"more parts":   func(x []byte) ([]byte, error) { return keys.Open([]string{"x", "y", ""}, x) },
			}, 0},
	}
}

func doesNotOpen(err error) bool { return errors.Is(err, ErrSealed) || errors.Is(err, ErrServerLayer) }

func TestSealedValuesOpen(t *testing.T) {
	t.Parallel()
	for _, x := range things(t, testKeys(t)) {
		got, err := x.open(x.sealed)
		if err != nil || !bytes.Equal(got, x.want) {
			t.Errorf("%s: %v", x.name, err)
		}
	}
}

// TestMovedOrRelabelledDoesNotOpen tries each value in another place, under another label, with another secret.
func TestMovedOrRelabelledDoesNotOpen(t *testing.T) {
	t.Parallel()
	for _, x := range things(t, testKeys(t)) {
		for name, open := range x.not {
			if got, err := open(x.sealed); !doesNotOpen(err) {
				t.Errorf("%s: %s: opens (%d octets, %v)", x.name, name, len(got), err)
			}
		}
	}
}

// TestSwappedDoesNotOpen puts every kind of value in the place of every other.
func TestSwappedDoesNotOpen(t *testing.T) {
	t.Parallel()
	all := things(t, testKeys(t))
	for i, x := range all {
		for j, y := range all {
			if i == j {
				continue
			}
			if _, err := x.open(y.sealed); !doesNotOpen(err) {
				t.Errorf("%s opens as %s: %v", y.name, x.name, err)
			}
		}
	}
}

func TestDamagedDoesNotOpen(t *testing.T) {
	t.Parallel()
	for _, x := range things(t, testKeys(t)) {
		step := max(x.step, 1)
		for i := 0; i < len(x.sealed); i += step {
			bad := bytes.Clone(x.sealed)
			bad[i] ^= 1 << (i % 8)
			if _, err := x.open(bad); !doesNotOpen(err) {
				t.Fatalf("%s: octet %d flipped: %v", x.name, i, err)
			}
			if _, err := x.open(x.sealed[:i]); !doesNotOpen(err) {
				t.Fatalf("%s: cut to %d: %v", x.name, i, err)
			}
		}
		if _, err := x.open(append(bytes.Clone(x.sealed), 0)); !doesNotOpen(err) {
			t.Errorf("%s: one octet more: %v", x.name, err)
		}
	}
}

// TestServerKeyIsNeeded: with every other secret at hand, another server key opens nothing but recovery grants (I3).
func TestServerKeyIsNeeded(t *testing.T) {
	t.Parallel()
	keys := testKeys(t)
	all := things(t, keys)
	other := testKeys(t).all()
	keys.lines.Store(&other)
	for _, x := range all {
		_, err := x.open(x.sealed)
		if x.name == "recovery" {
			if err != nil {
				t.Errorf("a recovery grant needs the server key: %v", err)
			}
			continue
		}
		if !errors.Is(err, ErrServerLayer) {
			t.Errorf("%s: %v", x.name, err)
		}
	}
}

// TestServerKeyAloneOpensNoGrant: I3. The server layer is no lock by itself.
func TestServerKeyAloneOpensNoGrant(t *testing.T) {
	t.Parallel()
	keys := testKeys(t)
	k, fk, pub := testRcpt(1), FileKey(random(16)), NewSeed().Public()
	acct, err := keys.GrantAccount(pub, k.Message, fk)
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range []store.Grant{
		keys.GrantLink(NewSecret(), k, fk), acct, keys.GrantParent(FileKey{1}, store.MessageID{3}, k.Message, fk),
		keys.GrantSender(NewSecret(), k.Message, fk),
	} {
		inner, err := keys.Open(grantLayer(k, g), g.Data)
		if err != nil {
			t.Fatalf("%s: %v", g.Kind, err)
		}
		if bytes.Contains(inner, fk[:]) {
			t.Errorf("%s: the file key is behind the server layer alone", g.Kind)
		}
	}
}

func TestGrantRecordsWhatOpensIt(t *testing.T) {
	t.Parallel()
	keys := testKeys(t)
	link, k, pub := NewSecret(), testRcpt(1), NewSeed().Public()
	if g := keys.GrantLink(link, k, FileKey{}); g.Kind != store.GrantLink || g.Link != link.LinkID() {
		t.Errorf("link grant: %+v", g.Kind)
	}
	if g := keys.GrantParent(FileKey{}, store.MessageID{3}, k.Message, FileKey{}); g.Parent != (store.MessageID{3}) {
		t.Error("parent grant does not name its parent")
	}
	a, err := keys.GrantAccount(pub, k.Message, FileKey{})
	if err != nil || a.Key != PublicKeyID(pub) || len(a.Key) != 16 {
		t.Errorf("account grant names key %q: %v", a.Key, err)
	}
	r, err := GrantRecovery(pub, k.Message, FileKey{})
	if err != nil || r.Key != PublicKeyID(pub) || len(r.Data) != 1152 {
		t.Errorf("recovery grant of %d octets names key %q: %v", len(r.Data), r.Key, err)
	}
}

func TestBadPublicKey(t *testing.T) {
	t.Parallel()
	keys := testKeys(t)
	for _, pub := range [][]byte{nil, make([]byte, 32), make([]byte, publicLen+1), make([]byte, 70000), bytes.Repeat([]byte{0xff}, publicLen)} {
		if _, err := keys.GrantAccount(pub, store.MessageID{}, FileKey{}); err == nil {
			t.Errorf("grant to a key of %d octets", len(pub))
		}
		if _, err := GrantRecovery(pub, store.MessageID{}, FileKey{}); err == nil {
			t.Errorf("recovery grant to a key of %d octets", len(pub))
		}
		if len(pub) != publicLen && PublicKeyID(pub) != "" {
			t.Errorf("a key of %d octets has a name", len(pub))
		}
	}
}
