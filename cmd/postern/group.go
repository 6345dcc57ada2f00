package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// group runs jobs under one context and waits for all of them.
type group struct {
	ctx    context.Context
	wg     sync.WaitGroup
	failed chan struct{} // closed when the first job ends with an error
	once   sync.Once
	mu     sync.Mutex
	errs   []error
}

func newGroup(ctx context.Context) *group { return &group{ctx: ctx, failed: make(chan struct{})} }

func (g *group) start(name string, job func(context.Context) error) {
	g.wg.Go(func() {
		err := job(g.ctx)
		if err == nil || errors.Is(err, context.Canceled) && g.ctx.Err() != nil {
			return
		}
		g.mu.Lock()
		g.errs = append(g.errs, fmt.Errorf("%s: %w", name, err))
		g.mu.Unlock()
		g.once.Do(func() { close(g.failed) })
	})
}

func (g *group) wait() error {
	g.wg.Wait()
	return errors.Join(g.errs...)
}
