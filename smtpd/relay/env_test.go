package relay_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
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

// letter is a message to put into the store.
type letter struct {
	from     string // empty: null sender
	rcpts    []store.Rcpt
	raw      string
	ret      store.Ret
	envid    string
	utf8     bool
	needTLS  bool
	flagged  bool
	eightBit bool
	blob     bool
	due      time.Duration // after now
	giveUp   time.Duration // 0: 5 days
	kind     store.Kind
	writer   store.AccountID
}

const plainMail = "From: alice@example.org\r\nTo: bob@ext.example\r\nSubject: Figures\r\nMessage-ID: <m1@example.org>\r\n\r\nHello\r\n"

func to(addresses ...string) []store.Rcpt {
	var out []store.Rcpt
	for _, a := range addresses {
		out = append(out, store.Rcpt{Address: addr(a)})
	}
	return out
}

func address(s string) *store.Address {
	if s == "" {
		return nil
	}
	a := addr(s)
	return &a
}

// put stores a message that passes through, with an item per recipient.
func (e *env) put(l letter) store.MessageID {
	e.t.Helper()
	if l.raw == "" {
		l.raw = plainMail
	}
	if l.giveUp == 0 {
		l.giveUp = 5 * 24 * time.Hour
	}
	if l.kind == "" {
		l.kind = store.KindRelay
	}
	now := time.Now()
	id := store.NewMessageID(now)
	body, key := e.seal(id, l.raw)
	m := store.Message{
		ID: id, At: now, From: address(l.from), Ret: l.ret, EnvID: l.envid, UTF8: l.utf8, EightBit: l.eightBit, Flagged: l.flagged,
		Received: "Received: from test by gw.example.org (Postern) id " + id.String() + "\r\n", Size: int64(len(l.raw)),
		Stored: int64(len(body)), Refs: len(l.rcpts), Writer: l.writer,
	}
	if l.blob {
		m.Blob = e.blob(body)
	}
	var rcpts []store.Recipient
	var items []store.QueueItem
	for i, r := range l.rcpts {
		k := store.RcptKey{Message: id, N: uint32(i + 1)}
		rcpts = append(rcpts, store.Recipient{
			Key: k, Address: r.Address, Action: store.ActionRelay, State: store.StateQueued, Since: now, Notify: r.Notify, ORcpt: r.ORcpt,
		})
		kid, wrap, err := e.ring.Wrap(k, key)
		if err != nil {
			e.t.Fatal(err)
		}
		items = append(items, store.QueueItem{
			Key: k, Kind: l.kind, Domain: store.DomainKey(r.Address.Domain), From: m.From, To: r, Ret: l.ret, EnvID: l.envid,
			UTF8: l.utf8, EightBit: l.eightBit, Size: m.Size, NeedTLS: l.needTLS, KeyID: kid, Wrap: wrap, Arrived: now,
			Due: now.Add(l.due), GiveUp: now.Add(l.giveUp),
		})
	}
	e.update(func(tx store.Tx) error {
		if err := tx.Messages().Create(m, rcpts); err != nil {
			return err
		}
		for _, item := range items {
			if err := tx.Queue().Put(item); err != nil {
				return err
			}
		}
		if l.blob {
			return nil
		}
		return tx.Bodies().Put(id, body)
	})
	return id
}

func (e *env) seal(id store.MessageID, raw string) ([]byte, seal.FileKey) {
	e.t.Helper()
	var body bytes.Buffer
	w, err := seal.NewWriter(&body, id)
	if err != nil {
		e.t.Fatal(err)
	}
	if _, err := io.WriteString(w, raw); err != nil {
		e.t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		e.t.Fatal(err)
	}
	return body.Bytes(), w.FileKey()
}

func (e *env) blob(body []byte) store.BlobID {
	e.t.Helper()
	w, err := e.store.Blobs().Create(e.t.Context())
	if err != nil {
		e.t.Fatal(err)
	}
	if _, err := w.Write(body); err != nil {
		e.t.Fatal(err)
	}
	id, err := w.Commit()
	if err != nil {
		e.t.Fatal(err)
	}
	return id
}

const bounceAddress = "bounce+abc@gw.example.org"

// putSealed stores a sealed message for one recipient and queues its notification.
func (e *env) putSealed(from string, r store.Rcpt, change func(*store.Message, *store.Recipient)) (about store.RcptKey, item store.RcptKey) {
	e.t.Helper()
	now := time.Now()
	id := store.NewMessageID(now)
	body, _ := e.seal(id, plainMail)
	about = store.RcptKey{Message: id, N: 1}
	m := store.Message{
		ID: id, At: now, From: address(from), EnvID: "env-1", Size: int64(len(plainMail)), Stored: int64(len(body)), Refs: 1, Flagged: true,
		Card: []byte("card"), Grants: []store.Grant{{Kind: store.GrantRecovery, Key: "k", Data: []byte("r")}}, Expires: now.Add(30 * 24 * time.Hour),
	}
	rcpt := store.Recipient{
		Key: about, Address: r.Address, Action: store.ActionSeal, State: store.StateQueued, Since: now, Notify: r.Notify, ORcpt: r.ORcpt,
		Expires: m.Expires, Grants: []store.Grant{{Kind: store.GrantLink, Data: []byte("g")}},
	}
	own := e.prepare(store.OwnMail{
		Kind: store.KindNotification, From: address(bounceAddress), To: store.Rcpt{Address: r.Address, Notify: store.NotifyFailure | store.NotifyDelay},
		Ret: store.RetHdrs, EnvID: id.String(), About: about,
		Excerpt: store.Excerpt{From: "alice@example.org", To: r.Address.String(), Subject: "[secure] Salaries", MessageID: "<m1@example.org>"},
	})
	item = own.Item().Key
	rcpt.Own = []store.RcptKey{item}
	if change != nil {
		change(&m, &rcpt)
	}
	e.update(func(tx store.Tx) error {
		if err := tx.Messages().Create(m, []store.Recipient{rcpt}); err != nil {
			return err
		}
		if err := tx.Bodies().Put(id, body); err != nil {
			return err
		}
		return own.Put(tx)
	})
	return about, item
}

// prepare fills in what a mail of ours needs and seals it.
func (e *env) prepare(m store.OwnMail) outbox.Prepared {
	e.t.Helper()
	now := time.Now()
	m.ID, m.At = store.NewMessageID(now), now
	if m.GiveUp.IsZero() {
		m.GiveUp = now.Add(5 * 24 * time.Hour)
	}
	if m.Raw == nil {
		m.Raw = fmt.Appendf(nil, "From: securemail@example.org\r\nTo: %s\r\nSubject: A secure message\r\nMessage-ID: <%s@gw.example.org>\r\n\r\n"+
			"https://mail.example.org/p/%s\r\n", m.To.Address, m.ID, pickupToken)
	}
	p, err := e.outbox.Prepare(e.t.Context(), m)
	if err != nil {
		e.t.Fatal(err)
	}
	return p
}

// pickupToken has the form of KEYS K2.
const pickupToken = "1000g40r40m30e209185gr38e1w8124gk9d90"

func (e *env) putOwn(m store.OwnMail) store.RcptKey {
	p := e.prepare(m)
	e.update(p.Put)
	return p.Item().Key
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
