package pickup_test

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

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

// each goes through the site's pages at 320 px and demands that none is wider. Documents of mails are their authors'.
func each(t *testing.T, tab *browser.Tab, pages map[string]string, look func(name string)) {
	t.Helper()
	server := shelf(t, pages)
	for _, name := range slices.Sorted(maps.Keys(pages)) {
		if strings.HasPrefix(name, "mail") {
			continue
		}
		tab.View(browser.Viewport{Width: 320, Height: 600})
		tab.Go(server.URL + "/page/" + name)
		if wide := browser.Eval[int](tab, "document.documentElement.scrollWidth - document.documentElement.clientWidth"); wide > 0 {
			t.Errorf("%s is %d px wider than 320 px", name, wide)
		}
		if look != nil {
			look(name)
		}
	}
}

// TestLongWordsBreakNoPage: in a translation whose words are 40 % longer than English.
func TestLongWordsBreakNoPage(t *testing.T) {
	each(t, browser.Start(t).Tab(t), everyPage(t, speaking(t, pseudo(t, stretched), "en-XA")), nil)
}

// TestEveryPageReadsFromRightToLeft: in Arabic axe finds nothing, and no page is wider than its screen.
func TestEveryPageReadsFromRightToLeft(t *testing.T) {
	all, err := web.Builtin()
	must(t, err)
	pages := everyPage(t, speaking(t, all, "ar"))
	tab := browser.Start(t).Tab(t)
	each(t, tab, pages, func(name string) {
		if !strings.Contains(pages[name], `<html lang="ar" dir="rtl">`) {
			t.Errorf("%s is not in Arabic", name)
		}
		tab.Inspect(t, "ar-"+name, false)
	})
}
