package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"postern/store"
)

// What makes a mail secure, and what is refused (MAIL §3, §5), through the real binary.

// withPolicy starts a gateway with a mailServer behind it.
func withPolicy(t *testing.T, policy string) (*trial, *mailServer) {
	t.Helper()
	tr := newTrial(t, policy)
	behind := tr.server("DSN", "8BITMIME")
	tr.start()
	return tr, behind
}

// refusal sends a mail that is refused, and returns the whole reply.
func (c *talk) refusal(code int, from string, to []string, raw []byte) string {
	c.t.Helper()
	c.envelope(from, to)
	return fmt.Sprintf("%d %s", code, c.data(code, raw))
}

func wantReply(t *testing.T, got, want string) {
	t.Helper()
	text, ref, ok := strings.Cut(got, " (ref ")
	if text != want || !ok || !strings.HasSuffix(ref, ")") {
		t.Errorf("the gateway answered %q, want %q with a reference", got, want)
	}
}

// TestFlaggedByTheSubject sends subjects with and without a tag, and looks at who gets the mail in clear.
func TestFlaggedByTheSubject(t *testing.T) {
	t.Parallel()
	tr, behind := withPolicy(t, "")
	c := tr.talk(t)
	for i, s := range []struct {
		subject string
		sealed  bool
	}{
		{"[secure] Plans", true}, {"AW: [ticket 7] [Secure] Plans", true}, {"Re: Plans {ENCRYPT}", true}, {"【secure】Plans", true},
		{"[secrue] Plans", true}, {"[secured] Plans", true}, {"(secure) Plans", true}, {"Plans (secure)", true},
		{"=?utf-8?Q?=5Bsec?= =?iso-8859-1?B?dXJlXQ==?= Plans", true}, {"[s\u00adecure] Plans", true}, {"[ｓｅｃｕｒｅ] Plans", true},
		{"secure Plans", false}, {"[security] Plans", false}, {"Plans (secure) and more", false}, {"[insecure] Plans", false},
	} {
		to := fmt.Sprintf("r%d@ext.example", i)
		c.mail("alice@example.org", []string{to}, letter(s.subject, fmt.Sprintf("<tag.%d@example.org>", i)))
		d := behind.await(t, to)
		if sealed := strings.Contains(string(d.raw), notification); sealed != s.sealed {
			t.Errorf("subject %q: sealed is %t, want %t", s.subject, sealed, s.sealed)
		}
		if s.sealed && strings.Contains(string(d.raw), "A few words") {
			t.Errorf("subject %q: the text left in clear", s.subject)
		}
	}
}

// TestFlaggedOptions: the tag's options count, and one that is not known refuses the message.
func TestFlaggedOptions(t *testing.T) {
	t.Parallel()
	tr, behind := withPolicy(t, "")
	c := tr.talk(t)
	unknown := "550 5.7.0 Secure message not sent: unknown option in the subject tag; known are 7d, 12h, noreply"
	for _, subject := range []string{"[secure receipt] Plans", "[secure 7days] Plans", "[secure 0d] Plans", "[secure 7d sometimes] Plans"} {
		wantReply(t, c.refusal(550, "alice@example.org", []string{bobsAddress}, letter(subject, "<option.0@example.org>")), unknown)
	}
	if len(behind.all()) != 0 {
		t.Errorf("a refused message left something:%s", behind.list())
	}
	bob := tr.person()
	first := true
	for subject, want := range map[string]struct {
		after   time.Duration
		replies bool
	}{
		"[secure 7d] Plans":               {7 * 24 * time.Hour, true},
		"[secure, 12h] Plans":             {12 * time.Hour, true},
		"[secure noreply] Plans":          {30 * 24 * time.Hour, false},
		"[secure 2d] Re: [noreply] Plans": {2 * 24 * time.Hour, true},
		"[secure noreply 3d] [7] Plans":   {3 * 24 * time.Hour, false},
	} {
		before := time.Now()
		id := queuedAs(t, c.mail("alice@example.org", []string{bobsAddress}, letter(subject, "<option@example.org>")))
		note := behind.awaitNext(t, bobsAddress, notification)
		link := tr.link(note.captured())
		if first {
			bob.register(link)
			first = false
		}
		cover := bob.wantStatus(http.StatusOK, bob.get(link))
		until := fmt.Sprintf(`datetime="%s`, before.Add(want.after).UTC().Format("2006-01-02T15:"))
		later := fmt.Sprintf(`datetime="%s`, before.Add(want.after+time.Minute).UTC().Format("2006-01-02T15:"))
		if !strings.Contains(cover.body, until) && !strings.Contains(cover.body, later) {
			t.Errorf("%s: the page does not say %s:\n%s", subject, until, cover.body)
		}
		page := bob.wantStatus(http.StatusOK, bob.post(link))
		if !strings.Contains(page.url, id) {
			t.Fatalf("%s: the link of message %s led to %s", subject, id, page.url)
		}
		if got := strings.Contains(page.body, `/reply"`); got != want.replies {
			t.Errorf("%s: a reply is offered: %t, want %t", subject, got, want.replies)
		}
		if !want.replies {
			page.want(t, "The sender has switched replies off for this message.")
			bob.postFiles(page.url+"/reply", [][2]string{{"text", "All the same"}}).without(t, "Your reply has been sent")
			if strings.Contains(note.captured().View().Text, "reply on") {
				t.Errorf("%s: the notification offers a reply:\n%s", subject, note.captured().View().Text)
			}
		}
	}
	for _, d := range behind.all() {
		if strings.Contains(string(d.raw), "All the same") {
			t.Errorf("a reply went out though replies were switched off")
		}
	}
}

