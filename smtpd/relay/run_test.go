package relay_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emersion/go-smtp"

	"postern/smtpd/relay"
	"postern/store"
)

// TestDrain: the transaction under way ends, the rest goes back with its place, nothing new is begun.
func TestDrain(t *testing.T) {
	t.Parallel()
	outside := &sink{onBody: func(string) string { time.Sleep(3 * time.Second); return "" }}
	inBubble(t, outside, &sink{}, func(e *env, out *network) {
		var ids []store.MessageID
		for range 5 {
			ids = append(ids, e.put(letter{from: "alice@ext.example", rcpts: to("bob@ext.example")}))
			time.Sleep(time.Millisecond)
		}
		run := e.start(bubbleRoutes()...)
		time.Sleep(time.Second)
		ctx, cancel := context.WithTimeout(context.Background(), 8*time.Second)
		defer cancel()
		begin := time.Now()
		if err := run.Drain(ctx); err != nil {
			t.Errorf("drain: %v", err)
		}
		if took := time.Since(begin); took < time.Second || took > 4*time.Second {
			t.Errorf("drain took %v", took)
		}
		e.put(letter{from: "alice@ext.example", rcpts: to("bob@ext.example")})
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := outside.count(); n != 1 || e.state(rcpt(ids[0], 1)) != store.StateDelivered {
			t.Errorf("%d delivered, the first is %s", n, e.state(rcpt(ids[0], 1)))
		}
		for _, id := range ids[1:] {
			item, ok := e.item(rcpt(id, 1))
			if !ok || item.Attempts != 0 || !item.Owner.IsZero() || item.Due.After(begin) {
				t.Errorf("item %+v", item)
			}
		}
	})
}

// TestCut: what hangs when Run ends is cut; its attempt does not count and it is due at once.
func TestCut(t *testing.T) {
	t.Parallel()
	reached := make(chan bool, 10)
	hang := make(chan struct{})
	e, s := newEnv(t), &sink{onRcpt: func(string) string { reached <- true; <-hang; return "-" }}
	host := s.listen(t)
	t.Cleanup(func() { close(hang) })
	id := e.put(letter{from: "alice@example.org", rcpts: to("bob@ext.example")})
	run := e.start(route(host))
	<-reached
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := run.Drain(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("drain: %v", err)
	}
	run.stop()
	item, ok := e.item(rcpt(id, 1))
	if !ok || item.Attempts != 0 || !item.Owner.IsZero() || item.Due.After(time.Now()) {
		t.Errorf("item %+v, %v", item, ok)
	}
}

// TestDrop ends an item with a report.
func TestDrop(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	inside := &sink{}
	id := e.put(letter{from: "alice@example.org", rcpts: to("a@ext.example", "b@ext.example"), due: time.Hour})
	about, notice := e.putSealed("alice@example.org", store.Rcpt{Address: addr("c@ext.example")}, nil)
	e.update(func(tx store.Tx) error {
		item, err := tx.Queue().Get(notice)
		if err != nil {
			return err
		}
		item.Due = time.Now().Add(time.Hour)
		return tx.Queue().Replace(item)
	})
	run := e.start(route(inside.listen(t)))
	order := store.Event{ID: store.NewEventID(time.Now()), What: store.EventQueueDrop, Message: id, N: 1, Actor: "ann@example.org"}
	if err := run.Drop(t.Context(), rcpt(id, 1), "No longer\r\nwanted.", order); err != nil {
		t.Fatal(err)
	}
	if err := run.Drop(t.Context(), notice, "", store.Event{}); err != nil {
		t.Fatal(err)
	}
	e.await("reports", func() bool { return inside.count() == 2 })
	for k, want := range map[store.RcptKey]store.State{rcpt(id, 1): store.StateFailed, rcpt(id, 2): store.StateQueued, about: store.StateFailed} {
		if got := e.state(k); got != want {
			t.Errorf("%s is %s, want %s", k, got, want)
		}
	}
	if r := e.recipient(about); len(r.Grants) != 0 {
		t.Error("grants survive")
	}
	again := order
	again.ID = store.NewEventID(time.Now())
	dropped := func() (n int) {
		e.update(func(tx store.Tx) error {
			events, _, err := tx.Audit().List(store.EventFilter{Actor: order.Actor}, "", 9)
			n = len(events)
			return err
		})
		return n
	}
	if n := dropped(); n != 1 {
		t.Errorf("%d events name the administrator", n)
	}
	bodies := inside.got()[0].body + inside.got()[1].body
	contains(t, bodies, "No longer", "wanted.", "An administrator ended the delivery.", "Status: 5.0.0")
	if err := run.Drop(t.Context(), rcpt(id, 1), "", again); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("second drop: %v", err)
	}
	e.update(func(tx store.Tx) error {
		_, err := tx.Queue().Claim(store.Claim{Domain: "ext.example", Owner: store.Owner{1}, Now: time.Now().Add(2 * time.Hour), Lease: time.Hour, Max: 9})
		return err
	})
	if err := run.Drop(t.Context(), rcpt(id, 2), "", again); !errors.Is(err, store.ErrConflict) {
		t.Errorf("drop of a claimed item: %v", err)
	}
	if n := dropped(); n != 1 {
		t.Errorf("%d events after drops that failed", n)
	}
}

