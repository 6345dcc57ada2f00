package pickup_test

import (
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"postern/pickup"
	"postern/pickup/web"
	"postern/store"
)

// polyglot gives a site small translations into German, Arabic and Polish. Polish is that of the organisation.
func polyglot(t *testing.T) func(*pickup.Config) {
	t.Helper()
	files := fstest.MapFS{}
	for lang, word := range map[string]string{"de": "Hilfe", "ar": "المساعدة", "pl": "Pomoc"} {
		files[lang+".po"] = &fstest.MapFile{Data: []byte("msgid \"\"\nmsgstr \"\"\n\"Content-Type: text/plain; charset=UTF-8\\n\"\n" +
			"\"Plural-Forms: nplurals=2; plural=(n != 1);\\n\"\n\nmsgid \"Help\"\nmsgstr \"" + word + "\"\n")}
	}
	all, err := web.NewCatalogue(files)
	must(t, err)
	text, err := all.Falling("pl")
	must(t, err)
	return func(cfg *pickup.Config) { cfg.Catalogue = text }
}

var spoken = regexp.MustCompile(`<html lang="([a-z]+)" dir="([a-z]+)">`)

// speaks is the language and direction that a page says it is in.
func (a answer) speaks(t *testing.T) string {
	t.Helper()
	m := spoken.FindStringSubmatch(a.body)
	if m == nil || a.header.Get("Content-Language") != m[1] {
		t.Fatalf("language of the page %v, of the header %q", m, a.header.Get("Content-Language"))
	}
	return m[1] + " " + m[2]
}

func (v *visitor) getIn(accept, path string) answer {
	r := v.request("GET", path, nil)
	r.Header.Set("Accept-Language", accept)
	return v.do(r)
}

func TestP13LanguageByBrowserChoiceAndAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t, polyglot(t))
	v := w.visitor()
	for accept, want := range map[string]string{"de-AT,en;q=0.5": "de ltr", "ar": "ar rtl", "en-GB": "en ltr", "fi": "pl ltr", "": "pl ltr"} {
		if got := v.getIn(accept, "/help").speaks(t); got != want {
			t.Errorf("browser asks for %q and gets %q, want %q", accept, got, want)
		}
		if got := strings.Contains(v.getIn(accept, "/sign-in").body, "the council"); got != (want == "pl ltr") {
			t.Errorf("browser asks for %q: the short name, a phrase of the organisation's language: %t", accept, got)
		}
	}
	if a := v.getIn("ar", "/help"); !strings.Contains(a.body, ">المساعدة</a>") {
		t.Error("the Arabic page does not speak Arabic")
	}
	v.post("/language", "lang", "ar")
	if got := v.getIn("de", "/help").speaks(t); got != "ar rtl" {
		t.Errorf("after a choice of Arabic: %q", got)
	}

	secret, _ := w.plant(joan, letter{subject: "x", text: "x"})
	v.register(secret)
	if got := w.languageOf(joan); got != "ar" {
		t.Errorf("the account speaks %q", got)
	}
	v.post("/language", "lang", "de", "to", "/sent")
	if got := w.languageOf(joan); got != "de" {
		t.Errorf("after a choice the account speaks %q", got)
	}
	other := w.visitor()
	if got := other.getIn("ar", "/sign-in").speaks(t); got != "ar rtl" {
		t.Errorf("another browser, not signed in: %q", got)
	}
	other.post("/sign-in", "email", joan.String(), "password", password)
	if got := other.getIn("ar", "/sent").speaks(t); got != "de ltr" {
		t.Errorf("another browser, signed in: %q", got)
	}
	other.post("/sign-out")
	if got := other.getIn("ar", "/sign-in").speaks(t); got != "ar rtl" {
		t.Errorf("another browser, signed out again: %q", got)
	}
}

func (w *world) languageOf(address store.Address) (lang string) {
	w.update(func(tx store.Tx) error {
		a, err := tx.Accounts().ByAddress(address.Key())
		lang = a.Language
		return err
	})
	return lang
}
