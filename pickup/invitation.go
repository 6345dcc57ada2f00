package pickup

import (
	"errors"
	"net/http"
	"time"

	"postern/pickup/account"
	"postern/pickup/web"
	"postern/store"
	"postern/store/seal"
)

// invitationPage is invitation.html: the first password of somebody who was invited (B3).
type invitationPage struct {
	page
	Link     string
	State    string // asked, used, expired, has-account
	To       string
	Ends     time.Time
	Choice   choice
	Reminder reminder
	token    string
}

// readInvitation reads the link of an invitation; it changes nothing (I4).
func (s *Site) readInvitation(r *http.Request) (invitationPage, error) {
	token, err := mailedToken(r, seal.TokenSetup)
	if err != nil {
		return invitationPage{}, err
	}
	info, err := s.Accounts.InvitationLink(r.Context(), token)
	p := invitationPage{page: s.page(r, account.Signed{}), Link: "/n/" + token, State: stateOf(info), To: info.Address.String(), Ends: info.Ends, token: token}
	p.Path = p.Link
	p.Choice = s.choice([]string{p.To})
	return p, err
}

func (s *Site) invitationPage(w http.ResponseWriter, r *http.Request) error {
	p, err := s.readInvitation(r)
	if err != nil {
		return s.badLink(w, r, err)
	}
	return s.showInvitation(w, r, p)
}

func (s *Site) showInvitation(w http.ResponseWriter, r *http.Request, p invitationPage) error {
	if p.State == "asked" {
		return s.show(w, r, http.StatusOK, "invitation", p)
	}
	who, err := s.who(r)
	if err != nil {
		return err
	}
	p.page = s.page(r, who)
	p.Path = p.Link
	return s.show(w, r, http.StatusGone, "invitation", p)
}

// accept makes the account with the chosen password and leads to the inbox.
func (s *Site) accept(w http.ResponseWriter, r *http.Request) error {
	f, err := form(r, "password", "password2", "reminder", "keep")
	if err != nil {
		return err
	}
	p, err := s.readInvitation(r)
	if err != nil {
		return s.badLink(w, r, err)
	}
	if p.State != "asked" {
		return s.showInvitation(w, r, p)
	}
	p.Reminder.Text = web.OneLine(f["reminder"], account.MaxReminder)
	if !s.judge(&p.Choice, f, []string{p.To}) {
		p.Wrong = true
		return s.show(w, r, http.StatusUnprocessableEntity, "invitation", p)
	}
	who, err := s.Accounts.Accept(r.Context(), p.token, account.Acceptance{Password: f["password"], Reminder: f["reminder"],
		Language: web.Lang(r.Context()), Keep: s.keep(f), Client: s.client(r)})
	if err != nil {
		return s.notAccepted(w, r, p, err)
	}
	return s.enter(w, r, who, "/", checkMark)
}

// notAccepted answers for a form that the rules refused.
func (s *Site) notAccepted(w http.ResponseWriter, r *http.Request, p invitationPage, err error) error {
	switch {
	case p.Choice.refused(err), p.Reminder.refused(err):
		p.Wrong = true
		return s.show(w, r, http.StatusUnprocessableEntity, "invitation", p)
	case errors.Is(err, account.ErrHasAccount):
		p.State = "has-account"
	case errors.Is(err, store.ErrUsed): // by this very form sent twice, perhaps
		p.State = "used"
	case errors.Is(err, store.ErrExpired):
		p.State = "expired"
	case errors.Is(err, account.ErrSignIn): // disabled (KEYS K9)
		return s.showSignInError(w, r, s.signInForm(r, ""), p.To)
	case errors.Is(err, account.ErrUnknownLink):
		return s.badLink(w, r, err)
	default:
		return err
	}
	return s.showInvitation(w, r, p)
}
