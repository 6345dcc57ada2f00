// Package smtpd is the SMTP edge: it speaks with mail servers and hands whole messages to a Backend.
//
// Flow: package guard owns the sockets and feeds go-smtp; go-smtp calls a session per connection; the session checks
// who the client is (MAIL 1.1), what it says (addresses, sizes, DSN options) and gives the Backend an envelope of
// package store and the message as a stream. What the Backend answers becomes a reply in one place, replyFor. A 250 is
// said only after the Backend has returned without error and the message has been read to its true end (I2).
//
// Duty: no octet of a message is kept, changed or interpreted here, and nothing of it is logged. Every reply from 400
// up carries a reference that is in the log, with the cause.
package smtpd

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/emersion/go-smtp"

	"postern/smtpd/guard"
	"postern/store"
)

// Backend is the business step behind the edge. Refusals that the client is to read are *store.ReplyError; any other
// error means "try again later".
type Backend interface {
	// Authenticate checks a log-on; nil lets the client in.
	Authenticate(ctx context.Context, c store.Client, user, password string) error
	// Recipient may refuse a recipient before the data.
	Recipient(ctx context.Context, env *store.Envelope, r store.Rcpt) error
	// Accept takes a message. It must read body to io.EOF before it returns nil, must return a read error of body
	// unchanged or wrapped, and must have made the message durable when it returns nil.
	Accept(ctx context.Context, env store.Envelope, body io.Reader) (store.Receipt, error)
}

// Caps bound connections (MAIL 9.1). Zeros take the defaults given.
type Caps struct {
	All                int // connections in all; 2,000
	StrangerPerAddress int // of strangers, from one address; 4
	Strangers          int // of strangers, in all; 50
	StrangerErrors     int // refusals for one stranger before its connection is closed; 10
}

// Metrics are told what is to be counted; each function may be nil and must not block.
type Metrics struct {
	Connected    func(listener string)
	Disconnected func(listener string)
	Rejected     func(listener string) // by a cap
	Accepted     func(size int64, took time.Duration)
	Refused      func(code int) // every reply from 400 up
	AuthFailed   func()
}

// Config is what a Server needs.
type Config struct {
	Host    string // `hostname`: in greeting and replies
	Backend Backend
	Users   bool           // the Backend has users: AUTH is offered, after TLS only
	Trusted []netip.Prefix // `trusted_networks`: may relay (MAIL 1.2)
	// Postmaster gets what anybody sends to the postmaster of Host (RFC 5321 §4.5.1, MAIL 6.4); zero: nobody may.
	Postmaster store.Address

	MaxSize       int64         // octets of a message; exactly as many are accepted
	MaxRcpts      int           // of a transaction; 1,000
	Caps          Caps          // on connections
	ReadTimeout   time.Duration // without an octet from the client; 5 min
	WriteTimeout  time.Duration // without the client taking an octet; 5 min
	LingerTimeout time.Duration // swallowing input after a refusal that ends the connection; 10 s
	Certificate   *Certificate  // nil: no TLS is offered

	// Room answers an error (store.ErrFull) when so many more octets must not be taken (MAIL 9.2): what the client
	// announces and what open transactions have announced. Nil: there is always room.
	Room func(octets int64) error
	// Ready answers an error while storing is impossible. Nil: it is always possible.
	Ready func(context.Context) error
	// Resolve finds the verified name of an address, or ""; it gets five seconds. Nil: names are not looked up.
	Resolve func(context.Context, netip.Addr) string

	Metrics    Metrics
	LogAddress func(store.Address) string // spelling in the log (`log.addresses`); nil: in full
	Log        *slog.Logger
	Now        func() time.Time
}

// Listener is a place to accept connections at.
type Listener struct {
	net.Listener
	Name       string // in log and metrics
	TLS        bool   // TLS from the first octet
	Submission bool   // AUTH is compulsory (MAIL 9.3)
}

