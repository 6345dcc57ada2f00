package pickup_test

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"postern/pickup"
	"postern/store"
	"postern/store/seal"
)

const refusal = "Invalid username, password or permissions. Please check you are using the correct URL."

// account makes the account of an address and returns its browser and the link of its first message.
func (w *world) account(to store.Address) (*visitor, seal.LinkSecret, store.RcptKey) {
	w.t.Helper()
	secret, key := w.plant(to, letter{subject: "First", text: "The text of the first message."})
	v := w.visitor()
	v.register(secret)
	return v, secret, key
}

// variable is what may differ between two pages that must look alike.
var variable = regexp.MustCompile(`[A-Z2-7]{4}-[A-Z2-7]{4}|[a-z.]+@mail\.example`)

func TestC01I9EveryFailedSignInLooksLikeAnyOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account(joan)
	_, disabled, _ := w.account(peter)
	_ = disabled
	w.update(func(tx store.Tx) error {
		a, err := tx.Accounts().ByAddress(peter.Key())
		if err != nil {
			return err
		}
		a.Status = store.StatusDisabled
		return tx.Accounts().Set(a)
	})
	var first answer
	for i, test := range []struct{ name, email, password string }{
		{"wrong password", "joan.hartley@mail.example", "wrong"},
		{"unknown address", "nobody.at.all@mail.example", password},
		{"disabled account", "peter.osei@mail.example", password},
		{"empty password", "joan.hartley@mail.example", ""},
	} {
		a := w.visitor().post("/sign-in", "email", test.email, "password", test.password)
		if a.status != http.StatusForbidden || !strings.Contains(a.body, "<strong>"+refusal+"</strong>") {
			t.Errorf("%s: %d without the text of C1", test.name, a.status)
		}
		if a.header.Get("Set-Cookie") != "" {
			t.Errorf("%s sets a cookie", test.name)
		}
		a.body = variable.ReplaceAllString(a.body, "*")
		if i == 0 {
			first = a
		} else if a.body != first.body {
			t.Errorf("%s shows another page than a wrong password", test.name)
		}
	}
}

