package console

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"

	"postern/pickup/admin"
	"postern/pickup/web"
	"postern/store"
)

// page is what the layout of every page needs. Each page's struct embeds it.
type page struct {
	Site    Organization
	Host    string
	Lang    web.Language
	Who     admin.Actor // zero: nobody is signed in
	Here    string      // entry of the navigation
	Waiting int64       // in the queue
	Wrong   bool        // something entered was refused: the title says so
	Done    string      // what the form before this page did; see "done" in _parts.html
	Now     time.Time
	Zone    string
}

// May reports whether who is signed in may call a method of package admin; buttons that would be refused are not shown.
func (p page) May(method string) bool { return admin.May(p.Who.Role, admin.Method(method)) }

// Signed reports whether somebody is signed in.
func (p page) Signed() bool { return p.Who.Role != "" }

func (c *Console) page(r *http.Request, who admin.Signed, here string) page {
	p := page{Site: c.Organization, Host: c.URL.Host, Lang: c.text.Language(web.Lang(r.Context())),
		Who: who.Actor, Here: here, Now: c.Now(), Zone: c.Zone.String()}
	p.Site.Support.URL = web.SafeURL(p.Site.Support.URL)
	if r.Method == http.MethodGet {
		p.Done = r.URL.Query().Get("done")
	}
	if p.May("QueueCount") {
		p.Waiting, _ = c.Admin.QueueCount(r.Context(), who.Actor) // the page is worth showing without it
	}
	return p
}

// say is a text for a field of a page struct.
func (c *Console) say(r *http.Request, id string, args ...any) string {
	return c.text.Text(web.Lang(r.Context()), id, args...)
}

func (c *Console) show(w http.ResponseWriter, r *http.Request, status int, name string, data any) error {
	return c.pages.Write(w, r, status, name, data)
}

// funcs are what templates of the console call beside those of package web.
func funcs() template.FuncMap {
	return template.FuncMap{"soft": soft, "short": short, "event": event, "family": family}
}

// soft is an address that may be broken before its @, in tables.
func soft(a string) template.HTML {
	local, domain, found := strings.Cut(a, "@")
	if !found {
		return template.HTML(`<bdi dir="ltr">` + template.HTMLEscapeString(a) + `</bdi>`)
	}
	return template.HTML(`<bdi dir="ltr">` + template.HTMLEscapeString(local) + `<wbr>@` + template.HTMLEscapeString(domain) + `</bdi>`)
}

// short is an id as people compare it: its end, for the beginning is the time.
func short(id string) string {
	const shown = 10
	id, n, item := strings.Cut(id, ".")
	if len(id) > shown {
		id = id[len(id)-shown:len(id)-shown/2] + "-" + id[len(id)-shown/2:]
	}
	if item {
		return id + "." + n
	}
	return id
}

// event is the name of an event for people: "account.signed-in" is "Account: signed in".
func event(what any) string {
	kind, rest, _ := strings.Cut(fmt.Sprint(what), ".")
	return family(kind) + ": " + strings.ReplaceAll(rest, "-", " ")
}

// family is a kind of events.
func family(kind string) string {
	kind = strings.TrimSuffix(kind, ".")
	if kind == "" {
		return ""
	}
	return strings.ToUpper(kind[:1]) + kind[1:]
}

// Errors of this package, for failureOf.
var (
	errMissing = errors.New("no such page")
	errInvalid = errors.New("the form is not one of ours")
	errMessage = errors.New("a message's address was asked for")
)

