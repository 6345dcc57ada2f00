package mail

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func read(s string, max int) (Header, string, string, error) {
	br := bufio.NewReaderSize(iotest.HalfReader(strings.NewReader(s)), 16)
	h, raw, err := ReadHeader(br, max)
	rest, _ := io.ReadAll(br)
	return h, string(raw), string(rest), err
}

func TestReadHeader(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 300)
	tests := []struct {
		name, in, raw string
		fields        string // names and values
	}{
		{"usual", "A: 1\r\nB: 2\r\n\r\nbody\r\n", "A: 1\r\nB: 2\r\n\r\n", "A=1|B=2"},
		{"no body", "A: 1\r\n\r\n", "A: 1\r\n\r\n", "A=1"},
		{"ends with the message", "A: 1\r\nB: 2\r\n", "A: 1\r\nB: 2\r\n", "A=1|B=2"},
		{"ends within a line", "A: 1\r\nB: 2", "A: 1\r\nB: 2", "A=1|B=2"},
		{"no header", "\r\nbody\r\n", "\r\n", ""},
		{"empty message", "", "", ""},
		{"folded", "A: 1\r\n 2\r\n\t3\r\nB:\r\n 4\r\n\r\n", "A: 1\r\n 2\r\n\t3\r\nB:\r\n 4\r\n\r\n", "A=1 2\t3|B=4"},
		{"line of blanks is no end", "A: 1\r\n \r\nB: 2\r\n\r\n", "A: 1\r\n \r\nB: 2\r\n\r\n", "A=1|B=2"},
		{"blank before the colon", "A : 1\r\nB\t:2\r\n\r\n", "A : 1\r\nB\t:2\r\n\r\n", "A=1|B=2"},
		{"fold before the colon", "A\r\n : 1\r\nB\r\n\t\r\n : 2\r\n\r\n", "A\r\n : 1\r\nB\r\n\t\r\n : 2\r\n\r\n", "A=1|B=2"},
		{"lines that are no fields", "From x Mon Jan  1 10:00:00\r\nA: 1\r\njunk\r\n more\r\n: 5\r\nB: 2\r\n\r\n", "From x Mon Jan  1 10:00:00\r\nA: 1\r\njunk\r\n more\r\n: 5\r\nB: 2\r\n\r\n", "A=1|B=2"},
		{"first line folded", " x: 1\r\nA: 1\r\n\r\n", " x: 1\r\nA: 1\r\n\r\n", "A=1"},
		{"8-bit name", "Ä: 1\r\nA: 1\r\n\r\n", "Ä: 1\r\nA: 1\r\n\r\n", "A=1"},
		{"byte order mark", "\ufeffA: 1\r\n\r\n", "\ufeffA: 1\r\n\r\n", "A=1"},
		{"plain line ends", "A: 1\nB: 2\n\nbody", "A: 1\nB: 2\n\n", "A=1|B=2"},
		{"line longer than the buffer", "A: " + long + "\r\n\r\nbody", "A: " + long + "\r\n\r\n", "A=" + long},
		{"colon in the value", "A: b: c\r\n\r\n", "A: b: c\r\n\r\n", "A=b: c"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h, raw, rest, err := read(tt.in, 1000)
			if err != nil || raw != tt.raw || raw+rest != tt.in {
				t.Fatalf("raw %q, rest %q, %v", raw, rest, err)
			}
			var fields []string
			for _, f := range h.Fields {
				fields = append(fields, f.Name+"="+f.Value())
			}
			if got := strings.Join(fields, "|"); got != tt.fields {
				t.Errorf("fields %q, want %q", got, tt.fields)
			}
			if got := Strip([]byte(raw)); string(got) != tt.raw {
				t.Errorf("Strip of nothing: %q", got)
			}
		})
	}
}

func TestHeaderTooLarge(t *testing.T) {
	t.Parallel()
	exact := "A: 1\r\n\r\n"
	if _, _, _, err := read(exact+"body", len(exact)); err != nil {
		t.Errorf("header of exactly the limit: %v", err)
	}
	_, raw, rest, err := read(exact+"body", len(exact)-1)
	if !errors.Is(err, ErrHeaderTooLarge) || raw+rest != exact+"body" {
		t.Errorf("raw %q, rest %q: %v", raw, rest, err)
	}
	if _, raw, _, err := read(strings.Repeat("x", 5000), 100); !errors.Is(err, ErrHeaderTooLarge) || len(raw) > 200 {
		t.Errorf("endless line: %d octets, %v", len(raw), err)
	}
}

