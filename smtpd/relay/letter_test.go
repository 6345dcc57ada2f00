package relay_test

import (
	"bytes"
	"fmt"
	"io"
	"time"

	"postern/store"
	"postern/store/outbox"
	"postern/store/seal"
)

// letter is a message to put into the store.
type letter struct {
	from     string // empty: null sender
	rcpts    []store.Rcpt
	raw      string
	ret      store.Ret
	envid    string
	utf8     bool
	needTLS  bool
	flagged  bool
	eightBit bool
	blob     bool
	due      time.Duration // after now
	giveUp   time.Duration // 0: 5 days
	kind     store.Kind
	writer   store.AccountID
	author   *store.Address // of the From field, as intake found it
	client   store.ClientClass
}

const plainMail = "From: alice@example.org\r\nTo: bob@ext.example\r\nSubject: Figures\r\nMessage-ID: <m1@example.org>\r\n\r\nHello\r\n"

func to(addresses ...string) []store.Rcpt {
	var out []store.Rcpt
	for _, a := range addresses {
		out = append(out, store.Rcpt{Address: addr(a)})
	}
	return out
}

func address(s string) *store.Address {
	if s == "" {
		return nil
	}
	a := addr(s)
	return &a
}

// put stores a message that passes through, with an item per recipient.
func (e *env) put(l letter) store.MessageID {
	e.t.Helper()
	if l.raw == "" {
		l.raw = plainMail
	}
	if l.giveUp == 0 {
		l.giveUp = 5 * 24 * time.Hour
	}
	if l.kind == "" {
		l.kind = store.KindRelay
	}
	now := time.Now()
	id := store.NewMessageID(now)
	body, key := e.seal(id, l.raw)
	m := store.Message{
		ID: id, At: now, From: address(l.from), Ret: l.ret, EnvID: l.envid, UTF8: l.utf8, EightBit: l.eightBit, Flagged: l.flagged,
		Received: "Received: from test by gw.example.org (Postern) id " + id.String() + "\r\n", Size: int64(len(l.raw)),
		Stored: int64(len(body)), Refs: len(l.rcpts), Writer: l.writer, Author: l.author,
		Client: store.Client{Class: l.client},
	}
	if l.blob {
		m.Blob = e.blob(body)
	}
	var rcpts []store.Recipient
	var items []store.QueueItem
	for i, r := range l.rcpts {
		k := store.RcptKey{Message: id, N: uint32(i + 1)}
		rcpts = append(rcpts, store.Recipient{
			Key: k, Address: r.Address, Action: store.ActionRelay, State: store.StateQueued, Since: now, Notify: r.Notify, ORcpt: r.ORcpt,
		})
		kid, wrap, err := e.ring.Wrap(k, key)
		if err != nil {
			e.t.Fatal(err)
		}
		items = append(items, store.QueueItem{
			Key: k, Kind: l.kind, Domain: store.DomainKey(r.Address.Domain), From: m.From, To: r, Ret: l.ret, EnvID: l.envid,
			UTF8: l.utf8, EightBit: l.eightBit, Size: m.Size, NeedTLS: l.needTLS, KeyID: kid, Wrap: wrap, Arrived: now,
			Due: now.Add(l.due), GiveUp: now.Add(l.giveUp),
		})
	}
	e.update(func(tx store.Tx) error {
		if err := tx.Messages().Create(m, rcpts); err != nil {
			return err
		}
		for _, item := range items {
			if err := tx.Queue().Put(item); err != nil {
				return err
			}
		}
		if l.blob {
			return nil
		}
		return tx.Bodies().Put(id, body)
	})
	return id
}

func (e *env) seal(id store.MessageID, raw string) ([]byte, seal.FileKey) {
	e.t.Helper()
	var body bytes.Buffer
	w, err := seal.NewWriter(&body, id)
	if err != nil {
		e.t.Fatal(err)
	}
	if _, err := io.WriteString(w, raw); err != nil {
		e.t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		e.t.Fatal(err)
	}
	return body.Bytes(), w.FileKey()
}

func (e *env) blob(body []byte) store.BlobID {
	e.t.Helper()
	w, err := e.store.Blobs().Create(e.t.Context())
	if err != nil {
		e.t.Fatal(err)
	}
	if _, err := w.Write(body); err != nil {
		e.t.Fatal(err)
	}
	id, err := w.Commit()
	if err != nil {
		e.t.Fatal(err)
	}
	return id
}

const bounceAddress = "bounce+abc@gw.example.org"

// putSealed stores a sealed message for one recipient and queues its notification.
func (e *env) putSealed(from string, r store.Rcpt, change func(*store.Message, *store.Recipient)) (about store.RcptKey, item store.RcptKey) {
	e.t.Helper()
	now := time.Now()
	id := store.NewMessageID(now)
	body, _ := e.seal(id, plainMail)
	about = store.RcptKey{Message: id, N: 1}
	m := store.Message{
		ID: id, At: now, From: address(from), EnvID: "env-1", Size: int64(len(plainMail)), Stored: int64(len(body)), Refs: 1, Flagged: true,
		Card: []byte("card"), Grants: []store.Grant{{Kind: store.GrantRecovery, Key: "k", Data: []byte("r")}}, Expires: now.Add(30 * 24 * time.Hour),
	}
	rcpt := store.Recipient{
		Key: about, Address: r.Address, Action: store.ActionSeal, State: store.StateQueued, Since: now, Notify: r.Notify, ORcpt: r.ORcpt,
		Expires: m.Expires, Grants: []store.Grant{{Kind: store.GrantLink, Data: []byte("g")}},
	}
	own := e.prepare(store.OwnMail{
		Kind: store.KindNotification, From: address(bounceAddress), To: store.Rcpt{Address: r.Address, Notify: store.NotifyFailure | store.NotifyDelay},
		Ret: store.RetHdrs, EnvID: id.String(), About: about,
		Excerpt: store.Excerpt{From: "alice@example.org", To: r.Address.String(), Subject: "[secure] Salaries", MessageID: "<m1@example.org>"},
	})
	item = own.Item().Key
	rcpt.Own = []store.RcptKey{item}
	if change != nil {
		change(&m, &rcpt)
	}
	e.update(func(tx store.Tx) error {
		if err := tx.Messages().Create(m, []store.Recipient{rcpt}); err != nil {
			return err
		}
		if err := tx.Bodies().Put(id, body); err != nil {
			return err
		}
		return own.Put(tx)
	})
	return about, item
}

// prepare fills in what a mail of ours needs and seals it.
func (e *env) prepare(m store.OwnMail) outbox.Prepared {
	e.t.Helper()
	now := time.Now()
	m.ID, m.At = store.NewMessageID(now), now
	if m.GiveUp.IsZero() {
		m.GiveUp = now.Add(5 * 24 * time.Hour)
	}
	if m.Raw == nil {
		m.Raw = fmt.Appendf(nil, "From: securemail@example.org\r\nTo: %s\r\nSubject: A secure message\r\nMessage-ID: <%s@gw.example.org>\r\n\r\n"+
			"https://mail.example.org/p/%s\r\n", m.To.Address, m.ID, pickupToken)
	}
	p, err := e.outbox.Prepare(e.t.Context(), m)
	if err != nil {
		e.t.Fatal(err)
	}
	return p
}

// pickupToken has the form of KEYS K2.
const pickupToken = "1000g40r40m30e209185gr38e1w8124gk9d90"

func (e *env) putOwn(m store.OwnMail) store.RcptKey {
	p := e.prepare(m)
	e.update(p.Put)
	return p.Item().Key
}
