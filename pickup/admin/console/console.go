package console

import (
	"embed"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"postern/pickup/admin"
	"postern/pickup/web"
)

//go:embed templates/*.html
var templates embed.FS

// Organization is whose console it is.
type Organization struct {
	Name    string
	Short   string
	Support web.Support
}

// Config is what the console needs. URL is admin.url.
type Config struct {
	URL            *url.URL
	TrustedProxies []netip.Prefix
	Organization   Organization
	Zone           *time.Location
	Admin          *admin.Service
	Now            func() time.Time
	Log            *slog.Logger
}

// Console is the administrators' site.
type Console struct {
	Config
	text     *web.Catalogue
	pages    *web.Pages
	assets   *web.Assets
	cookies  web.Cookies
	browsers *web.Browsers
	common   string // hashes for the script of the pages that choose a password
	stack    *web.Stack
}

// New makes the console: it parses every page in every language, so that a mistake shows at start.
func New(cfg Config) (*Console, error) {
	c := &Console{Config: cfg, text: web.OnlyEnglish(), browsers: web.NewBrowsers(), common: web.CommonHashes(admin.MinPassword), cookies: Cookies(cfg.URL)}
	if strings.TrimSpace(c.Organization.Short) == "" {
		c.Organization.Short = c.Organization.Name
	}
	if c.Zone == nil {
		c.Zone = time.UTC
	}
	var err error
	c.stack, err = web.New(web.Config{URL: cfg.URL, TrustedProxies: cfg.TrustedProxies, LangCookie: c.cookies.Lang(),
		Catalogue: c.text, Log: cfg.Log, Now: cfg.Now, Fail: c.fail})
	if err != nil {
		return nil, err
	}
	if c.assets, err = web.NewAssets(); err != nil {
		return nil, err
	}
	files, err := fs.Sub(templates, "templates")
	if err != nil {
		return nil, fmt.Errorf("templates: %w", err)
	}
	c.pages, err = web.NewPages(web.PagesConfig{Files: files, Catalogue: c.text, Assets: c.assets, Zone: c.Zone, Funcs: funcs()})
	return c, err
}

// Cookies are those of the console at an address (KEYS K10).
func Cookies(u *url.URL) web.Cookies {
	return web.Cookies{HTTPS: u != nil && u.Scheme == "https", Name: "postern-console"}
}

// Handler is the whole console.
func (c *Console) Handler() http.Handler {
	mux := http.NewServeMux()
	for _, r := range c.routes() {
		h := c.handle(c.guarded(r))
		if r.limit > 0 {
			h = web.Limit(r.limit, h).ServeHTTP
		}
		mux.Handle(r.pattern, h)
	}
	mux.Handle("GET /static/{file}", c.assets.ServeFile(c.notFound))
	for _, closed := range []string{"/m/", "/p/"} { // A7: no message is ever read here
		mux.Handle(closed, c.handle(func(http.ResponseWriter, *http.Request) error { return errMessage }))
	}
	return c.stack.Wrap(c.stack.OwnHost(web.Otherwise(mux, c.fail)))
}
