package relay

import (
	"context"
	"errors"
	"runtime/debug"
	"sync"
	"time"

	"postern/store"
)

// job delivers one claim of one domain over one connection.
type job struct {
	*Runner
	hop    *hop
	domain *domain
	most   int // items to claim

	// What the goroutine of Run gets back.
	session *session
	failure *hopError
	next    time.Time // earliest time at which something that was given back is due

	told bool      // the claim was told of
	at   time.Time // when it was made

	ctx       context.Context // of Run
	mu        sync.Mutex      // guards what follows, next, and results
	todo      []*parcel
	results   []result               // not written yet
	held      map[store.RcptKey]bool // leases; nil before and after the work
	writeSoon *time.Timer
	letGo     *time.Timer
	extend    *time.Timer
	keepers   sync.WaitGroup // what timers started
}

// claim is what claiming says about a domain.
type claim struct {
	items []store.QueueItem
	at    time.Time // when it was made
	full  bool      // there may be more
	empty bool      // nothing waits at all
	next  time.Time // when something is due next
	err   error
}

// run is the life of a job.
func (j *job) run(ctx context.Context) {
	j.ctx = ctx
	defer func() { j.tell(func() { j.ended(j) }) }()
	defer j.survive(ctx)
	c := j.claim(ctx)
	j.tellClaim(c)
	if c.err != nil {
		j.cfg.Log.ErrorContext(ctx, "claim failed", "event", "claim", "domain", j.domain.name, "error", c.err)
		return
	}
	if len(c.items) == 0 {
		return
	}
	j.at = c.at
	j.hold(c.items)
	defer j.unhold()
	parcels := gather(c.items, j.cfg.Limits.PerMail)
	if err := j.load(context.WithoutCancel(ctx), parcels); err != nil {
		j.cfg.Log.ErrorContext(ctx, "queue items not read", "event", "claim", "domain", j.domain.name, "error", err)
		j.giveBack(parcels, j.localFault(err), via{})
		return
	}
	j.setTodo(parcels)
	for p := j.takeNext(ctx); p != nil; p = j.takeNext(ctx) {
		j.deliver(ctx, p)
	}
	j.write()
	why, v := answer{stage: stageConnect, status: "4.3.2", text: "not begun before the drain"}, via{}
	if j.failure != nil {
		why, v.host = j.failure.answer, j.failure.host
	}
	j.giveBack(j.takeRest(), why, v)
}

// survive ends a job that ran into a fault of the program. What has gone is noted; the other items come back when their
// lease ends.
func (j *job) survive(ctx context.Context) {
	v := recover()
	if v == nil {
		return
	}
	j.logPanic(ctx, v)
	j.dropSession()
	if !j.told {
		j.tellClaim(claim{err: errPanic})
	}
	j.guarded(ctx, j.write)
}

var errPanic = errors.New("panic")

func (r *Runner) logPanic(ctx context.Context, v any) {
	r.cfg.Log.ErrorContext(ctx, "fault in the queue runner", "event", "panic", "panic", v, "stack", string(debug.Stack()))
}

// guarded runs f and survives its faults.
func (r *Runner) guarded(ctx context.Context, f func()) {
	defer func() {
		if v := recover(); v != nil {
			r.logPanic(ctx, v)
		}
	}()
	f()
}

// tellClaim frees the domain for other jobs.
func (j *job) tellClaim(c claim) {
	j.told = true
	j.tell(func() { j.claimed(j.domain, c) })
}

