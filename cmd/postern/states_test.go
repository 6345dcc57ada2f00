package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"postern/cmd/internal/config"
	"postern/store"
)

// The rows of MAIL §7: what becomes of a sealed message, and what its sender hears of it.

const notification = "X-Postern-Origin: v1 notification"

// letter is a flagged letter of Alice's to Bob.
func letter(subject, id string) []byte {
	return letterText("Alice Example <alice@example.org>", bobsAddress, subject, id, "")
}

// wholeLink is a link with more of its token than a stranger may know.
var wholeLink = regexp.MustCompile(`(?i)/p/[0-9a-z]{12}`)

// isReport holds a DSN to its identity (MAIL §6) and to the fields that are wanted.
func isReport(t *testing.T, d delivery, fields ...string) {
	t.Helper()
	if d.from() != "" {
		t.Errorf("the report has MAIL FROM:%s", d.mail)
	}
	raw := string(d.raw)
	for _, want := range append([]string{
		"Content-Type: multipart/report; report-type=delivery-status;", "From: \"Mail Delivery System\" <postmaster@example.org>\r\n",
		"Auto-Submitted: auto-replied\r\n", "X-Postern-ID: ", "\r\nReporting-MTA: dns; gateway.example.org\r\n",
	}, fields...) {
		if !strings.Contains(raw, want) {
			t.Errorf("the report lacks %q", want)
		}
	}
	if strings.Contains(raw, "A few words") || wholeLink.MatchString(raw) {
		t.Error("the report holds the text or the link")
	}
	if t.Failed() {
		t.Logf("the report:\n%s", raw)
	}
}

// TestStateNotifiedIsReported: whoever asks by NOTIFY=SUCCESS hears that the notification was relayed, and no more.
func TestStateNotifiedIsReported(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, "")
	behind := tr.server("DSN")
	tr.start()
	c := tr.talk(t)
	c.mail("alice@example.org RET=FULL ENVID=QQ314159", []string{bobsAddress + " NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;Robert@ext.example"}, letter("[secure] Plans", "<ok.1@example.org>"))
	c.mail("alice@example.org", []string{"carol@ext.example NOTIFY=NEVER"}, letter("[secure] Plans", "<ok.2@example.org>"))
	report := behind.await(t, "alice@example.org", "report-type=delivery-status")
	isReport(t, report, "\r\nOriginal-Envelope-Id: QQ314159\r\n", "\r\nOriginal-Recipient: rfc822; Robert@ext.example\r\n", "\r\nFinal-Recipient: rfc822; bob@ext.example\r\n",
		"\r\nAction: relayed\r\n", "\r\nStatus: 2.", "\r\nIn-Reply-To: <ok.1@example.org>\r\n", "\r\nContent-Type: text/rfc822-headers\r\n")
	note := behind.await(t, bobsAddress, notification)
	for _, want := range []string{"RET=HDRS", "ENVID="} {
		if !strings.Contains(note.mail, want) {
			t.Errorf("the notification goes as MAIL FROM:%s, without %s", note.mail, want)
		}
	}
	if !strings.Contains(note.rcpts[0], "NOTIFY=FAILURE,DELAY") && !strings.Contains(note.rcpts[0], "NOTIFY=DELAY,FAILURE") {
		t.Errorf("the notification goes to %s", note.rcpts[0])
	}
	behind.await(t, "carol@ext.example", notification)
	tr.wantTrace(t, "<ok.2@example.org>", "notified")
	if n := len(behind.all()); n != 3 {
		t.Errorf("%d mails went out, want two notifications and a report:%s", n, behind.list())
	}
}

// wantTrace waits until the trace of a message holds every text.
func (tr *trial) wantTrace(t *testing.T, query string, texts ...string) {
	t.Helper()
	out := ""
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if out, _ = tr.postern("message", "trace", query); holds([]byte(out), texts) {
			return
		}
	}
	t.Errorf("the trace of %s lacks one of %q:\n%s", query, texts, out)
}

