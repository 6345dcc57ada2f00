package main

import (
	"bytes"
	"fmt"
	"net/textproto"
	"strings"
	"testing"
)

// talk is an SMTP client that says exactly what it is told.
type talk struct {
	t    testing.TB
	conn *textproto.Conn
}

func (tr *trial) talk(t testing.TB) *talk {
	t.Helper()
	conn, err := textproto.Dial("tcp", tr.smtp)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	c := &talk{t: t, conn: conn}
	c.expect(220)
	c.say(250, "EHLO mail.example.org")
	return c
}

// reply reads a reply, whatever it is.
func (c *talk) reply() (code int, text string) {
	c.t.Helper()
	code, text, err := c.conn.ReadResponse(0)
	if code == 0 {
		c.t.Fatalf("no reply: %v", err)
	}
	return code, text
}

func (c *talk) expect(want int) string {
	c.t.Helper()
	code, text := c.reply()
	if code != want {
		c.t.Fatalf("the gateway answered %d %s, want %d", code, text, want)
	}
	return text
}

// say sends a line and returns the text of the reply that is expected.
func (c *talk) say(want int, line string) string {
	c.t.Helper()
	c.put([]byte(line + "\r\n"))
	return c.expect(want)
}

func (c *talk) put(octets []byte) {
	c.t.Helper()
	c.conn.W.Write(octets)
	if err := c.conn.W.Flush(); err != nil {
		c.t.Fatal(err)
	}
}

// envelope begins a message. from and to may carry parameters behind the address.
func (c *talk) envelope(from string, to []string) {
	c.t.Helper()
	c.say(250, "MAIL FROM:"+path(from))
	for _, r := range to {
		c.say(250, "RCPT TO:"+path(r))
	}
}

// path puts an address into angle brackets; parameters follow it after a blank.
func path(s string) string {
	address, params, _ := strings.Cut(s, " ")
	return strings.TrimSpace("<" + address + "> " + params)
}

// mail sends a message by DATA and returns the text of the 250.
func (c *talk) mail(from string, to []string, raw []byte) string {
	c.t.Helper()
	c.envelope(from, to)
	return c.data(250, raw)
}

func (c *talk) data(want int, raw []byte) string {
	c.t.Helper()
	c.say(354, "DATA")
	stuffed := bytes.ReplaceAll(raw, []byte("\r\n."), []byte("\r\n.."))
	if bytes.HasPrefix(raw, []byte(".")) {
		stuffed = append([]byte("."), stuffed...)
	}
	c.put(append(stuffed, ".\r\n"...))
	return c.expect(want)
}

// chunks sends a message by BDAT, in pieces of so many octets.
func (c *talk) chunks(raw []byte, size int) string {
	c.t.Helper()
	for len(raw) > size {
		c.put(append(fmt.Appendf(nil, "BDAT %d\r\n", size), raw[:size]...))
		c.expect(250)
		raw = raw[size:]
	}
	c.put(append(fmt.Appendf(nil, "BDAT %d LAST\r\n", len(raw)), raw...))
	return c.expect(250)
}

func (c *talk) quit() {
	c.t.Helper()
	c.say(221, "QUIT")
	c.conn.Close()
}

// queuedAs is the id in the reply to a message.
func queuedAs(t testing.TB, text string) string {
	t.Helper()
	_, id, ok := strings.Cut(text, "queued as ")
	if !ok {
		t.Fatalf("no id in the reply %q", text)
	}
	return id
}
