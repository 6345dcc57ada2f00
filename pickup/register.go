package pickup

import (
	"errors"
	"net/http"

	"postern/pickup/account"
	"postern/pickup/web"
	"postern/store"
)

// registerPage is register.html: the first password of an address.
type registerPage struct {
	page
	Link     string
	To       string
	Choice   choice
	Reminder reminder
}

func (s *Site) registerForm(r *http.Request, l link) registerPage {
	about := []string{l.cover.To.String()}
	p := registerPage{page: s.page(r, account.Signed{}), Link: l.path, To: l.cover.To.String()}
	p.Path = l.path
	p.Choice = s.choice(about)
	return p
}

// registerAt makes the account of a link's address. done: an answer was written.
func (s *Site) registerAt(w http.ResponseWriter, r *http.Request, l link, f map[string]string) (account.Signed, bool, error) {
	p := s.registerForm(r, l)
	if f["step"] != "register" && f["password"] == "" && f["password2"] == "" {
		return account.Signed{}, true, s.show(w, r, http.StatusOK, "register", p)
	}
	p.Reminder.Text = web.OneLine(f["reminder"], account.MaxReminder)
	if !s.judge(&p.Choice, f, []string{p.To}) {
		p.Wrong = true
		return account.Signed{}, true, s.show(w, r, http.StatusUnprocessableEntity, "register", p)
	}
	who, err := s.Accounts.Register(r.Context(), account.Registration{Secret: l.secret, Password: f["password"],
		Reminder: f["reminder"], Language: web.Lang(r.Context()), Keep: s.keep(f), Client: s.client(r)})
	if err == nil {
		return who, false, nil
	}
	return who, true, s.notRegistered(w, r, l, p, err)
}

// notRegistered answers for a registration that the rules refused.
func (s *Site) notRegistered(w http.ResponseWriter, r *http.Request, l link, p registerPage, err error) error {
	switch {
	case p.Choice.refused(err), p.Reminder.refused(err):
		p.Wrong = true
	case errors.Is(err, account.ErrHasAccount): // made meanwhile, perhaps by this very form sent twice
		return s.show(w, r, http.StatusConflict, "sign-in", s.linkSignIn(r, l))
	case errors.Is(err, account.ErrSignIn): // disabled (KEYS K9)
		return s.showSignInError(w, r, s.linkSignIn(r, l), p.To)
	case errors.Is(err, account.ErrUnknownLink):
		return s.badLink(w, r, err)
	case errors.Is(err, account.ErrLinkDisowned):
		return s.showDisowned(w, r, l)
	case errors.Is(err, account.ErrLinkOver):
		return s.overMeanwhile(w, r, l)
	default:
		return err
	}
	return s.show(w, r, http.StatusUnprocessableEntity, "register", p)
}

// overMeanwhile shows how a message ended while its page was open.
func (s *Site) overMeanwhile(w http.ResponseWriter, r *http.Request, l link) error {
	cover, err := s.Messages.Link(r.Context(), l.secret)
	if err != nil {
		return s.badLink(w, r, err)
	}
	if cover.Live() {
		return store.ErrConflict
	}
	l.cover = cover
	return s.showOver(w, r, l, account.Signed{})
}
