package smtpd

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"postern/cmd/testlog"
	"postern/cmd/testnet"
	"postern/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testLimit = 1 << 17

// accepted is what the backend took.
type accepted struct {
	env  store.Envelope
	body string
}

// backend is a Backend whose answers a test sets. Its zero value takes everything.
type backend struct {
	authenticate func(c store.Client, user, password string) error
	recipient    func(env *store.Envelope, r store.Rcpt) error
	accept       func(env store.Envelope, body io.Reader) (store.Receipt, error)

	mu     sync.Mutex
	got    []accepted
	failed chan error // read errors, as Accept saw them
}

var _ Backend = (*backend)(nil)

func (b *backend) Authenticate(_ context.Context, c store.Client, user, password string) error {
	if b.authenticate != nil {
		return b.authenticate(c, user, password)
	}
	return errors.New("nobody can log on")
}

func (b *backend) Recipient(_ context.Context, env *store.Envelope, r store.Rcpt) error {
	if b.recipient != nil {
		return b.recipient(env, r)
	}
	return nil
}

func (b *backend) Accept(_ context.Context, env store.Envelope, body io.Reader) (store.Receipt, error) {
	if b.accept != nil {
		return b.accept(env, body)
	}
	all, err := io.ReadAll(body)
	if err != nil {
		b.failed <- err
		return store.Receipt{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.got = append(b.got, accepted{env, string(all)})
	return store.Receipt{ID: env.ID, Size: int64(len(all))}, nil
}

func (b *backend) messages() []accepted {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]accepted(nil), b.got...)
}

// writeCertificate writes a certificate under a serial number of its own to dir.
func writeCertificate(t testing.TB, dir string, serial int64) (certFile, keyFile string) {
	t.Helper()
	certificate, key := testnet.KeyPair(t, serial)
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writeFile(t, certFile, certificate)
	writeFile(t, keyFile, key)
	return certFile, keyFile
}

