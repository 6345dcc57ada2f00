package relay

import (
	"container/heap"
	"sync"
	"sync/atomic"
	"time"
)

// hop is a next hop: what one route leads to. But for its last fields it belongs to the goroutine of Run.
type hop struct {
	route   *Route // nil: where mail goes that no route matches
	name    string
	waiting dueHeap // domains with mail, the earliest first
	busy    int     // jobs under way
	idle    []*session
	fails   int       // failures in a row; not 0: down
	until   time.Time // down until then
	said    answer    // what it answered when it went down
	room    int       // jobs that it bears; 0: as configured
	roomy   time.Time // when room is forgotten
	aged    time.Time // when the last pass over overdue domains began

	open  atomic.Int32 // sessions
	size  atomic.Int64 // SIZE of the last one; 0: none was said
	hosts hostBook
}

func (h *hop) down() bool { return h.fails > 0 }

// limit is how many jobs may run. A hop that is down gets one probe; one without a connection gets one job until that
// has connected, so that a dead host is not dialled in parallel.
func (h *hop) limit(most int) int {
	switch {
	case h.down(), h.route != nil && h.open.Load() == 0:
		return 1
	case h.room > 0:
		return min(h.room, most)
	}
	return most
}

// fail notes that no connection came about. Where others are open the hop is crowded, not down: it gets no more than
// those for a while.
func (h *hop) fail(now time.Time, said answer) {
	h.said = said
	if n := int(h.open.Load()); n > 0 {
		h.room, h.roomy = n, now.Add(downSteps[0])
		return
	}
	if h.down() && now.Before(h.until) {
		return // a job that began before the hop went down
	}
	h.until = now.Add(downSteps[min(h.fails, len(downSteps)-1)])
	h.fails++
}

// up notes a connection.
func (h *hop) up() { h.fails, h.until = 0, time.Time{} }

// freeAt is when the hop may take the domain that is due first; false: not before a job ends.
func (h *hop) freeAt(most int) (time.Time, bool) {
	if len(h.waiting) == 0 || h.busy >= h.limit(most) {
		return time.Time{}, false
	}
	at := h.waiting[0].due
	if h.down() && h.until.After(at) {
		at = h.until
	}
	return at, true
}

// wait puts a domain among those that wait, or moves it.
func (h *hop) wait(d *domain, due time.Time) {
	d.due = due
	if d.at < 0 {
		heap.Push(&h.waiting, d)
		return
	}
	heap.Fix(&h.waiting, d.at)
}

// unwait takes a domain out of those that wait.
func (h *hop) unwait(d *domain) {
	if d.at >= 0 {
		heap.Remove(&h.waiting, d.at)
	}
}

// domain is a destination with mail in the queue. It belongs to the goroutine of Run.
type domain struct {
	name     string
	hop      *hop
	due      time.Time
	at       int  // place in hop.waiting; -1: not there
	claiming bool // a job is about to say what is due next
	woken    bool // something became due meanwhile
}

// dueHeap orders domains by due.
type dueHeap []*domain

func (q dueHeap) Len() int           { return len(q) }
func (q dueHeap) Less(i, j int) bool { return q[i].due.Before(q[j].due) }
func (q dueHeap) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].at, q[j].at = i, j
}

// Push is for container/heap.
func (q *dueHeap) Push(x any) {
	d := x.(*domain)
	d.at = len(*q)
	*q = append(*q, d)
}

// Pop is for container/heap.
func (q *dueHeap) Pop() any {
	last := len(*q) - 1
	d := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	d.at = -1
	return d
}

// hostBook remembers which hosts of a route did not answer lately, so that they are tried last. Jobs share it.
type hostBook struct {
	mu  sync.Mutex
	bad map[string]time.Time
}

// order lists hosts in the order in which to try them.
func (b *hostBook) order(hosts []string, now time.Time) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var good, bad []string
	for _, h := range hosts {
		if now.Before(b.bad[h]) {
			bad = append(bad, h)
		} else {
			good = append(good, h)
		}
	}
	return append(good, bad...)
}

func (b *hostBook) note(host string, until time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.bad == nil {
		b.bad = map[string]time.Time{}
	}
	b.bad[host] = until
}
