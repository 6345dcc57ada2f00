// Package testbed gives tests a gateway's storage as it is in service: a bolt store with its blobs, a server key file, a
// ring of queue keys and an outbox, in a folder of the test's own. Tests of every package may import it.
//
// Its methods end the test on any error, so that a test says what it is about and nothing else.
package testbed

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/cmd/testlog"
	"postern/store"
	"postern/store/blob"
	"postern/store/bolt"
	"postern/store/outbox"
	"postern/store/seal"
)

// Bed is an open store with its keys. It is closed when the test ends.
type Bed struct {
	T      testing.TB
	Dir    string // all that is stored
	Now    func() time.Time
	Store  store.Store
	Keys   *seal.ServerKeys
	Ring   *seal.Ring
	Outbox *outbox.Outbox
	Log    *testlog.Log
}

// New opens a bed by a clock.
func New(t testing.TB, now func() time.Time) *Bed {
	t.Helper()
	b := &Bed{T: t, Dir: t.TempDir(), Now: now, Log: &testlog.Log{}}
	var err error
	b.Store, err = bolt.Open(bolt.Config{Dir: b.Dir, Blobs: blob.In(filepath.Join(b.Dir, "blobs")), Now: now, Log: b.Logger()})
	Must(t, err)
	t.Cleanup(func() { b.Store.Close() })
	b.Keys, err = seal.CreateServerKeys(filepath.Join(b.Dir, "keys", "server.key"))
	Must(t, err)
	b.Ring, err = seal.OpenRing(filepath.Join(b.Dir, "keys"), now)
	Must(t, err)
	t.Cleanup(func() { b.Ring.Close() })
	b.Outbox = outbox.New(outbox.Config{Ring: b.Ring, Origin: seal.MACKey{1}})
	return b
}

// Must ends the test on an error.
func Must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Logger writes to Log.
func (b *Bed) Logger() *slog.Logger { return slog.New(slog.NewTextHandler(b.Log, nil)) }

// Update runs f in a transaction.
func (b *Bed) Update(f func(store.Tx) error) {
	b.T.Helper()
	Must(b.T, b.Store.Update(context.Background(), f))
}

// View runs f on a snapshot.
func (b *Bed) View(f func(store.Tx) error) {
	b.T.Helper()
	Must(b.T, b.Store.View(context.Background(), f))
}

// Message reads a message's record.
func (b *Bed) Message(id store.MessageID) (m store.Message) {
	b.T.Helper()
	b.View(func(tx store.Tx) (err error) { m, err = tx.Messages().Get(id); return err })
	return m
}

// Rcpt reads a recipient.
func (b *Bed) Rcpt(k store.RcptKey) (r store.Recipient) {
	b.T.Helper()
	b.View(func(tx store.Tx) (err error) { r, err = tx.Messages().Recipient(k); return err })
	return r
}

// Recipients reads all recipients of a message.
func (b *Bed) Recipients(id store.MessageID) (list []store.Recipient) {
	b.T.Helper()
	b.View(func(tx store.Tx) (err error) { list, _, err = tx.Messages().Recipients(id, "", 10_000); return err })
	return list
}

// ChangeRcpt reads, edits and writes a recipient.
func (b *Bed) ChangeRcpt(k store.RcptKey, edit func(*store.Recipient)) {
	b.T.Helper()
	b.Update(func(tx store.Tx) error {
		r, err := tx.Messages().Recipient(k)
		if err != nil {
			return err
		}
		edit(&r)
		return tx.Messages().Set(r)
	})
}

// Account reads an account.
func (b *Bed) Account(id store.AccountID) (a store.Account) {
	b.T.Helper()
	b.View(func(tx store.Tx) (err error) { a, err = tx.Accounts().Get(id); return err })
	return a
}

// ChangeAccount reads, edits and writes an account.
func (b *Bed) ChangeAccount(id store.AccountID, edit func(*store.Account)) {
	b.T.Helper()
	b.Update(func(tx store.Tx) error {
		a, err := tx.Accounts().Get(id)
		if err != nil {
			return err
		}
		edit(&a)
		return tx.Accounts().Set(a)
	})
}

// Person makes a registered account without password work, and returns it with the seed of its key.
func (b *Bed) Person(address store.Address, standing store.Standing) (store.Account, seal.Seed) {
	b.T.Helper()
	seed := seal.NewSeed()
	pub := seed.Public()
	now := b.Now().UTC().Truncate(time.Millisecond)
	a := store.Account{Address: address, Status: store.StatusActive, Standing: standing, Registered: true, Created: now,
		RegisteredAt: now, Keys: []store.KeyVersion{{ID: seal.PublicKeyID(pub), Public: pub, State: store.KeyCurrent, Made: now}}}
	copy(a.ID[:], address.Key())
	b.Update(func(tx store.Tx) error { return tx.Accounts().Create(a) })
	return b.Account(a.ID), seed
}

// Queue reads all that waits.
func (b *Bed) Queue() (items []store.QueueItem) {
	b.T.Helper()
	b.View(func(tx store.Tx) (err error) { items, _, err = tx.Queue().List("", "", 10_000); return err })
	return items
}

// Mails are the waiting mails of ours of a kind, in clear.
func (b *Bed) Mails(kind store.Kind) (mails []string) {
	b.T.Helper()
	for _, item := range b.Queue() {
		if item.Kind == kind {
			raw, _, err := b.Outbox.Open(item)
			Must(b.T, err)
			mails = append(mails, "To: "+item.To.Address.String()+"\n"+string(raw))
		}
	}
	return mails
}

// Events are those of a message, as "accepted.0", sorted.
func (b *Bed) Events(id store.MessageID) (list []string) {
	b.T.Helper()
	b.View(func(tx store.Tx) error {
		list = nil
		events, _, err := tx.Audit().OfMessage(id, "", 10_000)
		for _, e := range events {
			list = append(list, fmt.Sprintf("%s.%d", strings.TrimPrefix(string(e.What), "message."), e.N))
		}
		return err
	})
	slices.Sort(list)
	return list
}
