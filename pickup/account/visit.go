package account

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"postern/store"
	"postern/store/seal"
)

// How long a session of a mailed code lasts (KEYS K8).
const (
	visitIdle = 30 * time.Minute
	visitLife = 4 * time.Hour
)

// maxCarried bounds the links that one session carries; one more drops the oldest.
const maxCarried = 100

// IsVisit reports whether the person reads with a mailed code: Account then has nothing but the address, and Links are
// all that opens.
func (w Signed) IsVisit() bool { return w.Session.Kind == store.SessionCode }

// Person tells one person from another: an account's id, or the address of a visit.
func (w Signed) Person() string {
	if w.IsVisit() {
		return string(w.Account.Address.Key())
	}
	return w.Account.ID.String()
}

// newVisit makes a session of kind "code" for an address. It is not stored yet.
func (s *Service) newVisit(address store.Address, secret seal.LinkSecret, c Client) Signed {
	token, now := seal.NewSessionToken(), s.now()
	ses := store.Session{ID: token.ID(), Address: address, Kind: store.SessionCode, Created: now, Seen: now, Idle: visitIdle,
		Ends: now.Add(visitLife), Browser: label(c.Browser)}
	links := []seal.LinkSecret{secret}
	ses.Sealed = s.Keys.SealVisit(token, ses.ID, address.Key(), ses.Kind, links)
	return Signed{Account: store.Account{Address: address}, Session: ses, Token: token.String(), Links: links, key: token}
}

// Visit finds out who sends the cookie of a session of kind "code", as Resume does for accounts. ErrNoSession: nobody,
// or somebody whose session has ended or whose address has an account by now, which signs in instead.
func (s *Service) Visit(ctx context.Context, cookie string) (Signed, error) {
	token, err := seal.ParseSessionToken(cookie)
	if err != nil {
		return Signed{}, ErrNoSession
	}
	out := Signed{key: token}
	err = s.Store.View(ctx, func(tx store.Tx) error {
		out.Session, err = VisitIn(tx, token.ID(), s.now())
		return err
	})
	if errors.Is(err, ErrNoSession) {
		return Signed{}, ErrNoSession
	}
	if err != nil {
		return Signed{}, fmt.Errorf("read session: %w", err)
	}
	out.Account.Address = out.Session.Address
	if out.Links, err = s.openVisit(token, out.Session); err != nil {
		return Signed{}, err
	}
	if now := s.now(); now.Sub(out.Session.Seen) >= seenStep {
		s.Recorder.LastSeen(out.Session.ID, now)
	}
	return out, nil
}

// VisitIn reads a session of kind "code" inside a transaction, if it may still be used. ErrNoSession.
func VisitIn(tx store.Tx, id store.SessionID, now time.Time) (store.Session, error) {
	ses, err := tx.Sessions().Get(id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return ses, ErrNoSession
	case err != nil:
		return ses, err
	case ses.Kind != store.SessionCode || !now.Before(ses.Until()):
		return ses, ErrNoSession
	}
	_, err = vacant(tx, ses.Address.Key())
	if errors.Is(err, ErrHasAccount) || errors.Is(err, ErrSignIn) {
		return ses, ErrNoSession
	}
	return ses, err
}

// vacant reads the row of an address that nobody is registered with: the zero Account when there is none. ErrHasAccount,
// ErrSignIn (disabled).
func vacant(tx store.Tx, k store.AddressKey) (store.Account, error) {
	a, err := find(tx, k)
	switch {
	case err != nil:
		return a, err
	case a.Status == store.StatusDisabled:
		return a, ErrSignIn
	case a.Registered:
		return a, ErrHasAccount
	}
	return a, nil
}

func (s *Service) openVisit(token seal.SessionToken, ses store.Session) ([]seal.LinkSecret, error) {
	links, err := s.Keys.OpenVisit(token, ses.ID, ses.Address.Key(), ses.Kind, ses.Sealed)
	if err != nil {
		return nil, fmt.Errorf("open session: %w", err)
	}
	return links, nil
}

// Carry lets a session of kind "code" open one more link of its address (KEYS K8), for the rest of its life. It may be
// repeated. ErrNoSession.
func (s *Service) Carry(ctx context.Context, who Signed, secret seal.LinkSecret) (Signed, error) {
	err := store.Retry(ctx, func() (err error) {
		who, err = s.carry(ctx, who, secret)
		return err
	})
	if err != nil && !errors.Is(err, ErrNoSession) {
		err = fmt.Errorf("open one more link: %w", err)
	}
	return who, err
}

// carry reads the session again: another tab may have opened a link since.
func (s *Service) carry(ctx context.Context, who Signed, secret seal.LinkSecret) (Signed, error) {
	err := s.Store.View(ctx, func(tx store.Tx) (err error) {
		who.Session, err = VisitIn(tx, who.Session.ID, s.now())
		return err
	})
	if err != nil {
		return who, err
	}
	if who.Links, err = s.openVisit(who.key, who.Session); err != nil || slices.Contains(who.Links, secret) {
		return who, err
	}
	who.Links = append(who.Links[max(0, len(who.Links)+1-maxCarried):], secret)
	was := who.Session.Sealed
	who.Session.Sealed = s.Keys.SealVisit(who.key, who.Session.ID, who.Session.Address.Key(), who.Session.Kind, who.Links)
	return who, s.Store.Update(ctx, func(tx store.Tx) error {
		now, err := VisitIn(tx, who.Session.ID, s.now())
		if err != nil {
			return err
		}
		if !bytes.Equal(now.Sealed, was) {
			return store.ErrConflict
		}
		now.Sealed = who.Session.Sealed
		return tx.Sessions().Put(now)
	})
}
