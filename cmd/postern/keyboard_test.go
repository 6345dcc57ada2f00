package main

import (
	"bytes"
	"encoding/base64"
	"os"
	"strings"
	"testing"

	"postern/cmd/browser"
)

// typist is a recipient who has a keyboard and no mouse.
type typist struct {
	t      *testing.T
	tr     *trial
	tab    *browser.Tab
	script bool // the browser runs scripts
}

// TestB15KeyboardMainPath goes the whole way by keyboard alone: link, registration, message, attachment, reply, inbox, sent,
// sign-out, sign-in. Each stop of the Tab key shows the focus, and axe finds nothing on any page.
func TestB15KeyboardMainPath(t *testing.T) {
	t.Parallel()
	k := newTypist(t, common.Browser(t), true)
	k.wholePath()
}

// TestB15KeyboardWithoutScript goes the same way with scripts switched off: every page does its work by forms alone.
func TestB15KeyboardWithoutScript(t *testing.T) {
	t.Parallel()
	k := newTypist(t, common.Browser(t), false)
	k.tab.NoScript()
	k.wholePath()
}

func (k *typist) wholePath() {
	k.t.Helper()
	first, second := k.mails()
	k.open(first)
	k.register()
	k.readAndSave()
	k.reply()
	k.confirm()
	k.find()
	k.readLong(second)
	k.signOutAndIn()
}

func newTypist(t *testing.T, b *browser.Browser, script bool) *typist {
	t.Helper()
	return &typist{t: t, tr: startTrial(t, ""), tab: b.Tab(t), script: script}
}

// mails sends one of Outlook's, and one that is longer than a screen, and returns the links of their notifications.
func (k *typist) mails() (first, second string) {
	k.t.Helper()
	k.tr.send(k.t, "alice@example.org", []string{bobsAddress}, shapes()[0].flagged())
	k.tr.await(bobsAddress, notification)
	long := bytes.Replace(letter("[secure] A long story", "<long@example.org>"), []byte("text/plain"), []byte("text/html"), 1)
	k.tr.send(k.t, "alice@example.org", []string{bobsAddress}, append(long, strings.Repeat("<p>And so it went on.</p>\r\n", 200)...))
	notes := k.tr.awaitAll(2, bobsAddress, notification)
	return k.tr.link(notes[0]), k.tr.link(notes[1])
}

// look runs axe and takes pictures, where there are scripts to run axe with.
func (k *typist) look(name string) {
	k.t.Helper()
	if !k.script {
		k.tab.Screenshot(name + "-plain")
		return
	}
	k.tab.Axe(k.t)
	for suffix, screen := range map[string]browser.Viewport{"-1280": browser.Desk, "-375": browser.Phone, "-dark": browser.Night} {
		k.tab.View(screen)
		k.tab.Screenshot(name + suffix)
	}
	k.tab.View(browser.Desk)
}

// want fails unless the page says every text.
func (k *typist) want(texts ...string) {
	k.t.Helper()
	page := browser.Eval[string](k.tab, "document.body.innerText")
	for _, text := range texts {
		if !strings.Contains(page, text) {
			k.t.Fatalf("%s lacks %q:\n%s", k.tab.Path(), text, page)
		}
	}
}

// open follows the link, jumps over the head of the page by the first stop, and goes on to the form.
func (k *typist) open(link string) {
	k.t.Helper()
	k.tab.Go(link)
	k.look("01-link")
	k.tab.TabTo("a.skip")
	k.tab.Keys(browser.KeyEnter)
	k.tab.TabTo("main button[type=submit]")
	if k.tab.Focused("header *, aside *, footer *") {
		k.t.Error("the skip link leads elsewhere than to the main part")
	}
	k.tab.KeysTo(browser.KeySpace)
	k.want("Choose your password")
}

