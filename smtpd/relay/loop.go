package relay

import (
	"context"
	"time"

	"postern/store"
)

// loop owns the state. It returns when ctx ends.
func (r *Runner) loop(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		r.watch.left()
		r.start(ctx)
		r.lookAround(ctx)
		r.rest()
		if r.stopped && r.busy == 0 {
			r.sayDrained()
		}
		timer.Reset(r.untilNext())
		select {
		case <-ctx.Done():
			return
		case f := <-r.news:
			f()
		case <-r.cfg.Store.Wake().C():
			r.wakeAll()
		case <-r.flushes:
			r.flushAll(ctx)
		case <-r.stop():
			r.stopped = true
		case <-timer.C:
		}
	}
}

// stop is the channel of Drain until that has been seen.
func (r *Runner) stop() <-chan struct{} {
	if r.stopped {
		return nil
	}
	return r.draining
}

func (r *Runner) sayDrained() {
	select {
	case <-r.drained:
	default:
		close(r.drained)
	}
}

// wakeAll takes over what commits made due.
func (r *Runner) wakeAll() {
	now := r.cfg.Now()
	for _, name := range r.cfg.Store.Wake().Take() {
		r.wake(name, now)
	}
}

// wake notes that a domain has something due at a time.
func (r *Runner) wake(name string, due time.Time) {
	d := r.domains[name]
	if d == nil {
		d = &domain{name: name, hop: r.hops[match(r.cfg.Routes, name)], at: -1}
		r.domains[name] = d
	}
	switch {
	case d.claiming:
		d.woken = true
	case d.at < 0 || due.Before(d.due):
		d.hop.wait(d, due)
	}
}

// start begins jobs for what is due and has a free connection. Hops take turns at being first.
func (r *Runner) start(ctx context.Context) {
	if r.stopped || ctx.Err() != nil {
		return
	}
	now := r.cfg.Now()
	r.first++
	for i := range r.hops {
		h := r.hops[(r.first+i)%len(r.hops)]
		if h.room > 0 && !now.Before(h.roomy) {
			h.room = 0
		}
		for r.canStart(h, now) {
			r.begunJob(ctx, h)
		}
		r.age(ctx, h, now)
	}
}

// canStart reports whether a hop has something due and a connection free. A hop without any job may always have one,
// so that slow hops cannot use up what is meant for all (I5).
func (r *Runner) canStart(h *hop, now time.Time) bool {
	at, ok := h.freeAt(r.cfg.Limits.PerHop)
	return ok && !at.After(now) && (r.busy < r.cfg.Limits.Conns || h.busy == 0)
}

// begunJob starts a job for the domain of h that is due first.
func (r *Runner) begunJob(ctx context.Context, h *hop) {
	d := h.waiting[0]
	h.unwait(d)
	d.claiming = true
	h.busy++
	r.count(1)
	j := &job{Runner: r, hop: h, domain: d, most: r.cfg.Limits.Batch}
	if h.down() {
		j.most = 1
	}
	if n := len(h.idle); n > 0 {
		j.session, h.idle = h.idle[n-1], h.idle[:n-1]
	}
	r.jobs.Go(func() { j.run(ctx) })
}

func (r *Runner) count(by int) {
	r.busy += by
	if r.cfg.Hooks.Conns != nil {
		r.cfg.Hooks.Conns(r.busy)
	}
}

// rest closes connections that nobody used for a while.
func (r *Runner) rest() {
	now := time.Now()
	for _, h := range r.hops {
		r.closeIdle(h, func(s *session) bool { return r.stopped || r.worn(s, now) })
	}
}

// worn reports whether a connection is not to be used again.
func (r *Runner) worn(s *session, now time.Time) bool {
	return now.Sub(s.used) >= r.cfg.Limits.Idle || now.Sub(s.opened) >= r.cfg.Limits.Reuse
}

func (r *Runner) closeIdle(h *hop, which func(*session) bool) {
	keep := h.idle[:0]
	for _, s := range h.idle {
		if which(s) {
			r.jobs.Go(s.quit)
			continue
		}
		keep = append(keep, s)
	}
	clear(h.idle[len(keep):])
	h.idle = keep
}

// lookEvery is how often the domains are looked through: commits tell of what they make due now, not of what they put
// off, and a signal may be lost.
const lookEvery = time.Minute

