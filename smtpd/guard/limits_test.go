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
		p.Send("STARTTLS\r\n" + behind)
		p.Want("421 4.7.0 Input after STARTTLS")
		p.WantEnd()
	}
}

func TestStartTLSLookAlikes(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture, p *peer) {
		for _, line := range []string{"STARTTLSX", "STARTTLS now", "starttlsstarttls"} {
			p.Send(line + "\r\n")
			p.Want("503 5.5.1")
		}
		p.Send("\u017ftarttls\r\n") // strings.ToUpper makes an S of it
		p.Want("500 5.5.2")
		p.begin()
	})
}

func TestStartTLSUnderTLSAndWithoutCertificate(t *testing.T) {
	t.Parallel()
	p := start(t).client("implicit")
	p.Send("STARTTLS\r\n")
	p.Want("503 5.5.1")
	f := start(t, func(c *Config) { c.TLS = nil })
	p = f.raw()
	p.Send("EHLO a.example\r\n")
	if caps := p.Want("250"); strings.Contains(caps, "STARTTLS") {
		t.Fatalf("offered: %q", caps)
	}
	p.Send("STARTTLS\r\n")
	p.Want("503 5.5.1")
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
	p.Send("QUIT\r\n")
	p.Want("221")
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
		p.Send(bad)
		p.Want("535")
		p.Send("EHLO b.example\r\n") // the count survives it
		p.Want("250")
		p.Send(bad + bad + "NOOP\r\n")
		p.Want("535")
		p.Want("421 4.7.0")
		p.WantEnd()
	}
}

func TestAnswerToAuthIsNoCommand(t *testing.T) {
	t.Parallel()
	f := start(t)
	for _, answer := range []string{"STARTTLS", "QUIT", "BDAT 5"} {
		p := f.client("implicit")
		p.Send("AUTH PLAIN\r\n")
		p.Want("334")
		p.Send(answer + "\r\n")
		p.Want("454") // not base64 of a log-on
		p.Send("NOOP\r\n")
		p.Want("250")
		p.Send("AUTH PLAIN " + base64.StdEncoding.EncodeToString([]byte("\x00"+strings.Repeat("u", 4000)+"\x00good")) + "\r\n")
		p.Want("235")
	}
	p := f.client("implicit")
	p.Send("AUTH PLAIN\r\n")
	p.Want("334")
	p.Send(strings.Repeat("A", 13_000) + "\r\n")
	p.Want("500 5.5.2 Line too long")
	p.WantEnd()
}

func TestNoAuthInClear(t *testing.T) {
	t.Parallel()
	p := start(t).client("clear")
	p.Send("AUTH PLAIN AHUAZ29vZA==\r\n")
	p.Want("523")
}

func TestExactSize(t *testing.T) {
	t.Parallel()
	body := strings.Repeat(strings.Repeat("q", 1022)+"\r\n", testLimit/1024)
	each(t, func(t *testing.T, f *fixture, p *peer) {
		p.Send("EHLO b.example\r\n")
		caps := p.Want("250")
		if want := fmt.Sprintf("SIZE %d\r\n", testLimit); !strings.Contains(caps, want) || strings.Contains(caps, "REQUIRETLS") {
			t.Fatalf("capabilities %q", caps)
		}
		if !strings.HasPrefix(caps, "250-gw.example ") {
			t.Fatalf("EHLO names %q", caps)
		}
		p.data()
		p.Send(body + ".\r\n")
		p.Want("250")
		p.data()
		p.Send("12\r\n" + body + ".\r\n")
		p.Want("552 5.3.4")
		p.begin()
		p.Send(fmt.Sprintf("BDAT %d LAST\r\n", len(body)) + body)
		p.Want("250")
		p.begin()
		p.Send(fmt.Sprintf("BDAT %d LAST\r\n12\r\n", len(body)+4) + body)
		p.Want("552 5.3.4")
		p.Send("NOOP\r\n")
		p.Want("250")
		if got := f.b.messages(); len(got) != 2 || got[0].body != body || got[1].body != body {
			t.Fatalf("%d messages", len(got))
		}
	})
}

func TestAnnouncedSizeOver32Bits(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture, p *peer) {
		for _, size := range []string{"4294967296", "99999999999999999999999"} {
			p.Send("MAIL FROM:<a@x.example> BODY=8BITMIME size=" + size + "\r\n")
			p.Want("552 5.3.4 Message exceeds 1048576 bytes (ref ")
		}
		p.Send("MAIL FROM:<a@x.example> SIZE=12x\r\n")
		p.Want("501")
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
		p.Want("552 5.3.4")
		p.WantEnd()
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
		p.Send("BDAT 4000000000 LAST\r\n")
		p.Want("552 5.3.4 Message exceeds 1048576 bytes")
		p.WantEnd()
	})
}

func TestRefusedChunkIsDiscarded(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture, p *peer) {
		p.Send("BDAT 7 LAST\r\nRSET\r\n\nNOOP\r\n") // no transaction; bare LF inside
		p.Want("502")
		p.Want("250")
		p.begin()
		p.Send("NOOP\r\n")
		p.Want("250")
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
		p.Want("550 5.6.0")
		p.WantEnd()
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
		p.Want("421 4.4.2 Timeout")
		p.WantEnd()
	})
}

func TestWebClients(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture, p *peer) {
		p.Send("POST / HTTP/1.1\r\nHost: gw.example\r\n\r\n" + envelope)
		p.Want("521 5.7.0")
		p.WantEnd()
	})
	f := start(t)
	for _, verb := range []string{"GET /", "CONNECT x:25", "get /"} {
		p := f.raw()
		p.Send(verb + " HTTP/1.1\r\n\r\n")
		p.Want("521 5.7.0")
		p.WantEnd()
	}
}

func TestTooManyErrors(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture, p *peer) {
		for errors := range 5 { // a message clears the count
			for range errors {
				p.Send("RCPT TO:<b@y.example>\r\n")
				p.Want("502")
			}
			p.data()
			p.Send("x\r\n.\r\n")
			p.Want("250")
		}
		p.Send(strings.Repeat("RCPT TO:<b@y.example>\r\n", 7))
		for range 5 {
			p.Want("502")
		}
		p.Want("421 4.7.0 Too many errors")
		p.WantEnd()
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
			p.Want(tc.text)
			p.WantEnd()
			f.connect(1).WantEnd() // in clear it could not be read
			if a, b := <-rejected, <-rejected; a != "clear" || b != "tls" {
				t.Fatalf("rejected on %s, %s", a, b)
			}
			second.Send("QUIT\r\n")
			second.Want("221")
			second.WantEnd()
			f.waitFor(func() bool { return f.g.Len() == 1 })
			f.raw()
			first.Send("NOOP\r\n")
			first.Want("250")
		})
	}
}

func TestPanicOfASessionEndsItsConnectionOnly(t *testing.T) {
	t.Parallel()
	f := start(t, func(c *Config) { c.Backend.(*backend).panicky = true })
	p, other := f.client("implicit"), f.client("clear")
	p.data()
	p.Send("x\r\n.\r\n")
	p.Want("421")
	p.WantEnd()
	other.Send("NOOP\r\n")
	other.Want("250")
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
