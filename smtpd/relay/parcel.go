package relay

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"postern/store"
	"postern/store/mail"
	"postern/store/seal"
)

// parcel is what goes out in one SMTP transaction: one or more neighbours in the queue, or one mail of our own.
type parcel struct {
	items   []store.QueueItem
	leftOut int // items that it was offered without, because the connection ended at them

	// What load finds. For mail that passes through, message is the message itself; for a mail of ours it is the one
	// that it is about, and about its recipient. known says that message was found.
	message store.Message
	about   store.Recipient
	known   bool
	inline  []byte // sealed body, where it is small

	content *content // what is sent, once open
	excerpt store.Excerpt
}

// item is the first of the items, which stands for what they share.
func (p *parcel) item() store.QueueItem { return p.items[0] }

// own reports whether the parcel carries a mail of ours, which lies in the item itself. A reply from the site is a
// stored message.
func (p *parcel) own() bool { return len(p.item().Sealed) > 0 }

// sealed reports whether the parcel is about a sealed message: a notification of one.
func (p *parcel) sealed() bool {
	k := p.item().Kind
	return k == store.KindNotification || k == store.KindReminder
}

// reply reports whether the parcel carries what somebody wrote on the site: to the mail server, or to another
// recipient by a notification.
func (p *parcel) reply() bool {
	if p.item().Kind == store.KindReply {
		return true
	}
	return p.known && p.message.IsReply() && (p.item().Kind == store.KindNotification || !p.own())
}

// subject is the key of the recipient whose fate the i-th item is.
func (p *parcel) subject(item store.QueueItem) store.RcptKey {
	if p.own() {
		return item.About
	}
	return item.Key
}

// gather makes parcels of claimed items, in order: neighbours are items of one message that share sender, report
// options and needs.
func gather(items []store.QueueItem, most int) []*parcel {
	var out []*parcel
	open := map[store.MessageID]*parcel{}
	for _, item := range items {
		p := open[item.Key.Message]
		if p != nil && len(p.items) < most && neighbours(p.item(), item) {
			p.items = append(p.items, item)
			continue
		}
		p = &parcel{items: []store.QueueItem{item}}
		open[item.Key.Message] = p
		out = append(out, p)
	}
	return out
}

func neighbours(a, b store.QueueItem) bool {
	return len(a.Sealed) == 0 && len(b.Sealed) == 0 && a.Kind == b.Kind && a.NeedTLS == b.NeedTLS && a.UTF8 == b.UTF8 &&
		a.To.Address.ASCII() == b.To.Address.ASCII() &&
		a.Ret == b.Ret && a.EnvID == b.EnvID && sameSender(a.From, b.From)
}

func sameSender(a, b *store.Address) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

// load reads the records of parcels in one View. Records that are gone or damaged are left out: open tells of it.
func (r *Runner) load(ctx context.Context, parcels []*parcel) error {
	return r.cfg.Store.View(ctx, func(tx store.Tx) error {
		room := maxInline
		for _, p := range parcels {
			if err := p.load(tx, &room); err != nil {
				return err
			}
		}
		return nil
	})
}

// maxInline bounds the inline bodies that a job holds ahead of their turn (I8).
const maxInline = 1 << 20

func (p *parcel) load(tx store.Tx, room *int) (err error) {
	p.known, p.inline = false, nil
	id := p.subject(p.item())
	if id.Message.IsZero() {
		return nil
	}
	if p.message, err = tx.Messages().Get(id.Message); err != nil {
		return gone(err)
	}
	p.known = true
	if p.own() {
		p.about, err = tx.Messages().Recipient(id)
		return gone(err)
	}
	if *room <= 0 {
		return nil
	}
	return p.loadBody(tx, room)
}

func (p *parcel) loadBody(tx store.Tx, room *int) (err error) {
	if !p.message.Blob.IsZero() {
		return nil
	}
	p.inline, err = tx.Bodies().Get(p.message.ID)
	*room -= len(p.inline)
	return gone(err)
}

// gone drops the errors that say for certain that a record is not to be had.
func gone(err error) error {
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrCorrupt) {
		return nil
	}
	return err
}

// content is what goes over the wire as message data.
type content struct {
	prefix []byte // stamp, signature and trace field
	size   int64  // prefix included
	body   io.ReadSeeker
	close  func()
}

func (c *content) Close() {
	if c != nil && c.close != nil {
		c.close()
	}
}

