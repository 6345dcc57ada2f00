package main

import (
	"path/filepath"
	"testing"
)

// TestTranslationsFitTheirTexts: what is filled in, plural forms, marks and blanks of every translation that there is.
func TestTranslationsFitTheirTexts(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob(filepath.Join(root, folder, "*.po"))
	if err != nil {
		t.Fatal(err)
	}
	const languages = 7
	if len(names) != languages {
		t.Errorf("%d translations, want %d", len(names), languages)
	}
	for _, name := range names {
		f, err := readPO(name)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, problem := range f.check() {
			t.Errorf("%s: %s", filepath.Base(name), problem)
		}
	}
}
