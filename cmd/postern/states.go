package main

import (
	"context"
	"log/slog"

	"postern/store"
)

// stateStore is a store that writes a line of the log for each recipient whose state a transaction has moved (MAIL 10.1).
// It looks over the shoulder of whoever moves it, so that no mover can forget.
type stateStore struct {
	store.Store
	log   *slog.Logger
	spell func(store.Address) string
}

// Update implements store.Store.
func (w stateStore) Update(ctx context.Context, f func(store.Tx) error) error {
	var seen *observer
	err := w.Store.Update(ctx, func(tx store.Tx) error {
		seen = &observer{states: map[store.RcptKey]store.State{}, actors: map[store.RcptKey]string{}} // it may run twice
		return f(stateTx{tx, seen})
	})
	if err != nil || seen == nil {
		return err
	}
	for _, m := range seen.moves {
		w.log.LogAttrs(ctx, slog.LevelInfo, "", slog.String("event", "state"), slog.String("msg", m.key.Message.String()),
			slog.String("to", w.spell(m.to)), slog.String("item", m.key.String()),
			slog.String("state_from", string(m.from)), slog.String("state_to", string(m.state)), slog.String("by", seen.by(m.key)))
	}
	return nil
}

// observer books what one run of a transaction does to states.
type observer struct {
	states map[store.RcptKey]store.State // as they were read
	actors map[store.RcptKey]string      // by the events of the same transaction
	moves  []move
}

// move is one recipient's change of state.
type move struct {
	key         store.RcptKey
	to          store.Address
	from, state store.State
}

// by is who moved a recipient's state: the actor of the event that goes with it.
func (o *observer) by(k store.RcptKey) string {
	for _, key := range []store.RcptKey{k, {Message: k.Message}} {
		if actor := o.actors[key]; actor != "" {
			return actor
		}
	}
	return "system"
}

// stateOf is where a share is. One that was opened and has ended since is where it ended.
func stateOf(r store.Recipient) store.State {
	if r.Ended != "" {
		return r.Ended
	}
	return r.State
}

func (o *observer) saw(rows ...store.Recipient) {
	for _, r := range rows {
		o.states[r.Key] = stateOf(r)
	}
}

func (o *observer) moved(r store.Recipient) {
	if from := o.states[r.Key]; from != stateOf(r) {
		o.moves = append(o.moves, move{key: r.Key, to: r.Address, from: from, state: stateOf(r)})
	}
	o.saw(r)
}

type stateTx struct {
	store.Tx
	seen *observer
}

// Messages implements store.Tx.
func (t stateTx) Messages() store.Messages { return stateMessages{t.Tx.Messages(), t.seen} }

// Audit implements store.Tx.
func (t stateTx) Audit() store.Audit { return stateAudit{t.Tx.Audit(), t.seen} }

type stateMessages struct {
	store.Messages
	seen *observer
}

// Recipient implements store.Messages.
func (m stateMessages) Recipient(k store.RcptKey) (store.Recipient, error) {
	r, err := m.Messages.Recipient(k)
	if err == nil {
		m.seen.saw(r)
	}
	return r, err
}

// Recipients implements store.Messages.
func (m stateMessages) Recipients(id store.MessageID, c store.Cursor, n int) ([]store.Recipient, store.Cursor, error) {
	rows, next, err := m.Messages.Recipients(id, c, n)
	m.seen.saw(rows...)
	return rows, next, err
}

// Set implements store.Messages. A row that was read in an earlier transaction is read again: what counts is where it
// is moved from.
func (m stateMessages) Set(r store.Recipient) error {
	if _, ok := m.seen.states[r.Key]; !ok {
		if _, err := m.Recipient(r.Key); err != nil {
			return err
		}
	}
	if err := m.Messages.Set(r); err != nil {
		return err
	}
	m.seen.moved(r)
	return nil
}

type stateAudit struct {
	store.Audit
	seen *observer
}

// Add implements store.Audit.
func (a stateAudit) Add(e store.Event) error {
	if err := a.Audit.Add(e); err != nil {
		return err
	}
	a.seen.actors[store.RcptKey{Message: e.Message, N: e.N}] = e.Actor
	return nil
}
