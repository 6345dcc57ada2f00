package account

import (
	"context"
	"errors"

	"postern/store"
	"postern/store/outbox"
)

// ErrMerged: the account is a part of another one, which is the one to switch.
var ErrMerged = errors.New("the account was merged into another one")

// Disable ends an account's sessions and shuts it for sign-ins and secure mail, in one transaction (B6, KEYS K9). Keys
// stay as they are. A mail tells the address, if somebody is registered with it. by names who did it.
func (s *Service) Disable(ctx context.Context, by string, id store.AccountID) error {
	return s.turn(ctx, store.Event{What: store.EventDisabled, Account: id, Actor: by})
}

// Enable undoes Disable: access, settings and all messages are back (B9). Who was invited is invited still.
func (s *Service) Enable(ctx context.Context, by string, id store.AccountID) error {
	return s.turn(ctx, store.Event{What: store.EventEnabled, Account: id, Actor: by})
}

func (s *Service) turn(ctx context.Context, e store.Event) error {
	at := s.now()
	e.ID = store.NewEventID(at)
	off := e.What == store.EventDisabled
	was, err := s.row(ctx, e.Account)
	if err != nil {
		return err
	}
	var told *outbox.Prepared
	if off && was.Registered {
		mail, err := outbox.Compose(ctx, s.Outbox, s.accountMail(was, at, ""), s.Mails.AccountShut)
		if err != nil {
			return err
		}
		told = &mail
	}
	return s.Store.Update(ctx, func(tx store.Tx) error {
		a, err := tx.Accounts().Get(e.Account)
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
			if err := shut(tx, a, told); err != nil {
				return err
			}
		}
		return tx.Audit().Add(e)
	})
}

// shut ends what is open for a disabled account, and tells whoever is registered with it; nil: nobody.
func shut(tx store.Tx, a store.Account, told *outbox.Prepared) error {
	if err := tx.Sessions().DeleteAll(a.ID, store.SessionID{}); err != nil {
		return err
	}
	if err := tx.Sessions().DeleteAt(a.Address.Key()); err != nil || told == nil {
		return err
	}
	return told.Put(tx)
}

// before is the status of a disabled account before that.
func before(a store.Account) store.Status {
	if a.Before == store.StatusInvited && !a.Registered {
		return store.StatusInvited
	}
	return store.StatusActive
}
