package pickup_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/cmd/browser"
	"postern/pickup/account"
	"postern/store/mail"
)

// TestFrameShowsTheMessageWithTheSession: the frame's own request carries the session's cookie, though the sandboxed
// document has no origin; nothing that it asks for is fetched, and none of its scripts run.
func TestFrameShowsTheMessageWithTheSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	secret, _ := w.plant(joan, letter{subject: "x", text: "x", html: `<p id="hello">Hello in the frame</p><img src="` + w.server.URL + `/static/fetched-by-the-mail">` +
		`<a id="out" target="_blank" href="` + w.server.URL + `/help">help</a>`})
	tab := common.Browser(t).Tab(t)
	tab.Go(w.server.URL + linkOf(secret))
	tab.Press(".envelope .btn")
	tab.Fill("#pw", password)
	tab.Fill("#pw2", password)
	tab.Press("main .btn")
	w.waitFor("route=/m/{id}/html status=") // without a session it answers 403
	if !strings.Contains(w.log.String(), "route=/m/{id}/html status=200") {
		t.Errorf("the frame did not load:\n%s", w.log)
	}
	if origin := browser.Eval[bool](tab, `(() => { try { return document.querySelector("iframe").contentDocument === null } catch { return true } })()`); !origin {
		t.Error("the frame shares the site's origin")
	}
	tab.Screenshot("05-frame")
	if strings.Contains(w.log.String(), "route=/static/{file} status=404") {
		t.Error("the mail made the browser fetch something")
	}
}

// waitFor waits until the log has a line.
func (w *world) waitFor(line string) {
	w.t.Helper()
	const patience, pause = 20 * time.Second, 10 * time.Millisecond
	for end := time.Now().Add(patience); !strings.Contains(w.log.String(), line); time.Sleep(pause) {
		if time.Now().After(end) {
			w.t.Fatalf("the log never had %q:\n%s", line, w.log)
		}
	}
}

// TestB15EverythingWorksWithoutScript goes the whole way in a browser that runs none.
func TestB15EverythingWorksWithoutScript(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	secret, key := w.plant(joan, letter{subject: "The plan", text: "The text of the plan"})
	file := filepath.Join(t.TempDir(), "form.txt")
	must(t, os.WriteFile(file, []byte("filled in"), 0o600))
	tab := common.Browser(t).Tab(t)
	tab.NoScript()
	tab.Go(w.server.URL + linkOf(secret))
	tab.Press(".envelope .btn")
	tab.Fill("#pw", "short")
	tab.Fill("#pw2", "short")
	tab.Press("main .btn")
	if text := tab.Text(".criteria"); !strings.Contains(text, "Not yet") || strings.Contains(text, "Met") {
		t.Errorf("without script the criteria say %q", text)
	}
	tab.Fill("#pw", password)
	tab.Fill("#pw2", password)
	tab.Press("main .btn")
	if text := tab.Text("main"); !strings.Contains(text, "The text of the plan") {
		t.Errorf("the message page shows %q", text)
	}
	tab.Press(".toolbar .btn")
	tab.Fill("#text", "My answer")
	tab.Files("#add", file)
	tab.Press("main .btn")
	if text := tab.Text("main"); !strings.Contains(text, "Your reply has been sent") || !strings.Contains(tab.Text("aside"), "form.txt") {
		t.Errorf("after the reply: %q", text)
	}
	tab.Press(".topnav form button")
	if got := tab.Path(); got != "/sign-in?signed-out=1" {
		t.Errorf("after signing out the browser is at %s", got)
	}
	tab.Go(w.server.URL + "/m/" + key.String())
	tab.Fill("#email", joan.String())
	tab.Fill("#password", password)
	tab.Press("main .btn")
	if got := tab.Path(); got != "/m/"+key.String() {
		t.Errorf("after signing in again the browser is at %s", got)
	}
}

