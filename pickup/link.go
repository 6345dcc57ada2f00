package pickup

import (
	"errors"
	"net/http"
	"net/url"
	"time"

	"postern/pickup/account"
	"postern/pickup/message"
	"postern/pickup/web"
	"postern/store"
	"postern/store/seal"
)

// tokenLength is the number of characters of a token (KEYS K2).
const tokenLength = 37

// link is a followed pickup link.
type link struct {
	secret seal.LinkSecret
	cover  message.Cover
	path   string // of its page, in the token's one spelling
}

// read finds out where a link leads. It has no effect (I4).
func (s *Site) read(r *http.Request) (link, error) {
	secret, err := seal.ParseToken(seal.TokenPickup, r.PathValue("token"))
	if err != nil {
		return link{}, err
	}
	web.Note(r.Context(), "link", web.Short(secret.LinkID().String()))
	cover, err := s.Messages.Link(r.Context(), secret)
	return link{secret: secret, cover: cover, path: "/p/" + secret.Token(seal.TokenPickup)}, err
}

// linkPage is link.html: what is wrong with a link, and the field to paste it into (KEYS K2).
type linkPage struct {
	page
	Fault string // incomplete, damaged, unknown, disowned; empty: none
	Got   int    // characters that arrived
	Whole int
	// Earlier: the account has keys that an earlier password opens, perhaps this message's.
	Earlier bool
}

// badLink shows what is wrong with a link; other errors go on.
func (s *Site) badLink(w http.ResponseWriter, r *http.Request, err error) error {
	p := linkPage{page: s.page(r, account.Signed{}), Whole: tokenLength}
	p.Path = ""
	incomplete := new(seal.IncompleteError)
	switch {
	case errors.As(err, &incomplete):
		p.Fault, p.Got = "incomplete", incomplete.N
		return s.show(w, r, http.StatusBadRequest, "link", p)
	case errors.Is(err, seal.ErrDamaged):
		p.Fault = "damaged"
		return s.show(w, r, http.StatusBadRequest, "link", p)
	case errors.Is(err, message.ErrUnknownLink):
		p.Fault = "unknown"
		return s.show(w, r, http.StatusNotFound, "link", p)
	}
	return err
}

// coverPage is cover.html, and not-for-me.html, which shows the same message.
type coverPage struct {
	page
	Link       string
	From       person
	To         string
	Sent       time.Time
	Expires    time.Time
	DaysLeft   int
	Way        string // what the button leads to: register, code, temporary, sign-in, open
	Waiting    bool   // a code was mailed to this browser
	Opened     bool
	MayDecline bool // until first opened (KEYS K12)
}

func (s *Site) coverOf(r *http.Request, l link, who account.Signed) coverPage {
	c := l.cover
	p := coverPage{page: s.page(r, who), Link: l.path, From: personOf(c.Author), To: c.To.String(), Sent: c.Sent, Expires: c.Expires,
		DaysLeft: daysUntil(s.Now(), c.Expires), Way: s.way(c, who), Opened: c.State == message.CoverOpened, MayDecline: c.State == message.CoverWaiting}
	p.Path = l.path
	if p.Way == "code" {
		_, err := s.Accounts.Code(r.Context(), l.secret, s.flow(r))
		p.Waiting = err == nil
	}
	return p
}

// way is what a person must do to read the message. An address whose account is disabled signs in like any other, and
// is answered like any other failure (KEYS K9).
func (s *Site) way(c message.Cover, who account.Signed) string {
	switch {
	case reads(who):
		return "open"
	case c.HasAccount || c.Disabled:
		return "sign-in"
	case s.FirstAccess == store.AccessCode:
		return "code"
	case s.FirstAccess == store.AccessTemporary:
		return "temporary"
	}
	return "register"
}

// daysUntil counts whole days.
func daysUntil(now, t time.Time) int {
	const day = 24 * time.Hour
	return max(0, int(t.Sub(now)/day))
}

