package pickup

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"postern/pickup/account"
	"postern/pickup/web"
	"postern/store"
)

//go:embed templates/*.html
var templates embed.FS

// Support is the help desk as pages name it.
type Support = web.Support

// Organization is whose site it is, in the words of the configuration.
type Organization struct {
	Name, Short string // Short: such as "the council", for pages in the catalogue's fallback language; empty: Name
	Postal      string
	Sender      string // address that notifications come from; may be empty
	Support     Support
}

// Limits of a reply.
type Limits struct {
	Files int   // attachments
	Bytes int64 // of all attachments together, decoded
	Text  int64 // octets of the text
}

// Config is what the site needs. URL is pickup.url.
type Config struct {
	URL            *url.URL
	Aliases        []string
	TrustedProxies []netip.Prefix
	Organization   Organization
	Zone           *time.Location
	ExpireAfter    time.Duration
	Recovery       account.Recovery         // what the form of a forgotten password is; empty: account.RecoverActivate
	FirstAccess    store.Access             // empty: store.AccessPassword
	KeepLoggedIn   bool                     // B11: false: no box, and a posted value counts for nothing
	Internal       func(domain string) bool // is it the organisation's: only there replies go; nil: every one
	Limits         Limits
	// Takes is how many octets of files the mail server takes in a reply at present, in all, by what it named last (MAIL
	// 8.3); 0: not known. nil: never known.
	Takes     func() int64
	Accounts  Accounts
	Messages  Messages
	Catalogue *web.Catalogue
	// Console reports whether a cookie value is a live session of the console, whose owner gets 403 instead of a sign-in
	// page at messages (A7, KEYS K10). nil: its presence is enough.
	Console func(ctx context.Context, cookie string) bool
	Now     func() time.Time
	Log     *slog.Logger
}

// keptFor is how long a kept log-in lasts at most (KEYS K10).
const keptFor = 30 * 24 * time.Hour

// Site is the recipients' site.
type Site struct {
	Config
	words    words
	common   string // hashes for the script of the registration page
	pages    *web.Pages
	assets   *web.Assets
	cookies  web.Cookies
	console  web.Cookies
	browsers *web.Browsers
	gate     *gate // of pages with pictures
	uploads  *gate
	stack    *web.Stack
}

// New makes the site: it parses every page in every language, so that a mistake shows at start.
func New(cfg Config) (*Site, error) {
	https := cfg.URL != nil && cfg.URL.Scheme == "https"
	s := &Site{Config: cfg, browsers: web.NewBrowsers(), gate: newGate(pagesAtOnce, pagesOfPerson),
		uploads: newGate(uploadsAtOnce, uploadsOfPerson),
		cookies: web.Cookies{HTTPS: https, Name: "postern"}, console: web.Cookies{HTTPS: https, Name: "postern-console"}}
	s.defaults()
	var err error
	s.stack, err = web.New(web.Config{URL: cfg.URL, Aliases: cfg.Aliases, TrustedProxies: cfg.TrustedProxies,
		LangCookie: s.cookies.Lang(), Catalogue: cfg.Catalogue, Log: cfg.Log, Now: cfg.Now, Fail: s.fail})
	if err != nil {
		return nil, err
	}
	s.words, s.common = newWords(s.Config), web.CommonHashes(account.MinPassword)
	if s.assets, err = web.NewAssets(); err != nil {
		return nil, err
	}
	files, err := fs.Sub(templates, "templates")
	if err != nil {
		return nil, fmt.Errorf("templates: %w", err)
	}
	s.pages, err = web.NewPages(web.PagesConfig{Files: files, Catalogue: cfg.Catalogue, Assets: s.assets, Zone: cfg.Zone})
	return s, err
}

// defaults puts in what the configuration left open.
func (s *Site) defaults() {
	const files, octets, text = 10, 25 << 20, 256 << 10
	if s.Recovery == "" {
		s.Recovery = account.RecoverActivate
	}
	if s.Internal == nil {
		s.Internal = func(string) bool { return true }
	}
	if s.Limits.Files <= 0 {
		s.Limits.Files = files
	}
	if s.Limits.Bytes <= 0 {
		s.Limits.Bytes = octets
	}
	if s.Limits.Text <= 0 {
		s.Limits.Text = text
	}
}

// limits of a reply that is written now.
func (s *Site) limits() Limits {
	l := s.Limits
	if s.Takes == nil {
		return l
	}
	if n := s.Takes(); n > 0 {
		l.Bytes = min(l.Bytes, n)
	}
	return l
}

