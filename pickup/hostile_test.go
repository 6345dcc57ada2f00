package pickup_test

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"golang.org/x/net/html"

	"postern/pickup"
	"postern/pickup/web"
	"postern/store/mail"
)

func TestHostileFormsAreRefusedWithoutEffect(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, first, key := w.account(joan)
	fresh, _ := w.plant(peter, letter{subject: "x", text: "x"})
	alias := v.ask(family)
	w.visitor().askChange(joan.String(), newPassword)
	before := w.fingerprint()
	paths := []string{"/reminder", "/change-password", "/new-password", "/settings/earlier", "/v/" + w.mailed(activation), alias, "/settings/address", linkOf(first), linkOf(fresh), linkOf(fresh) + "/not-for-me", "/p/", "/sign-in", "/sign-out", "/language", "/w/" + w.welcomeToken(), "/settings", "/settings/password", "/settings/reminder"}
	for name, test := range map[string]struct {
		kind, body string
		status     int
	}{
		"JSON":               {"application/json", `{"password":"x"}`, 400},
		"multipart":          {"multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\nx\r\n--x--", 400},
		"text":               {"text/plain", "password=x", 400},
		"no type":            {"", "password=x", 400},
		"bad escape":         {"application/x-www-form-urlencoded", "password=%zz", 400},
		"semicolons":         {"application/x-www-form-urlencoded", "a=1;password=2", 400},
		"doubled password":   {"application/x-www-form-urlencoded", "password=a&password=b&sure=1&sure=2&to=/&to=/&lang=en&lang=en&link=a&link=b&answer=me&answer=not-me&old=a&old=b&do=others&do=session&email=a&email=b", 400},
		"no UTF-8":           {"application/x-www-form-urlencoded", "password=%ff%fe&sure=%ff&to=%ff&lang=%ff&link=%ff&answer=%ff&old=%ff&do=%ff&email=%ff", 400},
		"NUL":                {"application/x-www-form-urlencoded", "password=a%00b&sure=a%00&to=a%00&lang=a%00&link=a%00&answer=a%00&old=a%00&do=a%00&email=a%00", 400},
		"larger than wanted": {"application/x-www-form-urlencoded", "password=" + strings.Repeat("x", 70_000), 413},
	} {
		for _, path := range paths {
			r := v.request("POST", path, strings.NewReader(test.body))
			if test.kind != "" {
				r.Header.Set("Content-Type", test.kind)
			}
			a := v.do(r)
			if a.status != test.status {
				t.Errorf("%s to %s: %d, want %d", name, path, a.status, test.status)
			}
		}
	}
	if w.fingerprint() != before {
		t.Error("the store has changed")
	}
	if a := v.get("/m/" + key.String()); a.status != http.StatusOK {
		t.Errorf("the session answers %d afterwards", a.status)
	}
}

func TestHostileAddressesAreShownSafely(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, email := range []string{`"><script>alert(1)</script>`, strings.Repeat("a", 5000) + "@mail.example", "a\r\nb@mail.example", "\u202Egnp.exe@mail.example", "a\x1b[31m@x"} {
		a := w.visitor().post("/sign-in", "email", email, "password", "x")
		if a.status != http.StatusForbidden || strings.Contains(a.body, "<script>alert") || strings.ContainsAny(a.body, "\x1b\u202E") || len(a.body) > 20_000 {
			t.Errorf("%.20q: %d, %d octets", email, a.status, len(a.body))
		}
	}
}

