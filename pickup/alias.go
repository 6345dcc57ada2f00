package pickup

import (
	"errors"
	"net/http"
	"net/url"
	"time"

	"postern/pickup/account"
	"postern/store"
	"postern/store/seal"
)

// aliasPage is alias.html: shall this address become one of the account that asked for it (B13)?
type aliasPage struct {
	page
	Link    string
	State   string // asked, sign-in, other, used, expired, taken, shut
	Account string
	Address string
	At      time.Time
	Browser string
	Merges  bool // the address has an account of its own
	Miss    bool // the password of that account is another
}

// readAlias reads the link of an alias mail; it changes nothing (I4).
func (s *Site) readAlias(r *http.Request, who account.Signed) (aliasPage, error) {
	token, err := mailedToken(r, seal.TokenAlias)
	if err != nil {
		return aliasPage{}, err
	}
	info, err := s.Accounts.AliasLink(r.Context(), token)
	p := aliasPage{page: s.page(r, who), Link: "/a/" + token, State: "asked", Account: info.Account.String(), Address: info.Address.String(),
		At: info.At, Browser: info.Browser, Merges: info.Merges}
	p.Path = p.Link
	switch {
	case info.Used:
		p.State = "used"
	case info.Expired:
		p.State = "expired"
	case !isSigned(who):
		p.State = "sign-in"
	case who.Account.Address.Key() != info.Account.Key():
		p.State = "other"
	}
	return p, err
}

// arriveAlias reads link and session, and answers at once where the way ends.
func (s *Site) arriveAlias(w http.ResponseWriter, r *http.Request) (p aliasPage, who account.Signed, done bool, err error) {
	if who, err = s.who(r); err != nil {
		return p, who, true, err
	}
	if p, err = s.readAlias(r, who); err != nil {
		return p, who, true, s.badLink(w, r, err)
	}
	switch p.State {
	case "used", "expired":
		return p, who, true, s.show(w, r, http.StatusGone, "alias", p)
	case "other":
		return p, who, true, s.show(w, r, http.StatusForbidden, "alias", p)
	}
	return p, who, false, nil
}

func (s *Site) aliasPage(w http.ResponseWriter, r *http.Request) error {
	p, who, done, err := s.arriveAlias(w, r)
	if done || err != nil {
		return err
	}
	q := r.URL.Query()
	switch {
	case !isSigned(who) && q.Get(check) == checkMark && s.cookies.Get(r, s.cookies.Session()) == "":
		return s.showCookies(w, r, "")
	case !isSigned(who) && q.Get("step") == "sign-in":
		return s.show(w, r, http.StatusOK, "sign-in", s.aliasSignIn(r, p))
	}
	return s.show(w, r, http.StatusOK, "alias", p)
}

// aliasSignIn is the sign-in form on the page of an alias mail's link.
func (s *Site) aliasSignIn(r *http.Request, p aliasPage) signInPage {
	return signInPage{page: p.page, Action: p.Link, Hidden: map[string]string{"do": "sign-in"}, Address: p.Account, Back: p.Link,
		Button: s.say(r, "Sign in"), Alias: p.Address}
}

// answerAlias takes the answer. Without a session it only shows the sign-in form or signs in; the button that adds the
// address is pressed after that.
func (s *Site) answerAlias(w http.ResponseWriter, r *http.Request) error {
	f, err := form(r, "do", "email", "password", "keep")
	if err != nil {
		return err
	}
	p, who, done, err := s.arriveAlias(w, r)
	if done || err != nil {
		return err
	}
	switch {
	case !isSigned(who):
		return s.signInForAlias(w, r, p, f)
	case f["do"] == "sign-in": // in another tab, or twice
		return redirect(w, r, p.Link)
	case f["do"] != "add":
		return errInvalid
	}
	err = s.Accounts.ConfirmAlias(r.Context(), who, account.AliasAnswer{Token: p.Link[len("/a/"):], Password: f["password"], Client: s.client(r)})
	status := http.StatusConflict
	switch {
	case errors.Is(err, account.ErrPassword):
		p.Wrong, p.Miss, status = true, true, http.StatusForbidden
	case errors.Is(err, account.ErrAliasTaken):
		p.State = "taken"
	case errors.Is(err, account.ErrAliasShut):
		p.State = "shut"
	case errors.Is(err, store.ErrUsed):
		p.State, status = "used", http.StatusGone
	case errors.Is(err, store.ErrExpired):
		p.State, status = "expired", http.StatusGone
	case errors.Is(err, account.ErrNotYours):
		p.State, status = "other", http.StatusForbidden
	case errors.Is(err, account.ErrNoSession):
		return redirect(w, r, p.Link)
	case errors.Is(err, account.ErrUnknownLink):
		return s.badLink(w, r, err)
	default:
		return s.isSet(w, r, "alias-added", err)
	}
	return s.show(w, r, status, "alias", p)
}

func (s *Site) signInForAlias(w http.ResponseWriter, r *http.Request, p aliasPage, f map[string]string) error {
	signIn := s.aliasSignIn(r, p)
	if f["do"] != "sign-in" {
		return s.show(w, r, http.StatusOK, "sign-in", signIn)
	}
	who, err := s.Accounts.SignIn(r.Context(), account.Login{Address: f["email"], Password: f["password"], Keep: s.keep(f), Client: s.client(r)})
	if errors.Is(err, account.ErrSignIn) {
		return s.showSignInError(w, r, signIn, f["email"])
	}
	if err != nil {
		return err
	}
	s.setCookies(w, who)
	return redirect(w, r, p.Link+"?"+url.Values{check: {checkMark}}.Encode())
}
