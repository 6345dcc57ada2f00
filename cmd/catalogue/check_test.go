package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const polish = `# Glossary: secret = poufny
msgid ""
msgstr ""
"Language: pl\n"
"Content-Type: text/plain; charset=UTF-8\n"
"Plural-Forms: nplurals=3; plural=(n==1 ? 0 : n%10>=2 && n%10<=4 && (n%100<10 || n%100>=20) ? 1 : 2);\n"

#: a.html
#, c-format
msgid "From %[1]s to %[2]s"
msgstr "Od %[1]s do %[2]s"

# where the mail lies
#: a.html
msgctxt "messages"
msgid "Sent"
msgstr ""
"Wysła"
"ne"

#: b.go
#, c-format
msgid "This message"
msgid_plural "These %d messages"
msgstr[0] "Ta wiadomość"
msgstr[1] "Te %d wiadomości"
msgstr[2] "Tych %d wiadomości"
`

func readPolish(t *testing.T, changes ...string) file {
	t.Helper()
	name := filepath.Join(t.TempDir(), "pl.po")
	if err := os.WriteFile(name, []byte(strings.NewReplacer(changes...).Replace(polish)), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := readPO(name)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestTranslationsAreReadAndWritten(t *testing.T) {
	t.Parallel()
	f := readPolish(t)
	if got := string(f.bytes()); got != strings.ReplaceAll(polish, "\"\"\n\"Wysła\"\n\"ne\"", `"Wysłane"`) {
		t.Errorf("written as\n%s", got)
	}
	if problems := f.check(); problems != nil {
		t.Errorf("problems: %q", problems)
	}
}

func TestFaultsOfTranslationsAreFound(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		changes []string
		want    string
	}{
		"verb forgotten":           {[]string{`do %[2]s`, `do`}, "lacks %2s"},
		"verb of another kind":     {[]string{`do %[2]s`, `do %[2]d`}, "%2d, which is not filled in"},
		"verb too many":            {[]string{`do %[2]s`, `do %[2]s %[3]s`}, "%3s, which is not filled in"},
		"English left":             {[]string{`Od %[1]s do`, `From %[1]s to`}, "is not translated"},
		"count forgotten":          {[]string{`Te %d`, `Te`}, "lacks %1d"},
		"form missing":             {[]string{`msgstr[2] "Tych %d wiadomości"`, ""}, "2 plural forms, not 3"},
		"tag too many":             {[]string{`Od %`, `<b>Od %`}, "has the marks"},
		"blank at the end":         {[]string{`"ne"`, `"ne "`}, "other blanks"},
		"rule out of range":        {[]string{`? 1 : 2`, `? 1 : 3`}, "form 3"},
		"no rule":                  {[]string{`Plural-Forms`, `X-Forms`}, "no Plural-Forms"},
		"rule that cannot be read": {[]string{`n==1 ? 0`, `n=+1 ? 0`}, "plural rule"},
	} {
		problems := strings.Join(readPolish(t, c.changes...).check(), "\n")
		if !strings.Contains(problems, c.want) {
			t.Errorf("%s: %q does not say %q", name, problems, c.want)
		}
	}
	marked := readPolish(t, "#: a.html\n#, c-format", "# "+same+"\n#: a.html\n#, c-format", `Od %[1]s do`, `From %[1]s to`)
	if problems := marked.check(); problems != nil {
		t.Errorf("a text that is the same on purpose: %q", problems)
	}
}

func TestMergeKeepsWhatIsTranslated(t *testing.T) {
	t.Parallel()
	f := readPolish(t)
	texts := []text{f.entries[2].text, {ID: "New"}, f.entries[1].text, {ID: "Sent"}, {ID: "%d new", Plural: "%d new ones"}}
	merged := f.merge(texts)
	if want := []string{"New", "Sent", "%d new"}; !slices.Equal(merged.gaps(texts), want) {
		t.Errorf("gaps %q, want %q", merged.gaps(texts), want)
	}
	if got := merged.entries[2]; got.strs[0] != "Wysłane" || got.comments[0] != "where the mail lies" {
		t.Errorf("entry %+v", got)
	}
	if got := len(merged.entries[4].strs); got != 3 {
		t.Errorf("%d forms of a new text", got)
	}
	out := merged.bytes()
	if bytes.Contains(out, []byte("From")) || !bytes.HasPrefix(out, []byte("# Glossary")) {
		t.Errorf("merged file:\n%s", out)
	}
}

func TestBrokenFilesAreRefused(t *testing.T) {
	t.Parallel()
	for name, source := range map[string]string{
		"no header": "msgid \"a\"\nmsgstr \"b\"\n", "no string": "msgid a\n", "unknown word": "msgtxt \"a\"\n", "loose string": "\"a\"\n", "empty": "",
	} {
		path := filepath.Join(t.TempDir(), "x.po")
		if err := os.WriteFile(path, []byte(source), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readPO(path); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
