package guard

import (
	"encoding/base64"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emersion/go-smtp"
)

func TestStartTLSInjection(t *testing.T) {
	t.Parallel()
	f := start(t)
	for _, behind := range []string{"MAIL FROM:<evil@x.example>\r\n", "\x16", "\r\n"} {
		p := f.client("clear")
		p.send("STARTTLS\r\n" + behind)
		p.want("421 4.7.0 Input after STARTTLS")
		p.wantEnd()
	}
}

func TestStartTLSLookAlikes(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture, p *peer) {
		for _, line := range []string{"STARTTLSX", "STARTTLS now", "starttlsstarttls"} {
			p.send(line + "\r\n")
			p.want("503 5.5.1")
		}
		p.send("\u017ftarttls\r\n") // strings.ToUpper makes an S of it
		p.want("500 5.5.2")
		p.begin()
	})
}

func TestStartTLSUnderTLSAndWithoutCertificate(t *testing.T) {
	t.Parallel()
	p := start(t).client("implicit")
	p.send("STARTTLS\r\n")
	p.want("503 5.5.1")
	f := start(t, func(c *Config) { c.TLS = nil })
	p = f.raw()
	p.send("EHLO a.example\r\n")
	if caps := p.want("250"); strings.Contains(caps, "STARTTLS") {
		t.Fatalf("offered: %q", caps)
	}
	p.send("STARTTLS\r\n")
	p.want("503 5.5.1")
}

func TestStartTLSKeepsTheIdentity(t *testing.T) {
	t.Parallel()
	opened, closed := make(chan *Conn, 2), make(chan *Conn, 2)
	f := start(t, func(c *Config) {
		c.Hooks.Opened = func(c *Conn) { c.Attach("mine"); opened <- c }
		c.Hooks.Closed = func(c *Conn) { closed <- c }
	})
	p := f.client("starttls")
	first := <-opened
	p.send("QUIT\r\n")
	p.want("221")
	last := <-closed
	if last == first || last.ID() != first.ID() || last.Attached() != "mine" || last.TLS() == nil || first.TLS() != nil {
		t.Fatalf("first %q %v, last %q %v", first.ID(), first.TLS() != nil, last.ID(), last.TLS() != nil)
	}
	if last.Listener().Name != "clear" || !last.Remote().IsLoopback() {
		t.Fatalf("listener %q, remote %v", last.Listener().Name, last.Remote())
	}
}

func TestAuthGuessingEndsTheConnection(t *testing.T) {
	t.Parallel()
	f := start(t)
	for _, mode := range []string{"starttls", "implicit"} {
		p := f.client(mode)
		bad := "AUTH PLAIN " + base64.StdEncoding.EncodeToString([]byte("\x00u\x00bad")) + "\r\n"
		p.send(bad)
		p.want("535")
		p.send("EHLO b.example\r\n") // the count survives it
		p.want("250")
		p.send(bad + bad + "NOOP\r\n")
		p.want("535")
		p.want("421 4.7.0")
		p.wantEnd()
	}
}

func TestAnswerToAuthIsNoCommand(t *testing.T) {
	t.Parallel()
	f := start(t)
	for _, answer := range []string{"STARTTLS", "QUIT", "BDAT 5"} {
		p := f.client("implicit")
		p.send("AUTH PLAIN\r\n")
		p.want("334")
		p.send(answer + "\r\n")
		p.want("454") // not base64 of a log-on
		p.send("NOOP\r\n")
		p.want("250")
		p.send("AUTH PLAIN " + base64.StdEncoding.EncodeToString([]byte("\x00"+strings.Repeat("u", 4000)+"\x00good")) + "\r\n")
		p.want("235")
	}
	p := f.client("implicit")
	p.send("AUTH PLAIN\r\n")
	p.want("334")
	p.send(strings.Repeat("A", 13_000) + "\r\n")
	p.want("500 5.5.2 Line too long")
	p.wantEnd()
}

func TestNoAuthInClear(t *testing.T) {
	t.Parallel()
	p := start(t).client("clear")
	p.send("AUTH PLAIN AHUAZ29vZA==\r\n")
	p.want("523")
}