// register makes mistakes first, which the page explains, and then chooses a good password.
func (k *typist) register() {
	k.t.Helper()
	k.tab.TabTo("#pw")
	k.tab.Keys("abc")
	k.criteria("length", "unmet", "own", "met", "same", "unmet")
	k.look("02-register")
	k.tab.TabTo("#pw2")
	k.tab.Keys("abd")
	k.tab.KeysTo(browser.KeyEnter)
	k.want("Your password has not been set", "Type the same password in both boxes")
	if k.script {
		k.tab.AwaitFocus(".summary")
	}
	k.look("02-register-wrong")
	k.tab.TabTo(`.summary a[href="#pw"]`)
	k.tab.Keys(browser.KeyEnter)
	k.tab.AwaitFocus("#pw")
	k.type1("#pw", goodPassword)
	k.type1("#pw2", goodPassword)
	k.criteria("length", "met", "case", "met", "digit", "met", "own", "met", "same", "met")
	k.type1("#reminder", "animals at the river")
	k.tab.TabTo("#keep")
	k.tab.Keys(browser.KeySpace)
	if !browser.Eval[bool](k.tab, "document.querySelector('#keep').checked") {
		k.t.Error("the Space key does not tick the box")
	}
	k.tab.Keys(browser.KeySpace)
	k.tab.TabTo("main button[type=submit]")
	k.tab.KeysTo(browser.KeyEnter)
	k.want("Care plan – first draft")
}

// type1 goes to a field, unless it has the focus already, and types.
func (k *typist) type1(css, text string) {
	k.t.Helper()
	if !k.tab.Focused(css) {
		k.tab.TabTo(css)
	}
	k.tab.Keys(text)
	if got := browser.Eval[string](k.tab, "document.activeElement.value"); got != strings.ReplaceAll(text, browser.KeyEnter, "\n") {
		k.t.Errorf("%s holds %q after typing %q", css, got, text)
	}
}

// criteria compares the ticks at the rules for a password: rule, state… Without script they stay plain.
func (k *typist) criteria(want ...string) {
	k.t.Helper()
	for i := 0; i+1 < len(want); i += 2 {
		state := want[i+1]
		if !k.script {
			state = ""
		}
		if got := browser.Eval[string](k.tab, `document.querySelector('[data-rule="`+want[i]+`"]').className`); got != state && k.script {
			k.t.Errorf("rule %s is %q, want %q", want[i], got, state)
		}
	}
	if !k.script {
		return
	}
	if tally := browser.Eval[string](k.tab, `(e => e.textContent)(document.querySelector('.criteria [role="status"]'))`); !strings.HasSuffix(tally, "met") {
		k.t.Errorf("the live region says %q", tally)
	}
}

// readAndSave reads the message and saves an attachment, whose octets are compared.
func (k *typist) readAndSave() {
	k.t.Helper()
	k.look("05-message")
	k.tab.TabTo(`.file a[download]`)
	saved := k.tab.KeysDownload(k.t.TempDir(), browser.KeyEnter)
	if want := shapes()[0].files[0].sum; sumOf(saved) != want {
		k.t.Errorf("the saved attachment has %d octets that are not those of the file", len(saved))
	}
	k.tab.TabBackTo(`nav.tabs a[href$="/text"]`)
	k.tab.KeysTo(browser.KeyEnter)
	k.want("the plan’s first draft is attached. It costs € 1,250.00 – for now.")
	k.look("05-message-text")
	k.tab.TabTo(`.toolbar a[href$="/print"]`)
	k.tab.KeysTo(browser.KeyEnter)
	k.want("Care plan – first draft", "the plan’s first draft")
	k.tab.Screenshot("05-print")
	k.tab.TabTo("a.back")
	k.tab.KeysTo(browser.KeyEnter)
}