// cover is what a link shows: who wrote and until when. A scanner that follows it leaves a count, no more.
func (s *Site) cover(w http.ResponseWriter, r *http.Request) error {
	l, who, done, err := s.arrive(w, r)
	if done || err != nil {
		return err
	}
	s.Messages.Fetched(l.secret.LinkID())
	if reads(who) || r.URL.Query().Get("step") == "" {
		return s.show(w, r, http.StatusOK, "cover", s.coverOf(r, l, who))
	}
	switch s.way(l.cover, who) {
	case "register":
		return s.show(w, r, http.StatusOK, "register", s.registerForm(r, l))
	case "code":
		return s.codeStep(w, r, l)
	case "temporary":
		return s.show(w, r, http.StatusOK, "sign-in", s.firstSignIn(r, l))
	}
	return s.show(w, r, http.StatusOK, "sign-in", s.linkSignIn(r, l))
}

// arrive reads link and session and answers at once where the way ends: links that lead nowhere, messages that are
// over, people whose message it is not (C4).
func (s *Site) arrive(w http.ResponseWriter, r *http.Request) (l link, who account.Signed, done bool, err error) {
	if l, err = s.read(r); err != nil {
		return l, who, true, s.badLink(w, r, err)
	}
	if who, err = s.who(r); err != nil {
		return l, who, true, err
	}
	switch {
	case !l.cover.Live():
		return l, who, true, s.showOver(w, r, l, who)
	case reads(who) && !who.Account.Owns(l.cover.To.Key()):
		return l, who, true, s.showRefused(w, r, who, refusedPage{Link: l.path, To: l.cover.To.String()})
	case !isSigned(who) && l.cover.Disowned:
		return l, who, true, s.showDisowned(w, r, l)
	}
	return l, who, false, nil
}

// showDisowned tells the reader of a link that registers nobody any more how to get a password.
func (s *Site) showDisowned(w http.ResponseWriter, r *http.Request, l link) error {
	p := linkPage{page: s.page(r, account.Signed{}), Fault: "disowned", Whole: tokenLength}
	p.Path = l.path
	return s.show(w, r, http.StatusForbidden, "link", p)
}

// follow is the button of a link's page: it registers or signs in, opens the message, and leads to where it is read
// (KEYS K15). Without a password it only shows the form; a button alone changes nothing.
func (s *Site) follow(w http.ResponseWriter, r *http.Request) error {
	f, err := form(r, "step", "password", "password2", "reminder", "keep", "code")
	if err != nil {
		return err
	}
	l, who, done, err := s.arrive(w, r)
	if done || err != nil {
		return err
	}
	if !reads(who) {
		switch s.way(l.cover, who) {
		case "register":
			who, done, err = s.registerAt(w, r, l, f)
		case "code":
			who, done, err = s.codeAt(w, r, l, f)
		default:
			who, done, err = s.signInAt(w, r, l, f)
		}
		if done || err != nil {
			return err
		}
		s.setCookies(w, who)
	}
	return s.openLink(w, r, l, who)
}

func (s *Site) openLink(w http.ResponseWriter, r *http.Request, l link, who account.Signed) (err error) {
	if who.IsVisit() {
		if who, err = s.Accounts.Carry(r.Context(), who, l.secret); errors.Is(err, account.ErrNoSession) {
			return redirect(w, r, l.path)
		} else if err != nil {
			return err
		}
	}
	key, err := s.Messages.OpenLink(r.Context(), l.secret, who)
	ended := new(message.EndedError)
	switch {
	case errors.Is(err, message.ErrNotYours):
		return s.showRefused(w, r, who, refusedPage{Link: l.path, To: l.cover.To.String()})
	case errors.Is(err, message.ErrUnknownLink):
		return s.badLink(w, r, err)
	case errors.As(err, &ended):
		l.cover.State, l.cover.EndedAt = message.CoverState(ended.State), ended.At
		return s.showOver(w, r, l, who)
	case err != nil:
		return err
	}
	target := "/m/" + key.String()
	if who.Token != "" { // just signed in: see whether the cookie arrives
		target += "?" + url.Values{check: {checkMark}}.Encode()
	}
	return redirect(w, r, target)
}

