package main

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"postern/cmd/testneed"
)

const (
	memorySenders = 30
	heron         = "The heron stands in the shallow water and waits.\r\n"
)

// TestI8MemoryDoesNotGrowWithMessages sends thirty messages at once over slow connections, half of them sealed, and
// reads them back by as many slow readers. What the process holds in memory is bounded, and about the same for messages
// of 1 MiB and of 10 MiB; while all of them are under way no octet of them lies on disk in clear.
func TestI8MemoryDoesNotGrowWithMessages(t *testing.T) {
	if _, err := os.Stat("/proc/self/status"); err != nil {
		testneed.Missing(t, "there is no /proc to read memory from")
	}
	t.Parallel()
	small, large := memoryOf(t, 1<<20), memoryOf(t, 10<<20)
	t.Logf("peak of anonymous memory: %d MiB with messages of 1 MiB, %d MiB with 10 MiB", small>>20, large>>20)
	const limit, slack = 300 << 20, 48 << 20 // slack is what one garbage collection more or less makes
	if large > limit {
		t.Errorf("%d messages of 10 MiB take %d MiB, more than %d", memorySenders, large>>20, limit>>20)
	}
	if large > small+slack {
		t.Errorf("messages of 10 MiB take %d MiB, those of 1 MiB %d", large>>20, small>>20)
	}
}

// memoryOf runs a gateway of its own and returns the peak.
func memoryOf(t *testing.T, size int) int64 {
	t.Helper()
	plain, err := swift()
	if err != nil {
		t.Fatal(err)
	}
	tr := newTrial(t, "")
	tmp := t.TempDir()
	tr.env = []string{"TMPDIR=" + tmp}
	tr.wrap = []string{"sh", "-c", `shift; exec "` + plain + `" "$@"`, "sh"}
	behind := tr.server("SIZE 104857600")
	tr.start()
	w := watchMemory(tr.cmd.Process.Pid)
	body := append(letterText("alice@example.org", bobsAddress, "@@", "<heron@example.org>", ""), strings.Repeat(heron, size/len(heron))...)
	half := newBarrier(memorySenders, func() { checkNothingClear(t, tr, tmp) })
	var wg sync.WaitGroup
	for i := range memorySenders {
		wg.Go(func() { sendSlowly(t, tr, i, body, half) })
	}
	wg.Wait()
	var links []string
	for i := range memorySenders {
		d := behind.await(t, fmt.Sprintf("r%d@ext.example", i))
		if i%2 == 0 {
			links = append(links, tr.link(d.captured()))
		} else if !bytes.HasSuffix(d.raw, []byte(heron)) || len(d.raw) < size {
			t.Errorf("message %d arrived with %d octets", i, len(d.raw))
		}
	}
	readSlowly(t, tr, links[0], len(body))
	return w.stop()
}

// barrier holds everybody until all have come; then it runs a check, and lets them go.
type barrier struct {
	wait  sync.WaitGroup
	check func()
	once  sync.Once
}

func newBarrier(n int, check func()) *barrier {
	b := &barrier{check: check}
	b.wait.Add(n)
	return b
}

func (b *barrier) pass() {
	b.wait.Done()
	b.wait.Wait()
	b.once.Do(b.check)
}

// sendSlowly sends message i in small pieces, and waits in its middle for the others.
func sendSlowly(t *testing.T, tr *trial, i int, body []byte, half *barrier) {
	pass := sync.OnceFunc(half.pass)
	defer pass() // a sender that failed holds up nobody
	subject := "Plain"
	if i%2 == 0 {
		subject = "[secure] Sealed"
	}
	raw := bytes.Replace(body, []byte("@@"), []byte(subject), 1)
	c := tr.talk(t)
	c.envelope("alice@example.org", []string{fmt.Sprintf("r%d@ext.example", i)})
	c.say(354, "DATA")
	const piece, pause = 128 << 10, 10 * time.Millisecond
	for sent := 0; sent < len(raw); sent += piece {
		c.put(raw[sent:min(sent+piece, len(raw))])
		time.Sleep(pause)
		if sent < len(raw)/2 && sent+piece >= len(raw)/2 {
			pass()
		}
	}
	c.put([]byte(".\r\n"))
	c.expect(250)
	c.quit()
}

// readSlowly reads a message by ten connections at once.
func readSlowly(t *testing.T, tr *trial, link string, size int) {
	t.Helper()
	p := tr.person()
	page := p.register(link)
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			res, err := p.http.Do(p.request(http.MethodGet, page.url+"/message.eml", nil))
			if err != nil {
				t.Error(err)
				return
			}
			defer res.Body.Close()
			n := 0
			for buf := make([]byte, 256<<10); err == nil; time.Sleep(time.Millisecond) {
				var got int
				got, err = res.Body.Read(buf)
				n += got
			}
			if err != io.EOF || n < size {
				t.Errorf("a download broke off after %d octets: %v", n, err)
			}
		})
	}
	wg.Wait()
}

// checkNothingClear looks for the messages' text in everything that the process has written or holds open.
func checkNothingClear(t *testing.T, tr *trial, tmp string) {
	t.Helper()
	files := 0
	for _, dir := range []string{tr.dir, tmp, fmt.Sprintf("/proc/%d/fd", tr.cmd.Process.Pid)} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if info, statErr := os.Stat(path); err != nil || statErr != nil || !info.Mode().IsRegular() {
				return nil // sockets, folders, and what was closed meanwhile
			}
			data, err := os.ReadFile(path)
			if err != nil {
				return nil
			}
			files++
			if bytes.Contains(data, []byte("heron stands")) {
				t.Errorf("%s holds the messages in clear", path)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	if left, _ := os.ReadDir(tmp); len(left) > 0 {
		t.Errorf("the process uses its temporary folder: %v", left)
	}
	if files < memorySenders {
		t.Errorf("only %d files were looked at while %d messages were under way", files, memorySenders)
	}
}

// memoryWatch follows the anonymous memory of a process.
type memoryWatch struct {
	peak atomic.Int64
	end  chan struct{}
	wg   sync.WaitGroup
}

func watchMemory(pid int) *memoryWatch {
	w := &memoryWatch{end: make(chan struct{})}
	w.wg.Go(func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			w.peak.Store(max(w.peak.Load(), rssAnon(pid)))
			select {
			case <-tick.C:
			case <-w.end:
				return
			}
		}
	})
	return w
}

func (w *memoryWatch) stop() int64 {
	close(w.end)
	w.wg.Wait()
	return w.peak.Load()
}

// rssAnon is what a process holds in memory apart from mapped files, in octets.
func rssAnon(pid int) int64 {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)) // gone: 0
	_, rest, _ := strings.Cut(string(status), "\nRssAnon:")
	text, _, _ := strings.Cut(rest, "kB")
	n, _ := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	return n << 10
}
