package admin

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"postern/store"
	"postern/store/mail"
)

// inviterSetting names the setting with the address in whose name invitations go out (B10); it is missing where they go
// out in the organisation's.
const inviterSetting = "invitation-sender"

// InviterShow is the address in whose name invitations go out; empty: the organisation's.
func (s *Service) InviterShow(ctx context.Context, a Actor) (address string, err error) {
	if err := a.allow("InviterShow"); err != nil {
		return "", err
	}
	err = s.Store.View(ctx, func(tx store.Tx) error {
		address, err = readInviter(tx)
		return err
	})
	return address, err
}

func readInviter(tx store.Tx) (string, error) {
	value, err := tx.Settings().Get(inviterSetting)
	if errors.Is(err, store.ErrNotFound) {
		return "", nil
	}
	return string(value), err
}

// InviterSet lets invitations go out in the name of a member who has signed up, of a domain that this gateway signs for
// (MAIL §6): other servers take an unsigned mail in that name for a forgery. An empty address is the organisation's.
func (s *Service) InviterSet(ctx context.Context, a Actor, address string) error {
	if err := a.allow("InviterSet"); err != nil {
		return err
	}
	address = strings.TrimSpace(address)
	e := store.Event{ID: store.NewEventID(s.now()), What: store.EventSetting, Actor: a.Name, Facts: map[string]string{"setting": inviterSetting, "value": address}}
	return s.Store.Update(ctx, func(tx store.Tx) error {
		if address == "" {
			return errors.Join(tx.Settings().Delete(inviterSetting), tx.Audit().Add(e))
		}
		u, err := findUser(tx, address)
		if err != nil {
			return input(err)
		}
		if why := s.unfitInviter(u); why != "" {
			return inputf("%s cannot send the invitations: %s", u.Address, why)
		}
		e.Facts["value"], e.Account = u.Address.String(), u.ID
		return errors.Join(tx.Settings().Set(inviterSetting, []byte(u.Address.String())), tx.Audit().Add(e))
	})
}

// unfitInviter is why invitations cannot go out in a user's name; empty: they can.
func (s *Service) unfitInviter(u store.Account) string {
	switch {
	case !u.Member:
		return "only a member can, and this user is a guest"
	case u.Status != store.StatusActive || !u.Registered:
		return "only a member who has signed up and is not disabled can"
	case s.Signs == nil || !s.Signs(u.Address.Domain):
		return fmt.Sprintf("no dkim key of %s is configured, and other mail servers would take the mails for forgeries", u.Address.Domain)
	}
	return ""
}

// inviter is in whose name invitations go out now. A member who has become unfit since, or
// whose record is damaged, is passed over, and the log says so.
func (s *Service) inviter(ctx context.Context) (from *mail.Mailbox, err error) {
	err = s.Store.View(ctx, func(tx store.Tx) error {
		from = nil
		address, err := readInviter(tx)
		if err != nil || address == "" {
			return err
		}
		u, err := findUser(tx, address)
		if err != nil && !gone(err) {
			return err
		}
		why := s.unfitInviter(u)
		if err != nil {
			why = err.Error()
		}
		if why != "" {
			s.Log.WarnContext(ctx, "invitations go out in the organisation's name", "event", "invite", "cause", why)
			return nil
		}
		from = &mail.Mailbox{Name: u.Name, Address: u.Address}
		return nil
	})
	return from, err
}
