package message

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"postern/pickup/account"
	"postern/store"
)

const (
	recorderQueue = 4096
	recorderStep  = time.Second
	flushTime     = 5 * time.Second
)

// Recorder writes what may be lost beside the requests: fetches of links, last uses of sessions, downloads, failed
// sign-ins. Its methods never block; what finds the channel full is dropped and counted. All that came in within a
// second is one Update, so a flood of fetches costs one commit a second, and a full disk breaks no page.
type Recorder struct {
	store   store.Store
	log     *slog.Logger
	now     func() time.Time
	notes   chan note
	dropped atomic.Int64
}

var _ account.Recorder = (*Recorder)(nil)

// note is one of the three; the others are zero.
type note struct {
	at      time.Time
	link    store.LinkID
	session store.SessionID
	event   store.Event
}

// batch is the notes of one second, merged.
type batch struct {
	links    map[store.LinkID]store.Fetches
	sessions map[store.SessionID]time.Time
	events   []store.Event
	saved    map[saving]bool
}

// saving is a download. Within one batch the same one counts once: whoever is signed in could fill the disk with them.
type saving struct {
	account store.AccountID
	of      store.RcptKey
	part    string
}

// NewRecorder makes a Recorder; nothing is written before Run.
func NewRecorder(st store.Store, log *slog.Logger, now func() time.Time) *Recorder {
	return &Recorder{store: st, log: log, now: now, notes: make(chan note, recorderQueue)}
}

// Fetched counts a fetch of a link's page. Fetches get half of the room only: whoever has a link must not keep out what
// else is to be recorded.
func (r *Recorder) Fetched(id store.LinkID) {
	if len(r.notes) >= recorderQueue/2 {
		r.dropped.Add(1)
		return
	}
	r.take(note{at: r.now(), link: id})
}

// LastSeen notes that a session was used.
func (r *Recorder) LastSeen(id store.SessionID, at time.Time) { r.take(note{at: at, session: id}) }

// Record takes an event that belongs to no transaction.
func (r *Recorder) Record(e store.Event) { r.take(note{event: e}) }

// Dropped is how many notes were lost since the start, for the metrics.
func (r *Recorder) Dropped() int64 { return r.dropped.Load() }

func (r *Recorder) take(n note) {
	select {
	case r.notes <- n:
	default:
		r.dropped.Add(1)
	}
}

// Run writes notes until ctx ends, and then what is left.
func (r *Recorder) Run(ctx context.Context) error {
	ticker := time.NewTicker(recorderStep)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			r.flush(ctx)
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTime)
			defer cancel()
			r.flush(last)
			return nil
		}
	}
}

// flush writes what has come in. What cannot be written is lost, and counted.
func (r *Recorder) flush(ctx context.Context) {
	b, n := r.collect()
	if n == 0 {
		return
	}
	err := store.Retry(ctx, func() error {
		return r.store.Update(ctx, func(tx store.Tx) error { return b.write(tx) })
	})
	if err != nil {
		r.dropped.Add(int64(n))
		r.log.WarnContext(ctx, "records lost", "event", "recorder", "count", n, "error", err)
	}
}

// collect empties the channel, but no more than it holds.
func (r *Recorder) collect() (b batch, n int) {
	b = batch{links: make(map[store.LinkID]store.Fetches), sessions: make(map[store.SessionID]time.Time), saved: make(map[saving]bool)}
	for ; n < recorderQueue; n++ {
		select {
		case x := <-r.notes:
			b.add(x)
		default:
			return b, n
		}
	}
	return b, n
}

func (b *batch) add(n note) {
	at := n.at.UTC().Truncate(time.Millisecond)
	switch {
	case !n.link.IsZero():
		f := b.links[n.link]
		if f.N == 0 {
			f.First = at
		}
		f.Last, f.N = at, f.N+1
		b.links[n.link] = f
	case !n.session.IsZero():
		b.sessions[n.session] = at
	case n.event.What == store.EventDownloaded:
		x := saving{n.event.Account, store.RcptKey{Message: n.event.Message, N: n.event.N}, n.event.Facts["part"]}
		if !b.saved[x] {
			b.saved[x] = true
			b.events = append(b.events, n.event)
		}
	default:
		b.events = append(b.events, n.event)
	}
}

func (b batch) write(tx store.Tx) error {
	for id, f := range b.links {
		if err := addFetches(tx, id, f); err != nil {
			return err
		}
	}
	for id, at := range b.sessions {
		if err := setSeen(tx, id, at); err != nil {
			return err
		}
	}
	for _, e := range b.events {
		if err := tx.Audit().Add(e); err != nil {
			return fmt.Errorf("event %s: %w", e.What, err)
		}
	}
	return nil
}

// addFetches adds to the counters of a link's recipient. A link without row, or with a damaged one, is passed over.
func addFetches(tx store.Tx, id store.LinkID, f store.Fetches) error {
	r, err := tx.Messages().ByLink(id)
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrCorrupt) {
		return nil
	}
	if err != nil {
		return err
	}
	if r.Fetched.N == 0 {
		r.Fetched.First = f.First
	}
	r.Fetched.Last, r.Fetched.N = f.Last, r.Fetched.N+f.N
	return tx.Messages().Set(r)
}

// setSeen moves a session's last use. One that ended meanwhile stays ended.
func setSeen(tx store.Tx, id store.SessionID, at time.Time) error {
	s, err := tx.Sessions().Get(id)
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrCorrupt) {
		return nil
	}
	if err != nil || !at.After(s.Seen) {
		return err
	}
	s.Seen = at
	return tx.Sessions().Put(s)
}