// TestNothingIsLostOrDoubled runs many messages over several domains and connections; all counts return to zero.
func TestNothingIsLostOrDoubled(t *testing.T) {
	t.Parallel()
	e, s := newEnv(t), &sink{}
	var conns atomic.Int64
	e.cfg.Hooks.Conns = func(n int) { conns.Store(int64(n)) }
	e.cfg.Limits.PerHop = 4
	e.start(route(s.listen(t)))
	const each, writers = 40, 5
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				e.put(letter{from: "alice@example.org", rcpts: to(fmt.Sprintf("bob@d%d.example", (w+i)%7)), raw: fmt.Sprintf("Subject: %d-%d\r\n\r\nHi\r\n", w, i)})
			}
		})
	}
	wg.Wait()
	e.await("all", func() bool { return s.count() >= each*writers && len(e.queue()) == 0 })
	seen := map[string]int{}
	for _, m := range s.got() {
		seen[m.body]++
	}
	if len(seen) != each*writers || s.count() != each*writers {
		t.Errorf("%d different of %d mails, want %d", len(seen), s.count(), each*writers)
	}
	s.mu.Lock()
	most := s.most
	s.mu.Unlock()
	if most > 4 {
		t.Errorf("%d connections at once, 4 are allowed", most)
	}
	e.await("connections in use to return to zero", func() bool { return conns.Load() == 0 })
}

// TestCrowdedHopIsNotDown: it takes two connections and refuses more; that slows down and stops nothing.
func TestCrowdedHopIsNotDown(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &sink{onBody: func(string) string { time.Sleep(time.Millisecond); return "" }}
	s.serve(t, &crowded{Listener: l, s: s})
	e.cfg.Limits.Batch = 3
	for range 60 {
		e.put(letter{from: "alice@example.org", rcpts: to("bob@ext.example")})
	}
	e.start(route(l.Addr().String()))
	e.await("all", func() bool { return s.count() == 60 && len(e.queue()) == 0 })
	if n := len(e.downs()); n != 0 {
		t.Errorf("marked down %d times", n)
	}
}

// crowded refuses a connection while two are open.
type crowded struct {
	net.Listener
	s *sink
}

func (c *crowded) Accept() (net.Conn, error) {
	for {
		conn, err := c.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c.s.mu.Lock()
		open := len(c.s.open)
		c.s.mu.Unlock()
		if open < 2 {
			return conn, nil
		}
		io.WriteString(conn, "421 4.3.2 too many connections\r\n")
		conn.Close()
	}
}

// flaky is a store whose commits fail for a while.
type flaky struct {
	store.Store
	fail atomic.Int32 // so many more times
	done bool         // commit all the same: the error is ErrUncertain's case
}

func (f *flaky) Update(ctx context.Context, fn func(store.Tx) error) error {
	if f.fail.Load() > 0 && f.fail.Add(-1) >= 0 {
		if f.done {
			if err := f.Store.Update(ctx, fn); err != nil {
				return err
			}
			return store.ErrUncertain
		}
		return store.ErrFull
	}
	return f.Store.Update(ctx, fn)
}

