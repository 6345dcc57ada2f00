package control

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

type pair struct{ A, B int }

func methods() Methods {
	return Methods{
		"add":  Handle(func(_ context.Context, p pair) (int, error) { return p.A + p.B, nil }),
		"fail": Do(func(context.Context, pair) error { return errors.New("the queue is on fire") }),
	}
}

// callers are the two ways of reaching the methods: in this process, and through the socket of a data folder.
func callers(t *testing.T) map[string]Caller {
	t.Helper()
	dirs := map[string]string{
		"socket":                  t.TempDir(),
		"socket with a long path": filepath.Join(t.TempDir(), strings.Repeat("long/", 30)),
	}
	all := map[string]Caller{"in process": methods()}
	for name, dir := range dirs {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		l, err := Listen(dir)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(context.Background())
		done := make(chan error)
		go func() { done <- Serve(ctx, l, methods()) }()
		t.Cleanup(func() {
			stop()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
		c, err := Dial(ctx, dir)
		if err != nil {
			t.Fatal(err)
		}
		all[name] = c
	}
	return all
}

func TestCallAnswersAndErrors(t *testing.T) {
	for name, c := range callers(t) {
		t.Run(name, func(t *testing.T) {
			var sum int
			if err := c.Call(t.Context(), "add", pair{2, 3}, &sum); err != nil || sum != 5 {
				t.Fatalf("add: %d, %v", sum, err)
			}
			if err := c.Call(t.Context(), "fail", pair{}, nil); err == nil || err.Error() != "the queue is on fire" {
				t.Fatalf("fail: %v", err)
			}
			if err := c.Call(t.Context(), "none", pair{}, nil); err == nil || !strings.Contains(err.Error(), "no method none") {
				t.Fatalf("none: %v", err)
			}
		})
	}
}

func TestDialWithoutServer(t *testing.T) {
	if _, err := Dial(t.Context(), t.TempDir()); !errors.Is(err, ErrNoServer) {
		t.Fatalf("got %v", err)
	}
}

// TestLongPathLeavesNothingBehind: the folder of a socket whose path is too long goes with its server, and that of a server
// that was killed with the next start.
func TestLongPathLeavesNothingBehind(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	dir := filepath.Join(t.TempDir(), strings.Repeat("long/", 30))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	folders := func() int {
		found, err := os.ReadDir(os.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		return len(found)
	}
	killed, err := Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	socket := killed.(*apart).Listener.(*net.UnixListener)
	socket.SetUnlinkOnClose(false) // a killed server leaves its socket behind
	if err := socket.Close(); err != nil {
		t.Fatal(err)
	}
	l, err := Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	if n := folders(); n != 1 {
		t.Errorf("%d folders after the second start", n)
	}
	copied := filepath.Join(t.TempDir(), strings.Repeat("copy/", 30)) // names the socket of the server that it was copied from
	pointer, err := os.ReadFile(filepath.Join(dir, "control.path"))
	if err == nil {
		err = os.MkdirAll(copied, 0o700)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(copied, "control.path"), pointer, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	other, err := Listen(copied)
	if err != nil {
		t.Fatal(err)
	}
	if conn, err := net.Dial("unix", findSocket(dir)); err != nil {
		t.Errorf("the running server after a copy was started: %v", err)
	} else {
		conn.Close()
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if n := folders(); n != 0 {
		t.Errorf("%d folders are left", n)
	}
	if _, err := os.Stat(filepath.Join(dir, pointerName)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what named the socket: %v", err)
	}
}

// TestSocketIsNeverOpenToOthers: whatever the process may give to others, the socket has no right for them when it comes
// into being; nothing changes its mode afterwards. The process's own mask is as before.
func TestSocketIsNeverOpenToOthers(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0))
	dir := t.TempDir()
	l, err := Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	info, err := os.Stat(filepath.Join(dir, "control.sock"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		t.Errorf("the socket has mode %v", info.Mode())
	}
	if mask := syscall.Umask(0); mask != 0 {
		t.Errorf("the mask is %03o afterwards", mask)
	}
}
