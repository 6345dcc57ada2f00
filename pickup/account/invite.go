package account

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"postern/pickup/notify"
	"postern/store"
	"postern/store/mail"
	"postern/store/outbox"
	"postern/store/seal"
)

// invitationLife is how long the link of an invitation works (KEYS K2).
const invitationLife = 7 * 24 * time.Hour

// Invitee is somebody to be invited (B3).
type Invitee struct {
	Address store.Address
	Name    string // for lists and the mail; may be empty
	Class   store.Class
}

// Invitation is what a round of invitations has in common.
type Invitation struct {
	By    string        // who invites, for the audit log
	From  *mail.Mailbox // the member in whose name (B10); nil: the organisation's
	Group string        // name of the group that was enabled; empty: none
	Keep  bool          // who has an account stays member or guest, whatever the list says
	// Note, where there is one, writes what became of the list in the transaction of the invitations.
	Note func(store.Tx, []Outcome) error
}

// Outcome is what became of an invitation.
type Outcome string

// The outcomes. Only the first two send a mail.
const (
	Invited   Outcome = "invited"
	Again     Outcome = "invited again" // the link of the invitation before is dead
	Known     Outcome = "has an account"
	MadeClass Outcome = "has an account, and is a member now"
	NotNow    Outcome = "disabled"
	Alias     Outcome = "alias of another user"
)

// Sent reports whether a mail went out.
func (o Outcome) Sent() bool { return o == Invited || o == Again }

// InviteeError says that one person cannot be invited, however often it is tried; others of the list could be. Reason is
// for people.
type InviteeError struct {
	Address store.Address
	Reason  string
	Err     error
}

func (e *InviteeError) Error() string { return fmt.Sprintf("%s: %s", e.Reason, e.Err) }

// Unwrap is the cause.
func (e *InviteeError) Unwrap() error { return e.Err }

// inviting is an invitation that is ready to be committed.
type inviting struct {
	to      Invitee
	account store.AccountID // for a new row
	token   store.Token
	mail    outbox.Prepared
	event   store.Event
	keep    bool
	outcome Outcome
}

// Invite makes accounts for people and mails each a link to choose a password, in one transaction: keep lists short.
// Who has an account gets no mail, but becomes a member where the invitation says so, unless it keeps what is there; a
// disabled one stays as it is.
// Outcomes are in the order of the list. *InviteeError: nobody was invited, because of one person; other errors may pass.
func (s *Service) Invite(ctx context.Context, in Invitation, list []Invitee) ([]Outcome, error) {
	ready := make([]*inviting, 0, len(list))
	for _, to := range list {
		x, err := s.prepareInvitation(ctx, in, to)
		if err != nil {
			return nil, err
		}
		ready = append(ready, x)
	}
	out := make([]Outcome, len(ready))
	err := store.Retry(ctx, func() error {
		return s.Store.Update(ctx, func(tx store.Tx) error {
			for i, x := range ready {
				if err := x.commit(tx); err != nil {
					return err
				}
				out[i] = x.outcome
			}
			if in.Note == nil {
				return nil
			}
			return in.Note(tx, out)
		})
	})
	if err != nil {
		return nil, fmt.Errorf("invite: %w", err)
	}
	return out, nil
}

// prepareInvitation draws the secret and composes the mail, before the transaction that may find them unneeded.
func (s *Service) prepareInvitation(ctx context.Context, in Invitation, to Invitee) (*inviting, error) {
	secret, now := seal.NewSecret(), s.now()
	x := &inviting{to: to, keep: in.Keep}
	x.to.Name = label(to.Name)
	rand.Read(x.account[:])
	x.token = store.Token{ID: secret.TokenID(seal.TokenSetup), Purpose: store.PurposeSetup, Created: now, Ends: now.Add(invitationLife)}
	x.event = store.Event{ID: store.NewEventID(now), What: store.EventInvited, Actor: in.By, Facts: map[string]string{"class": string(to.Class)}}
	if in.Group != "" {
		x.event.Facts["group"] = in.Group
	}
	own, err := s.Mails.Invitation(notify.InvitationMail{
		AccountMail: notify.AccountMail{ID: store.NewMessageID(now), To: to.Address, At: now, Link: s.link(seal.TokenSetup, secret)},
		From:        in.From, Until: x.token.Ends, Member: to.Class == store.ClassMember,
	})
	if err != nil {
		return nil, &InviteeError{to.Address, "the mail cannot be written", fmt.Errorf("compose invitation: %w", err)}
	}
	if x.mail, err = s.Outbox.Prepare(ctx, own); err != nil {
		return nil, fmt.Errorf("seal invitation: %w", err)
	}
	return x, nil
}

