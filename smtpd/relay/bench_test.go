package relay_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/smtpd/relay"
	"postern/store"
	"postern/store/blob"
	"postern/store/bolt"
	"postern/store/outbox"
	"postern/store/seal"
)

// BenchmarkDeliver measures 4 KiB messages from the queue of the real engine to a next hop on loopback that discards
// them: claim, unseal, transaction, commit of the result.
func BenchmarkDeliver(b *testing.B) {
	for _, domains := range []int{1, 50} {
		b.Run(fmt.Sprintf("domains=%d", domains), func(b *testing.B) { benchDeliver(b, domains) })
	}
}

func benchDeliver(b *testing.B, domains int) {
	dir := b.TempDir()
	db, err := bolt.Open(bolt.Config{Dir: dir, Blobs: blob.In(filepath.Join(dir, "blobs"))})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	ring, err := seal.OpenRing(filepath.Join(dir, "keys"), time.Now)
	if err != nil {
		b.Fatal(err)
	}
	defer ring.Close()
	fill(b, db, ring, domains)
	host := discard(b)
	r, err := relay.New(relay.Config{
		Store: db, Ring: ring, Outbox: outbox.New(outbox.Config{Ring: ring}), Host: "gw.example.org", Postmaster: addr("postmaster@example.org"),
		Routes: []relay.Route{{Domains: []string{"*"}, Host: host}}, Log: slog.New(slog.NewJSONHandler(io.Discard, nil)),
	})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	b.ResetTimer()
	go func() { done <- r.Run(ctx) }()
	for left := int64(1); left > 0; time.Sleep(2 * time.Millisecond) {
		if err := db.View(ctx, func(tx store.Tx) (err error) { left, err = tx.Queue().Count(); return err }); err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
	cancel()
	if err := <-done; err != nil {
		b.Fatal(err)
	}
}

// fill puts b.N messages into the queue, many a transaction.
func fill(b *testing.B, db store.Store, ring *seal.Ring, domains int) {
	raw := "From: a@example.org\r\nSubject: x\r\n\r\n" + strings.Repeat("A line of ordinary length, as in most mail there is.\r\n", 76)
	const page = 200
	for at := 0; at < b.N; at += page {
		var add []func(store.Tx) error
		for i := at; i < min(at+page, b.N); i++ {
			add = append(add, benchMessage(b, ring, raw, fmt.Sprintf("bob@d%d.example", i%domains)))
		}
		err := db.Update(b.Context(), func(tx store.Tx) error {
			for _, f := range add {
				if err := f(tx); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

func benchMessage(b *testing.B, ring *seal.Ring, raw, to string) func(store.Tx) error {
	now := time.Now()
	id := store.NewMessageID(now)
	var body strings.Builder
	w, err := seal.NewWriter(&body, id)
	if err != nil {
		b.Fatal(err)
	}
	io.WriteString(w, raw)
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	k, from, rcpt := store.RcptKey{Message: id, N: 1}, addr("a@example.org"), store.Rcpt{Address: addr(to)}
	kid, wrap, err := ring.Wrap(k, w.FileKey())
	if err != nil {
		b.Fatal(err)
	}
	return func(tx store.Tx) error {
		m := store.Message{ID: id, At: now, From: &from, Size: int64(len(raw)), Refs: 1, Received: "Received: by gw.example.org\r\n"}
		r := store.Recipient{Key: k, Address: rcpt.Address, Action: store.ActionRelay, State: store.StateQueued, Since: now}
		item := store.QueueItem{
			Key: k, Kind: store.KindRelay, Domain: rcpt.Address.Domain, From: &from, To: rcpt, KeyID: kid, Wrap: wrap, Arrived: now, Due: now,
			GiveUp: now.Add(time.Hour), Size: m.Size,
		}
		if err := tx.Messages().Create(m, []store.Recipient{r}); err != nil {
			return err
		}
		if err := tx.Bodies().Put(id, []byte(body.String())); err != nil {
			return err
		}
		return tx.Queue().Put(item)
	}
}

// discard is a next hop that does as little as it can.
func discard(b *testing.B) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { swallow(conn) })
		}
	})
	b.Cleanup(func() { l.Close(); wg.Wait() })
	return l.Addr().String()
}

func swallow(conn net.Conn) {
	defer conn.Close()
	r := bufio.NewReader(conn)
	io.WriteString(conn, "220 sink\r\n")
	data := false
	for {
		line, err := r.ReadSlice('\n')
		switch {
		case err != nil:
			return
		case data && string(line) != ".\r\n":
			continue
		case string(line[:4]) == "EHLO":
			io.WriteString(conn, "250-sink\r\n250-SIZE 50000000\r\n250 8BITMIME\r\n")
		case string(line[:4]) == "DATA":
			data = true
			io.WriteString(conn, "354 go\r\n")
			continue
		default:
			io.WriteString(conn, "250 2.0.0 ok\r\n")
		}
		data = false
	}
}
