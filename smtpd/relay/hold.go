package relay

import (
	"context"
	"errors"
	"slices"
	"time"

	"postern/store"
)

// hold begins to keep the leases of claimed items: they are extended while the job lasts (ARCHITECTURE 1.9).
func (j *job) hold(items []store.QueueItem) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.held = map[store.RcptKey]bool{}
	for _, item := range items {
		j.held[item.Key] = true
	}
	j.extend = time.AfterFunc(j.cfg.Limits.Extend, func() { j.keeper(j.extendLeases) })
}

// keeper runs f unless the job is over, which waits for it.
func (j *job) keeper(f func()) {
	j.mu.Lock()
	over := j.held == nil
	if !over {
		j.keepers.Add(1)
	}
	j.mu.Unlock()
	if !over {
		defer j.keepers.Done()
		j.guarded(j.ctx, f)
	}
}

// unhold ends all keeping.
func (j *job) unhold() {
	j.mu.Lock()
	j.held = nil
	j.extend.Stop()
	for _, t := range []*time.Timer{j.letGo, j.writeSoon} {
		if t != nil {
			t.Stop()
		}
	}
	j.mu.Unlock()
	j.keepers.Wait()
}

// extendLeases moves the ends of the leases that are still held. One that is lost is left to whoever has it: its
// result will not be written either.
func (j *job) extendLeases() {
	j.mu.Lock()
	var keys []store.RcptKey
	for k := range j.held {
		keys = append(keys, k)
	}
	j.mu.Unlock()
	until := j.cfg.Now().Add(j.cfg.Limits.Lease)
	err := j.cfg.Store.Update(context.WithoutCancel(j.cut), func(tx store.Tx) error {
		for _, k := range keys {
			err := tx.Queue().Extend(k, j.owner, until)
			if err != nil && !errors.Is(err, store.ErrConflict) && !errors.Is(err, store.ErrNotFound) {
				return err
			}
		}
		return nil
	})
	if err != nil {
		j.cfg.Log.Error("leases not extended", "event", "lease", "domain", j.domain.name, "error", err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.held != nil {
		j.extend.Reset(j.cfg.Limits.Extend)
	}
}

// startPatience lets go of what is still to do when the job has not come to it in time: one slow message must not hold
// up those behind it (I5).
func (j *job) startPatience() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.letGo == nil && len(j.todo) > 0 {
		j.letGo = time.AfterFunc(j.cfg.Limits.Patience, func() { j.keeper(j.letOthers) })
	}
}

// letOthers gives back what was not begun, for other connections to take.
func (j *job) letOthers() {
	j.giveBack(j.takeRest(), answer{stage: stageMail, status: "4.3.2", text: "let go: the message before takes long"}, via{})
	j.mu.Lock()
	next := j.next
	j.mu.Unlock()
	if !next.IsZero() {
		j.tell(func() { j.wake(j.domain.name, next) })
	}
}

// setTodo sets what is to be delivered.
func (j *job) setTodo(parcels []*parcel) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.todo = parcels
}

// takeNext takes the next parcel; nil when there is none, or when none may be begun any more.
func (j *job) takeNext(ctx context.Context) *parcel {
	if j.failure != nil || ctx.Err() != nil || j.isDraining() {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.todo) == 0 {
		return nil
	}
	p := j.todo[0]
	j.todo = j.todo[1:]
	return p
}

// takeRest takes all that is left.
func (j *job) takeRest() []*parcel {
	j.mu.Lock()
	defer j.mu.Unlock()
	rest := j.todo
	j.todo = nil
	return rest
}

func (j *job) putFirst(p *parcel) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.todo = slices.Insert(j.todo, 0, p)
}
