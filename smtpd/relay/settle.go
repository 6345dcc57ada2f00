package relay

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"postern/store"
	"postern/store/outbox"
)

// plan is what one transaction writes for some results. It is made outside, because it seals and draws ids.
type plan struct {
	changes []change
	mails   []mailing

	lost []int // changes whose item somebody else holds or ended; set by each run of write
}

// change is what becomes of one item and of the recipient whose fate it is.
type change struct {
	result
	next  store.QueueItem // to be given back
	event store.Event     // zero: none
	live  bool            // the recipient's share goes on as the change says; set by each run of write
}

// mailing is a mail of ours that goes out with the change that it tells of.
type mailing struct {
	mail     outbox.Prepared
	of       []int // changes; it goes if one of them is live
	unlisted bool  // the recipient's record does not name it
}

// settle writes results and tells of them. It tries again while the store has trouble and ctx lasts, because the mail
// has gone: what is not written is sent twice. It answers when the earliest item that was given back is due.
func (r *Runner) settle(ctx context.Context, results []result) (next time.Time) {
	wait := time.Second
	for tries := 0; ; {
		p, err := r.commit(ctx, results, tries >= patientTries)
		if err == nil {
			return r.tellOf(ctx, p)
		}
		if len(p.lost) > 0 {
			if results = p.without(ctx, r, results); len(results) == 0 {
				return next
			}
			continue
		}
		r.cfg.Log.ErrorContext(ctx, "results of deliveries not written", "event", "attempt", "items", len(results), "error", err)
		select {
		case <-time.After(wait):
		case <-r.cut.Done():
			return next
		}
		wait = min(2*wait, time.Minute)
		tries++
	}
}

// patientTries is how often results wait for a report that cannot be made. Then they are written without it, which is
// logged: a fact is worth more than word of it.
const patientTries = 4

// without drops the results whose items were lost, which is logged: their mail may go twice.
func (p *plan) without(ctx context.Context, r *Runner, results []result) []result {
	var rest []result
	for i, res := range results {
		if slices.Contains(p.lost, i) {
			res.how = Lost
			r.logAttempt(ctx, change{result: res, next: res.item})
			continue
		}
		rest = append(rest, res)
	}
	return rest
}

// commit writes results in one transaction. Its context is that of the work, not of the caller: mail that has gone is
// to be noted even while the process ends.
func (r *Runner) commit(ctx context.Context, results []result, withoutMails bool) (*plan, error) {
	ctx = context.WithoutCancel(ctx)
	p, err := r.plan(ctx, results)
	if err != nil && withoutMails {
		r.cfg.Log.ErrorContext(ctx, "report not made", "event", "report", "error", err)
		err = nil
	}
	if err != nil {
		return p, err
	}
	return p, r.cfg.Store.Update(ctx, func(tx store.Tx) error { return p.write(tx) })
}

// plan makes the changes and mails for results.
func (r *Runner) plan(ctx context.Context, results []result) (*plan, error) {
	p := &plan{}
	for _, res := range results {
		p.changes = append(p.changes, r.change(res))
	}
	err := r.addMails(ctx, p)
	return p, err
}

func (r *Runner) change(res result) change {
	c := change{result: res, next: res.item}
	c.next.Delays = r.noticesPassed(res.item, res.at)
	switch res.how {
	case Deferred:
		c.next = r.reschedule(c.next, res)
	case Returned:
		c.next.Attempts--
		c.next.Due = r.place(c.next, res.at)
		c.next.Last = res.answer.text
		if res.answer.cause != nil {
			c.next.Due = res.at.Add(r.cfg.Backoff[0]) // trouble of our own: not at once again
		}
	}
	if !res.idle && (res.how == Deferred || res.how == Returned) {
		// KEYS K4: a failed attempt seals anew. What does not open any more ends at its next attempt.
		if sealed, err := r.cfg.Ring.Reseal(c.next); err == nil {
			c.next = sealed
		}
	}
	c.event = eventOf(c)
	return c
}

