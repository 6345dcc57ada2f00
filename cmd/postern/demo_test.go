package main

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"postern/cmd/browser"
	"postern/cmd/testneed"
)

// demoRun is "postern demo" as a process, with a folder of its own for temporary files.
type demoRun struct {
	t      testing.TB
	ports  demoPorts
	temp   string
	out    *lockedBuffer
	cmd    *exec.Cmd
	exited chan error
}

// startDemo runs the demo on free ports and waits until it has said what to do next.
func startDemo(t testing.TB) *demoRun {
	t.Helper()
	d := &demoRun{
		t: t, ports: demoPorts{smtp: freeAddr(t), site: freeAddr(t), console: freeAddr(t), outbox: freeAddr(t)}, temp: t.TempDir(), out: &lockedBuffer{},
		exited: make(chan error, 1),
	}
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	d.cmd = exec.Command(path, "demo", "--smtp", d.ports.smtp, "--http", d.ports.site, "--console", d.ports.console, "--outbox", d.ports.outbox)
	d.cmd.Env = append(os.Environ(), "TMPDIR="+d.temp)
	d.cmd.Stdout, d.cmd.Stderr = d.out, d.out
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { d.exited <- d.cmd.Wait() }()
	t.Cleanup(func() { d.cmd.Process.Kill() })
	d.wait("the demo says what to do next", func() bool { return strings.Contains(d.out.String(), "Ctrl-C stops") })
	return d
}

