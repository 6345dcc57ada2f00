package main

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"net/mail"
	"strings"
	"testing"

	"github.com/emersion/go-smtp"
)

// letterText is a small plain mail.
func letterText(from, to, subject, id, inReplyTo string) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "From: %s\r\nTo: %s\r\nSubject: %s\r\nDate: Mon, 2 Mar 2026 10:00:00 +0000\r\nMessage-ID: %s\r\n", from, to, subject, id)
	if inReplyTo != "" {
		fmt.Fprintf(&b, "In-Reply-To: %s\r\nReferences: %s\r\n", inReplyTo, inReplyTo)
	}
	b.WriteString("MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nA few words.\r\n")
	return []byte(b.String())
}

// trySend gives a mail to the gateway as a mail server does.
func (tr *trial) trySend(from string, to []string, raw []byte) error {
	conn, err := net.Dial("tcp", tr.smtp)
	if err != nil {
		return err
	}
	c := smtp.NewClient(conn)
	defer c.Close()
	if err := c.Hello("mail.example.org"); err != nil {
		return err
	}
	if err := c.SendMail(from, to, bytes.NewReader(raw)); err != nil {
		return err
	}
	return c.Quit()
}

func (tr *trial) send(t testing.TB, from string, to []string, raw []byte) {
	t.Helper()
	if err := tr.trySend(from, to, raw); err != nil {
		t.Fatal(err)
	}
}

func headerOf(t testing.TB, raw []byte) mail.Header {
	t.Helper()
	m, err := mail.ReadMessage(bufio.NewReader(bytes.NewReader(raw)))
	if err != nil {
		t.Fatalf("%v in\n%s", err, raw)
	}
	return m.Header
}
