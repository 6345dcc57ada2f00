package pickup_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"postern/pickup/account"
)

// forged sends a form to the site under a name that is not the site's, as whoever can reach it may.
func (w *world) forged(path string, form url.Values) answer {
	r := httptest.NewRequest("POST", path, strings.NewReader(form.Encode()))
	r.Host = "evil.example"
	for _, name := range []string{"X-Forwarded-Host", "X-Host", "Forwarded", "X-Original-URL", "X-Rewrite-URL"} {
		r.Header.Set(name, "host=evil.example")
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	rec := httptest.NewRecorder()
	w.site.Handler().ServeHTTP(rec, r)
	body, _ := io.ReadAll(rec.Body)
	return answer{rec.Code, rec.Header(), string(body)}
}

// TestForgedHostIsInNoMailAndNoPage: the links of mails name the configured site, whatever name the request came under
// that caused them.
func TestForgedHostIsInNoMailAndNoPage(t *testing.T) {
	t.Parallel()
	w := way(t, account.RecoverLink)
	_, secret, _ := w.account(joan)
	before := len(w.ownMails())
	for path, form := range map[string]url.Values{
		"/change-password": {"email": {joan.String()}},
		"/reminder":        {"email": {joan.String()}},
		"/sign-in":         {"email": {joan.String()}, "password": {password}},
		linkOf(secret):     {"step": {"sign-in"}, "password": {password}},
		"/language":        {"lang": {"de"}, "to": {"/help"}},
	} {
		a := w.forged(path, form)
		if strings.Contains(a.body+a.to(), "evil.example") {
			t.Errorf("%s answers with the forged name: %d to %q", path, a.status, a.to())
		}
	}
	mails := w.ownMails()
	if len(mails) < before+2 {
		t.Fatalf("%d mails came, want a reminder and a reset link", len(mails)-before)
	}
	for _, m := range mails {
		if strings.Contains(m, "evil.example") {
			t.Errorf("a mail names the forged host:\n%s", m)
		}
	}
	if link := w.mailed(`(https?://[^\s]+)/r/[0-9a-z]{37}`); link != w.server.URL {
		t.Errorf("the reset link leads to %s, want %s", link, w.server.URL)
	}
}

// TestSessionOfBeforeIsNotSignedIn: who put a cookie into somebody's browser does not share the session that begins there
// (session fixation). Every way in makes a session of its own.
func TestSessionOfBeforeIsNotSignedIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account(joan)
	attacker, _, _ := w.account(peter)
	site, err := url.Parse(w.server.URL)
	must(t, err)
	planted := attacker.http.Jar.Cookies(site)
	victim := w.visitor()
	victim.http.Jar.SetCookies(site, planted)
	if a := victim.post("/sign-in", "email", joan.String(), "password", password); a.status != http.StatusSeeOther {
		t.Fatalf("sign-in: %d", a.status)
	}
	if a := victim.get("/settings"); !strings.Contains(a.body, joan.String()) {
		t.Errorf("after the sign-in the browser is not in as %s", joan)
	}
	if a := attacker.get("/settings"); strings.Contains(a.body, joan.String()) {
		t.Error("the planted session became that of the person who signed in")
	}
	for _, made := range victim.http.Jar.Cookies(site) {
		for _, old := range planted {
			if made.Name == old.Name && made.Value == old.Value && made.Name == "postern" {
				t.Errorf("the cookie %s stayed as it was planted", made.Name)
			}
		}
	}
	invented := w.visitor()
	invented.http.Jar.SetCookies(site, []*http.Cookie{{Name: planted[0].Name, Value: strings.Repeat("0", len(planted[0].Value)), Path: "/"}})
	secret, _ := w.plant(ruth, letter{subject: "x", text: "x"})
	invented.register(secret)
	for _, c := range invented.http.Jar.Cookies(site) {
		if strings.Trim(c.Value, "0") == "" {
			t.Errorf("the invented cookie %s was taken for the session", c.Name)
		}
	}
}