// reader starts the data from the beginning.
func (c *content) reader() (io.Reader, error) {
	if _, err := c.body.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	return io.MultiReader(bytes.NewReader(c.prefix), c.body), nil
}

// damage is a stored copy that is proven not to be readable any more, which ends its item (KEYS K4).
type damage struct{ error }

func (d damage) Unwrap() error { return d.error }

var errNoBody = errors.New("the stored message is gone")

// open makes the content of a parcel. Items whose own key does not open are returned with what is wrong; the rest of
// the parcel can go. An error that is no damage may pass.
func (r *Runner) open(ctx context.Context, p *parcel) (bad map[store.RcptKey]error, err error) {
	if p.own() {
		return nil, r.openOwn(p)
	}
	if !p.known {
		return nil, damage{errNoBody}
	}
	key, bad := r.unwrap(p)
	if len(bad) == len(p.items) {
		return nil, damage{bad[p.item().Key]}
	}
	src, size, closer, err := r.source(ctx, p)
	if err != nil {
		return nil, err
	}
	body, err := seal.Open(src, size, p.message.ID, key)
	if err != nil {
		closer()
		return nil, orDamage(err)
	}
	prefix := []byte(p.message.Received)
	p.content = &content{prefix: prefix, size: int64(len(prefix)) + body.Size(), body: body.Reader(), close: closer}
	return bad, nil
}

// dress puts in front of the open content what a route adds: its stamp, and our signature.
func (r *Runner) dress(ctx context.Context, p *parcel, route *Route) error {
	field, err := r.signature(ctx, p, route)
	if err != nil {
		return err
	}
	if route.Stamp != "" {
		field = append([]byte(route.Stamp+"\r\n"), field...)
	}
	p.content.prefix = append(field, p.content.prefix...)
	p.content.size += int64(len(field))
	return nil
}

func (r *Runner) openOwn(p *parcel) error {
	raw, excerpt, err := r.cfg.Outbox.Open(p.item())
	if err != nil {
		return orDamage(err)
	}
	p.excerpt = excerpt
	p.content = &content{size: int64(len(raw)), body: bytes.NewReader(raw)}
	return nil
}

// unwrap opens the file key by the first item that does; bad are those that do not.
func (r *Runner) unwrap(p *parcel) (key seal.FileKey, bad map[store.RcptKey]error) {
	for _, item := range slices.Backward(p.items) {
		k, err := r.cfg.Ring.Unwrap(item.KeyID, item.Key, item.Wrap)
		if err == nil {
			key = k
			continue
		}
		if bad == nil {
			bad = map[store.RcptKey]error{}
		}
		bad[item.Key] = err
	}
	return key, bad
}

// source is the sealed body: inline, or a blob.
func (r *Runner) source(ctx context.Context, p *parcel) (src io.ReaderAt, size int64, closer func(), err error) {
	if !p.message.Blob.IsZero() {
		blob, err := r.cfg.Store.Blobs().Open(ctx, p.message.Blob)
		if err != nil {
			return nil, 0, nil, fmt.Errorf("open body: %w", orDamage(err))
		}
		return blob, blob.Size(), func() { blob.Close() }, nil
	}
	if p.inline == nil {
		room := 0
		err := r.cfg.Store.View(ctx, func(tx store.Tx) error { return p.loadBody(tx, &room) })
		if err != nil {
			return nil, 0, nil, fmt.Errorf("read body: %w", err)
		}
	}
	if p.inline == nil {
		return nil, 0, nil, damage{errNoBody}
	}
	return bytes.NewReader(p.inline), int64(len(p.inline)), func() {}, nil
}

// orDamage marks errors that no later attempt can heal.
func orDamage(err error) error {
	for _, lasting := range []error{seal.ErrQueueKeyGone, seal.ErrSealed, store.ErrNotFound, store.ErrCorrupt, fs.ErrNotExist} {
		if errors.Is(err, lasting) {
			return damage{err}
		}
	}
	return err
}

// maxHeader bounds what is read of a message as its header.
const maxHeader = 1 << 20

// header is the raw header of the open content, without what is prepended here.
func (p *parcel) header() ([]byte, error) {
	if _, err := p.content.body.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	_, raw, err := mail.ReadHeader(bufio.NewReader(p.content.body), maxHeader)
	return raw, err
}

// header8bit reports whether the header has octets that need SMTPUTF8.
func (p *parcel) header8bit() (bool, error) {
	raw, err := p.header()
	return bytes.ContainsFunc(raw, func(c rune) bool { return c >= 0x80 }), err
}
