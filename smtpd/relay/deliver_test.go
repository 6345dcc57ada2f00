package relay_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"postern/smtpd/relay"
	"postern/store"
)

func TestDeliverRelayedMail(t *testing.T) {
	t.Parallel()
	e, s := newEnv(t), &sink{ext: []string{"8BITMIME", "SIZE 100000"}}
	id := e.put(letter{from: "alice@example.org", rcpts: to("bob@ext.example")})
	e.start(route(s.listen(t)))
	e.await("delivery", func() bool { return e.state(rcpt(id, 1)) == store.StateDelivered })
	got := s.got()
	if len(got) != 1 {
		t.Fatalf("%d transactions", len(got))
	}
	if want := e.message(id).Received + plainMail; got[0].body != want {
		t.Errorf("body %q, want %q", got[0].body, want)
	}
	if !strings.HasPrefix(got[0].from, "MAIL FROM:<alice@example.org> BODY=8BITMIME SIZE=") {
		t.Errorf("sender line %q", got[0].from)
	}
	if items := e.queue(); len(items) != 0 {
		t.Errorf("left in the queue: %v", items)
	}
	if m := e.message(id); m.Refs != 0 {
		t.Errorf("body still needed by %d", m.Refs)
	}
	if got := fmt.Sprint(e.events(id)); got != "[message.delivered]" {
		t.Errorf("events %s", got)
	}
	e.awaitLog("event=attempt", "msg="+id.String(), "result=sent", "remote_id=SINK1", "relay_ip=127.0.0.1")
}

// TestI6DataIsByteExact sends what is hard on dot-stuffing and buffers; the sink takes the dots off again.
func TestI6DataIsByteExact(t *testing.T) {
	t.Parallel()
	header := "From: a@example.org\r\nSubject: x\r\n"
	for name, raw := range map[string]string{
		"dots":        header + "\r\n.\r\n..\r\n.x\r\n...\r\nx.\r\n.\r\n",
		"first dot":   ".leading\r\n\r\nbody\r\n",
		"long line":   header + "\r\n" + strings.Repeat("x", 100_000) + "\r\n.\r\nend\r\n",
		"many lines":  header + "\r\n" + strings.Repeat(".dot\r\n", 40_000),
		"8-bit":       header + "\r\nGr\xfc\xdfe \xff\x80\r\n",
		"empty body":  header + "\r\n",
		"header only": header,
		"block edge":  header + "\r\n" + strings.Repeat("y", 32<<10-len(header)-4) + "\r\n.\r\n..\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, blob := range []bool{false, true} {
				e, s := newEnv(t), &sink{ext: []string{"8BITMIME"}}
				id := e.put(letter{from: "a@example.org", rcpts: to("bob@ext.example"), raw: raw, blob: blob, eightBit: name == "8-bit"})
				r := route(s.listen(t))
				r.Stamp = "X-Processed: STAMP"
				e.start(r)
				e.await("delivery", func() bool { return e.state(rcpt(id, 1)) == store.StateDelivered })
				want := "X-Processed: STAMP\r\n" + e.message(id).Received + raw
				if got := s.got()[0].body; got != want {
					t.Errorf("blob %v: %d octets came, want %d", blob, len(got), len(want))
				}
			}
		})
	}
}

func TestNeighboursShareATransaction(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	s := &sink{onRcpt: func(line string) string {
		if strings.Contains(line, "<no") {
			return "550 5.1.1 no such user"
		}
		return ""
	}}
	id := e.put(letter{from: "alice@example.org", rcpts: to("a@ext.example", "no1@ext.example", "b@ext.example", "no2@ext.example")})
	e.start(route(s.listen(t)))
	e.await("results", func() bool { return e.state(rcpt(id, 4)).Final() && e.state(rcpt(id, 1)).Final() })
	if n := s.count(); n < 1 || len(s.got()[0].rcpts) != 2 {
		t.Fatalf("transactions %+v", s.got())
	}
	for n, want := range map[uint32]store.State{1: store.StateDelivered, 2: store.StateFailed, 3: store.StateDelivered, 4: store.StateFailed} {
		if got := e.state(rcpt(id, n)); got != want {
			t.Errorf("recipient %d is %s, want %s", n, got, want)
		}
	}
	e.await("one report, delivered", func() bool { return s.count() == 2 && len(e.queue()) == 0 })
	report := s.got()[1]
	contains(t, report.body, "Final-Recipient: rfc822; no1@ext.example", "Final-Recipient: rfc822; no2@ext.example", "Status: 5.1.1", "550 5.1.1 no such user")
	if !strings.HasPrefix(report.from, "MAIL FROM:<>") || !strings.Contains(report.rcpts[0], "alice@example.org") {
		t.Errorf("report from %q to %q", report.from, report.rcpts)
	}
	if m := e.message(id); m.Refs != 0 {
		t.Errorf("body still needed by %d", m.Refs)
	}
}