// linkSignIn is the sign-in form on a link's page.
func (s *Site) linkSignIn(r *http.Request, l link) signInPage {
	p := signInPage{page: s.page(r, account.Signed{}), Action: l.path, Hidden: map[string]string{"step": "sign-in"},
		Address: l.cover.To.String(), Fixed: true, Back: l.path, Button: s.say(r, "Sign in to read")}
	p.Path = l.path
	return p
}

// signInAt signs in on a link's page, always as the address that the link was sent to.
func (s *Site) signInAt(w http.ResponseWriter, r *http.Request, l link, f map[string]string) (account.Signed, bool, error) {
	form := s.linkSignIn(r, l)
	if s.way(l.cover, account.Signed{}) == "temporary" {
		if f["step"] == "send" {
			return account.Signed{}, true, s.sendFirst(w, r, l)
		}
		form = s.firstSignIn(r, l)
	}
	if f["password"] == "" && f["step"] != "sign-in" {
		return account.Signed{}, true, s.show(w, r, http.StatusOK, "sign-in", form)
	}
	who, err := s.Accounts.SignIn(r.Context(), account.Login{Address: l.cover.To.String(), Password: f["password"],
		Keep: s.keep(f), Link: l.secret, Client: s.client(r)})
	if errors.Is(err, account.ErrSignIn) {
		return who, true, s.showSignInError(w, r, form, l.cover.To.String())
	}
	return who, err != nil, err
}

// refusedPage is refused.html (C4).
type refusedPage struct {
	page
	Link string // to open again after signing out; empty: not known
	To   string // whom the message was sent to; empty: not told
}

func (s *Site) showRefused(w http.ResponseWriter, r *http.Request, who account.Signed, p refusedPage) error {
	p.page = s.page(r, who)
	p.Path = ""
	return s.show(w, r, http.StatusForbidden, "refused", p)
}

// endedPage is ended.html, and closed.html for what was closed unopened.
type endedPage struct {
	page
	How  string // expired, recalled; else another end
	From person
	Sent time.Time
	At   time.Time
	Now  bool // it was closed by this very request
}

func (s *Site) showOver(w http.ResponseWriter, r *http.Request, l link, who account.Signed) error {
	p := endedPage{page: s.page(r, who), How: string(l.cover.State), From: personOf(l.cover.Author), Sent: l.cover.Sent, At: l.cover.EndedAt}
	p.Path = l.path
	return s.showEnd(w, r, p)
}

func (s *Site) showEnd(w http.ResponseWriter, r *http.Request, p endedPage) error {
	if p.How == string(store.StateDeclined) {
		return s.show(w, r, http.StatusGone, "closed", p)
	}
	return s.show(w, r, http.StatusGone, "ended", p)
}

func (s *Site) notForMePage(w http.ResponseWriter, r *http.Request) error {
	l, who, done, err := s.arrive(w, r)
	if done || err != nil {
		return err
	}
	if l.cover.State != message.CoverWaiting {
		return redirect(w, r, l.path)
	}
	return s.show(w, r, http.StatusOK, "not-for-me", s.coverOf(r, l, who))
}

// notForMe closes a message unopened (P10), if the box was ticked: a bare press of the button, which scanners do,
// changes nothing.
func (s *Site) notForMe(w http.ResponseWriter, r *http.Request) error {
	f, err := form(r, "sure")
	if err != nil {
		return err
	}
	l, who, done, err := s.arrive(w, r)
	if done || err != nil {
		return err
	}
	if f["sure"] == "" {
		p := s.coverOf(r, l, who)
		p.Wrong = true
		return s.show(w, r, http.StatusUnprocessableEntity, "not-for-me", p)
	}
	err = s.Messages.NotForMe(r.Context(), l.secret)
	if errors.Is(err, message.ErrOpened) {
		return redirect(w, r, l.path)
	}
	if err != nil && !errors.Is(err, message.ErrEnded) {
		return err
	}
	p := endedPage{page: s.page(r, who), How: string(store.StateDeclined), From: personOf(l.cover.Author), Now: true}
	p.Path = l.path
	return s.show(w, r, http.StatusOK, "closed", p)
}
