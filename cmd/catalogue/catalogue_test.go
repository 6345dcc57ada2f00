package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

const root = "../.."

func TestTemplateOfTheCatalogueIsComplete(t *testing.T) {
	texts, err := extract(root)
	if err != nil {
		t.Fatal(err)
	}
	const plausible = 200
	if len(texts) < plausible {
		t.Fatalf("only %d texts found", len(texts))
	}
	got, err := os.ReadFile(filepath.Join(root, potFile))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, format(texts)) {
		t.Errorf("%s is not what the code says; \"go run ./cmd/catalogue .\" brings it up to date", potFile)
	}
}

func TestTextsAreFoundWhereverTheyAreSaid(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		path := filepath.Join(dir, "pickup", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("templates/a.html", `{{define "x"}}{{if .A}}{{t "plain"}}{{else}}{{t "with %s" (b (t "bold"))}}{{end}}{{tn .N "%d one" "%d many"}}{{tc "place" "there"}}{{end}}<p title="{{t "in an attribute"}}">`)
	write("b.go", "package b\nfunc f() { s.say(r, \"said\"); c.Text(lang, \"a \" + \"long one\"); t.N(n, \"one\", \"many\"); s.T(variable) }\nconst phraseHello = \"Hello\"\nconst other = \"not a text\"\n")
	write("b_test.go", "package b\nfunc g() { s.say(r, \"only in a test\") }\n")
	write("admin/console/templates/c.html", `{{t "of the console"}}`)
	texts, err := extract(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"plain": "", "with %s": "", "bold": "", "%d one": "%d many", "in an attribute": "", "said": "", "there": "", "a long one": "",
		"one": "many", "Hello": ""}
	for _, text := range texts {
		if plural, ok := want[text.ID]; !ok || plural != text.Plural {
			t.Errorf("found %q with plural %q", text.ID, text.Plural)
		}
		delete(want, text.ID)
	}
	for id := range want {
		t.Errorf("%q was not found", id)
	}
}

func TestFormatIsReadByGettext(t *testing.T) {
	got := string(format([]text{{Context: "verb", ID: "say \"%s\"\nand \\", Files: []string{"a.html"}}, {ID: "%d file", Plural: "%d files", Files: []string{"b.html", "c.go"}}}))
	for _, want := range []string{"msgctxt \"verb\"\nmsgid \"say \\\"%s\\\"\\nand \\\\\"\n", "#: b.html\n#: c.go\n#, c-format\nmsgid \"%d file\"\nmsgid_plural \"%d files\"\nmsgstr[0] \"\"\n"} {
		if !bytes.Contains([]byte(got), []byte(want)) {
			t.Errorf("format lacks %q:\n%s", want, got)
		}
	}
}
