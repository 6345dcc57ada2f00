package relay_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"postern/store"
)

// TestI2ClockThatWasAheadHoldsUpNothing: what was written while the clock was ahead is due when that time comes again,
// perhaps in years. It is tried at the start, and within a minute while the runner works; what waits for its step of
// the retry table goes on waiting.
func TestI2ClockThatWasAheadHoldsUpNothing(t *testing.T) {
	t.Parallel()
	outside := &sink{}
	inBubble(t, outside, &sink{}, func(e *env, _ *network) {
		delivered := &stamps{start: time.Now()}
		outside.onBody = func(string) string { delivered.note(); return "" }
		const year = 365 * 24 * time.Hour
		old := e.put(letter{from: "alice@ext.example", rcpts: to("bob@ext.example"), due: year, giveUp: year + 24*time.Hour})
		e.put(letter{from: "alice@ext.example", rcpts: to("bob@waits.example"), due: 3 * time.Hour})
		e.start(bubbleRoutes()...)
		synctest.Wait()
		if got := e.state(rcpt(old, 1)); got != store.StateDelivered {
			t.Errorf("after the start: %s", got)
		}
		time.Sleep(10*time.Minute - time.Second)
		e.put(letter{from: "alice@ext.example", rcpts: to("bob@ext.example"), due: year, giveUp: year + 24*time.Hour})
		time.Sleep(4 * time.Hour)
		synctest.Wait()
		if got := fmt.Sprint(delivered.all()); got != "[0 10 180]" {
			t.Errorf("delivered at minutes %s", got)
		}
	})
}

// TestI7LeapOfTheClockGivesNothingUp: a machine that was suspended for days, or whose clock is put right, comes back
// with mail that looks too old and often without its network. Nothing ends for that: it is tried for an hour of real
// time, what can be delivered meanwhile is, and only then age counts again.
func TestI7LeapOfTheClockGivesNothingUp(t *testing.T) {
	t.Parallel()
	const days = 20 * 24 * time.Hour
	outside, inside := &sink{}, &sink{}
	inBubble(t, outside, inside, func(e *env, out *network) {
		var ahead atomic.Int64
		e.cfg.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
		var busy atomic.Bool
		tries := &stamps{start: time.Now()}
		outside.onRcpt = func(line string) string {
			tries.note()
			if busy.Load() {
				return "451 4.2.0 later"
			}
			return ""
		}
		out.setDown(true)
		soon := rcpt(e.put(letter{from: "alice@example.org", rcpts: to("bob@ext.example")}), 1)
		run := e.start(bubbleRoutes()...)
		time.Sleep(2 * time.Hour)
		ahead.Store(int64(days))
		time.Sleep(20 * time.Minute) // looked at, claimed and aged; the network is still away
		synctest.Wait()
		if got := e.state(soon); got != store.StateQueued {
			t.Fatalf("mail of two hours is %s after the clock went forward", got)
		}
		out.setDown(false)
		time.Sleep(16 * time.Minute)
		synctest.Wait()
		if got := e.state(soon); got != store.StateDelivered {
			t.Fatalf("when the network was back: %s", got)
		}
		contains(t, e.log.String(), "the clock went forward")
		if !run.Unsettled() {
			t.Error("the clock counts as settled within the hour")
		}
		time.Sleep(time.Hour)
		if run.Unsettled() {
			t.Error("the clock counts as unsettled after more than an hour")
		}

		run.stop()
		time.Sleep(time.Minute) // idle connections end
		busy.Store(true)
		late := rcpt(e.put(letter{from: "alice@example.org", rcpts: to("bob@ext.example")}), 1)
		ahead.Add(int64(days)) // switched off for days
		if again := e.start(bubbleRoutes()...); again.Unsettled() {
			t.Error("the clock counts as unsettled after a start")
		}
		tries.mu.Lock()
		tries.start, tries.at = time.Now(), nil
		tries.mu.Unlock()
		time.Sleep(fairTrial - time.Minute)
		synctest.Wait()
		if got := e.state(late); got != store.StateQueued {
			t.Fatalf("within the first hour after the start: %s", got)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if got := e.state(late); got != store.StateFailed {
			t.Errorf("after it: %s", got)
		}
		if got := fmt.Sprint(tries.all()); got != "[0 1 3 8 18 33 60]" {
			t.Errorf("attempts at minutes %s", got)
		}
	})
}

// fairTrial is the time for which mail is tried before it ends by age.
const fairTrial = time.Hour

// TestFairTrialFollowsTheRetryTable: who retries faster gives up sooner after a start; six attempts it is all the same.
func TestFairTrialFollowsTheRetryTable(t *testing.T) {
	t.Parallel()
	tries := &stamps{}
	outside := &sink{onRcpt: func(string) string { tries.note(); return "451 4.7.1 not now" }}
	inBubble(t, outside, &sink{}, func(e *env, _ *network) {
		e.cfg.Backoff = []time.Duration{time.Minute, 2 * time.Minute}
		tries.start = time.Now()
		old := rcpt(e.put(letter{from: "alice@example.org", rcpts: to("bob@ext.example"), giveUp: -time.Hour}), 1)
		e.start(bubbleRoutes()...)
		time.Sleep(20 * time.Minute)
		synctest.Wait()
		if got := fmt.Sprint(tries.all()); got != "[0 1 3 5 7 9 11]" || e.state(old) != store.StateFailed {
			t.Errorf("attempts at minutes %s, then %s", got, e.state(old))
		}
	})
}
