package guard

import (
	"fmt"
	"strings"
	"testing"
)

func TestRepliesAreOneSafeLineWithReference(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture, p *peer) {
		p.Send("RCPT TO:<" + strings.Repeat("\u00e4", 300) + ">\r\n")
		p.Want("502")
		p.Send("EHLO " + strings.Repeat("\u00e4", 900) + "\r\n")
		for _, line := range strings.Split(strings.TrimSuffix(p.Want("250"), "\r\n"), "\r\n") {
			if len(line) > 298 || strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r > '~' }) {
				t.Fatalf("line %q", line)
			}
		}
		p.Send(strings.Repeat("y", 4) + " " + strings.Repeat("\u00e4", 900) + "\r\n")
		got := p.Want("500")
		ref := got[strings.Index(got, "(ref ")+5 : strings.Index(got, ")\r\n")]
		id, n, _ := strings.Cut(ref, "-")
		if len(got) > 300 || len(id) != 10 || n == "" {
			t.Fatalf("reply %q", got)
		}
	})
}

func TestRewrite(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture, p *peer) {
		p.Send("NOOP\r\n")
		p.Want("250 2.0.0 NOOP said 250 2.0.0")
		p.Send("RCPT TO:<a@b.example>\r\n")
		p.Want("502 5.5.1 RCPT said 502 5.5.1 (ref ")
		r := <-f.refused
		for r.Verb == "MAIL" { // of the harness
			r = <-f.refused
		}
		if r.Verb != "RCPT" || r.Code != 502 || r.Text != "RCPT said 502 5.5.1" {
			t.Fatalf("told %+v", r)
		}
	}, func(c *Config) {
		c.Rewrite = func(_ *Conn, r Reply) Reply {
			if r.Verb == "NOOP" || r.Verb == "RCPT" {
				r.Text = fmt.Sprintf("%s said %d %s", r.Verb, r.Code, r.Status)
			}
			return r
		}
	})
}