// claim takes what is due of the domain, and finds out when it is due next.
func (j *job) claim(ctx context.Context) (c claim) {
	c.at = j.cfg.Now()
	name := j.domain.name
	err := j.cfg.Store.Update(ctx, func(tx store.Tx) (err error) {
		q := tx.Queue()
		c.items, c.empty = nil, false
		c.items, err = q.Claim(store.Claim{
			Domain: name, Owner: j.owner, Now: c.at, Lease: j.cfg.Limits.Lease, Backoff: j.cfg.Backoff, Max: j.most,
		})
		if err != nil || len(c.items) == j.most {
			return err
		}
		first, _, err := q.List(name, "", 1)
		if err != nil {
			return err
		}
		if c.empty = len(first) == 0; !c.empty {
			c.next = first[0].Due
		}
		return nil
	})
	c.err, c.full = err, len(c.items) == j.most
	return c
}

// localFault is the answer for trouble of our own that may pass.
func (j *job) localFault(err error) answer {
	return answer{stage: stageMail, status: "4.3.0", text: localText, cause: err}
}

// deliver sends one parcel and keeps its results.
func (j *job) deliver(ctx context.Context, p *parcel) {
	if j.hop.route == nil {
		none := answer{stage: stageMail, status: "5.4.4", text: "no route to this domain", permanent: true}
		j.keep(j.answered(p, p.items, none, via{}))
		return
	}
	bad, err := j.open(ctx, p)
	if err == nil {
		err = j.dress(ctx, p, j.hop.route)
	}
	if err != nil {
		j.keep(j.answered(p, p.items, j.unopened(err), via{}))
		return
	}
	p.items = j.setAside(p, bad)
	for {
		s, failure := j.ready(ctx)
		if failure != nil {
			j.failure = failure
			j.keep(j.untried(p, failure.answer, via{host: failure.host}))
			return
		}
		if p.item().NeedTLS && !s.safe() {
			wait := answer{stage: stageTLS, status: "4.7.10", text: "message needs TLS, next hop has none"}
			j.keep(j.answered(p, p.items, wait, j.via(s)))
			return
		}
		j.startPatience()
		out := transact(s, p, j.hop.route)
		if !out.stale {
			j.keepAll(p, out)
			return
		}
		j.dropSession() // it was closed since it was used last: nothing was tried
	}
}

// unopened is the answer for a stored copy that does not open.
func (j *job) unopened(err error) answer {
	var d damage
	if errors.As(err, &d) {
		return answer{stage: stageMail, status: "5.3.0", text: damagedText, permanent: true, damaged: true, cause: err}
	}
	return j.localFault(err)
}

// setAside ends the items whose own key does not open and answers the others.
func (j *job) setAside(p *parcel, bad map[store.RcptKey]error) []store.QueueItem {
	if len(bad) == 0 {
		return p.items
	}
	var good []store.QueueItem
	for _, item := range p.items {
		err := bad[item.Key]
		if err == nil {
			good = append(good, item)
			continue
		}
		alone := *p
		alone.items, alone.content = []store.QueueItem{item}, nil
		j.keep(j.answered(&alone, alone.items, j.unopened(damage{err}), via{}))
	}
	return good
}

// ready returns the job's connection, opening one where there is none: each host of the route in turn.
func (j *job) ready(ctx context.Context) (*session, *hopError) {
	now := time.Now()
	if j.session != nil && now.Sub(j.session.opened) >= j.cfg.Limits.Reuse {
		j.jobs.Go(j.session.quit)
		j.session = nil
	}
	if j.session != nil {
		return j.session, nil
	}
	var last *hopError
	for _, host := range j.hop.hosts.order(j.hop.route.hosts(), now) {
		s, err := j.connect(ctx, j.hop.route, host)
		if err == nil {
			j.session = s
			s.among = &j.hop.open
			s.among.Add(1)
			most, _ := s.client.MaxMessageSize()
			j.hop.size.Store(int64(most))
			j.tell(func() { j.connected(j.hop) })
			return s, nil
		}
		j.hop.hosts.note(host, now.Add(downSteps[0]))
		if last = err; ctx.Err() != nil {
			break
		}
	}
	return nil, last
}

// dropSession closes the job's connection at once.
func (j *job) dropSession() {
	if j.session != nil {
		j.session.close()
		j.session = nil
	}
}
