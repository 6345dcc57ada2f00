package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"postern/cmd/browser"
	"postern/cmd/internal/demo"
)

// testDir lives as long as the test process.
var testDir string

// binary is the program under test, built once with the race detector.
var binary = sync.OnceValues(func() (string, error) {
	path := filepath.Join(testDir, "postern")
	out, err := exec.Command("go", "build", "-race", "-o", path, "postern/cmd/postern").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return path, nil
})

// common is the browser of the tests that look at pages.
var common browser.Common

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "postern-test-")
	if err != nil {
		panic(err)
	}
	testDir = dir
	code := common.Run(m)
	os.RemoveAll(dir)
	os.Exit(code)
}

// trial is a real gateway process on a folder of its own, with a mail server behind it that keeps everything.
type trial struct {
	t       testing.TB
	dir     string
	smtp    string
	site    string
	ops     string
	next    string // address of the mail server behind it
	capture *demo.Capture
	extra   string // more configuration
	retry   string // relay.retry
	env     []string
	wrap    []string                 // program that the gateway runs under, with its arguments
	edit    func(yaml string) string // changes the configuration; may be nil
	cmd     *exec.Cmd
	log     *lockedBuffer
	exited  chan error
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// handedOut counts the ports that tests were given.
var handedOut atomic.Int64

// freeAddr is an address that nobody listens on, and that no other test gets. It lies below the ports that the system
// hands out by itself, for connections and to listeners: one of those may be taken again before the gateway listens.
func freeAddr(t testing.TB) string {
	t.Helper()
	const lowest, many = 10_000, 20_000
	for range many {
		port := lowest + (int64(os.Getpid())*100+handedOut.Add(1))%many
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.FormatInt(port, 10)))
		if err != nil {
			continue
		}
		l.Close()
		return l.Addr().String()
	}
	t.Fatal("no port is free")
	return ""
}

// newTrial prepares a gateway without starting it. extra is YAML that is put behind the common configuration.
func newTrial(t testing.TB, extra string) *trial {
	t.Helper()
	tr := &trial{
		t: t, dir: t.TempDir(), smtp: freeAddr(t), site: freeAddr(t), ops: freeAddr(t), capture: demo.NewCapture(1 << 20),
		extra: extra, retry: "1m, 2m", log: &lockedBuffer{},
	}
	tr.next = tr.serveCapture(tr.capture)
	t.Cleanup(func() {
		if tr.cmd != nil {
			tr.kill()
		}
		if t.Failed() {
			t.Logf("log of the gateway:\n%s", tr.log)
		}
	})
	return tr
}

func startTrial(t testing.TB, extra string) *trial {
	t.Helper()
	tr := newTrial(t, extra)
	tr.start()
	return tr
}

// serveCapture runs a keeping mail server until the test ends.
func (tr *trial) serveCapture(c *demo.Capture) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tr.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.Serve(ctx, l)
	}()
	tr.t.Cleanup(func() { stop(); <-done })
	return l.Addr().String()
}

const trialConfig = `
hostname: gateway.example.org
data_dir: %[1]s/data
organization: {name: Example County Council, short_name: the council, domains: [example.org], support: {desk: ICT Desk, phone: "01632 960 626"}, postal_address: "County Hall, Exampleton"}
smtp: {listen: ["%[2]s"]}
relay: {routes: [{domains: ["*"], host: "%[3]s", tls: none}], retry: [%[6]s]}
pickup: {listen: "%[4]s", url: "http://%[4]s"}
admin: {listen: "", url: "https://console.example.org"}
ops: {listen: "%[5]s"}
store: {min_free: 1}
log: {level: debug, format: json}
`

func (tr *trial) configPath() string { return filepath.Join(tr.dir, "postern.yaml") }

func (tr *trial) writeConfig() {
	tr.t.Helper()
	text := fmt.Sprintf(trialConfig, tr.dir, tr.smtp, tr.next, tr.site, tr.ops, tr.retry) + tr.extra
	if tr.edit != nil {
		text = tr.edit(text)
	}
	if err := os.WriteFile(tr.configPath(), []byte(text), 0o600); err != nil {
		tr.t.Fatal(err)
	}
}

// start runs the gateway and waits until it is ready.
func (tr *trial) start() {
	tr.t.Helper()
	tr.launch()
	deadline := time.Now().Add(30 * time.Second)
	for time.Now().Before(deadline) {
		select {
		case err := <-tr.exited:
			tr.exited <- err
			tr.t.Fatalf("the gateway ended at once: %v\n%s", err, tr.log)
		default:
		}
		if tr.ready() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	tr.t.Fatalf("the gateway did not become ready\n%s", tr.log)
}

// launch starts the process without waiting.
func (tr *trial) launch() {
	tr.t.Helper()
	path, err := binary()
	if err != nil {
		tr.t.Fatal(err)
	}
	tr.writeConfig()
	args := append(slices.Clone(tr.wrap), path, "serve", "--config", tr.configPath())
	tr.cmd = exec.Command(args[0], args[1:]...)
	tr.cmd.Env = append(os.Environ(), tr.env...)
	tr.cmd.Stdout, tr.cmd.Stderr = tr.log, tr.log
	if err := tr.cmd.Start(); err != nil {
		tr.t.Fatal(err)
	}
	tr.exited = make(chan error, 2)
	go func(cmd *exec.Cmd, exited chan error) { exited <- cmd.Wait() }(tr.cmd, tr.exited)
}

func (tr *trial) ready() bool {
	res, err := http.Get("http://" + tr.ops + "/readyz")
	if err != nil {
		return false
	}
	res.Body.Close()
	return res.StatusCode == http.StatusOK
}

// kill ends the process as a power cut would.
func (tr *trial) kill() {
	tr.cmd.Process.Kill()
	<-tr.exited
	tr.cmd = nil
}

// stop ends it by SIGTERM and returns its exit error.
func (tr *trial) stop() error {
	tr.cmd.Process.Signal(syscall.SIGTERM)
	err := <-tr.exited
	tr.cmd = nil
	return err
}

// postern runs a command line beside the gateway.
func (tr *trial) postern(args ...string) (out string, code int) {
	tr.t.Helper()
	path, err := binary()
	if err != nil {
		tr.t.Fatal(err)
	}
	tr.writeConfig()
	cmd := exec.Command(path, append(args, "--config", tr.configPath())...)
	cmd.Env = append(os.Environ(), tr.env...)
	text, err := cmd.CombinedOutput()
	if exit, ok := err.(*exec.ExitError); ok {
		return string(text), exit.ExitCode()
	}
	if err != nil {
		tr.t.Fatal(err)
	}
	return string(text), 0
}

// await returns the first captured mail to an address whose raw text holds every part.
func (tr *trial) await(to string, parts ...string) demo.Mail {
	tr.t.Helper()
	ctx, cancel := context.WithTimeout(tr.t.Context(), 30*time.Second)
	defer cancel()
	m, err := tr.capture.Await(ctx, func(m demo.Mail) bool {
		for _, p := range parts {
			if !strings.Contains(string(m.Raw), p) {
				return false
			}
		}
		return len(m.To) == 1 && m.To[0] == to
	})
	if err != nil {
		tr.t.Fatalf("no mail to %s with %q arrived: %v", to, parts, err)
	}
	return m
}

// link finds the pickup link in a notification's text part.
func (tr *trial) link(m demo.Mail) string {
	tr.t.Helper()
	link := linkIn(m.View().Text, "http://"+tr.site+"/p/")
	if link == "" {
		tr.t.Fatalf("no link alone on a line in\n%s", m.Raw)
	}
	return link
}
