package web_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/leonelquinteros/gotext"
)

// TestTranslationsAreWhole: no text of the sites and mails lacks a translation; whether one fits its text is a test of
// cmd/catalogue. "go run ./cmd/catalogue . LANGUAGE" puts what is missing into a file.
func TestTranslationsAreWhole(t *testing.T) {
	t.Parallel()
	read := func(name string) *gotext.Domain {
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		po := gotext.NewPo()
		po.Parse(source)
		return po.GetDomain()
	}
	texts := read("locale/postern.pot")
	names, err := filepath.Glob("locale/*.po")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if filepath.Base(name) == "en.po" {
			continue // the texts themselves
		}
		said := read(name)
		for id, text := range texts.GetTranslations() {
			if id != "" && !whole(said, said.GetTranslations()[id], text.PluralID) {
				t.Errorf("%s does not say %q", filepath.Base(name), id)
			}
		}
		for context, ids := range texts.GetCtxTranslations() {
			for id, text := range ids {
				if id != "" && !whole(said, said.GetCtxTranslations()[context][id], text.PluralID) {
					t.Errorf("%s does not say %q as in %q", filepath.Base(name), id, context)
				}
			}
		}
	}
}

// whole reports whether a translation says something, of a text with a count for every number.
func whole(in *gotext.Domain, said *gotext.Translation, plural string) bool {
	const most = 150
	switch {
	case said == nil || said.PluralID != plural:
		return false
	case plural == "":
		return said.Trs[0] != ""
	}
	for n := range most {
		if !in.IsTranslatedN(said.ID, n) {
			return false
		}
	}
	return true
}
