package relay_test

import (
	"bufio"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/smtpd/relay"
	"postern/store"
)

// TestNextHopLacks holds MAIL 8.3: what is not offered is never worked around, and nothing is sent in vain.
func TestNextHopLacks(t *testing.T) {
	t.Parallel()
	eightBit := "From: a@example.org\r\n\r\nGr\xc3\xbc\xc3\x9fe\r\n"
	utf8Header := "From: a@example.org\r\nSubject: Gr\xc3\xbc\xc3\x9fe\r\n\r\nHi\r\n"
	for _, tc := range []struct {
		name   string
		l      letter
		ext    []string
		change func(*relay.Route)
		status string // empty: sent
		param  string
	}{
		{"SIZE too small", letter{raw: strings.Repeat("x", 2000) + "\r\n"}, []string{"SIZE 1000"}, nil, "5.3.4", ""},
		{"SIZE just enough", letter{}, []string{"SIZE 100000"}, nil, "", " SIZE="},
		{"SIZE 0 is no limit", letter{raw: strings.Repeat("x", 2000) + "\r\n"}, []string{"SIZE 0"}, nil, "", ""},
		{"8BITMIME", letter{raw: eightBit, eightBit: true}, nil, nil, "5.6.3", ""},
		{"8BITMIME, sent all the same", letter{raw: eightBit, eightBit: true}, nil, func(r *relay.Route) { r.EightBit = relay.EightBitSend }, "", ""},
		{"8BITMIME offered", letter{raw: eightBit, eightBit: true}, []string{"8BITMIME"}, nil, "", " BODY=8BITMIME"},
		{"SMTPUTF8 for an address", letter{rcpts: to("bücher@ext.example"), utf8: true}, []string{"8BITMIME"}, nil, "5.6.7", ""},
		{"SMTPUTF8 for a header", letter{raw: utf8Header, utf8: true, eightBit: true}, []string{"8BITMIME"}, nil, "5.6.7", ""},
		{"SMTPUTF8 asked for without need", letter{utf8: true}, nil, nil, "", ""},
		{"SMTPUTF8 offered", letter{rcpts: to("bücher@ext.example"), utf8: true}, []string{"8BITMIME", "SMTPUTF8"}, nil, "", " SMTPUTF8"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			e, s, reports := newEnv(t), &sink{ext: tc.ext}, &sink{}
			if tc.l.rcpts == nil {
				tc.l.rcpts = to("bob@ext.example")
			}
			tc.l.from = "alice@example.org"
			id := e.put(tc.l)
			r := route(s.listen(t))
			if tc.change != nil {
				tc.change(&r)
			}
			e.start(relay.Route{Domains: []string{"example.org"}, Host: reports.listen(t)}, r)
			e.await("an end", func() bool { return e.state(rcpt(id, 1)).Final() })
			if tc.status == "" {
				if e.state(rcpt(id, 1)) != store.StateDelivered {
					t.Fatalf("not sent\n%s", e.log)
				}
				if tc.param != "" && !strings.Contains(s.got()[0].from, tc.param) {
					t.Errorf("%q has no %q", s.got()[0].from, tc.param)
				}
				return
			}
			if strings.Contains(s.commands(), "MAIL") {
				t.Error("the next hop was asked in vain")
			}
			e.await("a report", func() bool { return reports.count() == 1 })
			contains(t, reports.got()[0].body, "Status: "+tc.status)
		})
	}
}

// TestUnicodeDomainGoesAsALabel: no SMTPUTF8 is needed for the domain alone.
func TestUnicodeDomainGoesAsALabel(t *testing.T) {
	t.Parallel()
	e, s := newEnv(t), &sink{}
	id := e.put(letter{from: "alice@example.org", rcpts: to("bob@bücher.example")})
	e.start(route(s.listen(t)))
	e.await("delivery", func() bool { return e.state(rcpt(id, 1)) == store.StateDelivered })
	if got := s.got()[0].rcpts[0]; got != "RCPT TO:<bob@xn--bcher-kva.example>" {
		t.Errorf("%q", got)
	}
}

