package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"postern/cmd/internal/config"
	"postern/store"
	"postern/store/seal"
)

// lines reads the JSON log of the gateway.
func (tr *trial) lines() (lines []map[string]any) {
	tr.t.Helper()
	for dec := json.NewDecoder(strings.NewReader(tr.log.String())); ; {
		var line map[string]any
		err := dec.Decode(&line)
		if errors.Is(err, io.EOF) {
			return lines
		}
		if err != nil {
			tr.t.Fatalf("the log is not JSON: %v\n%s", err, tr.log)
		}
		lines = append(lines, line)
	}
}

// eventFields are the fields of each kind of line (MAIL 10.1).
var eventFields = map[string][]string{
	"connect":  {"conn", "listener", "client_ip", "source", "rdns", "helo", "tls", "tls_cipher", "client_cert"},
	"accept":   {"conn", "msg", "message_id", "from", "author", "size", "rcpts", "body", "smtputf8", "envid", "auth_user", "code", "enhanced", "took_ms"},
	"refuse":   {"conn", "code", "enhanced", "ref"},
	"decision": {"conn", "msg", "to", "orcpt", "action", "rule", "reason"},
	"attempt": {"msg", "to", "item", "kind", "attempt", "route", "relay", "relay_ip", "tls", "tls_verified", "code", "enhanced", "reply",
		"delay", "delays", "result"},
	"state": {"msg", "to", "item", "state_from", "state_to", "by"},
}

// walk sends mail of every fate: sealed, opened, answered, relayed, refused by us, refused and put off by others.
func (tr *trial) walk(far *farServer) {
	t := tr.t
	t.Helper()
	far.answer = func(to string) error {
		switch {
		case strings.HasPrefix(to, "refused"):
			return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "<" + to + ">: no such user, see https://ext.example/?who=" + strings.Replace(to, "@", "%40", 1)}
		case strings.HasPrefix(to, "greylisted"):
			return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 7, 1}, Message: "later, " + to}
		}
		return nil
	}
	far.up()
	tr.start()
	send := func(to, subject, id string) error {
		return tr.trySend("wombat@example.org", []string{to}, letterText("Wanda <wombat@example.org>", to, subject, id, ""))
	}
	for _, m := range [][3]string{
		{"marmoset@ext.example", "[secure] Plans", "<sealed@example.org>"}, {"ocelot@ext.example", "Hello", "<relayed@example.org>"},
		{"refused.okapi@ext.example", "Hello", "<refused@example.org>"}, {"greylisted.tapir@ext.example", "Hello", "<grey@example.org>"},
	} {
		if err := send(m[0], m[1], m[2]); err != nil {
			t.Fatal(err)
		}
	}
	if send("marmoset@ext.example", "[secure paperclip] Plans", "<option@example.org>") == nil {
		t.Fatal("an unknown option was accepted")
	}
	d := tr.dialogue()
	d.say("EHLO mail.example.org", "250")
	d.say("MAIL FROM:<wombat@example.org> ENVID=env-1", "250")
	d.say("RCPT TO:<ocelot@ext.example> ORCPT=rfc822;pangolin@ext.example", "250")
	d.say(`RCPT TO:<"quo ted"@ext.example>`, "553")
	d.say("DATA", "354")
	d.write(string(letterText("wombat@example.org", "pangolin@ext.example", "Hello", "<orcpt@example.org>", "")))
	d.say(".", "250")
	d.say("QUIT", "221")
	marmoset := tr.person()
	message := marmoset.register(linkIn(far.await("marmoset@ext.example", "v1 notification").View().Text, "http://"+tr.site+"/p/"))
	tr.person().signIn("marmoset@ext.example", "wrong password for marmoset")
	marmoset.postFiles(message.url+"/reply", [][2]string{{"text", "My answer."}})
	tr.await("wombat@example.org", "My answer.")
	tr.await("wombat@example.org", "Action: failed")
	eventually(t, "the greylisted one was tried", func() bool { return strings.Contains(tr.log.String(), "later, ") })
}

