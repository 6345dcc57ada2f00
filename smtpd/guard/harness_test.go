package guard

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"go.uber.org/goleak"

	"postern/cmd/testlog"
	"postern/cmd/testnet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// message is what the test's backend took.
type message struct{ from, rcpts, body string }

// backend keeps what it is given. It answers like a session that is only as careful as go-smtp demands, so that what
// the tests see is the guard's doing.
type backend struct {
	mu      sync.Mutex
	got     []message
	broken  []error // read errors inside messages
	refuse  error   // answer to a message, before it is read
	panicky bool
	changed chan struct{}
}

func (b *backend) NewSession(c *smtp.Conn) (smtp.Session, error) {
	return &session{b: b, conn: c.Conn().(*Conn)}, nil
}

func (b *backend) note(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f()
	select {
	case b.changed <- struct{}{}:
	default:
	}
}

func (b *backend) messages() []message {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]message(nil), b.got...)
}

func (b *backend) errors() []error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]error(nil), b.broken...)
}

type session struct {
	b    *backend
	conn *Conn
	mu   sync.Mutex
	tx   *message
}

func (s *session) Reset()        { s.mu.Lock(); s.tx = nil; s.mu.Unlock() }
func (s *session) Logout() error { return nil }

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tx = &message{from: from}
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tx.rcpts += to + " "
	return nil
}

func (s *session) Data(r io.Reader) error {
	s.mu.Lock()
	m := *s.tx
	s.mu.Unlock()
	if s.b.panicky {
		panic("the backend's fault")
	}
	if s.b.refuse != nil {
		return s.b.refuse
	}
	body, err := io.ReadAll(r)
	if err != nil {
		s.b.note(func() { s.b.broken = append(s.b.broken, err) })
		var reply *smtp.SMTPError
		if errors.As(err, &reply) {
			return reply
		}
		return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "Not an SMTP error: " + err.Error()}
	}
	m.body = string(body)
	s.b.note(func() { s.b.got = append(s.b.got, m) })
	return &smtp.SMTPError{Code: 250, EnhancedCode: smtp.EnhancedCode{2, 0, 0}, Message: "Ok: queued as X1"}
}

func (s *session) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, _, password string) error {
		if password == "good" {
			return nil
		}
		if s.conn.AuthFailed() >= 3 {
			return &smtp.SMTPError{Code: 421, EnhancedCode: smtp.EnhancedCode{4, 7, 0}, Message: "Too many errors"}
		}
		return smtp.ErrAuthFailed
	}), nil
}

// fixture is a running Guard with two listeners, in clear and with implicit TLS.
type fixture struct {
	t       testing.TB
	g       *Guard
	b       *backend
	dial    [2]func() (net.Conn, error)
	stop    context.CancelFunc
	ended   chan struct{}
	refused chan Reply
	logged  *testlog.Log
}

const testLimit = 1 << 20

// start serves on loopback sockets.
func start(t testing.TB, adjust ...func(*Config)) *fixture {
	t.Helper()
	var listeners [2]net.Listener
	var dial [2]func() (net.Conn, error)
	for i := range listeners {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		listeners[i], dial[i] = l, func() (net.Conn, error) { return net.Dial("tcp", l.Addr().String()) }
	}
	return serve(t, listeners, dial, adjust...)
}

// startInMemory serves on pipes, for synctest.
func startInMemory(t testing.TB, adjust ...func(*Config)) *fixture {
	t.Helper()
	clear, secure := testnet.Listen(), testnet.Listen()
	return serve(t, [2]net.Listener{clear, secure}, [2]func() (net.Conn, error){clear.Dial, secure.Dial}, adjust...)
}

