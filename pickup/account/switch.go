package account

import (
	"context"

	"postern/store"
)

// Disable ends an account's sessions and shuts it for sign-ins and secure mail, in one transaction (B6, KEYS K9). Keys
// stay as they are. by names who did it.
func (s *Service) Disable(ctx context.Context, by string, id store.AccountID) error {
	return s.turn(ctx, by, id, store.StatusDisabled, store.EventDisabled)
}

// Enable undoes Disable: access, settings and all messages are back (B9).
func (s *Service) Enable(ctx context.Context, by string, id store.AccountID) error {
	return s.turn(ctx, by, id, store.StatusActive, store.EventEnabled)
}

func (s *Service) turn(ctx context.Context, by string, id store.AccountID, to store.Status, what store.What) error {
	event := store.Event{ID: store.NewEventID(s.Now()), What: what, Account: id, Actor: by}
	return s.Store.Update(ctx, func(tx store.Tx) error {
		a, err := tx.Accounts().Get(id)
		if err != nil || a.Status == to {
			return err
		}
		a.Status = to
		if err := tx.Accounts().Set(a); err != nil {
			return err
		}
		if to == store.StatusDisabled {
			if err := tx.Sessions().DeleteAll(id, store.SessionID{}); err != nil {
				return err
			}
		}
		return tx.Audit().Add(event)
	})
}