func TestExactSize(t *testing.T) {
	t.Parallel()
	body := strings.Repeat(strings.Repeat("q", 1022)+"\r\n", testLimit/1024)
	each(t, func(t *testing.T, f *fixture, p *peer) {
		p.send("EHLO b.example\r\n")
		caps := p.want("250")
		if want := fmt.Sprintf("SIZE %d\r\n", testLimit); !strings.Contains(caps, want) || strings.Contains(caps, "REQUIRETLS") {
			t.Fatalf("capabilities %q", caps)
		}
		if !strings.HasPrefix(caps, "250-gw.example ") {
			t.Fatalf("EHLO names %q", caps)
		}
		p.data()
		p.send(body + ".\r\n")
		p.want("250")
		p.data()
		p.send("12\r\n" + body + ".\r\n")
		p.want("552 5.3.4")
		p.begin()
		p.send(fmt.Sprintf("BDAT %d LAST\r\n", len(body)) + body)
		p.want("250")
		p.begin()
		p.send(fmt.Sprintf("BDAT %d LAST\r\n12\r\n", len(body)+4) + body)
		p.want("552 5.3.4")
		p.send("NOOP\r\n")
		p.want("250")
		if got := f.b.messages(); len(got) != 2 || got[0].body != body || got[1].body != body {
			t.Fatalf("%d messages", len(got))
		}
	})
}

func TestAnnouncedSizeOver32Bits(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture, p *peer) {
		for _, size := range []string{"4294967296", "99999999999999999999999"} {
			p.send("MAIL FROM:<a@x.example> BODY=8BITMIME size=" + size + "\r\n")
			p.want("552 5.3.4 Message exceeds 1048576 bytes (ref ")
		}
		p.send("MAIL FROM:<a@x.example> SIZE=12x\r\n")
		p.want("501")
		p.begin()
	})
}

func TestRefusedMessageIsNotReadForEver(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture, p *peer) {
		p.data()
		sent := make(chan int)
		go func() { // endless, until the connection is cut
			n := 0
			for line := strings.Repeat(strings.Repeat("e", 998)+"\r\n", 64); ; {
				m, err := p.Write([]byte(line))
				if n += m; err != nil {
					sent <- n
					return
				}
			}
		}()
		p.want("552 5.3.4")
		p.wantEnd()
		p.Close()
		<-sent
		<-f.drained()
		if len(f.b.messages()) != 0 {
			t.Fatal("taken")
		}
	}, func(c *Config) {
		c.Backend.(*backend).refuse = &smtp.SMTPError{Code: 552, EnhancedCode: smtp.EnhancedCode{5, 3, 4}, Message: "Too much"}
	})
}

func TestHugeChunkIsRefusedUnread(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture, p *peer) {
		p.begin()
		p.send("BDAT 4000000000 LAST\r\n")
		p.want("552 5.3.4 Message exceeds 1048576 bytes")
		p.wantEnd()
	})
}

func TestRefusedChunkIsDiscarded(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture, p *peer) {
		p.send("BDAT 7 LAST\r\nRSET\r\n\nNOOP\r\n") // no transaction; bare LF inside
		p.want("502")
		p.want("250")
		p.begin()
		p.send("NOOP\r\n")
		p.want("250")
	})
}

func TestRefusalIsReadThoughTheClientSendsOn(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture, p *peer) {
		p.data()
		done := make(chan error)
		go func() {
			_, err := p.Write([]byte("bare\nLF\r\n" + strings.Repeat(strings.Repeat("x", 998)+"\r\n", 4_000)))
			done <- err
		}()
		if err := <-done; err != nil {
			t.Fatalf("reset while sending: %v", err)
		}
		p.want("550 5.6.0")
		p.wantEnd()
	}, func(c *Config) { c.Limits.Linger = time.Minute })
}

func TestPeerThatNeverReads(t *testing.T) {
	t.Parallel()
	inTime(t, func(t *testing.T, f *fixture, p *peer) {
		go func() {
			for line := []byte(strings.Repeat("NOOP\r\n", 1000)); ; {
				if _, err := p.Write(line); err != nil {
					return
				}
			}
		}()
		time.Sleep(3 * time.Minute)
		synctest.Wait()
		if n := f.g.Len(); n != 0 {
			t.Fatal("it still holds its place")
		}
	})
}

