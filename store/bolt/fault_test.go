package bolt

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"postern/cmd/testneed"
)

// faulty runs the part "rows" with a fault in its system calls and answers how each row ended: "ok true", "full false".
func faulty(t *testing.T, dir, fault string) []string {
	t.Helper()
	call, _, _ := strings.Cut(fault, ":")
	cmd := part(t, "rows", dir, testneed.Program(t, "strace"), "-f", "-qqq", "-o", os.DevNull, "-e", "trace="+call, "-e", "inject="+fault)
	cmd.Env = append(cmd.Env, "GOMAXPROCS=1") // strace counts calls by thread
	out, err := cmd.Output()
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if err != nil || len(lines) != 13 {
		t.Fatalf("%s: %v\n%s", fault, err, out)
	}
	for i, l := range lines {
		_, lines[i], _ = strings.Cut(l, " ")
	}
	return lines
}

// made is a folder with an empty store, so that the faults that follow hit commits only.
func made(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := openIn(t, dir).Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestFailedSyncIsToldApart fails syncs of commits: the first sync of a commit leaves nothing behind, the second leaves
// a visible commit, after which the engine must not write. What was answered holds after the store is opened anew.
func TestFailedSyncIsToldApart(t *testing.T) {
	seen := make(map[string]bool)
	for when := 1; when <= 6; when++ {
		dir := made(t)
		rows := faulty(t, dir, fmt.Sprintf("fdatasync:error=EIO:when=%d", when))
		checkRows(t, when, rows, "error")
		for _, r := range rows {
			seen[r] = true
		}
		s := openIn(t, dir)
		for n, r := range rows[:12] {
			if r == "ok true" && !visible(s, fmt.Sprintf("row/%d", n)) {
				t.Errorf("sync %d: row %d was acknowledged and is lost", when, n)
			}
			if r == "error false" && visible(s, fmt.Sprintf("row/%d", n)) {
				t.Errorf("sync %d: row %d was refused and is there", when, n)
			}
		}
		if err := s.Check(t.Context()); err != nil {
			t.Errorf("sync %d: opened anew: %v", when, err)
		}
		verify(t, s)
		s.Close()
	}
	for _, want := range []string{"ok true", "error false", "uncertain true"} {
		if !seen[want] {
			t.Errorf("no commit ended as %q: the test does not reach it", want)
		}
	}
}

// checkRows checks the answers of one process. Before a commit in doubt, rows are acknowledged or refused as refused
// says; from it on, nothing is written.
func checkRows(t *testing.T, when int, rows []string, refused string) {
	t.Helper()
	latched := false
	for n, r := range rows {
		ok := r == "ok true" || r == refused+" false"
		switch {
		case n == len(rows)-1:
			ok = r == "ok" && !latched || r == "uncertain" && latched
		case latched:
			ok = r == "uncertain false"
		case r == "uncertain true":
			latched, ok = true, true
		}
		if !ok {
			t.Errorf("call %d, answer %d is %q, in doubt %t: %q", when, n, r, latched, rows)
		}
	}
}

// TestFullDiskByCall fails single writes for want of room.
func TestFullDiskByCall(t *testing.T) {
	full := 0
	for when := 1; when <= 5; when++ {
		dir := made(t)
		rows := faulty(t, dir, fmt.Sprintf("pwrite64:error=ENOSPC:when=%d", when))
		checkRows(t, when, rows, "full")
		for _, r := range rows {
			if r == "full false" {
				full++
			}
		}
		s := openIn(t, dir)
		for n, r := range rows[:12] {
			if got := visible(s, fmt.Sprintf("row/%d", n)); got != strings.HasSuffix(r, "true") {
				t.Errorf("write %d: row %d ended %q, visible %t", when, n, r, got)
			}
		}
		s.Close()
	}
	if full == 0 {
		t.Error("no commit ended for want of room: the test does not reach it")
	}
}

// TestFullDisk fills a disk of 4 MiB: everything acknowledged stays, and writing goes on when there is room again.
func TestFullDisk(t *testing.T) {
	if os.Getuid() != 0 {
		testneed.Missing(t, "mounting a small disk needs root")
	}
	mount := t.TempDir()
	script := `mount -t tmpfs -o size=4m none "$0" || exit 77; exec "$1"`
	cmd := part(t, "fill", mount, testneed.Program(t, "unshare"), "-m", "sh", "-c", script, mount)
	out, err := cmd.Output()
	if cmd.ProcessState.ExitCode() == 77 {
		testneed.Missing(t, "this system does not let the test mount a disk")
	}
	if err != nil || !strings.HasSuffix(string(out), " rows\n") {
		t.Fatalf("%v: %s", err, out)
	}
	if left, _ := filepath.Glob(filepath.Join(mount, "*")); len(left) != 0 {
		t.Errorf("the disk was not apart: %v", left)
	}
}
