package web_test

import (
	"slices"
	"testing"
	"testing/fstest"

	"postern/pickup/web"
)

const german = `msgid ""
msgstr ""
"Language: de\n"
"Content-Type: text/plain; charset=UTF-8\n"
"Plural-Forms: nplurals=2; plural=(n != 1);\n"

msgid "Sign in"
msgstr "Anmelden"

msgid "Until %s"
msgstr "Bis %s"

msgid "Not translated yet"
msgstr ""

msgctxt "messages"
msgid "Sign in"
msgstr "Eingang"

msgid "100 % sealed"
msgstr "100 % versiegelt"

msgid "%d day"
msgid_plural "%d days"
msgstr[0] "%d Tag"
msgstr[1] "%d Tage"
`

const arabic = `msgid ""
msgstr ""
"Language: ar\n"
"Content-Type: text/plain; charset=UTF-8\n"
"Plural-Forms: nplurals=6; plural=(n==0 ? 0 : n==1 ? 1 : n==2 ? 2 : n%100>=3 && n%100<=10 ? 3 : n%100>=11 ? 4 : 5);\n"

msgid "%d day"
msgid_plural "%d days"
msgstr[0] "zero"
msgstr[1] "one"
msgstr[2] "two"
msgstr[3] "few %d"
msgstr[4] "many %d"
msgstr[5] "other %d"
`

