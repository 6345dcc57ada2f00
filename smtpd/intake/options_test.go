package intake

import (
	"testing"
	"time"

	"postern/smtpd/policy"
	"postern/store"
)

// TestOptionsOfARuleAreThoseOfItsRecipients: what one rule says weakens or tightens nothing for the others.
func TestOptionsOfARuleAreThoseOfItsRecipients(t *testing.T) {
	t.Parallel()
	g := newGate(t,
		policy.Rule{Name: "long", Match: policy.Match{To: []string{"long.example"}}, Action: "seal", Options: policy.Options{Expire: 90 * 24 * time.Hour}},
		policy.Rule{Name: "short", Match: policy.Match{To: []string{"short.example"}}, Action: "seal", Options: policy.Options{Expire: time.Hour, NoReply: true}},
		policy.Rule{Name: "plain", Match: policy.Match{To: []string{"plain.example"}}, Action: "seal"})
	env := envelope("alice@example.org", "a@long.example", "b@short.example", "c@plain.example")
	g.take(env, plain)
	err := g.Store.View(t.Context(), func(tx store.Tx) error {
		m, err := tx.Messages().Get(env.ID)
		if !m.Expires.Equal(env.At.Add(90 * 24 * time.Hour)) {
			t.Errorf("the last share ends at %s", m.Expires)
		}
		for n, want := range []time.Duration{90 * 24 * time.Hour, time.Hour, g.ExpireAfter} {
			k := store.RcptKey{Message: env.ID, N: uint32(n + 1)}
			r, rowErr := tx.Messages().Recipient(k)
			if rowErr != nil {
				return rowErr
			}
			if !r.Expires.Equal(env.At.Add(want)) || r.NoReply != (n == 1) {
				t.Errorf("%s: ends after %s, no reply %t", r.Address, r.Expires.Sub(env.At), r.NoReply)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
