package web_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"postern/pickup/web"
)

const token = "1000g40r40m30e209185gr38e1w8124gk9d90"

// site is a small site behind the middleware.
type site struct {
	handler http.Handler
	log     bytes.Buffer
	reached int
}

func newSite(t *testing.T, change ...func(*web.Config)) *site {
	t.Helper()
	s := &site{}
	u, err := url.Parse("https://secure-mail.example.org")
	if err != nil {
		t.Fatal(err)
	}
	cfg := web.Config{URL: u, Aliases: []string{"old.example.org", "older.example.org:8443"}, LangCookie: "lang", Catalogue: catalogue(t),
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")},
		Log:            slog.New(slog.NewTextHandler(&s.log, nil)), Now: time.Now,
		Fail: func(w http.ResponseWriter, r *http.Request, status int) {
			w.WriteHeader(status)
			io.WriteString(w, "failed, reference "+web.Reference(r.Context()))
		}}
	for _, f := range change {
		f(&cfg)
	}
	stack, err := web.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s.handler = stack.Wrap(s.routes())
	return s
}

func (s *site) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/p/{token}", func(w http.ResponseWriter, r *http.Request) {
		s.reached++
		web.Note(r.Context(), "link", web.Short("44a4e4fcf90004635b2aa49c03fc939c"))
		io.WriteString(w, web.Lang(r.Context())+" "+web.ClientIP(r.Context()).String())
	})
	mux.HandleFunc("POST /read", func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		if err != nil {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
		}
		if n > web.DefaultBody {
			panic("read more than the limit")
		}
	})
	mux.Handle("POST /large", web.Limit(1<<20, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
		}
	})))
	mux.HandleFunc("/panic/{token}", func(http.ResponseWriter, *http.Request) { panic("secret " + token) })
	mux.HandleFunc("/late/{token}", func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "half")
		panic("late")
	})
	return mux
}

func (s *site) do(r *http.Request) *http.Response {
	rec := httptest.NewRecorder()
	s.handler.ServeHTTP(rec, r)
	return rec.Result()
}

func request(method, target string, body io.Reader) *http.Request {
	return httptest.NewRequest(method, "https://secure-mail.example.org"+target, body)
}

func TestHeadersOfEveryAnswer(t *testing.T) {
	t.Parallel()
	want := map[string]string{
		"Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; connect-src 'none'; " +
			"frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
		"Referrer-Policy":              "strict-origin",
		"X-Content-Type-Options":       "nosniff",
		"X-Frame-Options":              "SAMEORIGIN",
		"Cache-Control":                "no-store",
		"Cross-Origin-Opener-Policy":   "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin",
		"X-Robots-Tag":                 "noindex, nofollow",
		"Permissions-Policy":           "camera=(), microphone=(), geolocation=(), payment=(), usb=(), browsing-topics=()",
		"Strict-Transport-Security":    "max-age=31536000",
	}
	s := newSite(t)
	for _, target := range []string{"/p/" + token, "/none", "/panic/x"} {
		got := s.do(request("GET", target, nil)).Header
		for name, value := range want {
			if got.Get(name) != value {
				t.Errorf("%s: %s is %q, want %q", target, name, got.Get(name), value)
			}
		}
	}
	plain := newSite(t, func(c *web.Config) { c.URL = &url.URL{Scheme: "http", Host: "127.0.0.1:8080"} })
	if got := plain.do(request("GET", "/p/x", nil)).Header.Get("Strict-Transport-Security"); got != "" {
		t.Errorf("http site sends HSTS %q", got)
	}
}

func TestK15LogNamesThePatternAndNeverTheToken(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.do(request("GET", "/p/"+token+"?q="+token, nil))
	s.do(request("GET", "/none/"+token, nil))
	s.do(request("GET", "/panic/"+token, nil))
	s.do(request(token, "/p/"+token, nil))
	log := s.log.String()
	if strings.Contains(log, token) || strings.Contains(log, token[:12]) {
		t.Errorf("the log holds the token:\n%s", log)
	}
	for _, want := range []string{"route=/p/{token} status=200", "link=44a4e4fc\n", "route=- status=404", "route=/panic/{token} status=500", "method=other"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %q:\n%s", want, log)
		}
	}
}

