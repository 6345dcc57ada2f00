package relay_test

import (
	"fmt"
	"strings"
	"testing"

	"postern/store"
)

// TestI5AddressBeyondASCIIHoldsUpNobody: where the next hop lacks SMTPUTF8, only those recipients fail that need it.
func TestI5AddressBeyondASCIIHoldsUpNobody(t *testing.T) {
	t.Parallel()
	e, s := newEnv(t), &sink{ext: []string{"8BITMIME"}}
	id := e.put(letter{utf8: true, rcpts: to("bob@ext.example", "bücher@ext.example", "carol@ext.example")})
	e.start(route(s.listen(t)))
	for n, want := range []store.State{store.StateDelivered, store.StateFailed, store.StateDelivered} {
		k := rcpt(id, uint32(n+1))
		e.await("an end", func() bool { return e.state(k).Final() })
		if got := e.recipient(k); got.State != want {
			t.Errorf("%s: %s (%s), want %s", got.Address, got.State, got.Detail, want)
		}
	}
}

// TestI5RecipientThatEndsTheConnectionHoldsUpNobody: a recipient at whose name the next hop hangs up is left out, so
// that those who share its message get theirs; a next hop that hangs up at every name is not asked for ever.
func TestI5RecipientThatEndsTheConnectionHoldsUpNobody(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{"-", "421 4.3.2 closing", "what?"} {
		t.Run(answer, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			s := &sink{onRcpt: func(line string) string {
				if strings.Contains(line, "poison") {
					return answer
				}
				return ""
			}}
			id := e.put(letter{from: "alice@example.org", rcpts: to("a@ext.example", "poison1@ext.example", "b@ext.example", "poison2@ext.example", "c@ext.example")})
			e.start(route(s.listen(t)))
			for n, poison := range []bool{false, true, false, true, false} {
				k := rcpt(id, uint32(n+1))
				e.await("a result", func() bool { item, ok := e.item(k); return !ok || item.Last != "" && item.Owner.IsZero() })
				if got := e.state(k); (got == store.StateDelivered) == poison {
					t.Errorf("recipient %d: %s", n+1, got)
				}
			}
			if got := s.count(); got != 1 {
				t.Errorf("%d messages arrived", got)
			}
		})
	}
	t.Run("at every name", func(t *testing.T) {
		t.Parallel()
		e, s := newEnv(t), &sink{onRcpt: func(string) string { return "-" }}
		var all []string
		for i := range 50 {
			all = append(all, fmt.Sprintf("r%d@ext.example", i))
		}
		id := e.put(letter{from: "alice@example.org", rcpts: to(all...)})
		e.start(route(s.listen(t)))
		e.await("a result for all", func() bool {
			for n := range all {
				if item, ok := e.item(rcpt(id, uint32(n+1))); !ok || item.Last == "" || !item.Owner.IsZero() {
					return false
				}
			}
			return true
		})
		if n := s.connections(); n > 5 {
			t.Errorf("%d connections", n)
		}
	})
}