func TestC07ErrorPageShowsTheFactsForTheHelpDesk(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, secret, _ := w.account(joan)
	a := w.visitor().post(linkOf(secret), "step", "sign-in", "password", "wrong")
	a.body = strings.NewReplacer("<bdi>", "", "</bdi>", "").Replace(a.body)
	for _, want := range []string{"Time: Friday 12 June 2026, 19:04:31 BST", "URL: " + w.server.URL + "/p/…", "Browser: Firefox 151 on Windows",
		"Email: joan.hartley@mail.example", "01632 960 626", `href="/help#browsers"`} {
		if !strings.Contains(a.body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	ref := regexp.MustCompile(`Reference: ([A-Z2-7-]{9})`).FindStringSubmatch(a.body)
	if ref == nil || !strings.Contains(w.log.String(), "ref="+ref[1]) {
		t.Errorf("the reference %v is not in the log", ref)
	}
	facts, _, _ := strings.Cut(a.body[strings.Index(a.body, `id="facts-text"`):], "</pre>")
	if strings.Contains(facts, secret.Token(seal.TokenPickup)[:8]) {
		t.Error("the facts hold the token")
	}
}

func TestC02SignInWithTheAddressInAnyCase(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account(joan)
	v := w.visitor()
	a := v.follow(v.post("/sign-in", "email", "Joan.HARTLEY@Mail.Example", "password", password))
	if a.status != http.StatusOK || !strings.Contains(a.body, "You are signed in as") {
		t.Errorf("sign-in leads to %d", a.status)
	}
}

func TestA09MessageWithoutSessionLeadsToSignInAndBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, _, key := w.account(joan)
	v := w.visitor()
	for _, rest := range []string{"", "/text", "/print", "/message.eml", "/part/1", "/reply", "/open"} {
		var a answer
		if rest == "/open" {
			a = v.post("/m/" + key.String() + rest)
		} else {
			a = v.get("/m/" + key.String() + rest)
		}
		if want := "/sign-in?to=" + url.QueryEscape("/m/"+key.String()); a.status != http.StatusSeeOther || a.to() != want || strings.Contains(a.body, "first message") {
			t.Errorf("%s without session: %d to %q, want %q", rest, a.status, a.to(), want)
		}
	}
	if a := v.get("/m/" + key.String() + "/html"); a.status != http.StatusForbidden || strings.Contains(a.body, "first message") {
		t.Errorf("frame without session: %d", a.status)
	}
	page := v.follow(v.get("/m/" + key.String()))
	to := regexp.MustCompile(`name="to" value="([^"]+)"`).FindStringSubmatch(page.body)
	if to == nil {
		t.Fatalf("the sign-in page keeps no target:\n%s", page.body)
	}
	a := v.follow(v.post("/sign-in", "email", joan.String(), "password", password, "to", to[1]))
	if a.status != http.StatusOK || !strings.Contains(a.body, "The text of the first message.") {
		t.Errorf("after sign-in: %d", a.status)
	}
}

func TestC04AnotherAccountSeesTheRefusal(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	secret, key := w.plant(joan, letter{subject: "For Joan alone", text: "Joan's text"})
	other, _, _ := w.account(peter)
	answers := map[string]answer{
		"link":       other.get(linkOf(secret)),
		"open link":  other.post(linkOf(secret)),
		"register":   other.post(linkOf(secret), "step", "register", "password", password, "password2", password),
		"not for me": other.post(linkOf(secret)+"/not-for-me", "sure", "yes"),
	}
	w.visitor().register(secret)
	for _, rest := range []string{"", "/text", "/print", "/message.eml", "/part/1", "/reply"} {
		answers["message"+rest] = other.get("/m/" + key.String() + rest)
	}
	answers["open"] = other.post("/m/" + key.String() + "/open")
	for name, a := range answers {
		if a.status != http.StatusForbidden || !strings.Contains(a.body, refusal) || strings.Contains(a.body, "Joan's text") || strings.Contains(a.body, "For Joan alone") {
			t.Errorf("%s: %d, refusal %v", name, a.status, strings.Contains(a.body, refusal))
		}
	}
	if a := other.get("/m/" + key.String() + "/html"); a.status != http.StatusForbidden || strings.Contains(a.body, "Joan's text") {
		t.Errorf("frame: %d", a.status)
	}
	if state := w.recipient(key).State; state != store.StateOpened {
		t.Errorf("Joan's message is %s", state)
	}
}

func TestUnknownMessageLooksLikeAnotherAccounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, _, _ := w.account(joan)
	_, theirs := w.plant(peter, letter{subject: "x", text: "x"})
	a, b := v.get("/m/"+theirs.String()), v.get("/m/"+store.NewMessageID(w.Now()).String()+".1")
	if a.status != b.status || variable.ReplaceAllString(a.body, "") != variable.ReplaceAllString(b.body, "") {
		t.Errorf("another account's message answers %d, one that never was %d", a.status, b.status)
	}
	for _, id := range []string{"x", "1", "../../etc/passwd", strings.Repeat("0", 26), strings.Repeat("0", 26) + ".01"} {
		if a := v.get("/m/" + url.PathEscape(id)); a.status != http.StatusNotFound {
			t.Errorf("id %q answers %d", id, a.status)
		}
	}
}

func TestA12WithoutCookiesThePageSaysSoAndDoesNotGoRound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, secret, key := w.account(joan)
	forgetful := w.visitor()
	forgetful.http.Jar = nil
	for name, a := range map[string]answer{
		"sign-in":          forgetful.post("/sign-in", "email", joan.String(), "password", password),
		"sign-in for page": forgetful.post("/sign-in", "email", joan.String(), "password", password, "to", "/m/"+key.String()),
		"link":             forgetful.post(linkOf(secret), "step", "sign-in", "password", password),
	} {
		if a.status != http.StatusSeeOther {
			t.Errorf("%s: %d", name, a.status)
		}
		end := forgetful.get(a.to())
		if end.status != http.StatusOK || !strings.Contains(end.body, "<h1>Cookies are required</h1>") || !strings.Contains(end.body, "How to allow them") {
			t.Errorf("%s leads to %s: %d", name, a.to(), end.status)
		}
	}
	keeps := w.visitor()
	a := keeps.post("/sign-in", "email", joan.String(), "password", password, "to", "/sent")
	if a = keeps.get(a.to()); a.to() != "/sent" {
		t.Errorf("with cookies the check leads to %q", a.to())
	}
}

func TestSessionEndsBetweenTwoPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, _, key := w.account(joan)
	w.advance(13 * time.Hour)
	if a := v.get("/m/" + key.String() + "?check=cookie"); !strings.HasPrefix(a.to(), "/sign-in") {
		t.Errorf("an old session's cookie is taken for no cookie: %d to %q", a.status, a.to())
	}
}

