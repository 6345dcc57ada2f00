package relay_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"postern/smtpd/relay"
	"postern/store"
)

// TestI7YesAtTheWrongPlaceIsNoDelivery: only the answer to the final dot says that a message was taken. A 2xx to
// anything that waits for another code is out of step, so it is temporary, and the connection is not used again.
func TestI7YesAtTheWrongPlaceIsNoDelivery(t *testing.T) {
	t.Parallel()
	cert, roots := newCert(t)
	for name, tc := range map[string]struct {
		s     *sink
		route func(*relay.Route)
	}{
		"greeting 250": {s: &sink{greeting: "250 hello"}},
		"EHLO 220":     {s: &sink{onEhlo: func() string { return "220 hello again" }}},
		"MAIL 220":     {s: &sink{onMail: func(string) string { return "220 hello" }}},
		"RCPT 220":     {s: &sink{onRcpt: func(string) string { return "220 hello" }}},
		"DATA 250":     {s: &sink{onData: func() string { return "250 2.0.0 Ok" }}},
		"AUTH 250": {
			s:     &sink{tls: serverTLS(cert), ext: []string{"AUTH PLAIN"}, onAuth: func(string) string { return "250 2.0.0 Ok" }},
			route: func(r *relay.Route) { r.TLS, r.Auth = relay.TLSVerified, &relay.Auth{User: "u", Password: "pw"} },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			e.cfg.Roots = roots
			id := e.put(letter{from: "alice@example.org", rcpts: to("bob@ext.example")})
			r := route(tc.s.listen(t))
			if tc.route != nil {
				tc.route(&r)
			}
			e.start(r)
			e.await("an attempt", func() bool {
				item, ok := e.item(rcpt(id, 1))
				return !ok || item.Last != "" && item.Owner.IsZero()
			})
			if _, ok := e.item(rcpt(id, 1)); !ok || e.state(rcpt(id, 1)) != store.StateQueued {
				t.Errorf("state %s, and nothing was sent", e.state(rcpt(id, 1)))
			}
		})
	}
}

// TestI7ReplyTooManyKeepsNoConnection: a next hop that says one line too many would answer each later command with what
// belongs to the one before.
func TestI7ReplyTooManyKeepsNoConnection(t *testing.T) {
	t.Parallel()
	var once atomic.Bool
	e, s := newEnv(t), &sink{onMail: func(string) string {
		if once.CompareAndSwap(false, true) {
			return "250 2.1.0 ok\n250 2.1.0 once more"
		}
		return ""
	}}
	e.cfg.Backoff = []time.Duration{10 * time.Millisecond}
	a := e.put(letter{from: "alice@example.org", rcpts: to("bob@ext.example")})
	b := e.put(letter{from: "alice@example.org", rcpts: to("bob@ext.example")})
	e.start(route(s.listen(t)))
	e.await("both", func() bool { return e.state(rcpt(a, 1)).Final() && e.state(rcpt(b, 1)).Final() })
	if n := s.count(); n != 2 || e.state(rcpt(a, 1)) != store.StateDelivered || e.state(rcpt(b, 1)) != store.StateDelivered {
		t.Errorf("%d messages arrived; states %s, %s", n, e.state(rcpt(a, 1)), e.state(rcpt(b, 1)))
	}
}

