package smtpd

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"postern/cmd/testnet"
	"postern/store"
)

// exactly makes a message of n octets.
func exactly(n int) string {
	line := strings.Repeat("q", 62) + "\r\n"
	return strings.Repeat(line, n/64-1) + strings.Repeat("q", 62+n%64) + "\r\n"
}

func TestExactSizeOfContent(t *testing.T) {
	t.Parallel()
	f := start(t)
	for name, p := range ways(f) {
		for _, size := range []int{testLimit, testLimit + 1, testLimit + 2, testLimit + 1000} {
			for _, chunked := range []bool{false, true} {
				body := exactly(size)
				p.begin()
				if chunked {
					p.Send(fmt.Sprintf("BDAT %d\r\n%sBDAT %d LAST\r\n%s", 1000, body[:1000], size-1000, body[1000:]))
					p.Want("250")
				} else {
					p.ask("DATA", "354")
					p.Send(body + ".\r\n")
				}
				if size <= testLimit {
					p.Want("250 2.0.0 Ok: queued as ")
					continue
				}
				p.refused("552 5.3.4 Message exceeds 131072 bytes (ref ")
				if chunked { // go-smtp may mix up what follows, so the guard has closed
					p.WantEnd()
					p = map[string]func() *caller{"clear": func() *caller { return f.clear(0) }, "starttls": func() *caller { return f.starttls(0) }, "implicit": f.implicit}[name]()
				}
			}
		}
	}
	if n := len(f.b.messages()); n != 6 {
		t.Fatalf("%d messages", n)
	}
}

func TestChunkedMessageMustEndWithCRLF(t *testing.T) {
	t.Parallel()
	f := start(t)
	for _, p := range ways(f) {
		for _, body := range []string{"Subject: x\r\n\r\nno end", "x", "x\r\n.", "Subject: x\r"} {
			p.begin()
			p.Send(fmt.Sprintf("BDAT %d LAST\r\n%s", len(body), body))
			p.refused("550 5.6.0 Message does not end with CRLF (ref ")
		}
		p.begin()
		p.Send("BDAT 1\r\nxBDAT 1\r\n\rBDAT 1 LAST\r\n\n")
		p.Want("250")
		p.Want("250")
		p.Want("250 2.0.0 Ok: queued as ")
		p.begin()
		p.Send("BDAT 2\r\nx\rBDAT 0 LAST\r\n")
		p.Want("250")
		p.refused("550 5.6.0 Message does not end with CRLF (ref ")
	}
	if n := len(f.b.messages()); n != 3 {
		t.Fatalf("%d messages", n)
	}
}

func TestReadErrorsOfTheBodyAreReplies(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		send  string
		cut   bool
		reply string
	}{
		"bare LF":         {send: "DATA\r\na\nb\r\n.\r\n", reply: "550 5.6.0 Bare CR, LF or NUL in message"},
		"bare LF, chunks": {send: "BDAT 5\r\nabc\r\nBDAT 4 LAST\r\na\nb\n", reply: "550 5.6.0 Bare CR, LF or NUL in message"},
		"too large":       {send: "DATA\r\n" + exactly(testLimit+5) + ".\r\n", reply: "552 5.3.4 Message exceeds 131072 bytes"},
		"no CRLF":         {send: "BDAT 5 LAST\r\nabcde", reply: "550 5.6.0 Message does not end with CRLF"},
		"cut":             {send: "DATA\r\nabcde\r\n", cut: true, reply: "421 4.4.2 Connection lost"},
		"cut, chunk":      {send: "BDAT 9 LAST\r\nabcde\r\n", cut: true, reply: "421 4.4.2 Connection lost"},
		"cut, chunks":     {send: "BDAT 7\r\nabcde\r\n", cut: true, reply: "421 4.4.2 Message transfer broken off"},
		"quit, chunks":    {send: "BDAT 7\r\nabcde\r\nQUIT\r\n", reply: "421 4.4.2 Message transfer broken off"},
		"reset, chunks":   {send: "BDAT 7\r\nabcde\r\nRSET\r\n", reply: "421 4.4.2 Message transfer broken off"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := start(t)
			for _, p := range ways(f) {
				p.begin()
				p.Send(tc.send)
				if tc.cut {
					p.Conn.(interface{ CloseWrite() error }).CloseWrite()
				}
				err := <-f.b.failed
				var reply *store.ReplyError
				if !errors.As(err, &reply) || !strings.HasPrefix(reply.Error(), tc.reply) {
					t.Fatalf("Accept read %v", err)
				}
			}
			if n := len(f.b.messages()); n != 0 {
				t.Fatalf("%d messages", n)
			}
		})
	}
}

