package pickup

import (
	"errors"
	"net/http"

	"postern/pickup/account"
	"postern/pickup/web"
	"postern/store/seal"
)

// resetPage shows the form of a reset link; a scanner's GET does not use it up (C10).
func (s *Site) resetPage(w http.ResponseWriter, r *http.Request) error {
	p, _, err := s.readMailed(r, seal.TokenReset)
	if err != nil {
		return s.badLink(w, r, err)
	}
	p.Choice = s.choice([]string{p.Address.String()})
	return s.showMailed(w, r, "new-password", p)
}

func (s *Site) reset(w http.ResponseWriter, r *http.Request) error {
	f, err := form(r, "password", "password2", "reminder")
	if err != nil {
		return err
	}
	p, who, err := s.readMailed(r, seal.TokenReset)
	if err != nil {
		return s.badLink(w, r, err)
	}
	if p.State != "asked" {
		return s.showMailed(w, r, "new-password", p)
	}
	in, ok := s.chosen(r, &p, f, who)
	if !ok {
		return s.show(w, r, http.StatusUnprocessableEntity, "new-password", p)
	}
	now, err := s.Accounts.Reset(r.Context(), p.token(), in)
	return s.answerChoice(w, r, p, choiceMade{before: who, now: now, err: err})
}

// chosen reads a new password, and marks on the page what is wrong with it.
func (s *Site) chosen(r *http.Request, p *mailedPage, f map[string]string, who account.Signed) (account.NewPassword, bool) {
	about := []string{p.Address.String()}
	p.Choice, p.Reminder.Text = s.choice(about), web.OneLine(f["reminder"], account.MaxReminder)
	p.Wrong = !s.judge(&p.Choice, f, about)
	return account.NewPassword{Password: f["password"], Reminder: f["reminder"], Here: who, Client: s.client(r)}, !p.Wrong
}

// choiceMade is what became of a chosen password.
type choiceMade struct {
	before, now account.Signed
	err         error
}

func (s *Site) answerChoice(w http.ResponseWriter, r *http.Request, p mailedPage, c choiceMade) error {
	switch {
	case p.Choice.refused(c.err), p.Reminder.refused(c.err):
		p.Wrong = true
		return s.show(w, r, http.StatusUnprocessableEntity, "new-password", p)
	case p.closes(c.err):
		return s.showMailed(w, r, "new-password", p)
	}
	return s.completed(w, r, c.before, c.now, p.Address, c.err)
}

// mustChoosePath is where somebody signed in with a temporary password chooses one of his own.
const mustChoosePath = "/new-password"

// mustChoose is that page. Without such a session there is nothing to choose.
func (s *Site) mustChoose(w http.ResponseWriter, r *http.Request) error {
	p, err := s.changing(r)
	if errors.Is(err, account.ErrNoSession) {
		if r.URL.Query().Get(check) == checkMark && s.cookies.Get(r, s.cookies.Session()) == "" {
			return s.showCookies(w, r, "/sign-in")
		}
		return redirect(w, r, "/")
	}
	if err != nil {
		return err
	}
	p.Choice = s.choice([]string{p.Address.String()})
	return s.show(w, r, http.StatusOK, "new-password", p)
}

func (s *Site) changing(r *http.Request) (mailedPage, error) {
	whose, err := s.Accounts.Changing(r.Context(), s.cookies.Get(r, s.cookies.Session()))
	p := mailedPage{page: s.page(r, changing()), Link: mustChoosePath, State: "asked", MailedLink: account.MailedLink{Address: whose.Address},
		First: !whose.Registered}
	p.Path = mustChoosePath
	return p, err
}

// choose takes the password that ends a session with a temporary one (C9).
func (s *Site) choose(w http.ResponseWriter, r *http.Request) error {
	f, err := form(r, "password", "password2", "reminder")
	if err != nil {
		return err
	}
	p, err := s.changing(r)
	if errors.Is(err, account.ErrNoSession) {
		return redirect(w, r, "/")
	}
	if err != nil {
		return err
	}
	in, ok := s.chosen(r, &p, f, account.Signed{})
	if !ok {
		return s.show(w, r, http.StatusUnprocessableEntity, "new-password", p)
	}
	now, err := s.Accounts.ChoosePassword(r.Context(), s.cookies.Get(r, s.cookies.Session()), in)
	if err == nil && len(now.Links) > 0 {
		return s.intoMessage(w, r, now)
	}
	return s.answerChoice(w, r, p, choiceMade{now: now, err: err})
}

// mustChange leads to that page whoever may do nothing else; a sign-in brings the cookie of its session.
func (s *Site) mustChange(w http.ResponseWriter, r *http.Request, must *account.MustChangeError) error {
	target := mustChoosePath
	if must.Token != "" {
		s.setCookies(w, account.Signed{Token: must.Token})
		target += "?" + check + "=" + checkMark
	}
	return redirect(w, r, target)
}
