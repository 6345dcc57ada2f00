package main

import (
	"errors"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
)

// bothWays runs a test twice: its commands reach a running server by its socket, and the store of one that has stopped.
// between is called where the server is to be there or not.
func bothWays(t *testing.T, test func(t *testing.T, tr *trial, away, back func())) {
	t.Parallel()
	for name, running := range map[string]bool{"through the socket": true, "without a server": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := newTrial(t, "")
			away := func() {
				if err := tr.stop(); err != nil {
					t.Fatal(err)
				}
			}
			back := tr.start
			if running {
				away, back = func() {}, func() {}
			}
			test(t, tr, away, back)
		})
	}
}

func TestQueueCommands(t *testing.T) {
	bothWays(t, func(t *testing.T, tr *trial, away, back func()) {
		far := tr.abroad()
		tr.start()
		tr.send(t, "alice@example.org", []string{"bob@ext.example"}, letterText("alice@example.org", "bob@ext.example", "Hello", "<hello@example.org>", ""))
		tr.send(t, "alice@example.org", []string{"carol@ext.example"}, letterText("alice@example.org", "carol@ext.example", "[secure] Plans", "<plans@example.org>", ""))
		eventually(t, "the next hop was tried", func() bool { return strings.Contains(tr.must("queue", "list"), "connection refused") })
		if list := tr.must("queue", "list"); strings.Count(list, "its next hop does not answer") != 2 {
			t.Errorf("the list does not say why mail waits:\n%s", list)
		}
		away()

		bob, carol := tr.itemOf("bob@ext.example"), tr.itemOf("carol@ext.example")
		list := tr.must("queue", "list", "EXT.example")
		wantParts(t, list, bob, carol, " relay ", " notification ", "alice@example.org", "2 waiting in all\n")
		if strings.Contains(list, "Plans") || strings.Contains(list, "Hello") {
			t.Errorf("the list shows subjects:\n%s", list)
		}
		if other := tr.must("queue", "list", "elsewhere.example"); strings.Contains(other, "@") {
			t.Errorf("items of another domain:\n%s", other)
		}
		wantParts(t, tr.must("queue", "show", strings.ToUpper(bob)), bob, "bob@ext.example", "Attempts", "refused", "Given up")

		tr.refused(exitSetup, []string{"queue", "drop", bob}, "cannot be undone", "--yes")
		wantParts(t, tr.must("queue", "drop", bob, "--yes", "--reason", "The address is misspelt."), "given up")
		wantParts(t, tr.must("message", "trace", "<hello@example.org>"), "failed since", "queue.dropped", "by socket", "reason=The address is misspelt.", "item="+bob, "kind=relay", "to=bob@ext.example")
		if tr.itemOf("bob@ext.example") != "" {
			t.Error("a dropped item is still in the queue")
		}
		gone := []string{bob + " is not in the queue"}
		tr.refused(exitFailure, []string{"queue", "drop", bob, "--yes"}, gone...)
		tr.refused(exitFailure, []string{"queue", "show", bob}, gone...)
		tr.refused(exitFailure, []string{"queue", "retry", bob}, gone...)
		tr.refused(exitSetup, []string{"queue", "retry", "bob"}, `"bob" is not an item's id`)

		far.up()
		wantParts(t, tr.must("queue", "retry", carol), "is due now")
		back()
		far.await("carol@ext.example", "X-Postern-Origin: v1 notification")
		report := tr.await("alice@example.org", "Action: failed")
		wantParts(t, string(report.Raw), "bob@ext.example", "The address is misspelt.", "<hello@example.org>")
		eventually(t, "the queue is empty", func() bool { return strings.Contains(tr.must("queue", "list"), "\n0 waiting in all\n") })
	})
}

var (
	idOf     = regexp.MustCompile(`(?m)^Message +(\S+)$`)
	itemLine = regexp.MustCompile(`(?m)^Recipient +(\S+) \((\S+)\)$`)
)