func TestIdleClient(t *testing.T) {
	t.Parallel()
	inTime(t, func(t *testing.T, f *fixture, p *peer) {
		time.Sleep(time.Minute + time.Second)
		p.want("421 4.4.2 Timeout")
		p.wantEnd()
	})
}

func TestWebClients(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture, p *peer) {
		p.send("POST / HTTP/1.1\r\nHost: gw.example\r\n\r\n" + envelope)
		p.want("521 5.7.0")
		p.wantEnd()
	})
	f := start(t)
	for _, verb := range []string{"GET /", "CONNECT x:25", "get /"} {
		p := f.raw()
		p.send(verb + " HTTP/1.1\r\n\r\n")
		p.want("521 5.7.0")
		p.wantEnd()
	}
}

func TestTooManyErrors(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture, p *peer) {
		for errors := range 5 { // a message clears the count
			for range errors {
				p.send("RCPT TO:<b@y.example>\r\n")
				p.want("502")
			}
			p.data()
			p.send("x\r\n.\r\n")
			p.want("250")
		}
		p.send(strings.Repeat("RCPT TO:<b@y.example>\r\n", 7))
		for range 5 {
			p.want("502")
		}
		p.want("421 4.7.0 Too many errors")
		p.wantEnd()
	}, func(c *Config) { c.Class = func(netip.Addr) Class { return Class{Errors: 5} } })
}

func TestConnectionCaps(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		class Class
		all   int
		text  string
	}{
		"per address": {class: Class{Name: "stranger", PerAddress: 2}, text: "421 4.7.0 Too many connections from your address (ref "},
		"per class":   {class: Class{Name: "stranger", Total: 2}, text: "421 4.7.0 Too many connections from your address (ref "},
		"in all":      {all: 2, text: "421 4.7.0 Too many connections (ref "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rejected := make(chan string, 10)
			f := start(t, func(c *Config) {
				c.Class = func(netip.Addr) Class { return tc.class }
				c.Limits.Conns = tc.all
				c.Hooks.Rejected = func(_ netip.Addr, listener string, _ Class, _ string) { rejected <- listener }
			})
			first, second := f.raw(), f.client("starttls")
			p := f.connect(0)
			p.want(tc.text)
			p.wantEnd()
			f.connect(1).wantEnd() // in clear it could not be read
			if a, b := <-rejected, <-rejected; a != "clear" || b != "tls" {
				t.Fatalf("rejected on %s, %s", a, b)
			}
			second.send("QUIT\r\n")
			second.want("221")
			second.wantEnd()
			f.waitFor(func() bool { return f.g.Len() == 1 })
			f.raw()
			first.send("NOOP\r\n")
			first.want("250")
		})
	}
}

func TestPanicOfASessionEndsItsConnectionOnly(t *testing.T) {
	t.Parallel()
	f := start(t, func(c *Config) { c.Backend.(*backend).panicky = true })
	p, other := f.client("implicit"), f.client("clear")
	p.data()
	p.send("x\r\n.\r\n")
	p.want("421")
	p.wantEnd()
	other.send("NOOP\r\n")
	other.want("250")
	f.waitFor(func() bool { return strings.Contains(f.logged.String(), "the backend's fault") })
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	good := Config{Backend: &backend{}, Log: errorLogTo(t)}
	for name, change := range map[string]func(*Config){
		"no backend":      func(c *Config) { c.Backend = nil },
		"no log":          func(c *Config) { c.Log = nil },
		"no limit":        func(c *Config) { c.Limits.Message = 0 },
		"negative limit":  func(c *Config) { c.Limits.Message = -1 },
		"limit of 4 GiB":  func(c *Config) { c.Limits.Message = 1 << 32 },
		"limit near that": func(c *Config) { c.Limits.Message = 1<<32 - 1 },
	} {
		cfg := good
		cfg.Limits.Message = 1
		change(&cfg)
		if _, err := New(cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
