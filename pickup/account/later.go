package account

import "context"

// maxLater bounds the jobs that wait. Each takes a millisecond, so that many are a flood.
const maxLater = 256

// Later does after an answer what must not show in its time: looking up whether an address has an account, and mailing
// it (KEYS K9 "Forgotten").
type Later struct{ jobs chan func(context.Context) }

// NewLater makes a Later. Its jobs begin with Run.
func NewLater() *Later { return &Later{jobs: make(chan func(context.Context), maxLater)} }

// Do takes a job; false: too many wait.
func (l *Later) Do(job func(context.Context)) bool {
	select {
	case l.jobs <- job:
		return true
	default:
		return false
	}
}

// Run does one job after the other until ctx ends, and then those that were promised before.
func (l *Later) Run(ctx context.Context) error {
	for {
		select {
		case job := <-l.jobs:
			job(ctx)
		case <-ctx.Done():
			l.finish(context.WithoutCancel(ctx))
			return nil
		}
	}
}

func (l *Later) finish(ctx context.Context) {
	for {
		select {
		case job := <-l.jobs:
			job(ctx)
		default:
			return
		}
	}
}
