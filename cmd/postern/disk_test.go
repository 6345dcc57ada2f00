package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"postern/cmd/testneed"
)

// smallDisk is a gateway whose data folder is a small disk of its own, which nobody else sees.
type smallDisk struct {
	*trial
	filler string
}

// newSmallDisk mounts octets of memory as the data folder, in a mount namespace of the gateway's.
func newSmallDisk(t *testing.T, octets int, minFree string) *smallDisk {
	t.Helper()
	unshare := testneed.Program(t, "unshare")
	if err := exec.Command(unshare, "-m", "mount", "-t", "tmpfs", "tmpfs", t.TempDir()).Run(); err != nil {
		testneed.Missing(t, "a small disk needs root and mount namespaces: "+err.Error())
	}
	d := &smallDisk{trial: newTrial(t, "")}
	data := d.dir + "/data"
	mkdir(t, data)
	d.retry = "200ms"
	d.wrap = []string{unshare, "-m", "sh", "-c", fmt.Sprintf(`mount -t tmpfs -o size=%d tmpfs %s && exec "$0" "$@"`, octets, data)}
	d.also(func(config string) string {
		return strings.Replace(config, "min_free: 1}", "min_free: "+minFree+"}", 1)
	})
	return d
}

// seen is a path of the data folder as the gateway sees it.
func (d *smallDisk) seen(name string) string {
	return fmt.Sprintf("/proc/%d/root%s/data/%s", d.cmd.Process.Pid, d.dir, name)
}

func (d *smallDisk) free() int64 {
	d.t.Helper()
	var fs syscall.Statfs_t
	if err := syscall.Statfs(d.seen("."), &fs); err != nil {
		d.t.Fatal(err)
	}
	return int64(fs.Bavail) * int64(fs.Bsize)
}

// fill leaves so many octets free.
func (d *smallDisk) fill(leave int64) {
	d.t.Helper()
	d.filler = d.seen("filler")
	f, err := os.OpenFile(d.filler, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		d.t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(make([]byte, max(0, d.free()-leave))); err != nil {
		d.t.Fatal(err)
	}
}

func (d *smallDisk) clear() {
	d.t.Helper()
	if err := os.Remove(d.filler); err != nil {
		d.t.Fatal(err)
	}
}

// wantFull fails unless an error is the reply of a full disk.
func wantFull(t testing.TB, err error) {
	t.Helper()
	refusal := new(smtp.SMTPError)
	if !errors.As(err, &refusal) || refusal.Code != 452 || refusal.EnhancedCode != (smtp.EnhancedCode{4, 3, 1}) || !strings.HasPrefix(refusal.Message, "Insufficient system storage (ref ") {
		t.Errorf("answered %v, want 452 4.3.1", err)
	}
}

// reader registers with a first message and returns its person and page.
func (tr *trial) reader(address string) (*person, page) {
	tr.t.Helper()
	tr.send(tr.t, "alice@example.org", []string{address}, letterText("Alice <alice@example.org>", address, "[secure] First", "<first."+address+">", ""))
	p := tr.person()
	return p, p.register(tr.link(tr.await(address, "X-Postern-Origin: v1 notification")))
}

// TestFullDiskKeepsAReserve: under store.min_free new mail and replies are turned away, while what is there is read and
// delivered; when room returns, everything goes on without a restart (MAIL 9.2).
func TestFullDiskKeepsAReserve(t *testing.T) {
	t.Parallel()
	d := newSmallDisk(t, 24<<20, "8MiB")
	far := d.abroad()
	var open atomic.Bool
	far.answer = func(string) error {
		if open.Load() {
			return nil
		}
		return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 7, 1}, Message: "Greylisted"}
	}
	far.up()
	d.start()
	carol, message := d.reader("carol@other.example")
	hello := letterText("alice@example.org", "bob@ext.example", "Hello", "<hello@example.org>", "")
	d.send(t, "alice@example.org", []string{"bob@ext.example"}, hello)

	d.fill(4 << 20)
	eventually(t, "readyz says 503", func() bool { return d.readyz() == http.StatusServiceUnavailable })
	wantFull(t, d.trySend("alice@example.org", []string{"bob@ext.example"}, hello))
	wantParts(t, d.metrics(t), "\npostern_disk_spare_bytes -")
	reply := carol.postFiles(message.url+"/reply", [][2]string{{"text", "My answer."}})
	carol.wantStatus(http.StatusServiceUnavailable, reply).want(t, "no room left on our disk", "Nothing of what was here before is lost")
	carol.get(message.url).want(t, "First")
	open.Store(true)
	far.await("bob@ext.example", "Subject: Hello")
	d.waitForEmptyQueue(t)

	d.clear()
	eventually(t, "readyz says 200", func() bool { return d.readyz() == http.StatusOK })
	d.send(t, "alice@example.org", []string{"bob@ext.example"}, letterText("alice@example.org", "bob@ext.example", "Again", "<again@example.org>", ""))
	far.await("bob@ext.example", "Subject: Again")
	carol.wantStatus(http.StatusOK, carol.postFiles(message.url+"/reply", [][2]string{{"text", "My answer."}}))
	d.await("alice@example.org", "My answer.")
}

