package message

import (
	"context"
	"errors"
	"fmt"
	"time"

	"postern/store"
)

// endShare ends one recipient's share in the transaction of the fact (KEYS K12): its row ends, the body loses one who
// needed it, and so do the copies of replies that the recipient wrote. closeMessage follows, once per message.
func endShare(tx store.Tx, r store.Recipient, end store.State, at time.Time) error {
	if err := endRow(tx, r, end, at); err != nil {
		return err
	}
	if err := unref(tx, r.Key.Message); err != nil {
		return err
	}
	return endReplies(tx, r.Key)
}

// endRow takes link and account grants off a recipient, and a notification that still waits out of the queue.
func endRow(tx store.Tx, r store.Recipient, end store.State, at time.Time) error {
	if r.State == store.StateOpened {
		r.Ended, r.EndedAt = end, at
	} else {
		r.State, r.Since = end, at
	}
	for _, k := range r.Own {
		if err := tx.Queue().Remove(k); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	r.Grants, r.Own = nil, nil
	return tx.Messages().Set(r)
}

// unref tells the store that one less needs a body. That nobody needed it any more is no reason to keep grants.
func unref(tx store.Tx, id store.MessageID) error {
	if err := tx.Bodies().Unref(id); err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return nil
}

// endReplies ends the copies of what the recipient replied.
func endReplies(tx store.Tx, k store.RcptKey) error {
	const page = 100
	for c := store.Cursor(""); ; {
		list, next, err := tx.Messages().Replies(k, c, page)
		if err != nil {
			return err
		}
		for _, m := range list {
			if len(m.Card) == 0 {
				continue
			}
			if err := endCopy(tx, m); err != nil {
				return err
			}
		}
		if next == "" {
			return nil
		}
		c = next
	}
}

func endCopy(tx store.Tx, m store.Message) error {
	if err := strip(tx, m); err != nil {
		return err
	}
	return unref(tx, m.ID)
}

// strip takes card and grants off a message's own record.
func strip(tx store.Tx, m store.Message) error {
	m.Card, m.Grants = nil, nil
	return tx.Messages().SetMessage(m)
}

// closeMessage destroys what a message has for all its recipients, when the last share has ended.
func closeMessage(tx store.Tx, id store.MessageID) error {
	m, err := tx.Messages().Get(id)
	if err != nil || len(m.Card) == 0 && len(m.Grants) == 0 {
		return err
	}
	live, err := anyLive(tx, id)
	if err != nil || live {
		return err
	}
	return strip(tx, m)
}

func anyLive(tx store.Tx, id store.MessageID) (bool, error) {
	const page = 100
	for c := store.Cursor(""); ; {
		rcpts, next, err := tx.Messages().Recipients(id, c, page)
		if err != nil {
			return false, err
		}
		for _, r := range rcpts {
			if r.Live() {
				return true, nil
			}
		}
		if next == "" {
			return false, nil
		}
		c = next
	}
}

// Actor is who does something to a message on purpose, as the audit names it: "sender", "socket", or the address of an
// administrator. The events name no account: the message and the number of the recipient say whom they concern.
type Actor string

// Recall takes one recipient's share back. *EndedError when it is over already; ErrNotFound.
func (s *Service) Recall(ctx context.Context, by Actor, k store.RcptKey) error {
	return s.recall(ctx, by, k.Message, func(tx store.Tx) ([]store.Recipient, error) {
		r, err := tx.Messages().Recipient(k)
		if err != nil {
			return nil, err
		}
		if r.Action != store.ActionSeal {
			return nil, store.ErrNotFound
		}
		return []store.Recipient{r}, s.over(r)
	})
}

// over is ended for an end on purpose: what is only closed as "not for me" can still be taken back.
func (s *Service) over(r store.Recipient) error {
	if r.State == store.StateDeclined && r.Live() {
		return nil
	}
	return ended(r, s.now())
}

// RecallAll takes a message back from everybody who still has a share of it.
func (s *Service) RecallAll(ctx context.Context, by Actor, id store.MessageID) error {
	return s.recall(ctx, by, id, func(tx store.Tx) ([]store.Recipient, error) { return liveRecipients(tx, id) })
}

func liveRecipients(tx store.Tx, id store.MessageID) (live []store.Recipient, err error) {
	if _, err := tx.Messages().Get(id); err != nil {
		return nil, err
	}
	const page = 100
	for c := store.Cursor(""); ; {
		rcpts, next, err := tx.Messages().Recipients(id, c, page)
		if err != nil {
			return nil, err
		}
		for _, r := range rcpts {
			if r.Live() {
				live = append(live, r)
			}
		}
		if next == "" {
			return live, nil
		}
		c = next
	}
}

func (s *Service) recall(ctx context.Context, by Actor, id store.MessageID, whom func(store.Tx) ([]store.Recipient, error)) error {
	now := s.now()
	event := store.NewEventID(now)
	err := s.Store.Update(ctx, func(tx store.Tx) error {
		rcpts, err := whom(tx)
		if err != nil {
			return err
		}
		for _, r := range rcpts {
			if err := endShare(tx, r, store.StateRecalled, now); err != nil {
				return err
			}
			e := store.Event{ID: nth(event, r.Key.N), What: store.EventRecalled, Message: id, N: r.Key.N, Actor: string(by)}
			if err := tx.Audit().Add(e); err != nil {
				return err
			}
		}
		return closeMessage(tx, id)
	})
	switch {
	case errors.Is(err, store.ErrNotFound):
		return ErrNotFound
	case err != nil:
		return fmt.Errorf("recall message %s: %w", id, err)
	}
	return nil
}

// nth makes an id of its own for each recipient's event: ids are drawn before a transaction, which may run twice.
func nth(id store.EventID, n uint32) store.EventID {
	for i := range 4 {
		id[len(id)-1-i] ^= byte(n >> (8 * i))
	}
	return id
}
