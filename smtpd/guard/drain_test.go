package guard

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"postern/cmd/testnet"
)

func errorLogTo(testing.TB) *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

const closingReply = "421 4.3.2 gw.example closing for maintenance"

func TestDrain(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture, idle *peer) {
		inAuth, inData, inChunks, inMail := f.client("implicit"), f.client("implicit"), f.client("starttls"), f.client("clear")
		handshake := f.connect(1)
		inAuth.Send("AUTH PLAIN\r\n")
		inAuth.Want("334")
		inData.data()
		inData.Send("Subject: a\r\n\r\n")
		inChunks.begin()
		inChunks.Send("BDAT 14\r\nSubject: a\r\n\r\n")
		inChunks.Want("250")
		inMail.begin()
		f.g.Drain()
		idle.Want(closingReply)
		idle.WantEnd()
		inAuth.Want(closingReply)
		inAuth.WantEnd()
		handshake.WantEnd()
		inData.Send("rest\r\n.\r\n" + envelope)
		inData.Want("250 2.0.0 Ok")
		inData.Want(closingReply) // at the next command, pipelined or not
		inData.WantEnd()
		inChunks.Send("BDAT 2 LAST\r\n\r\n")
		inChunks.Want("250 2.0.0 Ok")
		inChunks.Want(closingReply)
		inMail.Send("DATA\r\n")
		inMail.Want("354")
		select {
		case <-f.g.Drained():
			t.Fatal("drained with a message under way")
		default:
		}
		inMail.Send("x\r\n.\r\n")
		inMail.Want("250 2.0.0 Ok")
		inMail.Want(closingReply)
		for _, p := range []*peer{idle, inAuth, inData, inChunks, inMail} {
			p.Close()
		}
		<-f.g.Drained()
		<-f.ended // Run returns by itself
		if n := len(f.b.messages()); n != 3 {
			t.Fatalf("%d messages", n)
		}
		if _, err := f.dial[0](); err == nil {
			t.Fatal("still accepting")
		}
	})
}

func TestDrainEndsARSETTransaction(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture, p *peer) {
		p.begin()
		f.g.Drain()
		p.Send("NOOP\r\nRSET\r\nNOOP\r\n")
		p.Want("250")
		p.Want("250")
		p.Want(closingReply)
		p.WantEnd()
		<-f.g.Drained()
	})
}

func TestDrainOfAnEmptyGuard(t *testing.T) {
	t.Parallel()
	f := start(t)
	<-f.drained()
	<-f.ended
}

func TestCutEndsWhatRuns(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture, p *peer) {
		p.data()
		p.Send("Subject: a\r\n\r\nhalf")
		chunk := f.client("starttls")
		chunk.begin()
		chunk.Send("BDAT 100 LAST\r\nSubject: a\r\n\r\nhalf")
		handshake := f.connect(1)
		f.stop()
		<-f.ended
		for _, p := range []*peer{p, chunk, handshake} {
			if got := p.Reply(); strings.Contains(got, "250") {
				t.Fatalf("reply %q", got)
			}
		}
		if f.g.Len() != 0 || len(f.b.messages()) != 0 {
			t.Fatalf("%d connections, %d messages", f.g.Len(), len(f.b.messages()))
		}
	})
}

func TestCutWhileLingering(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture, p *peer) {
		p.Send("GET / HTTP/1.0\r\n\r\n")
		p.Want("521")
		p.WantEnd()
		f.stop()
		<-f.ended
	}, func(c *Config) { c.Limits.Linger = time.Hour })
	each(t, func(t *testing.T, f *fixture, p *peer) {
		p.Send("GET / HTTP/1.0\r\n\r\n")
		p.Want("521")
		p.WantEnd()
		<-f.drained()
	}, func(c *Config) { c.Limits.Linger = time.Hour })
}

// sickListener fails before it serves.
type sickListener struct {
	net.Listener
	errs  []error
	calls atomic.Int64
}

func (l *sickListener) Accept() (net.Conn, error) {
	if n := int(l.calls.Add(1)); n <= len(l.errs) {
		return nil, l.errs[n-1]
	}
	return l.Listener.Accept()
}

func TestAcceptOutlivesPassingErrors(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	other := testnet.Listen()
	sick := &sickListener{Listener: l, errs: []error{syscall.EMFILE, syscall.ECONNABORTED}}
	f := serve(t, [2]net.Listener{sick, other}, [2]func() (net.Conn, error){
		func() (net.Conn, error) { return net.Dial("tcp", l.Addr().String()) }, other.Dial,
	}, func(c *Config) { c.Log = errorLogTo(t) })
	f.client("clear").begin()
}

func TestFailedListenerEndsRun(t *testing.T) {
	t.Parallel()
	broken := errors.New("no such device")
	g, err := New(Config{Backend: &backend{}, Log: errorLogTo(t), Limits: Limits{Message: 1}})
	if err != nil {
		t.Fatal(err)
	}
	good := testnet.Listen()
	err = g.Run(context.Background(), Listener{Listener: good, Name: "good"}, Listener{Listener: &sickListener{Listener: testnet.Listen(), errs: []error{broken}}, Name: "bad"})
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "bad") {
		t.Fatalf("Run: %v", err)
	}
	if _, err := good.Dial(); err == nil {
		t.Fatal("the other listener is still open")
	}
}

// TestDrainDuringAccept: a connection that Drain has not seen yet ends all the same.
func TestDrainDuringAccept(t *testing.T) {
	t.Parallel()
	var g atomic.Pointer[Guard]
	f := start(t, func(c *Config) {
		c.Hooks.Opened = func(c *Conn) {
			if c.Listener().TLS {
				g.Load().Drain()
			}
		}
	})
	g.Store(f.g)
	busy := f.client("clear")
	busy.begin()
	f.connect(1).WantEnd() // it never says anything
	busy.Send("RSET\r\n")
	busy.Want("250")
	busy.Want(closingReply)
	<-f.g.Drained()
}
