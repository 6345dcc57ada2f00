package relay_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"postern/smtpd/relay"
	"postern/store"
)

// world is the network of a bubble: hosts by address.
type world map[string]*network

func (w world) dial(ctx context.Context, proto, address string) (net.Conn, error) {
	n := w[address]
	if n == nil {
		return nil, errRefused
	}
	return n.Dial(ctx, proto, address)
}

// inBubble runs a test with time that passes when everything waits. Two hosts serve: the outside, where all mail goes,
// and the inside, where reports go.
func inBubble(t *testing.T, outside, inside *sink, f func(e *env, out *network)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		out, in := newNetwork(), newNetwork()
		outside.serve(t, out)
		inside.serve(t, in)
		e.cfg.Dial = world{"10.0.0.1:25": out, "10.0.0.2:25": in}.dial
		f(e, out)
	})
}

func bubbleRoutes() []relay.Route {
	return []relay.Route{{Domains: []string{"example.org"}, Host: "10.0.0.2:25"}, {Domains: []string{"*"}, Host: "10.0.0.1:25"}}
}

// stamps notes when something happened, in minutes since the start of a test.
type stamps struct {
	mu    sync.Mutex
	start time.Time
	at    []int
}

func (s *stamps) note() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at = append(s.at, int(time.Since(s.start).Round(time.Minute)/time.Minute))
}

func (s *stamps) all() []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]int(nil), s.at...)
}

// TestRetriesOverFiveDays is the golden test of MAIL 8.1 on the whole: every attempt, the notice, the end.
func TestRetriesOverFiveDays(t *testing.T) {
	t.Parallel()
	tries := &stamps{}
	outside := &sink{onRcpt: func(string) string { tries.note(); return "451 4.7.1 greylisted" }}
	inside := &sink{}
	inBubble(t, outside, inside, func(e *env, _ *network) {
		tries.start = time.Now()
		reports := &stamps{start: time.Now()}
		inside.onBody = func(string) string { reports.note(); return "" }
		id := e.put(letter{from: "alice@example.org", rcpts: to("bob@ext.example")})
		e.start(bubbleRoutes()...)
		time.Sleep(5*24*time.Hour + time.Hour)
		synctest.Wait()
		want := []int{0, 1, 3, 8, 18, 33, 63, 93, 153, 213, 333}
		for at := 333 + 180; at < 5*24*60; at += 180 {
			want = append(want, at)
		}
		want = append(want, 5*24*60) // the last one is at the time of giving up
		if got := tries.all(); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("attempts at minutes %v,\nwant %v", got, want)
		}
		if got := reports.all(); fmt.Sprint(got) != "[333 7200]" {
			t.Errorf("reports at minutes %v", got)
		}
		mails := inside.got()
		contains(t, mails[0].body, "Action: delayed", "Status: 4.7.1", "Will-Retry-Until: Thu, 06 Jan 2000 00:00:00 +0000", "451 4.7.1 greylisted")
		contains(t, mails[1].body, "Action: failed", "Status: 5.4.7", "451 4.7.1 greylisted")
		if e.state(rcpt(id, 1)) != store.StateFailed || len(e.queue()) != 0 {
			t.Errorf("state %s, queue %v", e.state(rcpt(id, 1)), e.queue())
		}
		deferred := 0
		for _, what := range e.events(id) {
			if what == store.EventDeferred {
				deferred++
			}
		}
		if deferred != len(want)-1 {
			t.Errorf("%d deferrals noted, want %d", deferred, len(want)-1)
		}
	})
}

// TestNotificationNotices: after 1 h and 24 h (MAIL §7), or as configured.
func TestNotificationNotices(t *testing.T) {
	t.Parallel()
	outside, inside := &sink{onRcpt: func(string) string { return "451 4.2.0 later" }}, &sink{}
	inBubble(t, outside, inside, func(e *env, _ *network) {
		reports := &stamps{start: time.Now()}
		inside.onBody = func(string) string { reports.note(); return "" }
		about, _ := e.putSealed("alice@example.org", store.Rcpt{Address: addr("bob@ext.example")}, nil)
		e.start(bubbleRoutes()...)
		time.Sleep(6 * 24 * time.Hour)
		synctest.Wait()
		if got := fmt.Sprint(reports.all()); got != "[63 1593 7200]" {
			t.Errorf("reports at minutes %s", got)
		}
		contains(t, inside.got()[0].body, "Action: delayed", "Subject: [secure] Salaries", "could not be told about your secure message yet")
		if e.state(about) != store.StateFailed || len(e.recipient(about).Own) != 0 {
			t.Errorf("recipient %+v", e.recipient(about))
		}
	})
}

