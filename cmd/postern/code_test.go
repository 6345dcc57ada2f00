package main

import (
	"bytes"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"postern/store/seal"
)

// byCode makes people without account read with mailed codes. Who comes from 127.0.0.1 may say for whom.
func (tr *trial) byCode() {
	tr.also(func(config string) string {
		return strings.Replace(config, "pickup: {", `pickup: {first_access: code, trusted_proxies: ["127.0.0.0/8"], `, 1)
	})
}

// from makes a person come from an address of her own.
func (p *person) from(ip string) *person {
	p.http.Transport = forwarded{ip}
	return p
}

type forwarded struct{ ip string }

// RoundTrip implements http.RoundTripper.
func (f forwarded) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("X-Forwarded-For", f.ip)
	return http.DefaultTransport.RoundTrip(r)
}

var codeLine = regexp.MustCompile(`(?m)^ +(\d{8})\r?$`)

// codes are all that were mailed to an address so far.
func (tr *trial) codes(to string) (list []string) {
	for _, m := range tr.capture.Mails() {
		if c := codeLine.FindStringSubmatch(m.View().Text); c != nil && m.To[0] == to && bytes.Contains(m.Raw, []byte("X-Postern-Origin: v1 code")) {
			list = append(list, c[1])
		}
	}
	return list
}

// askCode asks for a code on the page of a link and waits for its mail.
func (p *person) askCode(tr *trial, link, address string) string {
	p.t.Helper()
	before := tr.codes(address)
	p.wantStatus(http.StatusOK, p.post(link, "step", "send")).want(p.t, "Type the code from your mail")
	code := ""
	waitUntil(p.t, "a code reaches "+address, func() bool {
		for _, c := range tr.codes(address) {
			if !slices.Contains(before, c) {
				code = c
			}
		}
		return code != ""
	})
	return code
}

// TestI4ScannersOfCodesChangeNothing lets the robots of TestI4ScannersChangeNothing loose where codes are mailed. They
// cause a few mails, open nothing, and leave the recipient enough codes.
func TestI4ScannersOfCodesChangeNothing(t *testing.T) {
	t.Parallel()
	chromium := common.Browser(t)
	tr := newTrial(t, "")
	tr.byCode()
	tr.start()
	tr.send(t, "alice@example.org", []string{"bob@ext.example"}, letterText("Alice <alice@example.org>", "bob@ext.example", "[secure] First", "<first@example.org>", ""))
	link := tr.link(tr.notes("bob@ext.example", 1)[0])
	item := tr.itemTo("bob@ext.example")
	before := tr.settled(item, 0)
	n := tr.scanAll(tr.person(), append(messagePages(item), append(sitePages(), link, link+"?step=code", link+"?step=send", link+"/not-for-me", shouted(link))...))
	robot := tr.robot(chromium)
	for _, page := range []string{link, link + "?step=code", link + "/not-for-me"} {
		robot.pressAll(page)
	}
	for range 4 {
		tr.person().post(link, "step", "send")
	}
	tr.wantSeen("POST", "/p/{token}", http.StatusSeeOther)
	tr.wantSeen("POST", "/p/{token}", http.StatusTooManyRequests)
	after := tr.settled(item, n)
	for _, c := range changed(before, after) {
		bucket, _, _ := strings.Cut(c, " ")
		switch bucket {
		case "tokens", "i_token_of", "i_token_end", "i_token_hold": // of the codes
		case "a_message", "a_what", "tally": // of the events that say that they were mailed
		case "audit":
			if !strings.Contains(c, `"message.delivered"`) || !strings.Contains(c, `"kind":"code"`) {
				t.Errorf("a scanner that pressed the buttons is on record: %s", c)
			}
		default:
			t.Errorf("a scanner that pressed the buttons changed a record: %s", c)
		}
	}
	if n := len(tr.codes("bob@ext.example")); n == 0 || n > 3 {
		t.Errorf("the scanner caused %d mails, want 1 to 3", n)
	}
	tr.wantShown(item, "state notified", "link fetched")

	bob := tr.person().from("192.0.2.7")
	code := bob.askCode(tr, link, "bob@ext.example")
	bob.wantStatus(http.StatusOK, bob.post(link, "step", "code", "code", code)).want(t, "First", "A few words.")
	tr.wantShown(item, "state opened")
}

