package relay_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"postern/smtpd/relay"
	"postern/store"
	"postern/store/blob"
	"postern/store/bolt"
	"postern/store/outbox"
	"postern/store/seal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// env is a gateway's store with a runner on it.
type env struct {
	t      *testing.T
	store  *bolt.Store
	ring   *seal.Ring
	outbox *outbox.Outbox
	log    *lines
	cfg    relay.Config

	mu       sync.Mutex
	attempts []relay.Attempt
	down     []time.Time
	doubles  int
	news     chan struct{} // holds one signal after a hook ran
}

func addr(s string) store.Address {
	a, err := store.ParseAddress(s)
	if err != nil {
		panic("test address " + s)
	}
	return a
}

func newEnv(t *testing.T) *env {
	t.Helper()
	dir := t.TempDir()
	e := &env{t: t, log: &lines{}, news: make(chan struct{}, 1)}
	var err error
	if e.store, err = bolt.Open(bolt.Config{Dir: dir, Blobs: blob.In(filepath.Join(dir, "blobs"))}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.store.Close(); err != nil {
			t.Error(err)
		}
	})
	if e.ring, err = seal.OpenRing(filepath.Join(dir, "keys"), time.Now); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.ring.Close() })
	e.outbox = outbox.New(outbox.Config{Ring: e.ring, Origin: seal.MACKey{1}})
	e.cfg = relay.Config{
		Store: e.store, Ring: e.ring, Outbox: e.outbox, Host: "gw.example.org", OrgName: "Example Ltd",
		Postmaster: addr("postmaster@example.org"), Jitter: func() float64 { return 0.5 },
		Internal: func(d string) bool { return d == "example.org" },
		Log:      slog.New(slog.NewTextHandler(e.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Hooks:    e.hooks(),
	}
	return e
}

func (e *env) hooks() relay.Hooks {
	note := func(f func()) {
		e.mu.Lock()
		f()
		e.mu.Unlock()
		select {
		case e.news <- struct{}{}:
		default:
		}
	}
	return relay.Hooks{
		Attempt:      func(a relay.Attempt) { note(func() { e.attempts = append(e.attempts, a) }) },
		Down:         func(_ string, until time.Time) { note(func() { e.down = append(e.down, until) }) },
		DoubleBounce: func(store.Kind) { note(func() { e.doubles++ }) },
	}
}

// lines gathers the log.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// running is a Runner under way.
type running struct {
	*relay.Runner
	stop func()
}

// start runs a runner with the given routes until the test ends or stop is called.
func (e *env) start(routes ...relay.Route) *running {
	e.t.Helper()
	e.cfg.Routes = routes
	r, err := relay.New(e.cfg)
	if err != nil {
		e.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(e.t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	var once sync.Once
	run := &running{Runner: r, stop: func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				e.t.Errorf("run: %v", err)
			}
		})
	}}
	e.t.Cleanup(run.stop)
	return run
}

// await waits until ok, looking again after each committed attempt and, for what no hook tells of, now and then.
func (e *env) await(what string, ok func() bool) {
	e.t.Helper()
	deadline := time.After(20 * time.Second)
	for !ok() {
		select {
		case <-e.news:
		case <-time.After(10 * time.Millisecond):
		case <-deadline:
			e.t.Fatalf("waited in vain for %s\n%s", what, e.log)
		}
	}
}

func (e *env) update(f func(store.Tx) error) {
	e.t.Helper()
	if err := e.store.Update(context.Background(), f); err != nil {
		e.t.Fatal(err)
	}
}

func (e *env) view(f func(store.Tx) error) {
	e.t.Helper()
	if err := e.store.View(context.Background(), f); err != nil {
		e.t.Fatal(err)
	}
}

func (e *env) recipient(k store.RcptKey) (r store.Recipient) {
	e.t.Helper()
	e.view(func(tx store.Tx) (err error) {
		r, err = tx.Messages().Recipient(k)
		return err
	})
	return r
}

func (e *env) state(k store.RcptKey) store.State { return e.recipient(k).State }

func (e *env) message(id store.MessageID) (m store.Message) {
	e.t.Helper()
	e.view(func(tx store.Tx) (err error) {
		m, err = tx.Messages().Get(id)
		return err
	})
	return m
}

// item reads a queue item; false when it is gone.
func (e *env) item(k store.RcptKey) (item store.QueueItem, ok bool) {
	e.t.Helper()
	e.view(func(tx store.Tx) (err error) {
		if item, err = tx.Queue().Get(k); errors.Is(err, store.ErrNotFound) {
			return nil
		}
		ok = err == nil
		return err
	})
	return item, ok
}

// queue lists all items.
func (e *env) queue() (items []store.QueueItem) {
	e.t.Helper()
	e.view(func(tx store.Tx) (err error) {
		items, _, err = tx.Queue().List("", "", 1000)
		return err
	})
	return items
}

// reports opens the mails of ours of a kind that wait in the queue.
func (e *env) reports(kind store.Kind) (raws []string) {
	e.t.Helper()
	for _, item := range e.queue() {
		if item.Kind != kind {
			continue
		}
		raw, _, err := e.outbox.Open(item)
		if err != nil {
			e.t.Fatal(err)
		}
		raws = append(raws, string(raw))
	}
	return raws
}

// events lists the audit events of a message.
func (e *env) events(id store.MessageID) (whats []store.What) {
	e.t.Helper()
	e.view(func(tx store.Tx) error {
		events, _, err := tx.Audit().OfMessage(id, "", 1000)
		for _, ev := range events {
			whats = append(whats, ev.What)
		}
		return err
	})
	return whats
}

// route leads everything to an address.
func route(host string) relay.Route { return relay.Route{Domains: []string{"*"}, Host: host} }

func rcpt(id store.MessageID, n uint32) store.RcptKey { return store.RcptKey{Message: id, N: n} }

func contains(t *testing.T, text string, wants ...string) {
	t.Helper()
	unfolded := strings.ReplaceAll(strings.ReplaceAll(text, "\r\n ", " "), "\r\n", "\n")
	for _, w := range wants {
		if !strings.Contains(unfolded, w) {
			t.Errorf("no %q in\n%s", w, unfolded)
		}
	}
}

var _ net.Conn = (*half)(nil)

// routeTo is a route to a sink.
type routeTo struct {
	domains []string
	s       *sink
}

func listenAll(t *testing.T, routes []routeTo) []relay.Route {
	t.Helper()
	var out []relay.Route
	for _, r := range routes {
		out = append(out, relay.Route{Domains: r.domains, Host: r.s.listen(t)})
	}
	return out
}

// awaitLog waits until the log has all of some texts: lines are written after the commit that they tell of.
func (e *env) awaitLog(wants ...string) {
	e.t.Helper()
	for _, w := range wants {
		e.await(w, func() bool { return strings.Contains(e.log.String(), w) })
	}
}
