package relay_test

import (
	"strings"
	"testing"

	"postern/store"
)

// TestOriginalRecipientIsEncodedAnew: a backslash in an ORCPT must not become the beginning of an escape at the next
// hop, where it would decode to what was never in it (RFC 6533 §3).
func TestOriginalRecipientIsEncodedAnew(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		utf8 bool
		want string
	}{
		"SMTPUTF8":    {true, `ORCPT=UTF-8;ä\x{5C}x{0D}@ext.example`},
		"no SMTPUTF8": {false, `ORCPT=UTF-8;\x{E4}\x{5C}x{0D}@ext.example`}, // though the next hop has it
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, s := newEnv(t), &sink{ext: []string{"DSN", "8BITMIME", "SMTPUTF8"}}
			id := e.put(letter{from: "alice@example.org", utf8: tc.utf8, rcpts: []store.Rcpt{
				{Address: addr("bob@ext.example"), ORcpt: `utf-8;ä\x{0D}@ext.example`},
				{Address: addr("carol@ext.example"), ORcpt: `rfc822;a+b=c d@ext.example`},
				{Address: addr("dave@ext.example"), ORcpt: `x400;/C=GB/S=Dave ORCPT=RFC822;/`},
				{Address: addr("erin@ext.example")},
			}})
			e.start(route(s.listen(t)))
			e.await("delivery", func() bool { return e.state(rcpt(id, 4)) == store.StateDelivered })
			if strings.Contains(s.got()[0].from, "SMTPUTF8") != tc.utf8 {
				t.Errorf("%q", s.got()[0].from)
			}
			got := strings.Join(s.got()[0].rcpts, "\n")
			for _, want := range []string{tc.want, `ORCPT=RFC822;a+2Bb+3Dc+20d@ext.example`, `ORCPT=X400;/C+3DGB/S+3DDave+20ORCPT+3DRFC822;/`, `<erin@ext.example>`} {
				if !strings.Contains(got, want) {
					t.Errorf("no %s in\n%s", want, got)
				}
			}
		})
	}
}
