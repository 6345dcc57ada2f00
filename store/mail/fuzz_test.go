package mail

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"postern/store"
)

func seedMessages(f *testing.F) {
	f.Helper()
	names, err := filepath.Glob("testdata/mime/*.eml")
	if err != nil || len(names) == 0 {
		f.Fatal("no seeds", err)
	}
	for _, n := range names {
		f.Add(message(f, n))
	}
}

func seedSubjects(f *testing.F) {
	f.Helper()
	text, err := os.ReadFile("testdata/tags.txt")
	if err != nil {
		f.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if s, err := strconv.Unquote(strings.TrimSpace(line)); err == nil {
			f.Add(s)
		}
	}
}

// oneLine reports whether a text may stand on a page or in a record.
func oneLine(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

func FuzzReadHeader(f *testing.F) {
	seedMessages(f)
	f.Fuzz(func(t *testing.T, in []byte) {
		br := bufio.NewReaderSize(bytes.NewReader(in), 16)
		h, raw, err := ReadHeader(br, 500)
		rest, _ := io.ReadAll(br)
		if !bytes.Equal(slices.Concat(raw, rest), in) {
			t.Fatal("octets are lost")
		}
		if err != nil {
			if !errors.Is(err, ErrHeaderTooLarge) || len(in) <= 500 {
				t.Fatal(err)
			}
			return
		}
		if !bytes.Equal(Strip(raw), raw) {
			t.Fatal("Strip changes what it keeps")
		}
		for _, field := range h.Fields {
			if field.Name == "" || strings.ContainsAny(field.Name, ": \r\n\t") || strings.Contains(field.Value(), "\n") {
				t.Fatalf("field %q: %q", field.Name, field.Value())
			}
			left := ParseHeader(Strip(raw, field.Name))
			if left.Has(field.Name) || len(left.Fields) != len(h.Fields)-h.Count(field.Name) {
				t.Fatalf("without %q: %q", field.Name, left.Fields)
			}
		}
		_, _ = h.Author()
		_ = NewCard(h, nil).Encode()
	})
}

func FuzzDecode(f *testing.F) {
	seedSubjects(f)
	f.Fuzz(func(t *testing.T, s string) {
		for _, text := range readings(s) {
			if !oneLine(text) {
				t.Fatalf("%q", text)
			}
		}
		if !strings.Contains(s, "=?") && oneLine(s) && Decode(s) != s {
			t.Fatalf("plain text became %q", Decode(s))
		}
	})
}

func FuzzFindTags(f *testing.F) {
	seedSubjects(f)
	f.Fuzz(func(t *testing.T, s string) {
		subject := Decode(s)
		end := 0
		for _, tag := range FindTags(subject, tagWords, true) {
			if tag.Start < 0 || tag.End <= tag.Start || tag.End > len(subject) || !slices.Contains(tagWords, tag.Word) {
				t.Fatalf("tag %+v in %q", tag, subject)
			}
			if !utf8.ValidString(subject[tag.Start:tag.End]) {
				t.Fatalf("tag %+v cuts a character", tag)
			}
			end = max(end, tag.End)
		}
		if shown := CutTag(subject, tagWords); !oneLine(shown) || len(shown) > len(subject) || end == 0 && shown != subject {
			t.Fatalf("shown %q", shown)
		}
		if len(FindTags("[secure] "+subject, tagWords, false)) == 0 {
			t.Fatal("text behind a tag hides it")
		}
	})
}

func FuzzAddresses(f *testing.F) {
	for _, s := range []string{`"Bo, Al" <a@x.example>, b@x.example`, "Team: a@x.example;", "Al (B <a@x.example>", "<@r:a@x.example>", "=?utf-8?Q?X,_Y?= <a@x.example>", "a@[192.0.2.1]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		boxes, _ := parseList(s)
		for _, m := range boxes {
			if again, err := store.ParseAddress(m.Address.String()); err != nil || again != m.Address {
				t.Fatalf("address %q: %v", m.Address, err)
			}
			if !oneLine(m.Name) {
				t.Fatalf("name %q", m.Name)
			}
		}
	})
}

func FuzzIndexer(f *testing.F) {
	seedMessages(f)
	f.Fuzz(func(t *testing.T, in []byte) {
		parts := indexOf(in, 0)
		checkIndex(t, in, parts)
		if !slices.Equal(indexOf(in, 7), parts) {
			t.Fatal("pieces change the index")
		}
		for _, p := range parts {
			for _, s := range []string{p.Type, p.Charset, p.Disposition, p.Name, p.ContentID, p.Encoding} {
				if !utf8.ValidString(s) || len(s) > maxName {
					t.Fatalf("part %+v", p)
				}
			}
		}
		if c, err := DecodeCard(NewCard(ParseHeader(in), parts).Encode()); err != nil || !c.Truncated && !slices.Equal(c.Parts, parts) {
			t.Fatalf("card: %v", err)
		}
	})
}

func FuzzScrub(f *testing.F) {
	for _, s := range []string{vectorP, vectorP[:18] + "\r\n550-5.7.1 " + vectorP[18:], "7hk2-m3zk-q7d0-h5vw", "%2Fp%2F" + vectorR, "a\x00\u202eb\xff"} {
		f.Add(s, 3)
	}
	f.Fuzz(func(t *testing.T, s string, at int) {
		if problem := safe(Scrub(s)); problem != "" {
			t.Fatalf("%s in %q", problem, Scrub(s))
		}
		at = max(0, min(at, len(s)))
		with := s[:at] + " " + vectorP + " " + s[at:]
		if left := leak(Scrub(with), vectorP); left != "" && leak(s, vectorP) == "" {
			t.Fatalf("%q is left of %q", left, with)
		}
	})
}

func FuzzLetter(f *testing.F) {
	f.Add("Jörg", "Re: Größe", "text\nFrom x", "a ü.pdf")
	f.Add("\"", "=?utf-8?Q?x?=", "\xff\r", strings.Repeat("x", 200))
	f.Fuzz(func(t *testing.T, name, subject, text, file string) {
		from := box(name, "a@x.example")
		l := Letter{From: &from, Subject: subject, Text: text, HTML: text, Date: sent, Attachments: []Attachment{{Name: file, Type: name, Body: strings.NewReader(text)}}}
		raw := []byte(render(t, l))
		h := ParseHeader(raw)
		want := strings.TrimSpace(cleanLine(strings.ToValidUTF8(subject, "\ufffd")))
		if got := Decode(h.Get("Subject")); got != want || len(h.Fields) != 5 {
			t.Fatalf("subject %q, want %q; %d fields", got, want, len(h.Fields))
		}
		if m, err := h.Author(); err != nil || m.Address != from.Address {
			t.Fatalf("author %v, %v", m, err)
		}
		parts := indexOf(raw, 0)
		checkIndex(t, raw, parts)
		if len(parts) != 5 || parts[4].Size != int64(len(text)) {
			t.Fatalf("parts %+v", parts)
		}
	})
}
