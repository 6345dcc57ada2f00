package message

import (
	"context"
	"errors"
	"fmt"
	"time"

	"postern/store"
)

// maxExtension is how far away the end of a share may be set.
const maxExtension = 366 * 24 * time.Hour

// DateError: a share can only be made longer, and not beyond a year from now.
type DateError struct{ Ends, Latest time.Time }

func (e *DateError) Error() string {
	const minute = "2 January 2006, 15:04 MST"
	return fmt.Sprintf("choose a day after %s, when it ends now, and not after %s", e.Ends.Format(minute), e.Latest.Format(minute))
}

// Extend gives a share more time (KEYS K11). Errors: ErrNotFound, *EndedError, *DateError.
func (s *Service) Extend(ctx context.Context, by Actor, k store.RcptKey, until time.Time) error {
	return s.extend(ctx, by, k.Message, until, func(tx store.Tx, until time.Time) ([]store.Recipient, error) {
		r, err := tx.Messages().Recipient(k)
		if err == nil && r.Action != store.ActionSeal {
			err = store.ErrNotFound
		}
		if err == nil {
			err = s.extensible(r, until)
		}
		return []store.Recipient{r}, err
	})
}

// ExtendAll gives every share of a message that is open and ends earlier more time, in one transaction: all of them or,
// when one cannot be written, none. It says how many. Errors: ErrNotFound, and where there is none to extend that of the
// last share, as Extend.
func (s *Service) ExtendAll(ctx context.Context, by Actor, id store.MessageID, until time.Time) (n int, err error) {
	err = s.extend(ctx, by, id, until, func(tx store.Tx, until time.Time) (list []store.Recipient, err error) {
		live, err := liveRecipients(tx, id)
		if err != nil {
			return nil, err
		}
		why := error(store.ErrNotFound)
		for _, r := range live {
			if err := s.extensible(r, until); err != nil {
				why = err
				continue
			}
			list = append(list, r)
		}
		if n = len(list); n == 0 {
			return nil, why
		}
		return list, nil
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// extensible is why a share cannot be given more time; nil: it can.
func (s *Service) extensible(r store.Recipient, until time.Time) error {
	now := s.now()
	if err := s.over(r); err != nil {
		return err
	}
	if latest := now.Add(maxExtension); r.Expires.IsZero() || !now.Before(r.Expires) || !until.After(r.Expires) || until.After(latest) {
		return &DateError{r.Expires, latest}
	}
	return nil
}

// extend sets a later end to the shares of a message that whom finds, and to the message's own, in one transaction.
func (s *Service) extend(ctx context.Context, by Actor, id store.MessageID, until time.Time, whom func(store.Tx, time.Time) ([]store.Recipient, error)) error {
	until = until.UTC().Truncate(time.Millisecond)
	e := store.Event{ID: store.NewEventID(s.now()), What: store.EventExtended, Message: id, Actor: string(by),
		Facts: map[string]string{"until": until.Format(time.RFC3339)}}
	err := store.Retry(ctx, func() error {
		return s.Store.Update(ctx, func(tx store.Tx) error {
			rcpts, err := whom(tx, until)
			if err != nil {
				return err
			}
			return extendRows(tx, rcpts, until, e)
		})
	})
	over, date := new(EndedError), new(DateError)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return ErrNotFound
	case err == nil, errors.As(err, &over), errors.As(err, &date):
		return err
	}
	return fmt.Errorf("extend message %s: %w", id, err)
}

// extendRows writes the new end, with an event for each share.
func extendRows(tx store.Tx, rcpts []store.Recipient, until time.Time, e store.Event) error {
	first := e.ID
	for _, r := range rcpts {
		r.Expires = until
		if err := tx.Messages().Set(r); err != nil {
			return err
		}
		e.ID, e.N = nth(first, r.Key.N), r.Key.N
		if err := tx.Audit().Add(e); err != nil {
			return err
		}
	}
	m, err := tx.Messages().Get(e.Message)
	if err != nil || !until.After(m.Expires) {
		return err
	}
	m.Expires = until
	return tx.Messages().SetMessage(m)
}