func serve(t testing.TB, listeners [2]net.Listener, dial [2]func() (net.Conn, error), adjust ...func(*Config)) *fixture {
	t.Helper()
	f := &fixture{t: t, b: &backend{changed: make(chan struct{}, 100)}, dial: dial, ended: make(chan struct{}),
		refused: make(chan Reply, 1000), logged: &testlog.Log{}}
	cfg := Config{
		Host: "gw.example", Backend: f.b, TLS: &tls.Config{Certificates: []tls.Certificate{testnet.Certificate(t)}},
		Limits: Limits{Message: testLimit, Read: time.Minute, Write: time.Minute, Linger: 100 * time.Millisecond},
		Hooks:  Hooks{Refused: func(_ *Conn, r Reply, _ string) { f.refused <- r }},
		Log:    slog.New(slog.NewTextHandler(f.logged, nil)),
	}
	for _, a := range adjust {
		a(&cfg)
	}
	g, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	f.g = g
	ctx, stop := context.WithCancel(context.Background())
	f.stop = stop
	go func() {
		defer close(f.ended)
		err := g.Run(ctx, Listener{Listener: listeners[0], Name: "clear"}, Listener{Listener: listeners[1], Name: "tls", TLS: true})
		if err != nil {
			t.Errorf("Run: %v", err)
		}
	}()
	t.Cleanup(f.close)
	return f
}

func (f *fixture) close() {
	f.stop()
	<-f.ended
	if !f.b.panicky && f.logged.String() != "" {
		f.t.Errorf("go-smtp had to complain: %s", f.logged.String())
	}
}

// peer is the client's end of a connection.
type peer struct{ *testnet.Peer }

func (f *fixture) connect(which int) *peer {
	f.t.Helper()
	c, err := f.dial[which]()
	if err != nil {
		f.t.Fatal(err)
	}
	p := &peer{testnet.NewPeer(f.t, c)}
	p.Patience = 24 * time.Hour // by the clock of a bubble
	return p
}

func (p *peer) secure() *peer {
	p.T.Helper()
	return &peer{p.Peer.Secure()}
}

// raw is a connection in clear that has been greeted.
func (f *fixture) raw() *peer {
	f.t.Helper()
	p := f.connect(0)
	p.Want("220 gw.example")
	return p
}

// modes are the ways to arrive at a session.
var modes = []string{"clear", "starttls", "implicit"}

// client is a connection of a mode after EHLO.
func (f *fixture) client(mode string) *peer {
	f.t.Helper()
	var p *peer
	switch mode {
	case "clear":
		p = f.raw()
	case "starttls":
		p = f.raw()
		p.Send("EHLO a.example\r\n")
		p.Want("250")
		p.Send("STARTTLS\r\n")
		p.Want("220")
		p = p.secure()
		p.Send("MAIL FROM:<a@x.example>\r\n")
		p.Want("502") // nothing of the clear session is left
	case "implicit":
		p = f.connect(1).secure()
		p.Want("220 gw.example")
	}
	p.Send("EHLO a.example\r\n")
	caps := p.Want("250")
	if secure := mode != "clear"; secure == strings.Contains(caps, "STARTTLS") || secure != strings.Contains(caps, "AUTH PLAIN") {
		f.t.Fatalf("%s: capabilities %q", mode, caps)
	}
	return p
}

const envelope = "MAIL FROM:<a@x.example>\r\nRCPT TO:<b@y.example>\r\n"

// begin opens a transaction.
func (p *peer) begin() {
	p.T.Helper()
	p.Send(envelope)
	p.Want("250")
	p.Want("250")
}

// data opens a transaction up to the 354.
func (p *peer) data() {
	p.T.Helper()
	p.begin()
	p.Send("DATA\r\n")
	p.Want("354")
}

// each runs f once per mode on a Guard of its own.
func each(t *testing.T, f func(t *testing.T, f *fixture, p *peer), adjust ...func(*Config)) {
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			fix := start(t, adjust...)
			f(t, fix, fix.client(mode))
		})
	}
}

// waitFor waits until the backend has seen what cond tells.
func (f *fixture) waitFor(cond func() bool) {
	f.t.Helper()
	limit := time.After(30 * time.Second)
	for !cond() {
		select {
		case <-f.b.changed:
		case <-time.After(5 * time.Millisecond):
		case <-limit:
			f.t.Fatal("it did not happen")
		}
	}
}
