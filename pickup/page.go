package pickup

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"postern/pickup/account"
	"postern/pickup/web"
	"postern/store"
	"postern/store/mail"
)

// page is what the layout of every page needs. Each page's struct embeds it.
type page struct {
	Site      words
	Lang      web.Language
	Languages []web.Language
	Path      string // to come back to after a change of language; empty: the form is left out
	User      string // address of who is signed in; empty: nobody
	Visit     string // address of who reads with a mailed code
	Here      string // entry of the navigation: inbox, sent, settings, help
	Changing  bool   // somebody has signed in with a temporary password and may only choose one
	Unread    int
	Wrong     bool   // something entered was refused: the title says so
	Paper     bool   // a page to print: no script, no forms
	Kept      string // what was written in a form that could not be taken; pages that stand for its answer show it
}

type keptText struct{}

// keeping lets every page of a request show what was written in its form.
func keeping(ctx context.Context, text string) context.Context {
	return context.WithValue(ctx, keptText{}, text)
}

func (s *Site) page(r *http.Request, who account.Signed) page {
	lang := web.Lang(r.Context())
	p := page{Site: s.words.in(lang, s.Catalogue.Fallback()), Lang: s.Catalogue.Language(lang), Languages: s.Catalogue.Languages(),
		Path: r.URL.Path}
	p.Changing = who.Session.Kind == store.SessionChange
	p.Kept, _ = r.Context().Value(keptText{}).(string)
	if !who.Account.ID.IsZero() {
		p.User = who.Account.Address.String()
	}
	if who.IsVisit() {
		p.Visit = who.Account.Address.String()
	}
	return p
}

// person is an author or recipient.
type person struct {
	Name    string // as its sender wrote it, cleaned; may be empty
	Address string
}

// Label is the name, else the address.
func (p person) Label() string {
	if p.Name != "" {
		return p.Name
	}
	return p.Address
}

func personOf(m mail.Mailbox) person {
	p := person{Name: mail.CleanDisplayName(m.Name)}
	if !m.Address.IsZero() {
		p.Address = m.Address.String()
	}
	if strings.EqualFold(strings.Trim(p.Name, "'"), p.Address) { // Outlook names those whom it does not know by their address
		p.Name = ""
	}
	return p
}

// facts is what the help desk asks for (C7).
type facts = web.Facts

func (s *Site) facts(r *http.Request, email string) facts {
	return facts{At: web.Arrived(r.Context()), URL: s.words.Origin + shownPath(r), Browser: s.browsers.Label(r.UserAgent()),
		Email: email, Reference: web.Reference(r.Context())}
}

// shownPath is the path with whatever a route calls token left out (KEYS K15), and nothing of paths without a route.
func shownPath(r *http.Request) string {
	switch {
	case r.PathValue("token") != "":
		return r.URL.Path[:len("/p/")] + "…"
	case r.Pattern == "":
		return "/…"
	}
	return r.URL.Path
}

// handler is a route that leaves errors to failureOf.
type handler func(http.ResponseWriter, *http.Request) error

func (s *Site) handle(h handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			s.failWith(w, r, err)
		}
	}
}

// show writes a page.
func (s *Site) show(w http.ResponseWriter, r *http.Request, status int, name string, data any) error {
	return s.pages.Write(w, r, status, name, data)
}

// Errors of this package, for failureOf.
var (
	errMissing = errors.New("no such page")
	errInvalid = errors.New("the form is not one of ours")
	errConsole = errors.New("a console session asks for a message")
	errRefused = errors.New("not for this account")
)

// failureOf is the one mapping from errors to answers. What is not known is 500: the cause goes to the log only.
func failureOf(err error) web.Failure {
	busy, large, reply := new(account.BusyError), new(http.MaxBytesError), new(store.ReplyError)
	switch {
	case errors.As(err, &busy):
		return web.Failure{Status: http.StatusServiceUnavailable, Kind: "busy", Wait: max(busy.RetryAfter, time.Second)}
	case errors.As(err, &large):
		return web.Failure{Status: http.StatusRequestEntityTooLarge, Kind: "large"}
	case errors.Is(err, errMissing):
		return web.Failure{Status: http.StatusNotFound, Kind: "missing"}
	case errors.Is(err, errInvalid):
		return web.Failure{Status: http.StatusBadRequest, Kind: "invalid"}
	case errors.Is(err, errConsole):
		return web.Failure{Status: http.StatusForbidden, Kind: "console"}
	case errors.Is(err, errRefused):
		return web.Failure{Status: http.StatusForbidden, Kind: "forbidden"}
	case errors.Is(err, store.ErrFull):
		return web.Failure{Status: http.StatusServiceUnavailable, Kind: "full", Wait: time.Minute}
	case errors.Is(err, store.ErrUncertain), errors.Is(err, store.ErrConflict), errors.Is(err, store.ErrClosed),
		errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled),
		errors.As(err, &reply) && reply.Temporary():
		return web.Failure{Status: http.StatusServiceUnavailable, Kind: "later", Wait: time.Minute}
	}
	return web.Failure{Status: http.StatusInternalServerError, Kind: "fault"}
}

// errorPage is error.html: a failure that no other page explains.
type errorPage struct {
	page
	Kind  string
	Wait  int // seconds
	Facts facts
}

func (s *Site) failWith(w http.ResponseWriter, r *http.Request, err error) {
	if must := new(account.MustChangeError); errors.As(err, &must) {
		if err = s.mustChange(w, r, must); err == nil {
			return
		}
	}
	f := failureOf(err)
	if f.Status >= http.StatusInternalServerError && !errors.Is(err, context.Canceled) {
		s.Log.ErrorContext(r.Context(), "request failed", "event", "http", "ref", web.Reference(r.Context()), "error", err)
	}
	if begun := new(cutOff); errors.As(err, begun) {
		return
	}
	s.showFailure(w, r, f)
}

// fail is the error page of a status, for the middleware and for paths without a route.
func (s *Site) fail(w http.ResponseWriter, r *http.Request, status int) {
	kinds := map[int]string{http.StatusForbidden: "forbidden", http.StatusNotFound: "missing", http.StatusMethodNotAllowed: "method",
		http.StatusRequestEntityTooLarge: "large", http.StatusBadRequest: "invalid", http.StatusServiceUnavailable: "crowded"}
	s.showFailure(w, r, web.FailureOf(status, kinds))
}

// showFailure writes an error page, or when even that fails a line of text.
func (s *Site) showFailure(w http.ResponseWriter, r *http.Request, f web.Failure) {
	data := errorPage{page: s.page(r, account.Signed{}), Kind: f.Kind, Wait: f.Announce(w), Facts: s.facts(r, "")}
	data.Path = "" // a POST's address does not answer the GET of a change of language
	if err := s.show(w, r, f.Status, "error", data); err != nil {
		s.Log.ErrorContext(r.Context(), "error page failed", "event", "http", "ref", web.Reference(r.Context()), "error", err)
		http.Error(w, http.StatusText(f.Status), f.Status)
	}
}
