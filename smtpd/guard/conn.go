package guard

import (
	"bufio"
	"crypto/rand"
	"crypto/tls"
	"encoding/base32"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/emersion/go-smtp"
)

// Buffers of a connection. A line that fills the first is too long whatever its limit.
const (
	inBuffer  = 16 << 10
	outBuffer = 4 << 10
)

// b32 is Crockford's alphabet in lower case, as in the ids of package store.
var b32 = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// newID draws the name of a connection: 10 letters and digits.
func newID() string {
	var b [6]byte
	rand.Read(b[:])
	return b32.EncodeToString(b[:])
}

// mode is what the next octets from the client are.
type mode int

const (
	command  mode = iota
	authLine      // the answer to a 334
	data          // up to CR LF dot CR LF
	bdat          // left octets of a chunk
)

// identity is what stays when a connection goes on with TLS.
type identity struct {
	id       string
	refs     *atomic.Int64
	addr     netip.Addr
	class    Class
	listener Listener
	attached any
	errors   int // replies from 400 up since the last message taken
	authFail int
}

// Conn is what go-smtp sees of a connection. Read, Write and Close belong to go-smtp's one goroutine per connection;
// sessions may call Ref, Broken and the plain getters from anywhere, all else on that goroutine.
type Conn struct {
	identity
	g   *Guard
	raw net.Conn // the socket
	nc  net.Conn // raw, or TLS on it
	br  *bufio.Reader
	bw  *bufio.Writer
	tls *tls.ConnectionState

	shaking bool // the TLS handshake comes before the next write
	swallow bool // the next reply is the greeting after STARTTLS: not sent
	gone    bool // goes on as another Conn
	lingers bool // swallow input before closing

	transaction
	mode  mode
	rest  []byte // of a command line that did not fit the last Read
	text  string // last command line
	out   []byte // of a reply line that is not complete
	fault error  // answer to every further Read

	broken atomic.Pointer[smtp.SMTPError]
	closed atomic.Bool

	mu   sync.Mutex
	idle bool // blocked where Drain may interrupt
}

// transaction is what the guard books of commands and replies.
type transaction struct {
	verb     string // of the last command
	code     int    // of the last reply to it; 0: none yet
	esmtp    bool   // the client said EHLO
	open     bool   // MAIL was accepted, and its message is not through
	inData   bool   // the reply to come ends a DATA
	left     int64  // octets of the chunk still to come
	last     bool   // the chunk ends the message
	answered bool   // the chunk has had its reply: what is left of it is discarded
	chunks   int    // accepted of a message
	broke    bool   // a chunk was refused after others had been accepted
	got      int64  // octets of the DATA so far
	frame    frame
}

func (g *Guard) newConn(l Listener, raw net.Conn, addr netip.Addr, class Class) *Conn {
	return g.wrap(raw, raw, identity{id: newID(), refs: new(atomic.Int64), addr: addr, class: class, listener: l})
}

func (g *Guard) wrap(raw, nc net.Conn, who identity) *Conn {
	c := &Conn{identity: who, g: g, raw: raw, nc: nc}
	c.br = bufio.NewReaderSize(slidingReader{c}, inBuffer)
	c.bw = bufio.NewWriterSize(slidingWriter{c}, outBuffer)
	return c
}

// ID names the connection in logs and replies.
func (c *Conn) ID() string { return c.id }

// Ref is a new reference for one reply: the ID and a number.
func (c *Conn) Ref() string { return c.id + "-" + strconv.FormatInt(c.refs.Add(1), 10) }

// Remote is the client's address; the zero Addr where the socket has none.
func (c *Conn) Remote() netip.Addr { return c.addr }

// Listener is where the connection came in.
func (c *Conn) Listener() Listener { return c.listener }

// Class is what Config.Class said of the client.
func (c *Conn) Class() Class { return c.class }

// TLS is the state of the session's TLS; nil in clear.
func (c *Conn) TLS() *tls.ConnectionState { return c.tls }

// ESMTP reports whether the client greeted with EHLO.
func (c *Conn) ESMTP() bool { return c.esmtp }

// HandedOver reports whether the session ended because the client goes on with TLS, in a session of its own.
func (c *Conn) HandedOver() bool { return c.gone }

// Command is the command line being answered, as received, without CRLF.
func (c *Conn) Command() string { return c.text }

// AuthFailed counts one more failed AUTH of the connection and says how many there have been.
func (c *Conn) AuthFailed() int {
	c.authFail++
	return c.authFail
}

// Attach lets Hooks.Opened keep a value with the connection; it stays across STARTTLS.
func (c *Conn) Attach(v any) { c.attached = v }

// Attached is the value of Attach.
func (c *Conn) Attached() any { return c.attached }

// Broken is what went wrong inside the message that was being read last; nil if nothing did.
func (c *Conn) Broken() *smtp.SMTPError { return c.broken.Load() }

// LocalAddr is that of the socket.
func (c *Conn) LocalAddr() net.Addr { return c.raw.LocalAddr() }

