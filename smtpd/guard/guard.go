// Package guard stands between the network and go-smtp and makes that library safe to expose. It knows no mail.
//
// Flow: Run accepts connections within the caps of their class and hands each, wrapped in a Conn, to one of two go-smtp
// servers: a clear one, which offers STARTTLS and no AUTH, and a secure one. The Conn owns everything below the commands:
//
//   - TLS. STARTTLS never reaches go-smtp: the guard answers it, ends the clear session and begins a new one, with the
//     same socket and identity, on the secure server. A handshake that fails closes the connection.
//   - Framing. Each Read gives go-smtp one command line, or message data that never crosses the end of the message. So
//     nothing that was sent as data can ever be taken for a command. Bare CR, bare LF and NUL end message and connection;
//     so does whatever would confuse go-smtp (a malformed BDAT, a command inside a BDAT message).
//   - Errors inside a message. The first is the answer to every later Read, never a clean end of file; once its reply is
//     written the connection ends.
//   - Deadlines. They slide with every piece read or written, so that a slow upload lives and a silent peer does not.
//   - Replies. They are held back until the client must be waited for, kept to one printable line of 300 octets, carry
//     a reference from 400 up, and may be reworded by Config.Rewrite when go-smtp wrote them.
//   - Drain and Cut. See there.
package guard

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/emersion/go-smtp"
)

// maxSize is the largest message limit: go-smtp reads SIZE in 32 bits and is told the limit plus one.
const maxSize = 1<<32 - 2

// Limits bound what a client may cost. Zero durations and counts take the defaults given.
type Limits struct {
	Read     time.Duration // without an octet from the client; 5 min
	Write    time.Duration // without the client taking an octet; 5 min
	Linger   time.Duration // swallowing input after a reply that ends a connection early; 10 s
	Command  int           // octets of a command line with CRLF; 2,048
	AuthLine int           // octets of an AUTH command or response; 12,288 (RFC 4954 §4)
	Message  int64         // octets of a message, as announced by SIZE; no default
	Conns    int           // connections in all; 2,000
}

func (l Limits) withDefaults() Limits {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	num := func(n *int, v int) {
		if *n == 0 {
			*n = v
		}
	}
	def(&l.Read, 5*time.Minute)
	def(&l.Write, 5*time.Minute)
	def(&l.Linger, 10*time.Second)
	num(&l.Command, 2048)
	num(&l.AuthLine, 12288)
	num(&l.Conns, 2000)
	return l
}

// wire is how many octets of one message are read at most: the limit, and room for dots and a tail worth discarding.
func (l Limits) wire() int64 { return l.Message + 1<<20 }

// Class bounds the connections of one kind of client; a zero does not bound.
type Class struct {
	Name       string // connections of the same name count together
	PerAddress int    // at one time from one address
	Total      int    // at one time of the class
	Errors     int    // replies from 400 up since the last message that was taken
}

// Hooks are told what happens; each may be nil. They run on the connection's goroutine and must not block.
type Hooks struct {
	// Opened comes before the first octet is exchanged, on the goroutine that accepts; it may call Conn.Attach.
	Opened func(*Conn)
	// Closed comes once per Opened, when the socket is closed; after STARTTLS its Conn is another one.
	Closed func(*Conn)
	// Rejected tells of a connection that a cap turned away.
	Rejected func(addr netip.Addr, listener string, class Class, ref string)
	// Refused tells of a reply from 400 up that the session did not word, with the reference that it carries.
	Refused func(c *Conn, r Reply, ref string)
	// TLSFailed tells of a handshake that failed; the connection ends.
	TLSFailed func(*Conn, error)
}

// Config is what a Guard needs.
type Config struct {
	Host    string       // our name, for greeting and replies
	Backend smtp.Backend // its sessions find their *Conn by smtp.Conn.Conn
	TLS     *tls.Config  // nil: no STARTTLS is offered
	Limits  Limits
	Class   func(netip.Addr) Class // nil: one class without bounds
	// Rewrite may reword a final reply of go-smtp that has no reference, that is one which the session did not word.
	Rewrite func(*Conn, Reply) Reply
	// Amend may put another command line, CRLF included, in the place of one that go-smtp would misread; Conn.Command
	// stays as received. Nil: every line goes on as it is.
	Amend func(line []byte) []byte
	Hooks Hooks
	Log   *slog.Logger // go-smtp's own trouble, panics of the session above all
}

// Listener is a place to accept connections at.
type Listener struct {
	net.Listener
	Name string // for the session, see Conn.Listener
	TLS  bool   // TLS from the first octet (RFC 8314)
}

// Guard serves SMTP on listeners. New makes one; Run may be called once.
type Guard struct {
	cfg           Config
	limits        Limits
	clear, secure *side
	caps          *caps
	done          chan struct{} // closed by Cut
	empty         chan struct{} // closed when draining and no connection is left
	draining      atomic.Bool
	cutOnce       sync.Once
	emptyOnce     sync.Once

	mu        sync.Mutex
	conns     map[*Conn]struct{}
	listeners []Listener
}

