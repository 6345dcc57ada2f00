package main

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
)

const (
	refusal = "Invalid username, password or permissions. Please check you are using the correct URL."
	secrets = "the heron waits under the old bridge" // stands in the message alone
)

// TestAccessA9A12C1C4 tries every way to a message without the right to it, at a real gateway. It ends with the one who
// has the right.
func TestAccessA9A12C1C4(t *testing.T) {
	t.Parallel()
	tr := startTrial(t, "")
	link := func(to, id string) string {
		tr.send(t, "alice@example.org", []string{to}, letterText("Alice <alice@example.org>", to, "[secure] "+secrets, "<"+id+"@example.org>", ""))
		return tr.link(tr.notes(to, 1)[0])
	}
	toBob, toCarol := link("bob@ext.example", "access.1"), link("carol@ext.example", "access.2")
	bob, carol := tr.person(), tr.person()
	message := bob.register(toBob).want(t, secrets).url
	carol.register(toCarol)

	t.Run("C1", func(t *testing.T) { wantOneRefusal(t, tr, toBob) })
	t.Run("A9", func(t *testing.T) {
		for _, path := range []string{"", "/text", "/print", "/message.eml", "/part/1", "/reply"} {
			stranger := tr.person()
			page := stranger.wantStatus(http.StatusOK, stranger.get(message+path)).want(t, `name="password"`, "<h1>").without(t, secrets)
			if !strings.Contains(page.url, "/sign-in?to=") {
				t.Errorf("%s without a session led to %s", path, page.url)
			}
		}
		stranger := tr.person()
		page := stranger.get(message)
		to := regexp.MustCompile(`name="to" value="([^"]+)"`).FindStringSubmatch(page.body)
		if to == nil {
			t.Fatalf("the sign-in page forgets where to lead:\n%s", page.body)
		}
		back := stranger.post("/sign-in", "email", "bob@ext.example", "password", goodPassword, "to", to[1])
		if back.want(t, secrets).url != message {
			t.Errorf("sign-in led to %s, not back to the message", back.url)
		}
	})
	t.Run("A12", func(t *testing.T) {
		for name, fields := range map[string][]string{
			toBob:      {"step", "sign-in", "password", goodPassword},
			"/sign-in": {"email", "bob@ext.example", "password", goodPassword, "to", strings.TrimPrefix(message, bob.site)},
		} {
			forgetful := tr.person()
			forgetful.http.Jar = nil
			forgetful.wantStatus(http.StatusOK, forgetful.post(name, fields...)).want(t, "<h1>Cookies are required</h1>", "How to allow them").without(t, secrets)
		}
	})
	t.Run("C4", func(t *testing.T) {
		for _, path := range []string{toBob, message, message + "/text", message + "/print", message + "/message.eml", message + "/part/1", message + "/reply"} {
			carol.wantStatus(http.StatusForbidden, carol.get(path)).want(t, refusal).without(t, secrets)
		}
		for _, path := range []string{toBob, message + "/open"} {
			carol.wantStatus(http.StatusForbidden, carol.post(path)).want(t, refusal).without(t, secrets)
		}
	})
	bob.wantStatus(http.StatusOK, bob.get(message)).want(t, secrets)
}

// wantOneRefusal wants the same page, but for facts that the visitor brought, from every sign-in that fails.
func wantOneRefusal(t *testing.T, tr *trial, link string) {
	brought := regexp.MustCompile(`[A-Z2-7]{4}-[A-Z2-7]{4}|[a-z]+@ext\.example|\d\d:\d\d:\d\d`)
	first := ""
	for _, try := range [][2]string{{"bob@ext.example", "wrong"}, {"nobody@ext.example", goodPassword}, {"carol@ext.example", "animals"}, {"bob@ext.example", ""}} {
		p := tr.person()
		page := p.wantStatus(http.StatusForbidden, p.signIn(try[0], try[1])).want(t, "<strong>"+refusal+"</strong>")
		if page.header.Get("Set-Cookie") != "" {
			t.Errorf("a refusal of %s sets a cookie", try[0])
		}
		body := brought.ReplaceAllString(page.body, "*")
		if first == "" {
			first = body
		}
		if body != first {
			t.Errorf("%s with password %q sees another page than a wrong password:\n%s", try[0], try[1], page.body)
		}
	}
	p := tr.person()
	p.wantStatus(http.StatusForbidden, p.post(link, "step", "sign-in", "password", "wrong")).want(t, "<strong>"+refusal+"</strong>").without(t, secrets)
}

// TestA11SentAgainOpensNormally: when a message was taken back, its sender sends it once more as it was, and its
// recipient opens that one.
func TestA11SentAgainOpensNormally(t *testing.T) {
	t.Parallel()
	tr := startTrial(t, "")
	letter := letterText("Alice <alice@example.org>", "bob@ext.example", "[secure] "+secrets, "<again@example.org>", "")
	tr.send(t, "alice@example.org", []string{"bob@ext.example"}, letter)
	old := tr.link(tr.notes("bob@ext.example", 1)[0])
	id, _, _ := strings.Cut(tr.itemTo("bob@ext.example"), ".")
	tr.must("message", "recall", id, "--yes")
	tr.send(t, "alice@example.org", []string{"bob@ext.example"}, letter)
	again := tr.link(tr.notes("bob@ext.example", 2)[0])
	if again == old {
		t.Fatal("both notifications have the same link")
	}
	bob := tr.person()
	bob.wantStatus(http.StatusGone, bob.get(old)).without(t, secrets)
	bob.register(again).want(t, secrets, "A few words.")
}