func TestRefusalsOfTheBackend(t *testing.T) {
	t.Parallel()
	disabled := store.Reply(550, [3]int{5, 2, 1}, "Secure message not sent: this recipient is disabled here. Contact Desk")
	for name, tc := range map[string]struct {
		err   error
		reply string
	}{
		"reply":     {disabled, "550 5.2.1 Secure message not sent: this recipient is disabled here. Contact Desk (ref "},
		"wrapped":   {fmt.Errorf("decide: %w", disabled.With(errors.New("secret cause"))), "550 5.2.1 Secure message not sent: this"},
		"full":      {fmt.Errorf("commit: %w", store.ErrFull), "452 4.3.1 Insufficient system storage (ref "},
		"uncertain": {store.ErrUncertain, "451 4.3.0 Temporary local problem (ref "},
		"unknown":   {errors.New("secret cause"), "451 4.3.0 Temporary local problem (ref "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := start(t)
			readFirst := make(chan bool, 1)
			f.b.accept = func(_ store.Envelope, body io.Reader) (store.Receipt, error) {
				if <-readFirst {
					io.Copy(io.Discard, body)
				}
				return store.Receipt{}, tc.err
			}
			f.b.recipient = func(_ *store.Envelope, r store.Rcpt) error {
				if r.Address.Local == "refused" {
					return tc.err
				}
				return nil
			}
			for _, p := range ways(f) {
				for _, read := range []bool{true, false} {
					p.begin()
					p.ask("RCPT TO:<refused@y.example>", tc.reply)
					p.ask("DATA", "354")
					readFirst <- read
					p.Send(letter + exactly(100_000) + ".\r\n")
					p.refused(tc.reply)
				}
				p.begin()
				readFirst <- true
				p.Send(fmt.Sprintf("BDAT %d LAST\r\n%s", len(letter), letter))
				p.refused(tc.reply)
				p.ask("NOOP", "250")
			}
		})
	}
}

func TestBackendMustReadToTheEnd(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.b.accept = func(env store.Envelope, body io.Reader) (store.Receipt, error) {
		_, err := bufio.NewReaderSize(body, 16).ReadString('\n')
		return store.Receipt{ID: env.ID}, err
	}
	p := f.clear(0)
	p.begin()
	p.ask("DATA", "354")
	p.Send(letter + exactly(100_000) + ".\r\n")
	p.refused("451 4.3.0")
}

func TestPanicOfTheBackendIsATemporaryProblem(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.b.accept = func(store.Envelope, io.Reader) (store.Receipt, error) { panic("out of cheese") }
	for _, p := range ways(f) {
		p.begin()
		p.ask("DATA", "354")
		p.Send(letter + ".\r\n")
		p.refused("421 4.3.0 Temporary local problem (ref ")
		p.WantEnd()
	}
	p := f.clear(0)
	p.begin()
	p.Send(fmt.Sprintf("BDAT %d LAST\r\n%s", len(letter), letter))
	p.refused("421 4.3.0 Temporary local problem (ref ")
	found := f.log.events(t, "refuse")
	if len(found) != 4 || !strings.Contains(fmt.Sprint(found[0]["cause"]), "out of cheese") || found[0]["level"] != "ERROR" {
		t.Fatalf("log %v", found)
	}
}

