package pickup_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"postern/pickup"
	"postern/pickup/account"
	"postern/store"
	"postern/store/seal"
)

// stumbling fails to open the first link, as a store may that is too slow for a moment.
type stumbling struct {
	pickup.Messages
	failed *bool
}

func (s stumbling) OpenLink(ctx context.Context, secret seal.LinkSecret, who account.Signed) (store.RcptKey, error) {
	if !*s.failed {
		*s.failed = true
		return store.RcptKey{}, errors.New("the disk is slow")
	}
	return s.Messages.OpenLink(ctx, secret, who)
}

func stumble(c *pickup.Config) { c.Messages = stumbling{c.Messages, new(bool)} }

// TestC03ChosenPasswordCountsThoughTheMessageDoesNotOpen: the temporary password is used up by then, so whoever chose a
// password is in, and one more press opens the message.
func TestC03ChosenPasswordCountsThoughTheMessageDoesNotOpen(t *testing.T) {
	t.Parallel()
	w := newWorld(t, byTemporary, stumble)
	secret, _ := w.plant(joan, letter{subject: "Care plan", text: "Dear Joan"})
	v := w.visitor()
	v.follow(v.post(linkOf(secret), "step", "sign-in", "password", v.first(secret))).want(t, 200, "Choose a new password")
	a := v.post("/new-password", "password", password, "password2", password)
	if a.to() != linkOf(secret) {
		t.Fatalf("choosing leads to %d %q", a.status, a.to())
	}
	v.follow(a).want(t, 200, joan.String())
	v.follow(v.post(linkOf(secret))).want(t, 200, "Dear Joan")
	if log := w.log.String(); !strings.Contains(log, "the disk is slow") || strings.Contains(log, secret.Token(seal.TokenPickup)) {
		t.Errorf("the log: %s", log)
	}
}

// TestP11TypedCodeCountsThoughTheMessageDoesNotOpen: the same with a mailed code, which works once.
func TestP11TypedCodeCountsThoughTheMessageDoesNotOpen(t *testing.T) {
	t.Parallel()
	w := newWorld(t, byCode, stumble)
	secret, _ := w.plant(joan, letter{subject: "Care plan", text: "Dear Joan"})
	v := w.visitor()
	code, _ := v.askCode(secret)
	v.enter(secret, code).want(t, 500, "Try again.")
	v.follow(v.post(linkOf(secret))).want(t, 200, "Dear Joan")
}
