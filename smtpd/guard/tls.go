package guard

import (
	"crypto/tls"
	"io"
	"time"
)

// beginTLS puts TLS on the socket; the handshake comes with the first write, which is go-smtp's greeting.
func (c *Conn) beginTLS() {
	c.nc, c.shaking = tls.Server(c.raw, c.g.cfg.TLS), true
}

// startTLS ends the clear session and begins a secure one on the same socket. Nothing is carried over (RFC 3207 §4.2).
func (c *Conn) startTLS() (int, error) {
	c.send("220 2.0.0 Ready to start TLS\r\n")
	if err := c.bw.Flush(); err != nil {
		return c.end(Reply{})
	}
	s := c.g.wrap(c.raw, c.raw, c.identity)
	s.beginTLS()
	s.swallow = true
	c.gone, c.fault = true, io.EOF
	c.g.mu.Lock()
	delete(c.g.conns, c)
	c.g.conns[s] = struct{}{}
	c.g.mu.Unlock()
	c.g.hand(c.g.secure, s)
	return 0, io.EOF
}

// handshake runs the TLS handshake. If it fails the connection ends; it never goes on in clear.
func (c *Conn) handshake() error {
	c.shaking = false
	err := c.arm(true, c.g.limits.Read)
	if err == nil {
		t := c.nc.(*tls.Conn)
		c.raw.SetWriteDeadline(time.Now().Add(c.g.limits.Read))
		err = t.Handshake()
		c.disarm()
		state := t.ConnectionState()
		c.tls = &state
	}
	if err != nil {
		c.fault = io.EOF
		c.raw.Close()
		if c.g.cfg.Hooks.TLSFailed != nil {
			c.g.cfg.Hooks.TLSFailed(c, err)
		}
	}
	return err
}