// TestC11CriteriaAreTickedWhileTyping holds the page's script against the server's rules.
func TestC11CriteriaAreTickedWhileTyping(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	secret, _ := w.plant(joan, letter{subject: "x", text: "x"})
	tab := common.Browser(t).Tab(t)
	tab.Go(w.server.URL + linkOf(secret) + "?step=register")
	if tally := browser.Eval[string](tab, `document.querySelector("[data-tally]:not(section)").textContent`); tally != "" {
		t.Errorf("before anything is typed the page says %q", tally)
	}
	for _, p := range []string{password, "short", "Marigold kettle", "marigold kettle on stairs", "HARTLEY and 1 more!", "County Hall 1234", "1234567890", "qwertyuiop",
		"Aaaaaaaaaaaaaaaaaaaaa", "Password1!", "Summer2026!!", "xK9$mQ2pLw", "Ünïcödé wörds 77", "e\u0301e\u0301e\u0301 Zwölf Boxkämpfer", "abcdefghij1A", "😀😁😂🤣😃😄😅😆😉😊", "Basketball1",
		"correct horse battery staple", strings.Repeat("Ab1! ", 60), "aB3aB3aB3aB3", "  spaces   around  9A "} {
		tab.Eval(`const set = (id, v) => { const el = document.getElementById(id); el.value = v; el.dispatchEvent(new Event("input", {bubbles: true})); };` +
			`set("pw", ` + quoted(p) + `); set("pw2", ` + quoted(p) + `)`)
		states := browser.Eval[map[string]string](tab, `Object.fromEntries([...document.querySelectorAll("[data-rule]")].map(li => [li.dataset.rule, li.className]))`)
		for _, c := range w.accounts.Criteria(p, []string{joan.String()}) {
			checkCriterion(t, p, c, states[c.ID])
		}
		if states["same"] != "met" {
			t.Errorf("%q in both fields is %q", p, states["same"])
		}
	}
	if words := browser.Eval[string](tab, `document.querySelector("[data-rule=length] .state").textContent`); words != "Met" {
		t.Errorf("the state is told in words as %q", words)
	}
}

// checkCriterion compares a tick of the script with the server. The two that the script estimates may be stricter there,
// never laxer: what is ticked on the page passes.
func checkCriterion(t *testing.T, p string, c account.Criterion, state string) {
	t.Helper()
	estimated := c.ID == account.CriterionGuess || c.ID == account.CriterionCommon
	switch {
	case state != "met" && state != "unmet":
		t.Errorf("%q: %s has neither tick nor cross", p, c.ID)
	case state == "met" && !c.Met:
		t.Errorf("%q: %s is ticked, but the server refuses it", p, c.ID)
	case state == "unmet" && c.Met && !estimated:
		t.Errorf("%q: %s is crossed, but the server takes it", p, c.ID)
	}
}

// quoted is a text as a JavaScript string.
func quoted(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic("pickup_test: a string is no JSON: " + err.Error())
	}
	return string(b)
}

func TestReplyPageWarnsBeforeTheUpload(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, _, _ := w.account(joan)
	path := w.opened(v, joan, letter{subject: "x", text: "x", from: mail.Mailbox{Name: "Maria", Address: maria.Address}})
	large := filepath.Join(t.TempDir(), "large.bin")
	must(t, os.WriteFile(large, make([]byte, 2<<20), 0o600))
	tab := common.Browser(t).Tab(t)
	tab.Go(w.server.URL + "/sign-in?to=" + path + "/reply")
	tab.Fill("#email", joan.String())
	tab.Fill("#password", password)
	tab.Press("main .btn")
	tab.Go(w.server.URL + path + "/reply")
	tab.Files("#add", large)
	const field = `document.getElementById("add")`
	if hidden := browser.Eval[bool](tab, `document.getElementById("add-w").hidden`); hidden {
		t.Error("no warning of a file that is too large")
	}
	if invalid := browser.Eval[string](tab, field+`.getAttribute("aria-invalid") + " " + `+field+`.getAttribute("aria-describedby")`); invalid != "true add-h add-w" {
		t.Errorf("the field is described as %q", invalid)
	}
	tab.Fill("#text", "With a large file")
	tab.Click("main .btn")
	if focus := browser.Eval[string](tab, `document.activeElement.id`); focus != "add" || tab.Path() != path+"/reply" {
		t.Errorf("the form was sent all the same; the focus is on %q", focus)
	}
	tab.Eval(`document.getElementById("add-w").hidden = true`) // as if there were no script
	tab.Press("main .btn")
	if text := tab.Text(".summary"); !strings.Contains(text, "The files are too large: at most 1 MB together") {
		t.Errorf("the server says %q", text)
	}
	if text := browser.Eval[string](tab, `document.getElementById("text").value`); text != "With a large file" {
		t.Errorf("the text is %q", text)
	}
	if focus := browser.Eval[string](tab, `document.activeElement.className`); focus != "summary" {
		t.Errorf("the focus is on %q", focus)
	}
}

