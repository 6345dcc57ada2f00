package main

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestBackupRestores goes by docs/operations.md: the data folder without keys/ is copied while the gateway stands, the
// server key was saved apart. Of these two another gateway is made. Who had an account reads on, who had an unused link
// uses it, and mail that waited in the queue ends with a report that asks its sender to send again; none of it goes out.
func TestBackupRestores(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, "")
	tr.retry = "300ms"
	hop := tr.behind()
	hop.shut.Store(false)
	tr.start()
	send := func(to, subject string) {
		tr.send(t, "alice@example.org", []string{to}, damageMail(to, subject, true))
	}
	send("bob@ext.example", "[secure] read before")
	send("carol@ext.example", "[secure] never opened")
	bob := tr.person()
	message := bob.register(tr.link(tr.notes("bob@ext.example", 1)[0])).want(t, "read before").url
	link := tr.link(tr.notes("carol@ext.example", 1)[0])
	tr.waitForEmptyQueue(t)
	hop.shut.Store(true)
	send("dave@ext.example", "ordinary")
	send("erin@ext.example", "[secure] not yet told")
	if err := tr.stop(); err != nil {
		t.Fatal(err)
	}

	data := filepath.Join(tr.dir, "data")
	serverKey, err := os.ReadFile(filepath.Join(data, "keys", "server.key"))
	if err != nil {
		t.Fatal(err)
	}
	copied := t.TempDir()
	copyFolder(t, data, copied)
	for _, folder := range []string{data, filepath.Join(copied, "keys")} {
		if err := os.RemoveAll(folder); err != nil {
			t.Fatal(err)
		}
	}
	copyFolder(t, copied, data)
	mkdir(t, filepath.Join(data, "keys"))
	writeFile(t, filepath.Join(data, "keys", "server.key"), serverKey, 0o600)
	hop.shut.Store(false)
	tr.start()

	bob.wantStatus(http.StatusOK, bob.get(message)).want(t, "read before", "A few words.")
	again := tr.person()
	again.wantStatus(http.StatusOK, again.signIn("bob@ext.example", goodPassword))
	again.wantStatus(http.StatusOK, again.get(message)).want(t, "A few words.")
	tr.person().register(link).want(t, "never opened", "A few words.")
	for _, to := range []string{"dave@ext.example", "erin@ext.example"} {
		report := tr.await("alice@example.org", "message/delivery-status", to)
		if !strings.Contains(report.View().Text, "Please send it") {
			t.Errorf("the report about %s does not ask to send again:\n%s", to, report.Raw)
		}
	}
	send("dave@ext.example", "ordinary once more")
	tr.await("dave@ext.example", "Subject: ordinary once more")
	tr.waitForEmptyQueue(t)
	for _, m := range tr.capture.Mails() {
		if m.To[0] == "erin@ext.example" || m.To[0] == "dave@ext.example" && !bytes.Contains(m.Raw, []byte("once more")) {
			t.Errorf("mail that waited went out, although its key was not in the copy:\n%s", m.Raw[:200])
		}
	}
}
