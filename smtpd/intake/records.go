package intake

import (
	"context"
	"errors"
	"fmt"
	"time"

	"postern/smtpd/policy"
	"postern/store"
	"postern/store/mail"
	"postern/store/outbox"
	"postern/store/seal"
)

// records is everything that one commit writes. It is made outside the transaction, because wrapping keys takes
// randomness.
type records struct {
	message store.Message
	rcpts   []store.Recipient
	items   []store.QueueItem
	own     []outbox.Prepared
	tokens  []store.Token // temporary passwords
	threads []store.ThreadID
	events  []store.Event
}

// commit makes the records from fresh facts and writes them. ErrConflict: an account changed in between.
func (j *job) commit(ctx context.Context, s *spill) error {
	if err := j.decide(ctx); err != nil {
		return err
	}
	rec, err := j.records(ctx, s)
	if err != nil {
		return fmt.Errorf("wrap keys: %w", err)
	}
	now := j.in.Now()
	err = j.in.Store.Update(ctx, func(tx store.Tx) error {
		if err := j.answer(tx, now); err != nil {
			return err
		}
		if err := j.unchanged(tx); err != nil {
			return err
		}
		return rec.write(tx, s.inline, j.env.At.Add(j.in.ThreadMemory))
	})
	if err != nil {
		return fmt.Errorf("commit message: %w", err)
	}
	return nil
}

// unchanged checks inside the transaction what the grants were computed from. Relayed mail depends on no account.
func (j *job) unchanged(tx store.Tx) error {
	for i, d := range j.decisions {
		if d.Action != store.ActionSeal {
			continue
		}
		_, now, err := statusOf(tx, j.env.Rcpts[i].Address.Key())
		if err != nil {
			return err
		}
		if !sameForSealing(now, j.facts.accounts[i]) {
			return store.ErrConflict
		}
	}
	return nil
}

func sameForSealing(a, b store.Account) bool {
	ka, _ := a.Current()
	kb, _ := b.Current()
	return a.ID == b.ID && a.Status == b.Status && a.Standing == b.Standing && a.Muted == b.Muted && ka.ID == kb.ID
}

func (j *job) records(ctx context.Context, s *spill) (records, error) {
	rec := records{message: j.message(s)}
	if j.sealed() > 0 || j.isReply() {
		j.addCard(&rec)
		for _, id := range j.head().ids {
			rec.threads = append(rec.threads, j.in.Threads.Thread(id))
		}
	}
	if err := j.addReplyGrants(&rec); err != nil {
		return rec, err
	}
	seen := map[store.AddressKey]bool{} // two RCPTs with one key: one grant, one notification (MAIL 2.1)
	for i, d := range j.decisions {
		k := j.env.Rcpts[i].Address.Key()
		if d.Action == store.ActionReject || d.Action == store.ActionSeal && seen[k] {
			continue
		}
		seen[k] = true
		if err := j.addRecipient(ctx, &rec, i, d); err != nil {
			return rec, err
		}
	}
	rec.message.Refs = len(rec.rcpts)
	if j.isReply() {
		rec.message.Refs++ // the writer's own copy lasts until the parent ends
	}
	if err := j.addRefusals(ctx, &rec); err != nil {
		return rec, err
	}
	rec.events = append(rec.events, j.acceptedEvent())
	if j.isReply() {
		rec.events = append(rec.events, j.repliedEvent())
	}
	return rec, nil
}

func (j *job) message(s *spill) store.Message {
	m := j.metadata()
	m.Writer, m.Parent, m.Ret, m.UTF8, m.EightBit, m.Received = j.env.Author, j.env.Parent, j.env.Ret, j.env.UTF8, j.eightBit, j.received()
	m.Size, m.Stored, m.Blob, m.Flagged, m.Expires = j.size, s.n, s.id, j.sealed() > 0, j.lastExpiry()
	return m
}

// metadata is what is known of the message without its body.
func (j *job) metadata() store.Message {
	m := store.Message{ID: j.env.ID, At: j.env.At, Client: j.env.Client, From: j.env.From, EnvID: j.env.EnvID, List: isList(j.header)}
	h := j.head()
	if h.authorErr == nil {
		m.Author = &h.author.Address
	}
	if len(h.ids) > 0 {
		m.Thread = j.in.Threads.Thread(h.ids[0])
	}
	return m
}

// isList reports mail from a mailing list or in bulk, which gets no confirmation and no receipt (MAIL §4).
func isList(h mail.Header) bool {
	switch p := h.Get("Precedence"); p {
	case "list", "bulk", "List", "Bulk":
		return true
	}
	return h.Has("List-Id")
}

