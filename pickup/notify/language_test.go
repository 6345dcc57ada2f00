package notify

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"postern/pickup/web"
)

// TestEveryMailInEveryLanguage: what is filled in fits, lines of text fit a mail, and from right to left every paragraph
// begins with a letter that makes mail programs turn it that way.
func TestEveryMailInEveryLanguage(t *testing.T) {
	t.Parallel()
	all, err := web.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range all.Languages() {
		c := newComposer(t, func(cfg *Config) { cfg.Text, cfg.Lang = all, l.Tag })
		for name, compose := range mails(t, maria(t)) {
			m, err := compose(c)
			if err != nil {
				t.Fatalf("%s, %s: %v", l.Tag, name, err)
			}
			r := readMail(t, m.Raw)
			if name == "reply" {
				continue // a person's own words
			}
			said := r.header.Get("Subject") + r.header.Get("From") + r.text + r.html
			if strings.Contains(said, "%!") || strings.Contains(said, "%[") {
				t.Errorf("%s, %s: what is filled in does not fit:\n%s", l.Tag, name, r.text)
			}
			tag, dir := l.Tag, l.Dir
			if strings.HasPrefix(name, "admin-") {
				tag, dir = english, "ltr" // for readers of the console, which is not translated
			}
			if !strings.Contains(r.html, `<html lang="`+tag+`" dir="`+dir+`">`) {
				t.Errorf("%s, %s: the HTML part does not say its language", l.Tag, name)
			}
			for line := range strings.Lines(r.text) {
				if n := utf8.RuneCountInString(strings.TrimSpace(line)); n > columns && strings.Contains(strings.TrimSpace(line), " ") && !strings.Contains(line, ":") {
					t.Errorf("%s, %s: a line of %d characters: %s", l.Tag, name, n, line)
				}
			}
			if dir == "rtl" {
				wantTurned(t, name, r.text)
			}
		}
	}
}

// TestP13ShortNameStaysInItsLanguage: "the council" is a phrase of the organisation's own language. A reader of another
// finds the name in its place.
func TestP13ShortNameStaysInItsLanguage(t *testing.T) {
	t.Parallel()
	all, err := web.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	for _, own := range []string{"en", "de"} {
		c := newComposer(t, func(cfg *Config) { cfg.Text, cfg.Lang = all, own })
		for _, l := range all.Languages() {
			n := testNotice(t)
			n.Lang = l.Tag
			first, _, err := c.Notification(n)
			if err != nil {
				t.Fatal(err)
			}
			again, err := c.Reminder(Reminder{Notice: n, First: firstID, FirstSent: sentAt})
			if err != nil {
				t.Fatal(err)
			}
			for name, raw := range map[string][]byte{"notification": first.Raw, "reminder": again.Raw} {
				r := readMail(t, raw)
				if got := strings.Contains(r.text+r.html, "the council"); got != (l.Tag == own) {
					t.Errorf("organisation speaks %s, %s in %s: short name %t\n%s", own, name, l.Tag, got, r.text)
				}
			}
		}
	}
}

// wantTurned looks at the first letter of every paragraph above the sender's own lines.
func wantTurned(t *testing.T, name, text string) {
	t.Helper()
	text, _, _ = strings.Cut(text, "\n--\n")
	for paragraph := range strings.SplitSeq(strings.ReplaceAll(text, "\r", ""), "\n\n") {
		paragraph = strings.TrimSpace(paragraph)
		first := strings.IndexFunc(paragraph, unicode.IsLetter)
		if first < 0 || !strings.Contains(paragraph, " ") { // a link or a code
			continue
		}
		if r, _ := utf8.DecodeRuneInString(paragraph[first:]); !unicode.Is(unicode.Arabic, r) {
			t.Errorf("%s: a paragraph is shown from left to right: %s", name, paragraph)
		}
	}
}