// TestFlaggedOneOfSeveral: a rule refuses one recipient. The others go on, and the sender gets 250 and a report; with a
// null sender nobody could get the report, so all is refused (MAIL §4, 5.2).
func TestFlaggedOneOfSeveral(t *testing.T) {
	t.Parallel()
	tr, behind := withPolicy(t, `policy: {rules: [{name: bank, match: {to: ["*@bank.example"]}, action: reject, reason: "The bank takes no mail from us."}]}
`)
	c := tr.talk(t)
	said := "550 5.7.1 Secure message not sent: The bank takes no mail from us."
	three := []string{bobsAddress, "teller@bank.example", "carol@example.org"}
	c.mail("alice@example.org", three, letter("[secure] Plans", "<some.1@example.org>"))
	behind.await(t, bobsAddress, notification)
	behind.await(t, "carol@example.org", "A few words")
	report := behind.await(t, "alice@example.org", "report-type=delivery-status")
	isReport(t, report, "\r\nFinal-Recipient: rfc822; teller@bank.example\r\n", "\r\nAction: failed\r\n", "\r\nStatus: 5.7.1\r\n")
	if !strings.Contains(strings.Join(strings.Fields(string(report.raw)), " "), "The bank takes no mail from us.") || strings.Contains(string(report.raw), bobsAddress+"\r\nAction") {
		t.Errorf("the report does not give the reason for the one recipient:\n%s", report.raw)
	}
	wantReply(t, c.refusal(550, "alice@example.org", []string{"teller@bank.example"}, letter("[secure] Plans", "<some.2@example.org>")), said)
	wantReply(t, c.refusal(550, "", three, letter("[secure] Plans", "<some.3@example.org>")), said)
	wantReply(t, c.refusal(550, "alice@example.org", []string{"teller@bank.example"}, letter("Plans", "<some.4@example.org>")), "550 5.7.1 Message not sent: The bank takes no mail from us.")
	c.mail("alice@example.org", []string{bobsAddress, "teller@bank.example NOTIFY=NEVER"}, letter("[secure] Plans", "<some.5@example.org>"))
	tr.wantTrace(t, "<some.5@example.org>", "teller@bank.example", "refused", "notified")
	tr.waitForEmptyQueue(t)
	if n := strings.Count(behind.list(), "to [<alice@example.org>"); n != 1 {
		t.Errorf("Alice got %d reports, want one:%s", n, behind.list())
	}
}