func TestHostileHeadersAndPathsGetAnOrdinaryAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.visitor()
	for name, set := range map[string]func(*http.Request){
		"cookie of rubbish":   func(r *http.Request) { r.Header.Set("Cookie", "postern=%00\xff; postern-lang=../../etc") },
		"cookie of 4 KiB":     func(r *http.Request) { r.Header.Set("Cookie", "postern="+strings.Repeat("A", 4000)) },
		"language of 10 KiB":  func(r *http.Request) { r.Header.Set("Accept-Language", strings.Repeat("de,", 3000)) },
		"user agent of 8 KiB": func(r *http.Request) { r.Header.Set("User-Agent", strings.Repeat("Firefox/1 ", 800)) },
		"forwarded rubbish":   func(r *http.Request) { r.Header.Set("X-Forwarded-For", "\x01,,,") },
	} {
		r := v.request("GET", "/help", nil)
		set(r)
		if name == "forwarded rubbish" {
			continue // net/http does not send it
		}
		if a := v.do(r); a.status != http.StatusOK {
			t.Errorf("%s: %d", name, a.status)
		}
	}
	for _, path := range []string{"/%00", "/%2e%2e/%2e%2e/etc/passwd", "/m/%0d%0aSet-Cookie:a=b", "/static/..%2f..%2fdoc.go", "/static/%00", "/p/" + strings.Repeat("x", 10_000),
		"/w/%ff%fe", "/sent/%ff"} {
		a := v.get(path)
		if a.status >= 500 || a.header.Get("Set-Cookie") != "" {
			t.Errorf("%.40s: %d", path, a.status)
		}
	}
}

// bracketed is a text as pseudo says it where the length of words does not matter. What a page shows outside of brackets
// did not pass through the catalogue, or the template lacks it.
func bracketed(text string) string { return "⟦" + text + "⟧" }

// pseudo makes a translation from the catalogue's template: say makes one of a text.
func pseudo(t *testing.T, say func(text string) string) *web.Catalogue {
	t.Helper()
	pot, err := os.ReadFile("web/locale/postern.pot")
	must(t, err)
	var po strings.Builder
	id, plural := "", ""
	for line := range strings.Lines(string(pot)) {
		switch {
		case strings.HasPrefix(line, "msgid \"") && line != "msgid \"\"\n":
			id = strings.TrimSuffix(strings.TrimPrefix(line, "msgid \""), "\"\n")
		case strings.HasPrefix(line, "msgid_plural \""):
			plural = strings.TrimSuffix(strings.TrimPrefix(line, "msgid_plural \""), "\"\n")
		case strings.HasPrefix(line, "msgstr[1]"):
			line = fmt.Sprintf("msgstr[1] \"%s\"\n", say(plural))
		case strings.HasPrefix(line, "msgstr[0]"):
			line = fmt.Sprintf("msgstr[0] \"%s\"\n", say(id))
		case strings.HasPrefix(line, "msgstr") && id != "":
			line = fmt.Sprintf("msgstr \"%s\"\n", say(id))
		}
		po.WriteString(line)
	}
	c, err := web.NewCatalogue(fstest.MapFS{"en-XA.po": {Data: []byte(po.String())}})
	must(t, err)
	return c
}

// shown are the texts of a page: what stands in it, and the attributes that are read out or shown.
func shown(t *testing.T, page string) (texts []string) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	must(t, err)
	var body strings.Builder
	var walk func(*html.Node)
	walk = func(n *html.Node) {
		if n.Type == html.TextNode {
			body.WriteString(n.Data)
		}
		if n.Type == html.ElementNode {
			switch n.Data {
			case "bdi", "code", "option", "textarea", "iframe", "style", "time": // data, or made of texts that are looked at elsewhere
				return
			}
			for _, a := range n.Attr {
				switch a.Key {
				case "aria-label", "title", "alt", "placeholder", "data-label", "data-met", "data-unmet", "data-tally", "data-found", "data-done":
					texts = append(texts, a.Val)
				case "class":
					if a.Val == "authored" {
						return
					}
				case "dir":
					if n.Data != "html" && n.Data != "a" && n.Data != "input" {
						return // an author's words, or an address
					}
				}
			}
		}
		for kid := n.FirstChild; kid != nil; kid = kid.NextSibling {
			walk(kid)
		}
	}
	walk(root)
	return append(texts, body.String())
}

