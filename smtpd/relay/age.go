package relay

import (
	"log/slog"
	"sync"
	"time"

	"postern/store"
)

// settling is how long after a leap the clock may still be put right.
const settling = time.Hour

// fairTrial is how long mail has been tried for at least before it ends by age: six steps of the retry table, an hour at
// most, counted from the start of the process, or from the last leap of its clock, by a clock that nobody sets. What
// waited while the machine was off or suspended, or became "old" because a wrong clock was put right, gets the attempts
// of a fair trial first: often the network comes back later than the clock.
func (c Config) fairTrial() (trial time.Duration) {
	for n := range 6 {
		trial += c.Backoff[min(n, len(c.Backoff)-1)]
	}
	return min(trial, time.Hour)
}

// leap is how far the clock may go forward beside the time that has passed; more is a leap.
const leap = 10 * time.Minute

// watch compares the clock with the time that passes.
type watch struct {
	now   func() time.Time
	log   *slog.Logger
	trial time.Duration

	mu    sync.Mutex
	since time.Time // the start, or the last leap
	leapt bool      // it was a leap
	seen  time.Time // the last look, with the monotonic reading
	wall  time.Time // what the clock said then
}

func newWatch(c Config) *watch {
	w := &watch{now: c.Now, log: c.Log, trial: c.fairTrial()}
	w.start()
	return w
}

func (w *watch) start() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen, w.wall = time.Now(), w.now().Round(0)
	w.since, w.leapt = w.seen, false
}

// left is how much of the fair trial is still to come.
func (w *watch) left() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	seen, wall := time.Now(), w.now().Round(0)
	if by := wall.Sub(w.wall) - seen.Sub(w.seen); by > leap {
		w.since, w.leapt = seen, true
		w.log.Warn("the clock went forward; what looks old now is tried for a while before it is given up", "event", "clock",
			"by", by.Round(time.Second), "for", w.trial)
	}
	w.seen, w.wall = seen, wall
	return max(0, w.trial-seen.Sub(w.since))
}

// Unsettled reports whether the clock leapt forward within the last hour. What cannot be undone, and goes by the clock,
// had better wait: the leap may be put right.
func (r *Runner) Unsettled() bool {
	r.watch.left() // has it leapt just now?
	return r.watch.unsettled()
}

func (w *watch) unsettled() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.leapt && time.Since(w.since) < settling
}

// tooOld reports whether an item that was not taken ends by its age.
func (r *Runner) tooOld(item store.QueueItem, now time.Time) bool {
	return !now.Before(r.ends(item, now))
}

// ends is when an item ends by its age: at its time of giving up, but not before the end of a fair trial.
func (r *Runner) ends(item store.QueueItem, now time.Time) time.Time {
	if trial := now.Add(r.watch.left()); trial.After(item.GiveUp) {
		return trial
	}
	return item.GiveUp
}
