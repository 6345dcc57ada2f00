package mail

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func cardOf(raw []byte) Card { return NewCard(ParseHeader(raw), indexOf(raw, 0)) }

func TestCard(t *testing.T) {
	t.Parallel()
	c := cardOf(message(t, "testdata/mime/outlook.eml"))
	if list(c.From) != "Lindqvist, Maria <maria.lindqvist@example.org>" || list(c.To) != "joan.hartley@mail.example <joan.hartley@mail.example>" {
		t.Errorf("from %q to %q", list(c.From), list(c.To))
	}
	if c.Subject != "[secure] Care plan" || c.MessageID != "<DB9PR01MB7654A1B2C3D4E5F6@DB9PR01MB7654.eurprd01.prod.example>" {
		t.Errorf("subject %q id %q", c.Subject, c.MessageID)
	}
	if !c.Date.Equal(time.Date(2026, 6, 9, 9, 42, 7, 0, time.UTC)) || c.DateText != "Tue, 9 Jun 2026 09:42:07 +0000" {
		t.Errorf("date %v %q", c.Date, c.DateText)
	}
	if len(c.Parts) != 7 || c.Truncated {
		t.Errorf("%d parts, truncated %v", len(c.Parts), c.Truncated)
	}
}

func TestCardReadsBack(t *testing.T) {
	t.Parallel()
	for _, path := range files(t, "mime/*.eml") {
		c := cardOf(message(t, path))
		text := c.Encode()
		got, err := DecodeCard(text)
		if err != nil {
			t.Errorf("%s: %d octets, %v", filepath.Base(path), len(text), err)
		}
		if !got.Date.Equal(c.Date) {
			t.Errorf("%s: date %v", filepath.Base(path), got.Date)
		}
		got.Date = c.Date
		if !reflect.DeepEqual(nilEmpty(got), nilEmpty(c)) {
			t.Errorf("%s: got %+v\nwant %+v", filepath.Base(path), got, c)
		}
	}
}

func nilEmpty(c Card) Card {
	if len(c.References) == 0 {
		c.References = nil
	}
	return c
}

// TestCardFits: whatever a message has, its card has at most 16 KiB and keeps who wrote and the subject (KEYS K5).
func TestCardFits(t *testing.T) {
	t.Parallel()
	many := func(n int, format string) string {
		var out strings.Builder
		for i := range n {
			fmt.Fprintf(&out, format, i)
		}
		return out.String()
	}
	h := "From: Al <a@x.example>\r\nMessage-ID: <m@x>\r\nDate: Tue, 9 Jun 2026 10:42:07 +0100\r\n"
	tests := []struct{ name, more string }{
		{"recipients", "To: " + many(2000, "Name <r%d@x.example>,\r\n ") + "z@x.example\r\nCc: " + many(1000, "Name <c%d@x.example>,\r\n ") + "z@x.example\r\n"},
		{"references", "References: " + many(200, "<"+strings.Repeat("i", 500)+"%d@x.example>\r\n ") + "\r\n"},
		{"subject", "Subject: " + strings.Repeat("\x01\u2028ä\"\\<&", 3000) + "\r\n"},
		{"reply-to", "Reply-To: " + many(2000, "r%d@x.example,\r\n ") + "z@x.example\r\n"},
		{"names", "To: " + many(3, "%d"+strings.Repeat("ä", 20000)+" <r@x.example>,\r\n ") + "z@x.example\r\n"},
		{"date", "Date: " + strings.Repeat("x", 20000) + "\r\n"},
		{"long id", "In-Reply-To: <" + strings.Repeat("x", 20000) + ">\r\n"},
		{"parts", "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + many(1500, "--b\r\nContent-Type: application/pdf; name=\"file %d.pdf\"\r\n\r\nx\r\n")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			text := cardOf([]byte(h + tt.more)).Encode()
			c, err := DecodeCard(text)
			if err != nil || len(text) > maxCard || !c.Truncated && tt.name != "date" && tt.name != "long id" && tt.name != "names" {
				t.Fatalf("%d octets, truncated %v, %v", len(text), c.Truncated, err)
			}
			if list(c.From) != "Al <a@x.example>" || c.MessageID != "<m@x>" || c.Date.IsZero() {
				t.Errorf("card %+v", c)
			}
			if tt.name == "names" && len(c.To) != 4 {
				t.Errorf("%d recipients", len(c.To))
			}
			if tt.name == "references" && (len(c.References) == 0 || !strings.HasSuffix(c.References[len(c.References)-1], "199@x.example>")) {
				t.Errorf("%d references", len(c.References))
			}
			if tt.name == "parts" && len(c.Parts) < 50 {
				t.Errorf("only %d parts", len(c.Parts))
			}
		})
	}
}

func TestCardDates(t *testing.T) {
	t.Parallel()
	tests := []struct {
		in   string
		want time.Time
	}{
		{"Tue, 9 Jun 2026 10:42:07 +0100", time.Date(2026, 6, 9, 9, 42, 7, 0, time.UTC)},
		{"9 Jun 2026 10:42 +0100 (BST)", time.Date(2026, 6, 9, 9, 42, 0, 0, time.UTC)},
		{"Tue,  9 Jun 2026\r\n 10:42:07 GMT", time.Date(2026, 6, 9, 10, 42, 7, 0, time.UTC)},
		{"Tue, 9 Jun 2026 10:42:07 +2430", time.Date(2026, 6, 8, 10, 12, 7, 0, time.UTC)}, // no zone that JSON can hold
		{"Tue, 9 Jun 0000 10:42:07 +0000", time.Time{}},
		{"yesterday", time.Time{}},
		{"", time.Time{}},
	}
	for _, tt := range tests {
		c := NewCard(header("Date: "+tt.in), nil)
		if !c.Date.Equal(tt.want) {
			t.Errorf("%q: %v", tt.in, c.Date)
		}
		if _, err := DecodeCard(c.Encode()); err != nil {
			t.Errorf("%q: %v", tt.in, err)
		}
	}
}

func TestDecodeCardRefusesOthers(t *testing.T) {
	t.Parallel()
	if _, err := DecodeCard([]byte("{")); err == nil {
		t.Error("no error")
	}
	if !json.Valid(bytes.TrimSpace(Card{}.Encode())) {
		t.Error("an empty card is no JSON")
	}
}