// wait waits until something holds, or the demo ends.
func (d *demoRun) wait(what string, holds func() bool) {
	d.t.Helper()
	deadline := time.After(time.Minute)
	for !holds() {
		select {
		case err := <-d.exited:
			d.t.Fatalf("%s: the demo ended: %v\n%s", what, err, d.out)
		case <-deadline:
			d.t.Fatalf("%s: not within a minute\n%s", what, d.out)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// outbox reads a page of captured mail.
func (d *demoRun) outbox(path string) page {
	d.t.Helper()
	p := &person{t: d.t, http: http.DefaultClient, site: "http://" + d.ports.outbox}
	return p.get(path)
}

// link is the one that the demo printed.
func (d *demoRun) link() string {
	d.t.Helper()
	link := regexp.MustCompile(`http://\S+/p/\w+`).FindString(d.out.String())
	if link == "" {
		d.t.Fatalf("the demo printed no link:\n%s", d.out)
	}
	return link
}

// TestDemoNeedsNothing follows the demo as somebody does who tries Postern for the first time.
func TestDemoNeedsNothing(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	if left, err := os.ReadDir(d.temp); err != nil || len(left) != 1 {
		t.Fatalf("the demo keeps %v (%v), want one folder", left, err)
	}
	first := d.wantMails("/", 2).want(t, "Notification", "Relayed untouched", "joan.hartley@mail.example")
	joan := newPerson(t, "http://"+d.ports.site)
	joan.get(d.link()).want(t, "joan.hartley@mail.example")
	message := joan.register(d.link()).want(t, "Maria Lindqvist")
	id := message.url[strings.LastIndex(message.url, "/")+1:]
	joan.wantStatus(http.StatusOK, joan.postFiles("/m/"+id+"/reply", [][2]string{{"text", "Thank you, Maria."}}))
	d.wait("the reply is in the outbox", func() bool { return strings.Contains(d.outbox("/").body, "Reply from the site") })
	d.checkViews(first)

	setUp := regexp.MustCompile(`(?m)^\s+(http://` + regexp.QuoteMeta(d.ports.console) + `/n/[0-9a-z]{37})$`).FindStringSubmatch(d.out.String())
	if setUp == nil {
		t.Fatalf("no link to the console:\n%s", d.out)
	}
	newPerson(t, "http://"+d.ports.console).get(setUp[1]).want(t, "Set up your access", "you@example.org")

	swaks := testneed.Program(t, "swaks")
	command := regexp.MustCompile(`(?m)^\s+swaks (.*)$`).FindStringSubmatch(d.out.String())
	if command == nil {
		t.Fatalf("no line to send another mail:\n%s", d.out)
	}
	if out, err := exec.Command("sh", "-c", swaks+" "+command[1]).CombinedOutput(); err != nil {
		t.Fatalf("the printed line does not work: %v\n%s", err, out)
	}
	d.wait("its notification is in the outbox", func() bool { return strings.Contains(d.outbox("/").body, "friend@mail.example") })
	d.stop()
}

// wantMails waits until so many mails were captured.
func (d *demoRun) wantMails(path string, n int) page {
	d.t.Helper()
	d.wait("captured mails", func() bool { return strings.Count(d.outbox(path).body, `<li><a href="/mail/`) >= n })
	return d.outbox(path)
}

// checkViews looks at one mail in every way that the outbox offers.
func (d *demoRun) checkViews(list page) {
	t := d.t
	t.Helper()
	note := regexp.MustCompile(`/mail/(\d+)"[^>]*><span class="who">[^<]*</span> <span class="at">[^<]*</span> <span class="what">[^<]*</span> <span class="kind">Notification`).FindStringSubmatch(list.body)
	if note == nil {
		t.Fatalf("no notification in the list:\n%s", list.body)
	}
	mail := "/mail/" + note[1]
	d.outbox(mail+"?view=html").want(t, `src="`+mail+`/html"`)
	html := d.outbox(mail+"/html").want(t, "/p/")
	if policy := html.header.Get("Content-Security-Policy"); !strings.Contains(policy, "sandbox") || !strings.Contains(policy, "default-src 'none'") {
		t.Errorf("a mail may do too much: %s", policy)
	}
	d.outbox(mail+"?view=text").want(t, d.link())
	d.outbox(mail+"?view=source").want(t, "X-Postern-Origin: v1 notification", "Content-Type: multipart/alternative")
	d.outbox(mail+"?view=headers").want(t, "X-Postern-Origin: v1 notification").without(t, d.link())
	eml := d.outbox(mail+"/message.eml").want(t, "X-Postern-Origin: v1 notification")
	if d := eml.header.Get("Content-Disposition"); !strings.HasPrefix(d, "attachment") {
		t.Errorf("Content-Disposition: %s", d)
	}
	for _, path := range []string{"/mail/999", "/mail/x", "/mail/999/html", "/mail/0/message.eml", "/nothing"} {
		if got := d.outbox(path); got.status != http.StatusNotFound {
			t.Errorf("%s answers %d", path, got.status)
		}
	}
}

// stop ends the demo as Ctrl-C does, and checks that nothing stays.
func (d *demoRun) stop() {
	d.t.Helper()
	d.cmd.Process.Signal(syscall.SIGINT)
	select {
	case err := <-d.exited:
		if err != nil {
			d.t.Errorf("the demo ended with %v\n%s", err, d.out)
		}
	case <-time.After(30 * time.Second):
		d.t.Fatalf("the demo does not end\n%s", d.out)
	}
	if left, err := os.ReadDir(d.temp); err != nil || len(left) > 0 {
		d.t.Errorf("the demo left %v behind (%v)", left, err)
	}
}

func newPerson(t testing.TB, site string) *person {
	t.Helper()
	p := (&trial{t: t}).person()
	p.site = site
	return p
}

// TestDemoWordsWhatIsWrong: a port in use, or an address that is none, is one sentence that names the flag.
func TestDemoWordsWhatIsWrong(t *testing.T) {
	t.Parallel()
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	temp := t.TempDir()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	for _, flag := range []string{"--smtp", "--http", "--console", "--outbox"} {
		for addr, want := range map[string]string{
			busy.Addr().String(): "postern: " + flag + ": " + busy.Addr().String() + " is in use by another program\n",
			"8080":               `postern: ` + flag + `: "8080" is not address:port such as 127.0.0.1:8080` + "\n",
		} {
			args := []string{"demo"}
			for _, other := range []string{"--smtp", "--http", "--console", "--outbox"} {
				if other != flag {
					args = append(args, other, freeAddr(t))
				}
			}
			cmd := exec.CommandContext(t.Context(), path, append(args, flag, addr)...)
			cmd.Env = append(os.Environ(), "TMPDIR="+temp)
			out, err := cmd.CombinedOutput()
			if exitCode(err) != exitSetup || string(out) != want {
				t.Errorf("%s %s: %v\n%s", flag, addr, err, out)
			}
		}
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v (%v)", left, err)
	}
}

// exitCode is the code of a process that ended.
func exitCode(err error) int {
	if err == nil {
		return 0
	}
	if exit, ok := err.(*exec.ExitError); ok {
		return exit.ExitCode()
	}
	return -1
}

// TestDemoOutboxInABrowser looks at the page of captured mail on a desk, a telephone and at night (B15).
func TestDemoOutboxInABrowser(t *testing.T) {
	t.Parallel()
	b := common.Browser(t)
	d := startDemo(t)
	d.wantMails("/", 2)
	home := "http://" + d.ports.outbox
	tab := b.Tab(t)
	for name, screen := range map[string]browser.Viewport{"1280": browser.Desk, "375": browser.Phone, "1280-dark": browser.Night} {
		tab.View(screen)
		for _, view := range []string{"html", "text", "source", "headers"} {
			tab.Go(home + "/mail/" + d.newest() + "?view=" + view)
			tab.Axe(t)
			if wide := browser.Eval[int64](tab, "document.documentElement.scrollWidth"); wide > screen.Width {
				t.Errorf("%s, %s: the page is %d wide", name, view, wide)
			}
			tab.Screenshot("21-outbox-" + view + "-" + name)
		}
	}
	tab.NoScript()
	tab.Go(home)
	tab.Press(`nav.tabs a:nth-child(3)`)
	if path := tab.Path(); !strings.HasSuffix(path, "?view=source") {
		t.Errorf("without scripts the tab leads to %s", path)
	}
}

// newest is the number of the mail captured last.
func (d *demoRun) newest() string {
	d.t.Helper()
	m := regexp.MustCompile(`<li><a href="/mail/(\d+)"`).FindStringSubmatch(d.outbox("/").body)
	if m == nil {
		d.t.Fatal("nothing was captured")
	}
	return m[1]
}