// reply answers with an attachment.
func (k *typist) reply() {
	k.t.Helper()
	k.tab.TabTo(`.toolbar a[href$="/reply"]`)
	k.tab.KeysTo(browser.KeyEnter)
	k.look("06-reply")
	k.tab.TabTo("main button[type=submit]")
	k.tab.KeysTo(browser.KeyEnter)
	k.want("Your reply has not been sent", "Write your message")
	k.look("06-reply-wrong")
	file := randomFile(k.t, k.t.TempDir(), "answer.bin", 60<<10)
	k.type1("#text", "Dear Alice,"+browser.KeyEnter+"the draft is good.")
	k.tab.TabTo("#quote")
	k.tab.Keys(browser.KeySpace)
	k.tab.TabTo("#add")
	k.tab.ChooseFiles(file)
	k.tab.TabTo("main button[type=submit]")
	k.tab.KeysTo(browser.KeyEnter)
	k.want("Your reply has been sent", "the draft is good.", "answer.bin")
	k.look("06-sent")
	data, err := os.ReadFile(file)
	if err != nil {
		k.t.Fatal(err)
	}
	raw := k.tr.await("alice@example.org", "X-Postern-Kind: reply").Raw
	if !bytes.Contains(bytes.ReplaceAll(raw, []byte("\r\n"), nil), []byte(base64.StdEncoding.EncodeToString(data))) || !bytes.Contains(raw, []byte("Dear Alice,\r\nthe draft is good.")) {
		k.t.Errorf("text or file is missing in Alice's mail:\n%.2000s", raw)
	}
	if bytes.Contains(raw, []byte("> Dear Bob")) {
		k.t.Error("the message was quoted although the tick was taken away")
	}
}

// confirm answers the welcome mail.
func (k *typist) confirm() {
	k.t.Helper()
	prefix := "http://" + k.tr.site + "/w/"
	k.tab.Go(linkIn(k.tr.await(bobsAddress, prefix).View().Text, prefix))
	k.want("Was it you who chose a password?")
	k.look("08-welcome")
	k.tab.TabTo("main form:has([value=me]) button")
	k.tab.KeysTo(browser.KeyEnter)
	k.want("Thank you. Your account is confirmed.")
	k.look("08-confirmed")
}

// readLong opens the other message by its link. Its frame can be scrolled by keys, so it is a stop of the Tab key.
func (k *typist) readLong(link string) {
	k.t.Helper()
	k.tab.Go(link)
	k.look("01-link-signed-in")
	k.tab.TabTo("main button[type=submit]")
	k.tab.KeysTo(browser.KeyEnter)
	k.want("A long story")
	k.look("05-message-long")
	k.tab.TabTo("iframe")
	k.tab.TabTo(`.frame-foot a`)
}

// find searches the inbox and looks at what was sent.
func (k *typist) find() {
	k.t.Helper()
	k.tab.TabTo(`header a[href="/"]:not(.org)`)
	k.tab.KeysTo(browser.KeyEnter)
	k.want("Care plan – first draft", "Waiting for its link")
	k.look("04-inbox")
	k.tab.TabTo("#q")
	k.tab.Keys("nowhere")
	k.tab.KeysTo(browser.KeyEnter)
	k.want("No message matches “nowhere”.")
	k.look("04-nothing")
	k.tab.TabTo("#q")
	k.tab.Keys("DRAFT") // a field that is entered by Tab is selected
	k.tab.KeysTo(browser.KeyEnter)
	k.want("1 message on this page matches “DRAFT”.", "Care plan – first draft")
	k.tab.TabTo(`header a[href="/sent"]`)
	k.tab.KeysTo(browser.KeyEnter)
	k.want("To Example, Alice", "Care plan – first draft")
	k.look("04-sent")
	k.tab.TabTo(`a[href^="/sent/"]`)
	k.tab.KeysTo(browser.KeyEnter)
	k.want("the draft is good.")
}

// signOutAndIn leaves, finds the door closed, mistypes the password, and comes back in.
func (k *typist) signOutAndIn() {
	k.t.Helper()
	k.tab.TabTo(`form[action="/sign-out"] button`)
	k.tab.KeysTo(browser.KeySpace)
	k.want("You are signed out")
	k.look("03-sign-in")
	k.type1("#email", bobsAddress)
	k.type1("#password", "wrong")
	k.tab.KeysTo(browser.KeyEnter)
	k.want("Invalid username, password or permissions. Please check you are using the correct URL.")
	k.look("03-sign-in-error")
	k.type1("#password", goodPassword)
	k.tab.KeysTo(browser.KeyEnter)
	k.want("Care plan – first draft")
	k.tab.Go("http://" + k.tr.site + "/")
	k.tab.TabTo(`.letters .letter:last-child a`)
	k.tab.KeysTo(browser.KeyEnter)
	k.want("Care plan – first draft", "2 attachments")
}
