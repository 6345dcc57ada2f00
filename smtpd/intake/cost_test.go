package intake

import (
	"fmt"
	"strings"
	"testing"

	"postern/store"
)

// many lists addresses.
func many(n int) (out []string) {
	for i := range n {
		out = append(out, fmt.Sprintf("user%d@ext.example", i))
	}
	return out
}

// TestI8HeaderIsReadOnceForAllRecipients: the work on a message must not grow with the product of its header and its
// recipients, both of which are the sender's to make long.
func TestI8HeaderIsReadOnceForAllRecipients(t *testing.T) {
	const listed, rcpts = 1000, 41
	for _, subject := range []string{"Figures", "[secure] Figures"} {
		t.Run(subject, func(t *testing.T) {
			g := newGate(t)
			raw := "From: alice@example.org\r\nTo: " + strings.Join(many(listed), ",\r\n ") + "\r\nSubject: " + subject + "\r\n\r\nHello\r\n"
			cost := func(n int) float64 {
				return testing.AllocsPerRun(1, func() { g.take(envelope("alice@example.org", many(n)...), raw) })
			}
			cost(1)
			if each := (cost(rcpts) - cost(1)) / (rcpts - 1); each > listed {
				t.Errorf("%.0f allocations for one more recipient of a message that lists %d", each, listed)
			}
		})
	}
}

// TestI8ExcerptsAreShort: each notification carries what a report may name of its message.
func TestI8ExcerptsAreShort(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	long := strings.Repeat("Very Long ", 30_000)
	raw := "From: alice@example.org\r\nTo: " + strings.Join(many(20_000), ", ") + "\r\nSubject: [secure] " + long + "\r\n\r\nHello\r\n"
	g.take(envelope("alice@example.org", many(3)...), raw)
	for _, n := range g.notices {
		e := n.Original
		for field, text := range map[string]string{"From": e.From, "To": e.To, "Subject": e.Subject} {
			if text == "" || len(text) > 3000 {
				t.Errorf("%d octets of %s", len(text), field)
			}
		}
	}
	if len(g.notices) != 3 {
		t.Errorf("%d notifications", len(g.notices))
	}
}

// TestThreadMemoryKnowsEveryMessageID holds MAIL 3.6 for the Message-IDs that programs write and those that answer them
// read: an answer that is not recognised leaves in clear.
func TestThreadMemoryKnowsEveryMessageID(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ original, answer string }{
		{"Message-ID: <abc@example.org>", "In-Reply-To: <abc@example.org>"},
		{"Message-ID:\r\n <abc@example.org>", "References: <first@example.org>\r\n\t<abc@example.org>"},
		{"Message-ID: <abc@example.org> (added by mail.example.org)", "In-Reply-To: <abc@example.org>"},
		{"Message-ID: abc@example.org", "In-Reply-To: <abc@example.org>"},
		{"Message-ID: abc@example.org", "In-Reply-To: abc@example.org"},
		{"Message-ID: <abc\r\n @example.org>", "In-Reply-To: <abc@example.org>"},
		{"Message-ID: <<abc@example.org>>", "In-Reply-To: <<abc@example.org>>"},
		{"Message-ID: <one@example.org>\r\nMessage-ID: <two@example.org>", "In-Reply-To: <two@example.org>"},
	} {
		t.Run(tc.original, func(t *testing.T) {
			t.Parallel()
			g := newGate(t)
			g.take(envelope("alice@example.org", "bob@ext.example"), "From: alice@example.org\r\nSubject: [secure] x\r\n"+tc.original+"\r\n\r\nx\r\n")
			env := envelope("alice@example.org", "carol@ext.example")
			g.take(env, "From: alice@example.org\r\nSubject: Re: x\r\nMessage-ID: <other@example.org>\r\n"+tc.answer+"\r\n\r\nx\r\n")
			if got := g.rows(env.ID); len(got) != 1 || got[0] != fmt.Sprint("carol@ext.example ", store.ActionSeal, " ", store.StateQueued) {
				t.Errorf("the answer went %q", got)
			}
		})
	}
}
