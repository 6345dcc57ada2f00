package relay

import (
	"context"
	"time"

	"postern/smtpd/dsn"
	"postern/store"
)

// noticeTimes are the ages at which the sender hears that an item is delayed (MAIL §7).
func (r *Runner) noticeTimes(k store.Kind) []time.Duration {
	switch k {
	case store.KindRelay:
		return []time.Duration{relayNotice}
	case store.KindNotification:
		if r.cfg.DelayNotice < secondNotice {
			return []time.Duration{r.cfg.DelayNotice, secondNotice}
		}
		return []time.Duration{r.cfg.DelayNotice}
	}
	return nil
}

// noticesPassed counts the notice times that an item has reached.
func (r *Runner) noticesPassed(item store.QueueItem, now time.Time) int {
	n := item.Delays
	for i, age := range r.noticeTimes(item.Kind) {
		if now.Sub(item.Arrived) >= age {
			n = max(n, i+1)
		}
	}
	return n
}

// nextNotice is when an item that is not delivered needs attention: a notice, or its end.
func (r *Runner) nextNotice(item store.QueueItem, now time.Time) time.Time {
	at := r.ends(item, now)
	if times := r.noticeTimes(item.Kind); item.Delays < len(times) {
		if notice := item.Arrived.Add(times[item.Delays]); notice.Before(at) {
			at = notice
		}
	}
	return at
}

// overdue is how long a domain may have been due, with its hop busy or down, before a pass over its items looks for
// those whose sender must hear of it; passEvery is how often that is done.
const (
	overdue   = 10 * time.Minute
	passEvery = 10 * time.Minute
)

// ageAt is when the next pass is due.
func (h *hop) ageAt() (time.Time, bool) {
	if len(h.waiting) == 0 {
		return time.Time{}, false
	}
	at := h.waiting[0].due.Add(overdue)
	if again := h.aged.Add(passEvery); again.After(at) {
		at = again
	}
	return at, true
}

// age starts a pass over the domains of a hop that are overdue.
func (r *Runner) age(ctx context.Context, h *hop, now time.Time) {
	at, ok := h.ageAt()
	if !ok || at.After(now) {
		return
	}
	h.aged = now
	var names []string
	for _, d := range h.waiting {
		if now.Sub(d.due) >= overdue {
			names = append(names, d.name)
		}
	}
	said, name := h.said, h.name
	if said.status == "" {
		said = answer{stage: stageConnect, status: "4.4.5", text: "next hop is busy"}
	}
	r.jobs.Go(func() {
		for _, domain := range names {
			r.guarded(ctx, func() { r.ageDomain(ctx, domain, said, via{route: name}) })
		}
	})
}

// ageDomain goes through the items of a domain: those that are too old end, others get their notice. They are in
// nobody's hands, so each is looked at again where it is written.
func (r *Runner) ageDomain(ctx context.Context, domain string, said answer, v via) {
	const page = 100
	for c := store.Cursor(""); ctx.Err() == nil; {
		var items []store.QueueItem
		var next store.Cursor
		err := r.cfg.Store.View(ctx, func(tx store.Tx) (err error) {
			items, next, err = tx.Queue().List(domain, c, page)
			return err
		})
		if err != nil {
			r.cfg.Log.ErrorContext(ctx, "queue not read", "event", "age", "domain", domain, "error", err)
			return
		}
		r.ageItems(ctx, items, said, v)
		if c = next; c == "" {
			return
		}
	}
}

func (r *Runner) ageItems(ctx context.Context, items []store.QueueItem, said answer, v via) {
	now := r.cfg.Now()
	var parcels []*parcel
	for _, item := range items {
		if item.Owner.IsZero() && !r.nextNotice(item, now).After(now) {
			parcels = append(parcels, &parcel{items: []store.QueueItem{item}})
		}
	}
	if len(parcels) == 0 {
		return
	}
	if err := r.load(ctx, parcels); err != nil {
		r.cfg.Log.ErrorContext(ctx, "queue items not read", "event", "age", "error", err)
		return
	}
	var results []result
	for _, p := range parcels {
		res := result{item: p.item(), p: p, answer: said, how: Deferred, via: v, at: now, idle: true}
		if r.tooOld(p.item(), now) {
			res.how = Failed
		}
		results = append(results, res)
	}
	r.settle(ctx, results)
	closeAll(results)
}

// Drop ends an item that nobody is delivering, with a failed report to its sender; reason is a sentence for people, or
// empty. store.ErrNotFound; store.ErrConflict when it is being delivered now.
func (r *Runner) Drop(ctx context.Context, key store.RcptKey, reason string, by store.Event) error {
	return store.Retry(ctx, func() error { return r.dropOnce(ctx, key, reason, by) })
}

func (r *Runner) dropOnce(ctx context.Context, key store.RcptKey, reason string, by store.Event) error {
	var item store.QueueItem
	err := r.cfg.Store.View(ctx, func(tx store.Tx) (err error) {
		item, err = tx.Queue().Get(key)
		return err
	})
	if err != nil {
		return err
	}
	if !item.Owner.IsZero() {
		return store.ErrConflict
	}
	p := &parcel{items: []store.QueueItem{item}}
	if err := r.load(ctx, []*parcel{p}); err != nil {
		return err
	}
	if reason == "" {
		reason = r.cfg.Phrases.Dropped
	}
	res := result{
		item: item, p: p, how: Failed, at: r.cfg.Now(), idle: true, reason: oneLine(reason), order: by,
		answer: answer{stage: stageMail, status: "5.0.0", text: "dropped from the queue", permanent: true},
	}
	defer closeAll([]result{res})
	done, err := r.commit(ctx, []result{res}, false)
	if len(done.lost) > 0 {
		return store.ErrConflict
	}
	if err == nil {
		r.tellOf(ctx, done)
	}
	return err
}

// kindOwed is the report that a sender is owed for a result, if any.
func (r *Runner) kindOwed(res result) (dsn.Kind, bool) {
	if res.sender() == nil || res.p.reply() || res.p.own() && res.item.Kind != store.KindNotification {
		return "", false
	}
	notify := res.notify()
	switch res.how {
	case Sent:
		return dsn.Relayed, notify&store.NotifySuccess != 0 && (res.p.own() || !res.via.dsn)
	case Failed:
		return dsn.Failed, notify.Wants(store.NotifyFailure)
	}
	return dsn.Delayed, r.noticesPassed(res.item, res.at) > res.item.Delays && notify.Wants(store.NotifyDelay)
}

// sender is who is told of a result: the envelope sender of the message itself, or of the one that a notification is
// about.
func (res result) sender() *store.Address {
	if res.p.own() {
		return res.p.message.From
	}
	return res.item.From
}

// notify is what the sender wants to be told.
func (res result) notify() store.Notify {
	if res.p.own() {
		return res.p.about.Notify
	}
	return res.item.To.Notify
}
