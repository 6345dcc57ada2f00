package guard

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"go.uber.org/goleak"
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

// certificate makes a key pair that is valid now, which in a synctest bubble is the year 2000.
func certificate(t testing.TB) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"gw.example"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(48 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
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
	logged  *syncBuffer
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
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
	clear, secure := newMemListener(), newMemListener()
	return serve(t, [2]net.Listener{clear, secure}, [2]func() (net.Conn, error){clear.dial, secure.dial}, adjust...)
}

func serve(t testing.TB, listeners [2]net.Listener, dial [2]func() (net.Conn, error), adjust ...func(*Config)) *fixture {
	t.Helper()
	f := &fixture{t: t, b: &backend{changed: make(chan struct{}, 100)}, dial: dial, ended: make(chan struct{}),
		refused: make(chan Reply, 1000), logged: &syncBuffer{}}
	cfg := Config{
		Host: "gw.example", Backend: f.b, TLS: certificate(t),
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
type peer struct {
	t testing.TB
	net.Conn
	r *bufio.Reader
}

func (f *fixture) connect(which int) *peer {
	f.t.Helper()
	c, err := f.dial[which]()
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { c.Close() })
	return &peer{f.t, c, bufio.NewReader(c)}
}

// raw is a connection in clear that has been greeted.
func (f *fixture) raw() *peer {
	f.t.Helper()
	p := f.connect(0)
	p.want("220 gw.example")
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
		p.send("EHLO a.example\r\n")
		p.want("250")
		p.send("STARTTLS\r\n")
		p.want("220")
		p = p.secure()
		p.send("MAIL FROM:<a@x.example>\r\n")
		p.want("502") // nothing of the clear session is left
	case "implicit":
		p = f.connect(1).secure()
		p.want("220 gw.example")
	}
	p.send("EHLO a.example\r\n")
	caps := p.want("250")
	if secure := mode != "clear"; secure == strings.Contains(caps, "STARTTLS") || secure != strings.Contains(caps, "AUTH PLAIN") {
		f.t.Fatalf("%s: capabilities %q", mode, caps)
	}
	return p
}

func (p *peer) secure() *peer {
	p.t.Helper()
	c := tls.Client(p.Conn, &tls.Config{InsecureSkipVerify: true})
	if err := c.Handshake(); err != nil {
		p.t.Fatal(err)
	}
	return &peer{p.t, c, bufio.NewReader(c)}
}

// send writes; an error shows where the answer is read.
func (p *peer) send(s string) {
	p.t.Helper()
	io.WriteString(p.Conn, s)
}

// reply reads a whole reply; the end of the connection reads as "<error>".
func (p *peer) reply() string {
	p.t.Helper()
	p.SetReadDeadline(time.Now().Add(24 * time.Hour))
	var all strings.Builder
	for {
		line, err := p.r.ReadString('\n')
		all.WriteString(line)
		if err != nil {
			return all.String() + "<" + err.Error() + ">"
		}
		if len(line) > 3 && line[3] == ' ' {
			return all.String()
		}
	}
}

// want reads a reply whose last line begins with prefix.
func (p *peer) want(prefix string) string {
	p.t.Helper()
	got := p.reply()
	lines := strings.Split(strings.TrimRight(got, "\r\n"), "\n")
	if !strings.HasPrefix(lines[len(lines)-1], prefix) {
		p.t.Fatalf("reply %q, want %q", got, prefix)
	}
	return got
}

// wantEnd demands that the connection is over without another reply.
func (p *peer) wantEnd() {
	p.t.Helper()
	if got := p.reply(); !strings.HasPrefix(got, "<") {
		p.t.Fatalf("the connection lives: %q", got)
	}
}

const envelope = "MAIL FROM:<a@x.example>\r\nRCPT TO:<b@y.example>\r\n"

// begin opens a transaction.
func (p *peer) begin() {
	p.t.Helper()
	p.send(envelope)
	p.want("250")
	p.want("250")
}

// data opens a transaction up to the 354.
func (p *peer) data() {
	p.t.Helper()
	p.begin()
	p.send("DATA\r\n")
	p.want("354")
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
