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
	"sync"
	"syscall"
	"time"
)

// system is a relay under test.
type system interface {
	addr() string
	pid() int
	stop()
	log() string // the end of what it wrote, for a failed run
}

func start(ctx context.Context, name string, o options, dir, sink string) (system, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	if name == "postfix" {
		return startPostfix(ctx, o, dir, sink)
	}
	return startGateway(ctx, o, dir, sink)
}

// freePort finds a port on loopback that nobody uses at the moment.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// gateway is a running "postern serve".
type gateway struct {
	cmd  *exec.Cmd
	smtp string
	out  tail
}

const gatewayConfig = `
hostname: gateway.load.example
data_dir: %s
organization: {name: Load Test, domains: [load.example]}
smtp: {listen: ["%s"], max_message_size: 100MiB}
relay: {routes: [{domains: ["*"], host: "%s", tls: none}]}
pickup: {listen: "%s", url: "http://%s"}
admin: {listen: ""}
ops: {listen: "%s"}
log: {level: warn}
`

func startGateway(ctx context.Context, o options, dir, sink string) (system, error) {
	binary := o.gateway
	if binary == "" {
		binary = filepath.Join(dir, "postern")
		if out, err := exec.CommandContext(ctx, "go", "build", "-o", binary, "postern/cmd/postern").CombinedOutput(); err != nil {
			return nil, fmt.Errorf("build the gateway: %w\n%s", err, out)
		}
	}
	var ports [3]string
	for i := range ports {
		p, err := freePort()
		if err != nil {
			return nil, err
		}
		ports[i] = p
	}
	path := filepath.Join(dir, "postern.yaml")
	text := fmt.Sprintf(gatewayConfig, filepath.Join(dir, "data"), ports[0], sink, ports[1], ports[1], ports[2])
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return nil, err
	}
	g := &gateway{smtp: ports[0], cmd: exec.Command(binary, "serve", "--config", path)}
	g.cmd.Stdout, g.cmd.Stderr = &g.out, &g.out
	if err := g.cmd.Start(); err != nil {
		return nil, err
	}
	if err := until(ctx, func() bool { return ready(ports[2]) }); err != nil {
		g.stop()
		return nil, fmt.Errorf("the gateway did not become ready: %w\n%s", err, g.log())
	}
	return g, nil
}

func ready(ops string) bool {
	res, err := http.Get("http://" + ops + "/readyz")
	if err != nil {
		return false
	}
	res.Body.Close()
	return res.StatusCode == http.StatusOK
}

func (g *gateway) addr() string { return g.smtp }
func (g *gateway) pid() int     { return g.cmd.Process.Pid }
func (g *gateway) log() string  { return g.out.String() }

func (g *gateway) stop() {
	const patience = 15 * time.Second
	g.cmd.Process.Signal(syscall.SIGTERM)
	timer := time.AfterFunc(patience, func() { g.cmd.Process.Kill() })
	defer timer.Stop()
	g.cmd.Wait() // its exit code says nothing about the load
}

// tail keeps the end of what a process writes.
type tail struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (t *tail) Write(p []byte) (int, error) {
	const keep = 16 << 10
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b.Write(p)
	if over := t.b.Len() - keep; over > 0 {
		t.b.Next(over)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.String()
}