// TestI3BlindnessOfCodes copies the data folder while a code waits in the queue, while it may be typed, while the message
// is read with it, after it was answered, and after the queue keys of the hour were destroyed. Whoever has all copies
// and all server keys opens nothing; the codes, which the server key shows, open nothing either (KEYS K16). The link
// does, and the cookie of the visit, which carries it.
func TestI3BlindnessOfCodes(t *testing.T) {
	t.Parallel()
	b := newBlindRun(t)
	if err := b.tr.stop(); err != nil {
		t.Fatal(err)
	}
	b.tr.byCode()
	b.tr.start()
	b.hop.shut.Store(false)
	b.send("read", "bob@ext.example", "[secure]", 1)
	b.send("unread", "bob@ext.example", "[secure]", 1)
	first := b.tr.link(b.tr.notes("bob@ext.example", 2)[0])
	b.tr.waitForEmptyQueue(t)
	b.bob = b.tr.person()
	b.hop.shut.Store(true)
	b.bob.wantStatus(http.StatusOK, b.bob.post(first, "step", "send"))
	asked := b.tr.freeze()
	b.hop.shut.Store(false)
	waitUntil(t, "a code reaches bob", func() bool { return len(b.tr.codes("bob@ext.example")) == 1 })
	b.tr.waitForEmptyQueue(t)
	mailed := b.tr.freeze()
	code := b.tr.codes("bob@ext.example")[0]
	page := b.bob.wantStatus(http.StatusOK, b.bob.post(first, "step", "code", "code", code))
	b.first = "read"
	if strings.Contains(page.body, b.text["unread"]) {
		b.first = "unread"
	}
	path, _, _ := strings.Cut(strings.TrimPrefix(page.url, b.bob.site), "?")
	b.text["reply"] = word("reply")
	b.bob.wantStatus(http.StatusOK, b.bob.postFiles(path+"/reply", [][2]string{{"text", b.text["reply"]}})).want(t, b.text["reply"])
	b.tr.await("alice@example.org", b.text["reply"])
	b.tr.waitForEmptyQueue(t)
	read := b.tr.freeze()
	site, err := url.Parse(b.bob.site)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range b.bob.http.Jar.Cookies(site) {
		if c.Name == "postern" {
			b.cookie = c.Value
		}
	}
	quiet := b.afterTheHour()

	a := newAttack(lootOf(t, asked, mailed, read, quiet))
	a.takeKeys(t, asked, "server.key").takeKeys(t, quiet, "queue.ring").deep()
	codes := 0
	for _, l := range a.layers {
		if l.ctx[0] == "code" {
			codes++
			a.guessAll(bytes.Repeat(l.inner, 4), false)
			if string(l.inner) != code {
				t.Errorf("a code under the server key is %q, mailed was %s", l.inner, code)
			}
		}
	}
	a.spend()
	if codes == 0 || len(a.visitors) == 0 || a.dead > 0 {
		t.Errorf("the attack found %d codes, %d addresses of visits and %d values that it does not know", codes, len(a.visitors), a.dead)
	}
	if gains := a.gains(); gains != "" {
		t.Errorf("with all copies and all server keys opens: %s", gains)
	}
	link, err := seal.ParseToken(seal.TokenPickup, first)
	if err != nil {
		t.Fatal(err)
	}
	cookie, err := seal.ParseSessionToken(b.cookie)
	if err != nil {
		t.Fatal(err)
	}
	b.wantOpen("the link", a.with(func(a *attack) { a.guessAll(link[:], false) }), b.first, "reply")
	b.wantOpen("the cookie of the visit", a.with(func(a *attack) { a.guessAll(cookie[:], false) }), b.first, "reply")
}
