package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// crashRounds is how often the gateway is killed.
const crashRounds = 50

// TestI2KillNineLosesNothing kills the gateway at random moments under load, fifty times. Afterwards every recipient of
// a message that was answered with 250 has got it: the message itself, or the notification of a sealed one.
func TestI2KillNineLosesNothing(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	tr := newTrial(t, "")
	tr.retry = "200ms"
	load := &crashLoad{tr: tr}
	for range crashRounds {
		tr.start()
		stop := load.begin(4)
		time.Sleep(time.Duration(10+rnd.IntN(250)) * time.Millisecond) // the moment of the crash is what is random here
		tr.kill()
		stop()
	}
	tr.start()
	load.checkArrivals(t)
	tr.waitForEmptyQueue(t)
	t.Logf("%d messages were answered with 250 over %d crashes; %d arrived more than once (a crash between the next hop's answer and its commit)",
		len(load.acked), crashRounds, load.twice(t))
}

// crashLoad sends until it is stopped, and books what was answered with 250.
type crashLoad struct {
	tr    *trial
	next  atomic.Int64
	mu    sync.Mutex
	acked []string // recipients
}

func (l *crashLoad) begin(senders int) (stop func()) {
	var wg sync.WaitGroup
	done := make(chan struct{})
	for range senders {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					l.one()
				}
			}
		})
	}
	return func() { close(done); wg.Wait() }
}

func (l *crashLoad) one() {
	n := l.next.Add(1)
	subject, to := "Plain", fmt.Sprintf("r%d@ext.example", n)
	if n%2 == 0 {
		subject = "[secure] Sealed"
	}
	from := fmt.Sprintf("s%d@example.org", n/100)
	raw := letterText(from, to, subject, fmt.Sprintf("<%d@example.org>", n), "")
	if n%20 == 0 {
		raw = append(raw, strings.Repeat("A line of a body that is too long to lie inline.\r\n", 3000)...)
	}
	if l.tr.trySend(from, []string{to}, raw) != nil {
		return // not answered with 250: may be lost, and may arrive
	}
	l.mu.Lock()
	l.acked = append(l.acked, to)
	l.mu.Unlock()
}

func (l *crashLoad) arrivals() map[string]int {
	count := map[string]int{}
	for _, m := range l.tr.capture.Mails() {
		for _, to := range m.To {
			count[to]++
		}
	}
	return count
}

func (l *crashLoad) checkArrivals(t *testing.T) {
	t.Helper()
	if len(l.acked) < crashRounds {
		t.Fatalf("only %d messages were accepted: the load was too small to show anything", len(l.acked))
	}
	deadline := time.Now().Add(2 * time.Minute)
	for {
		have := l.arrivals()
		var missing []string
		for _, to := range l.acked {
			if have[to] == 0 {
				missing = append(missing, to)
			}
		}
		if len(missing) == 0 {
			return
		}
		if time.Now().After(deadline) {
			out, _ := l.tr.postern("message", "trace", missing[0])
			t.Fatalf("%d of %d answered with 250 never arrived, first %s:\n%s", len(missing), len(l.acked), missing[0], out)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func (l *crashLoad) twice(t *testing.T) (n int) {
	t.Helper()
	for _, c := range l.arrivals() {
		if c > 1 {
			n++
		}
	}
	return n
}

// waitForEmptyQueue waits until nothing is left to deliver.
func (tr *trial) waitForEmptyQueue(t testing.TB) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for time.Now().Before(deadline) {
		if strings.Contains(tr.metrics(t), "\npostern_queue_items 0\n") {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	out, _ := tr.postern("queue", "list")
	t.Fatalf("the queue does not empty:\n%s", out)
}

func (tr *trial) metrics(t testing.TB) string {
	t.Helper()
	res, err := http.Get("http://" + tr.ops + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
