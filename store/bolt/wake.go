package bolt

import (
	"slices"
	"sync"
	"time"

	"postern/store"
)

// wake collects the domains that commits made due.
type wake struct {
	now    func() time.Time
	signal chan struct{}

	mu      sync.Mutex
	domains map[string]struct{}
}

var _ store.Wake = (*wake)(nil)

func newWake(now func() time.Time) *wake {
	return &wake{now: now, signal: make(chan struct{}, 1), domains: make(map[string]struct{})}
}

// C holds one signal while Take may have something.
func (w *wake) C() <-chan struct{} { return w.signal }

// Take returns the domains of due items that were committed since the last call, sorted.
func (w *wake) Take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	domains := make([]string, 0, len(w.domains))
	for d := range w.domains {
		domains = append(domains, d)
	}
	clear(w.domains)
	slices.Sort(domains)
	return domains
}

// due is a domain and the moment from which an item of it may go.
type due struct {
	domain string
	at     time.Time
}

// tell takes what a commit wrote and signals when some of it is due now.
func (w *wake) tell(written []due) {
	if len(written) == 0 {
		return
	}
	now := w.now()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, d := range written {
		if !d.at.After(now) {
			w.domains[d.domain] = struct{}{}
		}
	}
	if len(w.domains) > 0 {
		select {
		case w.signal <- struct{}{}:
		default: // a signal is waiting already
		}
	}
}
