package relay_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"math/big"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"postern/smtpd/relay"
	"postern/store"
)

// newCert makes a certificate that is its own root.
func newCert(t *testing.T, names ...string) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), DNSNames: names, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, pool
}

func serverTLS(cert tls.Certificate) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{cert}, ClientAuth: tls.RequestClientCert}
}

// TestTLSModes shows what each mode takes and what waits.
func TestTLSModes(t *testing.T) {
	t.Parallel()
	cert, roots := newCert(t, "mx.ext.example")
	broken := &tls.Config{} // handshakes fail: no certificate
	for _, tc := range []struct {
		name    string
		mode    relay.TLSMode
		server  *tls.Config
		roots   *x509.CertPool
		wantTLS bool
		waits   bool
		logged  string
	}{
		{"none does not ask", relay.TLSNone, serverTLS(cert), nil, false, false, "tls=\"\""},
		{"opportunistic takes any certificate", relay.TLSOpportunistic, serverTLS(cert), nil, true, false, "tls_verified=false"},
		{"opportunistic goes on without", relay.TLSOpportunistic, nil, nil, false, false, ""},
		{"opportunistic goes on after a failed handshake", relay.TLSOpportunistic, broken, nil, false, false, ""},
		{"required takes any certificate", relay.TLSRequired, serverTLS(cert), nil, true, false, "tls_verified=false"},
		{"required waits without", relay.TLSRequired, nil, nil, false, true, "offers no STARTTLS"},
		{"required waits after a failed handshake", relay.TLSRequired, broken, nil, false, true, "stage=starttls"},
		{"verified takes a good certificate", relay.TLSVerified, serverTLS(cert), roots, true, false, "tls_verified=true"},
		{"verified waits for a good certificate", relay.TLSVerified, serverTLS(cert), nil, false, true, "stage=starttls"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			e, s := newEnv(t), &sink{tls: tc.server}
			e.cfg.Roots = tc.roots
			id := e.put(letter{from: "alice@example.org", rcpts: to("bob@ext.example")})
			r := route(s.listen(t))
			r.TLS = tc.mode
			e.start(r)
			if tc.waits {
				e.await("hop down", func() bool { return len(e.downs()) > 0 })
				if item, ok := e.item(rcpt(id, 1)); !ok || e.state(rcpt(id, 1)) != store.StateQueued {
					t.Errorf("item %+v, %v", item, ok)
				}
				if s.count() != 0 {
					t.Error("mail went all the same")
				}
			} else {
				e.await("delivery", func() bool { return e.state(rcpt(id, 1)) == store.StateDelivered })
				if got := s.got()[0].tls; got != tc.wantTLS {
					t.Errorf("TLS %v, want %v", got, tc.wantTLS)
				}
			}
			e.awaitLog(tc.logged)
		})
	}
}

func (e *env) downs() []time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]time.Time(nil), e.down...)
}

func TestImplicitTLSOnPort465(t *testing.T) {
	t.Parallel()
	cert, roots := newCert(t, "mx.ext.example")
	e, s := newEnv(t), &sink{tls: serverTLS(cert), implicit: true}
	host := s.listen(t)
	e.cfg.Roots = roots
	e.cfg.Resolve = func(context.Context, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
	}
	e.cfg.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, host)
	}
	id := e.put(letter{from: "alice@example.org", rcpts: to("bob@ext.example")})
	e.start(relay.Route{Domains: []string{"*"}, Host: "mx.ext.example:465", TLS: relay.TLSVerified})
	e.await("delivery", func() bool { return e.state(rcpt(id, 1)) == store.StateDelivered })
	if !s.got()[0].tls || strings.Contains(s.commands(), "STARTTLS") {
		t.Errorf("commands %q", s.commands())
	}
}

// TestClientCertificateIsSentWhenAskedFor: Go alone sends none when the server's list of authorities does not match.
func TestClientCertificateIsSentWhenAskedFor(t *testing.T) {
	t.Parallel()
	cert, _ := newCert(t)
	mine, _ := newCert(t)
	_, foreign := newCert(t)
	server := serverTLS(cert)
	server.ClientCAs = foreign
	e, s := newEnv(t), &sink{tls: server}
	id := e.put(letter{from: "alice@example.org", rcpts: to("bob@ext.example")})
	r := route(s.listen(t))
	r.TLS, r.ClientCert = relay.TLSRequired, &mine
	e.start(r)
	e.await("delivery", func() bool { return e.state(rcpt(id, 1)) == store.StateDelivered })
	if !s.got()[0].cert {
		t.Error("no client certificate was sent")
	}
}

