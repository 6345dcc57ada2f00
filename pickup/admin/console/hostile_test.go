package console_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"postern/cmd/testnet"
	"postern/pickup/admin"
	"postern/pickup/web"
)

// TestConsoleTakesHostileForms sends every form what no browser would: fields doubled, over-long, of control characters
// and wrong encodings, other kinds of body, replays. The answer is a clear page, and never our fault.
func TestConsoleTakesHostileForms(t *testing.T) {
	t.Parallel()
	w, c := newWorldWith(t)
	v := w.signedIn(dana, admin.RoleAdmin)
	long := strings.Repeat("x", 60<<10)
	names := []string{"email", "password", "password2", "code", "old", "to", "item", "reason", "until", "days", "status", "from", "list", "role", "group", "name"}
	bodies := map[string]string{"empty": "", "doubled": "", "long": "", "control": "", "latin": "", "nul": "", "many": strings.Repeat("a=b&", 9000), "half": "%", "huge": strings.Repeat("y", 100<<10)}
	for _, n := range names {
		bodies["doubled"] += n + "=1&" + n + "=2&"
		bodies["long"] += n + "=" + long[:len(long)/len(names)] + "&"
		bodies["control"] += n + "=%01%1b%0d%0a%7f%E2%80%AE&"
		bodies["latin"] += n + "=%e4%f6%fc&"
		bodies["nul"] += n + "=a%00b&"
	}
	for _, r := range c.Routes() {
		if r.Method != http.MethodPost || r.Path == "/sign-out" {
			continue
		}
		for kind, body := range bodies {
			for _, as := range []string{"application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain", ""} {
				if as != "application/x-www-form-urlencoded" && kind != "empty" && kind != "doubled" || r.Path == "/sign-in" && kind != "doubled" && kind != "latin" && kind != "huge" {
					continue // each try at the sign-in takes its half second
				}
				q := v.request("POST", w.fill(r.Path), strings.NewReader(body))
				if as != "" {
					q.Header.Set("Content-Type", as)
				}
				a := v.do(q)
				if a.status >= 500 && a.status != http.StatusServiceUnavailable || a.status == http.StatusOK && !strings.Contains(a.body, "<h1") || strings.Contains(a.body, "panic") {
					t.Errorf("POST %s, %s as %q: %d %s", r.Path, kind, as, a.status, w.bed.Log)
				}
			}
			w.advance(2 * time.Second)
		}
	}
}

// TestConsolePathsThatAreNone: ids that are none, and methods that no page takes.
func TestConsolePathsThatAreNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.signedIn(dana, admin.RoleAdmin)
	for _, path := range []string{"/none", "/messages/x", "/messages/" + strings.Repeat("0", 26), "/messages/%00", "/queue/0.0", "/queue/%ff", "/static/none.css", "/messages/../x",
		"/queue?after=x!", "/messages?after=x!", "/users?after=x!", "/groups?after=x!", "/audit?after=x!"} {
		if a := v.get(path); a.status != http.StatusNotFound {
			t.Errorf("GET %s: %d", path, a.status)
		}
	}
	for _, method := range []string{"PUT", "DELETE", "PATCH", "OPTIONS", "BREW"} {
		if a := v.send(method, "/queue", "same-origin"); a.status != http.StatusMethodNotAllowed || a.header.Get("Allow") == "" {
			t.Errorf("%s /queue: %d", method, a.status)
		}
	}
	for link, says := range map[string]string{"/n/1000g40r40": "The link is incomplete", "/n/" + strings.Repeat("z", 37): "The link is damaged",
		"/n/x%0d%0ay": "The link is incomplete"} {
		if a := v.get(link); a.status != http.StatusBadRequest || !a.says(says) {
			t.Errorf("%s: %d %s", link, a.status, plain(a.body))
		}
	}
	old := w.setUpLink(priya, admin.RoleHelpDesk)
	if _, err := w.admin.AdminReset(t.Context(), admin.Socket(), admin.Proof{}, priya.String()); err != nil {
		t.Fatal(err)
	}
	if a := v.get(old); a.status != http.StatusNotFound || !a.says("unknown or was replaced") {
		t.Errorf("a replaced link: %d", a.status)
	}
	late := w.setUpLink(audrey, admin.RoleAuditor)
	w.advance(25 * time.Hour)
	if a := v.get(late); a.status != http.StatusGone || !a.says("The link has expired") {
		t.Errorf("an expired link: %d", a.status)
	}
}

// TestCrowdedConsoleSaysSo: who comes when all connections are taken gets a page that says what to do.
func TestCrowdedConsoleSaysSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	res, body := testnet.Crowd(t, web.NewConns(web.Bounds{All: 1}).Guard(web.Server(w.server.Config.Handler)), "/sign-in")
	if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") != "10" || !strings.Contains(body, "Very many connections") || !strings.Contains(body, "in 10 seconds") {
		t.Errorf("%d, Retry-After %q:\n%s", res.StatusCode, res.Header.Get("Retry-After"), body)
	}
}
