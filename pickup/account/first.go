package account

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"

	"postern/pickup/notify"
	"postern/store"
	"postern/store/mail"
	"postern/store/outbox"
	"postern/store/seal"
)

// FirstRequest is a press of "send me another" on the page of a link, by somebody without account who lacks the
// temporary password (KEYS K8 "temporary-password").
type FirstRequest struct {
	Secret   seal.LinkSecret
	Author   mail.Mailbox // of the message, as the page names it
	Language string       // of the mail
	Client   Client
}

// SendFirst mails another temporary password to the address of a link, within the bounds of mailed codes.
//
// Errors: ErrUnknownLink, ErrLinkOver, ErrHasAccount, ErrSignIn (disabled), *CodeLimitError, *BusyError.
func (s *Service) SendFirst(ctx context.Context, in FirstRequest) error {
	arrived := s.Now()
	if err := s.throttle.client(in.Client.IP, arrived); err != nil {
		return err
	}
	address, err := s.visitor(ctx, in.Secret)
	if err != nil {
		if errors.Is(err, ErrSignIn) {
			s.pace(ctx, arrived)
		}
		return err
	}
	if err := s.takeQuota(arrived, in.Secret, address, in.Client); err != nil {
		return err
	}
	return s.mailFirst(ctx, in)
}

func (s *Service) mailFirst(ctx context.Context, in FirstRequest) error {
	var r store.Recipient
	err := s.Store.View(ctx, func(tx store.Tx) (err error) {
		r, err = tx.Messages().ByLink(in.Secret.LinkID())
		return err
	})
	if err != nil {
		return fmt.Errorf("mail temporary password: %w", err)
	}
	password, now := seal.NewTemporary(), s.now()
	t := store.NewFirstPassword(password.Tag(string(r.Address.Key())), r, now)
	m := notify.FirstPasswordMail{ID: store.NewMessageID(now), To: r.Address, Author: in.Author,
		Password: password.String(), Until: t.Ends, GiveUp: t.Ends, Lang: label(in.Language)}
	prepared, err := outbox.Compose(ctx, s.Outbox, m, s.Mails.FirstPassword)
	if err != nil {
		return err
	}
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		if _, err := visitorOf(tx, in.Secret.LinkID()); err != nil {
			return err
		}
		return errors.Join(tx.Tokens().Put(t, store.FirstPasswords()), prepared.Put(tx))
	})
	if err != nil {
		return fmt.Errorf("mail temporary password: %w", err)
	}
	return nil
}

// signInFirst opens a session of kind "change" for an address without account, which carries the link on whose page the
// temporary password was typed.
func (s *Service) signInFirst(ctx context.Context, in Login, c candidate, typed seal.Temporary) error {
	k := c.track.address
	token, ses := s.begin(store.AccountID{}, store.SessionChange, in.Client)
	var links []seal.LinkSecret
	if in.Link != (seal.LinkSecret{}) {
		links = append(links, in.Link)
	}
	ses.Sealed = s.Keys.SealVisit(token, ses.ID, k, ses.Kind, links)
	e := store.Event{ID: store.NewEventID(ses.Created), What: store.EventFirst, Actor: actorSelf, Facts: map[string]string{"browser": ses.Browser}}
	err := s.Store.Update(ctx, func(tx store.Tx) error {
		t, err := tx.Tokens().Peek(typed.Tag(string(k)), store.PurposeTemp, ses.Created)
		if err != nil {
			return err
		}
		r, err := tx.Messages().Recipient(t.About)
		if err != nil {
			return err
		}
		if !r.Live() || r.State == store.StateDeclined {
			return store.ErrExpired
		}
		a, err := vacant(tx, k)
		if err != nil {
			return err
		}
		if !a.Disowned.IsZero() && !t.Created.After(a.Disowned) { // it may be what the stranger had
			return store.ErrExpired
		}
		ses.Address, e.Message, e.N = r.Address, r.Key.Message, r.Key.N
		return errors.Join(tx.Sessions().Put(ses), tx.Audit().Add(e))
	})
	switch {
	case isOver(err), errors.Is(err, ErrHasAccount), errors.Is(err, ErrSignIn):
		return s.refuse(ctx, in.Client, c.account, "password")
	case err != nil:
		return fmt.Errorf("sign in by temporary password: %w", err)
	}
	s.throttle.success(c.track)
	return &MustChangeError{Token: token.String()}
}

// chooseFirst makes the account of an address whose session of kind "change" is to choose a password. It is confirmed:
// the temporary password was mailed to its address (KEYS K8 (c)). The links that the session carried are in Links.
func (s *Service) chooseFirst(ctx context.Context, token seal.SessionToken, now Signed, in NewPassword) (Signed, error) {
	if err := s.throttle.client(in.Client.IP, s.Now()); err != nil {
		return Signed{}, err
	}
	a := now.Account
	if a.ID.IsZero() {
		rand.Read(a.ID[:])
	}
	links, err := s.openVisit(token, now.Session)
	if err != nil {
		return Signed{}, err
	}
	a, seed, err := s.choose(ctx, a, in.Password, in.Reminder)
	if err != nil {
		return Signed{}, err
	}
	a.Standing = store.Confirmed
	out := s.newSession(a, seed, in.Client, false)
	out.Links = links
	if err := s.commitFirst(ctx, now.Session, out); err != nil {
		return Signed{}, err
	}
	out.Account.Version++ // as Set and Create left it
	return out, nil
}

func (s *Service) commitFirst(ctx context.Context, change store.Session, out Signed) error {
	a := out.Account
	told, err := outbox.Compose(ctx, s.Outbox, s.accountMail(a, out.Session.Created, out.Session.Browser), s.Mails.PasswordChosen)
	if err != nil {
		return err
	}
	e := store.Event{ID: store.NewEventID(out.Session.Created), What: store.EventRegistered, Account: a.ID, Actor: actorSelf,
		Facts: map[string]string{"browser": out.Session.Browser, "by": string(wayTemporary)}}
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		was, err := live(tx, change.ID, s.now())
		if err != nil {
			return err
		}
		if was.Account.Version != a.Version || was.Account.ID != a.ID && !was.Account.ID.IsZero() {
			return store.ErrConflict
		}
		owner := string(a.Address.Key())
		return errors.Join(put(tx, a), tx.Sessions().DeleteAt(a.Address.Key()), tx.Tokens().DeleteAll(store.PurposeTemp, owner),
			tx.Tokens().DeleteAll(store.PurposeCode, owner), tx.Sessions().Put(out.Session), told.Put(tx), tx.Audit().Add(e))
	})
	if err != nil && !errors.Is(err, ErrNoSession) {
		return fmt.Errorf("choose first password: %w", err)
	}
	return err
}

// firstIn is the session of kind "change" of an address without account; its account is the row that there may be, or
// one that is still to be made. ErrNoSession.
func firstIn(tx store.Tx, ses store.Session) (Signed, error) {
	a, err := vacant(tx, ses.Address.Key())
	switch {
	case errors.Is(err, ErrHasAccount), errors.Is(err, ErrSignIn), ses.Kind != store.SessionChange:
		return Signed{}, ErrNoSession
	case err != nil:
		return Signed{}, err
	case a.ID.IsZero():
		a.Address = ses.Address
	}
	a.Keys = slices.Clone(a.Keys)
	return Signed{Account: a, Session: ses}, nil
}
