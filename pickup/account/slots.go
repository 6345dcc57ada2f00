package account

import (
	"context"
	"slices"
	"sync"
	"time"
)

// class is who asks for an Argon2 slot.
type class int

const (
	stranger class = iota // proved nothing so far
	guest                 // brought a valid link token or the cookie of a browser that signed in before
)

// slotMemory is what one Argon2id takes (KEYS K7).
const slotMemory = 64 << 20

// slots bounds the Argon2id runs at one time. Strangers get half of them only, and guests are served first: who floods
// the sign-in page does not keep recipients from their mail (KEYS K13).
type slots struct {
	mu      sync.Mutex
	free    int
	open    int // of the free ones, how many strangers may still take
	waiting [2][]*waiter
}

type waiter struct {
	class class
	ready chan struct{}
}

// newSlots makes min(cores, memory/64 MiB) slots, one at least.
func newSlots(cores int, memory int64) *slots {
	n := max(1, int(min(int64(cores), memory/slotMemory)))
	return &slots{free: n, open: (n + 1) / 2}
}

// acquire waits for a slot, up to maxWait; then it is BusyError. The caller calls release once.
func (s *slots) acquire(ctx context.Context, c class) (release func(), err error) {
	w := s.enter(c)
	release = sync.OnceFunc(func() { s.put(c) })
	timer := time.NewTimer(maxWait)
	defer timer.Stop()
	select {
	case <-w.ready:
		return release, nil
	case <-ctx.Done():
		err = ctx.Err()
	case <-timer.C:
		err = &BusyError{RetryAfter: maxWait}
	}
	if !s.leave(w) { // served at the last moment
		release()
	}
	return nil, err
}

func (s *slots) enter(c class) *waiter {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := &waiter{class: c, ready: make(chan struct{})}
	s.waiting[c] = append(s.waiting[c], w)
	s.serve()
	return w
}

// leave takes w out of the queue; false when it was served already.
func (s *slots) leave(w *waiter) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.Index(s.waiting[w.class], w)
	if i < 0 {
		return false
	}
	s.waiting[w.class] = slices.Delete(s.waiting[w.class], i, i+1)
	return true
}

func (s *slots) put(c class) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free++
	if c == stranger {
		s.open++
	}
	s.serve()
}

// serve hands out what is free. The lock is held.
func (s *slots) serve() {
	for s.free > 0 && len(s.waiting[guest]) > 0 {
		s.next(guest)
	}
	for s.free > 0 && s.open > 0 && len(s.waiting[stranger]) > 0 {
		s.next(stranger)
		s.open--
	}
}

func (s *slots) next(c class) {
	close(s.waiting[c][0].ready)
	s.waiting[c] = s.waiting[c][1:]
	s.free--
}
