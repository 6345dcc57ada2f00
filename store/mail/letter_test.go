package mail

import (
	"bytes"
	"errors"
	"io"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode/utf8"

	"postern/store"
)

func box(name, address string) Mailbox {
	a, err := store.ParseAddress(address)
	if err != nil {
		panic(address)
	}
	return Mailbox{Name: name, Address: a}
}

func ptr(m Mailbox) *Mailbox { return &m }

var sent = time.Date(2026, 6, 9, 10, 42, 7, 0, time.FixedZone("BST", 3600))

func letters() map[string]Letter {
	return map[string]Letter{
		"notification": {
			From: ptr(box("Maria Lindqvist via Example County Council", "securemail@example.org")), ReplyTo: ptr(box("Maria Lindqvist", "maria.lindqvist@example.org")),
			To: []Mailbox{box("", "joan.hartley@mail.example")}, Subject: "Maria Lindqvist of Example County Council has written to you",
			MessageID: "<m3zkq7d0h5vw2xj8c1tb6n4yra@gateway.example.org>", Date: sent,
			Fields: [][2]string{{"Auto-Submitted", "auto-generated"}, {"X-Auto-Response-Suppress", "DR, RN, NRN, AutoReply"}},
			Text:   "Maria Lindqvist has written to you.\n\nhttps://secure-mail.example.org/p/1000g40r40m30e209185gr38e1w8124gk9d90\n\nSent: today\n",
		},
		"reply": {
			From: ptr(box("Jörg Ößler (joerg@ext.example) via Beispielkreis mit einem langen Namen", "securemail@example.org")),
			To:   []Mailbox{box("Doe, Jane \"JD\"", "jane@example.org"), box("=?utf-8?Q?x?=", "odd@example.org"), box("日本", "nihon@例え.example")},
			Cc:   []Mailbox{box("", "a@example.org"), box("", "b@example.org"), box("", "c@example.org"), box("", "d@example.org")}, Date: sent,
			Subject:   "Re: Größere Änderungen am Plan für das Straßenfest, die alle angehen und deshalb lang sind 日本語の件名",
			MessageID: "<1@gw.example.org>", InReplyTo: "<0@example.org>", References: []string{"<first-of-a-thread@example.org>", "<second-of-a-thread@example.org>", "<0@example.org>"},
			Text:        "Grüße\nFrom here on\n.\n" + strings.Repeat("long line ", 20) + "\n",
			HTML:        "<p>Grüße</p>",
			Attachments: []Attachment{{"Pläne für den Sommer und den Herbst des nächsten Jahres.pdf", "application/pdf", strings.NewReader(strings.Repeat("PDF ", 40))}, {"a \"quoted\" name.eml", "message/rfc822", strings.NewReader("x")}, {"", "no type", nil}, {"two words.txt", "text/plain; charset=utf-8", strings.NewReader("")}},
		},
		"subject": {Subject: "a\r\nBcc: smuggled@x.example\x00", Date: sent, Text: "x", Fields: [][2]string{{"X-Empty", ""}, {"X-Long", strings.Repeat("y", 200)}, {"X-Blanks", "a  b"}}},
	}
}

var boundaries = regexp.MustCompile(`=_[0-9a-hjkmnp-tv-z]{24}`)

// TestLetter compares letters with testdata/letter/*.eml, boundaries numbered.
func TestLetter(t *testing.T) {
	t.Parallel()
	for name, l := range letters() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			raw := render(t, l)
			names := map[string]string{}
			text := boundaries.ReplaceAllStringFunc(raw, func(b string) string {
				if names[b] == "" {
					names[b] = "=_boundary-" + string(rune('1'+len(names)))
				}
				return names[b]
			})
			golden(t, filepath.Join("testdata", "letter", name+".eml"), strings.ReplaceAll(text, "\r\n", "\n"))
		})
	}
}

// render renders a letter and holds what is true of each (MAIL 6.1).
func render(t *testing.T, l Letter) string {
	t.Helper()
	var out bytes.Buffer
	if err := l.Render(&out); err != nil {
		t.Fatal(err)
	}
	raw := out.String()
	if strings.Contains(strings.ReplaceAll(raw, "\r\n", ""), "\n") || strings.Contains(strings.ReplaceAll(raw, "\r\n", ""), "\r") || !strings.HasSuffix(raw, "\r\n") {
		t.Error("a line does not end in CRLF")
	}
	for line := range strings.SplitSeq(raw, "\r\n") {
		if len(line) > 76 {
			t.Errorf("line of %d: %q", len(line), line)
		}
		if strings.ContainsFunc(line, func(r rune) bool { return r >= utf8.RuneSelf || r < ' ' && r != '\t' }) {
			t.Errorf("not ASCII: %q", line)
		}
	}
	return raw
}

