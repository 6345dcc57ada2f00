package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// sendAll keeps o.conns connections busy until every message was answered with 250.
func sendAll(ctx context.Context, o options, addr string, t *tally) error {
	var next atomic.Int64
	var wg sync.WaitGroup
	errs := make(chan error, o.conns)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for range o.conns {
		wg.Go(func() {
			if err := sendSome(ctx, o, addr, t, &next); err != nil {
				errs <- err
				cancel()
			}
		})
	}
	wg.Wait()
	close(errs)
	return <-errs
}

func sendSome(ctx context.Context, o options, addr string, t *tally, next *atomic.Int64) error {
	c, err := dial(ctx, addr)
	if err != nil {
		return err
	}
	defer c.Close()
	for ctx.Err() == nil {
		n := int(next.Add(1))
		if n > o.messages {
			return c.quit()
		}
		raw := letter(n, o)
		t.sending(n, raw)
		if err := c.send(n, raw); err != nil {
			return fmt.Errorf("message %d: %w", n, err)
		}
	}
	return ctx.Err()
}

// client is a bulk sender: envelope pipelined (RFC 2920), one write for the data.
type client struct {
	net.Conn
	r *bufio.Reader
	w *bufio.Writer
}

func dial(ctx context.Context, addr string) (*client, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	deadline, _ := ctx.Deadline()
	conn.SetDeadline(deadline)
	c := &client{Conn: conn, r: bufio.NewReader(conn), w: bufio.NewWriterSize(conn, 64<<10)}
	if err := c.expect("220"); err != nil {
		return nil, err
	}
	fmt.Fprintf(c.w, "EHLO load.example\r\n")
	return c, c.expect("250")
}

func (c *client) send(n int, raw []byte) error {
	fmt.Fprintf(c.w, "MAIL FROM:<%s>\r\nRCPT TO:<r%d@%s>\r\nDATA\r\n", sender(n), n, recipientDomain)
	for _, code := range []string{"250", "250", "354"} {
		if err := c.expect(code); err != nil {
			return err
		}
	}
	c.w.Write(bytes.ReplaceAll(raw, []byte("\r\n."), []byte("\r\n.."))) // errors stay with the writer until expect
	c.w.WriteString(".\r\n")
	return c.expect("250")
}

func (c *client) quit() error {
	c.w.WriteString("QUIT\r\n")
	return c.expect("221")
}

// expect flushes, and reads one reply with all its lines.
func (c *client) expect(code string) error {
	if err := c.w.Flush(); err != nil {
		return err
	}
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			return fmt.Errorf("waiting for %s: %w", code, err)
		}
		if len(line) < 4 || !strings.HasPrefix(line, code) {
			return fmt.Errorf("waited for %s, got %s", code, strings.TrimSpace(line))
		}
		if line[3] == ' ' {
			return nil
		}
	}
}

// until calls ok every few milliseconds until it says yes or ctx ends.
func until(ctx context.Context, ok func() bool) error {
	const pause = 20 * time.Millisecond
	for !ok() {
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
