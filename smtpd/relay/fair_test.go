package relay_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"postern/store"
)

// TestI5DeadHopHoldsUpNobody: mail for a dead next hop waits, all other mail goes at once.
func TestI5DeadHopHoldsUpNobody(t *testing.T) {
	t.Parallel()
	dead, alive := &sink{}, &sink{}
	inBubble(t, dead, alive, func(e *env, out *network) {
		out.setDown(true)
		for range 100 {
			e.put(letter{from: "alice@ext.example", rcpts: to("bob@dead.example")})
		}
		e.start(bubbleRoutes()...)
		time.Sleep(time.Second)
		begin := time.Now()
		id := e.put(letter{from: "alice@ext.example", rcpts: to("carol@example.org")})
		for e.state(rcpt(id, 1)) != store.StateDelivered && time.Since(begin) < time.Minute {
			time.Sleep(time.Millisecond)
		}
		if took := time.Since(begin); took > time.Second {
			t.Errorf("mail for another host took %v", took)
		}
	})
}

// TestI5StuckMessageHoldsUpNobody: a next hop that thinks for ten minutes about one message; those that were claimed
// with it go over other connections.
func TestI5StuckMessageHoldsUpNobody(t *testing.T) {
	t.Parallel()
	outside := &sink{onBody: func(body string) string {
		if strings.Contains(body, "stuck") {
			time.Sleep(9 * time.Minute)
			return "250 2.0.0 at last"
		}
		return ""
	}}
	inBubble(t, outside, &sink{}, func(e *env, _ *network) {
		begin := time.Now()
		stuck := e.put(letter{from: "alice@ext.example", rcpts: to("bob@ext.example"), raw: "Subject: stuck\r\n\r\n"})
		time.Sleep(time.Millisecond) // so that it is claimed first
		var others []store.MessageID
		for range 40 {
			others = append(others, e.put(letter{from: "alice@ext.example", rcpts: to("bob@ext.example")}))
		}
		e.start(bubbleRoutes()...)
		time.Sleep(30 * time.Second)
		synctest.Wait()
		for _, id := range others {
			if got := e.state(rcpt(id, 1)); got != store.StateDelivered {
				t.Fatalf("after %v one behind the stuck message is %s\n%s", time.Since(begin), got, e.log)
			}
		}
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if got := e.state(rcpt(stuck, 1)); got != store.StateDelivered {
			t.Errorf("the slow one is %s", got)
		}
		if n := outside.count(); n != 41 {
			t.Errorf("%d mails went, want 41: none twice", n)
		}
	})
}

// TestI5BadMessageHoldsUpNobody: the connection breaks at one message, each time.
func TestI5BadMessageHoldsUpNobody(t *testing.T) {
	t.Parallel()
	outside := &sink{onBody: func(body string) string {
		if strings.Contains(body, "poison") {
			return "-"
		}
		return ""
	}}
	inBubble(t, outside, &sink{}, func(e *env, _ *network) {
		bad := e.put(letter{from: "alice@ext.example", rcpts: to("bob@ext.example"), raw: "Subject: poison\r\n\r\n"})
		var others []store.MessageID
		for range 20 {
			others = append(others, e.put(letter{from: "alice@ext.example", rcpts: to("bob@ext.example")}))
		}
		e.start(bubbleRoutes()...)
		time.Sleep(time.Second)
		synctest.Wait()
		for _, id := range others {
			if got := e.state(rcpt(id, 1)); got != store.StateDelivered {
				t.Fatalf("one behind the bad message is %s", got)
			}
		}
		if item, ok := e.item(rcpt(bad, 1)); !ok || item.Attempts != 1 {
			t.Errorf("the bad one: %+v", item)
		}
	})
}

// TestI5SlowHopsLeaveRoom: hops that hang use up all connections but not the one that every hop may have.
func TestI5SlowHopsLeaveRoom(t *testing.T) {
	t.Parallel()
	hang := &sink{onMail: func(string) string { time.Sleep(4 * time.Minute); return "451 4.3.2 no" }}
	inBubble(t, hang, &sink{}, func(e *env, _ *network) {
		e.cfg.Limits.Conns, e.cfg.Limits.PerHop, e.cfg.Limits.Patience = 2, 2, time.Second
		for i := range 10 {
			e.put(letter{from: "alice@ext.example", rcpts: to(fmt.Sprintf("bob@d%d.example", i))})
		}
		e.start(bubbleRoutes()...)
		time.Sleep(5 * time.Second)
		id := e.put(letter{from: "alice@ext.example", rcpts: to("carol@example.org")})
		time.Sleep(time.Second)
		synctest.Wait()
		if got := e.state(rcpt(id, 1)); got != store.StateDelivered {
			t.Errorf("mail for another host is %s", got)
		}
	})
}
