package console

import (
	"errors"
	"html/template"
	"net/http"
	"net/url"

	"postern/pickup/admin"
	"postern/pickup/web"
	"postern/store"
)

// check is the mark of the first page after a sign-in: a browser that comes there without the session's cookie keeps
// none, and gets a page that says so instead of the sign-in form again (A12).
const check = "check"

// who resumes the session of a request. The zero Signed: nobody is signed in.
func (c *Console) who(r *http.Request) (admin.Signed, error) {
	cookie := c.cookies.Get(r, c.cookies.Session())
	if cookie == "" {
		return admin.Signed{}, nil
	}
	who, err := c.Admin.Resume(r.Context(), cookie)
	if errors.Is(err, admin.ErrNoSession) {
		return admin.Signed{}, nil
	}
	return who, err
}

// client is who asks, for throttle, audit and log.
func (c *Console) client(r *http.Request) (x admin.Client) {
	x.IP, x.Browser, x.UserAgent = web.ClientIP(r.Context()), c.browsers.Label(r.UserAgent()), r.UserAgent()
	x.Known, x.Ref = c.cookies.Get(r, c.cookies.Known()), web.Reference(r.Context())
	return x
}

// signInFor is the sign-in page that leads on to where a request wanted to go, as far as GET can.
func signInFor(r *http.Request) string {
	to := localTarget(r.URL.Path)
	if to == "" || to == "/" || r.Method != http.MethodGet {
		return "/sign-in"
	}
	return "/sign-in?" + url.Values{"to": {to}}.Encode()
}

// localTarget is a page of this site to which the sign-in form may lead on, or "".
func localTarget(to string) string {
	return web.LocalTarget(to, "/users", "/groups", "/messages", "/queue", "/policy", "/audit", "/settings", "/notifications", "/invitations",
		"/administrators", "/password", "/sessions")
}

// signInPage is sign-in.html.
type signInPage struct {
	page
	Address   string
	To        string
	Asked     bool // a page asked for the sign-in
	SignedOut bool
	NoCookies bool // the browser just showed that it keeps none (A12)
	Wait      int  // seconds until the next try may be made; 0: now
	Facts     web.Facts
}

func (c *Console) signInPage(w http.ResponseWriter, r *http.Request, who admin.Signed) error {
	q := r.URL.Query()
	to := localTarget(q.Get("to"))
	if signed(who) {
		if to == "" {
			to = "/"
		}
		return redirect(w, to)
	}
	return c.show(w, r, http.StatusOK, "sign-in", signInPage{page: c.page(r, who, ""), To: to, Asked: to != "",
		SignedOut: q.Get("signed-out") != "", NoCookies: q.Get(check) != ""})
}

func signed(who admin.Signed) bool { return who.Actor.Role != "" }

func (c *Console) signIn(w http.ResponseWriter, r *http.Request, _ admin.Signed) error {
	f, err := web.Form(r, "email", "password", "code", "to")
	if err != nil {
		return err
	}
	who, err := c.Admin.SignIn(r.Context(), admin.Login{Address: f["email"], Password: f["password"], Code: f["code"], Client: c.client(r)})
	if errors.Is(err, admin.ErrSignIn) {
		p := signInPage{page: c.page(r, admin.Signed{}, ""), Address: web.OneLine(f["email"], store.MaxAddress), To: localTarget(f["to"])}
		p.Wrong, p.Facts = true, c.facts(r, p.Address)
		return c.show(w, r, http.StatusForbidden, "sign-in", p)
	}
	if err != nil {
		return err
	}
	return c.enter(w, who, localTarget(f["to"]))
}

// enter sets the cookies of a sign-in and leads to a page by way of the cookie check. The session ends with the
// browser, or earlier.
func (c *Console) enter(w http.ResponseWriter, who admin.Signed, to string) error {
	if to == "" {
		to = "/"
	}
	c.cookies.Set(w, c.cookies.Session(), who.Token, 0)
	if who.Known != "" {
		c.cookies.Set(w, c.cookies.Known(), who.Known, web.KnownFor)
	}
	return redirect(w, to+"?"+url.Values{check: {"cookie"}}.Encode())
}