func TestReportOptions(t *testing.T) {
	t.Parallel()
	l := letter{
		from: "alice@example.org", ret: store.RetFull, envid: "QQ+1",
		rcpts: []store.Rcpt{{Address: addr("bob@ext.example"), Notify: store.NotifySuccess | store.NotifyDelay, ORcpt: "rfc822;Bob@ext.example"}},
	}
	t.Run("passed on", func(t *testing.T) {
		t.Parallel()
		e, s := newEnv(t), &sink{ext: []string{"DSN"}}
		e.put(l)
		e.start(route(s.listen(t)))
		e.await("delivery", func() bool { return s.count() == 1 && len(e.queue()) == 0 })
		m := s.got()[0]
		if !strings.HasSuffix(m.from, " RET=FULL ENVID=QQ+2B1") {
			t.Errorf("%q", m.from)
		}
		if want := "RCPT TO:<bob@ext.example> NOTIFY=SUCCESS,DELAY ORCPT=RFC822;Bob@ext.example"; m.rcpts[0] != want {
			t.Errorf("%q, want %q", m.rcpts[0], want)
		}
	})
	t.Run("kept here", func(t *testing.T) {
		t.Parallel()
		e, s := newEnv(t), &sink{}
		e.put(l)
		e.start(route(s.listen(t)))
		e.await("a report", func() bool { return s.count() == 2 && len(e.queue()) == 0 })
		if m := s.got()[0]; strings.Contains(m.from+m.rcpts[0], "RET=") || strings.Contains(m.rcpts[0], "NOTIFY") {
			t.Errorf("options were sent unasked: %+v", m)
		}
		contains(t, s.got()[1].body, "Action: relayed", "Status: 2.0.0", "Original-Envelope-Id: QQ+1",
			"Original-Recipient: rfc822; Bob@ext.example", "Content-Type: text/rfc822-headers")
	})
}

// TestNeverAReport: NOTIFY=NEVER and the null sender.
func TestNeverAReport(t *testing.T) {
	t.Parallel()
	for name, l := range map[string]letter{
		"NOTIFY=NEVER": {from: "alice@example.org", rcpts: []store.Rcpt{{Address: addr("bob@ext.example"), Notify: store.NotifyNever}}},
		"NOTIFY=DELAY": {from: "alice@example.org", rcpts: []store.Rcpt{{Address: addr("bob@ext.example"), Notify: store.NotifyDelay}}},
		"null sender":  {rcpts: to("bob@ext.example")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, s := newEnv(t), &sink{onRcpt: func(string) string { return "550 5.1.1 no" }}
			id := e.put(l)
			e.start(route(s.listen(t)))
			e.await("the end", func() bool { return e.state(rcpt(id, 1)) == store.StateFailed })
			if items := e.queue(); len(items) != 0 {
				t.Errorf("a report was queued: %+v", items)
			}
		})
	}
}

// TestSlowAnswersAreBounded: a next hop that answers without end, or not at all, ends the attempt and not the runner.
func TestSlowAnswersAreBounded(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]*sink{
		"endless reply": {onMail: func(string) string { return strings.Repeat("250-more and more and more and more\n", 5000) + "250 ok" }},
		"long line":     {onMail: func(string) string { return "250 " + strings.Repeat("x", 5000) }},
		"no number":     {onMail: func(string) string { return "what?" }},
		"hangs up":      {onMail: func(string) string { return "-" }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			id := e.put(letter{from: "alice@example.org", rcpts: to("bob@ext.example")})
			e.start(route(s.listen(t)))
			e.await("an attempt", func() bool {
				item, ok := e.item(rcpt(id, 1))
				return ok && item.Attempts == 1 && item.Owner.IsZero()
			})
			if item, _ := e.item(rcpt(id, 1)); item.Due.Before(time.Now()) || e.state(rcpt(id, 1)) != store.StateQueued {
				t.Errorf("item %+v", item)
			}
		})
	}
}

