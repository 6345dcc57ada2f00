package message_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"

	"postern/cmd/testbed"
	"postern/pickup/account"
	"postern/pickup/message"
	"postern/pickup/notify"
	"postern/store"
	"postern/store/mail"
	"postern/store/outbox"
	"postern/store/seal"
)

const (
	password = "Blue lantern 42"
	canary   = "canary-9f27-in-the-body"
)

var (
	must   = testbed.Must
	bob    = store.Address{Local: "bob", Domain: "mail.example"}
	carol  = store.Address{Local: "carol", Domain: "mail.example"}
	alice  = store.Address{Local: "alice", Domain: "example.org"}
	client = account.Client{IP: netip.MustParseAddr("192.0.2.7"), Browser: "Firefox 151 on Windows", Ref: "K7QF2M9D"}
)

// env is a Service on a real store, made inside a synctest bubble.
type env struct {
	*message.Service
	t        *testing.T
	bed      *testbed.Bed
	accounts *account.Service
	mails    *notify.Composer
	rec      *message.Recorder
	sender   *sender
}

func newEnv(t *testing.T, change ...func(*message.Config)) *env {
	t.Helper()
	e := &env{t: t, bed: testbed.New(t, time.Now)}
	b, log := e.bed, e.bed.Logger()
	var err error
	e.mails, err = notify.New(notify.Config{
		Org:  notify.Organization{Name: "Example County Council", Domains: []string{"example.org"}, PostalAddress: "1 Market Place"},
		From: store.Address{Local: "securemail", Domain: "example.org"}, Host: "gw.example.org", SiteURL: "https://pickup.example.org",
	})
	must(t, err)
	e.rec = message.NewRecorder(b.Store, log, time.Now)
	e.accounts = account.New(account.Config{Store: b.Store, Keys: b.Keys, Outbox: b.Outbox, Mails: e.mails, Recorder: e.rec,
		SiteURL: "https://pickup.example.org", PerMinute: 1000, Now: time.Now, Log: log})
	e.sender = &sender{e: e}
	c := message.Config{Store: b.Store, Keys: b.Keys, Seeds: e.accounts, Outbox: b.Outbox, Mails: e.mails, Sender: e.sender,
		Recorder: e.rec, Internal: func(d string) bool { return d == "example.org" }, Tags: []string{"secure"}, Now: time.Now, Log: log}
	for _, f := range change {
		f(&c)
	}
	e.Service = message.New(c)
	return e
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
		MsgID: e.bed.Keys.SealMessageID(id, "<original@example.org>"), Expires: now.Add(l.life), Refs: len(l.to)}
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
	e.bed.Update(func(tx store.Tx) error {
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
	w, err := e.bed.Store.Blobs().Create(context.Background())
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
	g := e.bed.Keys.GrantLink(s.secret, s.key, fk)
	g.Made = m.At
	r := store.Recipient{Key: s.key, Address: to, Sender: alice, Action: store.ActionSeal, State: store.StateQueued, Since: m.At,
		Expires: m.Expires, Grants: []store.Grant{g}, Links: []store.LinkID{g.Link}}
	e.bed.View(func(tx store.Tx) error {
		a, err := tx.Accounts().ByAddress(to.Key())
		if errors.Is(err, store.ErrNotFound) || err == nil && (a.Standing != store.Confirmed || !a.Registered) {
			return nil
		}
		if key, ok := a.Current(); ok && err == nil {
			r.Account = a.ID
			g, err := e.bed.Keys.GrantAccount(key.Public, m.ID, fk)
			r.Grants = append(r.Grants, g)
			return err
		}
		return err
	})
	own, id, err := e.mails.Notification(notify.Notice{ID: store.NewMessageID(m.At), About: s.key, To: store.Rcpt{Address: to},
		Author: mail.Mailbox{Name: "Alice Example", Address: alice}, Sender: m.From, Sent: m.At, Expires: m.Expires,
		Link: "https://pickup.example.org/p/" + s.secret.Token(seal.TokenPickup)})
	must(e.t, err)
	p, err := e.bed.Outbox.Prepare(context.Background(), own)
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
	s.e.bed.View(func(tx store.Tx) (err error) { writer, err = tx.Accounts().Get(env.Author); return err })
	key, _ := writer.Current()
	own, err := s.e.bed.Keys.GrantAccount(key.Public, env.ID, fk)
	if err != nil {
		return store.Receipt{}, err
	}
	m := store.Message{ID: env.ID, At: env.At, From: env.From, Writer: env.Author, Parent: env.Parent, Size: int64(len(raw)), Card: card,
		Grants: []store.Grant{s.e.bed.Keys.GrantParent(parent, env.Parent.Message, env.ID, fk), own}, Refs: 1 + len(env.Rcpts)}
	var rcpts []store.Recipient
	for i, to := range env.Rcpts {
		rcpts = append(rcpts, store.Recipient{Key: store.RcptKey{Message: env.ID, N: uint32(i + 1)}, Address: to.Address,
			Action: store.ActionRelay, State: store.StateQueued, Since: env.At, Internal: true})
	}
	err = s.e.bed.Store.Update(ctx, func(tx store.Tx) error {
		return errors.Join(tx.Messages().Create(m, rcpts), tx.Bodies().Put(env.ID, body))
	})
	return store.Receipt{ID: env.ID, Size: int64(len(raw))}, err
}

// person makes an account without password work: whoever holds the Signed is signed in.
func (e *env) person(to store.Address, standing store.Standing) account.Signed {
	e.t.Helper()
	a, seed := e.bed.Person(to, standing)
	return account.Signed{Account: a, Seed: seed, Session: store.Session{ID: seal.NewSessionToken().ID()}}
}

// again is the account of the next request.
func (e *env) again(who account.Signed) account.Signed {
	who.Account = e.bed.Account(who.Account.ID)
	return who
}

// snapshot is what a store holds of messages, to be compared before and after.
func (e *env) snapshot(keys ...store.RcptKey) string {
	e.t.Helper()
	var b strings.Builder
	for _, k := range keys {
		fmt.Fprintf(&b, "%+v\n%+v\n%v\n", e.bed.Rcpt(k), e.bed.Message(k.Message), e.bed.Events(k.Message))
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