func TestMessageCommands(t *testing.T) {
	bothWays(t, func(t *testing.T, tr *trial, away, back func()) {
		tr.start()
		to := []string{"bob@ext.example", "carol@ext.example", "dave@example.org"}
		tr.send(t, "alice@example.org", to, letterText("Alice <alice@example.org>", strings.Join(to, ", "), "[secure] Plans", "<plans@example.org>", ""))
		tr.send(t, "alice@example.org", []string{"eve@ext.example"}, letterText("Alice <alice@example.org>", "eve@ext.example", "Hello", "<hello@example.org>", ""))
		links := map[string]string{}
		for _, a := range to[:2] {
			links[a] = tr.link(tr.await(a, "X-Postern-Origin: v1 notification"))
		}
		tr.await("eve@ext.example", "Subject: Hello")
		tr.waitForEmptyQueue(t)
		away()

		trace := tr.must("message", "trace", "<plans@example.org>")
		wantParts(t, trace, "alice@example.org", "bob@ext.example", "seal, rule tag", "notified", "dave@example.org", "delivered", "message.accepted")
		if strings.Contains(trace, "Plans") {
			t.Errorf("a trace shows the subject:\n%s", trace)
		}
		id := idOf.FindStringSubmatch(trace)[1]
		items := map[string]string{}
		for _, m := range itemLine.FindAllStringSubmatch(trace, -1) {
			items[m[1]] = m[2]
		}
		for _, query := range []string{id, strings.ToUpper(id), items["bob@ext.example"], "plans@example.org", "bob@ext.example", "Carol@EXT.example"} {
			if got := tr.must("message", "trace", query); !strings.HasPrefix(got, "Message") || !strings.Contains(got, id) {
				t.Errorf("trace %s:\n%s", query, got)
			}
		}
		if got := idOf.FindAllString(tr.must("message", "trace", "alice@example.org"), -1); len(got) != 2 {
			t.Errorf("trace of a sender finds %q", got)
		}
		wantParts(t, tr.must("message", "show", id), "Message     "+id, "History")
		tr.refused(exitFailure, []string{"message", "trace", "nobody@ext.example"}, "nothing is known of", "a Message-ID, an address")
		tr.refused(exitFailure, []string{"message", "trace", "06h00000000000000000000000"}, "nothing is known of")

		later := time.Now().AddDate(0, 6, 0).Format(time.DateOnly)
		wantParts(t, tr.must("message", "extend", items["bob@ext.example"], "--until", later), "is open until "+later, "for 1 recipient(s)")
		wantParts(t, tr.must("message", "extend", "<plans@example.org>", "--until", later), "for 1 recipient(s)")
		wantParts(t, tr.must("message", "extend", id, "--until", time.Now().AddDate(0, 7, 0).Format(time.DateOnly)), "for 2 recipient(s)")
		tr.refused(exitFailure, []string{"message", "extend", id, "--until", later}, "choose a day after")
		tr.refused(exitFailure, []string{"message", "extend", "<hello@example.org>", "--until", later}, "no share left", "not sealed")
		tr.refused(exitSetup, []string{"message", "extend", id, "--until", "soon"}, "is no day")

		tr.refused(exitSetup, []string{"message", "recall", id}, "cannot be undone", "--yes")
		tr.refused(exitFailure, []string{"message", "recall", "bob@ext.example", "--yes"}, "is an address")
		tr.refused(exitFailure, []string{"message", "recall", "<hello@example.org>", "--yes"}, "no share left", "not sealed")
		tr.refused(exitFailure, []string{"message", "recall", items["dave@example.org"], "--yes"}, "no recipient of a sealed message")
		tr.refused(exitFailure, []string{"message", "recall", "<none@example.org>", "--yes"}, "names 0 messages")
		wantParts(t, tr.must("message", "recall", items["bob@ext.example"], "--yes"), "from 1 recipient(s)")
		tr.refused(exitFailure, []string{"message", "recall", items["bob@ext.example"], "--yes"}, "recalled")
		wantParts(t, tr.must("message", "trace", id), "message.recalled", "by socket")
		back()
		tr.person().get(links["bob@ext.example"]).without(t, `name="password"`)
		carol := tr.person()
		carol.register(links["carol@ext.example"]).want(t, "Plans")
		away()
		wantParts(t, tr.must("message", "recall", "<plans@example.org>", "--yes"), "from 1 recipient(s)")
		tr.refused(exitFailure, []string{"message", "recall", id, "--yes"}, "every share has ended")
		back()
		carol.get("/m/"+items["carol@ext.example"]).without(t, "A few words")
		carol.get("/").without(t, "Plans")
	})
}