func (c *Console) signOut(w http.ResponseWriter, r *http.Request, _ admin.Signed) error {
	if _, err := web.Form(r); err != nil {
		return err
	}
	if cookie := c.cookies.Get(r, c.cookies.Session()); cookie != "" {
		if err := c.Admin.SignOut(r.Context(), cookie); err != nil {
			return err
		}
	}
	c.cookies.Clear(w, c.cookies.Session())
	return redirect(w, "/sign-in?signed-out=1")
}

// setUpPage is set-up.html: an administrator chooses a password and takes the second factor over.
type setUpPage struct {
	page
	Link    string // path of this page
	About   admin.Enrolment
	Picture template.HTML // About.URI as a QR code
	AppLink template.URL  // About.URI
	Choice  web.Choice
	Code    bool // the code was not right
}

// linkPage is link.html: what is wrong with a set-up link.
type linkPage struct {
	page
	Fault string // incomplete, damaged, unknown, used, expired
	Got   int    // characters that arrived
}

func (c *Console) setUpPage(w http.ResponseWriter, r *http.Request, who admin.Signed) error {
	p, err := c.setUpForm(r)
	if err != nil {
		return c.badLink(w, r, who, err)
	}
	return c.show(w, r, http.StatusOK, "set-up", p)
}

func (c *Console) setUpForm(r *http.Request) (setUpPage, error) {
	about, err := c.Admin.Enrolment(r.Context(), r.PathValue("token"))
	if err != nil {
		return setUpPage{}, err
	}
	p := setUpPage{page: c.page(r, admin.Signed{}, ""), Link: r.URL.EscapedPath(), About: about, AppLink: template.URL(about.URI),
		Choice: c.choice(about.Address)}
	p.Picture, err = picture(about.URI, c.say(r, "The key as a picture for the authenticator app"))
	return p, err
}

func (c *Console) badLink(w http.ResponseWriter, r *http.Request, who admin.Signed, err error) error {
	p := linkPage{page: c.page(r, who, "")}
	status := http.StatusNotFound
	incomplete := new(admin.IncompleteError)
	switch {
	case errors.As(err, &incomplete):
		p.Fault, p.Got, status = "incomplete", incomplete.N, http.StatusBadRequest
	case errors.Is(err, admin.ErrDamaged):
		p.Fault, status = "damaged", http.StatusBadRequest
	case errors.Is(err, admin.ErrUnknownLink):
		p.Fault = "unknown"
	case errors.Is(err, store.ErrUsed):
		p.Fault, status = "used", http.StatusGone
	case errors.Is(err, store.ErrExpired):
		p.Fault, status = "expired", http.StatusGone
	default:
		return err
	}
	return c.show(w, r, status, "link", p)
}

func (c *Console) setUp(w http.ResponseWriter, r *http.Request, who admin.Signed) error {
	f, err := web.Form(r, "password", "password2", "code")
	if err != nil {
		return err
	}
	p, err := c.setUpForm(r)
	if err != nil {
		return c.badLink(w, r, who, err)
	}
	if !c.judge(&p.Choice, f, p.About.Address) {
		p.Wrong = true
		switch err := c.Admin.CheckCode(r.Context(), r.PathValue("token"), f["code"]); {
		case errors.Is(err, admin.ErrCode):
			p.Code = true
		case err != nil:
			return c.badLink(w, r, who, err)
		}
		return c.show(w, r, http.StatusUnprocessableEntity, "set-up", p)
	}
	in, err := c.Admin.Setup(r.Context(), admin.SetupForm{Token: r.PathValue("token"), Password: f["password"], Code: f["code"], Client: c.client(r)})
	if errors.Is(err, admin.ErrCode) {
		p.Wrong, p.Code = true, true
		return c.show(w, r, http.StatusUnprocessableEntity, "set-up", p)
	}
	if err != nil {
		return c.badLink(w, r, who, err)
	}
	return c.enter(w, in, "")
}
