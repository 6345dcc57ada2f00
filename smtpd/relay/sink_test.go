package relay_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
)

// sink is a next hop that a test scripts: each hook answers a command with reply lines; an answer of "-" closes the
// connection without a word. It takes everything when no hook is set.
type sink struct {
	ext      []string // EHLO extensions
	tls      *tls.Config
	greeting string
	onEhlo   func() string
	onMail   func(line string) string
	onRcpt   func(line string) string
	onData   func() string
	onBody   func(body string) string
	onAuth   func(line string) string
	implicit bool // TLS from the first octet

	mu     sync.Mutex
	mails  []taken
	conns  int
	open   map[net.Conn]bool
	most   int // connections at once
	cmds   []string
	closed bool
}

// taken is a transaction that the sink took.
type taken struct {
	conn  int
	tls   bool
	from  string
	rcpts []string
	body  string
	auth  string
	cert  bool
}

// listen serves a sink on loopback and answers its address.
func (s *sink) listen(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.serve(t, l)
	return l.Addr().String()
}

func (s *sink) serve(t *testing.T, l net.Listener) {
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if s.begin(conn) {
				wg.Go(func() { s.talk(conn) })
			}
		}
	})
	t.Cleanup(func() {
		l.Close()
		s.shut()
		wg.Wait()
	})
}

func (s *sink) begin(conn net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		conn.Close()
		return false
	}
	if s.open == nil {
		s.open = map[net.Conn]bool{}
	}
	s.conns++
	s.open[conn] = true
	s.most = max(s.most, len(s.open))
	return true
}

// shut closes all connections.
func (s *sink) shut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for c := range s.open {
		c.Close()
	}
}

// hangUp closes all connections but goes on listening.
func (s *sink) hangUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.open {
		c.Close()
	}
}

func (s *sink) got() []taken {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]taken(nil), s.mails...)
}

func (s *sink) count() int { return len(s.got()) }

func (s *sink) connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conns
}

func (s *sink) commands() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.cmds, "\n")
}

// dialogue is one connection of a sink.
type dialogue struct {
	*sink
	conn net.Conn
	r    *bufio.Reader
	now  taken
}

func (s *sink) talk(conn net.Conn) {
	raw := conn
	defer func() {
		s.mu.Lock()
		delete(s.open, raw)
		s.mu.Unlock()
		conn.Close()
	}()
	s.mu.Lock()
	d := &dialogue{sink: s, conn: conn, now: taken{conn: s.conns}}
	s.mu.Unlock()
	if s.implicit {
		d.encrypt()
	}
	d.r = bufio.NewReader(d.conn)
	greeting := s.greeting
	if greeting == "" {
		greeting = "220 sink ready"
	}
	if !d.say(greeting) {
		return
	}
	for {
		line, err := d.r.ReadString('\n')
		if err != nil || !d.do(strings.TrimRight(line, "\r\n")) {
			return
		}
	}
}

func (d *dialogue) encrypt() {
	t := tls.Server(d.conn, d.tls)
	d.conn, d.now.tls = t, true
	if t.Handshake() == nil {
		d.now.cert = len(t.ConnectionState().PeerCertificates) > 0
	}
	d.r = bufio.NewReader(t)
}

// say writes an answer; false ends the connection.
func (d *dialogue) say(answer string) bool {
	if answer == "-" {
		return false
	}
	_, err := io.WriteString(d.conn, strings.ReplaceAll(answer, "\n", "\r\n")+"\r\n")
	return err == nil
}

func (d *dialogue) do(line string) bool {
	d.mu.Lock()
	d.cmds = append(d.cmds, line)
	d.mu.Unlock()
	verb := strings.ToUpper(line[:min(4, len(line))])
	switch verb {
	case "EHLO":
		return d.say(d.hello())
	case "STAR":
		if !d.say("220 go ahead") {
			return false
		}
		d.encrypt()
		return true
	case "AUTH":
		return d.say(d.auth(line))
	case "MAIL":
		d.now.from, d.now.rcpts = line, nil
		return d.say(ask(d.onMail, line, "250 2.1.0 ok"))
	case "RCPT":
		answer := ask(d.onRcpt, line, "250 2.1.5 ok")
		if strings.HasPrefix(answer, "25") {
			d.now.rcpts = append(d.now.rcpts, line)
		}
		return d.say(answer)
	case "DATA":
		return d.data()
	case "QUIT":
		d.say("221 2.0.0 bye")
		return false
	}
	return d.say("250 2.0.0 ok")
}

func ask(hook func(string) string, line, def string) string {
	if hook == nil {
		return def
	}
	if a := hook(line); a != "" {
		return a
	}
	return def
}

func (d *dialogue) hello() string {
	if d.onEhlo != nil {
		return d.onEhlo()
	}
	ext := d.ext
	if d.tls != nil && !d.now.tls {
		ext = append(ext[:len(ext):len(ext)], "STARTTLS")
	}
	lines := append([]string{"sink"}, ext...)
	var b strings.Builder
	for i, l := range lines {
		sep := "-"
		if i == len(lines)-1 {
			sep = " "
		}
		fmt.Fprintf(&b, "250%s%s\n", sep, l)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func (d *dialogue) auth(line string) string {
	d.now.auth = line
	if strings.HasPrefix(strings.ToUpper(line), "AUTH LOGIN") {
		for _, prompt := range []string{"334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6"} {
			d.say(prompt)
			answer, _ := d.r.ReadString('\n')
			d.now.auth += " " + strings.TrimSpace(answer)
		}
	}
	return ask(d.onAuth, d.now.auth, "235 2.7.0 ok")
}

func (d *dialogue) data() bool {
	answer := "354 go on"
	if d.onData != nil {
		answer = d.onData()
	}
	if !d.say(answer) {
		return false
	}
	if answer[:3] != "354" {
		return true
	}
	body, err := readBody(d.r)
	if err != nil {
		return false
	}
	answer = ask(d.onBody, body, "250 2.0.0 Ok: queued as SINK1")
	if strings.HasPrefix(answer, "2") {
		d.now.body = body
		d.mu.Lock()
		d.mails = append(d.mails, d.now)
		d.mu.Unlock()
	}
	return d.say(answer)
}

// readBody reads message data up to the final dot and takes the dots off, octet for octet.
func readBody(r *bufio.Reader) (string, error) {
	var b bytes.Buffer
	for {
		line, err := r.ReadSlice('\n')
		for err == bufio.ErrBufferFull {
			b.Write(line)
			line, err = r.ReadSlice('\n')
			if err != bufio.ErrBufferFull {
				b.Write(line)
				line = nil
			}
		}
		if err != nil {
			return "", err
		}
		if line == nil {
			continue
		}
		if string(line) == ".\r\n" {
			return b.String(), nil
		}
		b.Write(bytes.TrimPrefix(line, []byte(".")))
	}
}
