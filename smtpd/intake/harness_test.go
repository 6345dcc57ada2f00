package intake

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"postern/smtpd/policy"
	"postern/store"
	"postern/store/blob"
	"postern/store/bolt"
	"postern/store/outbox"
	"postern/store/seal"
)

// gate is an Intake on a store of its own. It is its own Notices and Reports.
type gate struct {
	*Intake
	t        *testing.T
	returned []Returned // what reports were to return of a message
	refused  []Refusal
	excerpts []store.Excerpt // of notifications
}

func internal(domain string) bool { return store.DomainKey(domain) == "example.org" }

func newGate(t *testing.T, rules ...policy.Rule) *gate {
	t.Helper()
	dir := t.TempDir()
	db, err := bolt.Open(bolt.Config{Dir: dir, Blobs: blob.In(filepath.Join(dir, "blobs"))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	keys, err := seal.CreateServerKeys(filepath.Join(dir, "server.key"))
	if err != nil {
		t.Fatal(err)
	}
	ring, err := seal.OpenRing(filepath.Join(dir, "keys"), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ring.Close() })
	p, err := policy.Compile(policy.Config{Tags: []string{"secure", "encrypt"}, NearMiss: true, Internal: internal, Rules: rules})
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{t: t}
	g.Intake = New(Config{
		Store: db, Policy: p, Keys: keys, Ring: ring, Threads: seal.MACKey{2}, Outbox: outbox.New(outbox.Config{Ring: ring, Origin: seal.MACKey{1}}),
		Notices: g, Reports: g, Internal: internal, Host: "gw.example.org", ExpireAfter: 30 * 24 * time.Hour, GiveUp: 5 * 24 * time.Hour,
		ThreadMemory: 400 * 24 * time.Hour, LogAddress: store.Address.String, Log: slog.New(slog.DiscardHandler), Now: time.Now,
	})
	return g
}

// own is a mail of ours with a Message-ID.
func own(id store.MessageID, kind store.Kind, to store.Rcpt, about store.RcptKey) (store.OwnMail, string) {
	messageID := "<" + id.String() + "@gw.example.org>"
	now := time.Now()
	return store.OwnMail{ID: id, Kind: kind, To: to, About: about, At: now, GiveUp: now.Add(time.Hour),
		Raw: []byte("Message-ID: " + messageID + "\r\n\r\nHello\r\n")}, messageID
}

func (g *gate) Notification(n Notice) (store.OwnMail, string, error) {
	g.excerpts = append(g.excerpts, n.Original)
	m, id := own(n.ID, store.KindNotification, n.To, n.About)
	return m, id, nil
}

func (g *gate) Refused(env store.Envelope, what Returned, refused []Refusal) (store.OwnMail, error) {
	g.returned, g.refused = append(g.returned, what), append(g.refused, refused...)
	for _, r := range refused {
		if r.Rcpt.Notify.Wants(store.NotifyFailure) {
			m, _ := own(store.NewMessageID(time.Now()), store.KindDSN, store.Rcpt{Address: *env.From}, store.RcptKey{})
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
	err := g.Store.Update(context.Background(), func(tx store.Tx) error {
		return tx.Accounts().Create(store.Account{ID: store.AccountID{9}, Address: addr(address), Status: store.StatusDisabled})
	})
	if err != nil {
		g.t.Fatal(err)
	}
}

// take gives the intake a message and demands that it is taken.
func (g *gate) take(env store.Envelope, raw string) {
	g.t.Helper()
	if _, err := g.Accept(context.Background(), env, strings.NewReader(raw)); err != nil {
		g.t.Fatal(err)
	}
}

// rows tells address, action and state of each recipient of a message.
func (g *gate) rows(id store.MessageID) (out []string) {
	g.t.Helper()
	err := g.Store.View(context.Background(), func(tx store.Tx) error {
		list, _, err := tx.Messages().Recipients(id, "", 2000)
		out = nil
		for _, r := range list {
			out = append(out, fmt.Sprint(r.Address, " ", r.Action, " ", r.State))
		}
		return err
	})
	if err != nil {
		g.t.Fatal(err)
	}
	return out
}

// queue lists the items of the queue.
func (g *gate) queue() (items []store.QueueItem) {
	g.t.Helper()
	err := g.Store.View(context.Background(), func(tx store.Tx) (err error) {
		items, _, err = tx.Queue().List("", "", 2000)
		return err
	})
	if err != nil {
		g.t.Fatal(err)
	}
	return items
}