func TestUserCommands(t *testing.T) {
	bothWays(t, func(t *testing.T, tr *trial, away, back func()) {
		tr.start()
		flagged := letterText("Alice <alice@example.org>", "bob@ext.example", "[secure] Plans", "<plans@example.org>", "")
		tr.send(t, "alice@example.org", []string{"bob@ext.example"}, flagged)
		bob := tr.person()
		message := bob.register(tr.link(tr.await("bob@ext.example", "X-Postern-Origin: v1 notification")))
		tr.waitForEmptyQueue(t)
		away()

		for _, args := range [][]string{{"user", "list"}, {"user", "list", "active"}} {
			wantParts(t, tr.must(args...), "bob@ext.example  active")
		}
		if got := tr.must("user", "list", "disabled"); strings.Contains(got, "@") {
			t.Errorf("disabled users:\n%s", got)
		}
		wantParts(t, tr.must("user", "change", "bob@ext.example", "--name", "Bob Baker"), "bob@ext.example is a guest.")
		wantParts(t, tr.must("user", "list", "--search", "bak", "--class", "guest"), "bob@ext.example  active  guest", "Bob Baker")
		tr.refused(exitFailure, []string{"user", "change", "bob@ext.example", "--class", "member"}, "no domain of the organisation")
		wantParts(t, tr.must("audit", "list", "--actor", "socket", "--since", "1h"), "account.changed", "bob@ext.example", "name=changed")
		wantParts(t, tr.must("audit", "export", "--user", "bob@ext.example", "--format", "json"), `"what":"account.changed"`, `"what":"account.registered"`)
		tr.refused(exitSetup, []string{"audit", "list", "--since", "yesterday"}, "--since", "7d")
		wantParts(t, tr.must("audit", "list", "--event", "account"), "account.changed")
		for _, x := range [][3]string{
			{"message list --state foo", `"foo"`, "queued, delivered, notified"}, {"message list --action relay", `"relay"`, "seal, reject"},
			{"user list --class boss", `"boss"`, "member, guest"}, {"user list foo", `"foo"`, "active, invited, disabled"},
			{"audit list --event accounts.", `"accounts"`, "message, account, admin"}, {"message list --limit -1", "--limit", "1 or more"},
			{"audit list --limit 0", "--limit", "1 or more"},
		} {
			if out, code := tr.postern(strings.Fields(x[0])...); code == 0 || !strings.Contains(out, x[1]) || !strings.Contains(out, x[2]) {
				t.Errorf("%s ends with %d: %s", x[0], code, out)
			}
		}
		wantParts(t, tr.must("message", "list", "--to", "bob@ext.example", "--action", "seal"), "alice@example.org", "opened")
		wantParts(t, tr.must("user", "show", "BOB@ext.example"), "bob@ext.example", "active", "Has a password", "true")
		for _, verb := range []string{"show", "disable", "enable"} {
			tr.refused(exitFailure, []string{"user", verb, "nobody@ext.example"}, "no user has the address nobody@ext.example")
			tr.refused(exitFailure, []string{"user", verb, "nobody"}, `"nobody"`)
		}
		wantParts(t, tr.must("user", "disable", "bob@ext.example"), "bob@ext.example is disabled.")
		wantParts(t, tr.must("user", "list", "disabled"), "bob@ext.example")
		tr.triesOtherRules(t)
		back()

		bob.get(message.url).want(t, `name="password"`).without(t, "Plans") // the session has ended (B6)
		refusal := tr.person().signIn("bob@ext.example", goodPassword)
		refusal.want(t, "Invalid username, password or permissions.")
		if err := tr.trySend("alice@example.org", []string{"bob@ext.example"}, flagged); status(err) != [3]int{5, 2, 1} || !strings.Contains(err.Error(), "550: Secure message not sent: this recipient is disabled here. Contact ICT Desk") {
			t.Errorf("flagged mail to a disabled user: %v", err)
		} else {
			ref := regexp.MustCompile(`\(ref ([^)]+)\)`).FindStringSubmatch(err.Error())[1]
			why := []string{"Refused", "alice@example.org", "bob@ext.example", "rule tag: The recipient is disabled here.", "message.refused", "code=550", "from=alice@example.org"}
			for _, what := range []string{ref, "alice@example.org", "bob@ext.example"} {
				wantParts(t, tr.must("message", "trace", what, "--since", "1h"), why...)
			}
			wantParts(t, tr.must("message", "list", "--state", "refused"), "alice@example.org  bob@ext.example", "reject")
			wantParts(t, tr.must("message", "list", "--action", "reject", "--to", "bob@ext.example"), "alice@example.org", "refused")
		}
		tr.send(t, "alice@example.org", []string{"bob@ext.example"}, letterText("alice@example.org", "bob@ext.example", "Ordinary", "<ordinary@example.org>", ""))
		tr.await("bob@ext.example", "Subject: Ordinary")
		tr.waitForEmptyQueue(t)
		away()
		wantParts(t, tr.must("user", "enable", "bob@ext.example"), "bob@ext.example is enabled.")
		back()
		again := tr.person()
		again.wantStatus(http.StatusOK, again.signIn("bob@ext.example", goodPassword))
		again.get(message.url).want(t, "Plans") // with all messages (B9)
	})
}

