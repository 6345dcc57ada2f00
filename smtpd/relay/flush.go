package relay

import (
	"context"

	"postern/store"
)

// Flush makes what waits for a domain due now and forgets that its next hop is down; an empty name means all. It does
// not wait: the work is done by Run.
func (r *Runner) Flush(domain string) {
	if domain != "" {
		domain = store.DomainKey(domain)
	}
	r.mu.Lock()
	r.toFlush[domain] = true
	r.mu.Unlock()
	select {
	case r.flushes <- struct{}{}:
	default: // a signal is waiting already
	}
}

// flushAll starts what was asked for, in the goroutine of Run.
func (r *Runner) flushAll(ctx context.Context) {
	r.mu.Lock()
	domains := r.toFlush
	r.toFlush = map[string]bool{}
	r.mu.Unlock()
	for domain := range domains {
		r.flush(ctx, domain)
	}
}

// flush starts the work in the goroutine of Run.
func (r *Runner) flush(ctx context.Context, domain string) {
	for i, h := range r.hops {
		if domain == "" || match(r.cfg.Routes, domain) == i {
			h.up()
			h.room = 0
		}
	}
	r.jobs.Go(func() {
		n, err := r.makeDue(ctx, domain)
		if err != nil {
			r.cfg.Log.ErrorContext(ctx, "flush failed", "event", "flush", "domain", domain, "error", err)
			return
		}
		r.cfg.Log.InfoContext(ctx, "flushed", "event", "flush", "domain", domain, "items", n)
	})
}

// makeDue sets the items that nobody holds due now, a page a transaction. The commits wake Run.
func (r *Runner) makeDue(ctx context.Context, domain string) (int, error) {
	const page = 200
	total := 0
	for c := store.Cursor(""); ; {
		now := r.cfg.Now()
		n, next := 0, store.Cursor("")
		err := r.cfg.Store.Update(ctx, func(tx store.Tx) (err error) {
			n, next = 0, ""
			var items []store.QueueItem
			if items, next, err = tx.Queue().List(domain, c, page); err != nil {
				return err
			}
			for _, item := range items {
				if !item.Owner.IsZero() || !item.Due.After(now) {
					continue
				}
				item.Due = now
				if err := tx.Queue().Replace(item); err != nil {
					return err
				}
				n++
			}
			return nil
		})
		if err != nil {
			return total, err
		}
		total += n
		if c = next; c == "" {
			return total, nil
		}
	}
}

// SizeSeen is the limit in octets that the next hop of a domain named last; 0: none, or not known yet (MAIL 8.3).
func (r *Runner) SizeSeen(domain string) int64 {
	return r.hops[match(r.cfg.Routes, domain)].size.Load()
}
