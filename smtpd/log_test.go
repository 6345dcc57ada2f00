package smtpd

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"postern/store"
)

func TestLogOfAnAcceptedMessage(t *testing.T) {
	t.Parallel()
	f := start(t)
	p := f.starttls(0)
	p.ask("MAIL FROM:<a@x.example> BODY=8BITMIME ENVID=E1", "250")
	p.ask("RCPT TO:<b@y.example>", "250")
	id := p.message(letter)
	connects, accepts := f.log.events(t, "connect"), f.log.events(t, "accept")
	if len(connects) != 1 || len(accepts) != 1 {
		t.Fatalf("log %s", f.log)
	}
	c, a := connects[0], accepts[0]
	if c["conn"] != a["conn"] || c["listener"] != "relay" || c["client_ip"] != "127.0.0.1" || c["source"] != "trusted" ||
		c["helo"] != "client.example" || c["tls"] != "TLS1.3" || c["tls_cipher"] == "" {
		t.Errorf("connect: %v", c)
	}
	if a["msg"] != id.String() || a["from"] != "a@x.example" || a["size"] != float64(len(letter)) || a["rcpts"] != 1.0 ||
		a["body"] != "8bitmime" || a["envid"] != "E1" || a["code"] != 250.0 || a["took_ms"] == nil {
		t.Errorf("accept: %v", a)
	}
	if strings.Contains(f.log.String(), "canary") {
		t.Error("content is in the log")
	}
}

func TestReferencesAreInTheLog(t *testing.T) {
	t.Parallel()
	f := start(t, func(c *Config) {
		c.LogAddress = func(a store.Address) string { return "hashed@" + a.Domain }
	})
	f.b.recipient = func(_ *store.Envelope, r store.Rcpt) error {
		if r.Address.Local == "refused" {
			return errRelaying.With(fmt.Errorf("rule 7"))
		}
		return nil
	}
	p := f.clear(0)
	refs := map[string]float64{}
	refs[p.ask("XYZZ", "500")] = 500
	refs[p.ask("MAIL FROM:<a b@x.example>", "501")] = 501
	p.ask("MAIL FROM:<a@x.example>", "250")
	refs[p.ask("RCPT TO:<refused@y.example>", "550")] = 550
	p.ask("RCPT TO:<b@y.example>", "250")
	p.ask("DATA", "354")
	p.Send(exactly(testLimit+2) + ".\r\n")
	refs[p.refused("552")] = 552
	lines := f.log.events(t, "refuse")
	if len(lines) != len(refs) {
		t.Fatalf("%d references, log %v", len(refs), lines)
	}
	for _, l := range lines {
		ref := fmt.Sprint(l["ref"])
		if refs[ref] != l["code"] || !strings.HasPrefix(ref, fmt.Sprint(l["conn"])+"-") {
			t.Errorf("line %v", l)
		}
		switch l["code"] {
		case 550.0:
			if l["to"] != "hashed@y.example" || l["cause"] != "rule 7" || l["msg"] == "" {
				t.Errorf("line %v", l)
			}
		case 552.0:
			if l["from"] != "hashed@x.example" || l["msg"] == "" {
				t.Errorf("line %v", l)
			}
		}
	}
}

// TestMistakenContentIsNotLogged: a client out of step may send content where commands are expected.
func TestMistakenContentIsNotLogged(t *testing.T) {
	t.Parallel()
	f := start(t)
	p := f.clear(0)
	p.ask("secretword of mine", "500")
	p.ask("MAIL FROM:<secretword of mine>", "501")
	p.ask("secr", "500")
	if strings.Contains(strings.ToLower(f.log.String()), "secr") {
		t.Fatalf("log %s", f.log)
	}
}

func TestAbortedMessageIsLogged(t *testing.T) {
	t.Parallel()
	f := start(t)
	p := f.clear(0)
	p.begin()
	p.Send("BDAT 5\r\nabc\r\nBDAT 5 LAST\r\na\nbcd")
	p.Want("250")
	ref := p.refused("550 5.6.0 Bare CR, LF or NUL in message")
	<-f.b.failed
	f.stop()
	<-f.ended
	aborts, refusals := f.log.events(t, "abort"), f.log.events(t, "refuse")
	if len(aborts) != 1 || aborts[0]["code"] != 550.0 || len(refusals) != 1 || refusals[0]["ref"] != ref {
		t.Fatalf("log %s", f.log)
	}
}

func TestClientCertificateIsLoggedAndNeverRequired(t *testing.T) {
	t.Parallel()
	f := start(t)
	cert, err := tls.LoadX509KeyPair(writeCertificate(t, t.TempDir(), 9)) // self-signed, without clientAuth (MAIL 1.8)
	if err != nil {
		t.Fatal(err)
	}
	p := f.starttls(0, cert)
	p.begin()
	p.message(letter)
	sum := sha256.Sum256(cert.Certificate[0])
	if c := f.log.events(t, "connect"); len(c) != 1 || c[0]["client_cert"] != hex.EncodeToString(sum[:]) {
		t.Fatalf("log %v", c)
	}
}

func TestFailedHandshakeIsLogged(t *testing.T) {
	t.Parallel()
	f := start(t)
	p := f.connect(1)
	p.Send("EHLO client.example\r\n")
	p.Reply()
	f.stop()
	<-f.ended
	if l := f.log.events(t, "tls-failed"); len(l) != 1 || l[0]["listener"] != "tls" {
		t.Fatalf("log %s", f.log)
	}
}
