package relay

import (
	"context"
	"fmt"
	"sync"
	"time"

	"postern/store"
)

// Runner delivers what is in the queue. Its exported methods may be called from several goroutines.
type Runner struct {
	cfg   Config
	owner store.Owner
	watch *watch

	news     chan func()   // what jobs tell the goroutine of Run
	flushes  chan struct{} // holds a signal while toFlush has something
	draining chan struct{} // closed by Drain
	drained  chan struct{} // closed when no job is left after that
	drain    sync.Once
	cut      context.Context // ends with Run: connections are closed then
	jobs     sync.WaitGroup

	mu      sync.Mutex
	toFlush map[string]bool

	// The rest belongs to the goroutine of Run.
	hops    []*hop // one per route, then the one of mail without a route
	domains map[string]*domain
	busy    int
	first   int       // hop that is looked at first, for fairness
	looked  time.Time // when the domains were last looked through
	stopped bool
}

// New makes a Runner. An error is a configuration that cannot work.
func New(c Config) (*Runner, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	r := &Runner{
		cfg:      c.withDefaults(),
		owner:    newOwner(),
		news:     make(chan func()),
		flushes:  make(chan struct{}, 1),
		draining: make(chan struct{}),
		drained:  make(chan struct{}),
		toFlush:  map[string]bool{},
		domains:  map[string]*domain{},
	}
	r.watch = newWatch(r.cfg)
	for i := range r.cfg.Routes {
		route := &r.cfg.Routes[i]
		r.hops = append(r.hops, &hop{route: route, name: route.Name()})
	}
	r.hops = append(r.hops, &hop{name: "none"})
	return r, nil
}

// newOwner draws the name under which this process holds leases.
func newOwner() store.Owner {
	id := store.NewMessageID(time.Time{})
	return store.Owner(id)
}

// Run delivers until ctx ends. Then connections are cut, what was under way is written back, and Run returns nil. An
// error is a queue that could not be read at start.
func (r *Runner) Run(ctx context.Context) error {
	r.watch.start()
	if err := r.begin(ctx); err != nil && ctx.Err() == nil {
		return fmt.Errorf("start queue runner: %w", err)
	}
	cut, stop := context.WithCancel(ctx)
	r.cut, r.looked = cut, time.Now()
	r.loop(cut)
	stop()
	r.finish()
	return nil
}

// begin takes over what another process left and finds the domains that wait.
func (r *Runner) begin(ctx context.Context) error {
	now := r.cfg.Now()
	var n int
	err := r.cfg.Store.Update(ctx, func(tx store.Tx) (err error) {
		n, err = tx.Queue().Recover(r.owner, now.Add(r.cfg.Backoff[0]))
		return err
	})
	if err != nil {
		return err
	}
	if n > 0 {
		r.cfg.Log.InfoContext(ctx, "queue recovered", "event", "start", "items", n)
	}
	return r.eachPage(ctx, func(found []store.Destination) {
		r.bringNear(ctx, found)
		r.wakeThese(found)
	})
}

// eachPage walks through the domains that wait.
func (r *Runner) eachPage(ctx context.Context, f func([]store.Destination)) error {
	const page = 500
	for after := ""; ; {
		var found []store.Destination
		err := r.cfg.Store.View(ctx, func(tx store.Tx) (err error) {
			found, err = tx.Queue().Destinations(after, page)
			return err
		})
		if err != nil {
			return err
		}
		f(found)
		if len(found) < page {
			return nil
		}
		after = found[len(found)-1].Domain
	}
}

// wakeThese notes domains and when they are due.
func (r *Runner) wakeThese(found []store.Destination) {
	for _, d := range found {
		r.wake(d.Domain, d.Due)
	}
}

// finish hears the last news of jobs that were cut, and closes idle connections.
func (r *Runner) finish() {
	r.stopped = true
	done := make(chan struct{})
	go func() {
		r.jobs.Wait()
		close(done)
	}()
	for {
		select {
		case f := <-r.news:
			f()
		case <-done:
			for _, h := range r.hops {
				r.closeIdle(h, func(*session) bool { return true })
			}
			r.sayDrained()
			r.jobs.Wait()
			return
		}
	}
}

// Drain stops claims, lets the transactions under way end, gives back what was not begun, and returns when that is
// done or ctx ends. Run goes on without work until its own context ends; ending that cuts the rest.
func (r *Runner) Drain(ctx context.Context) error {
	r.drain.Do(func() { close(r.draining) })
	select {
	case <-r.drained:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// isDraining reports whether Drain was called.
func (r *Runner) isDraining() bool {
	select {
	case <-r.draining:
		return true
	default:
		return false
	}
}

// tell runs f in the goroutine of Run. Only jobs call it: finish hears them until the last has ended.
func (r *Runner) tell(f func()) { r.news <- f }