func TestEmptyMessage(t *testing.T) {
	t.Parallel()
	f := start(t)
	p := f.clear(0)
	p.begin()
	p.message("")
	p.begin()
	p.ask("BDAT 0 LAST", "250 2.0.0 Ok")
	if got := f.b.messages(); len(got) != 2 || got[0].body+got[1].body != "" {
		t.Fatalf("%d messages", len(got))
	}
}

func TestDrainLetsTransactionsEnd(t *testing.T) {
	t.Parallel()
	f := start(t)
	idle, busy := f.implicit(), f.starttls(0)
	busy.begin()
	busy.ask("DATA", "354")
	drained := make(chan error, 1)
	go func() { drained <- f.srv.Drain(context.Background()) }()
	idle.refused("421 4.3.2 gw.example closing for maintenance (ref ")
	idle.WantEnd()
	busy.Send(letter + ".\r\n")
	busy.Want("250 2.0.0 Ok: queued as ")
	busy.Want("421 4.3.2")
	busy.WantEnd()
	if err := <-drained; err != nil {
		t.Fatalf("Drain: %v", err)
	}
	<-f.ended
	if len(f.b.messages()) != 1 || f.srv.Connections() != 0 {
		t.Fatal("not drained")
	}
}

func TestCutEndsTheBackendsContext(t *testing.T) {
	t.Parallel()
	f := start(t)
	entered := make(chan struct{})
	f.b.accept = func(_ store.Envelope, body io.Reader) (store.Receipt, error) {
		io.Copy(io.Discard, body)
		close(entered)
		<-f.srv.ctx.Done()
		return store.Receipt{}, fmt.Errorf("commit: %w", f.srv.ctx.Err())
	}
	p := f.clear(0)
	p.begin()
	p.ask("DATA", "354")
	p.Send(letter + ".\r\n")
	<-entered
	late, cancel := context.WithCancel(context.Background())
	cancel()
	if err := f.srv.Drain(late); !errors.Is(err, context.Canceled) {
		t.Fatalf("Drain: %v", err)
	}
	f.stop()
	<-f.ended
	if got := p.Reply(); strings.Contains(got, "250") {
		t.Fatalf("reply %q", got)
	}
}

func TestListenerThatFailsIsTold(t *testing.T) {
	t.Parallel()
	srv, err := New(Config{Host: "gw.example", Backend: &backend{}, MaxSize: 1, Now: fixed, Log: discard()})
	if err != nil {
		t.Fatal(err)
	}
	l := testnet.Listen()
	l.Close()
	if err := srv.Run(context.Background(), Listener{Listener: l, Name: "gone"}); !errors.Is(err, net.ErrClosed) {
		t.Fatalf("Run: %v", err)
	}
}

func TestConfigNeedsHostClockAndLimit(t *testing.T) {
	t.Parallel()
	good := Config{Host: "gw.example", Backend: &backend{}, MaxSize: 1, Now: fixed, Log: discard()}
	if _, err := New(good); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Config){
		"host": func(c *Config) { c.Host = "" }, "clock": func(c *Config) { c.Now = nil },
		"limit": func(c *Config) { c.MaxSize = 0 }, "backend": func(c *Config) { c.Backend = nil },
	} {
		cfg := good
		change(&cfg)
		if _, err := New(cfg); err == nil {
			t.Errorf("without %s: no error", name)
		}
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	t.Parallel()
	f := start(t)
	p := f.connect(1)
	if err := tls.Client(p.Conn, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11}).Handshake(); err == nil {
		t.Fatal("TLS 1.1 was accepted")
	}
	p = f.connect(1)
	if err := tls.Client(p.Conn, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12}).Handshake(); err != nil {
		t.Fatalf("TLS 1.2: %v", err)
	}
}