func TestAuth(t *testing.T) {
	t.Parallel()
	cert, roots := newCert(t)
	other, _ := newCert(t)
	b64 := base64.StdEncoding.EncodeToString
	for _, tc := range []struct {
		name string
		s    *sink
		want string
		down string
	}{
		{"plain", &sink{tls: serverTLS(cert), ext: []string{"AUTH LOGIN PLAIN"}}, "AUTH PLAIN " + b64([]byte("\x00gateway\x00hunter2")), ""},
		{"login", &sink{tls: serverTLS(cert), ext: []string{"AUTH LOGIN"}}, "AUTH LOGIN " + b64([]byte("gateway")) + " " + b64([]byte("hunter2")), ""},
		{"never in clear", &sink{ext: []string{"AUTH PLAIN"}}, "", "offers no STARTTLS"},
		{"never to whoever answers", &sink{tls: serverTLS(other), ext: []string{"AUTH PLAIN"}}, "", "stage=starttls"},
		{"no method", &sink{tls: serverTLS(cert), ext: []string{"AUTH CRAM-MD5"}}, "", "neither AUTH PLAIN nor AUTH LOGIN"},
		{"refused", &sink{tls: serverTLS(cert), ext: []string{"AUTH PLAIN"}, onAuth: func(string) string { return "535 5.7.8 bad password hunter2" }}, "", "code=535"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			e.cfg.Roots = roots
			id := e.put(letter{from: "alice@example.org", rcpts: to("bob@ext.example")})
			r := route(tc.s.listen(t))
			r.TLS, r.Auth = relay.TLSVerified, &relay.Auth{User: "gateway", Password: "hunter2"}
			e.start(r)
			if tc.down != "" {
				e.await("hop down", func() bool { return len(e.downs()) > 0 })
				e.awaitLog(tc.down)
				if item, _ := e.item(rcpt(id, 1)); item.Attempts != 0 {
					t.Errorf("a failed log-on cost %d attempts", item.Attempts)
				}
			} else {
				e.await("delivery", func() bool { return e.state(rcpt(id, 1)) == store.StateDelivered })
				if got := tc.s.got()[0].auth; got != tc.want {
					t.Errorf("%q, want %q", got, tc.want)
				}
			}
			if strings.HasPrefix(tc.name, "never") && strings.Contains(tc.s.commands(), "AUTH") {
				t.Error("the password was sent")
			}
			if strings.Contains(e.log.String(), "hunter2") {
				t.Error("the log has the password")
			}
		})
	}
}

// TestAuthNeedsAVerifiedHost: a route that would show its password to whoever answers does not start.
func TestAuthNeedsAVerifiedHost(t *testing.T) {
	t.Parallel()
	for _, mode := range []relay.TLSMode{"", relay.TLSNone, relay.TLSOpportunistic, relay.TLSRequired} {
		r := relay.Route{Domains: []string{"*"}, Host: "mx.example:587", TLS: mode, Auth: &relay.Auth{User: "u", Password: "hunter2"}}
		if err := r.Validate(); err == nil || !strings.Contains(err.Error(), "auth needs tls verified") {
			t.Errorf("tls %q: %v", mode, err)
		}
	}
}

// TestMailThatNeedsTLSWaits holds MAIL 3.2 and 6.6: TLS or a local address. The public address is pretended.
func TestMailThatNeedsTLSWaits(t *testing.T) {
	t.Parallel()
	cert, _ := newCert(t)
	for _, tc := range []struct {
		name   string
		server *tls.Config
		ip     string
		sent   bool
	}{
		{"local address in clear", nil, "10.1.2.3", true},
		{"local IPv6 address in clear", nil, "fd00::1", true},
		{"public address with TLS", serverTLS(cert), "192.0.2.7", true},
		{"public address in clear", nil, "192.0.2.7", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			e, s := newEnv(t), &sink{tls: tc.server}
			host := s.listen(t)
			e.cfg.Resolve = func(context.Context, string) ([]netip.Addr, error) {
				return []netip.Addr{netip.MustParseAddr(tc.ip)}, nil
			}
			e.cfg.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, network, host)
			}
			need := e.put(letter{from: "alice@example.org", rcpts: to("carol@example.org"), needTLS: true})
			other := e.put(letter{from: "alice@example.org", rcpts: to("bob@example.org")})
			e.start(route("mx.ext.example:25"))
			e.await("the other mail", func() bool { return e.state(rcpt(other, 1)) == store.StateDelivered })
			e.await("an attempt", func() bool { return len(e.events(need)) > 0 })
			if got := e.state(rcpt(need, 1)) == store.StateDelivered; got != tc.sent {
				t.Errorf("sent %v, want %v", got, tc.sent)
			}
			if item, ok := e.item(rcpt(need, 1)); !tc.sent && (!ok || item.Last != "message needs TLS, next hop has none") {
				t.Errorf("item %+v", item)
			}
		})
	}
}

// TestDataBehindSTARTTLSIsRefused: what a man in the middle adds in clear must not become part of the session.
func TestDataBehindSTARTTLSIsRefused(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			buf := make([]byte, 1024)
			for _, answer := range []string{"220 hello\r\n", "250-sink\r\n250 STARTTLS\r\n", "220 go\r\n250 injected\r\n"} {
				conn.Write([]byte(answer))
				conn.Read(buf)
			}
			conn.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	e := newEnv(t)
	e.put(letter{from: "alice@example.org", rcpts: to("bob@ext.example")})
	r := route(l.Addr().String())
	r.TLS = relay.TLSRequired
	e.start(r)
	e.await("hop down", func() bool { return len(e.downs()) > 0 })
	e.awaitLog("data behind its answer to STARTTLS")
}