// addCard keeps what the site shows without reading the body, and the Message-ID that later notices answer.
func (j *job) addCard(rec *records) {
	card := mail.NewCard(j.header, j.parts)
	rec.message.Card = j.key.SealCard(j.env.ID, card.Encode())
	if id := j.header.Get("Message-ID"); id != "" {
		rec.message.MsgID = j.in.Keys.SealMessageID(j.env.ID, id)
	}
}

// addReplyGrants lets a site reply be read again by whoever reads what it answers, and by its writer.
func (j *job) addReplyGrants(rec *records) error {
	if !j.isReply() {
		return nil
	}
	rec.message.Grants = append(rec.message.Grants, j.in.Keys.GrantParent(*j.parent, j.env.Parent.Message, j.env.ID, j.key))
	key, ok := j.facts.writer.Current()
	if !ok || j.facts.writer.Muted || j.env.Author.IsZero() {
		return nil
	}
	g, err := j.in.Keys.GrantAccount(key.Public, j.env.ID, j.key)
	if err != nil {
		return err
	}
	rec.message.Grants = append(rec.message.Grants, g)
	return nil
}

func (j *job) addRecipient(ctx context.Context, rec *records, i int, d policy.Decision) error {
	r := j.recipient(i, d)
	var err error
	if d.Action == store.ActionSeal {
		err = j.addSealed(ctx, rec, &r, i)
	} else {
		err = j.addRelayed(rec, &r, i, d)
	}
	rec.rcpts = append(rec.rcpts, r)
	return err
}

func (j *job) recipient(i int, d policy.Decision) store.Recipient {
	rcpt := j.env.Rcpts[i]
	r := store.Recipient{
		Key: store.RcptKey{Message: j.env.ID, N: uint32(i + 1)}, Address: rcpt.Address, Action: d.Action, Rule: d.Rule,
		Reason: d.Reason, State: store.StateQueued, Since: j.env.At, Internal: j.in.Internal(rcpt.Address.Domain),
		Blind: j.blind(rcpt.Address), Notify: rcpt.Notify, ORcpt: rcpt.ORcpt, NoReply: d.Options.NoReply,
	}
	if h := j.head(); h.authorErr == nil {
		r.Sender = h.author.Address
	} else if j.env.From != nil {
		r.Sender = *j.env.From
	}
	if from := j.env.From; from != nil && from.Key() != r.Sender.Key() {
		r.Return = *from
	}
	return r
}

// blind reports whether To and Cc do not name the address (MAIL §4).
func (j *job) blind(a store.Address) bool { return !j.head().named[a.Key()] }

// addRelayed queues a copy that passes through.
func (j *job) addRelayed(rec *records, r *store.Recipient, i int, d policy.Decision) error {
	id, wrap, err := j.in.Ring.Wrap(r.Key, j.key)
	if err != nil {
		return err
	}
	kind := store.KindRelay
	if j.isReply() {
		kind = store.KindReply
	}
	rec.items = append(rec.items, store.QueueItem{
		Key: r.Key, Kind: kind, Domain: store.DomainKey(r.Address.Domain), From: j.env.From, To: j.env.Rcpts[i],
		Ret: j.env.Ret, EnvID: j.env.EnvID, UTF8: j.env.UTF8, EightBit: j.eightBit,
		Size: j.size + int64(len(rec.message.Received)), NeedTLS: d.NeedTLS,
		KeyID: id, Wrap: wrap, Arrived: j.env.At, Due: j.env.At, GiveUp: j.env.At.Add(j.in.GiveUp),
	})
	return nil
}

// addSealed makes the grants of one sealed recipient and the notification that carries its link.
func (j *job) addSealed(ctx context.Context, rec *records, r *store.Recipient, i int) error {
	r.Expires = j.expiry(j.decisions[i])
	secret := seal.NewSecret()
	link := j.in.Keys.GrantLink(secret, r.Key, j.key)
	link.Link, link.Made = secret.LinkID(), j.env.At
	r.Grants, r.Links = []store.Grant{link}, []store.LinkID{link.Link}
	if err := j.grantAccount(r, j.facts.accounts[i]); err != nil {
		return err
	}
	return j.addNotification(ctx, rec, r, i, secret)
}

// grantAccount puts the message into the inbox of the account that has shown that the address is its own (KEYS K8). An account whose stored key does not
// match gets no grant: its messages wait for their link.
func (j *job) grantAccount(r *store.Recipient, a store.Account) error {
	if a.ID.IsZero() || !a.Proved(r.Address.Key()) || !a.Registered {
		return nil
	}
	r.Account = a.ID
	key, ok := a.Current()
	if !ok || a.Muted {
		return nil
	}
	g, err := j.in.Keys.GrantAccount(key.Public, r.Key.Message, j.key)
	if err != nil {
		return err
	}
	r.Grants = append(r.Grants, g)
	return nil
}