// TestTooManyRecipientsGoInTheNextTransaction: a limit of the next hop costs neither attempt nor recipient.
func TestTooManyRecipientsGoInTheNextTransaction(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	n := 0
	s := &sink{
		onMail: func(string) string { n = 0; return "" },
		onRcpt: func(string) string {
			if n++; n > 3 {
				return "452 4.5.3 too many recipients"
			}
			return ""
		},
	}
	var all []string
	for i := range 8 {
		all = append(all, fmt.Sprintf("r%d@ext.example", i))
	}
	id := e.put(letter{from: "alice@example.org", rcpts: to(all...)})
	e.start(route(s.listen(t)))
	e.await("delivery", func() bool { return len(e.queue()) == 0 })
	if got := s.count(); got != 3 {
		t.Errorf("%d transactions, want 3", got)
	}
	for i := range 8 {
		if got := e.state(rcpt(id, uint32(i+1))); got != store.StateDelivered {
			t.Errorf("recipient %d is %s", i+1, got)
		}
	}
}

func TestHundredRecipientsATransaction(t *testing.T) {
	t.Parallel()
	e, s := newEnv(t), &sink{}
	e.cfg.Limits.Batch = 250
	var all []string
	for i := range 250 {
		all = append(all, fmt.Sprintf("r%d@ext.example", i))
	}
	e.put(letter{from: "alice@example.org", rcpts: to(all...)})
	e.start(route(s.listen(t)))
	e.await("delivery", func() bool { return len(e.queue()) == 0 })
	var sizes []int
	for _, m := range s.got() {
		sizes = append(sizes, len(m.rcpts))
	}
	if fmt.Sprint(sizes) != "[100 100 50]" {
		t.Errorf("recipients per transaction %v", sizes)
	}
}

func TestConnectionIsReused(t *testing.T) {
	t.Parallel()
	e, s := newEnv(t), &sink{}
	for range 30 {
		e.put(letter{from: "alice@example.org", rcpts: to("bob@ext.example")})
	}
	var busy atomic.Int64
	e.cfg.Hooks.Conns = func(n int) { busy.Store(int64(n)) }
	e.start(route(s.listen(t)))
	e.await("delivery", func() bool { return len(e.queue()) == 0 && busy.Load() == 0 })
	if n := s.connections(); n != 1 {
		t.Errorf("%d connections for one batch", n)
	}
	id := e.put(letter{from: "alice@example.org", rcpts: to("bob@other.example")})
	e.await("delivery", func() bool { return e.state(rcpt(id, 1)) == store.StateDelivered })
	if n := s.connections(); n != 1 {
		t.Errorf("%d connections, the idle one was not used", n)
	}
}

// TestClosedIdleConnectionCostsNothing: the next hop closed it meanwhile, so the first command on it fails.
func TestClosedIdleConnectionCostsNothing(t *testing.T) {
	t.Parallel()
	e, s := newEnv(t), &sink{}
	host := s.listen(t)
	first := e.put(letter{from: "alice@example.org", rcpts: to("bob@ext.example")})
	e.start(route(host))
	e.await("delivery", func() bool { return e.state(rcpt(first, 1)) == store.StateDelivered })
	s.hangUp()
	second := e.put(letter{from: "alice@example.org", rcpts: to("bob@ext.example")})
	e.await("delivery", func() bool { return e.state(rcpt(second, 1)) == store.StateDelivered })
	if got := fmt.Sprint(e.events(second)); got != "[message.delivered]" {
		t.Errorf("events %s: an attempt was lost", got)
	}
}

