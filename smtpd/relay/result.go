package relay

import (
	"context"
	"slices"
	"time"

	"postern/store"
)

// result is what an attempt came to for one item.
type result struct {
	item   store.QueueItem // as claimed
	p      *parcel
	answer answer
	how    Result
	via    via
	at     time.Time
	wait   time.Duration // between due and claim
	idle   bool          // nobody holds the item: it ends or is noted without an attempt
	reason string        // for people; empty: chosen by the status
}

// via is the way that an attempt took.
type via struct {
	route         string
	host, ip      string
	tls           string
	verified      bool
	dsn           bool // the next hop got the report options and sends the reports
	connect, data time.Duration
	shake         time.Duration
}

func (j *job) via(s *session) via {
	v := via{route: j.hop.name, host: s.host, ip: s.ip, tls: s.tls, verified: s.verified}
	if s.tries <= 1 {
		v.connect, v.shake = s.connect, s.shake
	}
	return v
}

// keep notes the same answer for some items of a parcel.
func (j *job) keep(p *parcel, items []store.QueueItem, a answer, v via) {
	now := j.cfg.Now()
	if len(j.results) == 0 {
		j.since = time.Now()
	}
	v.route = j.hop.name
	for _, item := range items {
		j.results = append(j.results, result{
			item: item, p: p, answer: a, how: j.judge(item, a, now), via: v, at: now, wait: j.at.Sub(item.Arrived),
		})
	}
}

// keepAll notes what a transaction came to and puts what it could not offer back in front.
func (j *job) keepAll(p *parcel, out outcome) {
	v := j.via(j.session)
	v.dsn, v.data = out.dsn, out.data
	if out.broken {
		j.dropSession()
	}
	var rest []store.QueueItem
	for i, item := range p.items {
		if slices.Contains(out.rest, i) {
			rest = append(rest, item)
			continue
		}
		j.keep(p, []store.QueueItem{item}, out.answers[i], v)
		j.cutShort()
	}
	if len(rest) > 0 {
		again := *p
		again.items, again.content = rest, nil
		j.putFirst(&again)
	}
}

// cutShort gives the last result its attempt back when the connection was cut by our own end and surely nothing
// arrived.
func (j *job) cutShort() {
	last := &j.results[len(j.results)-1]
	if j.cut.Err() != nil && last.how == Deferred && last.answer.code == 0 && !last.answer.duplicate {
		last.how = Returned
	}
}

// keepReturned notes that a parcel was not tried: its attempt does not count.
func (j *job) keepReturned(p *parcel, why answer) {
	n := len(j.results)
	j.keep(p, p.items, why, via{host: j.failedHost()})
	for i := range j.results[n:] {
		res := &j.results[n+i]
		if res.how == Deferred {
			res.how = Returned
		}
	}
}

func (j *job) failedHost() string {
	if j.failure != nil {
		return j.failure.host
	}
	return ""
}

// judge turns an answer into what becomes of the item (MAIL 8.1, 8.2): it ends by a permanent answer or by age.
func (r *Runner) judge(item store.QueueItem, a answer, now time.Time) Result {
	switch {
	case a.code/100 == 2:
		return Sent
	case a.permanent, r.tooOld(item, now):
		return Failed
	}
	return Deferred
}

func (r *Runner) tooOld(item store.QueueItem, now time.Time) bool { return !now.Before(item.GiveUp) }

// status is what a report says of a result: giving up has a status of its own (MAIL §7).
func (res result) status() string {
	if res.how == Failed && !res.answer.permanent {
		return "5.4.7"
	}
	return res.answer.status
}

// giveBack writes parcels back untried, their attempt not counted.
func (j *job) giveBack(ctx context.Context, parcels []*parcel, why answer) {
	for _, p := range parcels {
		j.keepReturned(p, why)
	}
	j.write(ctx)
}

// write commits the results so far.
func (j *job) write(ctx context.Context) {
	if len(j.results) == 0 {
		return
	}
	results := j.results
	j.results = nil
	next := j.settle(ctx, results)
	if !next.IsZero() && (j.next.IsZero() || next.Before(j.next)) {
		j.next = next
	}
	closeAll(results)
	j.release(results)
}