// outside is what of a text stands in no brackets.
func outside(text string) string {
	var b strings.Builder
	depth := 0
	for _, r := range text {
		switch {
		case r == '⟦':
			depth++
		case r == '⟧':
			depth--
		case depth == 0:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func TestEveryTextComesFromTheCatalogue(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *pickup.Config) {
		c.Catalogue = pseudo(t, bracketed)
		c.Organization.Support.URL = "https://help.example.org/"
	})
	v, list := w.routes(t)
	guest := w.visitor()
	for _, visitor := range []*visitor{v, guest} {
		visitor.post("/language", "lang", "en-XA")
	}
	pages := map[string]answer{}
	for _, r := range list {
		if r.policy == nil || strings.HasSuffix(r.path, "/print") {
			pages["account "+r.path], pages["guest "+r.path] = v.get(r.path), guest.get(r.path)
		}
	}
	for name, a := range w.errorPages(v, guest) {
		pages[name] = a
	}
	data := []string{"Example County Council", "ICT Customer Services Desk", "Monday to Friday, 8:30 to 17:00", "01632 960 626", "ict.desk@example.org",
		"County Hall, 1 Market Place, Exampleton ZZ99 1AA", "https://help.example.org/", "Your care and support plan: review on 24 June", "First", "Unopened", "Re: "}
	for name, a := range pages {
		if !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") {
			continue
		}
		if strings.Contains(a.body, "%!") || strings.Contains(a.body, "EXTRA") {
			t.Errorf("%s: a text and its arguments do not fit", name)
		}
		for _, text := range shown(t, a.body) {
			rest := outside(text)
			for _, d := range data {
				rest = strings.ReplaceAll(rest, d, "")
			}
			if letters := mustFind(`\pL\pL+`).FindAllString(rest, -1); len(letters) > 0 {
				t.Errorf("%s says outside of the catalogue: %q", name, letters)
			}
		}
	}
}

// errorPages are the pages that only a form or a fault leads to.
func (w *world) errorPages(v, guest *visitor) map[string]answer {
	fresh, _ := w.plant(peter, letter{subject: "x", text: "x"})
	closed, _ := w.plant(peter, letter{subject: "x", text: "x"})
	gone, _ := w.plant(peter, letter{subject: "x", text: "x", life: time.Minute})
	path := w.opened(v, joan, letter{subject: "x", text: "x"})
	missing := v.get("/p/" + url.PathEscape("abc"))
	pages := map[string]answer{
		"sign-in error": guest.post("/sign-in", "email", joan.String(), "password", "x"),
		"weak":          guest.post(linkOf(fresh), "step", "register", "password", "a", "password2", "b", "reminder", "a"),
		"hint":          guest.post(linkOf(fresh), "step", "register", "password", password, "password2", password, "reminder", password),
		"no tick":       guest.post(linkOf(fresh) + "/not-for-me"),
		"closed":        guest.post(linkOf(closed)+"/not-for-me", "sure", "yes"),
		"paste":         guest.post("/p/", "link", ""), "incomplete": missing,
		"no answer":   guest.post("/w/"+w.welcomeToken(), "answer", "not-me"),
		"welcome":     guest.post("/w/"+w.welcomeToken(), "answer", "me"),
		"no text":     v.upload(path+"/reply", field{"text", "", ""}),
		"no form":     v.post("/language", "lang", "xx"),
		"too large":   v.post("/language", "lang", strings.Repeat("x", 70_000)),
		"method":      v.get("/sign-out"),
		"cookies off": guest.get("/?check=cookie"),
	}
	for i := range 4 {
		pages["files"] = v.upload(path+"/reply", append([]field{{"text", "", "x"}}, make4(i)...)...)
	}
	w.advance(2 * time.Minute)
	pages["expired"] = guest.get(linkOf(gone))
	return pages
}

func make4(n int) (list []field) {
	for range n + 1 {
		list = append(list, field{"add", "a.txt", "x"})
	}
	return list
}

func TestLongNamesAndForeignScriptsFit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, _, _ := w.account(joan)
	long := mail.Mailbox{Name: strings.Repeat("Extraordinarily long name ", 40), Address: maria.Address}
	for _, subject := range []string{strings.Repeat("long subject ", 300), "رسالة خاصة من البلدية", "日本語の件名", "\u202Egnp.exe", "a\x00b\x1b[31m"} {
		path := w.opened(v, joan, letter{from: long, subject: subject, text: "x"})
		if a := v.get(path); a.status != http.StatusOK || strings.ContainsAny(a.body, "\x00\x1b") {
			t.Errorf("%.20q: %d", subject, a.status)
		}
	}
	if a := v.get("/"); a.status != http.StatusOK {
		t.Errorf("inbox: %d", a.status)
	}
}
