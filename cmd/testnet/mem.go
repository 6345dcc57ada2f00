// Package testnet gives tests of servers a network: connections in memory, which unlike sockets work in a synctest
// bubble, a certificate, and a client that talks in lines.
package testnet

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// half is one direction of an in-memory connection: a buffer with deadlines at both ends. Unlike net.Pipe it does not
// block two ends that write at once, and it works in a synctest bubble.
type half struct {
	mu          sync.Mutex
	cond        *sync.Cond
	buf         []byte
	cap         int
	eof, gone   bool // the writer has ended; the reader is closed
	read, write time.Time
}

func newHalf(size int) *half {
	h := &half{cap: size}
	h.cond = sync.NewCond(&h.mu)
	return h
}

func (h *half) change(f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f()
	h.cond.Broadcast()
}

func (h *half) deadline(d *time.Time, t time.Time) {
	h.change(func() { *d = t })
	if !t.IsZero() {
		time.AfterFunc(time.Until(t), func() { h.change(func() {}) })
	}
}

func over(t time.Time) bool { return !t.IsZero() && !time.Now().Before(t) }

func (h *half) Read(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		switch {
		case h.gone:
			return 0, net.ErrClosed
		case over(h.read):
			return 0, os.ErrDeadlineExceeded
		case len(h.buf) > 0:
			n := copy(p, h.buf)
			h.buf = h.buf[n:]
			h.cond.Broadcast()
			return n, nil
		case h.eof:
			return 0, io.EOF
		}
		h.cond.Wait()
	}
}

func (h *half) Write(p []byte) (n int, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for len(p) > 0 {
		switch room := min(len(p), h.cap-len(h.buf)); {
		case h.eof || h.gone:
			return n, net.ErrClosed
		case over(h.write):
			return n, os.ErrDeadlineExceeded
		case room > 0:
			h.buf = append(h.buf, p[:room]...)
			p, n = p[room:], n+room
			h.cond.Broadcast()
		default:
			h.cond.Wait()
		}
	}
	return n, nil
}

// Conn is one end of a connection in memory.
type Conn struct{ in, out *half }

// Pipe makes both ends of a connection.
func Pipe() (*Conn, *Conn) {
	const size = 64 << 10
	up, down := newHalf(size), newHalf(size)
	return &Conn{in: up, out: down}, &Conn{in: down, out: up}
}

// Read implements net.Conn.
func (c *Conn) Read(p []byte) (int, error) { return c.in.Read(p) }

// Write implements net.Conn.
func (c *Conn) Write(p []byte) (int, error) { return c.out.Write(p) }

// CloseWrite ends what this end sends.
func (c *Conn) CloseWrite() error {
	c.out.change(func() { c.out.eof = true })
	return nil
}

// Close implements net.Conn.
func (c *Conn) Close() error {
	c.CloseWrite()
	c.in.change(func() { c.in.gone = true })
	return nil
}

// LocalAddr is on the loopback.
func (c *Conn) LocalAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 25} }

// RemoteAddr is on the loopback.
func (c *Conn) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4000} }

// SetReadDeadline implements net.Conn.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.in.deadline(&c.in.read, t)
	return nil
}

// SetWriteDeadline implements net.Conn.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	c.out.deadline(&c.out.write, t)
	return nil
}

// SetDeadline implements net.Conn.
func (c *Conn) SetDeadline(t time.Time) error {
	c.SetReadDeadline(t)
	return c.SetWriteDeadline(t)
}

// Listener hands out connections in memory.
type Listener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

// Listen makes a Listener.
func Listen() *Listener { return &Listener{conns: make(chan net.Conn), done: make(chan struct{})} }

// Dial waits until the server accepts.
func (l *Listener) Dial() (net.Conn, error) {
	server, client := Pipe()
	select {
	case l.conns <- server:
		return client, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Accept implements net.Listener.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *Listener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

// Addr is on the loopback.
func (l *Listener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 25} }
