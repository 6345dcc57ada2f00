package relay_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// stream is one direction of a connection in memory: buffered without bound, with a read deadline, so that it works in
// a synctest bubble (a socket would not).
type stream struct {
	mu       sync.Mutex
	cond     *sync.Cond
	data     []byte
	closed   bool
	deadline time.Time
	timer    *time.Timer
}

func newStream() *stream {
	s := &stream{}
	s.cond = sync.NewCond(&s.mu)
	return s
}

func (s *stream) read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.data) == 0 {
		switch {
		case s.closed:
			return 0, io.EOF
		case !s.deadline.IsZero() && !time.Now().Before(s.deadline):
			return 0, os.ErrDeadlineExceeded
		}
		s.cond.Wait()
	}
	n := copy(p, s.data)
	s.data = s.data[n:]
	return n, nil
}

func (s *stream) write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0, io.ErrClosedPipe
	}
	s.data = append(s.data, p...)
	s.cond.Broadcast()
	return len(p), nil
}

func (s *stream) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.timer != nil {
		s.timer.Stop()
	}
	s.cond.Broadcast()
}

func (s *stream) setDeadline(t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.timer != nil {
		s.timer.Stop()
	}
	if s.deadline = t; !t.IsZero() && !s.closed {
		s.timer = time.AfterFunc(time.Until(t), s.cond.Broadcast)
	}
	s.cond.Broadcast()
}

// half is one end of a connection in memory.
type half struct{ in, out *stream }

func pipe() (net.Conn, net.Conn) {
	a, b := newStream(), newStream()
	return &half{in: a, out: b}, &half{in: b, out: a}
}

func (h *half) Read(p []byte) (int, error)         { return h.in.read(p) }
func (h *half) Write(p []byte) (int, error)        { return h.out.write(p) }
func (h *half) SetReadDeadline(t time.Time) error  { h.in.setDeadline(t); return nil }
func (h *half) SetWriteDeadline(t time.Time) error { return nil }
func (h *half) SetDeadline(t time.Time) error      { return h.SetReadDeadline(t) }
func (h *half) LocalAddr() net.Addr                { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }
func (h *half) RemoteAddr() net.Addr               { return h.LocalAddr() }

func (h *half) Close() error {
	h.in.close()
	h.out.close()
	return nil
}

// network is a listener in memory and the Dial that leads to it. Its hosts may be down.
type network struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once

	mu    sync.Mutex
	down  bool
	dials []time.Time
}

func newNetwork() *network { return &network{conns: make(chan net.Conn), done: make(chan struct{})} }

var errRefused = errors.New("connection refused")

func (n *network) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	n.mu.Lock()
	n.dials = append(n.dials, time.Now())
	down := n.down
	n.mu.Unlock()
	if down {
		return nil, errRefused
	}
	ours, theirs := pipe()
	select {
	case n.conns <- theirs:
		return ours, nil
	case <-n.done:
		return nil, errRefused
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (n *network) setDown(down bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.down = down
}

func (n *network) dialled() []time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]time.Time(nil), n.dials...)
}

func (n *network) Accept() (net.Conn, error) {
	select {
	case c := <-n.conns:
		return c, nil
	case <-n.done:
		return nil, net.ErrClosed
	}
}

func (n *network) Close() error {
	n.once.Do(func() { close(n.done) })
	return nil
}

func (n *network) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 25} }