// submission marks the listeners where AUTH is compulsory.
type submission struct{ net.Listener }

// Server is the SMTP edge. New makes one; Run may be called once.
type Server struct {
	cfg       Config
	guard     *guard.Guard
	failures  *failures
	letters   *letters
	announced atomic.Int64   // octets that open transactions have announced
	work      sync.WaitGroup // messages being accepted and names being looked up

	ctx context.Context // of Run: what sessions work under
	cut context.CancelFunc
}

// New checks cfg and makes a Server.
func New(cfg Config) (*Server, error) {
	if cfg.Host == "" || cfg.Now == nil || cfg.Backend == nil {
		return nil, errors.New("smtpd: host, backend and clock are needed")
	}
	s := &Server{cfg: cfg.withDefaults(), failures: newFailures(cfg.Now), letters: newLetters(cfg.Now)}
	s.ctx, s.cut = context.WithCancel(context.Background())
	var err error
	s.guard, err = guard.New(guard.Config{
		Host: s.cfg.Host, Backend: smtp.BackendFunc(s.newSession), TLS: s.tlsConfig(), Log: s.cfg.Log,
		Limits: guard.Limits{
			Read: s.cfg.ReadTimeout, Write: s.cfg.WriteTimeout, Linger: s.cfg.LingerTimeout,
			Message: s.cfg.MaxSize, Conns: s.cfg.Caps.All,
		},
		Class: s.class, Rewrite: s.rewrite, Amend: s.amend, Hooks: s.hooks(),
	})
	return s, err
}

func (c Config) withDefaults() Config {
	def := func(n *int, v int) {
		if *n == 0 {
			*n = v
		}
	}
	def(&c.MaxRcpts, 1000)
	def(&c.Caps.All, 2000)
	def(&c.Caps.StrangerPerAddress, 4)
	def(&c.Caps.Strangers, 50)
	def(&c.Caps.StrangerErrors, 10)
	if c.Room == nil {
		c.Room = func(int64) error { return nil }
	}
	if c.Ready == nil {
		c.Ready = func(context.Context) error { return nil }
	}
	if c.LogAddress == nil {
		c.LogAddress = store.Address.String
	}
	return c
}

// tlsConfig requests client certificates for the log and checks none of them (MAIL 1.8).
func (s *Server) tlsConfig() *tls.Config {
	if s.cfg.Certificate == nil {
		return nil
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: s.cfg.Certificate.Get, ClientAuth: tls.RequestClientCert}
}

// Run serves listeners until ctx ends, which cuts what still runs, or Drain has ended the last connection. It closes
// the listeners and returns when every session has ended; the error is that of a listener which failed.
func (s *Server) Run(ctx context.Context, listeners ...Listener) error {
	defer s.cut()
	defer context.AfterFunc(ctx, s.cut)()
	guarded := make([]guard.Listener, 0, len(listeners))
	for _, l := range listeners {
		g := guard.Listener{Listener: l.Listener, Name: l.Name, TLS: l.TLS}
		if l.Submission {
			g.Listener = submission{l.Listener}
		}
		guarded = append(guarded, g)
	}
	if s.cfg.Certificate != nil {
		s.work.Go(func() { s.cfg.Certificate.Watch(s.ctx, s.cfg.Log) })
	}
	err := s.guard.Run(ctx, guarded...)
	s.cut()
	s.work.Wait()
	return err
}

// Drain stops accepting, tells idle clients to come back later (421 4.3.2) and waits until the transactions that run
// have ended, or ctx has; then the caller ends Run's context, which cuts.
func (s *Server) Drain(ctx context.Context) error {
	s.guard.Drain()
	select {
	case <-s.guard.Drained():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Reload reads the certificate anew, as on SIGHUP.
func (s *Server) Reload() error {
	if s.cfg.Certificate == nil {
		return nil
	}
	return s.cfg.Certificate.Reload()
}

// Connections is the number of open ones.
func (s *Server) Connections() int { return s.guard.Len() }