func TestHelpFiltersWhileTyping(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tab := common.Browser(t).Tab(t)
	tab.Go(w.server.URL + "/help")
	tab.Fill("#q", "triple des")
	if found := tab.Text("[data-found]"); !strings.HasPrefix(found, "1 of ") {
		t.Errorf("the page says %q", found)
	}
	for what, css := range map[string]string{"answers": ".faq > section", "headings": ".faq > h2", "ways up": ".faq > .top", "entries of the contents": "[data-contents] li"} {
		if open := browser.Eval[int](tab, `[...document.querySelectorAll("`+css+`")].filter(s => !s.hidden).length`); open != 1 {
			t.Errorf("%d %s are shown", open, what)
		}
	}
}

// TestReplyIsNeitherLostNorSentTwice: leaving the page with a text in it asks first, and two presses send one reply.
func TestReplyIsNeitherLostNorSentTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, _, _ := w.account(joan)
	path := w.opened(v, joan, letter{subject: "x", text: "x"}) + "/reply"
	tab := common.Browser(t).Tab(t)
	tab.Go(w.server.URL + "/sign-in?to=" + path)
	tab.Fill("#email", joan.String())
	tab.Fill("#password", password)
	tab.Press("main .btn")
	tab.Go(w.server.URL + path)
	const asks = `(() => { const e = new Event("beforeunload", {cancelable: true}); window.dispatchEvent(e); return e.defaultPrevented })()`
	if browser.Eval[bool](tab, asks) {
		t.Error("leaving an empty form asks")
	}
	tab.Fill("#text", "Half an hour's work")
	if !browser.Eval[bool](tab, asks) {
		t.Error("leaving a text behind does not ask")
	}
	sends := browser.Eval[int](tab, `(() => {
		const form = document.querySelector("main form");
		let sent = 0;
		addEventListener("submit", (e) => { sent += !e.defaultPrevented; e.preventDefault(); });
		form.requestSubmit(); form.requestSubmit();
		return sent;
	})()`)
	if sends != 1 {
		t.Errorf("two presses send %d replies", sends)
	}
}

// TestC07FactsAreCopiedByAButton: with scripts a button puts the facts for the help desk on the clipboard as they stand
// there, and says that it did.
func TestC07FactsAreCopiedByAButton(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tab := common.Browser(t).Tab(t)
	tab.Go(w.server.URL + "/sign-in")
	tab.Fill("#email", joan.String())
	tab.Fill("#password", "not the password")
	tab.Press("main .btn")
	said := browser.Eval[[]string](tab, `new Promise((done) => {
		const button = document.querySelector("[data-copy=facts-text]"), said = document.querySelector("[data-copied]");
		let text;
		navigator.clipboard.writeText = async (t) => { text = t };
		new MutationObserver(() => done([String(button.hidden), said.textContent, text])).observe(said, {childList: true});
		button.click();
	})`)
	if facts := browser.Eval[string](tab, `document.getElementById("facts-text").textContent`); !slices.Equal(said, []string{"false", "Copied", facts}) ||
		!strings.Contains(facts, "Reference: ") {
		t.Errorf("the button hidden, what it says, the clipboard: %q; the facts: %q", said, facts)
	}
}

// TestHostileBackButton: whoever goes back sends nothing twice, and reads nothing after signing out.
func TestHostileBackButton(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	secret, _ := w.plant(joan, letter{subject: "The plan", text: "The text of the plan"})
	tab := common.Browser(t).Tab(t)
	back := func() {
		t.Helper()
		tab.Travel("back", func() { tab.Eval("history.back()") })
	}
	seen := func() string { return browser.Eval[string](tab, "document.body.innerText") }
	tab.Go(w.server.URL + linkOf(secret))
	tab.Press(".envelope .btn")
	tab.Fill("#pw", password)
	tab.Fill("#pw2", password)
	tab.Press("main .btn")
	message := tab.Path()
	back()
	if text := seen(); strings.Contains(text, "Choose a password") || len(w.lookup(joan).Keys) != 1 {
		t.Errorf("back from the message is %s: %q", tab.Path(), text)
	}
	tab.Go(w.server.URL + message)
	tab.Press(".toolbar .btn")
	tab.Fill("#text", "My answer")
	tab.Press("main .btn")
	back()
	if text := seen(); !strings.Contains(text, "Reply") || strings.Contains(text, "has been sent") {
		t.Errorf("back from the sent reply is %s: %q", tab.Path(), text)
	}
	if n := len(w.replies); n != 1 {
		t.Errorf("%d replies went out", n)
	}
	tab.Go(w.server.URL + message)
	tab.Press(".topnav form button")
	back()
	if text := seen(); strings.Contains(text, "The plan") || !strings.HasPrefix(tab.Path(), "/sign-in") {
		t.Errorf("back after signing out is %s: %q", tab.Path(), text)
	}
}
