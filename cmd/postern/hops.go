package main

import (
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"postern/smtpd/relay"
)

// hopBook remembers which next hops do not answer, for the queue's list and for the alarm.
type hopBook struct {
	routes []relay.Route
	gauge  *prometheus.GaugeVec
	now    func() time.Time

	mu    sync.Mutex
	until map[string]time.Time // by name of the route; the time of the next attempt
}

func newHopBook(routes []relay.Route, gauge *prometheus.GaugeVec, now func() time.Time) *hopBook {
	b := &hopBook{routes: routes, gauge: gauge, now: now, until: map[string]time.Time{}}
	for _, r := range routes {
		b.note(r.Name(), time.Time{})
	}
	return b
}

// note is for relay.Hooks.Down.
func (b *hopBook) note(route string, until time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.until[route] = until
	down := 0.0
	if !until.IsZero() {
		down = 1
	}
	b.gauge.WithLabelValues(route).Set(down)
}

// down is until when the next hop of a domain is left alone; zero: it answers, as far as is known.
func (b *hopBook) down(domain string) time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	if i := b.route(domain); i >= 0 && b.until[b.routes[i].Name()].After(b.now()) {
		return b.until[b.routes[i].Name()]
	}
	return time.Time{}
}

func (b *hopBook) route(domain string) int {
	return slices.IndexFunc(b.routes, func(r relay.Route) bool { return r.Matches(domain) })
}

// delivering is the running queue runner, for the administrator.
type delivering struct {
	*relay.Runner
	hops *hopBook
}

// Down implements admin.Runner.
func (d delivering) Down(domain string) time.Time { return d.hops.down(domain) }

// Flush implements admin.Runner: the next hop is tried at once, so nothing is known of it any more.
func (d delivering) Flush(domain string) {
	if i := d.hops.route(domain); i >= 0 {
		d.hops.note(d.hops.routes[i].Name(), time.Time{})
	}
	d.Runner.Flush(domain)
}

// resting is a queue runner that does not run: what it leaves due is delivered when a server starts.
type resting struct{ *relay.Runner }

// Down implements admin.Runner.
func (resting) Down(string) time.Time { return time.Time{} }

// Flush has nobody to wake.
func (resting) Flush(string) {}
