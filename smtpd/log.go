package smtpd

import (
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"net/netip"

	"postern/smtpd/guard"
	"postern/store"
)

// The lines of the SMTP edge (MAIL 10.1), one per event. A line's message is its event, "msg" the id of a mail. No
// line has a subject, content or password in it, and the name of a log-on stands there only after it succeeded.

// logConnect tells who the client is, once per session: when it first does something, or leaves.
func (s *session) logConnect() {
	if s.logged || s.conn.HandedOver() { // the session under TLS will tell
		return
	}
	s.logged = true
	c := s.client()
	s.srv.cfg.Log.Info("connect", "conn", c.Conn, "listener", c.Listener, "client_ip", c.IP, "source", c.Class,
		"rdns", c.RDNS, "helo", printable(c.Helo), "tls", c.TLS, "tls_cipher", c.Cipher, "client_cert", fingerprint(s.conn))
}

// fingerprint names the certificate that the client showed, by SHA-256.
func fingerprint(c *guard.Conn) string {
	state := c.TLS()
	if state == nil || len(state.PeerCertificates) == 0 {
		return ""
	}
	sum := sha256.Sum256(state.PeerCertificates[0].Raw)
	return hex.EncodeToString(sum[:])
}

func (s *session) logAuth() {
	c := s.client()
	s.srv.cfg.Log.Info("auth", "conn", c.Conn, "client_ip", c.IP, "auth_user", c.User)
}

// logAccept tells of a message that was taken.
func (s *session) logAccept(o outcome) {
	s.srv.cfg.Log.Info("accept", append(s.message(o), "code", 250, "enhanced", "2.0.0")...)
}

// message are the fields about a message that lines on it share.
func (s *session) message(o outcome) []any {
	from := ""
	if o.env.From != nil {
		from = s.srv.cfg.LogAddress(*o.env.From)
	}
	author := ""
	if o.receipt.Author != nil {
		author = s.srv.cfg.LogAddress(*o.receipt.Author)
	}
	body := "7bit"
	if o.env.EightBit {
		body = "8bitmime"
	}
	return []any{"conn", o.env.Client.Conn, "msg", o.env.ID, "message_id", o.receipt.MessageID, "from", from, "author", author, "size", o.body.n, "rcpts", len(o.env.Rcpts),
		"body", body, "smtputf8", o.env.UTF8, "envid", o.env.EnvID,
		"auth_user", o.env.Client.User, "took_ms", o.took.Milliseconds()}
}

// refuseMessage words and logs the refusal of a message. One that go-smtp answers by itself is a line of logReply's
// and, because the message is then without reply of ours, an "abort" here.
func (s *session) refuseMessage(o outcome) error {
	ref := s.conn.Ref()
	reply := replyFor(o.err, ref)
	event := "refuse"
	if o.body.reset {
		event = "abort"
	} else {
		s.countRefusal(reply.Code)
	}
	fields := append(s.message(o), "verb", "DATA", "code", reply.Code, "enhanced", refusal(o.err).Status(), "ref", ref)
	s.srv.log(event, o.err, fields)
	return reply
}

// refuse words and logs the refusal of a command; rcpt is the recipient that it is about.
func (s *session) refuse(verb string, rcpt *store.Address, err error) error {
	ref := s.conn.Ref()
	reply := replyFor(err, ref)
	s.countRefusal(reply.Code)
	fields := []any{"conn", s.conn.ID(), "verb", verb, "code", reply.Code, "enhanced", refusal(err).Status(), "ref", ref}
	if tx := s.current(); tx != nil {
		fields = append(fields, "msg", tx.env.ID)
	}
	if rcpt != nil && !rcpt.IsZero() {
		fields = append(fields, "to", s.srv.cfg.LogAddress(*rcpt))
	}
	s.srv.log("refuse", err, fields)
	return reply
}

// log writes a refusal: as an error, with its cause, when the trouble is ours.
func (s *Server) log(event string, err error, fields []any) {
	level := slog.LevelInfo
	reply := refusal(err)
	switch {
	case reply == errLocal || reply == errFull:
		fields = append(fields, "cause", err.Error())
	case reply.Err != nil:
		fields = append(fields, "cause", reply.Err.Error())
	}
	if reply.Enhanced == errLocal.Enhanced || reply.Enhanced == errFull.Enhanced {
		level = slog.LevelError
	}
	s.cfg.Log.Log(s.ctx, level, event, fields...)
}

func (s *session) countRefusal(code int) {
	if s.srv.cfg.Metrics.Refused != nil {
		s.srv.cfg.Metrics.Refused(code)
	}
}

// logReply tells of a refusal that guard or go-smtp worded.
func (s *Server) logReply(c *guard.Conn, r guard.Reply, ref string) {
	if s.cfg.Metrics.Refused != nil {
		s.cfg.Metrics.Refused(r.Code)
	}
	s.cfg.Log.Info("refuse", "conn", c.ID(), "client_ip", c.Remote().String(), "verb", logVerb(r.Verb), "code", r.Code,
		"enhanced", r.Status, "ref", ref, "cause", r.Text)
}

// logVerb keeps what only looks like a command out of the log: it may be content that a broken client sent.
func logVerb(verb string) string {
	switch verb {
	case "", "HELO", "EHLO", "MAIL", "RCPT", "DATA", "BDAT", "RSET", "NOOP", "QUIT", "VRFY", "AUTH", "STARTTLS":
		return verb
	}
	return "?"
}

// logReject tells of a connection that a cap turned away.
func (s *Server) logReject(addr netip.Addr, listener string, class guard.Class, ref string) {
	if s.cfg.Metrics.Rejected != nil {
		s.cfg.Metrics.Rejected(listener)
	}
	s.cfg.Log.Warn("reject", "listener", listener, "client_ip", addr.String(), "source", class.Name, "code", 421, "ref", ref)
}

func (s *Server) logTLSFailure(c *guard.Conn, err error) {
	s.cfg.Log.Info("tls-failed", "conn", c.ID(), "listener", c.Listener().Name, "client_ip", c.Remote().String(), "cause", err.Error())
}
