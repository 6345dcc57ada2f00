package pickup

import (
	"errors"
	"net/http"
	"time"

	"postern/pickup/account"
	"postern/store"
	"postern/store/seal"
)

// welcomePage is welcome.html: was it you who chose a password (KEYS K8)?
type welcomePage struct {
	page
	Link    string
	State   string // asked, confirmed, disowned, used, expired, other
	Address string
	At      time.Time
	Browser string
}

// readWelcome reads the link of a welcome mail; it changes nothing (I4).
func (s *Site) readWelcome(r *http.Request, who account.Signed) (welcomePage, error) {
	token, err := mailedToken(r, seal.TokenWelcome)
	if err != nil {
		return welcomePage{}, err
	}
	info, err := s.Accounts.Welcome(r.Context(), token)
	p := welcomePage{page: s.page(r, who), Link: "/w/" + token, State: stateOf(info), Address: info.Address.String(), At: info.At,
		Browser: info.Browser}
	p.Path = p.Link
	return p, err
}

func (s *Site) welcomePage(w http.ResponseWriter, r *http.Request) error {
	who, err := s.who(r)
	if err != nil {
		return err
	}
	p, err := s.readWelcome(r, who)
	if err != nil {
		return s.badLink(w, r, err)
	}
	if p.State != "asked" {
		return s.show(w, r, http.StatusGone, "welcome", p)
	}
	return s.show(w, r, http.StatusOK, "welcome", p)
}

// welcome takes the answer: "it was me" from the account's own session, "it was not me" with a tick.
func (s *Site) welcome(w http.ResponseWriter, r *http.Request) error {
	f, err := form(r, "answer", "sure", "email", "password", "keep")
	if err != nil {
		return err
	}
	who, err := s.who(r)
	if err != nil {
		return err
	}
	p, err := s.readWelcome(r, who)
	if err != nil {
		return s.badLink(w, r, err)
	}
	switch {
	case p.State != "asked":
		return s.show(w, r, http.StatusGone, "welcome", p)
	case f["answer"] == "not-me":
		return s.disown(w, r, who, p, f)
	case f["answer"] == "me":
		return s.confirm(w, r, who, p, f)
	}
	return errInvalid
}

func (s *Site) confirm(w http.ResponseWriter, r *http.Request, who account.Signed, p welcomePage, f map[string]string) error {
	if !isSigned(who) {
		signIn := signInPage{page: p.page, Action: p.Link, Hidden: map[string]string{"answer": "me"}, Address: p.Address, Back: p.Link,
			Button: s.say(r, "Sign in"), Welcome: true}
		if f["email"] == "" && f["password"] == "" {
			return s.show(w, r, http.StatusOK, "sign-in", signIn)
		}
		var err error
		who, err = s.Accounts.SignIn(r.Context(), account.Login{Address: f["email"], Password: f["password"], Keep: s.keep(f), Client: s.client(r)})
		if errors.Is(err, account.ErrSignIn) {
			return s.showSignInError(w, r, signIn, f["email"])
		}
		if err != nil {
			return err
		}
		s.setCookies(w, who)
		p.User = who.Account.Address.String()
	}
	err := s.Accounts.ConfirmWelcome(r.Context(), who, p.Link[len("/w/"):])
	if errors.Is(err, account.ErrNotYours) {
		p.State = "other"
		return s.show(w, r, http.StatusForbidden, "welcome", p)
	}
	return s.answered(w, r, p, "confirmed", err)
}

func (s *Site) disown(w http.ResponseWriter, r *http.Request, who account.Signed, p welcomePage, f map[string]string) error {
	if f["sure"] == "" {
		p.Wrong = true
		return s.show(w, r, http.StatusUnprocessableEntity, "welcome", p)
	}
	err := s.Accounts.DisownWelcome(r.Context(), p.Link[len("/w/"):], s.client(r))
	if err == nil && isSigned(who) && who.Account.Address.String() == p.Address {
		s.cookies.Clear(w, s.cookies.Session()) // its session is over
		p.User = ""
	}
	return s.answered(w, r, p, "disowned", err)
}

// answered shows what an answer did, or that somebody was faster.
func (s *Site) answered(w http.ResponseWriter, r *http.Request, p welcomePage, state string, err error) error {
	switch {
	case err == nil:
		p.State = state
		return s.show(w, r, http.StatusOK, "welcome", p)
	case errors.Is(err, store.ErrUsed):
		p.State = "used"
	case errors.Is(err, store.ErrExpired):
		p.State = "expired"
	default:
		return s.badLink(w, r, err)
	}
	return s.show(w, r, http.StatusGone, "welcome", p)
}
