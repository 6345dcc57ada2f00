package main

import (
	"net/http"
	"strings"
	"testing"

	"postern/cmd/internal/demo"
)

// alias adds an address to the account of a person who is signed in, through the mail that goes to it.
func (p *person) alias(tr *trial, address string) demo.Mail {
	tr.t.Helper()
	p.wantStatus(http.StatusOK, p.post("/settings/address", "do", "add", "alias", address, "old", goodPassword)).want(tr.t, "Waiting", address)
	m := tr.await(address, "X-Postern-Origin: v1 account")
	link := linkIn(m.View().Text, "http://"+tr.site+"/a/")
	if link == "" {
		tr.t.Fatalf("no link alone on a line in\n%s", m.Raw)
	}
	p.get(link).want(tr.t, "Yes, add this address")
	p.wantStatus(http.StatusOK, p.post(link, "do", "add")).want(tr.t, "The address has been added")
	return m
}

// TestB14AliasThroughTheGateway: what is sealed for an address before it is confirmed as an alias waits for its link, and
// what comes afterwards is in the inbox of the one account; replies come from the address that was written to.
func TestB14AliasThroughTheGateway(t *testing.T) {
	t.Parallel()
	tr := startTrial(t, "")
	send := func(to, subject string) {
		tr.send(t, "alice@example.org", []string{to}, letterText("Alice <alice@example.org>", to, "[secure] "+subject, "<"+strings.ReplaceAll(subject, " ", ".")+"@example.org>", ""))
	}
	send("bob@ext.example", "first letter")
	bob := tr.person()
	bob.register(tr.link(tr.notes("bob@ext.example", 1)[0]))
	tr.confirm(bob, "bob@ext.example")
	send("robert@ext.example", "early letter")
	early := tr.link(tr.notes("robert@ext.example", 1)[0])
	bob.get("/").without(t, "early letter", "Waiting for its link")
	bob.wantStatus(http.StatusForbidden, bob.post(early))

	bob.alias(tr, "robert@ext.example")
	tr.await("bob@ext.example", "X-Postern-Origin: v1 account")
	bob.get("/").want(t, "Waiting for its link").without(t, "early letter")
	bob.wantStatus(http.StatusOK, bob.post(early)).want(t, "early letter")
	send("robert@ext.example", "late letter")
	tr.notes("robert@ext.example", 2)
	item := bob.get("/").want(t, "late letter").href(t, "^/m/") // the newest stands first
	bob.wantStatus(http.StatusOK, bob.post(item+"/open")).want(t, "A few words.")
	bob.wantStatus(http.StatusOK, bob.postFiles(item+"/reply", [][2]string{{"text", "An answer from Robert"}}))
	if reply := string(tr.await("alice@example.org", "An answer from Robert").Raw); !strings.Contains(reply, "robert@ext.example") || strings.Contains(reply, "bob@ext.example") {
		t.Errorf("the reply is not from the alias:\n%s", reply)
	}
	bob.post("/sign-out")
	bob.wantStatus(http.StatusOK, bob.signIn("Robert@EXT.example", goodPassword)).want(t, "late letter")
	tr.cli("user", "disable", "robert@ext.example")
	bob.get("/").without(t, "late letter")
	tr.cli("user", "enable", "robert@ext.example")
	bob.wantStatus(http.StatusOK, bob.signIn("bob@ext.example", goodPassword)).want(t, "late letter")
	tr.cli("user", "alias", "remove", "bob@ext.example", "robert@ext.example")
	bob.wantStatus(http.StatusOK, bob.signIn("bob@ext.example", goodPassword)).without(t, "late letter")
	tr.await("robert@ext.example", "was removed from an account")
	if out := tr.cli("user", "show", "robert@ext.example"); !strings.Contains(out, "Has a password") || strings.Contains(out, "bob@ext.example") {
		t.Errorf("the address afterwards:\n%s", out)
	}
}
