package pickup

import (
	"errors"
	"net/http"

	"postern/pickup/account"
	"postern/pickup/web"
)

// passwordPage is settings-password.html, and settings-reminder.html, which has no Choice.
type passwordPage struct {
	page
	Miss     bool // the password typed as the present one is another
	Blank    bool // none was typed
	Choice   choice
	Reminder reminder
	Has      bool // there is a reminder phrase
}

func (s *Site) passwordForm(r *http.Request, who account.Signed) passwordPage {
	p := passwordPage{page: s.page(r, who), Has: len(who.Account.Reminder) > 0}
	p.Here = "settings"
	return p
}

func (s *Site) passwordPage(w http.ResponseWriter, r *http.Request, who account.Signed) error {
	p := s.passwordForm(r, who)
	p.Choice = s.choice(account.About(who.Account))
	return s.show(w, r, http.StatusOK, "settings-password", p)
}

// changePassword makes a new password of the present one (KEYS K9). The browser goes on in a new session. What is wrong
// with the new one and with the present one is told together; the present one is tried once in either case.
func (s *Site) changePassword(w http.ResponseWriter, r *http.Request, who account.Signed) error {
	f, err := form(r, "old", "password", "password2", "reminder")
	if err != nil {
		return err
	}
	about := account.About(who.Account)
	p := s.passwordForm(r, who)
	p.Choice, p.Reminder.Text = s.choice(about), web.OneLine(f["reminder"], account.MaxReminder)
	good := s.judge(&p.Choice, f, about)
	p.Blank = f["old"] == ""
	var now account.Signed
	switch {
	case p.Blank:
	case good:
		err = s.ending(r, who, func() error {
			now, err = s.Accounts.ChangePassword(r.Context(), who, account.Change{Current: f["old"], Password: f["password"],
				Reminder: f["reminder"], Client: s.client(r)})
			return err
		})
	default:
		err = s.Accounts.Prove(r.Context(), who, f["old"], s.client(r))
	}
	weak, hint := p.Choice.refused(err), p.Reminder.refused(err)
	p.Miss = errors.Is(err, account.ErrPassword)
	p.Wrong = p.Blank || p.Miss || weak || hint || err == nil && !good
	switch {
	case p.Miss:
		return s.show(w, r, http.StatusForbidden, "settings-password", p)
	case p.Wrong:
		return s.show(w, r, http.StatusUnprocessableEntity, "settings-password", p)
	case err == nil:
		s.setCookies(w, now)
	}
	return s.isSet(w, r, "password", err)
}

func (s *Site) reminderPage(w http.ResponseWriter, r *http.Request, who account.Signed) error {
	return s.show(w, r, http.StatusOK, "settings-reminder", s.passwordForm(r, who))
}

func (s *Site) changeReminder(w http.ResponseWriter, r *http.Request, who account.Signed) error {
	f, err := form(r, "old", "reminder")
	if err != nil {
		return err
	}
	p := s.passwordForm(r, who)
	p.Reminder.Text = web.OneLine(f["reminder"], account.MaxReminder)
	err = s.Accounts.ChangeReminder(r.Context(), who, account.Change{Current: f["old"], Reminder: f["reminder"], Client: s.client(r)})
	switch {
	case errors.Is(err, account.ErrPassword):
		p.Wrong, p.Miss = true, true
		return s.show(w, r, http.StatusForbidden, "settings-reminder", p)
	case p.Reminder.refused(err):
		p.Wrong = true
		return s.show(w, r, http.StatusUnprocessableEntity, "settings-reminder", p)
	}
	return s.isSet(w, r, "reminder", err)
}
