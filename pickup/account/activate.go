package account

import (
	"context"
	"errors"
	"fmt"

	"postern/store"
	"postern/store/seal"
)

// maxMisses is how many wrong passwords a pending change outlives, less one (KEYS K9).
const maxMisses = 5

// ChangeRequest is a filled-in form "Change Password" of somebody who is not signed in (A4).
type ChangeRequest struct {
	Address  string
	Password string
	Reminder string // empty: none
	Client   Client
}

// AskChange keeps a new password until its owner activates it from a mail (A5). It does the same work for every address
// and answers before it looks any up: *BusyError, *CriteriaError, ErrReminderHint, ErrReminderLong.
func (s *Service) AskChange(ctx context.Context, in ChangeRequest) error {
	if err := s.throttle.client(in.Client.IP, s.Now()); err != nil {
		return err
	}
	if err := s.check(in.Password, in.Address); err != nil {
		return err
	}
	reminder := cleanReminder(in.Reminder)
	if err := checkReminder(reminder, in.Password); err != nil {
		return err
	}
	stretched, err := s.stretch(ctx, in.Password)
	if err != nil {
		return err
	}
	seed := seal.NewSeed()
	return s.promise(trackAddress(in.Address), in.Client, mailing{kind: string(RecoverActivate)}, func(ctx context.Context, a store.Account) error {
		secret := seal.NewSecret()
		t := s.newToken(a, secret.TokenID(seal.TokenActivate), store.PurposeVerify, in.Client)
		key := s.Keys.SealStretched(stretched, a.ID, seed)
		key.Made = t.Created
		t.Key = &key
		if reminder != "" {
			t.Sealed = s.Keys.SealReminder(a.ID, reminder)
		}
		m := s.tokenMail(a, t)
		m.Link = s.link(seal.TokenActivate, secret)
		keep := atMostThree
		if s.knows(a, in.Client) {
			keep = threeMore
		}
		own, err := s.Mails.ActivatePassword(m)
		return s.mailToken(ctx, t, keep, own, err)
	})
}

func (s *Service) stretch(ctx context.Context, password string) (seal.Stretched, error) {
	release, err := s.slots.acquire(ctx, stranger)
	if err != nil {
		return seal.Stretched{}, err
	}
	defer release()
	return seal.Stretch(password)
}

// ChangeLink reads an activation link. It changes nothing (I4): ErrUnknownLink, or the errors of seal.ParseToken.
func (s *Service) ChangeLink(ctx context.Context, token string) (MailedLink, error) {
	return s.mailedLink(ctx, seal.TokenActivate, store.PurposeVerify, token)
}

// MissError is a password that is not the one to be activated.
type MissError struct{ Left int } // tries that are left

func (e *MissError) Error() string {
	return fmt.Sprintf("not the new password, %d tries left", e.Left)
}

// Activate makes a pending password count, if it is typed again: whoever typed it first may be somebody else than who
// reads the mail (A5). Five wrong ones use the link up. *MissError, ErrUnknownLink, store.ErrUsed, store.ErrExpired,
// ErrSignIn, *BusyError, the errors of seal.ParseToken. The reminder is the one that was pending.
func (s *Service) Activate(ctx context.Context, token string, in NewPassword) (Signed, error) {
	if err := s.throttle.client(in.Client.IP, s.Now()); err != nil {
		return Signed{}, err
	}
	t, a, err := s.tokenOf(ctx, seal.TokenActivate, store.PurposeVerify, token)
	if err != nil {
		return Signed{}, err
	}
	t, seed, err := s.tryPending(ctx, t, in.Password)
	switch {
	case errors.Is(err, seal.ErrPassword):
		return Signed{}, s.mistyped(ctx, t)
	case err != nil:
		return Signed{}, tokenError("activate", err)
	}
	out, err := s.complete(ctx, completion{account: a, key: *t.Key, seed: seed, old: inHand(in.Here, a), reminder: t.Sealed, way: wayActivate,
		client: in.Client, consume: s.using(t)})
	if err != nil {
		return out, errors.Join(err, s.untry(ctx, t))
	}
	return out, nil
}

// tryPending tries a password at a pending change. The try is counted before it is made, so that many at one time are not
// more than five; but only once its turn has come, and one that was no wrong password is taken back: who was told to come
// later, or went away, has missed nothing.
func (s *Service) tryPending(ctx context.Context, t store.Token, password string) (store.Token, seal.Seed, error) {
	release, err := s.slots.acquire(ctx, guest)
	if err != nil {
		return t, seal.Seed{}, err
	}
	defer release()
	if t, err = s.tryOnce(ctx, t); err != nil {
		return t, seal.Seed{}, err
	}
	seed, err := s.Keys.OpenBox(password, t.Account, *t.Key)
	if err != nil && !errors.Is(err, seal.ErrPassword) {
		err = errors.Join(fmt.Errorf("open pending key: %w", err), s.untry(ctx, t))
	}
	return t, seed, err
}

func (s *Service) tryOnce(ctx context.Context, t store.Token) (now store.Token, err error) {
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		if now, err = tx.Tokens().Peek(t.ID, t.Purpose, s.now()); err != nil {
			return err
		}
		if now.Misses >= maxMisses || now.Key == nil {
			return store.ErrUsed
		}
		now.Misses++
		return tx.Tokens().Set(now)
	})
	return now, err
}

// untry takes a counted try back, also for a request that was cut off. A change that is over has nothing to count.
func (s *Service) untry(ctx context.Context, t store.Token) error {
	err := s.Store.Update(context.WithoutCancel(ctx), func(tx store.Tx) error {
		now, err := tx.Tokens().Peek(t.ID, t.Purpose, s.now())
		if isOver(err) {
			return nil
		}
		if err != nil {
			return err
		}
		now.Misses = max(0, now.Misses-1)
		return tx.Tokens().Set(now)
	})
	if err != nil {
		return fmt.Errorf("take a try back: %w", err)
	}
	return nil
}

// mistyped answers a wrong password; the last one ends the pending change.
func (s *Service) mistyped(ctx context.Context, t store.Token) error {
	if t.Misses >= maxMisses {
		e := store.Event{ID: store.NewEventID(s.now()), What: store.EventChangeEnded, Account: t.Account, Actor: actorSelf, Facts: map[string]string{"by": "wrong passwords"}}
		if err := s.endChange(ctx, t, e); err != nil && !errors.Is(err, store.ErrUsed) {
			return err
		}
	}
	return &MissError{Left: maxMisses - t.Misses}
}

// DeclineChange throws a pending password away (A5). The caller has demanded a tick. ErrUnknownLink, store.ErrUsed,
// store.ErrExpired, the errors of seal.ParseToken.
func (s *Service) DeclineChange(ctx context.Context, token string) error {
	t, _, err := s.tokenOf(ctx, seal.TokenActivate, store.PurposeVerify, token)
	if err != nil {
		return err
	}
	e := store.Event{ID: store.NewEventID(s.now()), What: store.EventChangeEnded, Account: t.Account, Actor: actorSelf, Facts: map[string]string{"by": "declined"}}
	return s.endChange(ctx, t, e)
}

// endChange uses a pending change up: key and reminder are gone from its row.
func (s *Service) endChange(ctx context.Context, t store.Token, e store.Event) error {
	use := s.using(t)
	err := s.Store.Update(ctx, func(tx store.Tx) error {
		if err := use(tx); err != nil {
			return err
		}
		return tx.Audit().Add(e)
	})
	return tokenError("end pending change", err)
}
