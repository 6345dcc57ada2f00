package testnet

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// Peer is an SMTP client as a test writes one: it sends what it is told to and looks at every reply.
type Peer struct {
	net.Conn
	T        testing.TB
	R        *bufio.Reader // of Conn
	Patience time.Duration // how long a reply may take
}

// NewPeer talks over a connection, which is closed when the test ends.
func NewPeer(t testing.TB, c net.Conn) *Peer {
	t.Cleanup(func() { c.Close() })
	return &Peer{Conn: c, T: t, R: bufio.NewReader(c), Patience: time.Minute}
}

// Secure is the peer under TLS.
func (p *Peer) Secure(certificates ...tls.Certificate) *Peer {
	p.T.Helper()
	c := tls.Client(p.Conn, &tls.Config{InsecureSkipVerify: true, Certificates: certificates})
	if err := c.Handshake(); err != nil {
		p.T.Fatal(err)
	}
	return &Peer{Conn: c, T: p.T, R: bufio.NewReader(c), Patience: p.Patience}
}

// Send writes; an error shows where the reply is read.
func (p *Peer) Send(s string) { io.WriteString(p.Conn, s) }

// Reply reads a whole reply; the end of the connection reads as "<error>".
func (p *Peer) Reply() string {
	p.T.Helper()
	p.SetReadDeadline(time.Now().Add(p.Patience))
	var all strings.Builder
	for {
		line, err := p.R.ReadString('\n')
		all.WriteString(line)
		if err != nil {
			return all.String() + "<" + err.Error() + ">"
		}
		if len(line) > 3 && line[3] == ' ' {
			return all.String()
		}
	}
}

// Want reads a reply whose last line begins with prefix.
func (p *Peer) Want(prefix string) string {
	p.T.Helper()
	got := p.Reply()
	lines := strings.Split(strings.TrimRight(got, "\r\n"), "\n")
	if !strings.HasPrefix(lines[len(lines)-1], prefix) {
		p.T.Fatalf("reply %q, want %q", got, prefix)
	}
	return got
}

// WantEnd demands that the connection is over without another reply.
func (p *Peer) WantEnd() {
	p.T.Helper()
	if got := p.Reply(); !strings.HasPrefix(got, "<") {
		p.T.Fatalf("the connection lives: %q", got)
	}
}
