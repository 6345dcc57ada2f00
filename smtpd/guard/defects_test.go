package guard

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emersion/go-smtp"
)

// The tests of this file play the defects of go-smtp v0.25.1 that the guard exists for, D1 to D13.

func TestPlainSessions(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture, p *peer) {
		body := "Subject: x\r\n\r\n.dot\r\nSTARTTLS\r\nBDAT 5\r\n" + strings.Repeat("y", 5000) + "\r\n"
		for range 20 {
			p.data()
			p.Send(strings.ReplaceAll(body, "\r\n.", "\r\n..") + ".\r\n")
			p.Want("250 2.0.0 Ok: queued as X1")
		}
		p.Send("QUIT\r\n")
		p.Want("221")
		p.WantEnd()
		got := f.b.messages()
		if len(got) != 20 || got[19].body != body || got[19].from != "a@x.example" {
			t.Fatalf("%d messages, the last %q", len(got), got[len(got)-1])
		}
	})
}

func TestPipelinedSession(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture, p *peer) {
		chunk := "Subject: chunk\r\n\r\n"
		p.Send("RSET\r\n" + envelope + "DATA\r\n" + "Subject: one\r\n\r\n.\r\n" +
			envelope + fmt.Sprintf("BDAT %d\r\n%sNOOP\r\nBDAT 2 LAST\r\n\r\n", len(chunk), chunk) +
			envelope + "DATA\r\n" + "Subject: two\r\n\r\n.\r\n" + "QUIT\r\n")
		for _, want := range strings.Fields("250 250 250 354 250 250 250 250 250 250 250 250 354 250 221") {
			p.Want(want)
		}
		p.WantEnd()
		if got := f.b.messages(); len(got) != 3 || got[1].body != chunk+"\r\n" {
			t.Fatalf("%q", got)
		}
	})
}

// inTime runs f in a synctest bubble for every mode.
func inTime(t *testing.T, f func(t *testing.T, f *fixture, p *peer), adjust ...func(*Config)) {
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fix := startInMemory(t, adjust...)
				f(t, fix, fix.client(mode))
			})
		})
	}
}

func TestD1BodyAfterTimeoutIsNotCommands(t *testing.T) {
	t.Parallel()
	begin := map[string]string{"DATA": "DATA\r\nSubject: x\r\n\r\nhello", "BDAT": "BDAT 500 LAST\r\nSubject: x\r\n\r\nhello"}
	for name, first := range begin {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(t *testing.T, f *fixture, p *peer) {
				p.begin()
				p.Send(first)
				if name == "DATA" {
					p.Want("354")
				}
				time.Sleep(time.Minute + time.Second)
				p.Send("\r\nMAIL FROM:<ceo@x.example>\r\nRCPT TO:<b@y.example>\r\nDATA\r\nx\r\n.\r\n")
				p.Want("421 4.4.2 Timeout")
				p.WantEnd()
				synctest.Wait()
				if got := f.b.messages(); len(got) != 0 {
					t.Fatalf("taken: %q", got)
				}
			})
		})
	}
}

func TestD2TruncatedChunkIsNoMessage(t *testing.T) {
	t.Parallel()
	cuts := map[string]func(net.Conn){
		"polite": func(c net.Conn) { c.(interface{ CloseWrite() error }).CloseWrite() },
		"FIN": func(c net.Conn) {
			if t, ok := c.(*tls.Conn); ok {
				c = t.NetConn()
			}
			c.(*net.TCPConn).CloseWrite()
		},
	}
	for name, cut := range cuts {
		for _, chunk := range []string{"BDAT 100 LAST\r\nSubject: x\r\n\r\nhalf\r\n", "BDAT 100 LAST\r\n", "DATA\r\nSubject: x\r\n\r\nhalf\r\n"} {
			t.Run(name+"/"+chunk[:4], func(t *testing.T) {
				t.Parallel()
				each(t, func(t *testing.T, f *fixture, p *peer) {
					p.begin()
					p.Send(chunk)
					if strings.HasPrefix(chunk, "DATA") {
						p.Want("354")
					}
					cut(p.Conn)
					p.Want("421 4.4.2 Connection lost")
					p.WantEnd()
					p.Close()
					<-f.drained()
					if got := f.b.messages(); len(got) != 0 {
						t.Fatalf("truncated message taken: %q", got)
					}
				})
			})
		}
	}
}

// drained drains and says when the last connection is gone.
func (f *fixture) drained() <-chan struct{} {
	f.g.Drain()
	return f.g.Drained()
}

