package account

import (
	"context"
	"errors"
	"time"

	"postern/store"
	"postern/store/seal"
)

// MailedLink is what the page of an account mail's link tells before anything is done.
type MailedLink struct {
	Address store.Address
	At      time.Time // when it was mailed
	Browser string    // with which; anybody can make up its name
	Ends    time.Time
	Used    time.Time // zero: not used
	Expired bool
	Missed  bool // used up by wrong passwords
}

// ResetLink reads a reset link. It changes nothing (I4): ErrUnknownLink, or the errors of seal.ParseToken.
func (s *Service) ResetLink(ctx context.Context, token string) (MailedLink, error) {
	return s.mailedLink(ctx, seal.TokenReset, store.PurposeReset, token)
}

func (s *Service) mailedLink(ctx context.Context, k seal.TokenKind, p store.Purpose, token string) (MailedLink, error) {
	t, a, err := s.tokenOf(ctx, k, p, token)
	info := MailedLink{Address: a.Address, At: t.Created, Browser: t.Browser, Ends: t.Ends, Used: t.Used, Missed: t.Misses >= maxMisses}
	switch {
	case errors.Is(err, store.ErrUsed):
		err = nil
	case errors.Is(err, store.ErrExpired):
		info.Expired, err = true, nil
	}
	return info, err
}

// tokenOf reads a mailed link's row and account: ErrUnknownLink, store.ErrUsed and store.ErrExpired (with both), or the
// errors of seal.ParseToken.
func (s *Service) tokenOf(ctx context.Context, k seal.TokenKind, p store.Purpose, token string) (t store.Token, a store.Account, err error) {
	secret, err := seal.ParseToken(k, token)
	if err != nil {
		return t, a, err
	}
	err = s.Store.View(ctx, func(tx store.Tx) error {
		var state, err error
		t, state = tx.Tokens().Peek(secret.TokenID(k), p, s.now())
		if state != nil && !errors.Is(state, store.ErrUsed) && !errors.Is(state, store.ErrExpired) {
			return state
		}
		if a, err = tx.Accounts().Get(t.Account); err != nil {
			return err
		}
		return state
	})
	return t, a, tokenError("read mailed link", err)
}

// Reset is the form of a reset link: it uses the link up and makes the new password count (C10). ErrUnknownLink,
// store.ErrUsed, store.ErrExpired, ErrSignIn, *BusyError, the errors of seal.ParseToken and those of a chosen password.
func (s *Service) Reset(ctx context.Context, token string, in NewPassword) (Signed, error) {
	t, a, err := s.tokenOf(ctx, seal.TokenReset, store.PurposeReset, token)
	if err != nil {
		return Signed{}, err
	}
	c, err := s.chosen(ctx, a, in)
	if err != nil {
		return Signed{}, err
	}
	c.way, c.consume = wayLink, s.using(t)
	return s.complete(ctx, c)
}

// using uses a token up.
func (s *Service) using(t store.Token) func(store.Tx) error {
	return func(tx store.Tx) error {
		_, err := tx.Tokens().Use(t.ID, t.Purpose, s.now())
		return err
	}
}

// mailLink mails a reset link; a newer one kills the older.
func (s *Service) mailLink(ctx context.Context, a store.Account, c Client) error {
	secret := seal.NewSecret()
	t := s.newToken(a, secret.TokenID(seal.TokenReset), store.PurposeReset, c)
	m := s.tokenMail(a, t)
	m.Link = s.link(seal.TokenReset, secret)
	own, err := s.Mails.ResetPassword(m)
	return s.mailToken(ctx, t, newest, own, err)
}
