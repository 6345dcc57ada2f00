package pickup

import (
	"context"
	"sync"
	"time"

	"postern/pickup/account"
)

// A message with pictures is some 60 MB while its page is put together and some 30 MB until the browser has it, for its
// pictures are part of the page (ARCHITECTURE 1.11). So only a few are put together at one time, and one person waits
// for a few only; the others wait for their turn.
const (
	pagesAtOnce   = 6
	pagesOfPerson = 2
)

// Uploads are stored while they arrive, so what is under way at one time must leave the reserve of the disk alone.
const (
	uploadsAtOnce   = 32
	uploadsOfPerson = 2
	uploadWait      = 2 * time.Second // then the answer is "busy"
)

// gate lets so many in at one time, and so many of one person.
type gate struct {
	all  chan struct{}
	mine int

	mu      sync.Mutex
	persons map[string]*turns
}

// turns are those of one person; used is how many wait or are inside.
type turns struct {
	inside chan struct{}
	used   int
}

func newGate(all, mine int) *gate {
	return &gate{all: make(chan struct{}, all), mine: mine, persons: map[string]*turns{}}
}

// person waits until one more page of that person may be under way. The caller calls done once.
func (g *gate) person(ctx context.Context, who string) (done func(), err error) {
	t := g.come(who)
	select {
	case t.inside <- struct{}{}:
		return func() { <-t.inside; g.leave(who, t) }, nil
	case <-ctx.Done():
		g.leave(who, t)
		return nil, ctx.Err()
	}
}

func (g *gate) come(who string) *turns {
	g.mu.Lock()
	defer g.mu.Unlock()
	t := g.persons[who]
	if t == nil {
		t = &turns{inside: make(chan struct{}, g.mine)}
		g.persons[who] = t
	}
	t.used++
	return t
}

func (g *gate) leave(who string, t *turns) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if t.used--; t.used == 0 {
		delete(g.persons, who)
	}
}

// enter waits until one more may be inside, of whomever. The caller calls done once.
func (g *gate) enter(ctx context.Context) (done func(), err error) {
	select {
	case g.all <- struct{}{}:
		return func() { <-g.all }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// build waits until one more page may be put together, and does it.
func (g *gate) build(ctx context.Context, f func() error) error {
	done, err := g.enter(ctx)
	if err != nil {
		return err
	}
	defer done()
	return f()
}

// uploading waits until that person may upload a reply. *account.BusyError when it takes too long.
func (s *Site) uploading(ctx context.Context, who string) (done func(), err error) {
	wait, cancel := context.WithTimeout(ctx, uploadWait)
	defer cancel()
	busy := &account.BusyError{RetryAfter: uploadWait}
	mine, err := s.uploads.person(wait, who)
	if err != nil {
		return nil, busy
	}
	all, err := s.uploads.enter(wait)
	if err != nil {
		mine()
		return nil, busy
	}
	return func() { all(); mine() }, nil
}
