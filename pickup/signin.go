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

// signInPage is sign-in.html: the site's own sign-in page, and the same form on the page of a link.
type signInPage struct {
	page
	Action    string            // where the form goes
	Hidden    map[string]string // what goes with it
	Address   string
	Fixed     bool   // the address is the one that a link was sent to
	Back      string // page before this one; empty: none
	Button    string
	Asked     bool // a page asked for the sign-in
	SignedOut bool
	Welcome   bool      // to answer the welcome mail
	Alias     string    // the address that is to be added after the sign-in; empty: none
	Writing   bool      // the session ended while a reply was written, which Kept holds
	First     bool      // on a link's page: a temporary password is asked for (C3)
	Sent      bool      // another one was mailed
	Until     time.Time // no more are mailed before; zero: they are
	Facts     facts
}

// signInForm is the sign-in page of its own.
func (s *Site) signInForm(r *http.Request, to string) signInPage {
	p := signInPage{page: s.page(r, account.Signed{}), Action: "/sign-in", Hidden: map[string]string{}, Button: s.say(r, "Sign in")}
	if to = localTarget(to); to != "" && to != "/" {
		p.Hidden["to"], p.Asked = to, true
	}
	return p
}

// say is a text for a field of a page struct.
func (s *Site) say(r *http.Request, id string, args ...any) string {
	return s.Catalogue.Text(web.Lang(r.Context()), id, args...)
}

func (s *Site) signInPage(w http.ResponseWriter, r *http.Request) error {
	who, err := s.who(r)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	if isSigned(who) {
		to := localTarget(q.Get("to"))
		if to == "" {
			to = "/"
		}
		return redirect(w, r, to)
	}
	p := s.signInForm(r, q.Get("to"))
	p.SignedOut = q.Get("signed-out") != ""
	return s.show(w, r, http.StatusOK, "sign-in", p)
}

func (s *Site) signIn(w http.ResponseWriter, r *http.Request) error {
	f, err := form(r, "email", "password", "keep", "to")
	if err != nil {
		return err
	}
	who, err := s.Accounts.SignIn(r.Context(), account.Login{Address: f["email"], Password: f["password"],
		Keep: s.keep(f), Client: s.client(r)})
	if errors.Is(err, account.ErrSignIn) {
		return s.showSignInError(w, r, s.signInForm(r, f["to"]), f["email"])
	}
	if err != nil {
		return err
	}
	to := localTarget(f["to"])
	if to == "" || to == "/sign-in" {
		to = "/"
	}
	return s.enter(w, r, who, to, checkMark)
}

// keep is the box of B11; where it is switched off a posted value counts for nothing.
func (s *Site) keep(f map[string]string) bool { return s.KeepLoggedIn && f["keep"] != "" }

// showSignInError shows any sign-in form again. One text, one status for every cause (C1, I9).
func (s *Site) showSignInError(w http.ResponseWriter, r *http.Request, p signInPage, email string) error {
	p.Wrong, p.Address = true, web.OneLine(email, store.MaxAddress)
	p.Facts = s.facts(r, p.Address)
	return s.show(w, r, http.StatusForbidden, "sign-in", p)
}

func (s *Site) signOut(w http.ResponseWriter, r *http.Request) error {
	f, err := form(r, "to")
	if err != nil {
		return err
	}
	if cookie := s.cookies.Get(r, s.cookies.Session()); cookie != "" {
		if err := s.Accounts.SignOut(r.Context(), cookie); err != nil && !errors.Is(err, account.ErrNoSession) {
			return err
		}
		if token, err := seal.ParseSessionToken(cookie); err == nil {
			s.Messages.Forget(token.ID())
		}
	}
	s.cookies.Clear(w, s.cookies.Session())
	if to := localLink(f["to"]); to != "" {
		return redirect(w, r, to)
	}
	return redirect(w, r, "/sign-in?signed-out=1")
}