// Handler is the whole site.
func (s *Site) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /static/{file}", s.assets.ServeFile(s.notFound))

	mux.Handle("GET /p/{$}", s.handle(s.pastePage))
	mux.Handle("POST /p/{$}", s.handle(s.paste))
	mux.Handle("GET /p/{token}", s.handle(s.cover))
	mux.Handle("POST /p/{token}", s.handle(s.follow))
	mux.Handle("GET /p/{token}/not-for-me", s.handle(s.notForMePage))
	mux.Handle("POST /p/{token}/not-for-me", s.handle(s.notForMe))
	mux.Handle("GET /w/{token}", s.handle(s.welcomePage))
	mux.Handle("POST /w/{token}", s.handle(s.welcome))
	mux.Handle("GET /n/{token}", s.handle(s.invitationPage))
	mux.Handle("POST /n/{token}", s.handle(s.accept))
	mux.Handle("GET /a/{token}", s.handle(s.aliasPage))
	mux.Handle("POST /a/{token}", s.handle(s.answerAlias))
	mux.Handle("GET /v/{token}", s.handle(s.activatePage))
	mux.Handle("POST /v/{token}", s.handle(s.activate))
	mux.Handle("GET /r/{token}", s.handle(s.resetPage))
	mux.Handle("POST /r/{token}", s.handle(s.reset))

	mux.Handle("GET /sign-in", s.handle(s.signInPage))
	mux.Handle("POST /sign-in", s.handle(s.signIn))
	mux.Handle("POST /sign-out", s.handle(s.signOut))
	mux.Handle("GET /reminder", s.handle(s.reminderForm))
	mux.Handle("POST /reminder", s.handle(s.remind))
	mux.Handle("GET /change-password", s.handle(s.forgottenForm))
	mux.Handle("POST /change-password", s.handle(s.forgotten))
	mux.Handle("GET "+mustChoosePath, s.handle(s.mustChoose))
	mux.Handle("POST "+mustChoosePath, s.handle(s.choose))
	mux.Handle("POST /language", s.handle(s.language))
	mux.Handle("GET /cookies", s.handle(s.cookiesPage))
	mux.Handle("GET /help", s.handle(s.help))

	mux.Handle("GET /{$}", s.handle(s.home))
	mux.Handle("GET /sent", s.signed(s.sent))
	mux.Handle("GET /sent/{id}", s.reading(s.sentMessage))
	mux.Handle("GET /sent/{id}/print", s.reading(s.sentPrint))
	mux.Handle("GET /sent/{id}/part/{path}", s.reading(s.sentPart))
	mux.Handle("GET /sent/{id}/message.eml", s.reading(s.sentRaw))
	mux.Handle("GET /settings", s.signed(s.settings))
	mux.Handle("POST /settings", s.signed(s.set))
	mux.Handle("GET /settings/password", s.signed(s.passwordPage))
	mux.Handle("POST /settings/password", s.signed(s.changePassword))
	mux.Handle("GET /settings/reminder", s.signed(s.reminderPage))
	mux.Handle("POST /settings/reminder", s.signed(s.changeReminder))
	mux.Handle("GET /settings/address", s.signed(s.addressPage))
	mux.Handle("POST /settings/address", s.signed(s.changeAddress))
	mux.Handle("GET /settings/earlier", s.signed(s.earlierPage))
	mux.Handle("POST /settings/earlier", s.signed(s.useEarlier))
	mux.Handle("GET /settings/record", s.signed(s.record))
	mux.Handle("GET /m/{id}", s.reading(s.message))
	mux.Handle("GET /m/{id}/text", s.reading(s.messageText))
	mux.Handle("GET /m/{id}/html", s.handle(s.messageHTML))
	mux.Handle("GET /m/{id}/print", s.reading(s.messagePrint))
	mux.Handle("GET /m/{id}/part/{path}", s.reading(s.messagePart))
	mux.Handle("GET /m/{id}/message.eml", s.reading(s.messageRaw))
	mux.Handle("POST /m/{id}/open", s.reading(s.open))
	mux.Handle("GET /m/{id}/reply", s.reading(s.replyPage))
	mux.Handle("POST /m/{id}/reply", web.Limit(s.uploadLimit(), s.handle(s.reply)))

	return s.stack.Wrap(web.Otherwise(mux, s.fail))
}

func (s *Site) notFound(w http.ResponseWriter, r *http.Request) { s.fail(w, r, http.StatusNotFound) }

// words are the installation's own, as templates use them.
type words struct {
	Organization
	Scheme      string // what stands before the host in the site's address: "https://"
	Host        string // host of the site's address
	Origin      string // its address without a path
	Root        string // with the slash at its end
	Days        int    // that messages stay
	Keep        bool
	KeptDays    int
	Recovery    account.Recovery
	FirstAccess store.Access
}

// FirstPasswords reports whether people without account sign in with a mailed password and change it.
func (w words) FirstPasswords() bool { return w.FirstAccess == store.AccessTemporary }

// ByCode reports whether people without account read with mailed codes.
func (w words) ByCode() bool { return w.FirstAccess == store.AccessCode }

func newWords(cfg Config) words {
	const day = 24 * time.Hour
	w := words{Organization: cfg.Organization, Scheme: cfg.URL.Scheme + "://", Host: cfg.URL.Host, Origin: web.Origin(cfg.URL), Days: int(cfg.ExpireAfter / day),
		Keep: cfg.KeepLoggedIn, KeptDays: int(keptFor / day), Recovery: cfg.Recovery,
		FirstAccess: cfg.FirstAccess}
	w.Root = w.Origin + "/"
	w.Support.URL = web.SafeURL(w.Support.URL)
	if strings.TrimSpace(w.Short) == "" {
		w.Short = w.Name
	}
	return w
}

// in is w for a page in lang. The short name is a phrase of the organisation's own language, such as "the council": in
// any other, the name stands in its place.
func (w words) in(lang, own string) words {
	if lang != own {
		w.Short = w.Name
	}
	return w
}
