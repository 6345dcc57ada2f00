package main

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// same is the comment that a translator puts at a text that is the same in both languages, so that it does not count as
// forgotten.
const same = "as in English"

// file is a PO file: comments at its head, header fields, and entries.
type file struct {
	comments []string
	header   string
	entries  []entry
}

// entry is one text with its translations: one, or as many as the language has plural forms.
type entry struct {
	text
	comments []string // the translator's
	fuzzy    bool
	strs     []string
}

func (e entry) translated() bool {
	return len(e.strs) > 0 && !slices.Contains(e.strs, "")
}

// readPO reads a PO file. Its first entry is the header.
func readPO(name string) (f file, err error) {
	source, err := os.ReadFile(name)
	if err != nil {
		return f, err
	}
	p := &poReader{}
	for i, line := range strings.Split(string(source), "\n") {
		if err := p.line(strings.TrimSpace(line)); err != nil {
			return f, fmt.Errorf("%s:%d: %w", name, i+1, err)
		}
	}
	p.end()
	if len(p.entries) == 0 || p.entries[0].ID != "" || len(p.entries[0].strs) != 1 {
		return f, fmt.Errorf("%s: no header", name)
	}
	head := p.entries[0]
	return file{comments: head.comments, header: head.strs[0], entries: p.entries[1:]}, nil
}

// poReader takes lines; an empty one ends an entry.
type poReader struct {
	entries []entry
	now     entry
	begun   bool
	into    *string // what a line that is a string alone goes on with
}

func (p *poReader) end() {
	if p.begun {
		p.entries = append(p.entries, p.now)
	}
	p.now, p.begun, p.into = entry{}, false, nil
}

func (p *poReader) line(line string) error {
	switch {
	case line == "":
		p.end()
		return nil
	case strings.HasPrefix(line, "#"):
		p.comment(line)
		return nil
	case strings.HasPrefix(line, `"`):
		return p.more(line)
	}
	word, rest, _ := strings.Cut(line, " ")
	switch {
	case word == "msgctxt":
		p.into = &p.now.Context
	case word == "msgid":
		p.begun, p.into = true, &p.now.ID
	case word == "msgid_plural":
		p.into = &p.now.Plural
	case word == "msgstr", strings.HasPrefix(word, "msgstr["):
		p.now.strs = append(p.now.strs, "")
		p.into = &p.now.strs[len(p.now.strs)-1]
	default:
		return fmt.Errorf("%q begins nothing", word)
	}
	return p.more(rest)
}

func (p *poReader) comment(line string) {
	switch {
	case strings.HasPrefix(line, "#:"):
		p.now.Files = append(p.now.Files, strings.TrimSpace(line[2:]))
	case strings.HasPrefix(line, "#,"):
		p.now.fuzzy = p.now.fuzzy || strings.Contains(line, "fuzzy")
	default:
		p.now.comments = append(p.now.comments, strings.TrimSpace(line[1:]))
	}
}

func (p *poReader) more(quoted string) error {
	s, err := strconv.Unquote(quoted)
	if err != nil || p.into == nil {
		return fmt.Errorf("%s is no string of an entry", quoted)
	}
	*p.into += s
	return nil
}

// format writes texts as a PO template. It carries no date, so that it changes only when a text does.
func format(texts []text) []byte {
	f := file{comments: []string{`Texts of Postern. "go run ./cmd/catalogue ." writes this file; docs/translating.md says how to translate it.`},
		header: "Language: \nMIME-Version: 1.0\nContent-Type: text/plain; charset=UTF-8\nContent-Transfer-Encoding: 8bit\n" +
			"Plural-Forms: nplurals=2; plural=(n != 1);\n"}
	for _, t := range texts {
		f.entries = append(f.entries, entry{text: t})
	}
	return f.bytes()
}

func (f file) bytes() []byte {
	var b bytes.Buffer
	writeComments(&b, f.comments)
	b.WriteString("msgid \"\"\nmsgstr \"\"\n")
	for line := range strings.Lines(f.header) {
		b.WriteString(quote(line) + "\n")
	}
	for _, e := range f.entries {
		b.WriteString("\n")
		e.write(&b)
	}
	return b.Bytes()
}

func (e entry) write(b *bytes.Buffer) {
	writeComments(b, e.comments)
	for _, name := range e.Files {
		fmt.Fprintf(b, "#: %s\n", name)
	}
	if strings.Contains(e.ID+e.Plural, "%") {
		b.WriteString("#, c-format\n")
	}
	if e.Context != "" {
		fmt.Fprintf(b, "msgctxt %s\n", quote(e.Context))
	}
	fmt.Fprintf(b, "msgid %s\n", quote(e.ID))
	if e.Plural == "" {
		fmt.Fprintf(b, "msgstr %s\n", quote(strings.Join(e.strs, "")))
		return
	}
	fmt.Fprintf(b, "msgid_plural %s\n", quote(e.Plural))
	for i := range max(len(e.strs), 2) {
		s := ""
		if i < len(e.strs) {
			s = e.strs[i]
		}
		fmt.Fprintf(b, "msgstr[%d] %s\n", i, quote(s))
	}
}

func writeComments(b *bytes.Buffer, lines []string) {
	for _, c := range lines {
		b.WriteString(strings.TrimRight("# "+c, " ") + "\n")
	}
}

// quote writes a PO string. Unlike strconv.Quote it leaves everything beyond ASCII as it is.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\t", `\t`).Replace(s) + `"`
}