func (j *job) addNotification(ctx context.Context, rec *records, r *store.Recipient, i int, secret seal.LinkSecret) error {
	author, original := j.head().author, j.original()
	if err := j.head().authorErr; err != nil {
		return err // policy refuses such a message before it comes here (MAIL 1.7)
	}
	giveUp := j.env.At.Add(j.in.GiveUp)
	if r.Expires.Before(giveUp) {
		giveUp = r.Expires // MAIL §7
	}
	_, inInbox := r.Grant(store.GrantAccount)
	own, id, err := j.in.Notices.Notification(Notice{
		ID: store.NewMessageID(j.env.At), About: r.Key, To: j.env.Rcpts[i], Author: author, Sender: j.env.From, Link: secret,
		Sent: original.sent, Expires: r.Expires, Blind: r.Blind, External: !j.in.Internal(author.Address.Domain),
		NoReply: r.NoReply, InInbox: inInbox,
		Original: original.excerpt, GiveUp: giveUp, Language: j.facts.accounts[i].Language,
	})
	if err != nil {
		return fmt.Errorf("compose notification: %w", err)
	}
	prepared, err := j.in.Outbox.Prepare(ctx, own)
	if err != nil {
		return fmt.Errorf("seal notification: %w", err)
	}
	r.NoticeID = id
	r.Own = []store.RcptKey{prepared.Item().Key}
	rec.own = append(rec.own, prepared)
	rec.threads = append(rec.threads, j.in.Threads.Thread(id))
	if a := j.facts.accounts[i]; j.in.FirstAccess != store.AccessTemporary || a.Registered || a.Status == store.StatusDisabled {
		return nil
	}
	return j.addFirstPassword(ctx, rec, r, giveUp)
}

// addFirstPassword lets a mail with a temporary password follow a notification. The store keeps its tag alone.
func (j *job) addFirstPassword(ctx context.Context, rec *records, r *store.Recipient, giveUp time.Time) error {
	password := seal.NewTemporary()
	t := store.NewFirstPassword(password.Tag(string(r.Address.Key())), *r, j.env.At)
	if t.Ends.Before(giveUp) {
		giveUp = t.Ends
	}
	own, err := j.in.Notices.FirstPassword(FirstPassword{ID: store.NewMessageID(j.env.At), To: r.Address, Author: j.head().author,
		Password: password.String(), Until: t.Ends, GiveUp: giveUp})
	if err != nil {
		return fmt.Errorf("compose temporary password: %w", err)
	}
	prepared, err := j.in.Outbox.Prepare(ctx, own)
	if err != nil {
		return fmt.Errorf("seal temporary password: %w", err)
	}
	r.Own = append(r.Own, prepared.Item().Key)
	rec.own = append(rec.own, prepared)
	rec.tokens = append(rec.tokens, t)
	return nil
}

// addRefusals reports recipients that were refused while others go on (MAIL 5.2).
func (j *job) addRefusals(ctx context.Context, rec *records) error {
	refused := j.refusals()
	if len(refused) == 0 {
		return nil
	}
	j.addRefusedRows(rec)
	own, err := j.in.Reports.Refused(j.env, j.returned(), refused)
	if errors.Is(err, store.ErrNotFound) {
		return nil // nobody wants a report (NOTIFY=NEVER); the history has its row all the same
	}
	if err != nil {
		return fmt.Errorf("compose report: %w", err)
	}
	prepared, err := j.in.Outbox.Prepare(ctx, own)
	if err != nil {
		return fmt.Errorf("seal report: %w", err)
	}
	rec.own = append(rec.own, prepared)
	return nil
}

// returned is what a report may give back of the message.
func (j *job) returned() Returned {
	for _, d := range j.decisions {
		if d.Secret {
			original := j.original()
			return Returned{Excerpt: &original.excerpt}
		}
	}
	return Returned{Header: j.raw}
}

// addRefusedRows keeps refused recipients in the message's history: they need neither body nor grants.
func (j *job) addRefusedRows(rec *records) {
	for i, d := range j.decisions {
		if d.Action == store.ActionReject {
			r := j.recipient(i, d)
			r.State = store.StateRefused
			rec.rcpts = append(rec.rcpts, r)
		}
	}
}

func (j *job) acceptedEvent() store.Event {
	return store.Event{ID: store.NewEventID(j.env.At), What: store.EventAccepted, Message: j.env.ID, Account: j.env.Author,
		Actor: "system", Facts: map[string]string{
			"size": fmt.Sprint(j.size), "recipients": fmt.Sprint(len(j.env.Rcpts)),
			"sealed": fmt.Sprint(j.sealed()), "refused": fmt.Sprint(j.count(store.ActionReject)),
			"client": j.env.Client.IP, "rule": j.firstRule(store.ActionSeal),
		}}
}
