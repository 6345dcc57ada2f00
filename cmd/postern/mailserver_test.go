package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/cmd/internal/demo"
)

// mailServer is a mail server behind the gateway that says what a test wants. It speaks SMTP by itself, so that what
// the gateway puts on the wire is compared with no help of the library that the gateway uses.
type mailServer struct {
	addr string
	ext  []string // keywords of EHLO

	mu      sync.Mutex
	say     func(line string) string // the reply to MAIL and RCPT; empty: 250
	end     func(d delivery) string  // the reply to a message; empty: 250
	got     []delivery               // what was taken
	changed chan struct{}            // closed when something was
	tried   map[string]int           // RCPT commands, by address
	given   map[int]bool             // what awaitNext has returned
	stop    func()
}

// delivery is a message as it came over the wire.
type delivery struct {
	mail  string   // parameters and all: "<a@x> BODY=8BITMIME"
	rcpts []string // likewise
	raw   []byte   // dot-stuffing undone
}

func (d delivery) from() string { return address(d.mail) }

func (d delivery) to() (all []string) {
	for _, r := range d.rcpts {
		all = append(all, address(r))
	}
	return all
}

// captured is d for the helpers that look into mails.
func (d delivery) captured() demo.Mail { return demo.Mail{From: d.from(), To: d.to(), Raw: d.raw} }

func address(s string) string {
	_, s, _ = strings.Cut(s, "<")
	s, _, _ = strings.Cut(s, ">")
	return s
}

// server puts a mailServer behind the gateway, in place of the capture. It is up.
func (tr *trial) server(ext ...string) *mailServer {
	tr.t.Helper()
	m := &mailServer{addr: tr.next, ext: ext, changed: make(chan struct{}), tried: map[string]int{}, given: map[int]bool{}}
	m.addr = freeAddr(tr.t)
	tr.next = m.addr
	m.up(tr.t)
	tr.t.Cleanup(func() { m.stop() })
	return m
}

// up listens until stop.
func (m *mailServer) up(t testing.TB) {
	t.Helper()
	l, err := net.Listen("tcp", m.addr)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			end := context.AfterFunc(ctx, func() { conn.Close() })
			wg.Go(func() {
				defer end()
				defer conn.Close()
				m.serve(conn)
			})
		}
	})
	m.stop = func() {
		l.Close()
		cancel()
		wg.Wait()
	}
}

func (m *mailServer) serve(conn net.Conn) {
	r := bufio.NewReader(conn)
	reply := func(s string) { io.WriteString(conn, s+"\r\n") }
	reply("220 next.example.org ESMTP")
	var d delivery
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		switch verb := strings.ToUpper(strings.SplitN(line, " ", 2)[0]); {
		case verb == "EHLO":
			reply(strings.Join(append([]string{"250-next.example.org"}, prefixed(m.ext, "250-")...), "\r\n") + "\r\n250 HELP")
		case strings.HasPrefix(strings.ToUpper(line), "MAIL FROM:"):
			d = delivery{mail: line[len("MAIL FROM:"):]}
			reply(m.replyTo(line))
		case strings.HasPrefix(strings.ToUpper(line), "RCPT TO:"):
			answer := m.replyTo(line)
			if strings.HasPrefix(answer, "2") {
				d.rcpts = append(d.rcpts, line[len("RCPT TO:"):])
			}
			reply(answer)
		case verb == "DATA" && len(d.rcpts) == 0:
			reply("554 5.5.1 No valid recipients")
		case verb == "DATA":
			reply("354 Go on")
			if d.raw, err = readData(r); err != nil {
				return
			}
			reply(m.take(d))
			d = delivery{}
		case verb == "QUIT":
			reply("221 2.0.0 Bye")
			return
		default:
			reply("250 2.0.0 Ok")
		}
	}
}

func prefixed(list []string, prefix string) (out []string) {
	for _, s := range list {
		out = append(out, prefix+s)
	}
	return out
}

// readData reads a message up to the line with a dot.
func readData(r *bufio.Reader) ([]byte, error) {
	var b bytes.Buffer
	for start := true; ; {
		piece, err := r.ReadSlice('\n')
		if err != nil && err != bufio.ErrBufferFull {
			return nil, err
		}
		if start && string(piece) == ".\r\n" {
			return b.Bytes(), nil
		}
		if start && bytes.HasPrefix(piece, []byte(".")) {
			piece = piece[1:]
		}
		b.Write(piece)
		start = err == nil && bytes.HasSuffix(b.Bytes(), []byte("\r\n"))
	}
}

func (m *mailServer) replyTo(line string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if strings.HasPrefix(strings.ToUpper(line), "RCPT") {
		m.tried[address(line)]++
	}
	if m.say != nil {
		if s := m.say(line); s != "" {
			return s
		}
	}
	return "250 2.1.0 Ok"
}

func (m *mailServer) take(d delivery) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.end != nil {
		if s := m.end(d); s != "" {
			return s
		}
	}
	m.got = append(m.got, d)
	close(m.changed)
	m.changed = make(chan struct{})
	return fmt.Sprintf("250 2.0.0 Ok: queued as N%d", len(m.got))
}

// change sets what the server says from now on.
func (m *mailServer) change(say func(line string) string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.say = say
}

// tries is how often an address was named in RCPT.
func (m *mailServer) tries(to string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.tried[to]
}

// await returns the first message, taken or to come, to an address that holds every part.
func (m *mailServer) await(t testing.TB, to string, parts ...string) delivery {
	t.Helper()
	deadline := time.After(60 * time.Second)
	for seen := 0; ; {
		m.mu.Lock()
		got, changed := m.got, m.changed
		m.mu.Unlock()
		for ; seen < len(got); seen++ {
			if slices.Contains(got[seen].to(), to) && holds(got[seen].raw, parts) {
				return got[seen]
			}
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("no mail to %s with %q arrived; there are %s", to, parts, m.list())
		}
	}
}

// awaitNext returns a message like await that it has not returned before.
func (m *mailServer) awaitNext(t testing.TB, to string, parts ...string) delivery {
	t.Helper()
	deadline := time.After(60 * time.Second)
	for {
		m.mu.Lock()
		changed := m.changed
		for i, d := range m.got {
			if !m.given[i] && slices.Contains(d.to(), to) && holds(d.raw, parts) {
				m.given[i] = true
				m.mu.Unlock()
				return d
			}
		}
		m.mu.Unlock()
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("no further mail to %s with %q arrived; there are %s", to, parts, m.list())
		}
	}
}

// all is what was taken so far.
func (m *mailServer) all() []delivery {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.got)
}

func holds(raw []byte, parts []string) bool {
	for _, p := range parts {
		if !bytes.Contains(raw, []byte(p)) {
			return false
		}
	}
	return true
}

func (m *mailServer) list() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var b strings.Builder
	for _, d := range m.got {
		fmt.Fprintf(&b, "\n%s to %s: %s", d.mail, d.rcpts, regexp.MustCompile(`(?m)^(Subject|X-Postern-Origin):.*$`).FindAll(d.raw, -1))
	}
	return b.String()
}
