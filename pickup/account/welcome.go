package account

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"postern/store"
	"postern/store/outbox"
	"postern/store/seal"
)

// Welcome reads the link of a welcome mail. It changes nothing (I4): ErrUnknownLink, or the errors of
// seal.ParseToken.
func (s *Service) Welcome(ctx context.Context, token string) (MailedLink, error) {
	return s.mailedLink(ctx, seal.TokenWelcome, store.PurposeWelcome, token)
}

// ConfirmWelcome is "it was me", pressed in the account's own session: link and password prove that the same person
// has both (KEYS K8 (b)). ErrNotYours for another account's session; ErrUnknownLink, store.ErrUsed, store.ErrExpired.
func (s *Service) ConfirmWelcome(ctx context.Context, who Signed, token string) error {
	secret, err := seal.ParseToken(seal.TokenWelcome, token)
	if err != nil {
		return err
	}
	at := s.now()
	e := confirmation(at, who.Account.ID, "welcome")
	return store.Retry(ctx, func() error {
		return s.answerWelcome(ctx, secret, at, func(tx store.Tx, a store.Account) error {
			if a.ID != who.Account.ID || !usable(a) {
				return ErrNotYours
			}
			return Confirm(tx, a, e)
		})
	})
}

// DisownWelcome is "it was not me": whoever made the account loses it. Sessions and whatever is pending end, all key
// versions are locked, what he set is dropped, and the row counts as unregistered, so that the address's owner registers
// from a link of his own (KEYS K8). Somebody else had a link that was mailed before: from now on none of those registers
// anybody. A mail tells the address what was done, in case that somebody else read the welcome mail. The caller has
// demanded a tick. ErrUnknownLink, store.ErrUsed, store.ErrExpired, the errors of seal.ParseToken.
func (s *Service) DisownWelcome(ctx context.Context, token string, c Client) error {
	secret, err := seal.ParseToken(seal.TokenWelcome, token)
	if err != nil {
		return err
	}
	var owner store.Account
	err = store.Retry(ctx, func() error {
		if _, owner, err = s.tokenOf(ctx, seal.TokenWelcome, store.PurposeWelcome, token); err != nil {
			return err
		}
		return s.disown(ctx, secret, owner, c)
	})
	if err == nil {
		s.returnAll(ctx, owner.ID)
	}
	return err
}

func (s *Service) disown(ctx context.Context, secret seal.LinkSecret, owner store.Account, c Client) error {
	at := s.now()
	word, err := outbox.Compose(ctx, s.Outbox, s.accountMail(owner, at, c.Browser), s.Mails.Disowned)
	if err != nil {
		return err
	}
	x := release{at: at, by: actorSelf, browser: c.Browser}
	for _, alias := range owner.Aliases {
		x.leaving = append(x.leaving, leaving{address: alias})
	}
	if err := s.tellFreed(ctx, owner, &x); err != nil {
		return err
	}
	e := store.Event{ID: store.NewEventID(at), What: store.EventDisowned, Actor: actorSelf}
	return s.answerWelcome(ctx, secret, at, func(tx store.Tx, a store.Account) error {
		e.Account = a.ID
		if !slices.Equal(a.Aliases, owner.Aliases) {
			return store.ErrConflict
		}
		a, err := x.takeOff(tx, a)
		if err != nil {
			return err
		}
		for i := range a.Keys {
			a.Keys[i].State = store.KeyLocked
		}
		a.Registered, a.Standing = false, store.Provisional
		a.Reminder, a.Disowned = nil, at
		if err := tx.Accounts().Set(a); err != nil {
			return err
		}
		if _, err := x.settle(tx, a.ID); err != nil {
			return err
		}
		if err := tx.Tokens().DeleteAll("", a.ID.String()); err != nil {
			return err
		}
		if err := tx.Sessions().DeleteAll(a.ID, store.SessionID{}); err != nil {
			return err
		}
		if err := word.Put(tx); err != nil {
			return err
		}
		return tx.Audit().Add(e)
	})
}

// answerWelcome consumes a welcome link in the transaction of its effect.
func (s *Service) answerWelcome(ctx context.Context, secret seal.LinkSecret, at time.Time, effect func(store.Tx, store.Account) error) error {
	id := secret.TokenID(seal.TokenWelcome)
	err := s.Store.Update(ctx, func(tx store.Tx) error {
		t, err := tx.Tokens().Use(id, store.PurposeWelcome, at)
		if err != nil {
			return err
		}
		a, err := tx.Accounts().Get(t.Account)
		if err != nil {
			return err
		}
		return effect(tx, a)
	})
	return tokenError("answer welcome link", err)
}

// tokenError names what was done, and says ErrUnknownLink for a token without row.
func tokenError(doing string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, store.ErrNotFound):
		return ErrUnknownLink
	case errors.Is(err, store.ErrUsed), errors.Is(err, store.ErrExpired), errors.Is(err, ErrNotYours),
		errors.Is(err, ErrSignIn), errors.Is(err, ErrNoSession):
		return err
	}
	return fmt.Errorf("%s: %w", doing, err)
}
