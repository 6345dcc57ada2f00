package pickup_test

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestK8InboxSaysWhatAProvisionalAccountMisses: new messages are not in its inbox; the page must say so, and not that
// they appear by themselves.
func TestK8InboxSaysWhatAProvisionalAccountMisses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, _, _ := w.account(joan)
	w.advance(time.Second)
	later, _ := w.plant(joan, letter{subject: "Sent afterwards", text: "x"})
	const note, empty = "New messages do not appear here by themselves yet", "and the message appears here."
	if a := v.get("/"); !strings.Contains(a.body, note) || strings.Contains(a.body, "Sent afterwards") {
		t.Errorf("the inbox of a provisional account: %s", a.body)
	}
	v.post(linkOf(later))
	if a := v.get("/"); strings.Contains(a.body, note) || !strings.Contains(a.body, "Sent afterwards") {
		t.Errorf("the inbox after opening a later link: %s", a.body)
	}
	w.advance(20 * time.Minute)
	other, _, _ := w.account(peter)
	w.end(peter, "expired")
	if a := other.get("/"); !strings.Contains(a.body, "No messages at the moment") || strings.Contains(a.body, empty) {
		t.Errorf("the empty inbox of a provisional account: %s", a.body)
	}
	w.confirm(peter)
	if a := other.get("/"); !strings.Contains(a.body, empty) || strings.Contains(a.body, note) {
		t.Errorf("the empty inbox of a confirmed account: %s", a.body)
	}
}

// TestK8DisownedAddressRegistersByNewerLinks: whoever has one forwarded link cannot begin again with it after the owner
// said "it was not me". A newer link registers the owner, and the older ones then open their messages.
func TestK8DisownedAddressRegistersByNewerLinks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, first, _ := w.account(joan)
	w.advance(29 * 24 * time.Hour / 2)
	v := w.visitor()
	if a := v.post("/w/"+w.welcomeToken(), "answer", "not-me", "sure", "yes"); !strings.Contains(a.body, "The password no longer works") {
		t.Fatalf("not me: %d %s", a.status, a.body)
	}
	for name, a := range map[string]answer{"link": v.get(linkOf(first)), "form": v.get(linkOf(first) + "?step=register"),
		"registration": v.post(linkOf(first), "step", "register", "password", password, "password2", password)} {
		if a.status != http.StatusForbidden || !strings.Contains(a.body, "This link sets no password any more") || strings.Contains(a.body, `name="password"`) {
			t.Errorf("%s from before: %d %s", name, a.status, a.body)
		}
	}
	w.advance(time.Minute)
	second, _ := w.plant(joan, letter{subject: "Second", text: "The second text"})
	const other = "Cobalt lantern by the 9 oaks"
	a := v.follow(v.post(linkOf(second), "step", "register", "password", other, "password2", other))
	if !strings.Contains(a.body, "The second text") {
		t.Fatalf("with a new password: %d %s", a.status, a.body)
	}
	if a := v.follow(v.post(linkOf(first))); !strings.Contains(a.body, "The text of the first message.") {
		t.Errorf("the first message by its own link: %d %s", a.status, a.body)
	}
}

// TestMessageSaysWhyThereIsNoReply: either its sender wants none, or it came from outside.
func TestMessageSaysWhyThereIsNoReply(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, _, _ := w.account(joan)
	const switchedOff, outside = "The sender has switched replies off", "Replies from this site go to people at <bdi>the council</bdi> only, and <bdi>Eve</bdi> wrote from elsewhere."
	from := maria
	from.Name, from.Address.Domain = "Eve", "elsewhere.example"
	for _, test := range []struct {
		letter     letter
		want, lack string
	}{
		{letter{subject: "x", text: "x", noReply: true}, switchedOff, outside},
		{letter{subject: "x", text: "x", from: from}, outside, switchedOff},
		{letter{subject: "x", text: "x"}, "/reply\"", switchedOff},
	} {
		a := v.get(w.opened(v, joan, test.letter))
		if !strings.Contains(a.body, test.want) || strings.Contains(a.body, test.lack) {
			t.Errorf("without %q or with %q", test.want, test.lack)
		}
	}
}
