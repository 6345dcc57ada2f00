package main

import (
	"net/http"
	"strings"
	"testing"

	"postern/cmd/internal/demo"
)

// TestB12MovingTheMailServer: the organisation's mail server moves to another host. That is a change of route:
// accounts, messages and what was written before stay, and the answer to a message of before lands on the new server.
func TestB12MovingTheMailServer(t *testing.T) {
	t.Parallel()
	tr := startTrial(t, "")
	tr.send(t, "alice@example.org", []string{"bob@ext.example"}, letterText("Alice <alice@example.org>", "bob@ext.example", "[secure] Budget 2027", "<budget.1@example.org>", ""))
	bob := tr.person()
	message := bob.register(tr.link(tr.notes("bob@ext.example", 1)[0])).want(t, "Budget 2027", "A few words.")
	if err := tr.stop(); err != nil {
		t.Fatal(err)
	}

	old := tr.capture
	before := len(old.Mails())
	tr.capture = demo.NewCapture(1 << 20)
	tr.next = tr.serveCapture(tr.capture)
	tr.start()
	bob = tr.person()
	bob.signIn("bob@ext.example", goodPassword).want(t, "Budget 2027")
	bob.wantStatus(http.StatusOK, bob.get(message.url)).want(t, "Budget 2027", "A few words.")
	id := message.url[strings.LastIndex(message.url, "/")+1:]
	bob.wantStatus(http.StatusOK, bob.postFiles("/m/"+id+"/reply", [][2]string{{"text", "Noon it is."}}, upload{"answer.txt", "text/plain", []byte("attached answer")}))
	checkReply(t, tr.await("alice@example.org", "X-Postern-Kind: reply").Raw)
	tr.send(t, "alice@example.org", []string{"carol@ext.example"}, letterText("alice@example.org", "carol@ext.example", "Ordinary", "<ordinary@example.org>", ""))
	tr.await("carol@ext.example", "Subject: Ordinary")
	if after := len(old.Mails()); after != before {
		t.Errorf("the old server got %d mails after the move", after-before)
	}
}