// bare are messages with octets that may not stand where they do; the first two are D3 and D8.
var bare = map[string]string{
	"D3 CR CR LF before the dot": "Subject: x\r\n\r\nlast\r\r\n.\r\n",
	"D8 dot CR X":                "a\r\n.\rX\r\n.\r\n",
	"LF dot LF":                  "a\n.\nMAIL FROM:<q@q.example>\r\n",
	"CRLF dot LF":                "a\r\n.\nMAIL FROM:<q@q.example>\r\n",
	"LF dot CRLF":                "a\n.\r\nMAIL FROM:<q@q.example>\r\n",
	"CR dot CR":                  "a\r.\rMAIL FROM:<q@q.example>\r\n.\r\n",
	"CRLF dot CR":                "a\r\n.\rMAIL FROM:<q@q.example>\r\n.\r\n",
	"CRLF NUL dot CRLF":          "a\r\n\x00.\r\nMAIL FROM:<q@q.example>\r\n",
	"CRLF dot NUL CRLF":          "a\r\n.\x00\r\nMAIL FROM:<q@q.example>\r\n",
	"bare LF":                    "a\nb\r\n.\r\n",
	"bare CR":                    "a\rb\r\n.\r\n",
	"NUL":                        "a\x00b\r\n.\r\n",
	"LF first":                   "\na\r\n.\r\n",
	"NUL first":                  "\x00a\r\n.\r\n",
}

func TestD3D8BareOctetsEndMessageAndConnection(t *testing.T) {
	t.Parallel()
	for name, body := range bare {
		for verb, before := range map[string]string{"DATA\r\n": "354", fmt.Sprintf("BDAT %d LAST\r\n", len(body)): "",
			fmt.Sprintf("BDAT 3\r\nX\r\nBDAT %d LAST\r\n", len(body)): "250"} {
			t.Run(name+"/"+verb, func(t *testing.T) {
				t.Parallel()
				each(t, func(t *testing.T, f *fixture, p *peer) {
					p.begin()
					p.Send(verb + body + envelope)
					if before != "" {
						p.Want(before)
					}
					p.Want("550 5.6.0 Bare CR, LF or NUL in message")
					p.WantEnd()
					if got := f.b.messages(); len(got) != 0 {
						t.Fatalf("taken: %q", got)
					}
				})
			})
		}
	}
}

func TestBareOctetErrorIsReadableByTheSession(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture, p *peer) {
		p.data()
		p.Send("a\nb\r\n.\r\n")
		p.Want("550 5.6.0")
		var reply *smtp.SMTPError
		if errs := f.b.errors(); len(errs) != 1 || !errors.As(errs[0], &reply) || reply.Code != 550 || reply.EnhancedCode != (smtp.EnhancedCode{5, 6, 0}) {
			t.Fatalf("read errors %v", errs)
		}
	})
}

func TestD5ControlOctetsInCommands(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"RCPT TO:<a@y.example\rX>\r\n", "RCPT TO:<a@y.example>\n", "RCPT TO:<a\x00@y.example>\r\n",
		"RCPT TO:<a\x1b@y.example>\r\n", "\x16\x03\x01\x02\x00\x01\r\n", "\r\r\n", "\n", "NOOP\x7f\r\n"} {
		t.Run(fmt.Sprintf("%q", line), func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, f *fixture, p *peer) {
				p.Send("MAIL FROM:<a@x.example>\r\n")
				p.Want("250")
				p.Send(line + "NOOP\r\n")
				p.Want("500 5.5.2")
				p.WantEnd()
			})
		})
	}
}

func TestD6D7LongLines(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture, p *peer) {
		body := "Subject: x\r\n\r\n" + strings.Repeat("z", 100_000) + "\r\n"
		p.Send(envelope + fmt.Sprintf("BDAT %d\r\n%sBDAT 7 LAST\r\nend..\r\nRSET\r\n", len(body), body))
		for range 5 {
			p.Want("250")
		}
		p.data()
		p.Send(body + ".\r\n")
		p.Want("250")
		if got := f.b.messages(); len(got) != 2 || got[0].body != body+"end..\r\n" || got[1].body != body {
			t.Fatalf("%d messages", len(got))
		}
		p.Send("EHLO " + strings.Repeat("h", 3000) + "\r\nNOOP\r\n")
		p.Want("500 5.5.2 Line too long")
		p.WantEnd()
	})
}

func TestEndlessCommandLine(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture, p *peer) {
		p.Send("NOOP " + strings.Repeat("n", 40_000))
		p.Want("500 5.5.2 Line too long")
		p.WantEnd()
	})
}

func TestD9BadChunkSizes(t *testing.T) {
	t.Parallel()
	for _, arg := range []string{" 5x", " -5", " 99999999999", " 5 LAST x", " 5 FIRST", "", " ", " +5", " 0", " 0x5", " 5 LAST LAST"} {
		t.Run(arg, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, f *fixture, p *peer) {
				p.begin()
				p.Send("BDAT" + arg + "\r\nRSET\r\nNOOP\r\n")
				p.Want("501 5.5.4 Bad chunk size")
				p.WantEnd()
			})
		})
	}
}