// TestFlaggedAuthors: only an author of the organisation can have mail sealed; who else flags is refused, not relayed in
// clear (MAIL 1.7, 3.7).
func TestFlaggedAuthors(t *testing.T) {
	t.Parallel()
	tr, behind := withPolicy(t, "")
	c := tr.talk(t)
	flagged := func(from string) []byte {
		return []byte(from + "To: bob@ext.example\r\nSubject: [secure] Plans\r\nMessage-ID: <author@example.org>\r\n\r\nA few words.\r\n")
	}
	foreign := "550 5.7.1 Secure message not sent: the From address is not of this organisation"
	none := "550 5.6.0 Secure message not sent: it must have exactly one From address"
	for from, want := range map[string]string{
		"From: partner@other.example\r\n":                         foreign,
		"From: \"alice@example.org\" <partner@other.example>\r\n": foreign,
		"From: alice@sub.example.org\r\n":                         foreign,
		"":                                                        none,
		"From: alice@example.org, dave@example.org\r\n":         none,
		"From: alice@example.org\r\nFrom: dave@example.org\r\n": none,
	} {
		wantReply(t, c.refusal(550, "alice@example.org", []string{bobsAddress}, flagged(from)), want)
	}
	wantReply(t, c.refusal(550, "alice@example.org", []string{"bob@[192.0.2.1]"}, flagged("From: alice@example.org\r\n")), "550 5.1.3 Secure message not sent: this address cannot receive secure mail")
	if len(behind.all()) != 0 {
		t.Errorf("a refused message left something:%s", behind.list())
	}
}

// TestFlaggedThread: an answer in a sealed conversation is sealed without a tag, for whoever it goes to; what a foreign
// author answers is not (MAIL 3.6).
func TestFlaggedThread(t *testing.T) {
	t.Parallel()
	tr, behind := withPolicy(t, "")
	c := tr.talk(t)
	c.mail("alice@example.org", []string{bobsAddress}, letter("[secure] Plans", "<talk.1@example.org>"))
	noteID := headerOf(t, behind.await(t, bobsAddress, notification).raw).Get("Message-Id")
	answer := func(from, to, subject, parent string) delivery {
		c.mail(from, []string{to}, letterText(from, to, subject, "<"+strings.ReplaceAll(to, "@", ".")+"@example.org>", parent))
		return behind.await(t, to)
	}
	for to, parent := range map[string]string{"new1@ext.example": "<talk.1@example.org>", "new2@ext.example": noteID} {
		if d := answer("dave@example.org", to, "Re: Plans", parent); !strings.Contains(string(d.raw), notification) {
			t.Errorf("a colleague's answer to %s left in clear:\n%s", parent, d.raw)
		}
	}
	if d := answer("alice@example.org", "new3@ext.example", "Re: Plans", "<other.1@example.org>"); strings.Contains(string(d.raw), notification) {
		t.Error("an answer to another mail was sealed")
	}
	if d := answer("bob@ext.example", "alice@example.org", "Re: Plans", "<talk.1@example.org>"); !strings.Contains(string(d.raw), "A few words") {
		t.Error("Bob's own answer from outside did not reach Alice")
	}
	wantReply(t, c.refusal(550, "bob@ext.example", []string{"carol@ext.example"}, letterText(bobsAddress, "carol@ext.example", "Re: Plans", "<out.1@ext.example>", "<talk.1@example.org>")),
		"550 5.7.1 Secure message not sent: the From address is not of this organisation")
}

// TestFlaggedByRules: rules come before the tag; a trigger header seals; sensitivity only by a rule (MAIL 3.1, 3.7, 3.8).
func TestFlaggedByRules(t *testing.T) {
	t.Parallel()
	tr, behind := withPolicy(t, `policy:
  trigger_headers: ["X-Secure: yes"]
  rules:
    - {name: archive, match: {to: [journal@archive.example]}, action: relay, even_if_flagged: true}
    - {name: careless, match: {to: ["*@careless.example"]}, action: relay}
    - {name: bank, match: {to: ["*@bank.example"]}, action: seal, reason: "Mail to the bank is always sealed.", options: {expire: 3d, noreply: true}}
    - {name: private, match: {sensitivity: [company-confidential]}, action: seal}
`)
	c := tr.talk(t)
	for i, s := range []struct {
		to, subject, field string
		sealed             bool
		rule               string
	}{
		{"journal@archive.example", "[secure] Plans", "", false, "archive"},
		{"x@careless.example", "Plans", "", false, "careless"},
		{"y@careless.example", "[secure] Plans", "", true, "tag"},
		{"z@bank.example", "Plans", "", true, "bank"},
		{"h@ext.example", "Plans", "X-SECURE: Yes\r\n", true, "header"},
		{"i@ext.example", "Plans", "X-Secure: no\r\n", false, "default"},
		{"j@ext.example", "Plans", "Sensitivity: Company-Confidential\r\n", true, "private"},
		{"k@ext.example", "Plans", "Sensitivity: Private\r\n", false, "default"},
	} {
		id := fmt.Sprintf("<rule.%d@example.org>", i)
		raw := append([]byte(s.field), letterText("alice@example.org", s.to, s.subject, id, "")...)
		c.mail("alice@example.org", []string{s.to}, raw)
		if sealed := strings.Contains(string(behind.await(t, s.to).raw), notification); sealed != s.sealed {
			t.Errorf("%s, %q %q: sealed is %t, want %t", s.to, s.subject, s.field, sealed, s.sealed)
		}
		tr.wantTrace(t, id, "rule "+s.rule)
	}
}

