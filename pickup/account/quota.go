package account

import (
	"slices"
	"sync"
	"time"
)

// quota bounds how often something is done within a time, for each key apart. What is not done does not count.
type quota struct {
	window time.Duration
	mu     sync.Mutex
	done   *lru[quotaKey, []time.Time]
}

// quotaKey is one bound: of what, of whom, how many.
type quotaKey struct {
	of, whom string
	most     int
}

func newQuota(window time.Duration) *quota {
	return &quota{window: window, done: newLRU[quotaKey, []time.Time](maxTracked)}
}

// take counts one under every key, if all of them have room. Otherwise nothing is counted, and until says when there
// will be.
func (q *quota) take(now time.Time, keys ...quotaKey) (free bool, until time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, k := range keys {
		times := q.done.get(k, func() []time.Time { return nil })
		*times = slices.DeleteFunc(*times, func(t time.Time) bool { return now.Sub(t) >= q.window })
		if len(*times) >= k.most {
			if next := (*times)[len(*times)-k.most].Add(q.window); next.After(until) {
				until = next
			}
		}
	}
	if !until.IsZero() {
		return false, until
	}
	for _, k := range keys {
		times := q.done.get(k, func() []time.Time { return nil })
		*times = append(*times, now)
	}
	return true, time.Time{}
}