// TestDownHopIsProbed: one connection at a time, after 1, 2, 5, 10, 15, 15 ... minutes; nobody's attempts are used up.
func TestDownHopIsProbed(t *testing.T) {
	t.Parallel()
	outside, inside := &sink{}, &sink{}
	inBubble(t, outside, inside, func(e *env, out *network) {
		start := time.Now()
		out.setDown(true)
		var ids []store.MessageID
		for i := range 120 {
			ids = append(ids, e.put(letter{from: "alice@example.org", rcpts: to(fmt.Sprintf("bob@d%d.example", i%3))}))
		}
		e.start(bubbleRoutes()...)
		time.Sleep(80 * time.Minute)
		synctest.Wait()
		var dials []int
		for _, at := range out.dialled() {
			dials = append(dials, int(at.Sub(start).Round(time.Minute)/time.Minute))
		}
		if fmt.Sprint(dials) != "[0 1 3 8 18 33 48 63 78]" {
			t.Errorf("dialled at minutes %v", dials)
		}
		for _, id := range ids {
			if item, ok := e.item(rcpt(id, 1)); !ok || item.Attempts != 0 || !item.Owner.IsZero() {
				t.Fatalf("item %+v", item)
			}
		}
		out.setDown(false)
		time.Sleep(15 * time.Minute)
		synctest.Wait()
		if n := outside.count(); n != len(ids) || len(e.queue()) != 0 {
			t.Errorf("%d of %d delivered when the hop was back, %d left", n, len(ids), len(e.queue()))
		}
	})
}

// TestDownHopStillReports: those who wait behind a dead next hop get their notice and their end all the same.
func TestDownHopStillReports(t *testing.T) {
	t.Parallel()
	outside, inside := &sink{}, &sink{}
	inBubble(t, outside, inside, func(e *env, out *network) {
		reports := &stamps{start: time.Now()}
		inside.onBody = func(string) string { reports.note(); return "" }
		out.setDown(true)
		var all []store.RcptKey
		for range 5 {
			all = append(all, rcpt(e.put(letter{from: "alice@example.org", rcpts: to("bob@ext.example"), giveUp: 30 * time.Hour}), 1))
		}
		silent := e.put(letter{from: "alice@example.org", rcpts: []store.Rcpt{{Address: addr("bob@ext.example"), Notify: store.NotifyNever}}, giveUp: 30 * time.Hour})
		about, notice := e.putSealed("alice@example.org", store.Rcpt{Address: addr("carol@ext.example")}, nil)
		all = append(all, about, rcpt(silent, 1))
		e.update(func(tx store.Tx) error {
			item, err := tx.Queue().Get(notice)
			if err != nil {
				return err
			}
			item.GiveUp = item.Arrived.Add(30 * time.Hour)
			return tx.Queue().Replace(item)
		})
		e.start(bubbleRoutes()...)
		time.Sleep(31 * time.Hour)
		synctest.Wait()
		for _, k := range all {
			if got := e.state(k); got != store.StateFailed {
				t.Errorf("%s is %s", k, got)
			}
		}
		kinds := map[string]int{}
		for i, m := range inside.got() {
			at := reports.all()[i]
			for _, kind := range []string{"delayed", "failed"} {
				if strings.Contains(m.body, "Action: "+kind) {
					kinds[fmt.Sprintf("%s after %dh", kind, at/60)]++
				}
			}
		}
		if got := fmt.Sprint(kinds); got != "map[delayed after 1h:1 delayed after 24h:1 delayed after 4h:5 failed after 30h:6]" {
			t.Errorf("reports: %s at %v", got, reports.all())
		}
		contains(t, inside.got()[1].body, "Status: 4.4.1", "connection refused")
		if len(e.queue()) != 0 {
			t.Errorf("left: %v", e.queue())
		}
	})
}

