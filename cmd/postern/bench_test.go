package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"postern/cmd/internal/config"
	"postern/store"
)

// Sizes of the full store (docs/performance.md).
const (
	benchInbox = 10_000
	benchStore = 100_000
)

// BenchmarkFullStore measures pages and start-up with 10,000 messages in one inbox and 100,000 in the store. The store
// is filled through the intake, with every key wrapped as in production; that takes about a minute.
func BenchmarkFullStore(b *testing.B) {
	cfg := demoConfig(demoPorts{smtp: "127.0.0.1:0", site: "127.0.0.1:0", console: "127.0.0.1:0"}, b.TempDir(), "127.0.0.1:1")
	cfg.Pickup.URL = "http://127.0.0.1"
	g := openBench(b, cfg)
	reader := newBenchReader(b, g)
	fillStore(b, g, "bob@ext.example", "[secure] Filed", benchInbox)
	fillStore(b, g, "r@ext.example", "Plain", benchStore-benchInbox)
	b.Run("inbox page", func(b *testing.B) { reader.load(b, "/") })
	b.Run("message page", func(b *testing.B) { reader.load(b, reader.message) })
	closeBench(b, g)
	b.Run("start-up", func(b *testing.B) {
		for b.Loop() {
			g := openBench(b, cfg)
			closeBench(b, g)
		}
	})
}

func openBench(b *testing.B, cfg config.Config) *gateway {
	b.Helper()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	db, err := openStore(cfg, log)
	if err != nil {
		b.Fatal(err)
	}
	g, err := newGateway(b.Context(), cfg, db, log)
	if err != nil {
		b.Fatal(err)
	}
	return g
}

func closeBench(b *testing.B, g *gateway) {
	b.Helper()
	if err := g.ring.Close(); err != nil {
		b.Fatal(err)
	}
	if err := g.db.Close(); err != nil {
		b.Fatal(err)
	}
}

// benchReader is a signed-in, confirmed recipient.
type benchReader struct {
	site    *httptest.Server
	http    *http.Client
	message string // path of the newest message
}

func newBenchReader(b *testing.B, g *gateway) *benchReader {
	b.Helper()
	r := &benchReader{site: httptest.NewServer(g.site.Handler())}
	b.Cleanup(r.site.Close)
	jar, err := cookiejar.New(nil)
	if err != nil {
		b.Fatal(err)
	}
	r.http = &http.Client{Jar: jar}
	accept(b, g, "bob@ext.example", "[secure] First", 0)
	link := strings.TrimPrefix(queuedLink(b, g, "/p/"), g.cfg.Pickup.URL)
	r.message = r.post(b, link, "step=register&password=seven+quiet+otters+under+the+bridge&password2=seven+quiet+otters+under+the+bridge&reminder=")
	r.post(b, strings.TrimPrefix(queuedLink(b, g, "/w/"), g.cfg.Pickup.URL), "answer=me")
	return r
}

func (r *benchReader) post(b *testing.B, path, form string) (landed string) {
	b.Helper()
	req, err := http.NewRequest(http.MethodPost, r.site.URL+path, strings.NewReader(form))
	if err != nil {
		b.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := r.http.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		b.Fatalf("%s: %s", path, res.Status)
	}
	return res.Request.URL.Path
}

func (r *benchReader) load(b *testing.B, path string) {
	for b.Loop() {
		res, err := r.http.Get(r.site.URL + path)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != http.StatusOK {
			b.Fatalf("%s: %s, %v", path, res.Status, err)
		}
		res.Body.Close()
	}
}

func accept(b *testing.B, g *gateway, to, subject string, n int) {
	b.Helper()
	now := time.Now()
	from := store.Address{Local: fmt.Sprintf("s%d", n/400), Domain: "example.org"}
	addr, err := store.ParseAddress(to)
	if err != nil {
		b.Fatal(err)
	}
	env := store.Envelope{
		ID: store.NewMessageID(now), At: now, From: &from, Rcpts: []store.Rcpt{{Address: addr}},
		Client: store.Client{Class: store.ClientTrusted, IP: "127.0.0.1", Helo: "mail.example.org", ESMTP: true},
	}
	raw := letterText("Alice <"+from.String()+">", to, subject, fmt.Sprintf("<%d.%s@example.org>", n, env.ID), "")
	if _, err := g.intake.Accept(context.Background(), env, bytes.NewReader(raw)); err != nil {
		b.Fatal(err)
	}
}

func fillStore(b *testing.B, g *gateway, to, subject string, n int) {
	b.Helper()
	var next atomic.Int64
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			for i := next.Add(1); i <= int64(n); i = next.Add(1) {
				accept(b, g, to, subject, int(i))
			}
		})
	}
	wg.Wait()
}

// queuedLink reads a link out of a waiting mail of ours, with the queue key of the hour.
func queuedLink(b *testing.B, g *gateway, kind string) (link string) {
	b.Helper()
	err := g.db.View(b.Context(), func(tx store.Tx) error {
		items, _, err := tx.Queue().List("", "", 100)
		for _, it := range items {
			if len(it.Sealed) == 0 {
				continue
			}
			raw, _, err := g.outbox.Open(it)
			if err != nil {
				return err
			}
			for _, line := range strings.Split(string(raw), "\r\n") {
				if strings.HasPrefix(line, g.cfg.Pickup.URL+kind) {
					link = line
				}
			}
		}
		return err
	})
	if err != nil || link == "" {
		b.Fatalf("no waiting link of kind %s: %v", kind, err)
	}
	return link
}
