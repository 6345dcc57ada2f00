package main

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// TestI4ScannersChangeNothing lets programs loose on the links of a notification and a welcome mail and on the pages of
// messages: fetches of every kind, and a browser that runs scripts and presses every button. Nothing in the store
// changes but the counter of fetches, and then a person registers and reads.
func TestI4ScannersChangeNothing(t *testing.T) {
	t.Parallel()
	chromium := common.Browser(t)
	tr := startTrial(t, "")
	tr.send(t, "alice@example.org", []string{"bob@ext.example"}, letterText("Alice <alice@example.org>", "bob@ext.example", "[secure] First", "<first@example.org>", ""))
	link := tr.link(tr.notes("bob@ext.example", 1)[0])
	item := tr.itemTo("bob@ext.example")

	before := tr.settled(item, 0)
	n := tr.scanAll(tr.person(), append(messagePages(item), append(sitePages(), link, link+"?step=register", link+"?step=sign-in", link+"/not-for-me", shouted(link))...))
	robot := tr.robot(chromium)
	for _, page := range []string{link, link + "?step=register", link + "/not-for-me", "/m/" + item} {
		robot.pressAll(absolute(tr, page))
	}
	tr.wantSeen("POST", "/p/{token}", http.StatusUnprocessableEntity)
	tr.wantSeen("POST", "/p/{token}/not-for-me", http.StatusUnprocessableEntity)
	tr.wantSeen("POST", "/sign-in", http.StatusForbidden)
	tr.settled(item, n)
	tr.wantUnchanged(before, "a scanner that found the link")
	tr.wantShown(item, "state notified", "link fetched")

	bob := tr.person()
	bob.register(link).want(t, "First")
	welcome := tr.welcomeOf("bob@ext.example")
	tr.send(t, "alice@example.org", []string{"bob@ext.example"}, letterText("Alice <alice@example.org>", "bob@ext.example", "[secure] Second", "<second@example.org>", ""))
	second := tr.link(tr.notes("bob@ext.example", 2)[0])
	unread := tr.itemTo("bob@ext.example")

	before = tr.settled(unread, 0)
	pages := append(messagePages(item), append(messagePages(unread), append(sitePages(), welcome, welcome+"?answer=me", welcome+"?answer=not-me&sure=yes", second, second+"/not-for-me")...)...)
	n = tr.scanAll(tr.person(), pages)
	for _, page := range []string{welcome, second + "?step=sign-in", second + "/not-for-me"} {
		robot.pressAll(page)
	}
	tr.wantSeen("POST", "/w/{token}", http.StatusUnprocessableEntity)
	tr.wantSeen("POST", "/w/{token}", http.StatusOK) // "it was me", which leads to the sign-in page
	// A browser that fetches ahead does so with its owner's cookies.
	n += tr.scanAll(bob, append(messagePages(unread), append(sitePages(), welcome, second, second+"/not-for-me")...))
	tr.settled(unread, n)
	tr.wantUnchanged(before, "a scanner that found the mails of an account")
	tr.wantShown(unread, "state notified", "link fetched")

	bob.get("/m/"+item).want(t, "First") // still signed in
	bob.wantStatus(http.StatusOK, bob.post(welcome, "answer", "me")).want(t, "Your account is confirmed")
	bob.wantStatus(http.StatusOK, bob.post(second)).want(t, "Second")
	tr.wantShown(unread, "state opened", "link fetched")
}

// shouted is a link whose token some program wrote in capitals.
func shouted(link string) string {
	i := strings.LastIndexByte(link, '/') + 1
	return link[:i] + strings.ToUpper(link[i:])
}

func absolute(tr *trial, page string) string {
	if strings.HasPrefix(page, "/") {
		return "http://" + tr.site + page
	}
	return page
}

// scanAll fetches all pages, and says how many of the fetches count as such.
func (tr *trial) scanAll(p *person, pages []string) (counted int) {
	for _, page := range pages {
		p.scan(page)
		if strings.HasPrefix(page, "http://"+tr.site+"/p/") && !strings.HasSuffix(page, "/not-for-me") {
			counted += 2 * len(robotHeaders) // GET and HEAD
		}
	}
	return counted
}

// itemTo is the item of the newest message to an address.
func (tr *trial) itemTo(address string) string {
	tr.t.Helper()
	m := regexp.MustCompile(`Recipient\s+\S+ \((\S+)\)`).FindStringSubmatch(tr.cli("message", "trace", address))
	if m == nil {
		tr.t.Fatalf("no message to %s", address)
	}
	return m[1]
}

var fetchCount = regexp.MustCompile(`link fetched\s+(\d+) times`)

// settled waits until at least so many fetches are counted, and is the state of the store then.
func (tr *trial) settled(item string, fetches int) map[string]string {
	tr.t.Helper()
	tr.waitForEmptyQueue(tr.t)
	waitUntil(tr.t, fmt.Sprintf("%d fetches are counted", fetches), func() bool {
		n := 0
		if m := fetchCount.FindStringSubmatch(tr.cli("message", "show", item)); m != nil {
			fmt.Sscan(m[1], &n)
		}
		return n >= fetches
	})
	return recordsOf(tr.t, tr.freeze())
}

// wantShown wants texts in what the command line tells of a message; runs of blanks count as one.
func (tr *trial) wantShown(item string, texts ...string) {
	tr.t.Helper()
	shown := strings.Join(strings.Fields(tr.cli("message", "show", item)), " ")
	for _, text := range texts {
		if !strings.Contains(shown, text) {
			tr.t.Errorf("of message %s %q is not shown:\n%s", item, text, shown)
		}
	}
}

// wantSeen makes sure that a request was answered so; else a robot did not do its work.
func (tr *trial) wantSeen(method, route string, status int) {
	tr.t.Helper()
	want := []string{fmt.Sprintf("%q:%q", "method", method), fmt.Sprintf("%q:%q", "route", route), fmt.Sprintf("%q:%d", "status", status)}
	for line := range strings.Lines(tr.log.String()) {
		if strings.Contains(line, want[0]) && strings.Contains(line, want[1]) && strings.Contains(line, want[2]) {
			return
		}
	}
	tr.t.Errorf("no %s of %s was answered with %d", method, route, status)
}

// welcomeOf waits for the welcome mail to an address and is its link.
func (tr *trial) welcomeOf(address string) string {
	tr.t.Helper()
	prefix := "http://" + tr.site + "/w/"
	return linkIn(tr.await(address, prefix).View().Text, prefix)
}
