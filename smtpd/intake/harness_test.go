package intake

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/cmd/testbed"
	"postern/smtpd/policy"
	"postern/store"
	"postern/store/mail"
	"postern/store/seal"
)

var must = testbed.Must

// gate is an Intake on a store of its own. It is its own Notices and Reports.
type gate struct {
	*Intake
	t        *testing.T
	bed      *testbed.Bed
	notices  []Notice
	returned []Returned // what reports were to return of a message
	refused  []Refusal

	passwords []FirstPassword
}

func internal(domain string) bool { return store.DomainKey(domain) == "example.org" }

func newGate(t *testing.T, rules ...policy.Rule) *gate {
	t.Helper()
	p, err := policy.Compile(policy.Config{Tags: []string{"secure", "encrypt"}, NearMiss: true, Internal: internal, Rules: rules})
	must(t, err)
	g := &gate{t: t, bed: testbed.New(t, time.Now)}
	g.Intake = New(Config{
		Store: g.bed.Store, Policy: p, Keys: g.bed.Keys, Ring: g.bed.Ring, Threads: seal.MACKey{2}, Outbox: g.bed.Outbox,
		Notices: g, Reports: g, Internal: internal, Host: "gw.example.org", ExpireAfter: 30 * 24 * time.Hour, GiveUp: 5 * 24 * time.Hour,
		ThreadMemory: 400 * 24 * time.Hour, LogAddress: store.Address.String, Log: g.bed.Logger(), Now: time.Now,
	})
	return g
}

// own is a mail of ours with a Message-ID.
func own(id store.MessageID, kind store.Kind, to store.Rcpt, about store.RcptKey, text string) (store.OwnMail, string) {
	messageID := "<" + id.String() + "@gw.example.org>"
	now := time.Now()
	return store.OwnMail{ID: id, Kind: kind, To: to, About: about, At: now, GiveUp: now.Add(time.Hour),
		Raw: []byte("Message-ID: " + messageID + "\r\n\r\n" + text + "\r\n")}, messageID
}

func (g *gate) Notification(n Notice) (store.OwnMail, string, error) {
	g.notices = append(g.notices, n)
	m, id := own(n.ID, store.KindNotification, n.To, n.About, n.Link.Token(seal.TokenPickup))
	m.GiveUp = n.GiveUp
	return m, id, nil
}

func (g *gate) FirstPassword(p FirstPassword) (store.OwnMail, error) {
	g.passwords = append(g.passwords, p)
	m, _ := own(p.ID, store.KindAccount, store.Rcpt{Address: p.To}, store.RcptKey{}, "temporary password "+p.Password)
	m.GiveUp = p.GiveUp
	return m, nil
}

func (g *gate) Refused(env store.Envelope, what Returned, refused []Refusal) (store.OwnMail, error) {
	g.returned, g.refused = append(g.returned, what), append(g.refused, refused...)
	for _, r := range refused {
		if r.Rcpt.Notify.Wants(store.NotifyFailure) {
			m, _ := own(store.NewMessageID(time.Now()), store.KindDSN, store.Rcpt{Address: *env.From}, store.RcptKey{}, "refused")
			return m, nil
		}
	}
	return store.OwnMail{}, store.ErrNotFound
}

func addr(s string) store.Address {
	a, err := store.ParseAddress(s)
	if err != nil {
		panic("test address " + s)
	}
	return a
}

func envelope(from string, rcpts ...string) store.Envelope {
	now := time.Now().UTC().Truncate(time.Millisecond)
	env := store.Envelope{ID: store.NewMessageID(now), At: now, Client: store.Client{Class: store.ClientTrusted, Helo: "mail", IP: "192.0.2.1", ESMTP: true}}
	if from != "" {
		a := addr(from)
		env.From = &a
	}
	for _, r := range rcpts {
		env.Rcpts = append(env.Rcpts, store.Rcpt{Address: addr(r)})
	}
	return env
}

// disable makes a disabled account of an address.
func (g *gate) disable(address string) {
	g.t.Helper()
	a, _ := g.bed.Person(addr(address), store.Confirmed)
	g.bed.ChangeAccount(a.ID, func(a *store.Account) { a.Status = store.StatusDisabled })
}

// take gives the intake a message and demands that it is taken.
func (g *gate) take(env store.Envelope, raw string) store.Receipt {
	g.t.Helper()
	r, err := g.Accept(context.Background(), env, strings.NewReader(raw))
	must(g.t, err)
	return r
}

// send takes a message of alice.
func (g *gate) send(raw string, rcpts ...string) store.Receipt {
	g.t.Helper()
	return g.take(envelope("alice@example.org", rcpts...), raw)
}

// rows tells address, action and state of each recipient of a message.
func (g *gate) rows(id store.MessageID) (out []string) {
	g.t.Helper()
	for _, r := range g.bed.Recipients(id) {
		out = append(out, fmt.Sprint(r.Address, " ", r.Action, " ", r.State))
	}
	return out
}

func key(r store.Receipt, n uint32) store.RcptKey { return store.RcptKey{Message: r.ID, N: n} }

