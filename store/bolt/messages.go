package bolt

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

	"postern/store"
)

// messages implements store.Messages. Lists of recipients are in list.go.
type messages struct{ t *tx }

// Create writes a message and its recipients. Everything is looked at before anything is written.
func (m messages) Create(msg store.Message, rcpts []store.Recipient) error {
	if msg.ID.IsZero() {
		return errors.New("create message: it has no id")
	}
	if m.t.has(messagesB, msg.ID[:]) {
		return fmt.Errorf("create message %s: %w", msg.ID, store.ErrExists)
	}
	rows, err := m.newRows(msg.ID, rcpts)
	if err != nil {
		return fmt.Errorf("create message %s: %w", msg.ID, err)
	}
	if err := m.write(nil, msg); err != nil {
		return err
	}
	if err := m.link(msg); err != nil {
		return err
	}
	for _, r := range rows {
		if err := r.write(m.t); err != nil {
			return err
		}
	}
	return nil
}

// newRows prepares recipients of a new message.
func (m messages) newRows(id store.MessageID, rcpts []store.Recipient) ([]rcptRow, error) {
	rows := make([]rcptRow, 0, len(rcpts))
	seen := make(map[uint32]bool, len(rcpts))
	links := make(map[store.LinkID]bool)
	for _, r := range rcpts {
		if r.Key.Message != id || r.Key.N == 0 || seen[r.Key.N] {
			return nil, fmt.Errorf("recipient %s does not belong to it or comes twice", r.Key)
		}
		seen[r.Key.N] = true
		for _, l := range linksOf(r) {
			if links[l] || m.t.has(linkB, l[:]) {
				return nil, fmt.Errorf("link of recipient %s: %w", r.Key, store.ErrExists)
			}
			links[l] = true
		}
		r.Version = 1
		row, err := newRcptRow(nil, r)
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// link notes who needs the body.
func (m messages) link(msg store.Message) error {
	switch {
	case msg.Blob.IsZero():
		return nil
	case msg.Refs <= 0:
		return m.t.put(releasedB, msg.Blob[:], nil)
	}
	return m.t.put(blobsB, msg.Blob[:], msg.ID[:])
}

// write stores a message over its old record, if there is one.
func (m messages) write(old *store.Message, msg store.Message) error {
	cut(&msg.At, &msg.Expires)
	msg.Grants = cutGrants(msg.Grants)
	value, err := encode("message", msg)
	if err != nil {
		return err
	}
	var before []entry
	if old != nil {
		before = messageEntries(*old)
	}
	if err := m.t.move(before, messageEntries(msg)); err != nil {
		return err
	}
	return m.t.put(messagesB, msg.ID[:], value)
}

// messageEntries are the index entries of a message.
func messageEntries(m store.Message) (out []entry) {
	newest := invert(m.ID[:])
	if !m.Writer.IsZero() {
		out = append(out, entry{in: sentB, key: join(m.Writer[:], newest)})
	}
	if !m.Parent.Message.IsZero() {
		out = append(out, entry{in: replyB, key: join(rcptKey(m.Parent), newest)})
	}
	if !m.Thread.IsZero() {
		out = append(out, entry{in: msgidB, key: join(m.Thread[:], newest)})
	}
	if m.Refused {
		out = append(out, entry{in: refusedB, key: m.ID[:]})
	}
	return out
}

func (m messages) Get(id store.MessageID) (msg store.Message, err error) {
	value := m.t.get(messagesB, id[:])
	if value == nil {
		return msg, fmt.Errorf("message %s: %w", id, store.ErrNotFound)
	}
	if !decode(value, &msg) {
		return store.Message{}, corrupt("message", id)
	}
	msg.ID = id
	return msg, nil
}

func (m messages) SetMessage(msg store.Message) error {
	old, err := m.Get(msg.ID)
	if err != nil {
		return err
	}
	msg.Refs, msg.Blob = old.Refs, old.Blob
	return m.write(&old, msg)
}

func (m messages) Recipient(k store.RcptKey) (store.Recipient, error) {
	return m.row(rcptKey(k))
}

// row reads the recipient of a key.
func (m messages) row(key []byte) (r store.Recipient, err error) {
	k := toRcpt(key)
	value := m.t.get(recipientsB, key)
	if value == nil {
		return r, fmt.Errorf("recipient %s: %w", k, store.ErrNotFound)
	}
	if !decode(value, &r) {
		return store.Recipient{}, corrupt("recipient", k)
	}
	r.Key = k
	return r, nil
}

func (m messages) ByLink(l store.LinkID) (store.Recipient, error) {
	key := m.t.get(linkB, l[:])
	if key == nil {
		return store.Recipient{}, fmt.Errorf("link: %w", store.ErrNotFound)
	}
	return m.row(key)
}

func (m messages) Set(r store.Recipient) error {
	old, err := m.Recipient(r.Key)
	if err != nil {
		return err
	}
	if old.Version != r.Version {
		return fmt.Errorf("recipient %s: %w", r.Key, store.ErrConflict)
	}
	for _, l := range linksOf(r) {
		if owner := m.t.get(linkB, l[:]); owner != nil && toRcpt(owner) != r.Key {
			return fmt.Errorf("link of recipient %s: %w", r.Key, store.ErrExists)
		}
	}
	r.Version++
	row, err := newRcptRow(&old, r)
	if err != nil {
		return err
	}
	return row.write(m.t)
}

// rcptRow is a recipient ready to be written.
type rcptRow struct {
	rcpt      store.Recipient
	old       *store.Recipient
	value     []byte
	was, will []entry
}

func newRcptRow(old *store.Recipient, r store.Recipient) (rcptRow, error) {
	cut(&r.Since, &r.EndedAt, &r.Expires, &r.Notified, &r.Opened, &r.Replied, &r.Fetched.First, &r.Fetched.Last)
	r.Grants = cutGrants(r.Grants)
	row := rcptRow{rcpt: r, old: old}
	var err error
	if row.will, err = rcptEntries(r); err != nil {
		return row, fmt.Errorf("recipient %s: %w", r.Key, err)
	}
	if old != nil {
		if row.was, err = rcptEntries(*old); err != nil {
			return row, corrupt("recipient", r.Key)
		}
	}
	row.value, err = encode("recipient", r)
	return row, err
}

func (row rcptRow) write(t *tx) error {
	if err := t.move(row.was, row.will); err != nil {
		return err
	}
	var from, fromSealed string
	if row.old != nil {
		from, fromSealed = stateCounter(row.old.State), sealedCounter(*row.old)
	}
	if err := errors.Join(row.tally(t), t.shift(from, stateCounter(row.rcpt.State)), t.shift(fromSealed, sealedCounter(row.rcpt))); err != nil {
		return err
	}
	return t.put(recipientsB, rcptKey(row.rcpt.Key), row.value)
}

// tally counts what is no event: a sealed recipient, and one whose notification failed.
func (row rcptRow) tally(t *tx) error {
	r := row.rcpt
	switch {
	case r.Action != store.ActionSeal:
		return nil
	case row.old == nil:
		return t.tally(r.Key.Message.Time(), store.TallySealed)
	case r.State == store.StateFailed && row.old.State != store.StateFailed:
		return t.tally(r.Since, store.TallySealedFailed)
	}
	return nil
}

func stateCounter(s store.State) string { return "state/" + string(s) }

// sealedCounter names the counter of sealed recipients in the same state; "" for others.
func sealedCounter(r store.Recipient) string {
	if r.Action != store.ActionSeal {
		return ""
	}
	return sealedPrefix + string(r.State)
}

const sealedPrefix = "sealed/"

// rcptEntries are the index entries of a recipient.
func rcptEntries(r store.Recipient) ([]entry, error) {
	address := r.Address.Key()
	if err := checkText("address", address); err != nil {
		return nil, err
	}
	if err := checkText("state", r.State); err != nil {
		return nil, err
	}
	key, newest := rcptKey(r.Key), newestRcpt(r.Key)
	out := []entry{
		{in: rcptB, key: join(text(address), newest)},
		{in: stateB, key: join(text(r.State), newest)},
	}
	senders, err := senderEntries(r, newest)
	if err != nil {
		return nil, err
	}
	out = append(out, senders...)
	for _, l := range linksOf(r) {
		out = append(out, entry{in: linkB, key: l[:], val: key})
	}
	if r.Rule != "" {
		if err := checkText("rule", r.Rule); err != nil {
			return nil, err
		}
		out = append(out, entry{in: ruleB, key: join(text("r"+r.Rule), newest)})
	}
	if r.Action != "" && r.Action != store.ActionRelay {
		out = append(out, entry{in: ruleB, key: join(text("a"+string(r.Action)), newest)})
	}
	return append(out, sealedEntries(r, text(address), key)...), nil
}

// senderEntries list a recipient under the author and the envelope sender.
func senderEntries(r store.Recipient, newest []byte) (out []entry, err error) {
	for i, a := range []store.Address{r.Sender, r.Return} {
		if a.IsZero() || i > 0 && a.Key() == r.Sender.Key() {
			continue
		}
		if err := checkText("sender", a.Key()); err != nil {
			return nil, err
		}
		out = append(out, entry{in: senderB, key: join(text(a.Key()), newest)})
	}
	return out, nil
}

// sealedEntries are those that only sealed recipients have.
func sealedEntries(r store.Recipient, address, key []byte) (out []entry) {
	if r.Action != store.ActionSeal {
		return nil
	}
	switch {
	case !r.Account.IsZero():
		out = append(out, entry{in: inboxB, key: join(r.Account[:], newestRcpt(r.Key))})
	case r.Live():
		out = append(out, entry{in: unclaimedB, key: join(address, key)})
	}
	if r.Live() && !r.Expires.IsZero() {
		out = append(out, entry{in: expiryB, key: join(msKey(r.Expires), key)})
	}
	return out
}

// linksOf are the links that ever led to a recipient, each once.
func linksOf(r store.Recipient) (links []store.LinkID) {
	add := func(l store.LinkID) {
		if !l.IsZero() && !slices.Contains(links, l) {
			links = append(links, l)
		}
	}
	for _, l := range r.Links {
		add(l)
	}
	for _, g := range r.Grants {
		add(g.Link)
	}
	return links
}

func (m messages) CountState(s store.State, sealed bool) (int64, error) {
	if sealed {
		return m.t.count(sealedPrefix + string(s)), nil
	}
	return m.t.count(stateCounter(s)), nil
}

func (m messages) CountExpiring(t time.Time, most int) (n int, err error) {
	limit := afterMs(t)
	for k := range m.t.up(expiryB, nil, nil) {
		if n >= most || bytes.Compare(k, limit) >= 0 {
			break
		}
		n++
	}
	return n, nil
}

func (m messages) NextExpiry() (time.Time, error) {
	for k := range m.t.up(expiryB, nil, nil) {
		return msTime(k), nil
	}
	return time.Time{}, fmt.Errorf("next expiry: %w", store.ErrNotFound)
}
