package account

import (
	"context"
	"errors"

	"postern/store"
)

// ErrMerged: the account is a part of another one, which is the one to switch.
var ErrMerged = errors.New("the account was merged into another one")

// Disable ends an account's sessions and shuts it for sign-ins and secure mail, in one transaction (B6, KEYS K9). Keys
// stay as they are. by names who did it.
func (s *Service) Disable(ctx context.Context, by string, id store.AccountID) error {
	return s.turn(ctx, store.Event{What: store.EventDisabled, Account: id, Actor: by})
}

// Enable undoes Disable: access, settings and all messages are back (B9). Who was invited is invited still.
func (s *Service) Enable(ctx context.Context, by string, id store.AccountID) error {
	return s.turn(ctx, store.Event{What: store.EventEnabled, Account: id, Actor: by})
}

func (s *Service) turn(ctx context.Context, e store.Event) error {
	e.ID = store.NewEventID(s.Now())
	return s.Store.Update(ctx, func(tx store.Tx) error {
		a, err := tx.Accounts().Get(e.Account)
		off := e.What == store.EventDisabled
		if err == nil && a.Status == store.StatusMerged {
			return ErrMerged
		}
		if err != nil || off == (a.Status == store.StatusDisabled) {
			return err
		}
		if off {
			a.Before, a.Status = a.Status, store.StatusDisabled
		} else {
			a.Before, a.Status = "", before(a)
		}
		if err := tx.Accounts().Set(a); err != nil {
			return err
		}
		if off {
			if err := tx.Sessions().DeleteAll(a.ID, store.SessionID{}); err != nil {
				return err
			}
			if err := tx.Sessions().DeleteAt(a.Address.Key()); err != nil {
				return err
			}
		}
		return tx.Audit().Add(e)
	})
}

// before is the status of a disabled account before that.
func before(a store.Account) store.Status {
	if a.Before == store.StatusInvited && !a.Registered {
		return store.StatusInvited
	}
	return store.StatusActive
}
