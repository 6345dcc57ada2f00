package guard

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

// turnAway is how long a rejected client may take to read its reply.
const turnAway = time.Second

// accept takes connections until the listener is closed by Drain or Cut, which is no error.
func (g *Guard) accept(l Listener) error {
	var wg sync.WaitGroup // of rejections under way
	defer wg.Wait()
	for delay := time.Duration(0); ; {
		raw, err := l.Accept()
		switch {
		case err == nil:
			delay = 0
			g.open(l, raw, &wg)
		case g.draining.Load():
			return nil
		case passing(err):
			delay = min(max(2*delay, 5*time.Millisecond), time.Second)
			g.cfg.Log.Warn("accept", "listener", l.Name, "cause", err.Error(), "retry_in", delay)
			g.pause(delay)
		default:
			return err
		}
	}
}

func (g *Guard) pause(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-g.done:
	}
}

// passing reports whether an error of Accept goes away by itself: no descriptors or memory left, or a client that hung
// up before it was accepted.
func passing(err error) bool {
	for _, e := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ECONNABORTED, syscall.ENOBUFS, syscall.ENOMEM, syscall.EINTR} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// open counts a connection and hands it to its side, or turns it away.
func (g *Guard) open(l Listener, raw net.Conn, wg *sync.WaitGroup) {
	addr := remote(raw)
	class := g.cfg.Class(addr)
	if text := g.caps.admit(addr, class, g.limits.Conns); text != "" {
		wg.Go(func() { g.reject(l, raw, addr, class, text) })
		return
	}
	c := g.newConn(l, raw, addr, class)
	to := g.clear
	if l.TLS {
		c.beginTLS()
		to = g.secure
	}
	if g.cfg.Hooks.Opened != nil {
		g.cfg.Hooks.Opened(c)
	}
	g.mu.Lock()
	g.conns[c] = struct{}{}
	g.mu.Unlock()
	g.hand(to, c)
}

// hand gives a connection to a go-smtp server, or closes it when there is none any more.
func (g *Guard) hand(to *side, c *Conn) {
	select {
	case to.conns <- c:
	case <-g.done:
		c.Close()
	}
}

// reject answers a client that a cap turns away. In clear only: a client that expects TLS could not read it.
func (g *Guard) reject(l Listener, raw net.Conn, addr netip.Addr, class Class, text string) {
	defer raw.Close()
	ref := newID()
	if g.cfg.Hooks.Rejected != nil {
		g.cfg.Hooks.Rejected(addr, l.Name, class, ref)
	}
	if l.TLS {
		return
	}
	raw.SetDeadline(time.Now().Add(turnAway))
	raw.Write([]byte(Reply{Code: 421, Status: "4.7.0", Text: text}.withRef(ref).line())) // its loss is the client's
}

// remote is the client's address; the zero Addr on sockets that have none.
func remote(c net.Conn) netip.Addr {
	a, ok := c.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	addr := a.AddrPort().Addr()
	return addr.Unmap().WithZone("")
}

// caps counts open connections.
type caps struct {
	mu    sync.Mutex
	all   int
	class map[string]int
	addr  map[netip.Addr]int
}

func newCaps() *caps { return &caps{class: map[string]int{}, addr: map[netip.Addr]int{}} }

// admit counts one more connection, or says why not.
func (k *caps) admit(addr netip.Addr, c Class, limit int) (refusal string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.all >= limit:
		return "Too many connections"
	case c.PerAddress > 0 && k.addr[addr] >= c.PerAddress, c.Total > 0 && k.class[c.Name] >= c.Total:
		return "Too many connections from your address"
	}
	k.all++
	k.class[c.Name]++
	k.addr[addr]++
	return ""
}

func (k *caps) release(addr netip.Addr, c Class) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.all--
	if k.class[c.Name]--; k.class[c.Name] == 0 {
		delete(k.class, c.Name)
	}
	if k.addr[addr]--; k.addr[addr] == 0 {
		delete(k.addr, addr)
	}
}
