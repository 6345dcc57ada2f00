package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"postern/cmd/internal/demo"
)

// freeze copies the gateway's data folder and its folder of temporary files as they are at one moment, as whoever
// steals the disk gets them. A running process stands still meanwhile.
func (tr *trial) freeze() string {
	tr.t.Helper()
	if tr.cmd != nil {
		pid := tr.cmd.Process.Pid
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
			tr.t.Fatal(err)
		}
		defer syscall.Kill(pid, syscall.SIGCONT)
		waitUntil(tr.t, "the gateway stands still", func() bool { return standsStill(pid) })
	}
	to := tr.t.TempDir()
	copyFolder(tr.t, filepath.Join(tr.dir, "data"), filepath.Join(to, "data"))
	if tmp := filepath.Join(tr.dir, "tmp"); exists(tmp) {
		copyFolder(tr.t, tmp, filepath.Join(to, "tmp"))
	}
	return to
}

// standsStill reports whether every thread of a process is stopped.
func standsStill(pid int) bool {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil || len(threads) == 0 {
		return false
	}
	for _, path := range threads {
		stat, err := os.ReadFile(path)
		if os.IsNotExist(err) {
			continue
		}
		_, rest, _ := strings.Cut(string(stat), ") ")
		if err != nil || rest == "" || rest[0] != 'T' && rest[0] != 't' {
			return false
		}
	}
	return true
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// copyFolder copies folders and regular files; sockets stay behind.
func copyFolder(t testing.TB, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		switch {
		case d.IsDir():
			return os.MkdirAll(target, 0o700)
		case !d.Type().IsRegular():
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, data, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// waitUntil waits for something that happens beside the test.
func waitUntil(t testing.TB, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// cli runs a command line, which must succeed, in this process: it reaches the gateway through its socket as any other
// does, and saves the start of a program.
func (tr *trial) cli(args ...string) string {
	tr.t.Helper()
	var out bytes.Buffer
	code := run(tr.t.Context(), append(args, "--config", tr.configPath()), console{in: strings.NewReader(""), out: &out, err: &out})
	if code != exitOK {
		tr.t.Fatalf("postern %s: exit %d\n%s", strings.Join(args, " "), code, &out)
	}
	return out.String()
}

// notes waits until so many notifications to an address have come, and lists them, newest first.
func (tr *trial) notes(to string, n int) (list []demo.Mail) {
	tr.t.Helper()
	waitUntil(tr.t, "notifications reach "+to, func() bool {
		list = nil
		for _, m := range tr.capture.Mails() {
			if m.To[0] == to && bytes.Contains(m.Raw, []byte("X-Postern-Origin: v1 notification")) {
				list = append(list, m)
			}
		}
		return len(list) >= n
	})
	return list
}