func TestIdleConnectionIsClosed(t *testing.T) {
	t.Parallel()
	e, s := newEnv(t), &sink{}
	e.cfg.Limits.Idle = 20 * time.Millisecond
	id := e.put(letter{from: "alice@example.org", rcpts: to("bob@ext.example")})
	e.start(route(s.listen(t)))
	e.await("delivery", func() bool { return e.state(rcpt(id, 1)) == store.StateDelivered })
	e.await("QUIT", func() bool { return strings.HasSuffix(s.commands(), "QUIT") })
}

// TestHostsAreTriedInOrder: the first refuses to speak, the second takes it; neither costs an attempt.
func TestHostsAreTriedInOrder(t *testing.T) {
	t.Parallel()
	e, bad, good := newEnv(t), &sink{greeting: "554 5.3.2 not here"}, &sink{}
	r := route(bad.listen(t))
	r.Hosts = []string{good.listen(t)}
	id := e.put(letter{from: "alice@example.org", rcpts: to("bob@ext.example")})
	e.start(r)
	e.await("delivery", func() bool { return e.state(rcpt(id, 1)) == store.StateDelivered })
	if bad.connections() != 1 || good.count() != 1 {
		t.Errorf("connections %d, mails at the second %d", bad.connections(), good.count())
	}
}

func TestRoutesMatchInOrder(t *testing.T) {
	t.Parallel()
	e, exact, sub, all := newEnv(t), &sink{}, &sink{}, &sink{}
	routes := []routeTo{{[]string{"example.net"}, exact}, {[]string{".example.net", "[192.0.2.1]"}, sub}, {[]string{"*"}, all}}
	for _, a := range []string{"a@example.net", "b@mx.EXAMPLE.net", "c@notexample.net", "d@[192.0.2.1]"} {
		e.put(letter{from: "alice@example.org", rcpts: to(a)})
	}
	e.start(listenAll(t, routes)...)
	e.await("delivery", func() bool { return len(e.queue()) == 0 })
	for i, want := range []int{1, 2, 1} {
		if got := routes[i].s.count(); got != want {
			t.Errorf("route %d got %d mails, want %d", i, got, want)
		}
	}
}

func TestNoRouteFails544(t *testing.T) {
	t.Parallel()
	e, s := newEnv(t), &sink{}
	id := e.put(letter{from: "alice@example.org", rcpts: to("bob@ext.example")})
	r := route(s.listen(t))
	r.Domains = []string{"example.org"}
	e.start(r)
	e.await("report", func() bool { return s.count() == 1 })
	if got := e.state(rcpt(id, 1)); got != store.StateFailed {
		t.Errorf("state %s", got)
	}
	contains(t, s.got()[0].body, "Status: 5.4.4", "Final-Recipient: rfc822; bob@ext.example")
}

// TestHooksAndSizeSeen: what metrics and the site get to know.
func TestHooksAndSizeSeen(t *testing.T) {
	t.Parallel()
	e, s := newEnv(t), &sink{ext: []string{"SIZE 12345678"}, onRcpt: func(line string) string {
		if strings.Contains(line, "bob@") {
			return "451 4.3.0 later"
		}
		return ""
	}}
	e.put(letter{from: "alice@example.org", rcpts: to("bob@ext.example", "carol@ext.example")})
	run := e.start(route(s.listen(t)))
	results := map[relay.Result]int{}
	e.await("attempts", func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		clear(results)
		for _, a := range e.attempts {
			results[a.Result]++
			if a.Kind != store.KindRelay || a.Route != "*" || a.Delay < 0 || a.Wait > a.Delay {
				t.Errorf("attempt %+v", a)
			}
		}
		return len(e.attempts) == 2
	})
	if results[relay.Sent] != 1 || results[relay.Deferred] != 1 {
		t.Errorf("results %v", results)
	}
	if got := run.SizeSeen("ext.example"); got != 12345678 {
		t.Errorf("size seen %d", got)
	}
	if got := run.SizeSeen("ext.example."); got != 12345678 {
		t.Errorf("size seen %d by the same route", got)
	}
}