// TestStateNotificationRefused: a 5xx to the notification ends the recipient's share at once: the sender gets the code,
// and the link, which the refusing server has seen, opens nothing.
func TestStateNotificationRefused(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, "")
	behind := tr.server("DSN")
	refused := make(chan delivery, 1)
	behind.end = func(d delivery) string {
		if d.to()[0] != bobsAddress {
			return ""
		}
		refused <- d
		return "550 5.7.1 We do not like <" + linkIn(d.captured().View().Text, "http://"+tr.site+"/p/") + ">"
	}
	tr.start()
	c := tr.talk(t)
	c.mail("alice@example.org", []string{bobsAddress, "carol@ext.example"}, letter("[secure] Plans", "<no.1@example.org>"))
	note := <-refused
	isReport(t, behind.await(t, "alice@example.org", "report-type=delivery-status"), "\r\nFinal-Recipient: rfc822; bob@ext.example\r\n",
		"\r\nAction: failed\r\n", "\r\nStatus: 5.7.1\r\n", "\r\nRemote-MTA: dns; 127.0.0.1\r\n", "\r\nDiagnostic-Code: smtp; 550 5.7.1 We do not like")
	tr.wantTrace(t, "<no.1@example.org>", "failed", "notified")
	bob := tr.person()
	link := tr.link(note.captured())
	bob.wantStatus(http.StatusGone, bob.get(link)).want(t, "This message can no longer be opened", "The sender must send it again.")
	bob.wantStatus(http.StatusGone, bob.post(link, "step", "register", "password", goodPassword, "password2", goodPassword, "reminder", ""))
	// The other recipient is not touched.
	carol := tr.person()
	carol.register(tr.link(behind.await(t, "carol@ext.example", notification).captured())).want(t, "Plans")
}

// TestStateDelayedAndRecovered: while the next hop refuses for now, the sender hears of the delay and the notification
// waits; others are not held up. When it recovers, the notification goes.
func TestStateDelayedAndRecovered(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, "notify: {delay_notice: 1s}\n")
	tr.retry = "300ms"
	behind := tr.server("DSN")
	behind.say = func(line string) string {
		if strings.Contains(line, "<bob@ext.example>") && strings.HasPrefix(line, "RCPT") {
			return "450 4.2.2 The mailbox is full"
		}
		return ""
	}
	tr.start()
	c := tr.talk(t)
	c.mail("alice@example.org", []string{bobsAddress, "carol@ext.example"}, letter("[secure] Plans", "<late.1@example.org>"))
	carol := behind.await(t, "carol@ext.example", notification)
	report := behind.await(t, "alice@example.org", "report-type=delivery-status")
	isReport(t, report, "\r\nFinal-Recipient: rfc822; bob@ext.example\r\n", "\r\nAction: delayed\r\n", "\r\nStatus: 4.2.2\r\n",
		"\r\nDiagnostic-Code: smtp; 450 4.2.2 The mailbox is full\r\n", "\r\nWill-Retry-Until: ")
	if strings.Contains(string(report.raw), "carol") {
		t.Errorf("the report on Bob names Carol")
	}
	behind.change(nil)
	bob := behind.await(t, bobsAddress, notification)
	if tr.link(bob.captured()) == tr.link(carol.captured()) {
		t.Error("both have the same link")
	}
	tr.wantTrace(t, "<late.1@example.org>", "notified")
	if n := behind.tries(bobsAddress); n < 3 {
		t.Errorf("Bob's server was asked %d times", n)
	}
}

// TestStateNextHopDown: a next hop that does not answer delays with 4.4.1, and loses nothing.
func TestStateNextHopDown(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, "notify: {delay_notice: 1s}\n")
	tr.retry = "300ms"
	captured := tr.next
	behind := tr.server()
	tr.edit = func(yaml string) string { // reports go another way
		return strings.Replace(yaml, "{routes: [", `{routes: [{domains: [example.org], host: "`+captured+`", tls: none}, `, 1)
	}
	behind.stop()
	tr.start()
	tr.send(t, "alice@example.org", []string{bobsAddress}, letter("[secure] Plans", "<down.1@example.org>"))
	tr.retryNow(t, "connection refused")
	time.Sleep(time.Second) // the delay that is reported
	tr.retryNow(t, "connection refused")
	m := tr.await("alice@example.org", "report-type=delivery-status")
	isReport(t, delivery{mail: "<" + m.From + ">", raw: m.Raw}, "\r\nAction: delayed\r\n", "\r\nStatus: 4.4.1\r\n", "\r\nWill-Retry-Until: ")
	behind.up(t)
	tr.retryNow(t, "")
	behind.await(t, bobsAddress, notification)
}

var itemID = regexp.MustCompile(`[0-9a-z]{26}\.\d+`)

// retryNow has the one delivery that waits tried now, once the queue's list says why it waits.
func (tr *trial) retryNow(t *testing.T, why string) {
	t.Helper()
	out := ""
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		out, _ = tr.postern("queue", "list", "ext.example")
		if item := itemID.FindString(out); item != "" && strings.Contains(out, why) {
			if said, code := tr.postern("queue", "retry", item); code != 0 {
				t.Fatalf("queue retry ended with %d: %s", code, said)
			}
			return
		}
	}
	t.Fatalf("nothing waits because of %q:\n%s", why, out)
}