// TestLogFields holds the lines of a run to MAIL 10.1.
func TestLogFields(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, "")
	tr.walk(tr.abroad())
	moment := regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`)
	seen := map[string]bool{}
	moves := map[string]bool{}
	for _, line := range tr.lines() {
		event, _ := line["event"].(string)
		seen[event] = true
		if at, _ := line["time"].(string); !moment.MatchString(at) {
			t.Errorf("time %v in %v", line["time"], line)
		}
		if event == "" {
			t.Errorf("a line without event: %v", line)
		}
		if id, ok := line["msg"].(string); ok {
			if _, err := store.ParseMessageID(strings.Split(id, ".")[0]); err != nil {
				t.Errorf("msg is %q in %v", id, line)
			}
		}
		for _, field := range eventFields[event] {
			if _, ok := line[field]; !ok {
				t.Errorf("a line of %s lacks %s: %v", event, field, line)
			}
		}
		if event == "state" {
			moves[line["state_from"].(string)+" "+line["state_to"].(string)+" "+line["by"].(string)] = true
		}
		for key, value := range line {
			if text, ok := value.(string); ok && slices.Contains([]string{"next_attempt", "until", "not_after"}, key) && !moment.MatchString(text) {
				t.Errorf("%s is %q", key, text)
			}
		}
	}
	for event := range eventFields {
		if !seen[event] {
			t.Errorf("no line of %s", event)
		}
	}
	for _, move := range []string{"queued notified system", "notified opened recipient", "queued delivered system", "queued failed system"} {
		if !moves[move] {
			t.Errorf("no line tells of %s: %v", move, moves)
		}
	}
	text := tr.log.String()
	wantParts(t, text, `"message_id":"<sealed@example.org>"`, `"orcpt":"rfc822;pangolin@ext.example"`, `"envid":"env-1"`, `"author":"wombat@example.org"`)
	for _, secret := range []string{"Plans", "paperclip", "A few words", "My answer", "wrong password", goodPassword, "/p/1"} {
		if strings.Contains(text, secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
}

// TestLogHidesAddresses: with log.addresses hashed no local part is anywhere in the log, not in what other servers
// answered either; and one address is always spelled in one way, across restarts too.
func TestLogHidesAddresses(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, "")
	far := tr.abroad()
	tr.also(func(config string) string {
		return strings.Replace(config, "format: json}", "format: json, addresses: hashed}", 1)
	})
	tr.walk(far)
	if err := tr.stop(); err != nil {
		t.Fatal(err)
	}
	tr.start()
	tr.send(t, "wombat@example.org", []string{"ocelot@ext.example"}, letterText("wombat@example.org", "ocelot@ext.example", "Hello", "<later@example.org>", ""))
	tr.waitForAttempts(3)
	text := strings.ToLower(tr.log.String())
	for _, local := range []string{"wombat", "marmoset", "ocelot", "okapi", "tapir", "pangolin", "quo ted"} {
		if i := strings.Index(text, local); i >= 0 {
			t.Errorf("the log holds the local part %s:\n%s", local, text[max(0, i-400):min(len(text), i+200)])
		}
	}
	wantParts(t, text, "no such user", "@ext.example", "@example.org")
	spelt := map[string]bool{}
	for _, line := range tr.lines() {
		if from, _ := line["from"].(string); from != "" {
			spelt[from] = true
		}
	}
	delete(spelt, "securemail@example.org")
	if len(spelt) != 1 {
		t.Errorf("one sender is spelt in %d ways: %v", len(spelt), spelt)
	}
}

// waitForAttempts waits until so many deliveries to ext.example have been logged as sent.
func (tr *trial) waitForAttempts(n int) {
	tr.t.Helper()
	eventually(tr.t, "deliveries are logged", func() bool {
		sent := 0
		for _, line := range tr.lines() {
			if to, _ := line["to"].(string); line["event"] == "attempt" && line["result"] == "sent" && strings.HasSuffix(to, "@ext.example") {
				sent++
			}
		}
		return sent >= n
	})
}

func TestHider(t *testing.T) {
	t.Parallel()
	h := &hider{}
	if got := h.text("to bob@ext.example"); got != "to h-@ext.example" {
		t.Errorf("before the key is there: %q", got)
	}
	h.use(seal.MACKey{1})
	bob := h.address(store.Address{Local: "Bob", Domain: "EXT.example"})
	if !regexp.MustCompile(`^h-[0-9a-z]{16}@ext\.example$`).MatchString(bob) {
		t.Fatalf("spelt %q", bob)
	}
	for _, c := range [][2]string{
		{"bob@ext.example", bob}, {"<BOB@ext.example>:", "<" + strings.Split(bob, "@")[0] + "@ext.example>:"}, {bob, bob}, {"see " + bob + ", later", "see " + bob + ", later"},
		{"no address", "no address"}, {"50% at @home", "50% at @home"}, {"?who=", "?who="},
	} {
		if got := h.text(c[0]); got != c[1] {
			t.Errorf("%q became %q, want %q", c[0], got, c[1])
		}
	}
	for _, text := range []string{
		`"john doe"@ext.example`, "o'brien@ext.example", "rfc822;bob@ext.example", "bob%40ext.example", "utf-8;büro@ext.example", "<bob@ext.example>,<carol@ext.example>",
		"bob@[192.0.2.1]", "mailto:bob@ext.example", "h-bob@ext.example", "h-0123456789abcdef0@ext.example", "error: dial bob@ext.example: refused",
	} {
		if got := h.text(text); regexp.MustCompile(`john|doe|brien|bob|carol|büro|abcdef0`).MatchString(got) {
			t.Errorf("%q became %q", text, got)
		}
	}
	other := &hider{}
	other.use(seal.MACKey{2})
	if other.text("bob@ext.example") == bob {
		t.Error("two folders spell an address alike")
	}
}

// TestLogShapes checks what the handler does to single values.
func TestLogShapes(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	log := newLog(config.Log{Level: "info", Format: "json", Addresses: "hashed"}, &b)
	log.Debug("not shown")
	log.With("listener", "site").Info("certificate", "not_after", time.Date(2026, 3, 2, 10, 0, 0, 1e6, time.FixedZone("", 3600)))
	log.Info("words", "event", "named", "took", 1234567*time.Microsecond, "error", errors.New("send to bob@ext.example"))
	log.Warn("", "event", "bare", slog.Group("g", "to", "bob@ext.example"))
	got := regexp.MustCompile(`"time":"[^"]*",`).ReplaceAllString(b.String(), "")
	want := `{"level":"INFO","listener":"site","event":"certificate","not_after":"2026-03-02T09:00:00.001Z"}
{"level":"INFO","event":"named","text":"words","took":1.235,"error":"send to h-@ext.example"}
{"level":"WARN","event":"bare","g":{"to":"h-@ext.example"}}
`
	if got != want {
		t.Errorf("lines are\n%s\nwant\n%s", got, want)
	}
}
