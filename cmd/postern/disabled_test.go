package main

import (
	"net/http"
	"strings"
	"testing"
)

// TestB08SecureMailToADisabledUser: refused after the data when no recipient is left, else reported for that one alone;
// ordinary mail passes, and so does an answer from the site, which goes to the mailbox of a sender who is disabled.
func TestB08SecureMailToADisabledUser(t *testing.T) {
	t.Parallel()
	tr := startTrial(t, "")
	tr.must("user", "invite", "bob@ext.example", "--class", "guest")
	wantParts(t, tr.must("user", "disable", "bob@ext.example"), "bob@ext.example is disabled.")
	mail := func(subject, id string) []byte {
		return letterText("alice@example.org", "bob@ext.example", subject, "<"+id+"@example.org>", "")
	}
	if err := tr.trySend("alice@example.org", []string{"bob@ext.example"}, mail("[secure] One", "one")); status(err) != [3]int{5, 2, 1} {
		t.Errorf("alone: %v", err)
	}
	tr.send(t, "alice@example.org", []string{"bob@ext.example", "carol@ext.example"}, mail("[secure] Two", "two"))
	link := tr.link(tr.await("carol@ext.example", "X-Postern-Origin: v1 notification"))
	report := string(tr.await("alice@example.org", "Status: 5.2.1").Raw)
	if !strings.Contains(report, "bob@ext.example") || strings.Contains(report, "carol@ext.example") {
		t.Errorf("the report is not about that one alone:\n%s", report)
	}
	tr.send(t, "alice@example.org", []string{"bob@ext.example"}, mail("Ordinary", "three"))
	tr.await("bob@ext.example", "Subject: Ordinary")
	for _, m := range tr.capture.Mails() {
		if m.To[0] == "bob@ext.example" && strings.Contains(string(m.Raw), "X-Postern-Origin: v1 notification") {
			t.Error("the disabled user got a notification")
		}
	}
	tr.must("user", "invite", "alice@example.org", "--class", "member")
	tr.must("user", "disable", "alice@example.org")
	carol := tr.person()
	page := carol.register(link).want(t, "Two")
	carol.wantStatus(http.StatusOK, carol.postFiles(page.url+"/reply", [][2]string{{"text", "Noted."}})).want(t, "Your reply has been sent")
	tr.await("alice@example.org", "X-Postern-Kind: reply")
	tr.must("user", "enable", "alice@example.org")
	tr.must("user", "enable", "bob@ext.example")
	wantParts(t, tr.must("user", "show", "bob@ext.example"), "invited") // not active by accident (B9)
	tr.send(t, "alice@example.org", []string{"bob@ext.example"}, mail("[secure] Four", "four"))
	tr.await("bob@ext.example", "X-Postern-Origin: v1 notification")
}