// reschedule sets the next attempt by the retry table; the last one is at the time of giving up.
func (r *Runner) reschedule(item store.QueueItem, res result) store.QueueItem {
	item.LastAt, item.LastCode, item.Last = res.at, res.answer.code, res.answer.text
	if res.idle {
		return item
	}
	item.Due = res.at.Add(r.cfg.backoff(item.Attempts))
	if last := r.ends(item, res.at); item.Due.After(last) {
		item.Due = last
	}
	return item
}

// place is about where an item stood before it was claimed: what is given back keeps its place.
func (r *Runner) place(item store.QueueItem, now time.Time) time.Time {
	at := item.Arrived
	if n := item.Attempts; n > 0 {
		at = item.LastAt.Add(r.cfg.Backoff[min(n, len(r.cfg.Backoff))-1])
	}
	if at.After(now) {
		return now
	}
	return at
}

// eventOf is the audit event of a change. An attempt that does not count is none.
func eventOf(c change) store.Event {
	what := map[Result]store.What{Sent: store.EventDelivered, Failed: store.EventFailed, Deferred: store.EventDeferred}[c.how]
	if what == "" || c.idle && c.how == Deferred {
		return store.Event{}
	}
	if c.how == Sent && c.p.sealed() {
		what = store.EventNotified
	}
	e := store.Event{ID: store.NewEventID(c.at), What: what, Actor: "system", Facts: map[string]string{
		"kind": string(c.item.Kind), "to": c.item.To.Address.String(), "attempt": strconv.Itoa(c.item.Attempts),
		"status": c.status(), "reply": c.answer.text,
	}}
	if c.via.host != "" {
		e.Facts["relay"] = c.via.host
	}
	if c.how == Failed && !c.p.own() && c.item.From == nil {
		e.Facts["reported"] = "no" // a null sender cannot be told
	}
	if c.p.own() {
		e.Facts["item"] = c.item.Key.String()
	}
	k := c.p.subject(c.item)
	if k.Message.IsZero() {
		k = c.item.Key
	}
	e.Message, e.N = k.Message, k.N
	return e
}

// errLost ends a transaction in which some items turned out to be somebody else's.
var errLost = errors.New("queue items are held or ended by somebody else")

// write does it all. It may run more than once.
func (p *plan) write(tx store.Tx) error {
	p.lost = p.lost[:0]
	for i := range p.changes {
		err := p.changes[i].write(tx)
		if errors.Is(err, errLost) {
			p.lost = append(p.lost, i)
			continue
		}
		if err != nil {
			return err
		}
	}
	if len(p.lost) > 0 {
		return errLost
	}
	for _, m := range p.mails {
		if err := p.writeMail(tx, m); err != nil {
			return err
		}
	}
	return nil
}

func (p *plan) writeMail(tx store.Tx, m mailing) error {
	if !slices.ContainsFunc(m.of, func(i int) bool { return p.changes[i].live }) {
		return nil
	}
	if err := m.mail.Put(tx); err != nil || m.unlisted {
		return err
	}
	item := m.mail.Item()
	return edit(tx, item.About, func(r *store.Recipient) bool {
		r.Own = append(r.Own, item.Key)
		return true
	})
}

// write moves the item and its recipient.
func (c *change) write(tx store.Tx) error {
	if err := c.writeItem(tx); err != nil {
		return err
	}
	c.live = true
	if err := c.writeRecipient(tx); err != nil {
		return err
	}
	for _, e := range []store.Event{c.event, c.order} {
		if e.ID.IsZero() {
			continue
		}
		if err := tx.Audit().Add(e); err != nil {
			return err
		}
	}
	return nil
}

// writeItem ends the item or gives it back; errLost when it is not ours to move.
func (c *change) writeItem(tx store.Tx) (err error) {
	q, ends := tx.Queue(), c.how == Sent || c.how == Failed
	switch {
	case c.idle:
		err = c.writeIdle(q, ends)
	case ends:
		err = q.Finish(c.item.Key, c.item.Owner)
	default:
		err = q.Retry(c.next)
	}
	if errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrNotFound) {
		return errLost
	}
	return err
}

