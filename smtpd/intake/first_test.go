package intake

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"postern/store"
	"postern/store/seal"
)

// TestC03NotificationIsFollowedByTemporaryPassword: in that mode each notification to an address without account is
// followed by a mail with a temporary password of its own, made durable with it; nobody else gets one, and the store
// keeps no password.
func TestC03NotificationIsFollowedByTemporaryPassword(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGate(t)
		raw := "From: Alice <alice@example.org>\r\nTo: bob@a.example\r\nSubject: [secure] x\r\n\r\nhi\r\n"
		g.take(envelope("alice@example.org", "bob@a.example"), raw)
		if len(g.passwords) != 0 {
			t.Fatalf("%d temporary passwords without being asked for", len(g.passwords))
		}
		g.FirstAccess = store.AccessTemporary
		g.bed.Person(addr("carol@a.example"), store.Confirmed)
		receipt := g.take(envelope("alice@example.org", "bob@a.example", "carol@a.example", "BOB@a.example"), raw)
		if len(g.passwords) != 1 || g.passwords[0].To != addr("bob@a.example") {
			t.Fatalf("temporary passwords %+v, want one for bob", g.passwords)
		}
		p := g.passwords[0]
		typed, err := seal.ParseTemporary(p.Password)
		must(t, err)
		var row store.Token
		g.bed.View(func(tx store.Tx) (err error) {
			row, err = tx.Tokens().Peek(typed.Tag("bob@a.example"), store.PurposeTemp, time.Now())
			return err
		})
		want := time.Now().Add(14 * 24 * time.Hour).Truncate(time.Millisecond)
		if !row.Ends.Equal(want) || !p.Until.Equal(row.Ends) || row.About.Message != receipt.ID || row.Owner != "bob@a.example" || len(row.Sealed) > 0 {
			t.Errorf("the row is %+v, the mail says %s", row, p.Until)
		}
		found := 0
		for _, item := range g.bed.Queue() {
			raw, _, err := g.bed.Outbox.Open(item)
			if err == nil && bytes.Contains(raw, []byte(p.Password)) {
				found++
			}
		}
		if found != 1 {
			t.Errorf("%d mails have the password, want 1", found)
		}
		for range 6 {
			g.take(envelope("alice@example.org", "bob@a.example"), raw)
		}
		g.bed.View(func(tx store.Tx) error {
			live, err := tx.Tokens().Of(store.PurposeTemp, "bob@a.example", time.Now())
			if len(live) != 5 {
				t.Errorf("%d live temporary passwords, want 5", len(live))
			}
			return err
		})
	})
}