// TestStoreTrouble: results that cannot be written are written later; nothing goes twice meanwhile.
func TestStoreTrouble(t *testing.T) {
	t.Parallel()
	for name, uncertain := range map[string]bool{"full": false, "uncertain": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			outside, inside := &sink{}, &sink{}
			f := &flaky{done: uncertain}
			outside.onRcpt = func(line string) string {
				if strings.Contains(line, "no@") {
					return "550 5.1.1 no such user"
				}
				return ""
			}
			outside.onMail = func(string) string { f.fail.Store(3); return "" }
			inBubble(t, outside, inside, func(e *env, _ *network) {
				f.Store = e.store
				e.cfg.Store = f
				id := e.put(letter{from: "alice@example.org", rcpts: to("yes@ext.example", "no@ext.example")})
				e.start(bubbleRoutes()...)
				time.Sleep(time.Hour)
				synctest.Wait()
				if a, b := e.state(rcpt(id, 1)), e.state(rcpt(id, 2)); a != store.StateDelivered || b != store.StateFailed {
					t.Errorf("states %s, %s\n%s", a, b, e.log)
				}
				if outside.count() != 1 || inside.count() != 1 || len(e.queue()) != 0 {
					t.Errorf("%d mails, %d reports, %d left", outside.count(), inside.count(), len(e.queue()))
				}
			})
		})
	}
}

// TestRestartGoesOn: what waits is found again, domain by domain.
func TestRestartGoesOn(t *testing.T) {
	t.Parallel()
	e, s := newEnv(t), &sink{}
	host := s.listen(t)
	var all []string
	for i := range 600 { // more than a page of destinations
		all = append(all, fmt.Sprintf("bob@d%d.example", i))
	}
	e.put(letter{from: "alice@example.org", rcpts: to(all...)})
	e.start(route(host))
	e.await("all", func() bool { return s.count() == 600 && len(e.queue()) == 0 })
}

// backend is go-smtp's own server as a next hop, with what its parser makes of our commands.
type backend struct {
	mu   sync.Mutex
	mail []string
}

func (b *backend) NewSession(*smtp.Conn) (smtp.Session, error) { return &session{b: b}, nil }

type session struct {
	b        *backend
	envelope string
}

func (s *session) Reset()        {}
func (s *session) Logout() error { return nil }

func (s *session) Mail(from string, o *smtp.MailOptions) error {
	s.envelope = fmt.Sprintf("%s ret=%s envid=%s utf8=%v", from, o.Return, o.EnvelopeID, o.UTF8)
	return nil
}

func (s *session) Rcpt(to string, o *smtp.RcptOptions) error {
	s.envelope += fmt.Sprintf(" | %s %v %s;%s", to, o.Notify, o.OriginalRecipientType, o.OriginalRecipient)
	return nil
}

func (s *session) Data(r io.Reader) error {
	body, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	s.b.mail = append(s.b.mail, s.envelope+"\n"+string(body))
	return nil
}

func TestAgainstGoSMTP(t *testing.T) {
	t.Parallel()
	b := &backend{}
	srv := smtp.NewServer(b)
	srv.EnableDSN, srv.EnableSMTPUTF8, srv.MaxLineLength, srv.Domain = true, true, 200_000, "sink"
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	t.Cleanup(func() { srv.Close(); <-done })
	e := newEnv(t)
	raw := "Subject: x\r\n\r\n.\r\n..\r\n" + strings.Repeat("x", 100_000) + "\r\n.end\r\n"
	id := e.put(letter{
		from: "älice@example.org", utf8: true, eightBit: true, ret: store.RetHdrs, envid: "a+b", raw: raw,
		rcpts: []store.Rcpt{{Address: addr("bücher@bücher.example"), Notify: store.NotifyFailure, ORcpt: "utf-8;bücher@bücher.example"}},
	})
	e.start(route(l.Addr().String()))
	e.await("delivery", func() bool { return e.state(rcpt(id, 1)) == store.StateDelivered })
	b.mu.Lock()
	defer b.mu.Unlock()
	want := "älice@example.org ret=HDRS envid=a+b utf8=true | bücher@bücher.example [FAILURE] UTF-8;bücher@bücher.example\n" + e.message(id).Received + raw
	if len(b.mail) != 1 || b.mail[0] != want {
		got := strings.Join(b.mail, "\n---\n")
		t.Errorf("%d octets came: %.300s", len(got), got)
	}
}

func TestNewChecksItsConfiguration(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	for name, spoil := range map[string]func(*relay.Config){
		"store": func(c *relay.Config) { c.Store = nil }, "host": func(c *relay.Config) { c.Host = "" },
		"postmaster": func(c *relay.Config) { c.Postmaster = store.Address{} },
		"route":      func(c *relay.Config) { c.Routes = []relay.Route{{}} },
	} {
		c := e.cfg
		if spoil(&c); func() error { _, err := relay.New(c); return err }() == nil {
			t.Errorf("bad %s passes", name)
		}
	}
}