func TestPanicAnswersWithReferenceOfTheLog(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	resp := s.do(request("GET", "/panic/x", nil))
	body, _ := io.ReadAll(resp.Body)
	ref := regexp.MustCompile(`[A-Z2-7]{4}-[A-Z2-7]{4}`).FindString(string(body))
	if resp.StatusCode != http.StatusInternalServerError || ref == "" {
		t.Fatalf("panic answers %d %q", resp.StatusCode, body)
	}
	if n := strings.Count(s.log.String(), "ref="+ref); n != 2 {
		t.Errorf("the reference is in %d log lines, want the panic and the request:\n%s", n, s.log.String())
	}
}

func TestPanicAfterTheFirstOctetsCutsTheConnection(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	defer func() {
		if cause := recover(); cause != http.ErrAbortHandler {
			t.Errorf("half an answer ends with %v, want http.ErrAbortHandler", cause)
		}
		if !strings.Contains(s.log.String(), "event=panic") {
			t.Error("the panic is not logged")
		}
	}()
	s.do(request("GET", "/late/x", nil))
}

func TestC05OldHostsLeadToTheSamePath(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, test := range []struct{ name, method, host, target, want string }{
		{"link", "GET", "old.example.org", "/p/" + token, "https://secure-mail.example.org/p/" + token},
		{"form", "POST", "old.example.org", "/p/" + token, "https://secure-mail.example.org/p/" + token},
		{"upper case, port and dot", "GET", "OLD.example.org.:443", "/help?q=a%20b", "https://secure-mail.example.org/help?q=a%20b"},
		{"alias with a port", "GET", "older.example.org", "/", "https://secure-mail.example.org/"},
		{"escaped", "GET", "old.example.org", "/a%2Fb%0d%0a", "https://secure-mail.example.org/a%2Fb%0D%0A"},
		{"not to another host", "GET", "old.example.org", "//evil.example/x", "https://secure-mail.example.org/evil.example/x"},
	} {
		r := httptest.NewRequest(test.method, "https://"+test.host+"/", nil)
		r.URL, _ = url.ParseRequestURI(test.target)
		r.Host = test.host
		resp := s.do(r)
		if got := resp.Header.Get("Location"); resp.StatusCode != http.StatusPermanentRedirect || !strings.EqualFold(got, test.want) {
			t.Errorf("%s: %d %q, want 308 %q", test.name, resp.StatusCode, got, test.want)
		}
	}
	for _, host := range []string{"secure-mail.example.org", "127.0.0.1:8080", "evil.example"} {
		r := request("GET", "/p/x", nil)
		r.Host = host
		if resp := s.do(r); resp.StatusCode != http.StatusOK || resp.Header.Get("Location") != "" {
			t.Errorf("host %s: %d %q", host, resp.StatusCode, resp.Header.Get("Location"))
		}
	}
}

func TestChangesFromOtherSitesAreRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, method string
		header       map[string]string
		status       int
	}{
		{"own form", "POST", map[string]string{"Sec-Fetch-Site": "same-origin"}, 200},
		{"typed", "POST", map[string]string{"Sec-Fetch-Site": "none"}, 200},
		{"other site", "POST", map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
		{"other host of the domain", "POST", map[string]string{"Sec-Fetch-Site": "same-site"}, 403},
		{"old browser, own form", "POST", map[string]string{"Origin": "https://secure-mail.example.org"}, 200},
		{"old browser, other site", "POST", map[string]string{"Origin": "https://evil.example"}, 403},
		{"old browser, opaque", "POST", map[string]string{"Origin": "null"}, 403},
		{"no browser", "POST", nil, 200},
		{"link from another site", "GET", map[string]string{"Sec-Fetch-Site": "cross-site"}, 200},
	} {
		s := newSite(t)
		r := request(test.method, "/p/x", nil)
		for name, value := range test.header {
			r.Header.Set(name, value)
		}
		resp := s.do(r)
		if resp.StatusCode != test.status || (test.status == 200) != (s.reached == 1) {
			t.Errorf("%s: %d, reached %d times, want %d", test.name, resp.StatusCode, s.reached, test.status)
		}
	}
}

