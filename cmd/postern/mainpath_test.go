package main

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/mail"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"postern/cmd/testneed"
)

// TestMainPath sends a flagged mail with swaks and follows it to the reply in the sender's mailbox, without scripts
// (A8 A9 A11 P5 P6 P9 P12).
func TestMainPath(t *testing.T) {
	t.Parallel()
	swaks := testneed.Program(t, "swaks")
	tr := startTrial(t, "")
	file := randomFile(t, tr.dir, "report.pdf", 300<<10)
	out, err := exec.Command(swaks, "--server", tr.smtp, "--from", "alice@example.org", "--to", "bob@ext.example",
		"--header", "From: Alice Example <alice@example.org>", "--header", "Subject: [secure] Budget 2027",
		"--header", "Message-Id: <budget.1@example.org>", "--body", "Dear Bob, the canary sings at noon.",
		"--attach-name", "report.pdf", "--attach-type", "application/pdf", "--attach", "@"+file).CombinedOutput()
	if err != nil {
		t.Fatalf("swaks: %v\n%s", err, out)
	}

	note := tr.await("bob@ext.example", "X-Postern-Origin: v1 notification")
	if text := note.View().Text + note.View().HTML + note.View().Subject; strings.Contains(text, "Budget") || strings.Contains(text, "canary") {
		t.Errorf("the notification tells what the message is about:\n%s", note.Raw)
	}
	link := tr.link(note)

	bob := tr.person()
	bob.get(link).want(t, "Alice Example", "bob@ext.example").without(t, "Budget", "canary")
	message := bob.register(link).want(t, "Budget 2027", "report.pdf").without(t, "[secure]")
	if !strings.Contains(message.url, "/m/") {
		t.Fatalf("registration led to %s", message.url)
	}
	id := message.url[strings.LastIndex(message.url, "/")+1:]
	bob.get("/m/"+id+"/text").want(t, "the canary sings at noon")
	part := bob.wantStatus(http.StatusOK, bob.get(message.href(t, `/part/`)))
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal([]byte(part.body), want) {
		t.Errorf("the attachment has %d octets that differ from the %d sent", len(part.body), len(want))
	}
	if d := part.header.Get("Content-Disposition"); !strings.HasPrefix(d, "attachment") || !strings.Contains(d, "report.pdf") {
		t.Errorf("Content-Disposition: %s", d)
	}
	stranger := tr.person()
	stranger.get(message.url).without(t, "Budget", "canary").want(t, `name="password"`)

	reply := bob.postFiles("/m/"+id+"/reply", [][2]string{{"text", "Noon it is.\nBob"}}, upload{"answer.txt", "text/plain", []byte("attached answer")})
	bob.wantStatus(http.StatusOK, reply)
	checkReply(t, tr.await("alice@example.org", "X-Postern-Kind: reply").Raw)
	bob.get("/sent").want(t, "Budget 2027")
}

// checkReply holds a reply from the site to MAIL §6: it threads, names the person, and carries the file.
func checkReply(t *testing.T, raw []byte) {
	t.Helper()
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"Subject": "Re: Budget 2027", "In-Reply-To": "<budget.1@example.org>", "References": "<budget.1@example.org>", "Reply-To": "bob@ext.example",
	} {
		if got := m.Header.Get(name); !strings.Contains(got, want) {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if from := m.Header.Get("From"); !strings.Contains(from, "securemail@example.org") || !strings.Contains(from, "via Example County Council") {
		t.Errorf("From is %q", from)
	}
	if m.Header.Get("Auto-Submitted") != "" {
		t.Error("a person wrote it, so it is not Auto-Submitted")
	}
	if !bytes.Contains(raw, []byte(base64.StdEncoding.EncodeToString([]byte("attached answer")))) || !bytes.Contains(raw, []byte("Noon it is.")) {
		t.Errorf("text or file is missing:\n%s", raw)
	}
}

func randomFile(t testing.TB, dir, name string, size int) string {
	t.Helper()
	data := make([]byte, size)
	rand.Read(data)
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestMainPathSenderAnswersSealedAgain: the sender's ordinary answer to a reply from the site, and to the notification,
// is sealed by itself (P5, MAIL 3.6); where a rule of the mail server decides what comes here, by the tag that the reply
// keeps (MAIL T7).
func TestMainPathSenderAnswersSealedAgain(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, "")
	tr.env = []string{"POSTERN_PICKUP_REPLY_KEEP_TAG=true"}
	tr.start()
	tr.send(t, "alice@example.org", []string{"bob@ext.example"}, letterText("Alice <alice@example.org>", "bob@ext.example", "[secure] First", "<first@example.org>", ""))
	note := tr.await("bob@ext.example", "X-Postern-Origin: v1 notification")
	bob := tr.person()
	message := bob.register(tr.link(note))
	tr.confirm(bob, "bob@ext.example")
	id := message.url[strings.LastIndex(message.url, "/")+1:]
	bob.wantStatus(http.StatusOK, bob.postFiles("/m/"+id+"/reply", [][2]string{{"text", "My answer."}}))
	reply := headerOf(t, tr.await("alice@example.org", "X-Postern-Kind: reply").Raw)
	if got := reply.Get("Subject"); got != "Re: [secure] First" {
		t.Errorf("subject of the reply: %q", got)
	}
	for i, parent := range []string{reply.Get("Message-Id"), headerOf(t, note.Raw).Get("Message-Id")} {
		subject := fmt.Sprintf("Re: First %d", i)
		tr.send(t, "alice@example.org", []string{"bob@ext.example"},
			letterText("Alice <alice@example.org>", "bob@ext.example", subject, fmt.Sprintf("<again%d@example.org>", i), parent))
		out, code := tr.postern("message", "trace", fmt.Sprintf("<again%d@example.org>", i))
		if code != 0 || !strings.Contains(out, "seal, rule thread") {
			t.Errorf("the answer was not sealed by its thread (exit %d):\n%s", code, out)
		}
	}
	bob.get("/").want(t, "Re: First 0", "Re: First 1")
}
