package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// authority is a certificate authority of the test's own.
type authority struct {
	t    testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	a := &authority{t: t, key: newECKey(t)}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test authority"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, a.key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return a
}

func newECKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// issue writes a certificate for this machine and its key.
func (a *authority) issue(serial int64, certFile, keyFile string) {
	a.t.Helper()
	key := newECKey(a.t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(30 * time.Minute), DNSNames: []string{"gateway.example.org"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	writeFile(a.t, keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600)
	writeFile(a.t, certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600)
}

func (a *authority) client() *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return &tls.Config{RootCAs: pool, ServerName: "gateway.example.org"}
}

// secured is a gateway with certificates on listener and site.
type secured struct {
	*trial
	ca        *authority
	smtpFiles [2]string
	siteFiles [2]string
}

func newSecured(t testing.TB) *secured {
	t.Helper()
	s := &secured{trial: newTrial(t, ""), ca: newAuthority(t)}
	s.smtpFiles = [2]string{s.dir + "/smtp.pem", s.dir + "/smtp.key"}
	s.siteFiles = [2]string{s.dir + "/site.pem", s.dir + "/site.key"}
	s.edit = func(config string) string {
		tlsOf := func(f [2]string) string { return `, tls: {cert_file: "` + f[0] + `", key_file: "` + f[1] + `"}}` }
		config = strings.Replace(config, `smtp: {listen: ["`+s.smtp+`"]}`, `smtp: {listen: ["`+s.smtp+`"]`+tlsOf(s.smtpFiles), 1)
		return strings.Replace(config, `url: "http://`+s.site+`"}`, `url: "https://`+s.site+`"`+tlsOf(s.siteFiles), 1)
	}
	s.issue(101, 102)
	return s
}

func (s *secured) issue(smtp, site int64) {
	s.ca.issue(smtp, s.smtpFiles[0], s.smtpFiles[1])
	s.ca.issue(site, s.siteFiles[0], s.siteFiles[1])
}

// shown are the serial numbers that a mail server and a browser see.
func (s *secured) shown() (smtp, site int64) {
	s.t.Helper()
	d := s.dialogue()
	d.say("EHLO mail.example.org", "250")
	d.say("STARTTLS", "220")
	mail := tls.Client(d.conn, s.ca.client())
	if err := mail.Handshake(); err != nil {
		s.t.Fatalf("STARTTLS: %v", err)
	}
	defer mail.Close()
	web, err := tls.Dial("tcp", s.site, s.ca.client())
	if err != nil {
		s.t.Fatalf("site: %v", err)
	}
	defer web.Close()
	serial := func(c *tls.Conn) int64 { return c.ConnectionState().PeerCertificates[0].SerialNumber.Int64() }
	return serial(mail), serial(web)
}

func (s *secured) wantShown(smtp, site int64) {
	s.t.Helper()
	if a, b := s.shown(); a != smtp || b != site {
		s.t.Errorf("the certificates are %d and %d, want %d and %d", a, b, smtp, site)
	}
}

// TestReloadOnHangup: SIGHUP reads both certificates anew; files that do not fit together leave the old ones in use.
func TestReloadOnHangup(t *testing.T) {
	t.Parallel()
	s := newSecured(t)
	s.start()
	s.wantShown(101, 102)
	s.issue(201, 202)
	hangup := func(lines string, n int) {
		t.Helper()
		if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the log tells of the reload", func() bool { return strings.Count(s.log.String(), lines) >= n })
	}
	hangup(`"event":"certificate"`, 2)
	s.wantShown(201, 202)
	wantParts(t, s.log.String(), `"event":"certificate","listener":"smtp","not_after":"`, `"event":"certificate","listener":"site","not_after":"`)
	wantParts(t, s.metrics(t), `postern_certificate_expires_timestamp_seconds{listener="site"}`, `postern_certificate_expires_timestamp_seconds{listener="smtp"}`)

	s.ca.issue(301, s.smtpFiles[0], s.dir+"/elsewhere.key")
	writeFile(t, s.siteFiles[1], []byte("no key"), 0o600)
	hangup("certificate not reloaded; the old one stays", 2)
	s.wantShown(201, 202)
	if s.readyz() != http.StatusOK {
		t.Error("a bad certificate makes the gateway unready")
	}
}

// TestReloadOfChangedFiles: renewed files are noticed without a signal.
func TestReloadOfChangedFiles(t *testing.T) {
	t.Parallel()
	s := newSecured(t)
	s.start()
	s.wantShown(101, 102)
	s.issue(201, 202)
	deadline := time.Now().Add(2 * time.Minute) // they are looked at once a minute
	for time.Now().Before(deadline) {
		if a, b := s.shown(); a == 201 && b == 202 {
			return
		}
		time.Sleep(time.Second)
	}
	t.Error("renewed certificates are not noticed")
}

// TestSiteOverTLS goes the recipient's way over TLS, where cookies are for TLS alone.
func TestSiteOverTLS(t *testing.T) {
	t.Parallel()
	s := newSecured(t)
	s.start()
	s.send(t, "alice@example.org", []string{"bob@ext.example"}, letterText("Alice <alice@example.org>", "bob@ext.example", "[secure] Plans", "<plans@example.org>", ""))
	note := s.await("bob@ext.example", "X-Postern-Origin: v1 notification")
	link := linkIn(note.View().Text, "https://"+s.site+"/p/")
	bob := s.person()
	bob.site = "https://" + s.site
	bob.http.Transport = &http.Transport{TLSClientConfig: s.ca.client()}
	page := bob.register(link).want(t, "Plans")
	if hsts := page.header.Get("Strict-Transport-Security"); hsts == "" {
		t.Error("no Strict-Transport-Security")
	}
	cookies := bob.http.Jar.Cookies(bob.request(http.MethodGet, "/", nil).URL)
	for _, c := range cookies {
		if !strings.HasPrefix(c.Name, "__Host-postern") {
			t.Errorf("cookie %s", c.Name)
		}
	}
	if len(cookies) == 0 {
		t.Error("no cookie")
	}
}
