package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"sync"
	"time"
)

// tally matches arrivals with what was sent.
type tally struct {
	o        options
	mu       sync.Mutex
	sent     []time.Time // by number - 1
	arrived  []time.Time
	want     [][sha256.Size]byte
	missing  int
	twice    int
	altered  int
	strange  int
	last     time.Time
	complete chan struct{}
}

func newTally(o options) *tally {
	return &tally{
		o: o, sent: make([]time.Time, o.messages), arrived: make([]time.Time, o.messages),
		want: make([][sha256.Size]byte, o.messages), missing: o.messages, complete: make(chan struct{}),
	}
}

func (t *tally) sending(n int, raw []byte) {
	d := digest(raw)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sent[n-1], t.want[n-1] = time.Now(), d
}

// arrival books a message that the sink has taken. Of a flagged one the notification arrives, whose octets are the
// gateway's own.
func (t *tally) arrival(rcpt string, raw []byte) {
	now := time.Now()
	n, ok := numberOf(rcpt)
	d := digest(raw)
	t.mu.Lock()
	defer t.mu.Unlock()
	if !ok || n < 1 || n > len(t.arrived) {
		t.strange++
		return
	}
	if !t.arrived[n-1].IsZero() {
		t.twice++
		return
	}
	t.arrived[n-1], t.last = now, now
	if !secure(n, t.o.secure) && d != t.want[n-1] {
		t.altered++
	}
	if t.missing--; t.missing == 0 {
		close(t.complete)
	}
}

// settle is how long duplicates are waited for after the last message came.
const settle = 300 * time.Millisecond

func (t *tally) wait(ctx context.Context) error {
	select {
	case <-t.complete:
		time.Sleep(settle)
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t *tally) progress() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return fmt.Sprintf("%d of %d arrived, %d twice, %d altered, %d strange", t.o.messages-t.missing, t.o.messages, t.twice, t.altered, t.strange)
}

func (t *tally) result(name string, o options, begin time.Time, accepted time.Duration) result {
	t.mu.Lock()
	defer t.mu.Unlock()
	latency := make([]time.Duration, len(t.arrived))
	for i := range latency {
		latency[i] = t.arrived[i].Sub(t.sent[i])
	}
	slices.Sort(latency)
	return result{
		system: name, o: o, accepted: accepted, end: t.last.Sub(begin), latency: latency,
		lost: t.missing, twice: t.twice, altered: t.altered, strange: t.strange,
	}
}