func TestD10FailedHandshakeNeverGoesOnInClear(t *testing.T) {
	t.Parallel()
	failed := make(chan error, 2)
	f := start(t, func(c *Config) { c.Hooks.TLSFailed = func(_ *Conn, err error) { failed <- err } })
	p := f.raw()
	p.Send("EHLO a.example\r\nSTARTTLS\r\n")
	p.Want("250")
	p.Want("220")
	p.Send("MAIL FROM:<a@x.example>\r\nRCPT TO:<b@y.example>\r\nDATA\r\n")
	rest := make([]byte, 1000)
	for n := 0; ; {
		m, err := p.R.Read(rest[n:])
		if n += m; err != nil {
			rest = rest[:n]
			break
		}
	}
	if strings.Contains(string(rest), "250") || strings.Contains(string(rest), "220") {
		t.Fatalf("answered in clear: %q", rest)
	}
	if err := <-failed; err == nil {
		t.Fatal("no error told")
	}
	p = f.connect(1) // implicit TLS
	p.Send("EHLO a.example\r\n")
	if got := p.Reply(); strings.Contains(got, "220") {
		t.Fatalf("greeted in clear: %q", got)
	}
	<-failed
}

func TestD10HandshakeNeverFinished(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := startInMemory(t)
		p := f.raw()
		p.Send("EHLO a.example\r\nSTARTTLS\r\n")
		p.Want("250")
		p.Want("220")
		implicit := f.connect(1)
		time.Sleep(time.Minute + time.Second)
		p.WantEnd()
		implicit.WantEnd()
		synctest.Wait()
		if n := f.g.Len(); n != 0 {
			t.Fatalf("%d connections left", n)
		}
	})
}

func TestD11SlowSenderIsAccepted(t *testing.T) {
	t.Parallel()
	inTime(t, func(t *testing.T, f *fixture, p *peer) {
		p.data()
		line := "twenty octets a line\r\n"
		for range 900 { // 5.5 hours
			for i := range line {
				p.Send(line[i : i+1])
				time.Sleep(time.Second)
			}
		}
		p.Send(".\r\n")
		p.Want("250 2.0.0 Ok")
	})
}

func TestD12OnlyChunksInsideAChunkedMessage(t *testing.T) {
	t.Parallel()
	tooMuch := strings.Repeat("0123456\r\n", 1<<17)[:testLimit+10]
	next := envelope + "BDAT 14 LAST\r\nSubject: b\r\n\r\n"
	for name, cmd := range map[string]string{"RSET": "RSET\r\n", "EHLO": "EHLO b\r\n", "HELO": "HELO b\r\n", "STARTTLS": "STARTTLS\r\n", "MAIL": "MAIL FROM:<x@y.example>\r\n",
		"RCPT": "RCPT TO:<x@y.example>\r\n", "DATA": "DATA\r\n", "VRFY": "VRFY x\r\n", "junk": "XYZZY\r\n", "refused chunk": fmt.Sprintf("BDAT %d LAST\r\n%s", len(tooMuch), tooMuch)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, f *fixture, p *peer) {
				p.begin()
				p.Send("BDAT 14\r\nSubject: a\r\n\r\nNOOP\r\n")
				p.Want("250")
				p.Want("250")
				p.Send(cmd + next)
				if got := p.Reply(); !strings.HasPrefix(got, "421") && !strings.HasPrefix(got, "552") {
					t.Fatalf("reply %q", got)
				}
				p.WantEnd()
				p.Close()
				<-f.drained()
				if got := f.b.messages(); len(got) != 0 {
					t.Fatalf("taken: %q", got)
				}
			})
		})
	}
}

func TestD12QuitInsideAChunkedMessage(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture, p *peer) {
		p.begin()
		p.Send("BDAT 14\r\nSubject: a\r\n\r\nQUIT\r\n" + envelope)
		p.Want("250")
		p.Want("221")
		p.WantEnd()
		<-f.drained()
		f.waitFor(func() bool { return len(f.b.errors()) == 1 })
		if len(f.b.messages()) != 0 {
			t.Fatal("taken")
		}
	})
}

func TestD13PipelinedCommandsAfterTheEnd(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture, p *peer) {
		p.Send("QUIT\r\nEHLO b\r\n" + envelope + "DATA\r\nx\r\n.\r\n")
		p.Want("221")
		p.WantEnd()
		<-f.drained()
		if len(f.b.messages()) != 0 {
			t.Fatal("taken after QUIT")
		}
	})
	each(t, func(t *testing.T, f *fixture, p *peer) {
		p.Send(strings.Repeat("XYZZ\r\n", 8) + envelope)
		for range 4 { // go-smtp's own limit
			p.Want("500 5.5.2")
		}
		p.Want("500 5.5.1")
		p.WantEnd()
		<-f.drained() // a panic in go-smtp would show in its log
	})
}