// TestForeignLeases: what another process had claimed is taken over, at the start by Recover, later when the lease ends.
func TestForeignLeases(t *testing.T) {
	t.Parallel()
	outside := &sink{}
	inBubble(t, outside, &sink{}, func(e *env, _ *network) {
		delivered := &stamps{start: time.Now()}
		outside.onBody = func(string) string { delivered.note(); return "" }
		claim := func() {
			e.update(func(tx store.Tx) error {
				items, err := tx.Queue().Claim(store.Claim{
					Domain: "ext.example", Owner: store.Owner{1}, Now: time.Now(), Lease: 15 * time.Minute, Backoff: relay.DefaultBackoff(), Max: 10,
				})
				if err == nil && len(items) != 1 {
					err = fmt.Errorf("claimed %d items", len(items))
				}
				return err
			})
		}
		e.put(letter{from: "alice@ext.example", rcpts: to("bob@ext.example")})
		claim()
		run := e.start(bubbleRoutes()...)
		time.Sleep(3 * time.Minute)
		run.stop()
		e.put(letter{from: "alice@ext.example", rcpts: to("bob@ext.example")})
		e.start(bubbleRoutes()...)
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := fmt.Sprint(delivered.all()); got != "[1 3]" {
			t.Errorf("delivered at minutes %s", got)
		}
		e.put(letter{from: "alice@ext.example", rcpts: to("bob@ext.example"), due: time.Second})
		time.Sleep(time.Hour)
		synctest.Wait()
		if got := delivered.all(); len(got) != 3 {
			t.Errorf("delivered at minutes %v", got)
		}
	})
}

// TestLeaseIsExtended: a transaction that takes 40 minutes keeps its item.
func TestLeaseIsExtended(t *testing.T) {
	t.Parallel()
	outside := &sink{onRcpt: func(string) string { time.Sleep(4 * time.Minute); return "" }}
	inBubble(t, outside, &sink{}, func(e *env, _ *network) {
		var all []string
		for i := range 10 {
			all = append(all, fmt.Sprintf("r%d@ext.example", i))
		}
		id := e.put(letter{from: "alice@ext.example", rcpts: to(all...)})
		e.start(bubbleRoutes()...)
		time.Sleep(38 * time.Minute)
		synctest.Wait()
		if item, ok := e.item(rcpt(id, 1)); !ok || item.Owner.IsZero() || time.Until(item.Due) < 9*time.Minute {
			t.Errorf("lease until %v, now %v", item.Due, time.Now())
		}
		time.Sleep(30 * time.Minute)
		synctest.Wait()
		if n := outside.count(); n != 1 || len(e.queue()) != 0 {
			t.Errorf("%d transactions, %d items left", n, len(e.queue()))
		}
	})
}

// TestSilentHopTimesOut: no answer is given up in bounded time.
func TestSilentHopTimesOut(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]*sink{
		"greeting": {onEhlo: func() string { time.Sleep(time.Hour); return "250 sink" }},
		"command":  {onMail: func(string) string { time.Sleep(time.Hour); return "250 ok" }},
		"final":    {onBody: func(string) string { time.Sleep(time.Hour); return "250 ok" }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, s, &sink{}, func(e *env, _ *network) {
				id := e.put(letter{from: "alice@ext.example", rcpts: to("bob@ext.example")})
				e.start(bubbleRoutes()...)
				time.Sleep(10*time.Minute + time.Second)
				synctest.Wait()
				item, ok := e.item(rcpt(id, 1))
				if !ok || item.Last == "" {
					t.Errorf("no end of the attempt: %+v", item)
				}
			})
		})
	}
}

func TestFlushRetriesNow(t *testing.T) {
	t.Parallel()
	busy := true
	var mu sync.Mutex
	outside := &sink{onRcpt: func(string) string {
		mu.Lock()
		defer mu.Unlock()
		if busy {
			return "451 4.3.2 later"
		}
		return ""
	}}
	inBubble(t, outside, &sink{}, func(e *env, out *network) {
		one := e.put(letter{from: "alice@ext.example", rcpts: to("bob@ext.example")})
		two := e.put(letter{from: "alice@ext.example", rcpts: to("bob@other.example")})
		run := e.start(bubbleRoutes()...)
		time.Sleep(200 * time.Minute)
		mu.Lock()
		busy = false
		mu.Unlock()
		run.Flush("EXT.example")
		time.Sleep(time.Second)
		synctest.Wait()
		if a, b := e.state(rcpt(one, 1)), e.state(rcpt(two, 1)); a != store.StateDelivered || b != store.StateQueued {
			t.Errorf("flushed domain %s, other %s", a, b)
		}
		run.Flush("")
		time.Sleep(time.Second)
		synctest.Wait()
		if got := e.state(rcpt(two, 1)); got != store.StateDelivered {
			t.Errorf("after flushing all: %s", got)
		}
		out.setDown(true)
		time.Sleep(time.Hour) // idle connections end
		three := e.put(letter{from: "alice@ext.example", rcpts: to("bob@ext.example")})
		time.Sleep(10 * time.Minute)
		out.setDown(false)
		run.Flush("ext.example")
		time.Sleep(time.Second)
		synctest.Wait()
		if got := e.state(rcpt(three, 1)); got != store.StateDelivered {
			t.Errorf("after flushing a down hop: %s", got)
		}
	})
}
