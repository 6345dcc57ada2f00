// Package demo is what "postern demo" has beside the gateway: a mail server that keeps every mail in memory instead of
// sending it, and a page that shows what came.
//
// Flow: the gateway's only route leads to the Capture; the Outbox page reads it. Nothing is written to disk and nothing
// leaves the machine.
package demo

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-message/mail"
	"github.com/emersion/go-smtp"

	_ "github.com/emersion/go-message/charset" // so that captured mail in any charset shows
)

// Mail is one captured mail.
type Mail struct {
	N    int // 1 is the first
	At   time.Time
	From string // envelope
	To   []string
	Raw  []byte
}

// Capture keeps mails.
type Capture struct {
	keep   int
	mu     sync.Mutex
	mails  []Mail
	next   int
	notify chan struct{}
}

// NewCapture makes an empty Capture that keeps so many mails; the oldest go first.
func NewCapture(keep int) *Capture { return &Capture{keep: keep, next: 1, notify: make(chan struct{})} }

// Mails lists what was captured, newest first.
func (c *Capture) Mails() []Mail {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := slices.Clone(c.mails)
	slices.Reverse(list)
	return list
}

// Find returns a mail by its number.
func (c *Capture) Find(n int) (Mail, bool) {
	for _, m := range c.Mails() {
		if m.N == n {
			return m, true
		}
	}
	return Mail{}, false
}

// Await returns the first mail, captured already or to come, that want accepts.
func (c *Capture) Await(ctx context.Context, want func(Mail) bool) (Mail, error) {
	for {
		c.mu.Lock()
		i, changed := slices.IndexFunc(c.mails, want), c.notify
		if i >= 0 {
			defer c.mu.Unlock()
			return c.mails[i], nil
		}
		c.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return Mail{}, ctx.Err()
		}
	}
}

// Add keeps a mail under the next number.
func (c *Capture) Add(m Mail) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m.N = c.next
	c.next++
	if c.mails = append(c.mails, m); len(c.mails) > c.keep {
		c.mails = c.mails[1:]
	}
	close(c.notify)
	c.notify = make(chan struct{})
}

// Serve takes mail on l until ctx ends; it closes l.
func (c *Capture) Serve(ctx context.Context, l net.Listener) error {
	srv := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &session{capture: c}, nil }))
	srv.Domain = "demo.example"
	srv.MaxLineLength = 0
	srv.EnableSMTPUTF8 = true
	srv.EnableDSN = true
	srv.ErrorLog = discard{}
	stop := context.AfterFunc(ctx, func() { srv.Close() })
	defer stop()
	if err := srv.Serve(l); ctx.Err() == nil {
		return fmt.Errorf("capture mail: %w", err)
	}
	return nil
}

type discard struct{}

func (discard) Printf(string, ...any) {}
func (discard) Println(...any)        {}

type session struct {
	capture *Capture
	mail    Mail
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	s.mail = Mail{From: from}
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.mail.To = append(s.mail.To, to)
	return nil
}

func (s *session) Data(r io.Reader) (err error) {
	s.mail.At = time.Now()
	if s.mail.Raw, err = io.ReadAll(r); err != nil {
		return err
	}
	s.capture.Add(s.mail)
	return nil
}

func (s *session) Reset()        { s.mail = Mail{} }
func (s *session) Logout() error { return nil }

// View is a mail taken apart for showing.
type View struct {
	Mail
	Subject, Sender, Kind string
	Date                  string
	Text, HTML            string
	Headers               string
}

// View takes a mail apart as far as it goes; what does not parse is shown as source.
func (m Mail) View() View {
	v := View{Mail: m, Sender: m.From, Kind: "Relayed untouched"}
	head, _, _ := bytes.Cut(m.Raw, []byte("\r\n\r\n"))
	v.Headers = string(head)
	r, err := mail.CreateReader(bytes.NewReader(m.Raw))
	if r == nil {
		v.Text = string(m.Raw)
		return v
	}
	defer r.Close()
	v.Subject, _ = r.Header.Subject() // empty when it does not decode: the page says so
	v.Date = r.Header.Get("Date")
	if t, err := r.Header.Date(); err == nil && v.Date != "" {
		v.Date = t.Format("Monday 2 January 2006, 15:04:05 -0700")
	}
	if from, addrErr := r.Header.AddressList("From"); addrErr == nil && len(from) > 0 {
		v.Sender = displayName(from[0])
	}
	v.Kind = kindOf(r.Header)
	for err == nil {
		var p *mail.Part
		if p, err = r.NextPart(); err == nil {
			v.take(p)
		}
	}
	return v
}

func displayName(a *mail.Address) string {
	if a.Name != "" {
		return a.Name
	}
	return a.Address
}

func (v *View) take(p *mail.Part) {
	h, ok := p.Header.(*mail.InlineHeader)
	if !ok {
		return
	}
	const maxShown = 1 << 20
	body, _ := io.ReadAll(io.LimitReader(p.Body, maxShown)) // a broken part shows as far as it goes
	switch t, _, _ := h.ContentType(); {
	case t == "text/html" && v.HTML == "":
		v.HTML = string(body)
	case strings.HasPrefix(t, "text/") || t == "message/delivery-status":
		v.Text += string(body)
	}
}

// kindOf names what a captured mail is to the person who tries the demo.
func kindOf(h mail.Header) string {
	if h.Get("X-Postern-Kind") == "reply" {
		return "Reply from the site"
	}
	words := strings.Fields(h.Get("X-Postern-Origin"))
	if len(words) < 2 {
		return "Relayed untouched"
	}
	switch kind, _ := strings.CutSuffix(words[1], "+tls"); kind {
	case "notification":
		return "Notification"
	case "dsn":
		return "Delivery report"
	default:
		return "Mail of the gateway"
	}
}