// writeIdle moves an item that nobody holds. It is read again: it may have been claimed, tried or sealed anew.
func (c *change) writeIdle(q store.Queue, ends bool) error {
	now, err := q.Get(c.item.Key)
	if err != nil {
		return err
	}
	if !now.Owner.IsZero() || now.Attempts != c.item.Attempts || now.Delays != c.item.Delays {
		return store.ErrConflict
	}
	if ends {
		return q.Remove(c.item.Key)
	}
	now.Delays = c.next.Delays
	return q.Replace(now)
}

// writeRecipient moves the state of the recipient whose fate the item is (MAIL §7), and clears what it leaves behind.
// A state that somebody else reached meanwhile stays.
func (c *change) writeRecipient(tx store.Tx) error {
	if !c.p.own() {
		return c.writeRelayed(tx)
	}
	if c.item.About.Message.IsZero() {
		return nil
	}
	unref := false
	err := edit(tx, c.item.About, func(r *store.Recipient) bool {
		unref = false
		changed := c.how == Sent || c.how == Failed
		if changed {
			r.Own = slices.DeleteFunc(r.Own, func(k store.RcptKey) bool { return k == c.item.Key })
		}
		switch c.item.Kind {
		case store.KindNotification:
			unref = c.noteNotification(r)
			changed = changed || unref
		case store.KindReminder:
			if c.how == Failed {
				r.Detail = c.answer.text
			}
		}
		return changed
	})
	if err != nil || !unref {
		return err
	}
	return release(tx, c.item.About.Message)
}

// noteNotification moves the state of a recipient by the fate of the notification; true when the share ended with it.
func (c *change) noteNotification(r *store.Recipient) (ended bool) {
	first := r.State == store.StateQueued
	c.live = first
	switch {
	case c.how == Sent:
		if r.Notified.IsZero() {
			r.Notified = c.at
		}
		// A bounce from before this mail was written does not count against it.
		if first || r.State == store.StateBounced && r.Since.Before(c.item.Arrived) {
			r.State, r.Since = store.StateNotified, c.at
		}
	case c.how == Failed && first:
		r.State, r.Since, r.Detail, r.Grants = store.StateFailed, c.at, c.answer.text, nil
		return true
	}
	return false
}

func (c *change) writeRelayed(tx store.Tx) error {
	var state store.State
	switch c.how {
	case Sent:
		state = store.StateDelivered
	case Failed:
		state = store.StateFailed
	default:
		return nil
	}
	err := edit(tx, c.item.Key, func(r *store.Recipient) bool {
		if c.live = r.State == store.StateQueued; !c.live {
			return false
		}
		r.State, r.Since = state, c.at
		if c.how == Failed {
			r.Detail = c.answer.text
		}
		return true
	})
	if err != nil || !c.live {
		return err
	}
	return release(tx, c.item.Key.Message)
}

// edit changes a recipient's record as it stands in this transaction. One that is gone has nothing to change.
func edit(tx store.Tx, k store.RcptKey, f func(*store.Recipient) bool) error {
	if k.Message.IsZero() {
		return nil
	}
	r, err := tx.Messages().Recipient(k)
	if err != nil {
		return gone(err)
	}
	if !f(&r) {
		return nil
	}
	return tx.Messages().Set(r)
}

// release takes one off those who need a body. With the last of them go the card and the grants of the message (KEYS
// K12).
func release(tx store.Tx, id store.MessageID) error {
	if err := tx.Bodies().Unref(id); err != nil {
		return gone(err)
	}
	m, err := tx.Messages().Get(id)
	if err != nil || m.Refs > 0 || m.Card == nil && m.Grants == nil {
		return gone(err)
	}
	m.Card, m.Grants = nil, nil
	return tx.Messages().SetMessage(m)
}
