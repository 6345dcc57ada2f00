package main

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/emersion/go-smtp"
)

// hop is a mail server behind the gateway that puts everything off while it is shut, refuses some recipients, quotes
// what it was sent, and hands the rest to the capture.
//
//	nobody@…   550 at RCPT
//	quoter@…   550 at the end of data, quoting the links of the message
//	busy@…     451 at the end of data, quoting them
type hop struct {
	to   string // address of the capture
	shut atomic.Bool

	mu     sync.Mutex
	quoted map[string]bool // links that answers quoted
}

// quotes lists the links that answers quoted.
func (h *hop) quotes() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Sorted(maps.Keys(h.quoted))
}

// quote is what an answer says of a message's links.
func (h *hop) quote(raw []byte) string {
	joined := strings.NewReplacer("=\r\n", "", "=\n", "").Replace(string(raw)) // lines that quoted-printable broke
	found := links.FindAllString(joined, -1)
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, link := range found {
		h.quoted[link] = true
	}
	return strings.Join(found, " and ")
}

// behind puts a hop between the gateway and the capture. It is shut.
func (tr *trial) behind() *hop {
	tr.t.Helper()
	h := &hop{to: tr.next, quoted: map[string]bool{}}
	h.shut.Store(true)
	srv := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &hopSession{hop: h}, nil }))
	srv.Domain = "next.example.org"
	srv.MaxLineLength = 0
	srv.EnableSMTPUTF8 = true
	srv.EnableDSN = true
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tr.t.Fatal(err)
	}
	tr.next = l.Addr().String()
	done := make(chan struct{})
	go func() {
		defer close(done)
		srv.Serve(l)
	}()
	tr.t.Cleanup(func() { srv.Close(); <-done })
	return h
}

type hopSession struct {
	hop  *hop
	from string
	to   []string
}

func (s *hopSession) Mail(from string, _ *smtp.MailOptions) error {
	s.from, s.to = from, nil
	return nil
}

func (s *hopSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	if s.hop.shut.Load() {
		return &smtp.SMTPError{Code: 450, EnhancedCode: smtp.EnhancedCode{4, 3, 2}, Message: "shut, come back"}
	}
	if strings.HasPrefix(to, "nobody@") {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no mailbox " + to}
	}
	s.to = append(s.to, to)
	return nil
}

// links finds what a mail server that checks links would quote.
var links = regexp.MustCompile(`http://[^\s"<>]+`)

func (s *hopSession) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	switch {
	case strings.HasPrefix(s.to[0], "quoter@"):
		quote := s.hop.quote(raw)
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 7, 1}, Message: fmt.Sprintf("listed: %s\nalso <%s>\nor %s", quote, quote, strings.ToUpper(quote))}
	case strings.HasPrefix(s.to[0], "busy@"):
		return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 7, 1}, Message: "come back: " + s.hop.quote(raw)}
	}
	return s.hop.hand(s.from, s.to, raw)
}

func (h *hop) hand(from string, to []string, raw []byte) error {
	conn, err := net.Dial("tcp", h.to)
	if err != nil {
		return err
	}
	c := smtp.NewClient(conn)
	defer c.Close()
	if err := c.Hello("next.example.org"); err != nil {
		return err
	}
	return c.SendMail(from, to, bytes.NewReader(raw))
}

func (s *hopSession) Reset()        {}
func (s *hopSession) Logout() error { return nil }