func TestConnectionLostAfterTheFinalDotIsRetried(t *testing.T) {
	t.Parallel()
	first := true
	e := newEnv(t)
	s := &sink{onBody: func(string) string {
		if first {
			first = false
			return "-"
		}
		return ""
	}}
	e.cfg.Backoff = []time.Duration{10 * time.Millisecond}
	id := e.put(letter{from: "alice@example.org", rcpts: to("bob@ext.example")})
	e.start(route(s.listen(t)))
	e.await("delivery", func() bool { return e.state(rcpt(id, 1)) == store.StateDelivered })
	e.awaitLog(`note="possible duplicate"`)
}

func TestAny2xxAfterTheFinalDotIsYes(t *testing.T) {
	t.Parallel()
	e, s := newEnv(t), &sink{onBody: func(string) string { return "251 2.1.5 will forward" }}
	id := e.put(letter{from: "alice@example.org", rcpts: to("bob@ext.example")})
	e.start(route(s.listen(t)))
	e.await("delivery", func() bool { return e.state(rcpt(id, 1)) == store.StateDelivered })
}

// TestStalledReaderIsGivenUp: a next hop that takes no more data in the middle of a message. go-smtp's client alone
// would wait for ever.
func TestStalledReaderIsGivenUp(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	release := make(chan struct{})
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer conn.Close()
				io.WriteString(conn, "220 hello\r\n")
				r := bufio.NewReader(conn)
				for {
					line, err := r.ReadString('\n')
					if err != nil {
						return
					}
					if strings.HasPrefix(line, "DATA") {
						io.WriteString(conn, "354 go on\r\n")
						<-release
						return
					}
					io.WriteString(conn, "250 ok\r\n")
				}
			})
		}
	})
	t.Cleanup(func() { l.Close(); close(release); wg.Wait() })
	e := newEnv(t)
	e.cfg.Timeouts.Write = 100 * time.Millisecond
	id := e.put(letter{from: "alice@example.org", rcpts: to("bob@ext.example"), raw: strings.Repeat("0123456789abcdef\r\n", 1_000_000), blob: true})
	e.start(route(l.Addr().String()))
	e.await("the end of the attempt", func() bool {
		item, ok := e.item(rcpt(id, 1))
		return ok && item.Attempts == 1 && item.Owner.IsZero()
	})
	if item, _ := e.item(rcpt(id, 1)); !strings.Contains(item.Last, "timeout") {
		t.Errorf("item %+v", item)
	}
}

// TestHopThatShutsDownInTheMiddle: what was answered stays answered, the recipient at which it happened waits, and the
// others go over another connection, where there is one (I5).
func TestHopThatShutsDownInTheMiddle(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	s := &sink{onRcpt: func(line string) string {
		switch {
		case strings.Contains(line, "<no@"):
			return "550 5.1.1 no such user"
		case strings.Contains(line, "<late@"):
			return "421 4.3.2 shutting down"
		}
		return ""
	}}
	id := e.put(letter{from: "", rcpts: to("no@ext.example", "yes@ext.example", "late@ext.example", "last@ext.example")})
	e.start(route(s.listen(t)))
	e.await("the end of the attempt", func() bool { return len(e.events(id)) == 4 })
	for n, want := range map[uint32]store.State{1: store.StateFailed, 2: store.StateDelivered, 3: store.StateQueued, 4: store.StateDelivered} {
		if got := e.state(rcpt(id, n)); got != want {
			t.Errorf("recipient %d is %s, want %s", n, got, want)
		}
	}
	if got := s.got(); len(got) != 1 || len(got[0].rcpts) != 2 {
		t.Errorf("data went to %+v", got)
	}
}
