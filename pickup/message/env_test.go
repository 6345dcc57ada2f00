package message_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/pickup/account"
	"postern/pickup/message"
	"postern/pickup/notify"
	"postern/store"
	"postern/store/blob"
	"postern/store/bolt"
	"postern/store/mail"
	"postern/store/outbox"
	"postern/store/seal"
)

const (
	password = "Blue lantern 42"
	canary   = "canary-9f27-in-the-body"
)

var (
	bob    = store.Address{Local: "bob", Domain: "mail.example"}
	carol  = store.Address{Local: "carol", Domain: "mail.example"}
	alice  = store.Address{Local: "alice", Domain: "example.org"}
	client = account.Client{IP: netip.MustParseAddr("192.0.2.7"), Browser: "Firefox 151 on Windows", Ref: "K7QF2M9D"}
)

// env is a Service on a real store, made inside a synctest bubble.
type env struct {
	t *testing.T
	*message.Service
	accounts *account.Service
	store    store.Store
	keys     *seal.ServerKeys
	outbox   *outbox.Outbox
	mails    *notify.Composer
	rec      *message.Recorder
	sender   *sender
	log      *bytes.Buffer
}

func newEnv(t *testing.T, change ...func(*message.Config)) *env {
	t.Helper()
	dir := t.TempDir()
	e := &env{t: t, log: &bytes.Buffer{}}
	log := slog.New(slog.NewTextHandler(e.log, nil))
	var err error
	e.store, err = bolt.Open(bolt.Config{Dir: dir, Blobs: blob.In(filepath.Join(dir, "blobs")), Log: log})
	must(t, err)
	t.Cleanup(func() { e.store.Close() })
	e.keys, err = seal.CreateServerKeys(filepath.Join(dir, "keys", "server.key"))
	must(t, err)
	ring, err := seal.OpenRing(filepath.Join(dir, "keys"), time.Now)
	must(t, err)
	t.Cleanup(func() { ring.Close() })
	e.outbox = outbox.New(outbox.Config{Ring: ring})
	e.mails, err = notify.New(notify.Config{
		Org:  notify.Organization{Name: "Example County Council", Domains: []string{"example.org"}, PostalAddress: "1 Market Place"},
		From: store.Address{Local: "securemail", Domain: "example.org"}, Host: "gw.example.org", SiteURL: "https://pickup.example.org",
	})
	must(t, err)
	e.rec = message.NewRecorder(e.store, log, time.Now)
	e.accounts = account.New(account.Config{Store: e.store, Keys: e.keys, Outbox: e.outbox, Mails: e.mails, Recorder: e.rec,
		SiteURL: "https://pickup.example.org", PerMinute: 1000, Now: time.Now, Log: log})
	e.sender = &sender{e: e}
	c := message.Config{Store: e.store, Keys: e.keys, Seeds: e.accounts, Outbox: e.outbox, Mails: e.mails, Sender: e.sender,
		Recorder: e.rec, Internal: func(d string) bool { return d == "example.org" }, Tags: []string{"secure"}, Now: time.Now, Log: log}
	for _, f := range change {
		f(&c)
	}
	e.Service = message.New(c)
	return e
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (e *env) update(f func(store.Tx) error) {
	e.t.Helper()
	must(e.t, e.store.Update(context.Background(), f))
}

func (e *env) view(f func(store.Tx) error) {
	e.t.Helper()
	must(e.t, e.store.View(context.Background(), f))
}

// letter is what alice sends.
type letter struct {
	to      []store.Address
	subject string
	from    *store.Address // envelope sender; nil: alice
	null    bool           // null sender
	list    bool
	noReply bool
	life    time.Duration
	big     bool   // over 64 KiB: in a blob
	replyTo string // field
}

// sealed is one recipient's share of what was accepted.
type sealed struct {
	secret seal.LinkSecret
	key    store.RcptKey
	notice store.RcptKey
}

func (l letter) raw() []byte {
	var names []string
	for _, a := range l.to {
		names = append(names, fmt.Sprintf("%q <%s>", strings.ToUpper(a.Local[:1])+a.Local[1:]+" Example", a))
	}
	subject := l.subject
	if subject == "" {
		subject = "[secure] Your plan"
	}
	head := "From: Alice Example <alice@example.org>\r\nTo: " + strings.Join(names, ", ") + "\r\nSubject: " + subject +
		"\r\nDate: Tue, 9 Jun 2026 10:42:00 +0100\r\nMessage-ID: <original@example.org>\r\n"
	if l.replyTo != "" {
		head += "Reply-To: " + l.replyTo + "\r\n"
	}
	body := "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n" + canary +
		"\r\n--b\r\nContent-Type: application/pdf; name=\"Care plan.pdf\"\r\nContent-Disposition: attachment\r\n" +
		"Content-Transfer-Encoding: base64\r\n\r\nAAAA\r\n--b--\r\n"
	if l.big {
		body += strings.Repeat("more of it\r\n", 10_000)
	}
	return []byte(head + body)
}

// deliver does what the intake does with a flagged mail.
func (e *env) deliver(l letter) []sealed {
	e.t.Helper()
	now := time.Now().UTC().Truncate(time.Millisecond)
	id := store.NewMessageID(now)
	raw := l.raw()
	body, fk, card := e.seal(id, raw)
	if l.life == 0 {
		l.life = 30 * 24 * time.Hour
	}
	m := store.Message{ID: id, At: now, From: &alice, Author: &alice, Size: int64(len(raw)), Card: card, Flagged: true, List: l.list,
		MsgID: e.keys.SealMessageID(id, "<original@example.org>"), Expires: now.Add(l.life), Refs: len(l.to)}
	if l.null {
		m.From = nil
	}
	if l.big {
		m.Blob = e.blob(body)
	}
	var out []sealed
	var rcpts []store.Recipient
	var own []outbox.Prepared
	for i, to := range l.to {
		r, s, p := e.recipient(m, uint32(i+1), to, fk)
		r.NoReply = l.noReply
		out, rcpts, own = append(out, s), append(rcpts, r), append(own, p)
	}
	e.update(func(tx store.Tx) error {
		err := tx.Messages().Create(m, rcpts)
		if err == nil && m.Blob.IsZero() {
			err = tx.Bodies().Put(id, body)
		}
		for _, p := range own {
			err = errors.Join(err, p.Put(tx))
		}
		return err
	})
	return out
}

func (e *env) seal(id store.MessageID, raw []byte) (body []byte, fk seal.FileKey, card []byte) {
	e.t.Helper()
	var buf bytes.Buffer
	w, err := seal.NewWriter(&buf, id)
	must(e.t, err)
	x := mail.NewIndexer()
	_, err = io.MultiWriter(w, x).Write(raw)
	must(e.t, err)
	must(e.t, w.Close())
	x.Close()
	fk = w.FileKey()
	return buf.Bytes(), fk, fk.SealCard(id, mail.NewCard(mail.ParseHeader(raw), x.Parts()).Encode())
}

func (e *env) blob(body []byte) store.BlobID {
	e.t.Helper()
	w, err := e.store.Blobs().Create(context.Background())
	must(e.t, err)
	_, err = w.Write(body)
	must(e.t, err)
	id, err := w.Commit()
	must(e.t, err)
	return id
}

func (e *env) recipient(m store.Message, n uint32, to store.Address, fk seal.FileKey) (store.Recipient, sealed, outbox.Prepared) {
	e.t.Helper()
	s := sealed{secret: seal.NewSecret(), key: store.RcptKey{Message: m.ID, N: n}}
	g := e.keys.GrantLink(s.secret, s.key, fk)
	g.Made = m.At
	r := store.Recipient{Key: s.key, Address: to, Sender: alice, Action: store.ActionSeal, State: store.StateQueued, Since: m.At,
		Expires: m.Expires, Grants: []store.Grant{g}, Links: []store.LinkID{g.Link}}
	e.view(func(tx store.Tx) error {
		a, err := tx.Accounts().ByAddress(to.Key())
		if errors.Is(err, store.ErrNotFound) || err == nil && (a.Standing != store.Confirmed || !a.Registered) {
			return nil
		}
		if key, ok := a.Current(); ok && err == nil {
			r.Account = a.ID
			g, err := e.keys.GrantAccount(key.Public, m.ID, fk)
			r.Grants = append(r.Grants, g)
			return err
		}
		return err
	})
	own, id, err := e.mails.Notification(notify.Notice{ID: store.NewMessageID(m.At), About: s.key, To: store.Rcpt{Address: to},
		Author: mail.Mailbox{Name: "Alice Example", Address: alice}, Sender: m.From, Sent: m.At, Expires: m.Expires,
		Link: "https://pickup.example.org/p/" + s.secret.Token(seal.TokenPickup)})
	must(e.t, err)
	p, err := e.outbox.Prepare(context.Background(), own)
	must(e.t, err)
	s.notice = p.Item().Key
	r.NoticeID, r.Own = id, []store.RcptKey{s.notice}
	return r, s, p
}

// sender does what the intake does with a reply: one relayed recipient, and a copy for the writer.
type sender struct {
	e    *env
	err  error
	env  store.Envelope
	read string
}

func (s *sender) AcceptReply(ctx context.Context, env store.Envelope, parent seal.FileKey, r io.Reader) (store.Receipt, error) {
	s.env = env
	if s.err != nil {
		return store.Receipt{}, s.err
	}
	raw, err := io.ReadAll(r)
	s.read = string(raw)
	if err != nil {
		return store.Receipt{}, err
	}
	body, fk, card := s.e.seal(env.ID, raw)
	var writer store.Account
	s.e.view(func(tx store.Tx) (err error) { writer, err = tx.Accounts().Get(env.Author); return err })
	key, _ := writer.Current()
	own, err := s.e.keys.GrantAccount(key.Public, env.ID, fk)
	if err != nil {
		return store.Receipt{}, err
	}
	m := store.Message{ID: env.ID, At: env.At, From: env.From, Writer: env.Author, Parent: env.Parent, Size: int64(len(raw)), Card: card,
		Grants: []store.Grant{s.e.keys.GrantParent(parent, env.Parent.Message, env.ID, fk), own}, Refs: 1 + len(env.Rcpts)}
	var rcpts []store.Recipient
	for i, to := range env.Rcpts {
		rcpts = append(rcpts, store.Recipient{Key: store.RcptKey{Message: env.ID, N: uint32(i + 1)}, Address: to.Address,
			Action: store.ActionRelay, State: store.StateQueued, Since: env.At, Internal: true})
	}
	err = s.e.store.Update(ctx, func(tx store.Tx) error {
		return errors.Join(tx.Messages().Create(m, rcpts), tx.Bodies().Put(env.ID, body))
	})
	return store.Receipt{ID: env.ID, Size: int64(len(raw))}, err
}

// person makes an account without password work: whoever holds the Signed is signed in.
func (e *env) person(to store.Address, standing store.Standing) account.Signed {
	e.t.Helper()
	seed := seal.NewSeed()
	pub := seed.Public()
	now := time.Now().UTC().Truncate(time.Millisecond)
	a := store.Account{Address: to, Status: store.StatusActive, Standing: standing, Registered: true, Created: now, RegisteredAt: now,
		Keys: []store.KeyVersion{{ID: seal.PublicKeyID(pub), Public: pub, State: store.KeyCurrent, Made: now}}}
	copy(a.ID[:], to.Key())
	e.update(func(tx store.Tx) error { return tx.Accounts().Create(a) })
	token := seal.NewSessionToken()
	return account.Signed{Account: e.account(a.ID), Seed: seed, Session: store.Session{ID: token.ID()}}
}

func (e *env) account(id store.AccountID) (a store.Account) {
	e.t.Helper()
	e.view(func(tx store.Tx) (err error) { a, err = tx.Accounts().Get(id); return err })
	return a
}

// again is the account of the next request.
func (e *env) again(who account.Signed) account.Signed {
	who.Account = e.account(who.Account.ID)
	return who
}

func (e *env) change(id store.AccountID, f func(*store.Account)) {
	e.t.Helper()
	e.update(func(tx store.Tx) error {
		a, err := tx.Accounts().Get(id)
		if err != nil {
			return err
		}
		f(&a)
		return tx.Accounts().Set(a)
	})
}

func (e *env) rcpt(k store.RcptKey) (r store.Recipient) {
	e.t.Helper()
	e.view(func(tx store.Tx) (err error) { r, err = tx.Messages().Recipient(k); return err })
	return r
}

func (e *env) set(k store.RcptKey, f func(*store.Recipient)) {
	e.t.Helper()
	e.update(func(tx store.Tx) error {
		r, err := tx.Messages().Recipient(k)
		if err != nil {
			return err
		}
		f(&r)
		return tx.Messages().Set(r)
	})
}

func (e *env) message(id store.MessageID) (m store.Message) {
	e.t.Helper()
	e.view(func(tx store.Tx) (err error) { m, err = tx.Messages().Get(id); return err })
	return m
}

// mailsOf are the waiting mails of a kind, in clear.
func (e *env) mailsOf(kind store.Kind) (out []string) {
	e.t.Helper()
	var items []store.QueueItem
	e.view(func(tx store.Tx) (err error) { items, _, err = tx.Queue().List("", "", 1000); return err })
	for _, item := range items {
		if item.Kind == kind {
			raw, _, err := e.outbox.Open(item)
			must(e.t, err)
			out = append(out, "To: "+item.To.Address.String()+"\n"+string(raw))
		}
	}
	return out
}

// events are those of a message, sorted by name.
func (e *env) events(id store.MessageID) (out []string) {
	e.t.Helper()
	e.view(func(tx store.Tx) error {
		out = nil
		list, _, err := tx.Audit().OfMessage(id, "", 1000)
		for _, ev := range list {
			out = append(out, fmt.Sprintf("%s.%d", strings.TrimPrefix(string(ev.What), "message."), ev.N))
		}
		return err
	})
	slices.Sort(out)
	return out
}

// same compares what a store holds before and after.
func (e *env) snapshot(keys ...store.RcptKey) string {
	e.t.Helper()
	var b strings.Builder
	for _, k := range keys {
		fmt.Fprintf(&b, "%+v\n%+v\n%v\n", e.rcpt(k), e.message(k.Message), e.events(k.Message))
	}
	return b.String()
}

// text is the body that an Opened reads.
func text(t testing.TB, o *message.Opened, err error) string {
	t.Helper()
	must(t, err)
	defer o.Close()
	raw, err := io.ReadAll(o.Body.Reader())
	must(t, err)
	return string(raw)
}
