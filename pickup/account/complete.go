package account

import (
	"context"
	"errors"
	"fmt"

	"postern/store"
	"postern/store/seal"
)

// completion is a new password at the end of any way back in (KEYS K9 "Forgotten").
type completion struct {
	account store.Account    // as it was read
	key     store.KeyVersion // the new version
	seed    seal.Seed        // of the new version
	// old is the seed of the version before where this very browser is signed in: that one is then chained, and all stays
	// readable. nil: older versions are locked.
	old      *seal.Seed
	reminder []byte // sealed; nil: none
	way      way
	client   Client
	// consume takes, in the transaction, what led here: a token, a session.
	consume func(store.Tx) error
}

// way is how a new password came about, in the words of the audit log. Each went through a mail to the account's
// address, which proves it (KEYS K8 (c)).
type way string

// The ways.
const (
	wayActivate  way = "activation"
	wayTemporary way = "temporary password"
	wayLink      way = "reset link"
)

// inHand is the seed of an account's current key where this very browser is signed in to it: knowing that, nobody needs
// to lock what the password before opened.
func inHand(here Signed, a store.Account) *seal.Seed {
	k, ok := a.Current()
	if !ok || here.Account.ID != a.ID || here.Session.Kind != store.SessionFull || seal.PublicKeyID(here.Seed.Public()) != k.ID {
		return nil
	}
	return &here.Seed
}

// complete makes the new version current, chains or locks the one before, confirms the account, ends all sessions and
// everything pending of it, opens a full session and mails "password changed", in one transaction. ErrSignIn when the
// account may not be used, ErrNoSession when its password was changed meanwhile, and the errors of consume.
func (s *Service) complete(ctx context.Context, c completion) (Signed, error) {
	chain, err := s.chainTo(c)
	if err != nil {
		return Signed{}, err
	}
	out := s.newSession(c.account, c.seed, c.client, false)
	told, err := s.changed(ctx, out)
	if err != nil {
		return Signed{}, err
	}
	at := out.Session.Created
	changed := store.Event{ID: store.NewEventID(at), What: store.EventPassword, Account: c.account.ID, Actor: actorSelf,
		Facts: map[string]string{"browser": out.Session.Browser, "by": string(c.way)}}
	confirmed := confirmation(at, c.account.ID, string(c.way))
	err = store.Retry(ctx, func() error {
		return s.Store.Update(ctx, func(tx store.Tx) error {
			if err := c.consume(tx); err != nil {
				return err
			}
			a, err := c.row(tx)
			if err != nil {
				return err
			}
			a, provisional := succeed(a, c.key, chain), a.Standing != store.Confirmed
			a.Standing, a.Reminder, a.Muted, a.LastSignIn = store.Confirmed, c.reminder, false, at
			out.Account = a
			if provisional {
				err = tx.Audit().Add(confirmed)
			}
			return errors.Join(err, tx.Accounts().Set(a), endPending(tx, a), tx.Tokens().DeleteAll(store.PurposeWelcome, a.ID.String()),
				tx.Sessions().Put(out.Session), told.Put(tx), tx.Audit().Add(changed))
		})
	})
	if errors.Is(err, ErrSignIn) {
		return Signed{}, s.refuse(ctx, c.client, c.account, "not active")
	}
	if err != nil {
		return Signed{}, tokenError("set new password", err)
	}
	out.Account.Version++ // as Set left it
	return out, nil
}

// chainTo seals the seed before to the new key; nil where there is none in hand.
func (s *Service) chainTo(c completion) ([]byte, error) {
	was, ok := c.account.Current()
	if c.old == nil || !ok {
		return nil, nil
	}
	chain, err := s.Keys.SealChain(c.key.Public, was.Owner(c.account.ID), c.key.ID, was.ID, *c.old)
	if err != nil {
		return nil, fmt.Errorf("chain the old key: %w", err)
	}
	return chain, nil
}

// row reads the account again: a sign-in or a rotation may have touched it since, and only its current key must still be
// the one that the new version follows.
func (c completion) row(tx store.Tx) (store.Account, error) {
	a, err := tx.Accounts().Get(c.account.ID)
	if err != nil {
		return a, err
	}
	now, _ := a.Current()
	was, _ := c.account.Current()
	switch {
	case !usable(a):
		return a, ErrSignIn
	case now.ID != was.ID:
		return a, ErrNoSession
	}
	return a, nil
}
