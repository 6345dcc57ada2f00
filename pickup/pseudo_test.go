package pickup_test

import (
	"cmp"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"postern/cmd/browser"
	"postern/pickup"
	"postern/pickup/web"
)

var wordOrFill = regexp.MustCompile(`%(?:\[\d+\])?\d*[a-z]|\{\w+\}|\pL+`)

// stretched makes every word of a text 40 % longer, as translations are. Patterns without a word stay as they are.
func stretched(text string) string {
	words := false
	longer := wordOrFill.ReplaceAllStringFunc(text, func(w string) string {
		if w[0] == '%' || w[0] == '{' {
			return w
		}
		words = true
		letters := []rune(w)
		return w + string(letters[:(len(letters)*2+4)/5])
	})
	if !words {
		return text
	}
	return "⟦" + longer + "⟧"
}

// speaking makes a language that of visitors who ask for none.
func speaking(t *testing.T, all *web.Catalogue, lang string) func(*pickup.Config) {
	t.Helper()
	text, err := all.Falling(lang)
	must(t, err)
	return func(cfg *pickup.Config) { cfg.Catalogue = text }
}

// shelf serves the pages of everyPage, as they were sent, to a browser.
func shelf(t *testing.T, pages map[string]string) *httptest.Server {
	t.Helper()
	assets, err := web.NewAssets()
	must(t, err)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /static/{file}", assets.ServeFile(http.NotFound))
	mux.HandleFunc("GET /page/{name}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte(pages[r.PathValue("name")]))
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server
}

// misfit says what is wrong with a page in a frame of 320 px, where all stands in one column: it is wider, or something
// that is read later stands before what is read earlier. Left out are the skip link, which stands nowhere until it has the
// focus, what is folded, and the day of a letter in a list, which means the same before the subject as behind it.
const misfit = `(f) => {
	const d = f.contentDocument, said = (e) => e.tagName.toLowerCase() + " " + (e.textContent.trim() || e.id || e.title).slice(0, 40);
	if (d.documentElement.clientWidth !== 320) return "is not shown";
	if (d.documentElement.scrollWidth > 320) return "is " + (d.documentElement.scrollWidth - 320) + " px too wide";
	let before, above;
	for (const e of d.querySelectorAll("h1, h2, h3, p, dt, dd, a, button, input, select, textarea, iframe, summary")) {
		const r = e.getBoundingClientRect();
		if (r.width < 2 || r.height < 2 || e.matches(".skip, .letter .when, details:not([open]) > :not(summary) *")) continue;
		if (before && (r.bottom <= above.top || (r.top < above.bottom && r.bottom > above.top && r.right <= above.left)))
			return "reads " + said(before) + " before " + said(e);
		[before, above] = [e, r];
	}
	return "";
}`

// narrow loads all pages of the site at once, each in a frame of 320 px, and says what is wrong with them by name.
// Documents of mails are their authors'.
func narrow(t *testing.T, tab *browser.Tab, pages map[string]string) map[string]string {
	t.Helper()
	var frames strings.Builder
	for name := range pages {
		if !strings.HasPrefix(name, "mail") {
			frames.WriteString(`<iframe width="320" height="600" style="border: 0" title="` + name + `" src="/page/` + name + `"></iframe>`)
		}
	}
	all := maps.Clone(pages)
	all["all"] = "<!DOCTYPE html>" + frames.String()
	tab.Go(shelf(t, all).URL + "/page/all")
	return browser.Eval[map[string]string](tab, `Object.fromEntries([...document.querySelectorAll("iframe")].map((f) => [f.title, (`+misfit+`)(f)]).filter(([, wrong]) => wrong))`)
}

// longest says a text in the one of our languages in which its longest word is longest. Spelling is that of the files.
func longest(t *testing.T) func(text string) string {
	t.Helper()
	said := map[string]string{}
	word := func(text string) (n int) {
		for _, w := range wordOrFill.FindAllString(text, -1) {
			n = max(n, utf8.RuneCountInString(w))
		}
		return n
	}
	for _, language := range []string{"de", "fr", "es", "pl", "cy"} {
		po, err := os.ReadFile("web/locale/" + language + ".po")
		must(t, err)
		var ids []string // of the entry: the text and its plural
		for line := range strings.Lines(string(po)) {
			key, text, _ := strings.Cut(strings.TrimSuffix(line, "\"\n"), ` "`)
			switch {
			case key == "msgid":
				ids = []string{text}
			case key == "msgid_plural":
				ids = append(ids, text)
			case strings.HasPrefix(key, "msgstr"):
				for _, id := range ids {
					if word(text) > word(said[id]) {
						said[id] = text
					}
				}
			}
		}
	}
	return func(text string) string { return cmp.Or(said[text], text) }
}

// TestLongWordsBreakNoPage: no page is wider than 320 px in a translation whose words are 40 % longer than English, nor in
// the longest words of all of ours, and all stands there in the order in which it is read. Pages where it is not so are
// found.
func TestLongWordsBreakNoPage(t *testing.T) {
	t.Parallel()
	tab := common.Browser(t).Tab(t)
	const doc = `<!DOCTYPE html><body style="margin: 0">`
	tried := map[string]string{"slim": doc + `<p>x<p>y`, "wide": doc + `<p style="width: 350px">x`,
		"upwards":   doc + `<div style="display: flex; flex-direction: column-reverse"><p>x</p><p>y</p></div>`,
		"leftwards": doc + `<div style="display: flex; flex-direction: row-reverse"><p>x</p><p>y</p></div>`}
	if found := narrow(t, tab, tried); !maps.Equal(found, map[string]string{"wide": "is 30 px too wide", "upwards": "reads p x before p y", "leftwards": "reads p x before p y"}) {
		t.Errorf("of pages that have something wrong %v are found", found)
	}
	for name, say := range map[string]func(string) string{"stretched": stretched, "the longest of our translations": longest(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for page, wrong := range narrow(t, common.Browser(t).Tab(t), everyPage(t, speaking(t, pseudo(t, say), "en-XA"))) {
				t.Errorf("%s %s", page, wrong)
			}
		})
	}
}

// TestEveryPageReadsFromRightToLeft: in Arabic axe finds nothing, and no page is wider than its screen.
func TestEveryPageReadsFromRightToLeft(t *testing.T) {
	t.Parallel()
	all, err := builtin()
	must(t, err)
	pages := everyPage(t, speaking(t, all, "ar"))
	tab := common.Browser(t).Tab(t)
	server := shelf(t, pages)
	for _, name := range slices.Sorted(maps.Keys(pages)) {
		if strings.HasPrefix(name, "mail") {
			continue
		}
		if !strings.Contains(pages[name], `<html lang="ar" dir="rtl">`) {
			t.Errorf("%s is not in Arabic", name)
		}
		tab.Go(server.URL + "/page/" + name)
		tab.InspectText(t, "ar-"+name)
	}
}
