package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// minSize leaves room for the header fields of a test message.
const minSize = 512

const (
	recipientDomain = "sink.example"
	senderDomain    = "load.example"
	firstField      = "X-Load-Number: "
)

// letter makes the n-th message: the same octets for the same number. Its first field is a mark; what a relay prepends
// comes before it, so everything from there on must arrive unchanged.
func letter(n int, o options) []byte {
	var b bytes.Buffer
	b.Grow(o.size + 128)
	subject := "Load"
	if secure(n, o.secure) {
		subject = "[secure] Load"
	}
	fmt.Fprintf(&b, "%s%d\r\nFrom: Load Test <%s>\r\nTo: r%d@%s\r\nSubject: %s %d\r\n", firstField, n, sender(n), n, recipientDomain, subject, n)
	fmt.Fprintf(&b, "Date: Mon, 2 Mar 2026 10:00:00 +0000\r\nMessage-ID: <%d.%d@%s>\r\nMIME-Version: 1.0\r\n", n, o.size, senderDomain)
	b.WriteString("Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 7bit\r\n\r\n")
	rnd := rand.New(rand.NewPCG(uint64(n), 1))
	const line = 74
	for b.Len() < o.size-line-2 {
		writeLine(&b, rnd, line)
	}
	writeLine(&b, rnd, max(1, o.size-b.Len()-2))
	return b.Bytes()
}

// sender is another person every few hundred messages: a gateway bounds what one author may have sealed in an hour.
func sender(n int) string { return fmt.Sprintf("s%d@%s", n/400, senderDomain) }

func writeLine(b *bytes.Buffer, rnd *rand.Rand, n int) {
	const letters = "abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ 0123456789"
	for range n {
		b.WriteByte(letters[rnd.IntN(len(letters))])
	}
	b.WriteString("\r\n")
}

// secure spreads the flagged messages evenly over the run.
func secure(n, percent int) bool { return n*percent/100 != (n-1)*percent/100 }

// numberOf reads the message's number from its recipient, who is its own.
func numberOf(rcpt string) (int, bool) {
	local, domain, _ := strings.Cut(rcpt, "@")
	n, err := strconv.Atoi(strings.TrimPrefix(local, "r"))
	return n, err == nil && domain == recipientDomain
}

// digest covers a message from its mark on.
func digest(raw []byte) [sha256.Size]byte {
	i := bytes.Index(raw, []byte(firstField))
	return sha256.Sum256(raw[max(i, 0):])
}
