package relay_test

import (
	"fmt"
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