// failureOf is the one mapping from errors to answers. What is not known is 500: the cause goes to the log only.
func failureOf(err error) web.Failure {
	busy, large := new(admin.BusyError), new(http.MaxBytesError)
	switch {
	case errors.As(err, &busy):
		return web.Failure{Status: http.StatusServiceUnavailable, Kind: "busy", Wait: max(busy.RetryAfter, time.Second)}
	case errors.As(err, &large):
		return web.Failure{Status: http.StatusRequestEntityTooLarge, Kind: "large"}
	case errors.Is(err, errMissing), errors.Is(err, store.ErrNotFound):
		return web.Failure{Status: http.StatusNotFound, Kind: "missing"}
	case errors.Is(err, errInvalid), errors.Is(err, web.ErrForm):
		return web.Failure{Status: http.StatusBadRequest, Kind: "invalid"}
	case errors.Is(err, errMessage):
		return web.Failure{Status: http.StatusForbidden, Kind: "message"}
	case sentence(err) != "": // typed, on a page that has no better place to say it
		return web.Failure{Status: http.StatusUnprocessableEntity, Kind: "input"}
	case errors.Is(err, admin.ErrForbidden):
		return web.Failure{Status: http.StatusForbidden, Kind: "role"}
	case errors.Is(err, store.ErrFull):
		return web.Failure{Status: http.StatusServiceUnavailable, Kind: "full", Wait: time.Minute}
	case errors.Is(err, admin.ErrMailWaits):
		return web.Failure{Status: http.StatusConflict, Kind: "waits"}
	case errors.Is(err, admin.ErrNoAuthor):
		return web.Failure{Status: http.StatusConflict, Kind: "author"}
	case errors.Is(err, store.ErrConflict):
		return web.Failure{Status: http.StatusConflict, Kind: "conflict"}
	case errors.Is(err, store.ErrUncertain), errors.Is(err, store.ErrClosed),
		errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return web.Failure{Status: http.StatusServiceUnavailable, Kind: "later", Wait: time.Minute}
	}
	return web.Failure{Status: http.StatusInternalServerError, Kind: "fault"}
}

// errorPage is error.html: a failure that no other page explains.
type errorPage struct {
	page
	Kind  string
	Wait  int    // seconds
	Said  string // what was wrong with something that was typed
	Facts web.Facts
}

func (c *Console) failWith(w http.ResponseWriter, r *http.Request, err error) {
	f := failureOf(err)
	if f.Status >= http.StatusInternalServerError && !errors.Is(err, context.Canceled) {
		c.Log.ErrorContext(r.Context(), "request failed", "event", "http", "listener", "console", "ref", web.Reference(r.Context()), "error", err)
	}
	c.showFailure(w, r, f, sentence(err))
}

// fail is the error page of a status, for the middleware and for paths without a route.
func (c *Console) fail(w http.ResponseWriter, r *http.Request, status int) {
	kinds := map[int]string{http.StatusForbidden: "cross", http.StatusNotFound: "missing", http.StatusMethodNotAllowed: "method",
		http.StatusRequestEntityTooLarge: "large", http.StatusMisdirectedRequest: "host",
		http.StatusServiceUnavailable: "crowded"}
	c.showFailure(w, r, web.FailureOf(status, kinds), "")
}

func (c *Console) notFound(w http.ResponseWriter, r *http.Request) { c.fail(w, r, http.StatusNotFound) }

// showFailure writes an error page, or when even that fails a line of text.
func (c *Console) showFailure(w http.ResponseWriter, r *http.Request, f web.Failure, said string) {
	data := errorPage{page: c.page(r, whoOf(r), ""), Kind: f.Kind, Wait: f.Announce(w), Said: said, Facts: c.facts(r, "")}
	if err := c.show(w, r, f.Status, "error", data); err != nil {
		c.Log.ErrorContext(r.Context(), "error page failed", "event", "http", "listener", "console", "ref", web.Reference(r.Context()), "error", err)
		http.Error(w, http.StatusText(f.Status), f.Status)
	}
}

// facts are those for the help desk. A path may hold a token or what a stranger made up, so only its route is named.
func (c *Console) facts(r *http.Request, email string) web.Facts {
	path := "/…"
	if r.Pattern != "" {
		_, path, _ = strings.Cut(r.Pattern, " ")
	}
	return web.Facts{At: web.Arrived(r.Context()), URL: web.Origin(c.URL) + path, Browser: c.browsers.Label(r.UserAgent()),
		Email: email, Reference: web.Reference(r.Context())}
}
