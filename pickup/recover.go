package pickup

import (
	"context"
	"net/http"
	"strings"
	"time"

	"postern/pickup/account"
	"postern/pickup/web"
	"postern/store"
)

// recoverPage is reminder.html, forgotten.html and change-password.html: forms of people who cannot sign in.
type recoverPage struct {
	page
	Address  string
	Mistyped bool // the address is none
	Choice   choice
	Reminder reminder
}

// askedPage is asked.html: the one answer to all of these forms, for every address.
type askedPage struct {
	page
	Kind    string // reminder, activate, temporary-password, reset-link
	Address string
	Until   time.Time // of what is mailed
}

func (s *Site) reminderForm(w http.ResponseWriter, r *http.Request) error {
	return s.recoverForm(w, r, "reminder")
}

// remind takes the one box of the Password Reminder page (A2).
func (s *Site) remind(w http.ResponseWriter, r *http.Request) error {
	return s.mailed(w, r, "reminder", s.Accounts.Remind)
}

// forgottenForm is the page behind "Change your password": where the new password is typed first it is the form of A4,
// else the first step of C9.
func (s *Site) forgottenForm(w http.ResponseWriter, r *http.Request) error {
	return s.recoverForm(w, r, s.forgottenPage())
}

func (s *Site) forgottenPage() string {
	if s.Recovery == account.RecoverActivate {
		return "change-password"
	}
	return "forgotten"
}

func (s *Site) recoverForm(w http.ResponseWriter, r *http.Request, name string) error {
	who, err := s.who(r)
	if err != nil {
		return err
	}
	p := recoverPage{page: s.page(r, who), Address: who.Account.Address.String()}
	if !isSigned(who) {
		p.Address = ""
	}
	p.Choice = s.choice(nil)
	return s.show(w, r, http.StatusOK, name, p)
}

func (s *Site) forgotten(w http.ResponseWriter, r *http.Request) error {
	if s.Recovery == account.RecoverActivate {
		return s.askChange(w, r)
	}
	return s.mailed(w, r, string(s.Recovery), s.Accounts.Recover)
}

// mailed answers a form with one address. Whether the address is known here shows in nothing.
func (s *Site) mailed(w http.ResponseWriter, r *http.Request, kind string, ask func(context.Context, string, account.Client) error) error {
	f, err := form(r, "email")
	if err != nil {
		return err
	}
	who, err := s.who(r)
	if err != nil {
		return err
	}
	p := recoverPage{page: s.page(r, who), Address: web.OneLine(f["email"], store.MaxAddress)}
	name := "reminder"
	if kind != name {
		name = s.forgottenPage()
	}
	if p.misses(f["email"]) {
		return s.show(w, r, http.StatusUnprocessableEntity, name, p)
	}
	if err := ask(r.Context(), f["email"], s.client(r)); err != nil {
		return err
	}
	return s.showAsked(w, r, who, kind, p.Address)
}

// misses marks an address that is none. That tells nothing of who is known here.
func (p *recoverPage) misses(typed string) bool {
	if _, err := store.ParseAddress(strings.TrimSpace(typed)); err != nil {
		p.Wrong, p.Mistyped = true, true
	}
	return p.Mistyped
}

// askChange takes the form of A4: the new password waits until it is activated from a mail (A5).
func (s *Site) askChange(w http.ResponseWriter, r *http.Request) error {
	f, err := form(r, "email", "password", "password2", "reminder")
	if err != nil {
		return err
	}
	who, err := s.who(r)
	if err != nil {
		return err
	}
	about := []string{strings.TrimSpace(f["email"])}
	p := recoverPage{page: s.page(r, who), Address: web.OneLine(f["email"], store.MaxAddress), Choice: s.choice(about)}
	p.Reminder.Text = web.OneLine(f["reminder"], account.MaxReminder)
	if chosen := s.judge(&p.Choice, f, about); p.misses(f["email"]) || !chosen {
		p.Wrong = true
		return s.show(w, r, http.StatusUnprocessableEntity, "change-password", p)
	}
	err = s.Accounts.AskChange(r.Context(), account.ChangeRequest{Address: f["email"], Password: f["password"], Reminder: f["reminder"], Client: s.client(r)})
	switch {
	case p.Choice.refused(err), p.Reminder.refused(err):
		p.Wrong = true
		return s.show(w, r, http.StatusUnprocessableEntity, "change-password", p)
	case err != nil:
		return err
	}
	return s.showAsked(w, r, who, string(account.RecoverActivate), p.Address)
}

func (s *Site) showAsked(w http.ResponseWriter, r *http.Request, who account.Signed, kind, address string) error {
	p := askedPage{page: s.page(r, who), Kind: kind, Address: address, Until: s.Now().Add(account.RecoveryLife)}
	p.Path = ""
	return s.show(w, r, http.StatusOK, "asked", p)
}