func TestOwnFormPassesAProxyThatChangesTheHost(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest("POST", "http://127.0.0.1:8080/p/x", nil)
	r.Header.Set("Origin", "https://secure-mail.example.org")
	if resp := newSite(t).do(r); resp.StatusCode != http.StatusOK {
		t.Errorf("own form answers %d", resp.StatusCode)
	}
}

func TestBodiesAreBounded(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		target string
		size   int
		status int
	}{
		{"/read", web.DefaultBody, 200}, {"/read", web.DefaultBody + 1, 413}, {"/large", 1 << 20, 200}, {"/large", 1<<20 + 1, 413},
	} {
		resp := newSite(t).do(request("POST", test.target, bytes.NewReader(make([]byte, test.size))))
		if resp.StatusCode != test.status {
			t.Errorf("%s with %d octets: %d, want %d", test.target, test.size, resp.StatusCode, test.status)
		}
	}
}

func TestClientIsFoundBehindTrustedProxiesOnly(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, peer string
		forwarded  []string
		want       string
	}{
		{"direct", "192.0.2.7:5000", nil, "192.0.2.7"},
		{"direct client lies", "192.0.2.7:5000", []string{"198.51.100.1"}, "192.0.2.7"},
		{"behind a proxy", "10.1.2.3:5000", []string{"198.51.100.1"}, "198.51.100.1"},
		{"client wrote the first entry", "10.1.2.3:5000", []string{"127.0.0.1, 198.51.100.1"}, "198.51.100.1"},
		{"two proxies", "10.1.2.3:5000", []string{"198.51.100.1, 10.9.9.9"}, "198.51.100.1"},
		{"two fields", "10.1.2.3:5000", []string{"198.51.100.1", "10.9.9.9"}, "198.51.100.1"},
		{"with port", "10.1.2.3:5000", []string{"198.51.100.1:4711"}, "198.51.100.1"},
		{"IPv6", "[fd00::1]:5000", []string{"[2001:db8::7]:80"}, "2001:db8::7"},
		{"IPv6 without brackets", "[fd00::1]:5000", []string{"2001:db8::7"}, "2001:db8::7"},
		{"mapped", "[::ffff:10.1.2.3]:5000", []string{"::ffff:198.51.100.1"}, "198.51.100.1"},
		{"zone is dropped", "10.1.2.3:5000", []string{"fe80::1%eth0"}, "fe80::1"},
		{"rubbish", "10.1.2.3:5000", []string{"unknown"}, "10.1.2.3"},
		{"only proxies", "10.1.2.3:5000", []string{"10.2.2.2, 10.3.3.3"}, "10.2.2.2"},
	} {
		r := request("GET", "/p/x", nil)
		r.RemoteAddr = test.peer
		r.Header["X-Forwarded-For"] = test.forwarded
		body, _ := io.ReadAll(newSite(t).do(r).Body)
		if got := strings.TrimPrefix(string(body), "en "); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}

func TestLanguageComesFromCookieThenBrowser(t *testing.T) {
	t.Parallel()
	r := request("GET", "/p/x", nil)
	r.Header.Set("Accept-Language", "de")
	body, _ := io.ReadAll(newSite(t).do(r).Body)
	if !strings.HasPrefix(string(body), "de ") {
		t.Errorf("browser's language: %q", body)
	}
	r.AddCookie(&http.Cookie{Name: "lang", Value: "ar"})
	body, _ = io.ReadAll(newSite(t).do(r).Body)
	if !strings.HasPrefix(string(body), "ar ") {
		t.Errorf("chosen language: %q", body)
	}
}

func TestSiteNeedsAnAbsoluteAddress(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"", "/p", "ftp://example.org", "mailto:a@b"} {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := web.New(web.Config{URL: u}); err == nil {
			t.Errorf("%q is accepted", address)
		}
	}
}

func FuzzClientIP(f *testing.F) {
	f.Add("10.1.2.3:5000", "198.51.100.1, 10.9.9.9")
	f.Add("[fd00::1]:80", "[2001:db8::7]:80,,")
	f.Fuzz(func(t *testing.T, peer, forwarded string) {
		s := newSite(t)
		r := request("GET", "/p/x", nil)
		r.RemoteAddr = peer
		r.Header["X-Forwarded-For"] = []string{forwarded}
		if resp := s.do(r); resp.StatusCode != http.StatusOK {
			t.Errorf("answers %d", resp.StatusCode)
		}
	})
}