// lookAround starts a look through the domains when it is time.
func (r *Runner) lookAround(ctx context.Context) {
	now := time.Now()
	if r.stopped || now.Sub(r.looked) < lookEvery {
		return
	}
	r.looked = now
	r.jobs.Go(func() {
		err := r.eachPage(ctx, func(found []store.Destination) {
			r.bringNear(ctx, found)
			r.tell(func() { r.wakeThese(found) })
		})
		if err != nil && ctx.Err() == nil {
			r.cfg.Log.ErrorContext(ctx, "queue not read", "event", "claim", "error", err)
		}
	})
}

// bringNear makes domains due that nothing would be tried of for longer than the retry table waits: their items were
// written while the clock was ahead.
func (r *Runner) bringNear(ctx context.Context, found []store.Destination) {
	farthest := r.cfg.Now().Add(r.cfg.longestWait())
	for _, d := range found {
		if !d.Due.After(farthest) {
			continue
		}
		n, err := r.makeDue(ctx, d.Domain)
		if err != nil {
			r.cfg.Log.ErrorContext(ctx, "items not brought near", "event", "clock", "domain", d.Domain, "error", err)
			continue
		}
		r.cfg.Log.WarnContext(ctx, "items were due too far ahead: has the clock been set back?", "event", "clock", "domain", d.Domain,
			"due", d.Due, "items", n)
	}
}

// untilNext is when there is something to do again.
func (r *Runner) untilNext() time.Duration {
	now := r.cfg.Now()
	wait := time.Until(r.looked.Add(lookEvery))
	if r.stopped {
		wait = time.Hour
	}
	sooner := func(d time.Duration) { wait = min(wait, max(d, 0)) }
	for _, h := range r.hops {
		if at, ok := h.freeAt(r.cfg.Limits.PerHop); ok && !r.stopped && (r.busy < r.cfg.Limits.Conns || h.busy == 0) {
			sooner(at.Sub(now))
		}
		if at, ok := h.ageAt(); ok && !r.stopped {
			sooner(at.Sub(now))
		}
		if h.room > 0 {
			sooner(h.roomy.Sub(now))
		}
		for _, s := range h.idle {
			sooner(time.Until(s.used.Add(r.cfg.Limits.Idle)))
			sooner(time.Until(s.opened.Add(r.cfg.Limits.Reuse)))
		}
	}
	return wait
}

// claimed takes over what a claim says about its domain.
func (r *Runner) claimed(d *domain, c claim) {
	now := r.cfg.Now()
	d.claiming = false
	due := c.next
	switch {
	case c.err != nil:
		due = now.Add(storeTrouble)
	case d.woken || c.full:
		due = now
	case c.empty:
		delete(r.domains, d.name)
		return
	}
	d.woken = false
	d.hop.wait(d, due)
}

// storeTrouble is how long a domain waits when its queue could not be read.
const storeTrouble = 5 * time.Second

// ended takes over what a job leaves.
func (r *Runner) ended(j *job) {
	h := j.hop
	h.busy--
	r.count(-1)
	if s := j.session; s != nil {
		s.used = time.Now()
		h.idle = append(h.idle, s)
	}
	if j.failure != nil {
		r.hopFailed(h, j.failure)
	}
	if !j.next.IsZero() {
		r.wake(j.domain.name, j.next)
	}
}

func (r *Runner) hopFailed(h *hop, err *hopError) {
	was := h.fails
	h.fail(r.cfg.Now(), err.answer)
	if h.fails == was {
		return
	}
	r.cfg.Log.Warn("next hop down", "event", "hop", "route", h.name, "relay", err.host, "stage", string(err.stage), "code", err.code,
		"enhanced", err.status, "reply", err.text, "until", h.until)
	if r.cfg.Hooks.Down != nil {
		r.cfg.Hooks.Down(h.name, h.until)
	}
}

// connected notes a new connection of a hop.
func (r *Runner) connected(h *hop) {
	if h.down() {
		r.cfg.Log.Info("next hop up", "event", "hop", "route", h.name)
		if r.cfg.Hooks.Down != nil {
			r.cfg.Hooks.Down(h.name, time.Time{})
		}
	}
	h.up()
}