func TestA07ConsoleSessionGetsNoMessage(t *testing.T) {
	t.Parallel()
	live := func(_ context.Context, cookie string) bool { return cookie == "admin" }
	w := newWorld(t, func(c *pickup.Config) { c.Console = live })
	_, _, key := w.account(joan)
	for _, rest := range []string{"", "/html", "/message.eml", "/print"} {
		admin := w.visitor()
		r := admin.request("GET", "/m/"+key.String()+rest, nil)
		r.AddCookie(&http.Cookie{Name: "postern-console", Value: "admin"})
		if a := admin.do(r); a.status != http.StatusForbidden {
			t.Errorf("%s with a console session: %d", rest, a.status)
		}
		r = admin.request("GET", "/m/"+key.String()+rest, nil)
		r.AddCookie(&http.Cookie{Name: "postern-console", Value: "ended"})
		if a := admin.do(r); rest == "" && a.status != http.StatusSeeOther {
			t.Errorf("with a console session that has ended: %d", a.status)
		}
	}
}

func TestB11KeepMeLoggedIn(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		on   bool
		keep string
		life string
	}{
		{"ticked", true, "yes", "Max-Age=2592000"}, {"not ticked", true, "", ""}, {"switched off but posted", false, "yes", ""},
	} {
		w := newWorld(t, func(c *pickup.Config) { c.KeepLoggedIn = test.on })
		w.account(joan)
		page := w.visitor().get("/sign-in")
		if strings.Contains(page.body, "Keep me logged in") != test.on {
			t.Errorf("%s: box shown: %v", test.name, !test.on)
		}
		a := w.visitor().post("/sign-in", "email", joan.String(), "password", password, "keep", test.keep)
		session := a.header.Get("Set-Cookie")
		if !strings.HasPrefix(session, "postern=") || !strings.Contains(session, "HttpOnly") || !strings.Contains(session, "SameSite=Lax") {
			t.Errorf("%s: cookie %q", test.name, session)
		}
		if test.life == "" && strings.Contains(session, "Max-Age") || !strings.Contains(session, test.life) {
			t.Errorf("%s: cookie %q, want %q", test.name, session, test.life)
		}
	}
}

func TestSignOutEndsTheSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, _, key := w.account(joan)
	cookies := v.http.Jar.Cookies(mustURL(t, w.server.URL))
	if a := v.get("/sign-out"); a.status != http.StatusMethodNotAllowed {
		t.Errorf("GET of sign-out answers %d", a.status)
	}
	a := v.post("/sign-out")
	if a = v.follow(a); !strings.Contains(a.body, "You are signed out") {
		t.Error("sign-out says nothing")
	}
	thief := w.visitor()
	thief.http.Jar.SetCookies(mustURL(t, w.server.URL), cookies)
	if a := thief.get("/m/" + key.String()); a.status != http.StatusSeeOther {
		t.Errorf("the old cookie still opens: %d", a.status)
	}
}

func mustURL(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	must(t, err)
	return u
}

func TestSignInLeadsOnlyToPagesOfThisSite(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account(joan)
	for _, to := range []string{"//evil.example/", "https://evil.example/", `/\evil.example`, "/p/" + strings.Repeat("1", 37), "/m/../../x", "javascript:alert(1)",
		"/%2F/evil.example", "/sent\r\nSet-Cookie: a=b", "/static/x"} {
		a := w.visitor().post("/sign-in", "email", joan.String(), "password", password, "to", to)
		if got := a.to(); got != "/?check=cookie" {
			t.Errorf("to %q leads to %q", to, got)
		}
	}
}

// TestI1NothingTypedReachesTheDisk looks for what was typed in everything that the site wrote.
func TestI1NothingTypedReachesTheDisk(t *testing.T) {
	w := newWorld(t)
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	v, _, key := w.account(joan)
	canary := "Canary-3f9c2e71 of the reply"
	a := v.upload("/m/"+key.String()+"/reply", field{"text", "", canary}, field{"add", "canary-file-3f9c2e71.txt", canary + strings.Repeat("x", 300_000)})
	if a.status != http.StatusSeeOther {
		t.Fatalf("reply: %d %s", a.status, a.body)
	}
	v.post("/sign-in", "email", joan.String(), "password", password)
	if entries, err := os.ReadDir(temp); err != nil || len(entries) > 0 {
		t.Errorf("the upload left %v in the temporary folder (%v)", entries, err)
	}
	must(t, filepath.WalkDir(w.dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		for _, secret := range []string{"3f9c2e71", "Marigold kettle", "The text of the first", "windowsill"} {
			if strings.Contains(string(content), secret) {
				t.Errorf("%s holds %q in clear", path, secret)
			}
		}
		return err
	}))
	for _, secret := range []string{"3f9c2e71", "Marigold kettle", "The text of the first", "First"} {
		if strings.Contains(w.log.String(), secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
}
