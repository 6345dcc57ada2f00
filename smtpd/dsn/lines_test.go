package dsn_test

import (
	"bytes"
	"strings"
	"testing"

	"postern/smtpd/dsn"
	"postern/store"
)

// TestNoLineIsTooLong: whatever stands in the original, a report has no line over 998 octets and no control character,
// for which mail servers refuse it (RFC 5322 §2.1.1, MAIL 6.1).
func TestNoLineIsTooLong(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 1990)
	for name, spoil := range map[string]func(*dsn.Report){
		"Message-ID of a header": func(r *dsn.Report) {
			r.Original = dsn.Original{Header: []byte("Message-ID: <" + long + "@x>\r\nSubject: x\r\n\r\n")}
		},
		"Message-ID of a message": func(r *dsn.Report) {
			r.Original = dsn.Original{Message: []byte("Message-ID: <a\x01\x7fb@x>\r\nSubject: x\r\n\r\nHello\r\n")}
		},
		"excerpt": func(r *dsn.Report) {
			r.Original = dsn.Original{Excerpt: &store.Excerpt{From: long + "@example.org", To: long, Subject: "\x1b" + long, Date: long, MessageID: "<" + long + "@x>"}}
		},
		"excerpt in UTF-8 form": func(r *dsn.Report) {
			r.UTF8 = true
			r.Original = dsn.Original{Excerpt: &store.Excerpt{From: long, To: "Grüße " + long, Subject: "ü" + long}}
		},
		"ORCPT": func(r *dsn.Report) { r.Rcpts[0].ORcpt = "utf-8;" + strings.Repeat("ü", 250) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := report(t)
			spoil(&r)
			m, err := dsn.Compose(r, dsn.English())
			if err != nil {
				t.Fatal(err)
			}
			for line := range bytes.SplitSeq(m.Raw, []byte("\r\n")) {
				if len(line) > 998 {
					t.Errorf("%d octets: %.60q", len(line), line)
				}
				if i := bytes.IndexFunc(line, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }); i >= 0 {
					t.Errorf("control character in %.60q", line)
				}
			}
		})
	}
}
