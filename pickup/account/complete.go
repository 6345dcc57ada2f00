package account

import (
	"context"
	"errors"
	"fmt"

	"postern/pickup/notify"
	"postern/store"
	"postern/store/outbox"
	"postern/store/seal"
)

// completion is a new password on its way to being an account's only one (KEYS K9): by a change while signed in, or at
// the end of any way back in.
type completion struct {
	account store.Account    // as it was read
	key     store.KeyVersion // the new version
	seed    seal.Seed        // of the new version
	// old is the seed of the version before where it is in hand: that one is then chained, and all stays readable.
	// nil: all older versions are locked.
	old      *seal.Seed
	reminder []byte // sealed; nil: none
	way      way
	keep     bool // the new session is a kept one
	client   Client
	// consume takes, in the transaction, what led here: a token, a session.
	consume func(store.Tx) error
}

// way is how a new password came about, in the words of the audit log.
type way string

// The ways.
const (
	wayChange    way = "changed" // while signed in, with the password before
	wayActivate  way = "activated"
	wayTemporary way = "temporary password"
	wayLink      way = "reset link"
)

// proves reports whether a mail to the account's address was part of the way, which makes the account confirmed (KEYS K8
// (c)).
func (w way) proves() bool { return w != wayChange }

// earlier is the seed of an account's current key where this very browser is signed in to it: knowing that, nobody
// needs to lock what the earlier password opened.
func earlier(here Signed, a store.Account) *seal.Seed {
	k, ok := a.Current()
	if !ok || here.Account.ID != a.ID || here.Session.Kind != store.SessionFull || seal.PublicKeyID(here.Seed.Public()) != k.ID {
		return nil
	}
	return &here.Seed
}

// complete makes the new version current, chains or locks the older ones, ends all other sessions and everything
// pending of the account, opens a full session and mails "password changed", in one transaction. ErrSignIn when the
// account may not be used, ErrNoSession when its password was changed meanwhile, and the errors of consume.
func (s *Service) complete(ctx context.Context, c completion) (Signed, error) {
	chain, err := s.chainTo(c)
	if err != nil {
		return Signed{}, err
	}
	out := s.newSession(c.account, c.seed, c.client, c.keep)
	mail, err := s.passwordChanged(ctx, c, out)
	if err != nil {
		return Signed{}, err
	}
	events := []store.Event{{ID: store.NewEventID(out.Session.Created), What: store.EventPassword, Account: c.account.ID, Actor: actorSelf,
		Facts: map[string]string{"browser": out.Session.Browser, "by": string(c.way)}}, confirmation(out.Session.Created, c.account.ID, string(c.way))}
	err = store.Retry(ctx, func() error {
		return s.Store.Update(ctx, func(tx store.Tx) error {
			if err := c.consume(tx); err != nil {
				return err
			}
			if out.Account, err = c.apply(tx, chain, events); err != nil {
				return err
			}
			if err := c.endOthers(tx); err != nil {
				return err
			}
			return errors.Join(tx.Sessions().Put(out.Session), mail.Put(tx))
		})
	})
	if errors.Is(err, ErrSignIn) {
		return Signed{}, s.refuse(ctx, c.client, c.account, "not active")
	}
	if err != nil {
		return Signed{}, tokenError("set new password", err)
	}
	return out, nil
}

// chainTo seals the seed before to the new key; nil where there is none in hand.
func (s *Service) chainTo(c completion) ([]byte, error) {
	was, ok := c.account.Current()
	if c.old == nil || !ok {
		return nil, nil
	}
	chain, err := s.Keys.SealChain(c.key.Public, c.account.ID, c.key.ID, was.ID, *c.old)
	if err != nil {
		return nil, fmt.Errorf("keep the earlier key: %w", err)
	}
	return chain, nil
}

func (s *Service) passwordChanged(ctx context.Context, c completion, in Signed) (outbox.Prepared, error) {
	own, err := s.Mails.PasswordChanged(notify.AccountMail{ID: store.NewMessageID(in.Session.Created), To: c.account.Address,
		At: in.Session.Created, Browser: in.Session.Browser, Lang: c.account.Language})
	if err != nil {
		return outbox.Prepared{}, fmt.Errorf("compose password changed: %w", err)
	}
	prepared, err := s.Outbox.Prepare(ctx, own)
	if err != nil {
		return outbox.Prepared{}, fmt.Errorf("seal password changed: %w", err)
	}
	return prepared, nil
}

// apply writes the account as it is from now on and returns it. The row is read again: a sign-in or a rotation may have
// touched it since, and only its current key must still be the one that the new version follows.
func (c completion) apply(tx store.Tx, chain []byte, events []store.Event) (store.Account, error) {
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
	for i := range a.Keys {
		v := &a.Keys[i]
		switch {
		case chain == nil:
			v.State = store.KeyLocked // its own chain stays: who opens its successor later has it back
		case v.State == store.KeyCurrent:
			v.State, v.Chain, v.To = store.KeyChained, chain, c.key.ID
		}
	}
	c.key.State = store.KeyCurrent
	a.Keys, a.Reminder, a.Muted = append(a.Keys, c.key), c.reminder, false
	if a.Standing == store.Confirmed || !c.way.proves() {
		events = events[:1]
	} else {
		a.Standing = store.Confirmed
	}
	a.LastSignIn = events[0].At()
	if err := tx.Accounts().Set(a); err != nil {
		return a, err
	}
	a.Version++ // as Set left it
	for _, e := range events {
		if err := tx.Audit().Add(e); err != nil {
			return a, err
		}
	}
	return a, nil
}

// endOthers ends whatever else could still become a session of the account, or a password. The welcome mail's link stays
// until the owner of the address was heard: else whoever registered with a forwarded link could take from him the way
// to say "it was not me".
func (c completion) endOthers(tx store.Tx) error {
	purposes := []store.Purpose{store.PurposeReset, store.PurposeVerify, store.PurposeTemp, store.PurposeAlias}
	if c.way.proves() {
		purposes = append(purposes, store.PurposeWelcome)
	}
	for _, p := range purposes {
		if err := tx.Tokens().DeleteAll(p, c.account.ID.String()); err != nil {
			return err
		}
	}
	return tx.Sessions().DeleteAll(c.account.ID, store.SessionID{})
}