// TestAdminCommands: administrators are made, listed, given roles, switched and reset, with and without a server.
func TestAdminCommands(t *testing.T) {
	bothWays(t, func(t *testing.T, tr *trial, away, _ func()) {
		tr.start()
		away()
		link := regexp.MustCompile(`(?m)^https://console\.example\.org/n/[0-9a-z]{37}$`)
		first := link.FindString(tr.must("admin", "create", "ann@example.org"))
		again := link.FindString(tr.must("admin", "reset", "ann@example.org"))
		if first == "" || again == "" || first == again {
			t.Errorf("links %q and %q", first, again)
		}
		tr.must("admin", "create", "zoe@example.org", "--role", "auditor")
		tr.refused(exitFailure, []string{"admin", "create", "ANN@example.org"}, "an administrator already")
		tr.refused(exitFailure, []string{"admin", "create", "bob@example.org", "--role", "king"}, "helpdesk")
		tr.must("admin", "role", "zoe@example.org", "helpdesk")
		tr.must("admin", "disable", "zoe@example.org")
		wantParts(t, tr.must("admin", "list"), "ann@example.org  admin     invited", "zoe@example.org  helpdesk  disabled")
		tr.must("admin", "enable", "zoe@example.org")
		wantParts(t, tr.must("admin", "list"), "zoe@example.org  helpdesk  invited")
		tr.refused(exitFailure, []string{"admin", "reset", "nobody@example.org"}, "no administrator")
		if list := tr.must("user", "list"); strings.Contains(list, "@") {
			t.Errorf("administrators are listed as users:\n%s", list)
		}
		if strings.Contains(tr.log.String(), strings.TrimPrefix(again, "https://console.example.org/n/")) {
			t.Error("the link is in the log")
		}
	})
}

func TestCommandsWithALongDataFolder(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, "")
	tr.dir = filepath.Join(tr.dir, strings.Repeat("a-long-name/", 12))
	mkdir(t, tr.dir)
	tr.start()
	wantParts(t, tr.must("queue", "list"), "0 waiting in all")
	if err := tr.stop(); err != nil {
		t.Fatal(err)
	}
	wantParts(t, tr.must("queue", "list"), "0 waiting in all")
	tr.start() // the pointer of the run before is not in the way
	wantParts(t, tr.must("key", "list"), "true")
	tr.kill()
	wantParts(t, tr.must("key", "list"), "true") // nor is the socket of one that was killed
}

// TestCommandsAfterACrash: what a killed server was delivering is no one's any more.
func TestCommandsAfterACrash(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, "")
	far := tr.abroad()
	far.hold = make(chan struct{})
	defer close(far.hold)
	far.up()
	tr.start()
	tr.send(t, "alice@example.org", []string{"bob@ext.example"}, letterText("alice@example.org", "bob@ext.example", "Hello", "<hello@example.org>", ""))
	<-far.begun
	item := tr.itemOf("bob@ext.example")
	wantParts(t, tr.must("queue", "show", item), "is being delivered now")
	tr.refused(exitFailure, []string{"queue", "retry", item}, "being delivered right now")
	tr.refused(exitFailure, []string{"queue", "drop", item, "--yes"}, "being delivered right now")
	tr.kill()
	wantParts(t, tr.must("queue", "drop", item, "--yes"), "given up")
	tr.start()
	tr.await("alice@example.org", "Action: failed")
}

// triesOtherRules: policy explain judges by the configuration that it is given, not by what a running server was started
// with, and by what that server knows: bob is disabled.
func (tr *trial) triesOtherRules(t *testing.T) {
	t.Helper()
	inForce := tr.env
	defer func() { tr.env = inForce }()
	tr.env = append(slices.Clone(inForce), "POSTERN_POLICY_TAGS=confidential")
	for subject, want := range map[string]string{
		"[confidential] Plans": "bob@ext.example: reject (rule tag)\n  The recipient is disabled here.", "[secure] Plans": "bob@ext.example: relay (rule default)",
	} {
		file := filepath.Join(tr.dir, "try.eml")
		writeFile(t, file, []byte(letterText("alice@example.org", "bob@ext.example", subject, "<try@example.org>", "")), 0o600)
		wantParts(t, tr.must("policy", "explain", file), want)
	}
}

// status is the enhanced status of a refusal.
func status(err error) [3]int {
	refusal := new(smtp.SMTPError)
	if !errors.As(err, &refusal) {
		return [3]int{}
	}
	return refusal.EnhancedCode
}
