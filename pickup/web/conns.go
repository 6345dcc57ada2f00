package web

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"sync"
)

// Bounds are how many connections a site holds open. Zeros take the defaults given.
type Bounds struct {
	All       int            // 1,000
	PerClient int            // of one client; 100
	Proxies   []netip.Prefix // behind them are many clients: they count as none, like the machine itself
}

// Conns bounds the connections that a site holds open: of one client, so that it does not keep others out, and in all,
// so that memory stays bounded (I8). When there are too many, the one that has rested longest is closed for the new one;
// when none rests, the new one is told to come back (503).
type Conns struct {
	bounds Bounds

	mu      sync.Mutex
	open    map[net.Conn]*conn
	clients map[netip.Prefix]int
	clock   uint64
}

// conn is an open connection.
type conn struct {
	client netip.Prefix
	rests  bool   // it waits for a request
	since  uint64 // when it began to rest
}

// NewConns makes a Conns that holds nothing yet.
func NewConns(b Bounds) *Conns {
	if b.All == 0 {
		b.All = 1000
	}
	if b.PerClient == 0 {
		b.PerClient = 100
	}
	return &Conns{bounds: b, open: map[net.Conn]*conn{}, clients: map[netip.Prefix]int{}}
}

// Guard puts a server under the bounds. It takes the server's hooks on connections.
func (b *Conns) Guard(srv *http.Server) *http.Server {
	srv.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		return context.WithValue(ctx, crowdedKey{}, b.enter(c))
	}
	srv.ConnState = b.note
	return srv
}

// Len is how many connections are open.
func (b *Conns) Len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.open)
}

type crowdedKey struct{}

// crowded reports whether a request came on a connection for which there is no room.
func crowded(r *http.Request) bool {
	is, _ := r.Context().Value(crowdedKey{}).(bool)
	return is
}

// enter makes room for a connection and reports whether it found none.
func (b *Conns) enter(c net.Conn) (crowded bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := &conn{client: clientOf(c), since: b.tick()}
	crowded = !b.room(n.client)
	b.open[c] = n
	b.clients[n.client]++
	if len(b.open) > 2*b.bounds.All { // even to say no costs something
		b.drop(c)
	}
	return crowded
}

// room reports whether there is room for a client's connection, after it has closed what rests.
func (b *Conns) room(client netip.Prefix) bool {
	if b.counts(client) && b.clients[client] >= b.bounds.PerClient && !b.dropResting(func(n *conn) bool { return n.client == client }) {
		return false
	}
	return len(b.open) < b.bounds.All || b.dropResting(func(*conn) bool { return true })
}

// dropResting closes the connection that has rested longest among some; false: none rests.
func (b *Conns) dropResting(among func(*conn) bool) bool {
	var oldest net.Conn
	for c, n := range b.open {
		if n.rests && among(n) && (oldest == nil || n.since < b.open[oldest].since) {
			oldest = c
		}
	}
	if oldest != nil {
		b.drop(oldest)
	}
	return oldest != nil
}

// drop closes a connection and forgets it. Under TLS nothing is said, because that could block.
func (b *Conns) drop(c net.Conn) {
	b.forget(c)
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	c.Close()
}

func (b *Conns) forget(c net.Conn) {
	n := b.open[c]
	if n == nil {
		return
	}
	delete(b.open, c)
	if b.clients[n.client]--; b.clients[n.client] == 0 {
		delete(b.clients, n.client)
	}
}

// note is http.Server.ConnState. A connection on which no whole request has come yet rests, too: a slow one is the first
// to go.
func (b *Conns) note(c net.Conn, state http.ConnState) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := b.open[c]
	if n == nil {
		return
	}
	switch state {
	case http.StateNew, http.StateIdle:
		n.rests, n.since = true, b.tick()
	case http.StateActive:
		n.rests = false
	default:
		b.forget(c)
	}
}

func (b *Conns) tick() uint64 {
	b.clock++
	return b.clock
}

// clientOf is what counts as one: an IPv4 address, or the /64 that a customer of IPv6 gets.
func clientOf(c net.Conn) netip.Prefix {
	ip := peerIP(c.RemoteAddr().String())
	bits := 64
	if ip.Is4() {
		bits = 32
	}
	p, err := ip.Prefix(bits)
	if err != nil {
		return netip.Prefix{} // no address: of the machine itself
	}
	return p
}

// counts reports whether a client is one: proxies and the machine itself stand for many.
func (b *Conns) counts(client netip.Prefix) bool {
	return client.IsValid() && !client.Addr().IsLoopback() && !isTrusted(client.Addr(), b.bounds.Proxies)
}