// TestI7RefusedRecipientsDoNotForgetExtensions: after a transaction that was given up, the connection is used for the
// next message only as it was greeted. A second EHLO that fails must not look like a next hop without 8BITMIME, which
// would be final (MAIL 8.3).
func TestI7RefusedRecipientsDoNotForgetExtensions(t *testing.T) {
	t.Parallel()
	for _, again := range []string{"-", "421 4.3.2 going down", "503 5.5.1 twice", "500 5.5.1 what?", "250 hello"} {
		t.Run(again, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			e.cfg.Backoff = []time.Duration{10 * time.Millisecond}
			var hellos atomic.Int32
			s := &sink{
				onEhlo: func() string {
					if hellos.Add(1) == 2 {
						return again
					}
					return "250-sink\n250 8BITMIME"
				},
				onRcpt: func(line string) string {
					if strings.Contains(line, "gone@") {
						return "550 5.1.1 no such user"
					}
					return ""
				},
			}
			eight := "From: alice@example.org\r\n\r\nGr\xc3\xbc\xc3\x9fe\r\n"
			e.put(letter{rcpts: to("gone@ext.example"), raw: eight, eightBit: true})
			id := e.put(letter{rcpts: to("bob@ext.example"), raw: eight, eightBit: true})
			e.start(route(s.listen(t)))
			e.await("an end", func() bool { return e.state(rcpt(id, 1)).Final() })
			if got := e.recipient(rcpt(id, 1)); got.State != store.StateDelivered {
				t.Errorf("state %s: %s", got.State, got.Detail)
			}
		})
	}
}

// TestExtensionsInAnyCase: keywords of EHLO are read whatever their case (RFC 5321 §2.4); else mail bounces for want of
// 8BITMIME, and goes in clear past a STARTTLS.
func TestExtensionsInAnyCase(t *testing.T) {
	t.Parallel()
	cert, roots := newCert(t)
	e := newEnv(t)
	e.cfg.Roots = roots
	s := &sink{tls: serverTLS(cert)}
	s.onEhlo = func() string { return "250-sink.Example greets\n250-Starttls\n250-8BitMime\n250-dsn\n250 size 100000" }
	id := e.put(letter{
		from: "alice@example.org", envid: "QQ1", rcpts: to("Bob@ext.example"),
		raw: "From: alice@example.org\r\n\r\nGr\xc3\xbc\xc3\x9fe\r\n", eightBit: true,
	})
	r := e.start(route(s.listen(t)))
	e.await("an end", func() bool { return e.state(rcpt(id, 1)).Final() })
	if got := e.recipient(rcpt(id, 1)); got.State != store.StateDelivered {
		t.Fatalf("state %s: %s", got.State, got.Detail)
	}
	m := s.got()[0]
	if !m.tls {
		t.Error("sent in clear past STARTTLS")
	}
	contains(t, m.from, " BODY=8BITMIME", " ENVID=QQ1")
	contains(t, m.rcpts[0], "RCPT TO:<Bob@ext.example>")
	if got := r.SizeSeen("ext.example"); got != 100000 {
		t.Errorf("SIZE %d was seen", got)
	}
}

// TestRepliesOfACodeAlone: a reply may end behind its code (RFC 5321 §4.2). Where that were not understood behind the
// final dot, the message would be sent again and again.
func TestRepliesOfACodeAlone(t *testing.T) {
	t.Parallel()
	say := func(answer string) func(string) string { return func(string) string { return answer } }
	e := newEnv(t)
	e.cfg.Backoff = []time.Duration{10 * time.Millisecond}
	s := &sink{
		greeting: "220", onEhlo: func() string { return "250-sink\n250-8BITMIME\n250-\n250" }, onMail: say("250"), onBody: say("250"),
		onData: func() string { return "354" },
		onRcpt: func(line string) string {
			if strings.Contains(line, "gone@") {
				return "550"
			}
			return "250"
		},
	}
	id := e.put(letter{rcpts: to("bob@ext.example", "gone@ext.example"), raw: "From: alice@example.org\r\n\r\nGr\xc3\xbc\xc3\x9fe\r\n", eightBit: true})
	e.start(route(s.listen(t)))
	e.await("an end", func() bool { return e.state(rcpt(id, 1)).Final() && e.state(rcpt(id, 2)).Final() })
	if a, b := e.state(rcpt(id, 1)), e.recipient(rcpt(id, 2)); a != store.StateDelivered || b.State != store.StateFailed || s.count() != 1 {
		t.Errorf("states %s, %s (%s); %d messages arrived", a, b.State, b.Detail, s.count())
	}
}