func writeFile(t testing.TB, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func loadCertificate(t testing.TB) *Certificate {
	t.Helper()
	c, err := LoadCertificate(writeCertificate(t, t.TempDir(), 1))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// logLines collects the log.
type logLines struct{ testlog.Log }

// events returns the lines of an event.
func (l *logLines) events(t testing.TB, event string) (found []map[string]any) {
	t.Helper()
	for line := range strings.Lines(l.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("log line %q: %v", line, err)
		}
		if m["event"] == event {
			found = append(found, m)
		}
	}
	return found
}

// fixture is a running Server: listener 0 is for STARTTLS, 1 has implicit TLS, 2 is for submission.
type fixture struct {
	t     testing.TB
	srv   *Server
	b     *backend
	log   *logLines
	dial  [3]func() (net.Conn, error)
	stop  context.CancelFunc
	ended chan struct{}
}

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

func start(t testing.TB, adjust ...func(*Config)) *fixture {
	t.Helper()
	f := &fixture{t: t, b: &backend{failed: make(chan error, 1000)}, log: &logLines{}, ended: make(chan struct{})}
	var listeners [3]net.Listener
	for i := range listeners {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		listeners[i], f.dial[i] = l, func() (net.Conn, error) { return net.Dial("tcp", l.Addr().String()) }
	}
	f.serve(listeners, adjust...)
	return f
}

func startInMemory(t testing.TB, adjust ...func(*Config)) *fixture {
	t.Helper()
	f := &fixture{t: t, b: &backend{failed: make(chan error, 1000)}, log: &logLines{}, ended: make(chan struct{})}
	var listeners [3]net.Listener
	for i := range listeners {
		l := testnet.Listen()
		listeners[i], f.dial[i] = l, l.Dial
	}
	f.serve(listeners, adjust...)
	return f
}

func (f *fixture) serve(listeners [3]net.Listener, adjust ...func(*Config)) {
	f.t.Helper()
	cfg := Config{
		Host: "gw.example", Backend: f.b, Trusted: loopback, MaxSize: testLimit, Certificate: loadCertificate(f.t),
		LingerTimeout: 100 * time.Millisecond, Now: time.Now,
		Log: slog.New(slog.NewJSONHandler(f.log, &slog.HandlerOptions{ReplaceAttr: eventKey})),
	}
	for _, a := range adjust {
		a(&cfg)
	}
	srv, err := New(cfg)
	if err != nil {
		f.t.Fatal(err)
	}
	f.srv = srv
	ctx, stop := context.WithCancel(context.Background())
	f.stop = stop
	go func() {
		defer close(f.ended)
		err := srv.Run(ctx, Listener{Listener: listeners[0], Name: "relay"}, Listener{Listener: listeners[1], Name: "tls", TLS: true},
			Listener{Listener: listeners[2], Name: "submission", Submission: true})
		if err != nil {
			f.t.Errorf("Run: %v", err)
		}
	}()
	f.t.Cleanup(f.close)
}

// eventKey frees the name "msg", as the program does.
func eventKey(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.MessageKey && a.Value.Kind() == slog.KindString {
		if _, err := store.ParseMessageID(a.Value.String()); err != nil {
			a.Key = "event"
		}
	}
	return a
}

func (f *fixture) close() {
	f.stop()
	<-f.ended
	if lib := f.log.events(f.t, "smtp library"); len(lib) > 0 {
		f.t.Errorf("go-smtp had to complain: %v", lib)
	}
	if n := f.srv.announced.Load(); n != 0 {
		f.t.Errorf("%d octets are still announced", n)
	}
}

// caller is the client's end.
type caller struct{ *testnet.Peer }

func (f *fixture) connect(which int) *caller {
	f.t.Helper()
	c, err := f.dial[which]()
	if err != nil {
		f.t.Fatal(err)
	}
	return &caller{testnet.NewPeer(f.t, c)}
}

func (p *caller) secure(certs ...tls.Certificate) *caller {
	p.T.Helper()
	return &caller{p.Peer.Secure(certs...)}
}

// clear is a greeted connection without TLS.
func (f *fixture) clear(which int) *caller {
	f.t.Helper()
	p := f.connect(which)
	p.Want("220 gw.example")
	p.Send("EHLO client.example\r\n")
	p.Want("250")
	return p
}

// starttls is the same under TLS.
func (f *fixture) starttls(which int, certs ...tls.Certificate) *caller {
	f.t.Helper()
	p := f.clear(which)
	p.Send("STARTTLS\r\n")
	p.Want("220")
	p = p.secure(certs...)
	p.Send("EHLO client.example\r\n")
	p.Want("250")
	return p
}

func (f *fixture) implicit() *caller {
	f.t.Helper()
	p := f.connect(1).secure()
	p.Want("220 gw.example")
	p.Send("EHLO client.example\r\n")
	p.Want("250")
	return p
}

// ask sends a command and demands a reply, of 400 and up with a reference, which it returns.
func (p *caller) ask(command, reply string) (ref string) {
	p.T.Helper()
	p.Send(command + "\r\n")
	return p.refused(reply)
}

func (p *caller) refused(reply string) (ref string) {
	p.T.Helper()
	got := p.Want(reply)
	if len(got) > 300 || strings.ContainsFunc(strings.TrimSuffix(got, "\r\n"), notPrintable) && !strings.Contains(got, "\r\n250") {
		p.T.Fatalf("reply %q", got)
	}
	if reply[0] < '4' {
		return ""
	}
	_, ref, found := strings.Cut(strings.TrimSuffix(got, ")\r\n"), " (ref ")
	if !found || !strings.HasSuffix(got, ")\r\n") {
		p.T.Fatalf("reply without reference: %q", got)
	}
	return ref
}

func (p *caller) begin() {
	p.T.Helper()
	p.ask("MAIL FROM:<a@x.example>", "250 2.1.0 Ok")
	p.ask("RCPT TO:<b@y.example>", "250 2.1.5 Ok")
}

// message sends a whole message after begin and returns the id under which it was queued.
func (p *caller) message(body string) store.MessageID {
	p.T.Helper()
	p.ask("DATA", "354")
	p.Send(body + ".\r\n")
	got := p.Want("250 2.0.0 Ok: queued as ")
	id, err := store.ParseMessageID(strings.TrimSuffix(strings.TrimPrefix(got, "250 2.0.0 Ok: queued as "), "\r\n"))
	if err != nil {
		p.T.Fatalf("reply %q: %v", got, err)
	}
	return id
}
