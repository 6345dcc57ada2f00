package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"postern/cmd/testneed"
)

// postfixMain and postfixMaster are a Postfix in a folder of its own, which submits on one port and hands everything to
// the capture. What docs/getting-started.md says comes behind it.
const postfixMain = `compatibility_level = 3.6
queue_directory = %[1]s/queue
data_directory = %[1]s/data
mail_owner = postfix
myhostname = mail.example.org
mydestination =
local_recipient_maps =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
relayhost = %[2]s
disable_dns_lookups = yes
smtpd_peername_lookup = no
smtpd_tls_security_level = none
smtp_dns_support_level = disabled
in_flow_delay = 0
alias_maps =
alias_database =
maillog_file =
`

const postfixMaster = `pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
`

// TestGuideWithPostfix sets up Postfix and Postern by the words of docs/getting-started.md and sends as people do: what
// is ordinary leaves through Postfix as it was written, what is flagged is sealed, and its answer comes back.
func TestGuideWithPostfix(t *testing.T) {
	t.Parallel()
	g := newGuided(t)
	var letters [][]byte
	for i, subject := range []string{"Ordinary", "Grüße, ungekürzt"} {
		raw := letterText("Alice <alice@example.org>", "bob@ext.example", subject, fmt.Sprintf("<guide.%d@example.org>", i), "")
		raw = append(raw, "Übergröße: "+strings.Repeat("ä", 400)+"\r\n.\r\n..dots\r\n   trailing blanks   \r\n"...)
		letters = append(letters, raw)
		g.submit(raw)
	}
	g.submit(letterText("Alice <alice@example.org>", "carol@ext.example", "[secure] "+secrets, "<guide.9@example.org>", ""))
	for i, raw := range letters {
		if got := g.await("bob@ext.example", fmt.Sprintf("<guide.%d@example.org>", i)); !bytes.HasSuffix(got.Raw, raw) {
			t.Errorf("a mail was changed on its way:\n%q\nwas\n%q", got.Raw, raw)
		}
	}
	note := g.await("carol@ext.example", "X-Postern-Origin: v1 notification")
	carol := g.person()
	page := carol.register(g.link(note)).want(t, secrets)
	path, _, _ := strings.Cut(strings.TrimPrefix(page.url, carol.site), "?")
	carol.wantStatus(http.StatusOK, carol.postFiles(path+"/reply", [][2]string{{"text", "Tuesday it is."}}))
	g.await("alice@example.org", "Tuesday it is.")
	g.waitForEmptyQueue(t)
	for _, m := range g.capture.Mails() {
		if bytes.Contains(m.Raw, []byte(secrets)) && m.To[0] != "alice@example.org" {
			t.Errorf("the flagged mail left in clear:\n%s", m.Raw)
		}
	}
}

// guidedPostfix is a gateway behind a Postfix, both as the guide says.
type guidedPostfix struct {
	*trial
	dir        string
	submission string
	back       string // where Postfix takes back what the gateway has seen
}

func newGuided(t *testing.T) *guidedPostfix {
	t.Helper()
	program := testneed.Program(t, "postfix")
	if os.Getuid() != 0 {
		testneed.Missing(t, "Postfix needs root to start")
	}
	g := &guidedPostfix{trial: newTrial(t, ""), dir: t.TempDir(), submission: freeAddr(t), back: freeAddr(t)}
	text, err := os.ReadFile("../../docs/getting-started.md")
	if err != nil {
		t.Fatal(err)
	}
	guide := string(text)
	g.edit = func(string) string { return g.gateway(guide) }
	g.writePostfix(guide)
	postfix := func(verb string) {
		if out, err := exec.CommandContext(context.WithoutCancel(t.Context()), program, "-c", g.dir+"/conf", verb).CombinedOutput(); err != nil {
			t.Errorf("postfix %s: %v\n%s", verb, err, out)
		}
	}
	postfix("start")
	t.Cleanup(func() { postfix("stop") })
	g.start()
	waitUntil(t, "Postfix listens", func() bool {
		conn, err := net.Dial("tcp", g.submission)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	return g
}

// gateway is the guide's configuration of Postern, on the addresses of the test.
func (g *guidedPostfix) gateway(guide string) string {
	g.t.Helper()
	_, rest, _ := strings.Cut(guide, "```yaml\n")
	yaml, _, ok := strings.Cut(rest, "```")
	if !ok {
		g.t.Fatal("the guide has no configuration")
	}
	yaml = strings.NewReplacer("/var/lib/postern", filepath.Join(g.trial.dir, "data"), "127.0.0.1:10025", g.smtp, "127.0.0.1:10026", g.back,
		"127.0.0.1:8080", g.site, "https://secure-mail.example.org", "http://"+g.site).Replace(yaml)
	return yaml + fmt.Sprintf("ops: {listen: %q}\nadmin: {listen: \"\"}\nlog: {level: debug, format: json}\n", g.ops)
}

// writePostfix writes Postfix's two files, with what the guide adds.
func (g *guidedPostfix) writePostfix(guide string) {
	t := g.t
	t.Helper()
	g.makeFolders()
	_, rest, _ := strings.Cut(guide, "\n    submission inet")
	added, _, ok := strings.Cut("    submission inet"+rest, "\n\n`disable_mime")
	if !ok {
		t.Fatal("the guide does not say what to add to master.cf")
	}
	master := postfixMaster
	for line := range strings.Lines(added + "\n") {
		if rest, ok := strings.CutPrefix(line, "    "); ok && !strings.Contains(rest, "...") {
			master += rest
		}
	}
	bracketed := func(addr string) string { return "[127.0.0.1]:" + strings.TrimPrefix(addr, "127.0.0.1:") }
	master = strings.NewReplacer("submission inet", g.submission+" inet", "[127.0.0.1]:10025", bracketed(g.smtp), "127.0.0.1:10026", g.back).Replace(master)
	writeFile(t, g.dir+"/conf/main.cf", fmt.Appendf(nil, postfixMain, g.dir, bracketed(g.next)), 0o644)
	writeFile(t, g.dir+"/conf/master.cf", []byte(master), 0o644)
}

// makeFolders makes Postfix's folders, which its own user has to reach.
func (g *guidedPostfix) makeFolders() {
	t := g.t
	t.Helper()
	owner, err := user.Lookup("postfix")
	if err != nil {
		t.Fatal(err)
	}
	uid, _ := strconv.Atoi(owner.Uid) // numbers on Linux
	gid, _ := strconv.Atoi(owner.Gid)
	open := []string{g.dir, filepath.Dir(g.dir)} // both are the test's own
	for _, name := range []string{"conf", "queue", "data"} {
		mkdir(t, filepath.Join(g.dir, name))
		open = append(open, filepath.Join(g.dir, name))
	}
	for _, dir := range open {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chown(filepath.Join(g.dir, "data"), uid, gid); err != nil {
		t.Fatal(err)
	}
}

// submit sends as a mail program does, through Postfix.
func (g *guidedPostfix) submit(raw []byte) {
	g.t.Helper()
	to := headerOf(g.t, raw).Get("To")
	through := *g.trial
	through.smtp = g.submission
	if err := through.trySend("alice@example.org", []string{to}, raw); err != nil {
		g.t.Fatal(err)
	}
}