// TestFlaggedByTheUninvited: with senders: invited only those who have access may send secure mail (B2); everybody may
// send ordinary mail. A disabled recipient gets ordinary mail too, but no secure one.
func TestFlaggedByTheUninvited(t *testing.T) {
	t.Parallel()
	tr, behind := withPolicy(t, `policy: {rules: [{name: staff, match: {header: ["X-Staff"]}, action: seal, internal: true}]}
`)
	tr.talk(t).mail("dave@example.org", []string{"alice@example.org"}, append([]byte("X-Staff: yes\r\n"), letter("Welcome", "<in.1@example.org>")...))
	alice := tr.person()
	alice.register(tr.link(behind.await(t, "alice@example.org", notification).captured())).want(t, "Welcome")
	carol := tr.person()
	tr.talk(t).mail("dave@example.org", []string{"carol@example.org"}, append([]byte("X-Staff: yes\r\n"), letter("Welcome", "<in.0@example.org>")...))
	carol.register(tr.link(behind.await(t, "carol@example.org", notification).captured())).want(t, "Welcome")
	tr.extra = "policy: {senders: invited}\n"
	tr.offline(t, func(ctx context.Context, g *gateway) { makeMember(t, ctx, g, "alice@example.org") })

	c := tr.talk(t)
	uninvited := "550 5.7.1 Secure message not sent: your address is not enabled for secure mail. Contact ICT Desk, 01632 960 626"
	eves := func(subject string) []byte {
		return letterText("eve@example.org", bobsAddress, subject, "<in.2@example.org>", "")
	}
	wantReply(t, c.refusal(550, "eve@example.org", []string{bobsAddress}, eves("[secure] Plans")), uninvited)
	c.mail("eve@example.org", []string{bobsAddress}, eves("Plans"))
	behind.await(t, bobsAddress, "A few words")
	// Whoever only registered to read is not invited.
	wantReply(t, c.refusal(550, "carol@example.org", []string{bobsAddress}, letterText("carol@example.org", bobsAddress, "[secure] Plans", "<in.8@example.org>", "")), uninvited)
	c.mail("alice@example.org", []string{bobsAddress}, letter("[secure] Plans", "<in.3@example.org>"))
	bob := tr.person()
	bob.register(tr.link(behind.await(t, bobsAddress, notification).captured())).want(t, "Plans")

	tr.userSwitch(t, "disable", bobsAddress)
	wantReply(t, c.refusal(550, "alice@example.org", []string{bobsAddress}, letter("[secure] More", "<in.4@example.org>")),
		"550 5.2.1 Secure message not sent: this recipient is disabled here. Contact ICT Desk, 01632 960 626")
	c.mail("alice@example.org", []string{bobsAddress}, letter("Ordinary", "<in.5@example.org>"))
	behind.await(t, bobsAddress, "Subject: Ordinary")
	tr.userSwitch(t, "enable", bobsAddress)
	c.mail("alice@example.org", []string{bobsAddress}, letter("[secure] Again", "<in.6@example.org>"))
	tr.wantTrace(t, "<in.6@example.org>", "notified")
	tr.userSwitch(t, "disable", "alice@example.org")
	wantReply(t, c.refusal(550, "alice@example.org", []string{bobsAddress}, letter("[secure] Last", "<in.7@example.org>")), uninvited)
}

// makeMember does what an invitation will do.
func makeMember(t *testing.T, ctx context.Context, g *gateway, address store.AddressKey) {
	t.Helper()
	err := g.db.Update(ctx, func(tx store.Tx) error {
		a, err := tx.Accounts().ByAddress(address)
		if err != nil {
			return err
		}
		a.Member = true
		return tx.Accounts().Set(a)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (tr *trial) userSwitch(t *testing.T, verb, address string) {
	t.Helper()
	if out, code := tr.postern("user", verb, address); code != 0 {
		t.Fatalf("user %s %s ended with %d: %s", verb, address, code, out)
	}
}
