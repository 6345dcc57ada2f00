package intake

import (
	"slices"
	"testing"

	"postern/smtpd/policy"
	"postern/store"
)

const (
	flagged = "From: alice@example.org\r\nTo: bob@ext.example\r\nBcc: eve@ext.example\r\nSubject: [secure] Diagnosis of Mr Brown\r\nMessage-ID: <m1@example.org>\r\nDate: Mon, 2 Mar 2026 10:00:00 +0000\r\nX-Case: 4711\r\n\r\nHello\r\n"
	foreign = "From: carol@partner.example\r\nSubject: [secure] Diagnosis of Mr Brown\r\nMessage-ID: <m1@partner.example>\r\n\r\nHello\r\n"
	plain   = "From: alice@example.org\r\nSubject: Figures\r\nMessage-ID: <m1@example.org>\r\n\r\nHello\r\n"
)

// TestReportOfRefusedSharesOfAFlaggedMail: what a report about a flagged message returns is the five fields of MAIL 6.6,
// whatever it was refused for, and never its Bcc.
func TestReportOfRefusedSharesOfAFlaggedMail(t *testing.T) {
	t.Parallel()
	bank := policy.Rule{Name: "bank", Match: policy.Match{To: []string{"bank.example"}}, Action: "seal"}
	no := policy.Rule{Name: "no", Match: policy.Match{To: []string{"no.example"}}, Action: "reject", Reason: "Not there."}
	for _, tc := range []struct {
		name, from, raw string
		rcpts           []string
		secret          bool
	}{
		{"one recipient disabled, one sealed", "alice@example.org", flagged, []string{"off@ext.example", "bob@ext.example"}, true},
		{"foreign author, one recipient inside", "carol@partner.example", foreign, []string{"bob@ext.example", "alice@example.org"}, true},
		{"sealed by a rule, refused for its author", "carol@partner.example", "From: carol@partner.example\r\nSubject: Figures\r\n\r\nHello\r\n",
			[]string{"b@bank.example", "alice@example.org"}, true},
		{"sealed by a rule, another refused", "alice@example.org", plain, []string{"b@bank.example", "b@no.example"}, true},
		{"refused by a rule, nothing secret", "alice@example.org", plain, []string{"b@no.example", "bob@ext.example"}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			g := newGate(t, bank, no)
			g.disable("off@ext.example")
			env := envelope(tc.from, tc.rcpts...)
			g.take(env, tc.raw)
			if len(g.returned) == 0 || len(g.refused) != 1 {
				t.Fatalf("reports %+v on %+v", g.returned, g.refused)
			}
			got := g.returned[0]
			if tc.secret != (got.Excerpt != nil) || tc.secret == (got.Header != nil) {
				t.Errorf("returned: header %q, excerpt %+v", got.Header, got.Excerpt)
			}
			for _, item := range g.bed.Queue() {
				if item.Kind == store.KindRelay && internal(item.To.Address.Domain) && item.NeedTLS != tc.secret {
					t.Errorf("to %s: need of TLS is %v", item.To.Address, item.NeedTLS)
				}
			}
		})
	}
}

// TestI2RefusedShareIsInTheHistory, also when nobody wants a report (NOTIFY=NEVER, MAIL §4).
func TestI2RefusedShareIsInTheHistory(t *testing.T) {
	t.Parallel()
	for name, notify := range map[string]store.Notify{"default": 0, "NEVER": store.NotifyNever} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGate(t)
			g.disable("off@ext.example")
			env := envelope("alice@example.org", "off@ext.example", "bob@ext.example")
			env.Rcpts[0].Notify = notify
			g.take(env, flagged)
			rows := g.rows(env.ID)
			slices.Sort(rows)
			want := []string{"bob@ext.example seal queued", "off@ext.example reject refused"}
			if !slices.Equal(rows, want) {
				t.Errorf("history %q, want %q", rows, want)
			}
			reports := 0
			for _, item := range g.bed.Queue() {
				if item.Kind == store.KindDSN {
					reports++
				}
			}
			if want := 1 - int(notify&store.NotifyNever); reports != want {
				t.Errorf("%d reports, want %d", reports, want)
			}
		})
	}
}
