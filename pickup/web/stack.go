package web

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// DefaultBody is how many octets the body of a request may have unless its route says otherwise (Limit).
const DefaultBody = 64 << 10

// Config is what a Stack needs.
type Config struct {
	URL            *url.URL       // public address of the site: links and trusted origin come from here, never from Host
	Aliases        []string       // old host names; they answer 308 to the same path at URL (C5)
	TrustedProxies []netip.Prefix // whose X-Forwarded-For counts
	LangCookie     string         // name of the cookie with the chosen language
	Catalogue      *Catalogue
	Log            *slog.Logger
	Now            func() time.Time
	// Fail writes the site's error page. It must be able to run when nothing else works.
	Fail func(w http.ResponseWriter, r *http.Request, status int)
}

// Stack is the middleware of a site.
type Stack struct {
	cfg   Config
	cross *http.CrossOriginProtection
}

// New makes a Stack. The URL must be absolute, http or https.
func New(cfg Config) (*Stack, error) {
	if cfg.URL == nil || cfg.URL.Host == "" || cfg.URL.Scheme != "http" && cfg.URL.Scheme != "https" {
		return nil, fmt.Errorf("web: the site's address must be an absolute http or https URL, not %q", cfg.URL)
	}
	s := &Stack{cfg: cfg, cross: http.NewCrossOriginProtection()}
	// A proxy may pass another Host on than the browser saw; the browser's Origin is then still ours.
	if err := s.cross.AddTrustedOrigin(Origin(cfg.URL)); err != nil {
		return nil, fmt.Errorf("web: address of the site: %w", err)
	}
	s.cross.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		cfg.Fail(w, r, http.StatusForbidden)
	}))
	return s, nil
}

// Origin is scheme and authority of a URL.
func Origin(u *url.URL) string { return u.Scheme + "://" + u.Host }

// HTTPS reports whether the site is reached by https, by its public address.
func (s *Stack) HTTPS() bool { return s.cfg.URL.Scheme == "https" }

// Wrap puts the middleware around a site's routes. The routes must be an *http.ServeMux, or set r.Pattern themselves:
// the log line names the pattern.
func (s *Stack) Wrap(routes http.Handler) http.Handler {
	inner := s.cross.Handler(Limit(DefaultBody, routes))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f := s.begin(r)
		r = r.WithContext(context.WithValue(r.Context(), factsKey{}, f))
		rec := &recorder{ResponseWriter: w}
		defer s.end(rec, r, f)
		secure(w.Header(), s.HTTPS())
		if crowded(r) {
			rec.Header().Set("Connection", "close")
			s.cfg.Fail(rec, r, http.StatusServiceUnavailable)
			return
		}
		if s.moved(rec, r) {
			return
		}
		inner.ServeHTTP(rec, r)
	})
}

func (s *Stack) begin(r *http.Request) *facts {
	f := &facts{reference: newReference(), at: s.cfg.Now(), client: clientIP(r, s.cfg.TrustedProxies)}
	chosen := ""
	if c, err := r.Cookie(s.cfg.LangCookie); err == nil {
		chosen = c.Value
	}
	f.lang = s.cfg.Catalogue.Match(chosen, r.Header.Get("Accept-Language"))
	return f
}

// moved answers requests to an old host name (C5). 308 keeps method and body.
func (s *Stack) moved(w http.ResponseWriter, r *http.Request) bool {
	host := strings.ToLower(strings.TrimSuffix(hostOnly(r.Host), "."))
	if host == strings.ToLower(s.cfg.URL.Hostname()) || !slices.ContainsFunc(s.cfg.Aliases, func(a string) bool {
		return strings.EqualFold(hostOnly(a), host)
	}) {
		return false
	}
	path := r.URL.EscapedPath()
	if !strings.HasPrefix(path, "/") { // "OPTIONS *", CONNECT
		path = "/"
	}
	target := Origin(s.cfg.URL) + "/" + strings.TrimLeft(path, "/")
	if r.URL.RawQuery != "" {
		target += "?" + r.URL.RawQuery
	}
	w.Header().Set("Location", target)
	w.WriteHeader(http.StatusPermanentRedirect)
	return true
}

// OwnHost answers requests for another host name than the site's with 421, for a site that has no aliases: a page of a
// stranger's that has its name lead here must not reach it. Trusted proxies may pass on whatever name they are reached by.
func (s *Stack) OwnHost(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.EqualFold(hostOnly(r.Host), s.cfg.URL.Hostname()) && !isTrusted(peerIP(r.RemoteAddr), s.cfg.TrustedProxies) {
			s.cfg.Fail(w, r, http.StatusMisdirectedRequest)
			return
		}
		h.ServeHTTP(w, r)
	})
}

func hostOnly(hostport string) string {
	if u, err := url.Parse("//" + hostport); err == nil {
		return u.Hostname()
	}
	return hostport
}

// end logs the request and answers for a panic. It runs deferred, so recover works here.
func (s *Stack) end(rec *recorder, r *http.Request, f *facts) {
	if cause := recover(); cause != nil {
		if cause == http.ErrAbortHandler {
			panic(cause)
		}
		s.cfg.Log.ErrorContext(r.Context(), "panic in a request", "event", "panic", "ref", f.reference,
			"route", pattern(r), "cause", panicText(cause), "stack", string(debug.Stack()))
		if rec.status != 0 { // half an answer is out: cut the connection rather than end it as if it were whole
			s.log(rec, r, f)
			panic(http.ErrAbortHandler)
		}
		s.cfg.Fail(rec, r, http.StatusInternalServerError)
	}
	s.log(rec, r, f)
}

// panicText names the type only of what may hold request data.
func panicText(cause any) string {
	if err, ok := cause.(interface {
		error
		RuntimeError()
	}); ok {
		return err.Error()
	}
	return fmt.Sprintf("%T", cause)
}

func (s *Stack) log(rec *recorder, r *http.Request, f *facts) {
	attrs := append([]slog.Attr{
		slog.String("event", "http"), slog.String("ref", f.reference), slog.String("method", method(r.Method)),
		slog.String("route", pattern(r)), slog.Int("status", rec.code()), slog.Int64("size", rec.size),
		slog.Int64("took_ms", s.cfg.Now().Sub(f.at).Milliseconds()), slog.String("client_ip", f.client.String()),
	}, f.notes...)
	s.cfg.Log.LogAttrs(r.Context(), slog.LevelInfo, "request", attrs...)
}

// pattern is the route without its method. The path itself may hold a token and is never logged.
func pattern(r *http.Request) string {
	if r.Pattern == "" {
		return "-"
	}
	if _, path, ok := strings.Cut(r.Pattern, " "); ok {
		return path
	}
	return r.Pattern
}

// method bounds what a stranger can write into the log.
func method(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		http.MethodOptions, http.MethodConnect, http.MethodTrace:
		return m
	}
	return "other"
}

// Limit bounds the body of requests to a handler. A larger one answers 413 where the handler reads it.
func Limit(octets int64, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if l, ok := r.Body.(*limited); ok { // an outer Limit: this one replaces it
			r.Body = l.whole
		}
		r.Body = &limited{ReadCloser: http.MaxBytesReader(w, r.Body, octets), whole: r.Body}
		h.ServeHTTP(w, r)
	})
}

// limited remembers the body that it bounds, so that one route can have another limit than the rest.
type limited struct {
	io.ReadCloser
	whole io.ReadCloser
}