// New checks cfg and makes a Guard.
func New(cfg Config) (*Guard, error) {
	switch {
	case cfg.Backend == nil || cfg.Log == nil:
		return nil, errors.New("guard: backend and log are needed")
	case cfg.Limits.Message <= 0 || cfg.Limits.Message > maxSize:
		return nil, fmt.Errorf("guard: message limit must be between 1 and %d octets", int64(maxSize))
	}
	if cfg.Amend == nil {
		cfg.Amend = func(line []byte) []byte { return line }
	}
	if cfg.Class == nil {
		cfg.Class = func(netip.Addr) Class { return Class{} }
	}
	g := &Guard{
		cfg: cfg, limits: cfg.Limits.withDefaults(), caps: newCaps(),
		done: make(chan struct{}), empty: make(chan struct{}), conns: map[*Conn]struct{}{},
	}
	g.clear, g.secure = g.newSide(), g.newSide()
	g.clear.srv.TLSConfig = cfg.TLS // only so that STARTTLS is offered
	g.secure.srv.AllowInsecureAuth = true
	return g, nil
}

// newSide makes one of the two go-smtp servers. Lines and deadlines are the guard's; the limit is one octet higher
// than ours because go-smtp refuses a message of exactly its limit.
func (g *Guard) newSide() *side {
	srv := smtp.NewServer(g.cfg.Backend)
	srv.Domain = g.cfg.Host
	srv.MaxLineLength, srv.ReadTimeout, srv.WriteTimeout = 0, 0, 0
	srv.MaxMessageBytes = g.limits.Message + 1
	srv.EnableSMTPUTF8, srv.EnableDSN = true, true
	srv.ErrorLog = errorLog{g.cfg.Log}
	return &side{srv: srv, conns: make(chan net.Conn), done: g.done}
}

// Run serves the listeners until ctx ends, which cuts, or Drain has emptied the Guard, or a listener fails, whose error
// it returns. It closes the listeners and returns after the last connection has ended.
func (g *Guard) Run(ctx context.Context, listeners ...Listener) error {
	var wg sync.WaitGroup
	for _, s := range []*side{g.clear, g.secure} {
		wg.Go(func() { s.srv.Serve(s) }) // ends with net.ErrClosed after Cut
	}
	g.adopt(listeners)
	failed := make(chan error, len(listeners))
	for _, l := range listeners {
		wg.Go(func() {
			if err := g.accept(l); err != nil {
				failed <- fmt.Errorf("accept on %s: %w", l.Name, err)
			}
		})
	}
	var err error
	select {
	case <-ctx.Done():
	case <-g.empty:
	case err = <-failed:
	}
	g.Cut()
	wg.Wait()
	g.clear.srv.Shutdown(context.WithoutCancel(ctx)) // waits for the sessions, all of which are ending
	g.secure.srv.Shutdown(context.WithoutCancel(ctx))
	return err
}

// adopt takes the listeners over; a Guard that drains already closes them at once.
func (g *Guard) adopt(listeners []Listener) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.listeners = listeners
	if g.draining.Load() {
		g.closeListeners()
	}
}

// closeListeners stops accepting; g.mu is held.
func (g *Guard) closeListeners() {
	for _, l := range g.listeners {
		l.Close() // nothing is lost by an error here
	}
}

// Drain stops accepting and ends each connection with 421 as soon as it is outside a transaction: one that waits for a
// command now, one inside a message after its reply. It does not wait; Drained does.
func (g *Guard) Drain() {
	g.draining.Store(true)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closeListeners()
	for c := range g.conns {
		c.wake()
	}
	g.checkEmpty()
}

// Drained is closed when Drain has been called and no connection is left.
func (g *Guard) Drained() <-chan struct{} { return g.empty }

// Cut drains and then closes every connection, whatever it does.
func (g *Guard) Cut() {
	g.Drain()
	g.cutOnce.Do(func() { close(g.done) })
	g.mu.Lock()
	defer g.mu.Unlock()
	for c := range g.conns {
		c.raw.Close()
	}
}

// Len is the number of open connections.
func (g *Guard) Len() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.conns)
}

// checkEmpty closes empty when nothing is left to wait for; g.mu is held.
func (g *Guard) checkEmpty() {
	if g.draining.Load() && len(g.conns) == 0 {
		g.emptyOnce.Do(func() { close(g.empty) })
	}
}

// side is how one go-smtp server gets its connections: its listener.
type side struct {
	srv   *smtp.Server
	conns chan net.Conn
	done  <-chan struct{}
}

var _ net.Listener = (*side)(nil)

// Accept hands the next connection out; net.ErrClosed after Cut.
func (s *side) Accept() (net.Conn, error) {
	select {
	case c := <-s.conns:
		return c, nil
	case <-s.done:
		return nil, net.ErrClosed
	}
}

// Close does nothing: Cut ends Accept.
func (s *side) Close() error { return nil }

// Addr is never asked for.
func (s *side) Addr() net.Addr { return &net.TCPAddr{} }

// errorLog passes go-smtp's own log on.
type errorLog struct{ log *slog.Logger }

func (e errorLog) Printf(format string, v ...any) {
	e.log.Error("smtp library", "cause", fmt.Sprintf(format, v...))
}
func (e errorLog) Println(v ...any) { e.log.Error("smtp library", "cause", fmt.Sprint(v...)) }