func catalogue(t *testing.T) *web.Catalogue {
	t.Helper()
	c, err := web.NewCatalogue(fstest.MapFS{"de.po": {Data: []byte(german)}, "ar.po": {Data: []byte(arabic)}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCatalogueTranslates(t *testing.T) {
	t.Parallel()
	c := catalogue(t)
	for _, test := range []struct{ name, got, want string }{
		{"translated", c.Text("de", "Sign in"), "Anmelden"},
		{"with argument", c.Text("de", "Until %s", "9 July"), "Bis 9 July"},
		{"empty translation stays English", c.Text("de", "Not translated yet"), "Not translated yet"},
		{"unknown text stays English", c.Text("de", "New text %d", 3), "New text 3"},
		{"percent sign without arguments", c.Text("de", "100 % sealed"), "100 % versiegelt"},
		{"unknown language is English", c.Text("xx", "Sign in"), "Sign in"},
		{"empty id is not the header", c.Text("de", ""), ""},
		{"one", c.Plural("de", "%d day", "%d days", 1), "1 Tag"},
		{"many", c.Plural("de", "%d day", "%d days", 5), "5 Tage"},
		{"English one", c.Plural("en", "%d day", "%d days", 1), "1 day"},
		{"English none", c.Plural("en", "%d day", "%d days", 0), "0 days"},
		{"six forms", c.Plural("ar", "%d day", "%d days", 3), "few 3"},
		{"count that is not used", c.Plural("en", "This day", "These days", 1), "This day"},
	} {
		if test.got != test.want {
			t.Errorf("%s: %q, want %q", test.name, test.got, test.want)
		}
	}
}

func TestCatalogueChoosesTheLanguage(t *testing.T) {
	t.Parallel()
	c := catalogue(t)
	for _, test := range []struct{ name, chosen, accept, want string }{
		{"nothing said", "", "", "en"},
		{"browser's language", "", "de-AT,de;q=0.9,en;q=0.5", "de"},
		{"choice beats browser", "ar", "de", "ar"},
		{"choice that is not there", "fr", "de", "de"},
		{"language that is not there", "", "fr-FR,fr", "en"},
		{"better quality first", "", "en;q=0.4, de;q=0.8", "de"},
		{"not a language", "", "!!;;q=x", "en"},
		{"hostile length", "", "de" + string(make([]byte, 100_000)), "en"},
	} {
		if got := c.Match(test.chosen, test.accept); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

func TestCatalogueFallsBackToTheOrganisationsLanguage(t *testing.T) {
	t.Parallel()
	c, err := catalogue(t).Falling("de")
	if err != nil {
		t.Fatal(err)
	}
	for accept, want := range map[string]string{"": "de", "fi": "de", "en": "en", "!!;;q=x": "de"} {
		if got := c.Match("", accept); got != want {
			t.Errorf("accept %q: %q, want %q", accept, got, want)
		}
	}
	if _, err := c.Falling("fi"); err == nil {
		t.Error("falls back to a language that is not there")
	}
}

func TestCatalogueListsLanguages(t *testing.T) {
	t.Parallel()
	list := catalogue(t).Languages()
	want := []web.Language{{Tag: "en", Name: "English", Dir: "ltr"}, {Tag: "ar", Name: "العربية", Dir: "rtl"}, {Tag: "de", Name: "Deutsch", Dir: "ltr"}}
	if len(list) != len(want) {
		t.Fatalf("languages: %v", list)
	}
	for i := range want {
		if list[i] != want[i] {
			t.Errorf("language %d is %v, want %v", i, list[i], want[i])
		}
	}
}

func TestCatalogueRefusesBrokenFiles(t *testing.T) {
	t.Parallel()
	for name, files := range map[string]fstest.MapFS{
		"no language": {"german!.po": {Data: []byte(german)}},
		"no header":   {"de.po": {Data: []byte("msgid \"a\"\nmsgstr \"b\"\n")}},
	} {
		if _, err := web.NewCatalogue(files); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestBuiltinCatalogueHasSevenLanguages(t *testing.T) {
	t.Parallel()
	c, err := web.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	want := []web.Language{{Tag: "en", Name: "English", Dir: "ltr"}, {Tag: "ar", Name: "العربية", Dir: "rtl"}, {Tag: "cy", Name: "Cymraeg", Dir: "ltr"},
		{Tag: "de", Name: "Deutsch", Dir: "ltr"}, {Tag: "es", Name: "Español", Dir: "ltr"}, {Tag: "fr", Name: "Français", Dir: "ltr"},
		{Tag: "pl", Name: "Polski", Dir: "ltr"}}
	if got := c.Languages(); !slices.Equal(got, want) {
		t.Errorf("languages: %v", got)
	}
}

// TestPluralsFollowTheRuleOfTheirLanguage: the forms of CLDR 47, each by a number that takes it.
func TestPluralsFollowTheRuleOfTheirLanguage(t *testing.T) {
	t.Parallel()
	c, err := web.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	for lang, want := range map[string]map[int]string{
		"en": {0: "0 attachments", 1: "1 attachment", 2: "2 attachments", 21: "21 attachments"},
		"de": {0: "0 Anhänge", 1: "1 Anhang", 2: "2 Anhänge"},
		"fr": {0: "0 pièce jointe", 1: "1 pièce jointe", 2: "2 pièces jointes"},
		"es": {0: "0 archivos adjuntos", 1: "1 archivo adjunto", 5: "5 archivos adjuntos"},
		"pl": {0: "0 załączników", 1: "1 załącznik", 2: "2 załączniki", 5: "5 załączników", 12: "12 załączników", 22: "22 załączniki", 112: "112 załączników"},
		"ar": {0: "لا مرفقات", 1: "مرفق واحد", 2: "مرفقان", 3: "3 مرفقات", 10: "10 مرفقات", 11: "11 مرفقًا", 99: "99 مرفقًا", 100: "100 مرفق", 103: "103 مرفقات"},
	} {
		for n, text := range want {
			if got := c.Plural(lang, "%d attachment", "%d attachments", n); got != text {
				t.Errorf("%s, %d: %q, want %q", lang, n, got, text)
			}
		}
	}
	for n, text := range map[int]string{0: "0 diwrnod", 1: "1 diwrnod", 2: "2 ddiwrnod", 3: "3 diwrnod", 6: "6 diwrnod", 7: "7 diwrnod"} {
		if got := c.Plural("cy", "Expires in %d day", "Expires in %d days", n); got != "Daw i ben ymhen "+text {
			t.Errorf("cy, %d: %q", n, got)
		}
	}
}