// TestLetterReadsBack: what was written is what a reader gets.
func TestLetterReadsBack(t *testing.T) {
	t.Parallel()
	l := letters()["reply"]
	raw := []byte(render(t, l))
	h := ParseHeader(raw)
	if got := Decode(h.Get("Subject")); got != l.Subject {
		t.Errorf("subject %q", got)
	}
	to, err := h.Addresses("To")
	if want := "Doe, Jane JD <jane@example.org> | =?utf-8?Q?x?= <odd@example.org> | 日本 <nihon@xn--r8jz45g.example>"; err != nil || list(to) != want {
		t.Errorf("to %q, %v", list(to), err)
	}
	if got := h.MessageIDs("References"); len(got) != 3 {
		t.Errorf("references %q", got)
	}
	parts := indexOf(raw, 0)
	checkIndex(t, raw, parts)
	var names []string
	for _, p := range parts {
		names = append(names, p.Type+":"+p.Name)
	}
	want := "multipart/mixed: multipart/alternative: text/plain: text/html: application/pdf:Pläne für den Sommer und den Herbst des nächsten Jahres.pdf application/octet-stream:a \"quoted\" name.eml application/octet-stream: text/plain:two words.txt"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("parts %s", got)
	}
	text, _ := io.ReadAll(DecodeCharset(DecodePart(bytes.NewReader(raw[parts[2].Offset:parts[2].Offset+parts[2].Length]), parts[2].Encoding), parts[2].Charset))
	if want := crlf(strings.TrimSuffix(l.Text, "\n")); strings.TrimSuffix(string(text), "\r\n") != want {
		t.Errorf("text %q", text)
	}
}

// TestLetterKeepsTheLinkOnOneLine: the text part is 7bit when it can be.
func TestLetterKeepsTheLinkOnOneLine(t *testing.T) {
	t.Parallel()
	l := letters()["notification"]
	if raw := render(t, l); !strings.Contains(raw, "\r\nhttps://secure-mail.example.org/p/1000g40r40m30e209185gr38e1w8124gk9d90\r\n") || strings.Contains(raw, "quoted") {
		t.Error("link is broken")
	}
}

func TestLetterStreamsAttachments(t *testing.T) {
	t.Parallel()
	n := 0
	l := Letter{Date: sent, Text: "x", More: func() (Attachment, error) {
		if n++; n > 2 {
			return Attachment{}, io.EOF
		}
		return Attachment{Name: "a", Body: iotest.OneByteReader(io.LimitReader(zeros{}, 1000))}, nil
	}}
	raw := []byte(render(t, l))
	parts := indexOf(raw, 0)
	if len(parts) != 4 || parts[3].Size != 1000 || parts[3].Line != 76 {
		t.Errorf("parts %+v", parts)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func TestLetterErrors(t *testing.T) {
	t.Parallel()
	lost := errors.New("lost")
	read := Letter{Date: sent, Attachments: []Attachment{{Body: iotest.ErrReader(lost)}}}
	if err := read.Render(io.Discard); !errors.Is(err, lost) {
		t.Errorf("reading: %v", err)
	}
	more := Letter{Date: sent, More: func() (Attachment, error) { return Attachment{}, lost }}
	if err := more.Render(io.Discard); !errors.Is(err, lost) {
		t.Errorf("next: %v", err)
	}
	write := Letter{Date: sent, Text: "x", HTML: "y", Attachments: []Attachment{{Body: strings.NewReader("x")}}}
	n := 0
	for ; ; n++ {
		err := write.Render(&failing{after: n, err: lost})
		if err == nil {
			break
		}
		if !errors.Is(err, lost) {
			t.Errorf("write %d: %v", n, err)
		}
	}
	if n < 20 {
		t.Errorf("a letter of only %d writes: errors are dropped", n)
	}
}

type failing struct {
	after int
	err   error
}

func (f *failing) Write(p []byte) (int, error) {
	if f.after--; f.after < 0 {
		return 0, f.err
	}
	return len(p), nil
}

func TestCleanDisplayName(t *testing.T) {
	t.Parallel()
	tests := []struct{ in, want string }{
		{"Maria Lindqvist", "Maria Lindqvist"},
		{"  Maria\t\r\n Lindqvist ", "Maria Lindqvist"},
		{`"Maria" «L» “x” O'Brien`, "Maria L x O'Brien"},
		{"a\u202egnp.exe\u202c\u200b\x00\x1b[31m", "agnp.exe[31m"},
		{`a\" <b@c>`, "a b@c"},
		{"a\xffb", "ab"},
		{strings.Repeat("ä", 100), strings.Repeat("ä", 64)},
		{strings.Repeat("x", 63) + " y", strings.Repeat("x", 63)},
		{"\u0646\u06cc\u0645\u200c\u0641\u0627\u0635\u0644\u0647", "\u0646\u06cc\u0645\u200c\u0641\u0627\u0635\u0644\u0647"},
		{"", ""},
	}
	for _, tt := range tests {
		if got := CleanDisplayName(tt.in); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.in, got, tt.want)
		}
	}
}
