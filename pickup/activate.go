package pickup

import (
	"errors"
	"net/http"

	"postern/pickup/account"
	"postern/pickup/web"
	"postern/store"
	"postern/store/seal"
)

// mailedPage is activate.html and new-password.html: what the links of account mails lead to.
type mailedPage struct {
	page
	account.MailedLink
	Link     string // the page's own path
	State    string // asked, declined, used, missed, expired, unknown
	First    bool   // the first password of an address
	Left     int    // tries that are left after a wrong password; 0: none was typed
	Empty    bool   // no password was typed
	Unticked bool
	Choice   choice
	Reminder reminder
}

// readMailed reads the link of an account mail; it changes nothing (I4).
func (s *Site) readMailed(r *http.Request, k seal.TokenKind) (mailedPage, account.Signed, error) {
	who, err := s.reader(r)
	if err != nil {
		return mailedPage{}, who, err
	}
	token, err := mailedToken(r, k)
	if err != nil {
		return mailedPage{}, who, err
	}
	read := s.Accounts.ResetLink
	if k == seal.TokenActivate {
		read = s.Accounts.ChangeLink
	}
	p := mailedPage{page: s.page(r, who), Link: "/" + string(k) + "/" + token, State: "asked"}
	p.Path = p.Link
	p.MailedLink, err = read(r.Context(), token)
	if errors.Is(err, account.ErrUnknownLink) {
		p.State, err = "unknown", nil
	} else {
		p.State = stateOf(p.MailedLink)
	}
	return p, who, err
}

// mailedToken is the token in the address of a mailed link's page, in its one spelling.
func mailedToken(r *http.Request, k seal.TokenKind) (string, error) {
	secret, err := seal.ParseToken(k, r.PathValue("token"))
	if err != nil {
		return "", err
	}
	web.Note(r.Context(), "link", web.Short(secret.TokenID(k).String()))
	return secret.Token(k), nil
}

// stateOf says whether a mailed link can be answered: asked; or else missed, used, expired.
func stateOf(l account.MailedLink) string {
	switch {
	case l.Missed:
		return "missed"
	case !l.Used.IsZero():
		return "used"
	case l.Expired:
		return "expired"
	}
	return "asked"
}

// token is that of the page's link, in its one spelling.
func (p *mailedPage) token() string { return p.Link[len("/v/"):] }

// closes takes the answer of a link that cannot be used any more, or reports that it is none.
func (p *mailedPage) closes(err error) bool {
	switch {
	case errors.Is(err, store.ErrUsed):
		p.State = "used"
	case errors.Is(err, store.ErrExpired):
		p.State = "expired"
	case errors.Is(err, account.ErrUnknownLink):
		p.State = "unknown"
	default:
		return false
	}
	return true
}

// showMailed shows a link's page; one that is over says so.
func (s *Site) showMailed(w http.ResponseWriter, r *http.Request, name string, p mailedPage) error {
	status := http.StatusOK
	switch p.State {
	case "asked", "declined":
	case "unknown":
		status = http.StatusNotFound
	default:
		status = http.StatusGone
	}
	return s.show(w, r, status, name, p)
}

func (s *Site) activatePage(w http.ResponseWriter, r *http.Request) error {
	p, _, err := s.readMailed(r, seal.TokenActivate)
	if err != nil {
		return s.badLink(w, r, err)
	}
	return s.showMailed(w, r, "activate", p)
}

// activate takes Activate, with the new password typed again, or Decline, with a tick (A5). A button alone does
// nothing, whoever presses it.
func (s *Site) activate(w http.ResponseWriter, r *http.Request) error {
	f, err := form(r, "answer", "password", "sure")
	if err != nil {
		return err
	}
	p, who, err := s.readMailed(r, seal.TokenActivate)
	switch {
	case err != nil:
		return s.badLink(w, r, err)
	case p.State != "asked":
		return s.showMailed(w, r, "activate", p)
	case f["answer"] == "decline":
		return s.declineChange(w, r, p, f)
	case f["answer"] != "activate":
		return errInvalid
	case f["password"] == "":
		p.Wrong, p.Empty = true, true
		return s.show(w, r, http.StatusUnprocessableEntity, "activate", p)
	}
	miss := new(account.MissError)
	now, err := s.Accounts.Activate(r.Context(), p.token(), account.NewPassword{Password: f["password"], Here: who, Client: s.client(r)})
	switch {
	case errors.As(err, &miss) && miss.Left > 0:
		p.Wrong, p.Left = true, miss.Left
		return s.show(w, r, http.StatusForbidden, "activate", p)
	case errors.As(err, &miss):
		p.State = "missed"
		return s.showMailed(w, r, "activate", p)
	case p.closes(err):
		return s.showMailed(w, r, "activate", p)
	}
	return s.completed(w, r, who, now, p.Address, err)
}

func (s *Site) declineChange(w http.ResponseWriter, r *http.Request, p mailedPage, f map[string]string) error {
	if f["sure"] == "" {
		p.Wrong, p.Unticked = true, true
		return s.show(w, r, http.StatusUnprocessableEntity, "activate", p)
	}
	err := s.Accounts.DeclineChange(r.Context(), p.token())
	if err == nil {
		p.State = "declined"
	} else if !p.closes(err) {
		return err
	}
	return s.showMailed(w, r, "activate", p)
}

// completed leads on after a new password: into the account (C13), or for one that may not be used to the one answer of
// every failed log-on.
func (s *Site) completed(w http.ResponseWriter, r *http.Request, before, now account.Signed, to store.Address, err error) error {
	switch {
	case errors.Is(err, account.ErrSignIn):
		return s.showSignInError(w, r, s.signInForm(r, ""), to.String())
	case errors.Is(err, account.ErrNoSession): // changed by somebody else meanwhile
		return redirect(w, r, "/sign-in")
	case err != nil:
		return err
	}
	if isSigned(before) {
		s.Messages.Forget(before.Session.ID)
	}
	return s.enter(w, r, now, "/", passwordMark)
}
