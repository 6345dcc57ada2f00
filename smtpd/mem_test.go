package smtpd

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

// memConn is one end.
type memConn struct{ in, out *half }

func (c *memConn) Read(p []byte) (int, error)  { return c.in.Read(p) }
func (c *memConn) Write(p []byte) (int, error) { return c.out.Write(p) }
func (c *memConn) CloseWrite() error           { c.out.change(func() { c.out.eof = true }); return nil }
func (c *memConn) Close() error {
	c.CloseWrite()
	c.in.change(func() { c.in.gone = true })
	return nil
}
func (c *memConn) LocalAddr() net.Addr                { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 25} }
func (c *memConn) RemoteAddr() net.Addr               { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4000} }
func (c *memConn) SetReadDeadline(t time.Time) error  { c.in.deadline(&c.in.read, t); return nil }
func (c *memConn) SetWriteDeadline(t time.Time) error { c.out.deadline(&c.out.write, t); return nil }
func (c *memConn) SetDeadline(t time.Time) error {
	c.SetReadDeadline(t)
	return c.SetWriteDeadline(t)
}

// memListener hands out in-memory connections.
type memListener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newMemListener() *memListener {
	return &memListener{conns: make(chan net.Conn), done: make(chan struct{})}
}

func (l *memListener) dial() (net.Conn, error) {
	const size = 64 << 10
	up, down := newHalf(size), newHalf(size)
	select {
	case l.conns <- &memConn{in: up, out: down}:
		return &memConn{in: down, out: up}, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *memListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *memListener) Close() error   { l.once.Do(func() { close(l.done) }); return nil }
func (l *memListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 25} }
