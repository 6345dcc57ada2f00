package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"postern/cmd/internal/demo"
)

// farServer is a mail server of another organisation that a test switches off and on. Its capture has what it took.
type farServer struct {
	t       testing.TB
	addr    string
	capture *demo.Capture
	answer  func(to string) error // to RCPT; nil: yes
	hold    chan struct{}         // the end of each message waits for it; nil: none does
	begun   chan struct{}         // receives when a message waits
	srv     *smtp.Server
}

// abroad routes all mail but the organisation's own through a farServer that is off.
func (tr *trial) abroad() *farServer {
	tr.t.Helper()
	r := &farServer{t: tr.t, addr: freeAddr(tr.t), capture: demo.NewCapture(1 << 20), begun: make(chan struct{}, 100)}
	tr.also(func(config string) string {
		return strings.Replace(config, `routes: [`, fmt.Sprintf(`routes: [{domains: ["ext.example"], host: %q, tls: none}, `, r.addr), 1)
	})
	tr.t.Cleanup(r.down)
	return r
}

// also adds an edit of the configuration.
func (tr *trial) also(edit func(string) string) {
	before := tr.edit
	tr.edit = func(config string) string {
		if before != nil {
			config = before(config)
		}
		return edit(config)
	}
}

// up switches it on.
func (r *farServer) up() {
	r.t.Helper()
	l, err := net.Listen("tcp", r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	r.srv = smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &farSession{far: r}, nil }))
	r.srv.Domain, r.srv.EnableDSN, r.srv.EnableSMTPUTF8 = "mx.ext.example", true, true
	go r.srv.Serve(l)
}

// down switches it off.
func (r *farServer) down() {
	if r.srv != nil {
		r.srv.Close()
		r.srv = nil
	}
}

type farSession struct {
	far  *farServer
	from string
	to   []string
}

func (s *farSession) Mail(from string, _ *smtp.MailOptions) error {
	s.from, s.to = from, nil
	return nil
}

func (s *farSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	if s.far.answer != nil {
		if err := s.far.answer(to); err != nil {
			return err
		}
	}
	s.to = append(s.to, to)
	return nil
}

func (s *farSession) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if s.far.hold != nil {
		s.far.begun <- struct{}{}
		<-s.far.hold
	}
	s.far.capture.Add(demo.Mail{At: time.Now(), From: s.from, To: s.to, Raw: raw})
	return nil
}

func (s *farSession) Reset()        {}
func (s *farSession) Logout() error { return nil }

// await returns the first mail to an address that the far server took and that holds every part.
func (r *farServer) await(to string, parts ...string) demo.Mail {
	r.t.Helper()
	return awaitIn(r.t, r.capture, to, parts...)
}

func awaitIn(t testing.TB, c *demo.Capture, to string, parts ...string) demo.Mail {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	m, err := c.Await(ctx, func(m demo.Mail) bool {
		for _, p := range parts {
			if !strings.Contains(string(m.Raw), p) {
				return false
			}
		}
		return len(m.To) == 1 && m.To[0] == to
	})
	if err != nil {
		t.Fatalf("no mail to %s with %q arrived: %v", to, parts, err)
	}
	return m
}

// eventually waits until something holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("not within a minute: %s", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// here runs a command line in this process, which is faster than starting another; TestCommandLine starts others.
func (tr *trial) here(args ...string) (out string, code int) {
	tr.t.Helper()
	tr.writeConfig()
	var b bytes.Buffer
	code = run(tr.t.Context(), append(args, "--config", tr.configPath()), console{env: tr.env, out: &b, err: &b})
	return b.String(), code
}

// must runs a command that has to succeed.
func (tr *trial) must(args ...string) string {
	tr.t.Helper()
	out, code := tr.here(args...)
	if code != exitOK {
		tr.t.Fatalf("postern %s: exit %d\n%s", strings.Join(args, " "), code, out)
	}
	return out
}

// refused runs a command that must fail with a code and say every part.
func (tr *trial) refused(code int, args []string, parts ...string) {
	tr.t.Helper()
	out, got := tr.here(args...)
	if got != code {
		tr.t.Errorf("postern %s: exit %d, want %d\n%s", strings.Join(args, " "), got, code, out)
	}
	wantParts(tr.t, out, parts...)
}

func wantParts(t testing.TB, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("%q is missing in:\n%s", p, text)
		}
	}
}

// readyz is the answer of the health check, 0 when nobody answers.
func (tr *trial) readyz() int {
	res, err := http.Get("http://" + tr.ops + "/readyz")
	if err != nil {
		return 0
	}
	res.Body.Close()
	return res.StatusCode
}

// dialogue is an SMTP client that says what a test wants, line by line.
type dialogue struct {
	t    testing.TB
	conn net.Conn
	text *textproto.Reader
}

// dialogue connects and reads the greeting.
func (tr *trial) dialogue() *dialogue {
	tr.t.Helper()
	conn, err := net.Dial("tcp", tr.smtp)
	if err != nil {
		tr.t.Fatal(err)
	}
	tr.t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(2 * time.Minute))
	d := &dialogue{t: tr.t, conn: conn, text: textproto.NewReader(bufio.NewReader(conn))}
	d.hear("220")
	return d
}

// hear reads a reply, which must begin with code.
func (d *dialogue) hear(code string) string {
	d.t.Helper()
	n, text, err := d.text.ReadResponse(0)
	if refusal := new(textproto.Error); errors.As(err, &refusal) {
		n, text = refusal.Code, refusal.Msg
	} else if err != nil {
		d.t.Fatalf("waiting for %s: %v", code, err)
	}
	text = fmt.Sprintf("%d %s", n, text)
	if !strings.HasPrefix(text, code) {
		d.t.Fatalf("heard %q, want %s", text, code)
	}
	return text
}

// write sends octets.
func (d *dialogue) write(text string) {
	d.t.Helper()
	if _, err := io.WriteString(d.conn, text); err != nil {
		d.t.Fatal(err)
	}
}

// say sends a command and reads its reply.
func (d *dialogue) say(command, code string) string {
	d.t.Helper()
	d.write(command + "\r\n")
	return d.hear(code)
}

// closed fails unless the other side has closed the connection.
func (d *dialogue) closed() {
	d.t.Helper()
	if line, err := d.text.ReadLine(); err == nil {
		d.t.Errorf("heard %q after the end", line)
	}
}

// itemOf finds the id of a waiting delivery to an address.
func (tr *trial) itemOf(to string) string {
	tr.t.Helper()
	m := regexp.MustCompile(`(?m)^(\S+\.\d+) .*\s` + regexp.QuoteMeta(to) + ` `).FindStringSubmatch(tr.must("queue", "list"))
	if m == nil {
		return ""
	}
	return m[1]
}

func mkdir(t testing.TB, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
}
