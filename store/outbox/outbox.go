// Package outbox is the one way in which Postern sends a mail of its own.
//
// Flow: a composer renders a complete mail; Prepare, outside any transaction, marks it as ours and seals it under the
// queue key of the hour; Prepared.Put, inside the transaction of the fact that the mail tells, puts the queue item and
// does nothing else. So the fact and its mail are stored together or not at all, and the function given to
// store.Update may run twice. The relay calls Open when the item is due.
//
// Duty. A notification carries the link that opens a message: between composing and delivery it lies nowhere but
// under a queue key (KEYS K4). The origin mark lets a mail of ours that comes back through the listener be recognised
// and relayed rather than sealed again; its MAC covers Message-ID, kind and envelope recipients, so the mark of one
// mail vouches for no other (MAIL 6.2).
package outbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"postern/store"
	"postern/store/seal"
)

// Config is what an Outbox needs.
type Config struct {
	Ring   *seal.Ring
	Origin seal.MACKey // of the origin mark; the same on every start
}

// Outbox prepares mails of our own for the queue. Its methods may be called from several goroutines.
type Outbox struct {
	ring   *seal.Ring
	origin *seal.MACKey // a pointer, so that formatting an Outbox does not show it
}

// New makes an Outbox.
func New(c Config) *Outbox { return &Outbox{ring: c.Ring, origin: &c.Origin} }

// Prepared is a sealed mail that waits for its transaction.
type Prepared struct{ item store.QueueItem }

// sealed is what a queue item of ours holds.
type sealed struct {
	Mail    []byte        `json:"mail"`
	Excerpt store.Excerpt `json:"excerpt,omitzero"`
}

// Prepare marks the mail as ours and seals it with its excerpt. It is called outside any transaction. A mail that lacks
// recipient, Message-ID, id or a time to give up, or has an origin mark already, is refused: it is badly composed.
func (o *Outbox) Prepare(ctx context.Context, m store.OwnMail) (Prepared, error) {
	if err := ctx.Err(); err != nil {
		return Prepared{}, err
	}
	item, err := o.prepare(m)
	if err != nil {
		return Prepared{}, fmt.Errorf("prepare %s mail %s: %w", m.Kind, m.ID, err)
	}
	return Prepared{item: item}, nil
}

// Compose prepares the mail that compose makes of m.
func Compose[M any](ctx context.Context, o *Outbox, m M, compose func(M) (store.OwnMail, error)) (Prepared, error) {
	own, err := compose(m)
	if err != nil {
		return Prepared{}, fmt.Errorf("compose mail: %w", err)
	}
	return o.Prepare(ctx, own)
}

func (o *Outbox) prepare(m store.OwnMail) (store.QueueItem, error) {
	if err := check(m); err != nil {
		return store.QueueItem{}, err
	}
	messageID, err := headerMessageID(m.Raw)
	if err != nil {
		return store.QueueItem{}, err
	}
	field := originField + ": " + o.OriginField(Mark{Kind: m.Kind, NeedTLS: m.NeedTLS}, messageID, []store.AddressKey{m.To.Address.Key()}) + "\r\n"
	raw := append([]byte(field), m.Raw...)
	plain, err := json.Marshal(sealed{Mail: raw, Excerpt: m.Excerpt})
	if err != nil {
		return store.QueueItem{}, err
	}
	key := store.RcptKey{Message: m.ID}
	keyID, box, err := o.ring.SealMail(key, plain)
	if err != nil {
		return store.QueueItem{}, err
	}
	item := itemOf(m)
	item.Key, item.KeyID, item.Sealed, item.Size, item.EightBit = key, keyID, box, int64(len(raw)), eightBit(raw)
	return item, nil
}

func check(m store.OwnMail) error {
	switch {
	case m.ID.IsZero():
		return errors.New("it has no id")
	case m.Kind == "" || m.Kind == store.KindRelay:
		return errors.New("it is of no kind of own mail")
	case m.To.Address.IsZero():
		return errors.New("it has no recipient")
	case m.At.IsZero() || !m.GiveUp.After(m.At):
		return errors.New("its time to give up is not after its time")
	}
	return nil
}

func itemOf(m store.OwnMail) store.QueueItem {
	at := stamp(m.At)
	return store.QueueItem{
		Kind:    m.Kind,
		Domain:  store.DomainKey(m.To.Address.Domain),
		From:    m.From,
		To:      m.To,
		Ret:     m.Ret,
		EnvID:   m.EnvID,
		UTF8:    m.UTF8,
		NeedTLS: m.NeedTLS,
		About:   m.About,
		Arrived: at,
		Due:     at,
		GiveUp:  stamp(m.GiveUp),
	}
}

// stamp gives times the form that records have.
func stamp(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }

func eightBit(raw []byte) bool {
	for _, c := range raw {
		if c >= 0x80 {
			return true
		}
	}
	return false
}

// Put puts the item into the queue; nothing else.
func (p Prepared) Put(tx store.Tx) error { return tx.Queue().Put(p.item) }

// Item is the queue item, sealed.
func (p Prepared) Item() store.QueueItem { return p.item }

// Open returns the mail of an item as it goes out, and what a report on it may name of the original:
// seal.ErrQueueKeyGone, seal.ErrSealed.
func (o *Outbox) Open(item store.QueueItem) (raw []byte, x store.Excerpt, err error) {
	plain, err := o.ring.OpenMail(item.KeyID, item.Key, item.Sealed)
	if err != nil {
		return nil, x, fmt.Errorf("open own mail %s: %w", item.Key, err)
	}
	var s sealed
	if err := json.Unmarshal(plain, &s); err != nil {
		return nil, x, fmt.Errorf("open own mail %s: %w", item.Key, store.ErrCorrupt)
	}
	return s.Mail, s.Excerpt, nil
}
