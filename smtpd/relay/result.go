package relay

import (
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
	order  store.Event   // who had it done, written beside what became of it; zero: nobody
}

// via is the way that an attempt took.
type via struct {
	conn          string // reference of the connection
	route         string
	host, ip      string
	tls           string
	verified      bool
	dsn           bool // the next hop got the report options and sends the reports
	connect, data time.Duration
	shake         time.Duration
}

func (j *job) via(s *session) via {
	v := via{conn: s.ref, route: j.hop.name, host: s.host, ip: s.ip, tls: s.tls, verified: s.verified}
	if s.tries <= 1 {
		v.connect, v.shake = s.connect, s.shake
	}
	return v
}

// answered makes results of the same answer for some items of a parcel.
func (j *job) answered(p *parcel, items []store.QueueItem, a answer, v via) []result {
	now := j.cfg.Now()
	v.route = j.hop.name
	out := make([]result, len(items))
	for i, item := range items {
		out[i] = result{item: item, p: p, answer: a, how: j.judge(item, a, now), via: v, at: now, wait: j.waited(item)}
	}
	return out
}

// waited is how long an item was due when it was claimed.
func (j *job) waited(item store.QueueItem) time.Duration {
	item.Attempts--
	return j.at.Sub(j.place(item, j.at))
}

// untried makes results for a parcel whose attempt does not count.
func (j *job) untried(p *parcel, why answer, v via) []result {
	out := j.answered(p, p.items, why, v)
	for i := range out {
		if out[i].how == Deferred {
			out[i].how = Returned
		}
	}
	return out
}

// keepAll notes what a transaction came to and puts what it could not offer back in front.
func (j *job) keepAll(p *parcel, out outcome) {
	v := j.via(j.session)
	v.dsn, v.data = out.dsn, out.data
	if out.broken {
		j.dropSession()
	}
	var all []result
	var rest []store.QueueItem
	for i, item := range p.items {
		if slices.Contains(out.rest, i) {
			rest = append(rest, item)
			continue
		}
		all = append(all, j.answered(p, []store.QueueItem{item}, out.answers[i], v)...)
	}
	if j.cut.Err() != nil {
		cutShort(all)
	}
	if len(rest) > 0 {
		again := *p
		again.items, again.content = rest, nil
		j.putFirst(&again)
	}
	j.keep(all)
}

// cutShort gives attempts back that our own end cut, where surely nothing arrived.
func cutShort(results []result) {
	for i := range results {
		if a := results[i].answer; results[i].how == Deferred && a.code == 0 && !a.duplicate {
			results[i].how = Returned
		}
	}
}

// settleAfter is how long results wait for others, to be written together.
const settleAfter = 50 * time.Millisecond

// keep notes results. They are written with others, but soon: also while the next message takes long.
func (j *job) keep(results []result) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.results) == 0 {
		j.writeSoon = time.AfterFunc(settleAfter, func() { j.keeper(j.write) })
	}
	j.results = append(j.results, results...)
}

// write commits the results so far.
func (j *job) write() {
	j.mu.Lock()
	results := j.results
	j.results = nil
	if j.writeSoon != nil {
		j.writeSoon.Stop()
	}
	j.mu.Unlock()
	j.writeNow(results)
}

// writeNow commits results and lets go of what belongs to them.
func (j *job) writeNow(results []result) {
	if len(results) == 0 {
		return
	}
	next := j.settle(j.ctx, results)
	closeAll(results)
	j.mu.Lock()
	defer j.mu.Unlock()
	if !next.IsZero() && (j.next.IsZero() || next.Before(j.next)) {
		j.next = next
	}
	for _, res := range results {
		delete(j.held, res.item.Key)
	}
}

// giveBack writes parcels back untried.
func (j *job) giveBack(parcels []*parcel, why answer, v via) {
	var all []result
	for _, p := range parcels {
		all = append(all, j.untried(p, why, v)...)
	}
	j.writeNow(all)
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

// status is what a report says of a result: giving up has a status of its own (MAIL §7).
func (res result) status() string {
	if res.how == Failed && !res.answer.permanent {
		return "5.4.7"
	}
	return res.answer.status
}
