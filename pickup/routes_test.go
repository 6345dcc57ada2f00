package pickup_test

import (
	"crypto/sha256"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"postern/pickup/web"
	"postern/store/seal"
)

// route is an address of the site and how it answers a GET, signed in and not.
type route struct {
	path           string
	guest, account int
	policy         web.CSP // nil: that of pages
}

// routes are all addresses that answer GET, with everything that they may lead to.
func (w *world) routes(t *testing.T) (v *visitor, list []route) {
	t.Helper()
	v, first, key := w.account(joan)
	w.confirm(joan)
	if a := v.upload("/m/"+key.String()+"/reply", field{"text", "", "Thank you."}); a.status != http.StatusSeeOther {
		t.Fatalf("reply: %d", a.status)
	}
	sent := strings.TrimSuffix(v.get("/sent").find(t, `href="(/sent/[0-9a-z]+)"`), "/")
	attached, attachedKey := w.plant(joan, carePlan(t))
	v.post(linkOf(attached))
	_, unopened := w.plant(joan, letter{subject: "Unopened", text: "x"})
	fresh, _ := w.plant(peter, letter{subject: "For Peter", text: "x"})
	w.visitor().askChange(joan.String(), newPassword)
	m, a := "/m/"+key.String(), "/m/"+attachedKey.String()
	alias, used := v.ask(family), v.ask(choir)
	if a := v.post(used, "do", "add"); a.status != http.StatusSeeOther {
		t.Fatalf("alias: %d", a.status)
	}
	seeOther, ok, no, bad := http.StatusSeeOther, http.StatusOK, http.StatusForbidden, http.StatusBadRequest
	return v, []route{
		{"/", seeOther, ok, nil}, {"/?q=care", seeOther, ok, nil}, {"/?after=zzz", seeOther, ok, nil},
		{"/sign-in", ok, seeOther, nil}, {"/cookies", ok, ok, nil}, {"/help", ok, ok, nil}, {"/help?print=1", ok, ok, nil}, {"/help?q=key", ok, ok, nil},
		{"/p/", ok, ok, nil}, {"/p/1000", bad, bad, nil}, {linkOf(first), ok, ok, nil}, {linkOf(first) + "?step=sign-in", ok, ok, nil},
		{linkOf(fresh), ok, no, nil}, {linkOf(fresh) + "?step=register", ok, no, nil}, {linkOf(fresh) + "/not-for-me", ok, no, nil},
		{"/w/" + w.welcomeToken(), ok, ok, nil}, {"/n/" + w.invite("carla@example.org"), ok, ok, nil},
		{"/reminder", ok, ok, nil}, {"/change-password", ok, ok, nil}, {"/new-password", seeOther, seeOther, nil}, {"/settings/earlier", seeOther, ok, nil},
		{"/v/" + w.mailed(activation), ok, ok, nil}, {"/r/" + seal.NewSecret().Token(seal.TokenReset), http.StatusNotFound, http.StatusNotFound, nil},
		{"/v/x", bad, bad, nil}, {"/r/x", bad, bad, nil},
		{m, seeOther, ok, nil}, {m + "/text", seeOther, ok, nil}, {m + "/html", no, http.StatusNotFound, web.MailPolicy()},
		{m + "/print", seeOther, ok, web.PrintPolicy()}, {m + "/message.eml", seeOther, ok, web.FilePolicy()}, {m + "/reply", seeOther, ok, nil},
		{a + "/html", no, ok, web.MailPolicy()}, {a + "/print", seeOther, ok, web.PrintPolicy()}, {a + "/part/2", seeOther, ok, web.FilePolicy()},
		{a + "/part/77", seeOther, http.StatusNotFound, nil},
		{"/m/" + unopened.String(), seeOther, ok, nil}, {"/m/" + unopened.String() + "/html", no, no, web.MailPolicy()},
		{"/sent", seeOther, ok, nil}, {sent, seeOther, ok, nil}, {sent + "/print", seeOther, ok, web.PrintPolicy()},
		{sent + "/message.eml", seeOther, ok, web.FilePolicy()}, {sent + "/part/1", seeOther, ok, web.FilePolicy()},
		{"/settings", seeOther, ok, nil}, {"/settings?done=password", seeOther, ok, nil}, {"/settings/password", seeOther, ok, nil},
		{alias, ok, ok, nil}, {alias + "?step=sign-in", ok, ok, nil}, {used, http.StatusGone, http.StatusGone, nil}, {"/a/1000", bad, bad, nil},
		{"/settings/address", seeOther, ok, nil}, {"/settings/reminder", seeOther, ok, nil}, {"/settings/record", seeOther, ok, nil}, {"/settings/record?after=%21", seeOther, http.StatusNotFound, nil},
		{"/no/such/page", http.StatusNotFound, http.StatusNotFound, nil}, {"/m/x", seeOther, http.StatusNotFound, nil},
	}
}

// find is the first group of an expression on a page.
func (a answer) find(t *testing.T, expression string) string {
	t.Helper()
	m := mustFind(expression).FindStringSubmatch(a.body)
	if m == nil {
		t.Fatalf("no %s on the page:\n%s", expression, a.body)
	}
	return m[1]
}

