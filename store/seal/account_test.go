package seal

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"postern/store"
)

func TestBoxOpensWithPassword(t *testing.T) {
	t.Parallel()
	keys, aid, seed := testKeys(t), store.AccountID{1}, NewSeed()
	v, err := keys.SealBox("cafe\u0301 au lait", aid, seed)
	if err != nil {
		t.Fatal(err)
	}
	if v.State != store.KeyCurrent || v.ID != PublicKeyID(seed.Public()) || !StandardParams(v.Params) {
		t.Errorf("version %s is %s with parameters %s", v.ID, v.State, v.Params)
	}
	if got, err := keys.OpenBox("caf\u00e9 au lait", aid, v); err != nil || got != seed {
		t.Errorf("the same text composed: %v", err)
	}
	for name, pw := range map[string]string{
		"other": "cafe au lait", "trimmed": "caf\u00e9 au lait ", "empty": "", "no UTF-8": "caf\xe9 au lait",
		"too long": strings.Repeat("x", 257),
	} {
		if _, err := keys.OpenBox(pw, aid, v); !errors.Is(err, ErrPassword) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBoxIsBoundToAccountVersionAndParameters(t *testing.T) {
	t.Parallel()
	keys, aid, seed := testKeys(t), store.AccountID{1}, NewSeed()
	v := weakBox(keys, "pw", aid, seed)
	if _, err := keys.OpenBox("pw", aid, v); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(v *store.KeyVersion, aid *store.AccountID)
		want   error
	}{
		"other account":    {func(_ *store.KeyVersion, a *store.AccountID) { a[0]++ }, ErrServerLayer},
		"other version":    {func(v *store.KeyVersion, _ *store.AccountID) { v.ID = PublicKeyID(NewSeed().Public()) }, ErrServerLayer},
		"other public key": {func(v *store.KeyVersion, _ *store.AccountID) { v.Public = NewSeed().Public() }, ErrKeyMismatch},
		"box cut":          {func(v *store.KeyVersion, _ *store.AccountID) { v.Box = v.Box[:len(v.Box)-1] }, ErrServerLayer},
		"no box":           {func(v *store.KeyVersion, _ *store.AccountID) { v.Box = nil }, ErrServerLayer},
		"other salt":       {func(v *store.KeyVersion, _ *store.AccountID) { v.Params = otherSalt(v.Params) }, ErrPassword},
		"no parameters":    {func(v *store.KeyVersion, _ *store.AccountID) { v.Params = "" }, store.ErrCorrupt},
	} {
		w, a := v, aid
		c.change(&w, &a)
		if _, err := keys.OpenBox("pw", a, w); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// otherSalt changes a digit in the middle of a salt.
func otherSalt(params string) string {
	i, digit := len(params)-8, byte('0')
	if params[i] == digit {
		digit = '1'
	}
	return params[:i] + string(digit) + params[i+1:]
}

// weakBox makes a box as an older release with cheaper parameters did.
func weakBox(keys *ServerKeys, password string, aid store.AccountID, seed Seed) store.KeyVersion {
	p := newArgon()
	p.time, p.memory, p.threads = 1, 1024, 2
	pub := seed.Public()
	kid := PublicKeyID(pub)
	box := boxKey(p.key(password), aid, kid).seal(nil, boxContext(p, aid, kid), seed[:])
	return store.KeyVersion{ID: kid, Public: pub, State: store.KeyLocked, Params: p.String(), Box: keys.Seal(boxLayer(aid, kid), box)}
}

func TestOlderParametersStayReadable(t *testing.T) {
	t.Parallel()
	keys, aid, seed := testKeys(t), store.AccountID{1}, NewSeed()
	old := weakBox(keys, "pw", aid, seed)
	if StandardParams(old.Params) {
		t.Error("cheaper parameters count as today's")
	}
	got, err := keys.OpenBox("pw", aid, old)
	if err != nil || got != seed {
		t.Fatal(err)
	}
	fresh, err := keys.ResealBox("pw", aid, old, seed)
	if err != nil || !StandardParams(fresh.Params) || fresh.State != old.State || fresh.ID != old.ID {
		t.Fatalf("resealed: %s, %v", fresh.Params, err)
	}
	if got, err := keys.OpenBox("pw", aid, fresh); err != nil || got != seed {
		t.Errorf("resealed box: %v", err)
	}
	if _, err := keys.ResealBox("pw", aid, old, NewSeed()); !errors.Is(err, ErrKeyMismatch) {
		t.Errorf("reseals another seed: %v", err)
	}
}

func TestParameters(t *testing.T) {
	t.Parallel()
	const salt = "000000000000000000000000g0"
	for s, ok := range map[string]bool{
		"argon2id,t=3,m=65536,p=4,salt=" + salt:     true,
		"argon2id,t=1,m=8,p=1,salt=" + salt:         true,
		"argon2id,t=16,m=1048576,p=16,salt=" + salt: true,
		"":                                                   false,
		"argon2i,t=3,m=65536,p=4,salt=" + salt:               false,
		"argon2id,t=0,m=65536,p=4,salt=" + salt:              false,
		"argon2id,t=17,m=65536,p=4,salt=" + salt:             false,
		"argon2id,t=3,m=1048577,p=4,salt=" + salt:            false,
		"argon2id,t=3,m=65536,p=17,salt=" + salt:             false,
		"argon2id,t=3,m=65536,p=260,salt=" + salt:            false,
		"argon2id,t=+3,m=65536,p=4,salt=" + salt:             false,
		"argon2id,t=03,m=65536,p=4,salt=" + salt:             false,
		"argon2id,m=65536,t=3,p=4,salt=" + salt:              false,
		"argon2id,t=3,m=65536,p=4,salt=" + salt[:25]:         false,
		"argon2id,t=3,m=65536,p=4,salt=" + salt[:25] + "1":   false, // bits behind the 16th octet
		"argon2id,t=3,m=65536,p=4," + salt:                   false,
		"argon2id,t=3,m=65536,p=4,salt=" + salt + ",x=1":     false,
		"argon2id,t=3,m=65536,p=4,salt=" + salt[:24] + "u00": false,
	} {
		if _, err := parseArgon(s); (err == nil) != ok {
			t.Errorf("%q: %v", s, err)
		}
	}
}

func TestUnusablePasswords(t *testing.T) {
	t.Parallel()
	keys := testKeys(t)
	for name, pw := range map[string]string{"long": strings.Repeat("ä", 257), "no UTF-8": "a\xff"} {
		if _, err := keys.SealBox(pw, store.AccountID{1}, NewSeed()); !errors.Is(err, ErrUnusablePassword) {
			t.Errorf("%s: %v", name, err)
		}
		keys.DummyBox(pw) // does the work of a good one
	}
	// 512 code points typed, 256 in NFC.
	if err := CheckPassword(strings.Repeat("a\u0308", 256)); err != nil {
		t.Errorf("256 composed letters: %v", err)
	}
}

func TestChainRefusesForeignKey(t *testing.T) {
	t.Parallel()
	keys, old := testKeys(t), NewSeed()
	oldID := PublicKeyID(old.Public())
	if _, err := keys.SealChain(NewSeed().Public(), store.AccountID{1}, oldID, oldID, old); !errors.Is(err, ErrKeyMismatch) {
		t.Errorf("chains to a key of another id: %v", err)
	}
	if _, err := keys.SealChain(nil, store.AccountID{1}, "", oldID, old); err == nil {
		t.Error("chains to no key")
	}
}

func TestSeedIsTheKeyPair(t *testing.T) {
	t.Parallel()
	s := NewSeed()
	if len(s.Public()) != publicLen || !bytes.Equal(s.Public(), s.Public()) || bytes.Equal(s.Public(), NewSeed().Public()) {
		t.Error("the public key does not follow from the seed")
	}
}

func TestRewrapRecords(t *testing.T) {
	t.Parallel()
	keys := testKeys(t)
	r := rewrapRecords(t, keys)
	before := keys.Current()
	id, err := keys.Add()
	if err != nil {
		t.Fatal(err)
	}
	if changed := r.rewrap(t, keys); changed != 0 {
		t.Errorf("%d records change before the new key seals", changed)
	}
	if err := keys.Promote(id); err != nil {
		t.Fatal(err)
	}
	r.open(t, keys)
	if changed := r.rewrap(t, keys); changed != 4 {
		t.Errorf("%d of 4 records change", changed)
	}
	if changed := r.rewrap(t, keys); changed != 0 {
		t.Errorf("%d records change twice", changed)
	}
	if err := keys.Remove(before); err != nil {
		t.Fatal(err)
	}
	r.open(t, keys)
}

// records is one record of each kind and what opens its values.
type records struct {
	link    LinkSecret
	parent  FileKey
	seed    Seed
	token   SessionToken
	message store.Message
	rcpt    store.Recipient
	account store.Account
	session store.Session
}

func rewrapRecords(t *testing.T, keys *ServerKeys) *records {
	t.Helper()
	r := &records{link: NewSecret(), parent: FileKey(random(16)), seed: NewSeed(), token: NewSessionToken()}
	k, fk, pub, aid := testRcpt(1), FileKey{9}, r.seed.Public(), store.AccountID{1}
	acct, err := keys.GrantAccount(pub, k.Message, fk)
	if err != nil {
		t.Fatal(err)
	}
	rec, err := GrantRecovery(pub, k.Message, fk)
	if err != nil {
		t.Fatal(err)
	}
	r.message = store.Message{ID: k.Message, MsgID: keys.SealMessageID(k.Message, "<a@b>"), Grants: []store.Grant{
		keys.GrantParent(r.parent, store.MessageID{3}, k.Message, fk), keys.GrantSender(r.link, k.Message, fk), rec}}
	r.rcpt = store.Recipient{Key: k, Grants: []store.Grant{keys.GrantLink(r.link, k, fk), acct}}
	cur, old := weakBox(keys, "pw", aid, r.seed), NewSeed()
	prev := weakBox(keys, "old", aid, old)
	prev.To = cur.ID
	if prev.Chain, err = keys.SealChain(pub, aid, cur.ID, prev.ID, old); err != nil {
		t.Fatal(err)
	}
	r.account = store.Account{ID: aid, Reminder: keys.SealReminder(aid, "phrase"), Keys: []store.KeyVersion{cur, prev}}
	r.session = store.Session{ID: r.token.ID(), Account: aid, Kind: store.SessionFull}
	r.session.Sealed = keys.SealSession(r.token, r.session.ID, aid, r.session.Kind, []byte("p"))
	return r
}

// rewrap counts the records that change.
func (r *records) rewrap(t *testing.T, keys *ServerKeys) (n int) {
	t.Helper()
	for _, f := range []func() (bool, error){
		func() (bool, error) { return keys.RewrapMessage(&r.message) },
		func() (bool, error) { return keys.RewrapRecipient(&r.rcpt) },
		func() (bool, error) { return keys.RewrapAccount(&r.account) },
		func() (bool, error) { return keys.RewrapSession(&r.session) },
	} {
		changed, err := f()
		if err != nil {
			t.Fatal(err)
		}
		if changed {
			n++
		}
	}
	return n
}

func (r *records) open(t *testing.T, keys *ServerKeys) {
	t.Helper()
	m, g, a := r.message, r.rcpt.Grants, r.account
	var errs []error
	try := func(_ any, err error) { errs = append(errs, err) }
	try(keys.OpenParent(r.parent, store.MessageID{3}, m.ID, m.Grants[0]))
	try(keys.OpenSender(r.link, m.ID, m.Grants[1]))
	try(OpenRecovery(r.seed, m.ID, m.Grants[2]))
	try(keys.OpenMessageID(m.ID, m.MsgID))
	try(keys.OpenLink(r.link, r.rcpt.Key, g[0]))
	try(keys.OpenAccount(r.seed, m.ID, g[1]))
	try(keys.OpenReminder(a.ID, a.Reminder))
	try(keys.OpenBox("pw", a.ID, a.Keys[0]))
	try(keys.OpenBox("old", a.ID, a.Keys[1]))
	try(keys.OpenChain(r.seed, a.ID, a.Keys[1].To, a.Keys[1].ID, a.Keys[1].Chain))
	try(keys.OpenSession(r.token, r.session.ID, a.ID, r.session.Kind, r.session.Sealed))
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func TestRewrapLeavesABrokenRecordAlone(t *testing.T) {
	t.Parallel()
	keys := testKeys(t)
	r := rewrapRecords(t, keys)
	other := testKeys(t)
	want := r.account.Reminder
	r.account.Keys[1].Chain[20] ^= 1
	id, err := keys.Add()
	if err != nil {
		t.Fatal(err)
	}
	if err := keys.Promote(id); err != nil {
		t.Fatal(err)
	}
	if _, err := keys.RewrapAccount(&r.account); !errors.Is(err, ErrServerLayer) || !bytes.Equal(r.account.Reminder, want) {
		t.Errorf("account: %v", err)
	}
	if _, err := other.RewrapMessage(&r.message); !errors.Is(err, ErrServerLayer) {
		t.Errorf("message under foreign keys: %v", err)
	}
	if _, err := other.RewrapRecipient(&r.rcpt); !errors.Is(err, ErrServerLayer) {
		t.Errorf("recipient under foreign keys: %v", err)
	}
	if _, err := other.RewrapSession(&r.session); !errors.Is(err, ErrServerLayer) {
		t.Errorf("session under foreign keys: %v", err)
	}
}
