package message

import (
	"context"
	"errors"
	"fmt"
	"time"

	"postern/pickup/account"
	"postern/store"
	"postern/store/mail"
	"postern/store/seal"
)

// CoverState is what the page of a link says of its message.
type CoverState string

// The states of a cover.
const (
	CoverWaiting  CoverState = "waiting"
	CoverOpened   CoverState = "opened"
	CoverExpired  CoverState = "expired"
	CoverRecalled CoverState = "recalled"
	CoverDeclined CoverState = "declined"
	CoverFailed   CoverState = "failed"
)

// Cover is what may be known of a message before anyone signs in: the outside of the envelope, no subject, no content.
type Cover struct {
	Key        store.RcptKey
	Author     mail.Mailbox  // the name only while the message lives: it comes from the sealed card
	To         store.Address // whom the link was sent to
	Sent       time.Time
	Expires    time.Time
	State      CoverState
	EndedAt    time.Time
	Blind      bool // the recipient is named in neither To nor Cc
	NoReply    bool
	HasAccount bool // the address signs in instead of registering
	Disabled   bool // its account is disabled
	Disowned   bool // the link registers nobody: it is older than an "it was not me" of its address
}

// Live reports whether the link leads on to the message.
func (c Cover) Live() bool { return c.State == CoverWaiting || c.State == CoverOpened }

// linked is what a link's row leads to.
type linked struct {
	rcpt    store.Recipient
	message store.Message
	account store.Account // of the address; zero: none
}

// Link reads what the page of a link shows. It changes nothing (I4). ErrUnknownLink, ErrDamaged.
func (s *Service) Link(ctx context.Context, secret seal.LinkSecret) (Cover, error) {
	l, err := s.follow(ctx, secret.LinkID())
	if err != nil {
		return Cover{}, err
	}
	c := l.cover(s.now())
	c.Disowned = account.Disowned(l.account, l.rcpt.Grants, secret.LinkID())
	if !c.Live() {
		return c, nil
	}
	fk, _, err := s.keyByLink(secret, l.rcpt)
	if err != nil {
		return Cover{}, err
	}
	card, err := openCard(fk, l.message)
	if err != nil {
		return Cover{}, err
	}
	c.Author = author(l.message, card)
	return c, nil
}

// follow reads the rows behind a link.
func (s *Service) follow(ctx context.Context, id store.LinkID) (l linked, err error) {
	err = s.Store.View(ctx, func(tx store.Tx) error {
		l = linked{}
		if l.rcpt, err = tx.Messages().ByLink(id); err != nil {
			return err
		}
		if l.message, err = tx.Messages().Get(l.rcpt.Key.Message); err != nil {
			return readError(l.rcpt.Key.Message, err)
		}
		l.account, err = tx.Accounts().ByAddress(l.rcpt.Address.Key())
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return l, ErrUnknownLink
	}
	if err != nil {
		return l, fmt.Errorf("follow link: %w", err)
	}
	return l, nil
}

func (l linked) cover(now time.Time) Cover {
	r := l.rcpt
	c := Cover{Key: r.Key, To: r.Address, Sent: l.message.At, Expires: r.Expires, Blind: r.Blind, NoReply: r.NoReply,
		HasAccount: l.account.Registered, Disabled: l.account.Status == store.StatusDisabled, State: CoverWaiting}
	if l.message.Author != nil {
		c.Author.Address = *l.message.Author
	}
	if r.State == store.StateOpened {
		c.State = CoverOpened
	}
	end := new(EndedError)
	if errors.As(ended(r, now), &end) {
		c.State, c.EndedAt = CoverState(end.State), end.At
	}
	return c
}

// keyByLink opens the link grant of a secret. ErrUnknownLink when a newer link replaced it.
func (s *Service) keyByLink(secret seal.LinkSecret, r store.Recipient) (seal.FileKey, store.Grant, error) {
	id := secret.LinkID()
	for _, g := range r.Grants {
		if g.Kind != store.GrantLink || g.Link != id {
			continue
		}
		fk, err := s.Keys.OpenLink(secret, r.Key, g)
		if err != nil {
			return fk, g, damaged(r.Key.Message, err)
		}
		return fk, g, nil
	}
	return seal.FileKey{}, store.Grant{}, ErrUnknownLink
}

// openCard opens what is known of a message without its body.
func openCard(fk seal.FileKey, m store.Message) (mail.Card, error) {
	text, err := fk.OpenCard(m.ID, m.Card)
	if err != nil {
		return mail.Card{}, damaged(m.ID, err)
	}
	card, err := mail.DecodeCard(text)
	if err != nil {
		return mail.Card{}, damaged(m.ID, err)
	}
	return card, nil
}

// author is who wrote a message: the name is the card's, the address that of the record, which policy judged.
func author(m store.Message, card mail.Card) mail.Mailbox {
	var box mail.Mailbox
	if len(card.From) > 0 {
		box = card.From[0]
	}
	if m.Author != nil {
		box.Address = *m.Author
	}
	return box
}
