package main

import (
	"net/http"
	"strings"
	"testing"
)

// TestStateRecalled: a message that was taken back opens no more, neither by its link nor for whoever has read it.
func TestStateRecalled(t *testing.T) {
	t.Parallel()
	tr := startTrial(t, "")
	tr.send(t, "alice@example.org", []string{bobsAddress, "carol@ext.example"}, letter("[secure] Plans", "<back.1@example.org>"))
	link := tr.link(tr.await(bobsAddress, notification))
	carol := tr.person()
	page := carol.register(tr.link(tr.await("carol@ext.example", notification)))
	if out, code := tr.postern("message", "recall", "<back.1@example.org>", "--yes"); code != 0 {
		t.Fatalf("recall ended with %d: %s", code, out)
	}
	bob := tr.person()
	bob.wantStatus(http.StatusGone, bob.get(link)).want(t, "This message has been taken back", "alice@example.org").without(t, "Plans")
	bob.wantStatus(http.StatusGone, bob.post(link, "step", "register", "password", goodPassword, "password2", goodPassword, "reminder", ""))
	carol.wantStatus(http.StatusGone, carol.get(page.url)).want(t, "This message has been taken back").without(t, "A few words")
	for _, part := range []string{"/text", "/message.eml", "/print", "/part/1"} {
		carol.wantStatus(http.StatusGone, carol.get(page.url+part)).without(t, "A few words")
	}
	carol.get("/").without(t, "Plans")
	tr.wantTrace(t, "<back.1@example.org>", "recalled")
}

// TestStateDeclined: "not meant for me" needs the tick; then the link shows a closed page for ever, and the sender is told.
func TestStateDeclined(t *testing.T) {
	t.Parallel()
	tr := startTrial(t, "")
	tr.send(t, "alice@example.org", []string{bobsAddress}, letter("[secure] Plans", "<wrong.1@example.org>"))
	link := tr.link(tr.await(bobsAddress, notification))
	bob := tr.person()
	bob.wantStatus(http.StatusOK, bob.get(link)).want(t, "Close the message unopened", "Alice Example")
	bob.wantStatus(http.StatusUnprocessableEntity, bob.post(link+"/not-for-me")).want(t, "Tick the box if you want to close the message")
	bob.wantStatus(http.StatusOK, bob.get(link))
	bob.wantStatus(http.StatusOK, bob.post(link+"/not-for-me", "sure", "yes")).want(t, "Thank you. The message is closed.")
	for range 2 {
		bob.wantStatus(http.StatusGone, bob.get(link)).want(t, "This message was closed unopened")
	}
	bob.wantStatus(http.StatusGone, bob.post(link, "step", "register", "password", goodPassword, "password2", goodPassword, "reminder", ""))
	notice := tr.await("alice@example.org", "In-Reply-To: <wrong.1@example.org>")
	isNotice(t, notice.From, notice.Raw, bobsAddress)
	tr.wantTrace(t, "<wrong.1@example.org>", "declined")
}

// TestStateReplyRefused: when the mail server refuses a reply, whoever wrote it gets a mail and sees it under Sent. Who
// wrote without an account, on a visit by a mailed code (P11), has no such place, and is told what to do instead.
func TestStateReplyRefused(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, "")
	behind := tr.server("DSN", "SIZE 1000000")
	behind.say = func(line string) string {
		if strings.HasPrefix(line, "RCPT TO:<alice@example.org>") {
			return "550 5.1.1 Alice has left"
		}
		return ""
	}
	tr.start()
	tr.send(t, "alice@example.org", []string{bobsAddress}, letter("[secure] Plans", "<reply.1@example.org>"))
	bob := tr.person()
	page := bob.register(tr.link(behind.await(t, bobsAddress, notification).captured()))
	sent := bob.wantStatus(http.StatusOK, bob.postFiles(page.url+"/reply", [][2]string{{"text", "The owl agrees."}})).want(t, "Your reply has been sent")
	word := behind.await(t, bobsAddress, "X-Postern-Origin: v1 ", "not delivered")
	for _, never := range []string{"Plans", "The owl agrees"} {
		if strings.Contains(string(word.raw), never) {
			t.Errorf("the account mail holds %q:\n%s", never, word.raw)
		}
	}
	if text := word.captured().View().Text; !strings.Contains(text, "alice@example.org") {
		t.Errorf("the account mail does not say who did not get it:\n%s", text)
	}
	bob.get("/sent").want(t, "Plans", "Not delivered")
	bob.get(page.url+"/reply").want(t, `data-max-bytes="730000"`) // 0.73 of its SIZE (MAIL 8.3)
	bob.get(sent.url).want(t, "It was not delivered to everybody", "The owl agrees.")

	if err := tr.stop(); err != nil {
		t.Fatal(err)
	}
	tr.byCode()
	tr.start()
	tr.answerOnAVisit(behind)
	word = behind.await(t, "carol@ext.example", "X-Postern-Origin: v1 ", "not delivered")
	text := strings.Join(strings.Fields(word.captured().View().Text), " ")
	for _, want := range []string{"alice@example.org", "Please reach the person in another way, or follow the link in the mail about the message again", "a message to carol@ext.example was answered"} {
		if !strings.Contains(text, want) {
			t.Errorf("the mail to a visitor lacks %q:\n%s", want, text)
		}
	}
	for _, never := range []string{"Plans", "The heron agrees", "sent messages", "sign in", "/p/"} {
		if strings.Contains(text, never) || strings.Contains(string(word.raw), never) {
			t.Errorf("the mail to a visitor holds %q:\n%s", never, word.raw)
		}
	}
}

// answerOnAVisit reads a message to carol by a mailed code and answers it.
func (tr *trial) answerOnAVisit(behind *mailServer) {
	t := tr.t.(*testing.T)
	t.Helper()
	const carols = "carol@ext.example"
	tr.send(t, "alice@example.org", []string{carols}, letter("[secure] Plans", "<reply.2@example.org>"))
	carol := tr.person().from("192.0.2.7")
	link := tr.link(behind.await(t, carols, notification).captured())
	carol.wantStatus(http.StatusOK, carol.post(link, "step", "send"))
	code := codeLine.FindStringSubmatch(behind.await(t, carols, "X-Postern-Origin: v1 code").captured().View().Text)
	if code == nil {
		t.Fatal("the mail holds no code")
	}
	page := carol.wantStatus(http.StatusOK, carol.post(link, "step", "code", "code", code[1])).want(t, "Plans")
	path, _, _ := strings.Cut(page.url, "?")
	carol.wantStatus(http.StatusOK, carol.postFiles(path+"/reply", [][2]string{{"text", "The heron agrees."}})).want(t, "Your reply has been sent")
}
