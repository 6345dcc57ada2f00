package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/cmd/testneed"
)

// swift is the program as it is shipped, without the race detector: it starts faster, for tests that start it very often,
// and takes the memory that it takes elsewhere.
var swift = sync.OnceValues(func() (string, error) {
	path := filepath.Join(testDir, "postern-swift")
	out, err := exec.Command("go", "build", "-o", path, "postern/cmd/postern").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return path, nil
})

// keyLine is a line of "key list": id, rows, whether it seals.
var keyLine = regexp.MustCompile(`(?m)^([0-9a-z]{8}) +(\d+) +(true|false)$`)

func (tr *trial) keys() (current string, others []string, rows map[string]string) {
	tr.t.Helper()
	rows = map[string]string{}
	for _, m := range keyLine.FindAllStringSubmatch(tr.must("key", "list"), -1) {
		rows[m[1]] = m[2]
		if m[3] == "true" {
			current = m[1]
		} else {
			others = append(others, m[1])
		}
	}
	if current == "" {
		tr.t.Fatal("no key seals")
	}
	return current, others, rows
}

// vault is a gateway that holds a value of every kind that lies in the server layer: accounts, sessions, messages to
// people with and without an account, replies.
type vault struct {
	*trial
	bob   *person // signed in
	id    string  // of bob's message
	carol string  // carol's link; she never came
}

func newVault(t *testing.T) *vault {
	t.Helper()
	v := &vault{trial: startTrial(t, "")}
	v.send(t, "alice@example.org", []string{"bob@ext.example"}, letterText("Alice <alice@example.org>", "bob@ext.example", "[secure] First", "<first@example.org>", ""))
	v.bob = v.person()
	link := v.link(v.await("bob@ext.example", "X-Postern-Origin: v1 notification"))
	message := v.bob.register(link)
	v.id = message.url[strings.LastIndex(message.url, "/")+1:]
	v.confirm(v.bob, "bob@ext.example")
	v.bob.wantStatus(http.StatusOK, v.bob.postFiles("/m/"+v.id+"/reply", [][2]string{{"text", "My answer."}}))
	v.send(t, "alice@example.org", []string{"carol@ext.example"}, letterText("Alice <alice@example.org>", "carol@ext.example", "[secure] For Carol", "<carol@example.org>", ""))
	v.carol = v.link(v.await("carol@ext.example", "X-Postern-Origin: v1 notification"))
	return v
}

// fill adds sealed messages, so that a rotation has something to do.
func (v *vault) fill(n int) {
	v.t.Helper()
	for i := range n {
		to := []string{"bob@ext.example", fmt.Sprintf("r%d@ext.example", i)}
		from := fmt.Sprintf("a%d@example.org", i/50)
		v.send(v.t, from, to, letterText(from, strings.Join(to, ", "), "[secure] Filler", fmt.Sprintf("<f%d@example.org>", i), ""))
	}
	v.waitForEmptyQueue(v.t.(*testing.T))
}

// wantAll opens everything that was there before the rotation: the session, the password, the messages, the reply, the
// link that nobody followed, the thread memory.
func (v *vault) wantAll() {
	t := v.t
	t.Helper()
	v.bob.get("/m/"+v.id).want(t, "First")
	v.bob.get("/m/"+v.id+"/text").want(t, "A few words.")
	v.bob.get("/sent").want(t, "First")
	again := v.person()
	again.wantStatus(http.StatusOK, again.signIn("bob@ext.example", goodPassword))
	again.get("/m/"+v.id).want(t, "First")
	v.person().register(v.carol).want(t, "For Carol")
	v.send(t, "alice@example.org", []string{"new@ext.example"}, letterText("Alice <alice@example.org>", "new@ext.example", "No tag", "<again@example.org>", "<first@example.org>"))
	wantParts(t, v.must("message", "trace", "<again@example.org>"), "seal, rule thread")
	wantParts(t, v.must("message", "trace", "<first@example.org>"), "bob@ext.example")
}

// TestRotateWhileRunning rotates through the socket while mail is taken, and retires the old key.
func TestRotateWhileRunning(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	old, others, rows := v.keys()
	if len(others) > 0 || rows[old] == "0" {
		t.Fatalf("keys before: %v, rows %v", others, rows)
	}
	v.refused(exitFailure, []string{"key", "retire", old}, "is the one that seals; rotate first")
	v.refused(exitFailure, []string{"key", "retire", "00000000"}, "there is no key 00000000")
	load := &crashLoad{tr: v.trial}
	stop := load.begin(2)
	wantParts(t, v.must("key", "rotate"), "seals from now on", "retire the old key")
	stop()
	current, others, rows := v.keys()
	if rows[old] != "0" { // what was under way, written behind the rotation; to rotate again completes it and adds no key
		v.must("key", "rotate")
		current, others, rows = v.keys()
	}
	if current == old || len(others) != 1 || others[0] != old || rows[old] != "0" || rows[current] == "0" {
		t.Fatalf("after the rotation %s seals, others %v, rows %v", current, others, rows)
	}
	v.refused(exitFailure, []string{"key", "retire", old}, "rotated a moment ago", "--now")
	if v.must("key", "retire", "--now", old); strings.Contains(string(readFile(t, v.keyPath())), old) {
		t.Error("a retired key is still in the file")
	}
	v.wantAll()
	v.kill()
	v.start() // the store no longer asks for the retired key
	v.bob.get("/m/"+v.id).want(t, "First")
}

// TestK16RotationKilled kills rotations at random moments, and at each of the first syncs and renames. Between them the
// store opens; the last rotation is let through, and then everything opens under its key alone (KEYS K16).
func TestK16RotationKilled(t *testing.T) {
	t.Parallel()
	strace := testneed.Program(t, "strace")
	program, err := swift()
	if err != nil {
		t.Fatal(err)
	}
	v := newVault(t)
	v.fill(150)
	if err := v.stop(); err != nil {
		t.Fatal(err)
	}
	rotate := []string{program, "key", "rotate", "--config", v.configPath()}
	began := time.Now()
	if out, err := exec.Command(rotate[0], rotate[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	whole := time.Since(began)
	killed := 0
	for _, call := range []string{"fsync", "fdatasync", "renameat"} {
		for n := 1; n <= 4; n++ {
			args := append([]string{"-f", "-o", os.DevNull, "-e", "trace=" + call, "-e", fmt.Sprintf("inject=%s:signal=KILL:when=%d", call, n)}, rotate...)
			if exec.Command(strace, args...).Run() != nil {
				killed++
			}
			v.keys()
		}
	}
	if killed < 6 {
		t.Fatalf("only %d of 12 rotations were killed", killed)
	}
	seed := uint64(time.Now().UnixNano())
	rnd := rand.New(rand.NewPCG(seed, 0))
	for range 12 {
		cmd := exec.Command(rotate[0], rotate[1:]...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(rnd.Int64N(int64(whole)))) // the moment is what is random here
		cmd.Process.Kill()
		if cmd.Wait() != nil {
			killed++
		}
		v.keys()
	}
	t.Logf("seed %d: %d of 24 rotations were killed", seed, killed)

	v.must("key", "rotate")
	current, others, rows := v.keys()
	for _, id := range others {
		if rows[id] != "0" {
			t.Errorf("%s rows name key %s", rows[id], id)
		}
		v.must("key", "retire", "--now", id)
	}
	v.start()
	v.wantAll()
	if now, others, _ := v.keys(); now != current || len(others) > 0 {
		t.Errorf("%s seals, and %v are left", now, others)
	}
}
