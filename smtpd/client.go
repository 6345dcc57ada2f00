package smtpd

import (
	"context"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"postern/smtpd/guard"
	"postern/store"
)

// resolveTimeout bounds how long the first MAIL of a connection may wait for the client's name.
const resolveTimeout = 5 * time.Second

// peer is what is known of a client before it speaks. It stays with the connection across STARTTLS.
type peer struct {
	class   store.ClientClass
	resolve func() string          // looks the name up once and waits for it
	name    atomic.Pointer[string] // what resolve found, once it has
}

// rdns is the verified name as far as it is known by now.
func (p *peer) rdns() string {
	if name := p.name.Load(); name != nil {
		return *name
	}
	return ""
}

// class is the guard's question: what may connections from addr cost.
func (s *Server) class(addr netip.Addr) guard.Class {
	if s.trusts(addr) {
		return guard.Class{Name: string(store.ClientTrusted)}
	}
	c := s.cfg.Caps
	return guard.Class{
		Name:       string(store.ClientStranger),
		PerAddress: c.StrangerPerAddress, Total: c.Strangers, Errors: c.StrangerErrors,
	}
}

// trusts reports whether addr may relay by its network alone (MAIL 1.2).
func (s *Server) trusts(addr netip.Addr) bool {
	for _, p := range s.cfg.Trusted {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// hooks joins the guard to log, metrics and peers.
func (s *Server) hooks() guard.Hooks {
	m := s.cfg.Metrics
	return guard.Hooks{
		Opened: func(c *guard.Conn) {
			c.Attach(s.newPeer(c))
			if m.Connected != nil {
				m.Connected(c.Listener().Name)
			}
		},
		Closed: func(c *guard.Conn) {
			if m.Disconnected != nil {
				m.Disconnected(c.Listener().Name)
			}
		},
		Rejected:  s.logReject,
		Refused:   s.logReply,
		TLSFailed: s.logTLSFailure,
	}
}

func (s *Server) newPeer(c *guard.Conn) *peer {
	p := &peer{class: store.ClientStranger, resolve: func() string { return "" }}
	if s.trusts(c.Remote()) {
		p.class = store.ClientTrusted
	}
	if addr := c.Remote(); s.cfg.Resolve != nil && addr.IsValid() {
		p.resolve = sync.OnceValue(func() string {
			ctx, cancel := context.WithTimeout(s.ctx, resolveTimeout)
			defer cancel()
			name := printable(s.cfg.Resolve(ctx, addr))
			p.name.Store(&name)
			return name
		})
	}
	return p
}

// client describes the session's client as it is now.
func (s *session) client() store.Client {
	c := store.Client{
		Conn: s.conn.ID(), Listener: s.conn.Listener().Name, Class: s.peer.class, Helo: s.smtp.Hostname(),
		RDNS: s.peer.rdns(), User: s.user, ESMTP: s.conn.ESMTP(),
	}
	if addr := s.conn.Remote(); addr.IsValid() {
		c.IP = addr.String()
	}
	if s.user != "" {
		c.Class = store.ClientUser
	}
	if state := s.conn.TLS(); state != nil {
		c.TLS, c.Cipher = tlsNames(state)
	}
	return c
}

// DNS is the part of *net.Resolver that Resolver asks.
type DNS interface {
	LookupAddr(ctx context.Context, addr string) ([]string, error)
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Resolver makes a Config.Resolve that believes a name only if the name leads back to the address.
func Resolver(r DNS) func(context.Context, netip.Addr) string {
	return func(ctx context.Context, addr netip.Addr) string {
		names, err := r.LookupAddr(ctx, addr.String())
		if err != nil {
			return ""
		}
		for _, name := range names {
			back, err := r.LookupNetIP(ctx, "ip", name)
			if err != nil {
				continue
			}
			for _, a := range back {
				if a.Unmap() == addr {
					return strings.TrimSuffix(name, ".")
				}
			}
		}
		return ""
	}
}

// validHelo reports whether the argument of HELO or EHLO may stand in a trace field: a name, with the underscores and
// single labels that mail servers use, or an address literal (RFC 5321 §4.1.3).
func validHelo(s string) bool {
	if inner, ok := strings.CutPrefix(s, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		if tag := len("IPv6:"); len(inner) > tag && strings.EqualFold(inner[:tag], "IPv6:") {
			inner = inner[tag:]
		}
		addr, err := netip.ParseAddr(inner)
		return ok && err == nil && addr.Zone() == ""
	}
	if s == "" || len(s) > 255 {
		return false
	}
	for _, r := range s {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-._", r)) {
			return false
		}
	}
	return true
}

// printable makes a remote text safe for one line.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
}