// TestFullDiskToTheLastOctet: with no reserve the disk fills up under the engine and the bodies. Both say so, nothing
// is lost, and everything recovers.
func TestFullDiskToTheLastOctet(t *testing.T) {
	t.Parallel()
	d := newSmallDisk(t, 24<<20, "1")
	d.start()
	carol, message := d.reader("carol@other.example")
	small := letterText("alice@example.org", "bob@ext.example", "Small", "<small@example.org>", "")
	large := append(small[:len(small):len(small)], bytes.Repeat([]byte("A line of a body that fills the disk.\r\n"), 30000)...)

	d.fill(300 << 10)
	wantFull(t, d.trySend("alice@example.org", []string{"bob@ext.example"}, large))
	if left, err := filepath.Glob(d.seen("blobs/incoming/*")); err != nil || len(left) > 0 {
		t.Errorf("half a body was left: %v (%v)", left, err)
	}
	d.fill(0)
	time.Sleep(2 * roomAge) // the reading of before is too old: the test is about this disk
	wantFull(t, d.trySend("alice@example.org", []string{"bob@ext.example"}, small))
	reply := carol.postFiles(message.url+"/reply", [][2]string{{"text", "My answer."}})
	carol.wantStatus(http.StatusServiceUnavailable, reply).want(t, "no room left on our disk")
	carol.get(message.url).want(t, "First")

	d.clear()
	eventually(t, "readyz says 200", func() bool { return d.readyz() == http.StatusOK })
	d.send(t, "alice@example.org", []string{"bob@ext.example"}, large)
	d.await("bob@ext.example", "fills the disk")
	carol.wantStatus(http.StatusOK, carol.postFiles(message.url+"/reply", [][2]string{{"text", "My answer."}}))
	d.await("alice@example.org", "My answer.")
	if err := d.stop(); err != nil {
		t.Error(err)
	}
}

// failing lets system calls of the running gateway fail, as strace words it, until stop is called.
func (tr *trial) failing(inject string) (stop func()) {
	tr.t.Helper()
	call, _, _ := strings.Cut(inject, ":")
	cmd := exec.Command(testneed.Program(tr.t, "strace"), "-f", "-p", fmt.Sprint(tr.cmd.Process.Pid), "-o", os.DevNull, "-e", "trace="+call, "-e", "inject="+inject)
	said, err := cmd.StderrPipe()
	if err != nil {
		tr.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tr.t.Fatal(err)
	}
	lines := bufio.NewScanner(said)
	if !lines.Scan() || !strings.Contains(lines.Text(), "attached") {
		cmd.Process.Kill()
		testneed.Missing(tr.t, "strace may not attach here: "+lines.Text())
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for lines.Scan() {
		}
		cmd.Wait()
	}()
	return func() {
		cmd.Process.Signal(os.Interrupt) // detaches
		<-done
	}
}

func wantUnavailable(t testing.TB, err error) {
	t.Helper()
	refusal := new(smtp.SMTPError)
	if !errors.As(err, &refusal) || refusal.Code != 451 || refusal.EnhancedCode != (smtp.EnhancedCode{4, 3, 0}) || !strings.HasPrefix(refusal.Message, "Temporary local problem (ref ") {
		t.Errorf("answered %v, want 451 4.3.0", err)
	}
}

// TestStoreUnavailable: while the disk takes nothing, mail is answered 451 and readyz 503; when it does again, mail is
// taken without a restart.
func TestStoreUnavailable(t *testing.T) {
	t.Parallel()
	tr := startTrial(t, "")
	mail := letterText("alice@example.org", "bob@ext.example", "Hello", "<hello@example.org>", "")
	stop := tr.failing("fdatasync:error=EIO")
	err := tr.trySend("alice@example.org", []string{"bob@ext.example"}, mail)
	wantUnavailable(t, err)
	if got := tr.readyz(); got != http.StatusServiceUnavailable {
		t.Errorf("readyz says %d", got)
	}
	ref := err.Error()[strings.LastIndex(err.Error(), " ")+1 : len(err.Error())-1]
	wantParts(t, tr.log.String(), `"level":"ERROR","event":"refuse"`, ref, "input/output error")
	stop()
	eventually(t, "readyz says 200", func() bool { return tr.readyz() == http.StatusOK })
	tr.send(t, "alice@example.org", []string{"bob@ext.example"}, mail)
	tr.await("bob@ext.example", "Subject: Hello")
}

// TestStoreInDoubt: a commit that may or may not have happened is answered 451, and nothing more is written until a
// restart has found out (ARCHITECTURE 1.2). The message then exists once or not at all, and the client sends it again.
func TestStoreInDoubt(t *testing.T) {
	t.Parallel()
	tr := startTrial(t, "")
	carol, message := tr.reader("carol@other.example")
	tr.waitForEmptyQueue(t)
	mail := letterText("alice@example.org", "bob@ext.example", "Hello", "<hello@example.org>", "")
	stop := tr.failing("fdatasync:error=EIO:when=2+2") // of the two syncs of a commit, the one behind the decision
	for range 5 {
		wantUnavailable(t, tr.trySend("alice@example.org", []string{"bob@ext.example"}, mail))
		if tr.readyz() != http.StatusOK {
			break
		}
	}
	stop()
	wantUnavailable(t, tr.trySend("alice@example.org", []string{"bob@ext.example"}, mail))
	if got := tr.readyz(); got != http.StatusServiceUnavailable {
		t.Errorf("readyz says %d after a commit in doubt", got)
	}
	wantParts(t, tr.log.String(), "writing stops until restart")
	carol.get(message.url).want(t, "First") // reading goes on
	reply := carol.postFiles(message.url+"/reply", [][2]string{{"text", "My answer."}})
	carol.wantStatus(http.StatusServiceUnavailable, reply).want(t, "The site is not ready at the moment")
	if err := tr.stop(); err != nil {
		t.Errorf("ended with %v", err)
	}
	tr.start()
	tr.send(t, "alice@example.org", []string{"bob@ext.example"}, mail)
	tr.await("bob@ext.example", "Subject: Hello")
	carol.wantStatus(http.StatusOK, carol.postFiles(message.url+"/reply", [][2]string{{"text", "My answer."}}))
}
