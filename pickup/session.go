package pickup

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"postern/pickup/account"
	"postern/pickup/web"
	"postern/store"
)

// check is the mark of the first page after a sign-in. A browser that comes there without the session's cookie does
// not keep cookies: it gets a page that says so, and not the sign-in form again, which would go round for ever (A12).
const (
	check        = "check"
	checkMark    = "cookie"
	passwordMark = "password" // the same after a new password, which the page then speaks of
)

// client is who asks, for throttle, audit and mails.
func (s *Site) client(r *http.Request) account.Client {
	return account.Client{IP: web.ClientIP(r.Context()), Browser: s.browsers.Label(r.UserAgent()), UserAgent: r.UserAgent(),
		Known: s.cookies.Get(r, s.cookies.Known()), Ref: web.Reference(r.Context())}
}

// who resumes the session of a request, of an account or a visit, and answers in the language of the account. The zero
// Signed: there is none.
func (s *Site) who(r *http.Request) (account.Signed, error) {
	cookie := s.cookies.Get(r, s.cookies.Session())
	if cookie == "" {
		return account.Signed{}, nil
	}
	who, err := s.Accounts.Resume(r.Context(), cookie)
	if errors.Is(err, account.ErrNoSession) {
		who, err = s.Accounts.Visit(r.Context(), cookie)
	}
	if errors.Is(err, account.ErrNoSession) {
		return account.Signed{}, nil
	}
	if s.Catalogue.Has(who.Account.Language) {
		web.Speak(r.Context(), who.Account.Language)
	}
	return who, err
}

// reader is who reads a page that anybody may read. Somebody who must choose a password first is nobody there, with a
// session of that kind.
func (s *Site) reader(r *http.Request) (account.Signed, error) {
	who, err := s.who(r)
	if must := new(account.MustChangeError); errors.As(err, &must) {
		return changing(), nil
	}
	return who, err
}

func changing() account.Signed {
	return account.Signed{Session: store.Session{Kind: store.SessionChange}}
}

// reads reports whether somebody may read messages: signed in to an account, or on a visit with a mailed code.
func reads(who account.Signed) bool { return isSigned(who) || who.IsVisit() }

// isSigned reports whether somebody is signed in to an account.
func isSigned(who account.Signed) bool { return !who.Account.ID.IsZero() }

// enter sets the cookies of a sign-in and leads to a page of this site by way of the cookie check.
func (s *Site) enter(w http.ResponseWriter, r *http.Request, who account.Signed, target, mark string) error {
	s.setCookies(w, who)
	return redirect(w, r, target+"?"+url.Values{check: {mark}}.Encode())
}

// checked leads on from the cookie check.
func checked(w http.ResponseWriter, r *http.Request) error {
	to := r.URL.EscapedPath()
	if r.URL.Query().Get(check) == passwordMark {
		to += "?done=" + passwordMark
	}
	return redirect(w, r, to)
}

func (s *Site) setCookies(w http.ResponseWriter, who account.Signed) {
	var life time.Duration
	if who.Session.Kept && s.KeepLoggedIn {
		life = who.Session.Ends.Sub(s.Now())
	}
	s.cookies.Set(w, s.cookies.Session(), who.Token, life)
	if who.Known != "" {
		s.cookies.Set(w, s.cookies.Known(), who.Known, web.KnownFor)
	}
}

// redirect leads to a path of this site by GET.
func redirect(w http.ResponseWriter, _ *http.Request, target string) error {
	w.Header().Set("Location", target)
	w.WriteHeader(http.StatusSeeOther)
	return nil
}

// signedHandler is a route for people who are signed in.
type signedHandler func(http.ResponseWriter, *http.Request, account.Signed) error

// signed asks for an account's session. Without one a GET leads to the sign-in page and back afterwards (A9); a POST does too,
// but comes back to the page that its form stands on.
func (s *Site) signed(h signedHandler) http.HandlerFunc { return s.demand(isSigned, h) }

// reading is signed for what a visit may do too.
func (s *Site) reading(h signedHandler) http.HandlerFunc { return s.demand(reads, h) }