// commit decides by the row as it is, and does what follows.
func (x *inviting) commit(tx store.Tx) error {
	a, err := find(tx, x.to.Address.Key())
	if errors.Is(err, store.ErrCorrupt) {
		return &InviteeError{x.to.Address, "the record of the user is damaged", err}
	}
	if err != nil {
		return err
	}
	switch {
	case a.ID.IsZero():
		x.outcome = Invited
		a = store.Account{ID: x.account, Address: x.to.Address, Name: x.to.Name, Status: store.StatusInvited, Standing: store.Provisional,
			Member: x.to.Class == store.ClassMember, Created: x.token.Created}
		return x.send(tx, a)
	case a.Address.Key() != x.to.Address.Key():
		x.outcome = Alias
		return nil
	case a.Status == store.StatusDisabled:
		x.outcome = NotNow
		return nil
	}
	promoted := !x.keep && x.to.Class == store.ClassMember && (!a.Member || len(a.MemberBy) > 0)
	if promoted {
		a.Member, a.MemberBy = true, nil
	}
	if a.Name == "" {
		a.Name = x.to.Name
	}
	if !a.Registered {
		x.outcome, a.Status = Again, store.StatusInvited
		return x.send(tx, a)
	}
	x.outcome = Known
	if !promoted {
		return nil
	}
	x.outcome = MadeClass
	return x.note(tx, a)
}

// send stores the row, the link and the mail.
func (x *inviting) send(tx store.Tx, a store.Account) error {
	t := x.token
	t.Owner, t.Account = a.ID.String(), a.ID
	return errors.Join(x.note(tx, a), tx.Tokens().Put(t, newest), x.mail.Put(tx))
}

func (x *inviting) note(tx store.Tx, a store.Account) error {
	e := x.event
	e.Account = a.ID
	return errors.Join(put(tx, a), tx.Audit().Add(e))
}

// InvitationLink reads the link of an invitation. It changes nothing (I4): ErrUnknownLink, or the errors of
// seal.ParseToken.
func (s *Service) InvitationLink(ctx context.Context, token string) (MailedLink, error) {
	return s.mailedLink(ctx, seal.TokenSetup, store.PurposeSetup, token)
}

// Acceptance is the filled-in form of an invitation's link.
type Acceptance struct {
	Password string
	Reminder string // may be empty (A3)
	Language string
	Keep     bool // "keep me logged in"
	Client   Client
}

// Accept makes the account of an invitation usable and signs it in. The link came by mail, so the account is confirmed
// at once (KEYS K8 (c)). A mail tells its address. ErrUnknownLink, store.ErrUsed, store.ErrExpired, ErrHasAccount (registered meanwhile),
// ErrSignIn (disabled), *CriteriaError, ErrReminderHint, ErrReminderLong, *BusyError, the errors of seal.ParseToken.
func (s *Service) Accept(ctx context.Context, token string, in Acceptance) (Signed, error) {
	arrived := s.Now()
	if err := s.throttle.client(in.Client.IP, arrived); err != nil {
		return Signed{}, err
	}
	var out Signed
	err := store.Retry(ctx, func() (err error) {
		out, err = s.accept(ctx, token, in)
		return err
	})
	if errors.Is(err, ErrSignIn) {
		s.pace(ctx, arrived)
	}
	return out, err
}

func (s *Service) accept(ctx context.Context, token string, in Acceptance) (Signed, error) {
	t, a, err := s.tokenOf(ctx, seal.TokenSetup, store.PurposeSetup, token)
	switch {
	case err != nil:
		return Signed{}, err
	case a.Status == store.StatusDisabled:
		return Signed{}, s.refuse(ctx, in.Client, a, "not active")
	case a.Registered:
		return Signed{}, ErrHasAccount
	}
	a, seed, err := s.choose(ctx, a, in.Password, in.Reminder)
	if err != nil {
		return Signed{}, err
	}
	a.Standing, a.Language = store.Confirmed, label(in.Language)
	out := s.newSession(a, seed, in.Client, in.Keep)
	if err := s.commitAcceptance(ctx, out, t); err != nil {
		return Signed{}, tokenError("accept invitation", err)
	}
	out.Account.Version++
	return out, nil
}

// commitAcceptance writes account and session and uses the link up, if the row is still what it was read as.
func (s *Service) commitAcceptance(ctx context.Context, in Signed, t store.Token) error {
	a, use := in.Account, s.using(t)
	registered := store.Event{ID: store.NewEventID(a.RegisteredAt), What: store.EventRegistered, Account: a.ID, Actor: actorSelf,
		Facts: map[string]string{"browser": in.Session.Browser, "by": "invitation"}}
	confirmed := confirmation(a.RegisteredAt, a.ID, "invitation")
	told, err := outbox.Compose(ctx, s.Outbox, s.accountMail(a, in.Session.Created, in.Session.Browser), s.Mails.PasswordChosen)
	if err != nil {
		return err
	}
	return s.Store.Update(ctx, func(tx store.Tx) error {
		if err := use(tx); err != nil {
			return err
		}
		if err := tx.Accounts().Set(a); err != nil {
			return err
		}
		return errors.Join(endPending(tx, a), tx.Sessions().Put(in.Session), told.Put(tx), tx.Audit().Add(registered), tx.Audit().Add(confirmed))
	})
}