func TestHeadersOfEveryRoute(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, list := w.routes(t)
	guest := w.visitor()
	for _, r := range list {
		for name, test := range map[string]struct {
			answer answer
			status int
		}{"guest": {guest.get(r.path), r.guest}, "account": {v.get(r.path), r.account}} {
			a, h := test.answer, test.answer.header
			if a.status != test.status {
				t.Errorf("%s as %s: %d, want %d", r.path, name, a.status, test.status)
			}
			want := web.PagePolicy()
			if r.policy != nil && (a.status == http.StatusOK || strings.HasSuffix(r.path, "/html") && a.status == http.StatusForbidden) {
				want = r.policy
			}
			if got := h.Get("Content-Security-Policy"); got != want.String() {
				t.Errorf("%s as %s: policy %q, want %q", r.path, name, got, want)
			}
			for header, value := range map[string]string{"Cache-Control": "no-store", "Referrer-Policy": "strict-origin", "X-Content-Type-Options": "nosniff",
				"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin"} {
				if h.Get(header) != value {
					t.Errorf("%s as %s: %s is %q", r.path, name, header, h.Get(header))
				}
			}
			if page := strings.HasPrefix(h.Get("Content-Type"), "text/html; charset=utf-8"); a.status != http.StatusSeeOther && !page && !strings.HasPrefix(h.Get("Content-Disposition"), "attachment;") {
				t.Errorf("%s as %s is neither a page nor a file: %v", r.path, name, h)
			}
		}
	}
}

// TestI4GetAndHeadChangeNothing fetches every address as a scanner would, signed in and not, and compares every octet
// of the store. Fetches and last uses are counted beside the requests, by a recorder that does not run here.
func TestI4GetAndHeadChangeNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, list := w.routes(t)
	before := w.fingerprint()
	for _, visitor := range []*visitor{v, w.visitor()} {
		for _, r := range list {
			for _, method := range []string{"GET", "HEAD"} {
				a := visitor.do(visitor.request(method, r.path, nil))
				if method == "HEAD" && a.body != "" {
					t.Errorf("HEAD %s has a body", r.path)
				}
				if now := w.fingerprint(); now != before {
					t.Fatalf("%s %s changed the store", method, r.path)
				}
			}
		}
	}
	if a := v.get("/"); a.status != http.StatusOK {
		t.Errorf("afterwards the session answers %d", a.status)
	}
}

// fingerprint is a digest of all that is stored.
func (w *world) fingerprint() [32]byte {
	w.t.Helper()
	h := sha256.New()
	must(w.t, filepath.WalkDir(w.dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		h.Write([]byte(path))
		h.Write(content)
		return err
	}))
	return [32]byte(h.Sum(nil))
}

func TestEveryChangeIsAPost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, _, key := w.account(joan)
	for _, path := range []string{"/sign-out", "/language", "/m/" + key.String() + "/open"} {
		if a := v.get(path); a.status != http.StatusMethodNotAllowed || a.header.Get("Allow") != "POST" || !strings.Contains(a.body, "That does not work here") {
			t.Errorf("GET %s: %d, Allow %q", path, a.status, a.header.Get("Allow"))
		}
	}
	for _, method := range []string{"PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"} {
		if a := v.do(v.request(method, "/m/"+key.String(), nil)); a.status != http.StatusMethodNotAllowed {
			t.Errorf("%s: %d", method, a.status)
		}
	}
}

func TestPagesFromOtherSitesChangeNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, _, key := w.account(joan)
	alias := v.ask(family)
	before := w.fingerprint()
	for _, path := range []string{"/sign-out", "/m/" + key.String() + "/open", "/m/" + key.String() + "/reply", "/sign-in", "/settings", "/settings/password",
		"/settings/reminder", "/settings/address", alias} {
		r := v.request("POST", path, strings.NewReader("a=b"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		if a := v.do(r); a.status != http.StatusForbidden || !strings.Contains(a.body, "came from another site") {
			t.Errorf("%s from another site: %d", path, a.status)
		}
	}
	if w.fingerprint() != before {
		t.Error("the store has changed")
	}
}

func TestPagesHoldNothingInlineOrFromElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, list := w.routes(t)
	for _, r := range list {
		a := v.get(r.path)
		if r.policy != nil || !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") {
			continue
		}
		for _, banned := range []string{" style=", "<style", " onclick", " onload", " onsubmit", "javascript:", "<script>", `src="http`, `href="http://www`, "<no value>", "%!"} {
			if strings.Contains(a.body, banned) {
				t.Errorf("%s holds %q", r.path, banned)
			}
		}
		if strings.Count(a.body, "<h1") != 1 || !strings.Contains(a.body, `<main id="main"`) || !strings.Contains(a.body, `class="skip"`) {
			t.Errorf("%s lacks heading, main or skip link", r.path)
		}
	}
}

func TestC05OldHostNameLeadsHere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, aliased)
	secret, _ := w.plant(joan, letter{subject: "x", text: "x"})
	r := w.visitor().request("GET", linkOf(secret), nil)
	r.Host = "old-mail.example.org"
	if a := w.visitor().do(r); a.status != http.StatusPermanentRedirect || a.to() != w.server.URL+linkOf(secret) {
		t.Errorf("old host: %d to %q", a.status, a.to())
	}
}