func TestReadHeaderReturnsReadErrors(t *testing.T) {
	t.Parallel()
	want := fmt.Errorf("cut: %w", io.ErrUnexpectedEOF)
	br := bufio.NewReader(io.MultiReader(strings.NewReader("A: 1\r\nB"), iotest.ErrReader(want)))
	if _, raw, err := ReadHeader(br, 1000); err != want || string(raw) != "A: 1\r\nB" {
		t.Errorf("raw %q, err %v", raw, err)
	}
}

func TestHeaderLookup(t *testing.T) {
	t.Parallel()
	h := header("Received: 1", "To: a", "received : 2", "TO: b", "Empty:")
	if h.Get("to") != "a" || h.Get("Empty") != "" || h.Get("none") != "" {
		t.Error("Get")
	}
	if got := h.All("RECEIVED"); len(got) != 2 || got[1] != "2" {
		t.Errorf("All = %q", got)
	}
	if !h.Has("Empty") || h.Has("none") || h.Count("to") != 2 {
		t.Error("Has, Count")
	}
}

// TestI6Strip: what is taken out leaves every other octet as it was.
func TestI6Strip(t *testing.T) {
	t.Parallel()
	const raw = "From x\r\nBCC: a,\r\n\tb\r\nTo:  c \r\nbcc : d\r\nResent-Bcc: e\r\nX-Bcc: f\r\njunk\r\n\r\n"
	want := "From x\r\nTo:  c \r\nX-Bcc: f\r\njunk\r\n\r\n"
	if got := Strip([]byte(raw), "Bcc", "Resent-Bcc"); string(got) != want {
		t.Errorf("got %q", got)
	}
	body := "\r\nBcc: in the body\r\n"
	if got := Strip([]byte("Bcc: a\r\n"+body), "Bcc"); string(got) != body {
		t.Errorf("got %q", got)
	}
}

func TestMessageIDs(t *testing.T) {
	t.Parallel()
	tests := []struct{ in, want string }{
		{"<a@b>", "<a@b>"},
		{"<a@b> <c@d>\r\n <e@f>", "<a@b> <c@d> <e@f>"},
		{"<a@b><c@d>", "<a@b> <c@d>"},
		{"Your message of Monday <a@b>", "<a@b>"},
		{"<a@\r\n b>", "<a@b>"},
		{"<a <b@c>", "<b@c>"},
		{"<a@b", ""},
		{"<>", ""},
		{"a@b", "<a@b>"},
		{"none", ""},
	}
	for _, tt := range tests {
		if got := strings.Join(header("References: "+tt.in).MessageIDs("references"), " "); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.in, got, tt.want)
		}
	}
	var many bytes.Buffer
	for i := range 300 {
		fmt.Fprintf(&many, " <%d@x>\r\n", i)
	}
	ids := ParseHeader([]byte("References:" + many.String() + "\r\n")).MessageIDs("References")
	if len(ids) != 200 || ids[199] != "<299@x>" {
		t.Errorf("%d ids, last %s", len(ids), ids[len(ids)-1])
	}
}

func TestNewMessageID(t *testing.T) {
	t.Parallel()
	a, b := NewMessageID("gw.example.org"), NewMessageID("gw.example.org")
	if a == b || len(a) != len("<@gw.example.org>")+26 {
		t.Errorf("%s, %s", a, b)
	}
}

func TestEncrypted(t *testing.T) {
	t.Parallel()
	tests := []struct {
		in   string
		want bool
	}{
		{"multipart/encrypted; protocol=\"application/pgp-encrypted\"; boundary=b", true},
		{"application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m", true},
		{"Application/X-PKCS7-MIME; SMIME-Type=\"authEnveloped-data\"", true},
		{"application/pkcs7-mime; smime-type=signed-data", false},
		{"application/pkcs7-mime; name=smime.p7m", false}, // may be signed only
		{"multipart/signed; boundary=b", false},
		{"", false},
	}
	for _, tt := range tests {
		if got := header("Content-Type: " + tt.in).Encrypted(); got != tt.want {
			t.Errorf("%s: %v", tt.in, got)
		}
	}
}

func TestNormaliseSubject(t *testing.T) {
	t.Parallel()
	if got := NormaliseSubject(" \u200bＲｅ：\u00a0 a\u00adb \t c "); got != "Re: ab c" {
		t.Errorf("got %q", got)
	}
}
