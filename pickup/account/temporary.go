package account

import (
	"context"
	"errors"
	"fmt"

	"postern/store"
	"postern/store/seal"
)

// MustChangeError says that whoever asks is signed in with a temporary password: until a password of one's own is
// chosen, there is nothing else to do (KEYS K10 "change").
type MustChangeError struct {
	Token string // value for the session cookie; only from SignIn
}

func (*MustChangeError) Error() string { return "a password has to be chosen first" }

// NewPassword is a chosen password.
type NewPassword struct {
	Password string
	Reminder string // empty: none
	Here     Signed // who is signed in to this very browser; zero: nobody
	Client   Client
}

// signInTemporary opens a session of kind "change" for somebody whose password is none but may be a temporary one. It
// holds no key. What is neither is refused like any wrong password.
func (s *Service) signInTemporary(ctx context.Context, in Login, c candidate) error {
	typed, err := seal.ParseTemporary(in.Password)
	switch {
	case err == nil && !c.account.Registered && c.account.Status != store.StatusDisabled:
		return s.signInFirst(ctx, in, c, typed)
	case err != nil || !usable(c.account):
		return s.refuse(ctx, in.Client, c.account, "password")
	}
	token, ses := s.begin(c.account.ID, store.SessionChange, in.Client)
	ses.Sealed = s.Keys.SealSession(token, ses.ID, ses.Account, ses.Kind, nil)
	e := store.Event{ID: store.NewEventID(ses.Created), What: store.EventSignedIn, Account: ses.Account, Actor: actorSelf,
		Facts: map[string]string{"browser": ses.Browser, "by": string(wayTemporary)}}
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		if _, err := tx.Tokens().Peek(typed.Tag(c.account.ID.String()), store.PurposeTemp, ses.Created); err != nil {
			return err
		}
		a, err := tx.Accounts().Get(c.account.ID)
		if err != nil {
			return err
		}
		if !usable(a) {
			return errChanged
		}
		return errors.Join(tx.Sessions().Put(ses), tx.Audit().Add(e))
	})
	switch {
	case errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrExpired), errors.Is(err, store.ErrUsed), errors.Is(err, errChanged):
		return s.refuse(ctx, in.Client, c.account, "password")
	case err != nil:
		return fmt.Errorf("sign in by temporary password: %w", err)
	}
	s.throttle.success(c.track)
	return &MustChangeError{Token: token.String()}
}

// Changing is whose password the session of a cookie is to choose: of an account, or the first one of an address, which
// is not registered. ErrNoSession: none.
func (s *Service) Changing(ctx context.Context, cookie string) (store.Account, error) {
	_, out, err := s.session(ctx, cookie)
	if err == nil && out.Session.Kind != store.SessionChange {
		err = ErrNoSession
	}
	return out.Account, err
}

// ChoosePassword ends a session of kind "change": its account's new password counts from now on, and the temporary one
// is dead (C3, C9). ErrNoSession, ErrSignIn, *BusyError, and the errors of a chosen password.
func (s *Service) ChoosePassword(ctx context.Context, cookie string, in NewPassword) (Signed, error) {
	token, now, err := s.session(ctx, cookie)
	if err == nil && now.Session.Kind != store.SessionChange {
		err = ErrNoSession
	}
	if err != nil {
		return Signed{}, err
	}
	if now.Session.Account.IsZero() {
		return s.chooseFirst(ctx, token, now, in)
	}
	c, err := s.chosen(ctx, now.Account, in)
	if err != nil {
		return Signed{}, err
	}
	c.way = wayTemporary
	c.consume = func(tx store.Tx) error {
		_, err := live(tx, now.Session.ID, s.now())
		return err
	}
	return s.complete(ctx, c)
}

// chosen makes the key of a chosen password: *BusyError, *CriteriaError, ErrReminderHint, ErrReminderLong.
func (s *Service) chosen(ctx context.Context, a store.Account, in NewPassword) (completion, error) {
	if err := s.throttle.client(in.Client.IP, s.Now()); err != nil {
		return completion{}, err
	}
	if err := s.check(in.Password, About(a)...); err != nil {
		return completion{}, err
	}
	reminder, err := s.sealReminder(a.ID, cleanReminder(in.Reminder), in.Password)
	if err != nil {
		return completion{}, err
	}
	seed, key, err := s.newKey(ctx, a.ID, in.Password)
	if err != nil {
		return completion{}, err
	}
	return completion{account: a, key: key, seed: seed, old: inHand(in.Here, a), reminder: reminder, client: in.Client}, nil
}

// mailTemporary mails a temporary password; a newer one kills the older (KEYS K9).
func (s *Service) mailTemporary(ctx context.Context, a store.Account, c Client) error {
	temporary := seal.NewTemporary()
	t := s.newToken(a, temporary.Tag(a.ID.String()), store.PurposeTemp, c)
	m := s.tokenMail(a, t)
	m.Secret = temporary.String()
	own, err := s.Mails.TemporaryPassword(m)
	return s.mailToken(ctx, t, newest, own, err)
}
