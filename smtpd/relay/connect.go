package relay

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/textproto"
	"strings"
	"sync/atomic"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"postern/store"
)

// session is an open connection to a next hop, ready for MAIL. One goroutine uses it at a time.
type session struct {
	ref      string // of the connection, for the log
	host     string // as configured
	ip       string
	client   *smtp.Client
	wire     *wire
	tls      string // "TLS1.3"; empty in clear
	verified bool   // the certificate chains to the roots and names the host
	local    bool   // the peer is on a local address (MAIL 3.2)
	opened   time.Time
	used     time.Time // last given back
	tries    int       // transactions so far
	buf      []byte
	connect  time.Duration
	shake    time.Duration
	among    *atomic.Int32 // open sessions of its hop
	unhook   func() bool
}

// safe reports whether mail that needs TLS may go this way.
func (s *session) safe() bool { return s.tls != "" || s.local }

// buffer is for copying message data.
func (s *session) buffer() []byte {
	if s.buf == nil {
		s.buf = make([]byte, wireBlock)
	}
	return s.buf
}

// close ends the connection without a word: after an error nothing may be sent any more.
func (s *session) close() {
	s.leave()
	s.unhook()
	s.wire.Conn.Close()
}

// leave takes the session off those that its hop has.
func (s *session) leave() {
	if s.among != nil {
		s.among.Add(-1)
		s.among = nil
	}
}

// quit ends the connection politely, waiting little.
func (s *session) quit() {
	s.leave()
	s.client.CommandTimeout = 5 * time.Second
	s.client.Quit() // the connection is closed below whatever it says
	s.close()
}

// hopError is a next hop with which no connection came about.
type hopError struct {
	answer
	host string
	err  error
}

func (e *hopError) Error() string {
	return fmt.Sprintf("%s to %s: %v", e.stage, e.host, e.err)
}

func (e *hopError) Unwrap() error { return e.err }

func hopFailure(s stage, host string, err error) *hopError {
	var reply *smtp.SMTPError
	if errors.As(err, &reply) {
		return &hopError{answer: hear(s, reply), host: host, err: err}
	}
	status := "4.4.1"
	if s == stageTLS {
		status = "4.7.10"
	}
	return &hopError{answer: silence(s, status, err), host: host, err: err}
}

// connect opens a session with one host: each of its addresses in turn. With tls opportunistic a failed handshake
// leads to a second connection in clear.
func (r *Runner) connect(ctx context.Context, route *Route, hostport string) (*session, *hopError) {
	host, port, err := net.SplitHostPort(hostport)
	if err != nil {
		return nil, hopFailure(stageConnect, hostport, err)
	}
	addrs, err := r.lookup(ctx, host)
	if err != nil {
		return nil, hopFailure(stageConnect, hostport, err)
	}
	var last *hopError
	for _, addr := range addrs {
		d := dial{Runner: r, route: route, host: host, port: port, addr: addr}
		s, err := d.open(ctx, true)
		if err != nil && err.stage == stageTLS && route.mode() == TLSOpportunistic {
			s, err = d.open(ctx, false)
		}
		if err == nil {
			return s, nil
		}
		err.host = hostport
		if last = err; ctx.Err() != nil {
			break
		}
	}
	return nil, last
}

func (r *Runner) lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	if addr, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{addr}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Timeouts.Dial)
	defer cancel()
	addrs, err := r.cfg.Resolve(ctx, host)
	if err == nil && len(addrs) == 0 {
		err = errors.New("name has no address")
	}
	return addrs, err
}

// dial is one connection being made.
type dial struct {
	*Runner
	route      *Route
	host, port string
	addr       netip.Addr
}

// open connects and says hello; startTLS says whether TLS is to be tried at all.
func (d *dial) open(ctx context.Context, startTLS bool) (*session, *hopError) {
	begin := time.Now()
	dialCtx, cancel := context.WithTimeout(ctx, d.cfg.Timeouts.Dial)
	defer cancel()
	conn, err := d.cfg.Dial(dialCtx, "tcp", net.JoinHostPort(d.addr.Unmap().String(), d.port))
	if err != nil {
		return nil, hopFailure(stageConnect, d.host, err)
	}
	s := &session{ref: newRef(), host: d.host, ip: d.addr.Unmap().String(), local: isLocal(d.addr), opened: begin, connect: time.Since(begin)}
	s.unhook = context.AfterFunc(d.cut, func() { conn.Close() })
	if hopErr := d.handshake(ctx, s, conn, startTLS); hopErr != nil {
		s.unhook()
		conn.Close()
		return nil, hopErr
	}
	s.shake = time.Since(begin) - s.connect
	s.client.CommandTimeout = d.cfg.Timeouts.Command
	return s, nil
}

// handshake does greeting, EHLO, TLS and log-on.
func (d *dial) handshake(ctx context.Context, s *session, conn net.Conn, startTLS bool) *hopError {
	mode := d.route.mode()
	if d.port == "465" && mode != TLSNone {
		return d.secure(ctx, s, conn, "")
	}
	d.attach(s, conn, "")
	if err := s.client.Hello(d.cfg.Ehlo); err != nil {
		return hopFailure(stageConnect, d.host, err)
	}
	offered, _ := s.client.Extension("STARTTLS")
	switch {
	case mode == TLSNone, mode == TLSOpportunistic && (!offered || !startTLS):
		return d.logOn(s)
	case !offered:
		return hopFailure(stageTLS, d.host, errors.New("next hop offers no STARTTLS"))
	}
	if err := d.startTLS(s.wire); err != nil {
		return hopFailure(stageTLS, d.host, err)
	}
	return d.secure(ctx, s, conn, "220 go on\r\n")
}