func (s *Site) demand(enough func(account.Signed) bool, h signedHandler) http.HandlerFunc {
	return s.handle(func(w http.ResponseWriter, r *http.Request) error {
		who, err := s.who(r)
		switch {
		case err != nil:
			return err
		case enough(who) && r.URL.Query().Get(check) != "" && r.Method != http.MethodPost:
			return checked(w, r)
		case enough(who):
			return h(w, r, who)
		case s.byConsole(r):
			return errConsole
		case r.URL.Query().Get(check) != "" && s.cookies.Get(r, s.cookies.Session()) == "":
			return s.showCookies(w, r, r.URL.Path)
		}
		return redirect(w, r, signInFor(r))
	})
}

// byConsole reports whether somebody who is signed in to the console only asks for a message (A7).
func (s *Site) byConsole(r *http.Request) bool {
	if !strings.HasPrefix(r.URL.Path, "/m/") {
		return false
	}
	cookie := s.cookies.Get(r, s.console.Session())
	return cookie != "" && (s.Console == nil || s.Console(r.Context(), cookie))
}

func signInFor(r *http.Request) string {
	to := localTarget(r.URL.Path)
	if item, ok := strings.CutPrefix(to, "/m/"); ok { // parts, actions and frames lead back to their message
		item, _, _ = strings.Cut(item, "/")
		to = "/m/" + item
	}
	if to == "" || to == "/" {
		return "/sign-in"
	}
	return "/sign-in?" + url.Values{"to": {to}}.Encode()
}

// localTarget is a page of this site to which a form may lead on, or "".
func localTarget(to string) string {
	if clean, ok := web.LocalPath(to); ok && clean == "/" {
		return clean
	}
	return web.LocalTarget(to, "/sent", "/settings", "/m", "/help", "/cookies", "/sign-in", "/reminder", "/change-password", mustChoosePath)
}

// localLink is localTarget that allows pages with a token too. Only a form's body may carry it.
func localLink(to string) string {
	clean, ok := web.LocalPath(to)
	if ok && slices.ContainsFunc([]string{"/p/", "/w/", "/a/", "/v/", "/r/", "/n/"}, func(root string) bool { return strings.HasPrefix(clean, root) }) {
		return clean
	}
	return localTarget(to)
}

// form reads a form of ours by web.Form; what is none is errInvalid.
func form(r *http.Request, names ...string) (map[string]string, error) {
	f, err := web.Form(r, names...)
	if errors.Is(err, web.ErrForm) {
		return nil, errInvalid
	}
	return f, err
}

// language remembers the language that a visitor chose: in this browser, and of somebody who is signed in for every
// browser and for mails.
func (s *Site) language(w http.ResponseWriter, r *http.Request) error {
	f, err := form(r, "lang", "to")
	if err != nil {
		return err
	}
	if !s.Catalogue.Has(f["lang"]) {
		return errInvalid
	}
	who, err := s.reader(r)
	if err != nil {
		return err
	}
	if isSigned(who) {
		if err := s.Accounts.SetLanguage(r.Context(), who, f["lang"]); err != nil {
			return err
		}
	}
	s.cookies.Set(w, s.cookies.Lang(), f["lang"], web.KnownFor)
	to := localLink(f["to"])
	if to == "" {
		to = "/"
	}
	return redirect(w, r, to)
}

// cookiesPage is cookies.html.
type cookiesPage struct {
	page
	Missing bool   // the browser just showed that it keeps none
	To      string // where the visitor wanted to go
	Names   struct{ Session, Known, Flow, Lang string }
}

func (s *Site) cookiesPage(w http.ResponseWriter, r *http.Request) error {
	who, err := s.reader(r)
	if err != nil {
		return err
	}
	return s.show(w, r, http.StatusOK, "cookies", s.newCookiesPage(r, who))
}

func (s *Site) newCookiesPage(r *http.Request, who account.Signed) cookiesPage {
	p := cookiesPage{page: s.page(r, who)}
	p.Names.Session, p.Names.Known, p.Names.Flow, p.Names.Lang = s.cookies.Session(), s.cookies.Known(), s.cookies.Flow(), s.cookies.Lang()
	return p
}

// showCookies says that cookies are required (A12).
func (s *Site) showCookies(w http.ResponseWriter, r *http.Request, to string) error {
	p := s.newCookiesPage(r, account.Signed{})
	p.Missing, p.To = true, localTarget(to)
	return s.show(w, r, http.StatusOK, "cookies", p)
}
