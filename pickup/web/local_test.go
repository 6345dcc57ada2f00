package web_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"postern/pickup/web"
)

// TestLocalTargetLeadsNowhereElse: what a form says leads to a page of the site or nowhere, however it is written.
func TestLocalTargetLeadsNowhereElse(t *testing.T) {
	t.Parallel()
	for to, want := range map[string]string{
		"/users": "/users", "/users/": "/users", "/users/abc?x=1#y": "/users/abc", "/%75sers/a%20b": "/users/a%20b", "/x/../users": "/users",
		"": "", "/": "", "users": "", "/usersx": "", "/n/abc": "", "/users/../n/abc": "", "//users": "", "///users": "", "/users/..//evil.example": "",
		`/\evil.example/users`: "", "https://evil.example/users": "", "//evil.example/users": "", "javascript:/users": "",
		"/users\r\nSet-Cookie: x=y": "", "/users/\xff": "", "/users/%zz": "", "/users/" + strings.Repeat("x", 600): "",
	} {
		if got := web.LocalTarget(to, "/users", "/queue"); got != want {
			t.Errorf("%.40q leads to %q, want %q", to, got, want)
		}
	}
}

// TestOwnHostAnswersToOneName: another name gets 421, but behind a trusted proxy, which may pass on any.
func TestOwnHostAnswersToOneName(t *testing.T) {
	t.Parallel()
	u, err := url.Parse("https://console.example.org:8443")
	if err != nil {
		t.Fatal(err)
	}
	stack, err := web.New(web.Config{URL: u, TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, Catalogue: catalogue(t), Now: time.Now,
		Fail: func(w http.ResponseWriter, _ *http.Request, status int) { w.WriteHeader(status) }})
	if err != nil {
		t.Fatal(err)
	}
	h := stack.OwnHost(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	const own, other = http.StatusNoContent, http.StatusMisdirectedRequest
	for _, tt := range []struct {
		host, peer string
		want       int
	}{
		{"console.example.org", "192.0.2.1:5", own}, {"CONSOLE.example.org:1", "192.0.2.1:5", own}, {"evil.example", "192.0.2.1:5", other},
		{"console.example.org.evil.example", "192.0.2.1:5", other}, {"", "192.0.2.1:5", other}, {"a b", "192.0.2.1:5", other}, {"console.example.org:x", "192.0.2.1:5", other},
		{"127.0.0.1:8081", "10.1.2.3:5", own}, {"127.0.0.1:8081", "[::ffff:10.1.2.3]:5", own}, {"127.0.0.1:8081", "11.1.2.3:5", other}, {"127.0.0.1:8081", "@", other},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Host, r.RemoteAddr = tt.host, tt.peer
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != tt.want {
			t.Errorf("%q from %s: %d, want %d", tt.host, tt.peer, w.Code, tt.want)
		}
	}
}
