package main

import (
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"postern/cmd/internal/config"
)

var passwordLine = regexp.MustCompile(`(?m)^ +([0-9a-z]{4}(?:-[0-9a-z]{4}){3})\r?$`)

// TestC03FirstAccessByTemporaryPassword sends through a real gateway: two mails come, one with the link and one with the
// password; together they lead to the choice of a password and into the message. The next message has one mail alone.
func TestC03FirstAccessByTemporaryPassword(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, "")
	tr.also(func(config string) string {
		return strings.Replace(config, "pickup: {", "pickup: {first_access: temporary-password, ", 1)
	})
	tr.start()
	tr.send(t, "alice@example.org", []string{"bob@ext.example"}, letterText("Alice <alice@example.org>", "bob@ext.example", "[secure] First", "<first@example.org>", ""))
	note := tr.notes("bob@ext.example", 1)[0]
	link := tr.link(note)
	second := tr.await("bob@ext.example", "temporary password", "X-Postern-Origin: v1 account")
	m := passwordLine.FindStringSubmatch(second.View().Text)
	if m == nil || strings.Contains(string(note.Raw), m[1]) || strings.Contains(string(second.Raw), "/p/") {
		t.Fatalf("the two mails are not apart:\n%s\n%s", note.Raw, second.Raw)
	}
	bob := tr.person()
	bob.wantStatus(http.StatusOK, bob.post(link, "step", "sign-in", "password", m[1])).want(t, "Choose a new password")
	page := bob.wantStatus(http.StatusOK, bob.post("/new-password", "password", goodPassword, "password2", goodPassword))
	page.want(t, "First", "A few words.")
	tr.await("bob@ext.example", "A password was chosen for")
	tr.waitForEmptyQueue(t)
	before := len(tr.capture.Mails())
	tr.send(t, "alice@example.org", []string{"bob@ext.example"}, letterText("Alice <alice@example.org>", "bob@ext.example", "[secure] Next", "<next@example.org>", ""))
	tr.notes("bob@ext.example", 2)
	tr.waitForEmptyQueue(t)
	if n := len(tr.capture.Mails()) - before; n != 1 {
		t.Errorf("the second message caused %d mails, want its notification alone", n)
	}
	bob.get("/").want(t, "Next")
}

// TestEveryFirstAccessWithEveryRecoveryStarts: every combination is a valid configuration.
func TestEveryFirstAccessWithEveryRecoveryStarts(t *testing.T) {
	t.Parallel()
	for _, access := range []string{"password", "temporary-password", "code"} {
		for _, recovery := range []string{"activate", "temporary-password", "reset-link"} {
			tr := newTrial(t, "")
			tr.also(func(config string) string {
				return strings.Replace(config, "pickup: {", "pickup: {first_access: "+access+", recovery: "+recovery+", ", 1)
			})
			tr.writeConfig()
			cfg, err := config.Load(filepath.Clean(tr.configPath()), nil)
			if err != nil || cfg.Pickup.FirstAccess != access || cfg.Pickup.Recovery != recovery {
				t.Errorf("%s with %s: %v", access, recovery, err)
				continue
			}
			tr.start()
			tr.person().get("/sign-in").want(t, "Sign in")
		}
	}
}
