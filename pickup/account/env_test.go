package account_test

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"io"
	"net/netip"
	"regexp"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/argon2"

	"postern/cmd/testbed"
	"postern/pickup/account"
	"postern/pickup/notify"
	"postern/store"
	"postern/store/seal"
)

const (
	password = "Blue lantern 42"
	wrong    = "Grey lantern 43"
)

var (
	must   = testbed.Must
	bob    = store.Address{Local: "Bob", Domain: "mail.example"}
	author = store.Address{Local: "alice", Domain: "example.org"}
)

// env is a Service on a real store, with a real key file and queue. It is made inside a synctest bubble.
type env struct {
	*account.Service
	t      *testing.T
	bed    *testbed.Bed
	config account.Config
	rec    *recorder
}

func newEnv(t *testing.T, change ...func(*account.Config)) *env {
	t.Helper()
	e := &env{t: t, bed: testbed.New(t, time.Now), rec: &recorder{}}
	mails, err := notify.New(notify.Config{
		Org:  notify.Organization{Name: "Example County Council", Domains: []string{"example.org"}, PostalAddress: "1 Market Place"},
		From: store.Address{Local: "securemail", Domain: "example.org"}, Host: "gw.example.org", SiteURL: "https://pickup.example.org",
	})
	must(t, err)
	e.config = account.Config{
		Store: e.bed.Store, Keys: e.bed.Keys, Outbox: e.bed.Outbox, Mails: mails, Recorder: e.rec, SiteURL: "https://pickup.example.org/",
		Organization: []string{"Example County Council"}, KeepLoggedIn: true, PerMinute: 1000, Cores: 4, Now: time.Now,
		Later: func(job func(context.Context)) bool { job(context.Background()); return true },
		Log:   e.bed.Logger(),
	}
	for _, f := range change {
		f(&e.config)
	}
	e.Service = account.New(e.config)
	return e
}

// recorder keeps what would be written beside the requests.
type recorder struct {
	mu     sync.Mutex
	seen   map[store.SessionID]time.Time
	events []store.Event
}

func (r *recorder) LastSeen(id store.SessionID, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seen == nil {
		r.seen = make(map[store.SessionID]time.Time)
	}
	r.seen[id] = at
}

func (r *recorder) Record(e store.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
}

// sealed puts a sealed message for an address into the store and returns the secret of its link.
func (e *env) sealed(to store.Address) (seal.LinkSecret, store.RcptKey) {
	e.t.Helper()
	now := time.Now().UTC().Truncate(time.Millisecond)
	id := store.NewMessageID(now)
	w, err := seal.NewWriter(io.Discard, id)
	must(e.t, err)
	secret, key := seal.NewSecret(), store.RcptKey{Message: id, N: 1}
	g := e.bed.Keys.GrantLink(secret, key, w.FileKey())
	g.Made = now
	m := store.Message{ID: id, At: now, From: &author, Author: &author, Refs: 1, Flagged: true, Expires: now.Add(30 * 24 * time.Hour)}
	r := store.Recipient{Key: key, Address: to, Sender: author, Action: store.ActionSeal, State: store.StateNotified, Since: now,
		Expires: m.Expires, Grants: []store.Grant{g}, Links: []store.LinkID{g.Link}}
	e.bed.Update(func(tx store.Tx) error { return tx.Messages().Create(m, []store.Recipient{r}) })
	return secret, key
}

var client = account.Client{IP: netip.MustParseAddr("192.0.2.7"), Browser: "Firefox 151 on Windows", Ref: "K7QF2M9D"}

func (e *env) register(secret seal.LinkSecret) account.Signed {
	e.t.Helper()
	who, err := e.Register(context.Background(), account.Registration{Secret: secret, Password: password, Client: client})
	must(e.t, err)
	return who
}

// events are those of an account, newest first.
func (e *env) events(id store.AccountID) (list []store.What) {
	e.t.Helper()
	e.bed.View(func(tx store.Tx) error {
		list = nil
		events, _, err := tx.Audit().OfAccount(id, "", 100)
		for _, ev := range events {
			list = append(list, ev.What)
		}
		return err
	})
	return list
}

// event is the newest one of an account of its kind.
func (e *env) event(id store.AccountID, what store.What) (found store.Event) {
	e.t.Helper()
	e.bed.View(func(tx store.Tx) error {
		events, _, err := tx.Audit().OfAccount(id, "", 100)
		for _, ev := range events {
			if ev.What == what {
				found = ev
				break
			}
		}
		return err
	})
	return found
}

// lookup is the account that has an address.
func (e *env) lookup(address store.Address) (a store.Account) {
	e.t.Helper()
	e.bed.View(func(tx store.Tx) (err error) {
		a, err = tx.Accounts().ByAddress(address.Key())
		return err
	})
	return a
}

var welcomeLink = regexp.MustCompile(`https://pickup\.example\.org/w/([0-9a-z]{37})`)

// welcome is the token in the newest welcome mail that waits.
func (e *env) welcome() string {
	e.t.Helper()
	token := ""
	var newest time.Time
	for _, item := range e.bed.Queue() {
		if item.Kind != store.KindWelcome || item.Arrived.Before(newest) {
			continue
		}
		raw, _, err := e.bed.Outbox.Open(item)
		must(e.t, err)
		if m := welcomeLink.FindSubmatch(raw); m != nil {
			token, newest = string(m[1]), item.Arrived
		}
	}
	if token == "" {
		e.t.Fatal("no welcome mail waits")
	}
	return token
}

// quick makes a confirmed account whose box has cheap, old parameters, by the rules of KEYS K1 and K7.
func (e *env) quick(to store.Address) (store.AccountID, seal.Seed) {
	e.t.Helper()
	var id store.AccountID
	copy(id[:], to.Key())
	seed := seal.NewSeed()
	pub := seed.Public()
	kid := seal.PublicKeyID(pub)
	salt := []byte("sixteen octets..")
	params := "argon2id,t=1,m=8,p=1,salt=" + store.EncodeB32(salt)
	a := argon2.IDKey([]byte(password), salt, 1, 8, 1, 32)
	k, err := hkdf.Key(sha256.New, a, nil, string(contextOf("password", id.String(), string(kid))), 32)
	must(e.t, err)
	block, err := aes.NewCipher(k)
	must(e.t, err)
	gcm, err := cipher.NewGCMWithRandomNonce(block)
	must(e.t, err)
	box := gcm.Seal(nil, nil, seed[:], contextOf("password", id.String(), string(kid), params))
	key := store.KeyVersion{ID: kid, Public: pub, State: store.KeyCurrent, Params: params,
		Box: e.bed.Keys.Seal([]string{"box", id.String(), string(kid)}, box)}
	now := time.Now().UTC()
	e.bed.Update(func(tx store.Tx) error {
		return tx.Accounts().Create(store.Account{ID: id, Address: to, Status: store.StatusActive, Standing: store.Confirmed,
			Registered: true, Keys: []store.KeyVersion{key}, Created: now, RegisteredAt: now})
	})
	return id, seed
}

// contextOf is C(…) of KEYS K1.
func contextOf(parts ...string) (out []byte) {
	for _, p := range append([]string{"postern/v1"}, parts...) {
		out = binary.BigEndian.AppendUint16(out, uint16(len(p)))
		out = append(out, p...)
	}
	return out
}