// TestStateGivenUp: what is not taken until the queue gives up fails with 5.4.7, and its link with it.
func TestStateGivenUp(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, "")
	tr.retry = "1h"
	behind := tr.server()
	link := make(chan string, 1)
	behind.end = func(d delivery) string {
		if d.to()[0] != bobsAddress {
			return ""
		}
		select {
		case link <- linkIn(d.captured().View().Text, "http://"+tr.site+"/p/"):
		default:
		}
		return "451 4.7.1 Not now"
	}
	tr.start()
	tr.send(t, "alice@example.org", []string{bobsAddress}, letter("[secure] Plans", "<old.1@example.org>"))
	opens := <-link
	tr.wantTrace(t, "<old.1@example.org>", "Not now")
	tr.retry = "200ms" // from the next start on: so a few attempts after it take little time
	tr.offline(t, func(ctx context.Context, g *gateway) {
		err := g.db.Update(ctx, func(tx store.Tx) error {
			items, _, err := tx.Queue().List("", "", 10)
			for i := range items { // five days later
				items[i].GiveUp = time.Now().Add(-time.Second)
				items[i].Due = items[i].GiveUp
				if err == nil {
					err = tx.Queue().Replace(items[i])
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
	isReport(t, behind.await(t, "alice@example.org", "report-type=delivery-status"), "\r\nAction: failed\r\n", "\r\nStatus: 5.4.7\r\n")
	p := tr.person()
	p.wantStatus(http.StatusGone, p.get(opens))
}

// offline stops the gateway, works on its store, and starts it again.
func (tr *trial) offline(t *testing.T, work func(ctx context.Context, g *gateway)) {
	t.Helper()
	if err := tr.stop(); err != nil {
		t.Fatal(err)
	}
	cfg, problems := config.Load(tr.configPath(), nil)
	if problems != nil {
		t.Fatal(problems)
	}
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	db, err := openStore(cfg, log)
	if err != nil {
		t.Fatal(err)
	}
	g, err := newGateway(t.Context(), cfg, db, log)
	if err != nil {
		t.Fatal(err)
	}
	work(t.Context(), g)
	if err := g.ring.Close(); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	tr.start()
}

// TestStateExpiredUnread: at its expiry a message that nobody opened is destroyed, its sender is told, and the link says
// that the sender must send it again (A10, A11). One that was opened expires in silence.
func TestStateExpiredUnread(t *testing.T) {
	t.Parallel()
	tr := startTrial(t, "")
	tr.send(t, "alice@example.org", []string{bobsAddress, "carol@ext.example"}, letter("[secure 1h] Plans", "<end.1@example.org>"))
	link := tr.link(tr.await(bobsAddress, notification))
	carol := tr.person()
	page := carol.register(tr.link(tr.await("carol@ext.example", notification)))
	carol.get("/").want(t, "Plans", "Expires today")
	tr.offline(t, func(ctx context.Context, g *gateway) {
		for _, when := range []struct {
			after time.Duration
			want  int
		}{{59 * time.Minute, 0}, {61 * time.Minute, 2}} {
			if n, err := g.messages.Expire(ctx, time.Now().Add(when.after), 100); n != when.want || err != nil {
				t.Errorf("after %v %d shares end, want %d: %v", when.after, n, when.want, err)
			}
		}
	})
	notice := tr.await("alice@example.org", "In-Reply-To: <end.1@example.org>")
	isNotice(t, notice.From, notice.Raw, "bob@ext.example")
	bob := tr.person()
	bob.wantStatus(http.StatusGone, bob.get(link)).want(t, "This message has expired", "The sender must send it again.", "alice@example.org")
	bob.wantStatus(http.StatusGone, bob.post(link, "step", "register", "password", goodPassword, "password2", goodPassword, "reminder", "")).want(t, "This message has expired")
	carol.wantStatus(http.StatusGone, carol.get(page.url)).want(t, "This message has expired").without(t, "A few words")
	carol.wantStatus(http.StatusGone, carol.get(page.url+"/message.eml"))
	carol.get("/").without(t, "Plans")
	tr.waitForEmptyQueue(t)
	for _, m := range tr.capture.Mails() {
		if m.To[0] == "alice@example.org" && bytes.Contains(m.Raw, []byte("carol@")) {
			t.Errorf("Alice is told of Carol, who had opened the message:\n%s", m.Raw)
		}
	}
}

// isNotice holds a mail to the sender to its identity; it names the recipient, and nothing of the message.
func isNotice(t *testing.T, from string, raw []byte, recipient string) {
	t.Helper()
	if from != "" {
		t.Errorf("the notice has MAIL FROM:<%s>", from)
	}
	for _, want := range []string{"<securemail@example.org>", "Auto-Submitted: auto-replied\r\n", recipient, "X-Auto-Response-Suppress: DR, RN, NRN, OOF, AutoReply\r\n"} {
		if !bytes.Contains(raw, []byte(want)) {
			t.Errorf("the notice lacks %q:\n%s", want, raw)
		}
	}
	for _, never := range []string{"Plans", "A few words", "/p/"} {
		if bytes.Contains(raw, []byte(never)) {
			t.Errorf("the notice holds %q:\n%s", never, raw)
		}
	}
}
