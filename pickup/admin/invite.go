package admin

import (
	"context"
	"errors"

	"postern/pickup/account"
	"postern/store"
)

// InviteForm is one person to be invited (B3).
type InviteForm struct {
	Address string      `json:"address"`
	Name    string      `json:"name,omitempty"`
	Class   store.Class `json:"class"`
}

// UserInvite makes a user and mails a link to choose a password, or a new link to one who was invited before. Who has
// an account gets no mail, but becomes a member where the form says so. A role that may not change users invites guests
// only, and whoever is there already stays what he is: membership is the right to send (B18).
func (s *Service) UserInvite(ctx context.Context, a Actor, f InviteForm) (account.Outcome, error) {
	if err := a.allow("UserInvite"); err != nil {
		return "", err
	}
	addr, err := readAddress(f.Address)
	if err != nil {
		return "", err
	}
	if err := s.checkClass(addr, f.Class); err != nil {
		return "", err
	}
	keep := !May(a.Role, "UserChange")
	if keep {
		if f.Class, err = s.classOf(ctx, addr, f.Class); err != nil {
			return "", err
		}
	}
	from, err := s.inviter(ctx)
	if err != nil {
		return "", err
	}
	in := account.Invitation{By: a.Name, From: from, Keep: keep}
	out, err := s.Users.Invite(ctx, in, []account.Invitee{{Address: addr, Name: f.Name, Class: f.Class}})
	if never := new(account.InviteeError); errors.As(err, &never) {
		s.Log.ErrorContext(ctx, "somebody cannot be invited", "event", "invite", "error", err)
		return "", inputf("%s cannot be invited: %s", addr, never.Reason)
	}
	if err != nil {
		return "", err
	}
	switch out[0] {
	case account.NotNow:
		return out[0], inputf("%s is disabled; enable the user instead", addr)
	case account.Alias:
		return out[0], inputf("%s is an alias of another user: invite the user by the main address", addr)
	}
	return out[0], nil
}

// classOf is what somebody is and, of a stranger, a guest. Asking for a member who is none is refused.
func (s *Service) classOf(ctx context.Context, addr store.Address, asked store.Class) (store.Class, error) {
	is := store.ClassGuest
	acc, err := s.account(ctx, addr.String())
	switch {
	case err == nil:
		is = acc.Class()
	case !errors.Is(err, store.ErrNotFound):
		return "", err
	}
	if asked == store.ClassMember && is != asked {
		return "", inputf("your role invites guests: ask an administrator to make %s a member", addr)
	}
	return is, nil
}