// attach puts a client on a connection; greeting stands for one that the server does not send (again).
func (d *dial) attach(s *session, conn net.Conn, greeting string) {
	s.wire = newWire(conn, d.cfg.Timeouts.Write, greeting)
	s.client = smtp.NewClient(s.wire)
	s.client.CommandTimeout = d.cfg.Timeouts.Hello
	s.client.SubmissionTimeout = d.cfg.Timeouts.Final
}

// startTLS speaks the one command that go-smtp's client keeps to itself: doing it here gives the TLS connection, its
// handshake error and its state. What the server sent in clear beyond its reply would be injected into the session:
// such a server is refused.
func (d *dial) startTLS(w *wire) error {
	if err := w.SetDeadline(time.Now().Add(d.cfg.Timeouts.Hello)); err != nil {
		return err
	}
	if _, err := w.Write([]byte("STARTTLS\r\n")); err != nil {
		return err
	}
	br := bufio.NewReader(w)
	if _, _, err := textproto.NewReader(br).ReadResponse(220); err != nil {
		return err
	}
	if br.Buffered() > 0 {
		return errors.New("next hop sent data behind its answer to STARTTLS")
	}
	return w.SetDeadline(time.Time{})
}

// secure does the TLS handshake and says hello inside it.
func (d *dial) secure(ctx context.Context, s *session, conn net.Conn, greeting string) *hopError {
	t := tls.Client(conn, d.tlsConfig())
	ctx, cancel := context.WithTimeout(ctx, d.cfg.Timeouts.Hello)
	defer cancel()
	if err := t.HandshakeContext(ctx); err != nil {
		return hopFailure(stageTLS, d.host, err)
	}
	state := t.ConnectionState()
	s.tls = tlsName(state.Version)
	s.verified = d.verify(state) == nil
	d.attach(s, t, greeting)
	if err := s.client.Hello(d.cfg.Ehlo); err != nil {
		return hopFailure(stageConnect, d.host, err)
	}
	return d.logOn(s)
}

func (d *dial) tlsConfig() *tls.Config {
	c := &tls.Config{
		ServerName:         d.host,
		RootCAs:            d.cfg.Roots,
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: d.route.mode() != TLSVerified, // the log tells whether it would have verified
	}
	if cert := d.route.ClientCert; cert != nil {
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return cert, nil }
	}
	return c
}

// verify checks what crypto/tls checks in verified mode.
func (d *dial) verify(state tls.ConnectionState) error {
	if len(state.PeerCertificates) == 0 {
		return errors.New("no certificate")
	}
	between := x509.NewCertPool()
	for _, c := range state.PeerCertificates[1:] {
		between.AddCert(c)
	}
	_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{DNSName: d.host, Roots: d.cfg.Roots, Intermediates: between})
	return err
}

// logOn authenticates where the route says so: to a verified host only, by PLAIN or LOGIN.
func (d *dial) logOn(s *session) *hopError {
	auth := d.route.Auth
	switch {
	case auth == nil:
		return nil
	case !s.verified:
		return hopFailure(stageAuth, d.host, errors.New("next hop needs a password, and its certificate does not prove who it is"))
	}
	var client sasl.Client
	switch {
	case s.client.SupportsAuth(sasl.Plain):
		client = sasl.NewPlainClient("", auth.User, auth.Password)
	case s.client.SupportsAuth(sasl.Login):
		client = &login{answers: [][]byte{[]byte(auth.User), []byte(auth.Password)}}
	default:
		return hopFailure(stageAuth, d.host, errors.New("next hop offers neither AUTH PLAIN nor AUTH LOGIN"))
	}
	if err := s.client.Auth(client); err != nil {
		failure := hopFailure(stageAuth, d.host, err)
		failure.text = auth.strike(failure.text)
		return failure
	}
	return nil
}

// login is AUTH LOGIN as every server takes it: go-sasl's own sends the name unasked and insists on the words of the
// question, which nothing prescribes.
type login struct{ answers [][]byte }

// Start implements sasl.Client.
func (l *login) Start() (string, []byte, error) { return sasl.Login, nil, nil }

// Next answers the questions in their order: name, password.
func (l *login) Next([]byte) ([]byte, error) {
	if len(l.answers) == 0 {
		return nil, sasl.ErrUnexpectedServerChallenge
	}
	answer := l.answers[0]
	l.answers = l.answers[1:]
	return answer, nil
}

// strike empties a text in which a next hop gives back what it was told.
func (a Auth) strike(text string) string {
	b64 := base64.StdEncoding.EncodeToString
	for _, secret := range []string{a.Password, b64([]byte(a.Password)), b64([]byte("\x00" + a.User + "\x00" + a.Password))} {
		if secret != "" && strings.Contains(text, strings.TrimRight(secret, "=")) {
			return "[removed]"
		}
	}
	return text
}

// newRef draws the reference of a connection.
func newRef() string {
	b := make([]byte, 5)
	rand.Read(b)
	return store.EncodeB32(b)
}

// isLocal reports an address of MAIL 3.2: loopback, RFC 1918, RFC 4193.
func isLocal(a netip.Addr) bool { return a.Unmap().IsLoopback() || a.Unmap().IsPrivate() }

func tlsName(version uint16) string {
	switch version {
	case tls.VersionTLS12:
		return "TLS1.2"
	case tls.VersionTLS13:
		return "TLS1.3"
	}
	return fmt.Sprintf("TLS(%x)", version)
}
