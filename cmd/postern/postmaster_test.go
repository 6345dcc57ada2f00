package main

import (
	"fmt"
	"strings"
	"testing"
)

// TestPostmasterGetsLettersOfStrangers plays a host of the internet against the program: what it writes to the
// postmaster arrives at the organisation's postmaster as written, relaying stays shut, no report goes to the address
// that it gave, and a letter that goes round in circles ends (RFC 5321 §4.5.1, MAIL 6.4).
func TestPostmasterGetsLettersOfStrangers(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, "")
	m := tr.server("DSN")
	tr.also(func(config string) string {
		return strings.Replace(config, `smtp: {`, `smtp: {trusted_networks: ["192.0.2.0/24"], `, 1)
	})
	tr.start()
	d := tr.dialogue()
	d.say("EHLO out.example", "250")
	d.say("MAIL FROM:<sue@out.example>", "250")
	d.say("RCPT TO:<bob@ext.example>", "550 5.7.1 Relaying denied")
	d.say("RCPT TO:<alice@example.org>", "550 5.7.1 Relaying denied")
	d.say("RCPT TO:<Postmaster>", "250")
	d.say("RCPT TO:<postmaster@gateway.example.org> NOTIFY=SUCCESS,FAILURE", "250")
	letter := string(letterText("Sue <sue@out.example>", "postmaster@gateway.example.org", "[secure] Your gateway", "<1@out.example>", ""))
	d.say("DATA", "354")
	d.write(letter + ".\r\n")
	d.hear("250")
	got := m.await(t, "postmaster@example.org")
	if !strings.HasSuffix(string(got.raw), letter) || !strings.HasPrefix(string(got.raw), "Received: from out.example ") {
		t.Errorf("the letter arrived as\n%s", got.raw)
	}
	for _, r := range got.rcpts {
		if !strings.Contains(r, "<postmaster@example.org>") || !strings.Contains(r, "NOTIFY=NEVER") {
			t.Errorf("offered to %s", r)
		}
	}

	begin := func() {
		d.say("MAIL FROM:<sue@out.example>", "250")
		d.say("RCPT TO:<postmaster>", "250")
		d.say("DATA", "354")
	}
	begin()
	for i := range 4 {
		d.write(fmt.Sprintf("Received: from a by gateway.example.org (Postern) with ESMTP id %d; Mon, 2 Mar 2026 10:00:00 +0000\r\n", i))
	}
	d.write(letter + ".\r\n")
	d.hear("554 5.4.6 Routing loop detected")

	m.change(func(line string) string {
		if strings.HasPrefix(line, "RCPT") {
			return "550 5.1.1 no such mailbox"
		}
		return ""
	})
	begin()
	d.write(letter + ".\r\n")
	d.hear("250")
	tr.waitForEmptyQueue(t)
	if n := len(m.all()); n != 1 {
		t.Errorf("%d mails left the gateway, want the one letter: %s", n, m.list())
	}
}