// item is what waits under a key.
func (g *gate) item(k store.RcptKey) (item store.QueueItem) {
	g.t.Helper()
	g.bed.View(func(tx store.Tx) (err error) { item, err = tx.Queue().Get(k); return err })
	return item
}

// relayed is the file key of a copy that waits for delivery.
func (g *gate) relayed(k store.RcptKey) seal.FileKey {
	g.t.Helper()
	item := g.item(k)
	fk, err := g.Ring.Unwrap(item.KeyID, k, item.Wrap)
	must(g.t, err)
	return fk
}

// linked is the file key that the link in a recipient's notification opens.
func (g *gate) linked(k store.RcptKey) seal.FileKey {
	g.t.Helper()
	r := g.bed.Rcpt(k)
	grant, ok := r.Grant(store.GrantLink)
	if !ok || len(r.Own) != 1 {
		g.t.Fatalf("recipient %s: link grant %t, mails %v", k, ok, r.Own)
	}
	raw, _, err := g.Outbox.Open(g.item(r.Own[0]))
	must(g.t, err)
	_, text, _ := strings.Cut(string(raw), "\r\n\r\n")
	secret, err := seal.ParseToken(seal.TokenPickup, text)
	must(g.t, err)
	fk, err := g.Keys.OpenLink(secret, k, grant)
	must(g.t, err)
	return fk
}

// body reads a stored message with its file key.
func (g *gate) body(id store.MessageID, fk seal.FileKey) string {
	g.t.Helper()
	m := g.bed.Message(id)
	var sealed io.ReaderAt
	if m.Blob.IsZero() {
		var inline []byte
		g.bed.View(func(tx store.Tx) (err error) { inline, err = tx.Bodies().Get(id); return err })
		sealed = bytes.NewReader(inline)
	} else {
		blob, err := g.Store.Blobs().Open(context.Background(), m.Blob)
		must(g.t, err)
		defer blob.Close()
		sealed = blob
	}
	b, err := seal.Open(sealed, m.Stored, id, fk)
	must(g.t, err)
	text, err := io.ReadAll(b.Reader())
	must(g.t, err)
	if m.Size != int64(len(text)) {
		g.t.Errorf("size is %d, said to be %d", len(text), m.Size)
	}
	return string(text)
}

// card opens a message's card.
func (g *gate) card(id store.MessageID, fk seal.FileKey) mail.Card {
	g.t.Helper()
	text, err := fk.OpenCard(id, g.bed.Message(id).Card)
	must(g.t, err)
	c, err := mail.DecodeCard(text)
	must(g.t, err)
	return c
}

// empty checks that nothing is stored but accounts, events, and who was refused.
func (g *gate) empty() {
	g.t.Helper()
	g.bed.View(func(tx store.Tx) error {
		rows, _, err := tx.Messages().List(store.Filter{}, "", 10)
		n, countErr := tx.Queue().Count()
		rows = slices.DeleteFunc(rows, func(r store.Recipient) bool { return r.State == store.StateRefused && len(r.Grants) == 0 })
		if len(rows) != 0 || n != 0 {
			g.t.Errorf("%d recipients and %d queue items are stored", len(rows), n)
		}
		return errors.Join(err, countErr)
	})
	if files := g.blobs(); len(files) != 0 {
		g.t.Errorf("blobs are left: %v", files)
	}
}

// blobs are all files of the blob folder.
func (g *gate) blobs() (files []string) {
	g.t.Helper()
	must(g.t, filepath.WalkDir(filepath.Join(g.bed.Dir, "blobs"), func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files = append(files, path)
		}
		return err
	}))
	return files
}

// isReply checks that an error is a reply with this code and these words.
func isReply(t *testing.T, err error, code int, words string) {
	t.Helper()
	var reply *store.ReplyError
	if !errors.As(err, &reply) || reply.Code != code || !strings.Contains(reply.Text, words) {
		t.Errorf("got %v; want %d %s", err, code, words)
	}
}

// letter is a message of alice with these fields in front.
func letter(fields ...string) string {
	return strings.Join(append(fields, "From: Alice Example <alice@example.org>", "Date: Tue, 9 Jun 2026 10:42:00 +0100"), "\r\n") +
		"\r\n\r\nthe body\r\n"
}

// tagged is a flagged letter.
func tagged(fields ...string) string { return letter(append(fields, "Subject: [secure] Your plan")...) }

// slow reads a message piece by piece, and does something once before its end.
type slow struct {
	*strings.Reader
	do func()
}

func slowly(raw string, do func()) *slow { return &slow{strings.NewReader(raw), do} }

func (s *slow) Read(p []byte) (int, error) {
	if s.Len() < 10 && s.do != nil {
		s.do()
		s.do = nil
	}
	return s.Reader.Read(p[:min(len(p), 8)])
}

// faulty does something before each Update, and may end it.
type faulty struct {
	store.Store
	before func() error
}

func (f *faulty) Update(ctx context.Context, do func(store.Tx) error) error {
	if err := f.before(); err != nil {
		return err
	}
	return f.Store.Update(ctx, do)
}