// RemoteAddr is that of the socket.
func (c *Conn) RemoteAddr() net.Addr { return c.raw.RemoteAddr() }

// SetDeadline does nothing: deadlines are the guard's.
func (c *Conn) SetDeadline(time.Time) error { return nil }

// SetReadDeadline does nothing, like SetDeadline.
func (c *Conn) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing, like SetDeadline.
func (c *Conn) SetWriteDeadline(time.Time) error { return nil }

// Close sends what is held back and closes the socket, unless it goes on with TLS.
func (c *Conn) Close() error {
	if !c.closed.CompareAndSwap(false, true) {
		return nil
	}
	if c.gone {
		return nil
	}
	c.bw.Flush() // whoever does not read it has hung up
	err := c.nc.Close()
	if c.g.cfg.Hooks.Closed != nil {
		c.g.cfg.Hooks.Closed(c)
	}
	c.g.caps.release(c.addr, c.class)
	c.g.mu.Lock()
	delete(c.g.conns, c)
	c.g.checkEmpty()
	c.g.mu.Unlock()
	return err
}

// arm sets the read deadline. A read that Drain may interrupt fails at once while draining.
func (c *Conn) arm(interruptible bool, limit time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if interruptible && c.g.draining.Load() {
		return os.ErrDeadlineExceeded
	}
	c.idle = interruptible
	return c.nc.SetReadDeadline(time.Now().Add(limit))
}

func (c *Conn) disarm() {
	c.mu.Lock()
	c.idle = false
	c.mu.Unlock()
}

// wake interrupts a read that waits for the client to begin something.
func (c *Conn) wake() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.idle {
		c.nc.SetReadDeadline(time.Unix(1, 0))
	}
}

// slidingReader gives every read of the network its own deadline.
type slidingReader struct{ c *Conn }

func (s slidingReader) Read(p []byte) (int, error) {
	c := s.c
	if err := c.arm(c.resting(), c.g.limits.Read); err != nil {
		return 0, err
	}
	defer c.disarm()
	return c.nc.Read(p)
}

// resting reports whether the connection is outside a transaction, where Drain ends it.
func (c *Conn) resting() bool {
	return (c.mode == command || c.mode == authLine) && !c.open && c.chunks == 0
}

// slidingWriter gives every write its own deadline.
type slidingWriter struct{ c *Conn }

func (s slidingWriter) Write(p []byte) (int, error) {
	if err := s.c.nc.SetWriteDeadline(time.Now().Add(s.c.g.limits.Write)); err != nil {
		return 0, err
	}
	return s.c.nc.Write(p)
}

// Read gives go-smtp the next command line, or a piece of the message.
func (c *Conn) Read(p []byte) (int, error) {
	if c.closed.Load() {
		return 0, io.EOF
	}
	if c.fault != nil {
		return 0, c.finish()
	}
	if len(c.rest) > 0 {
		return c.give(p, c.rest)
	}
	switch c.code {
	case 354:
		c.mode, c.code, c.inData, c.got, c.frame = data, 0, true, 0, frame{}
		c.broken.Store(nil)
	case 334:
		c.mode, c.code = authLine, 0
	}
	switch c.mode {
	case data:
		return c.readData(p)
	case bdat:
		return c.readBdat(p)
	}
	return c.readCommand(p)
}

func (c *Conn) give(p, line []byte) (int, error) {
	n := copy(p, line)
	c.rest = line[n:]
	return n, nil
}

// finish is the answer to a Read after a fault. When the connection is over, what the client still sends is swallowed
// for a while: to close a socket with unread input resets it, and the client might never see the last reply.
func (c *Conn) finish() error {
	switch {
	case c.fault == io.EOF && c.mode == bdat && !c.answered:
		return io.ErrUnexpectedEOF // go-smtp takes a clean end for the end of the message
	case c.fault != io.EOF || !c.lingers:
		return c.fault
	}
	c.lingers = false
	half, ok := c.nc.(interface{ CloseWrite() error })
	if c.bw.Flush() != nil || !ok || half.CloseWrite() != nil || c.arm(true, c.g.limits.Linger) != nil {
		return io.EOF
	}
	defer c.disarm()
	io.Copy(io.Discard, c.nc) // any end of it will do
	return io.EOF
}

// end closes the connection after a last reply; a zero Reply is none.
func (c *Conn) end(r Reply) (int, error) {
	if r.Code != 0 {
		c.emit(r)
	}
	c.mode, c.fault = command, io.EOF
	c.bw.Flush() // an error shows at the next Read, which ends anyway
	return 0, c.finish()
}

// fail breaks a message off: err is the answer to every further Read until its reply is written.
func (c *Conn) fail(err *smtp.SMTPError) (int, error) {
	c.broken.Store(err)
	c.fault, c.lingers = err, true
	return 0, err
}

// inMessage translates an error of the network inside a message; it is never a clean end.
func (c *Conn) inMessage(err error) *smtp.SMTPError {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return smtpError(timeout)
	case errors.Is(err, net.ErrClosed):
		return smtpError(c.g.closing())
	default:
		return smtpError(lost)
	}
}
