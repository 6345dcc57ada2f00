package main

import (
	"net/http"
	"strings"
	"testing"

	"postern/cmd/internal/demo"
)

// TestP13MailsSpeakTheReadersLanguage: to somebody of whom nothing is known that of the configuration, then that of the
// account, on pages and in mails.
func TestP13MailsSpeakTheReadersLanguage(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, "")
	tr.edit = func(yaml string) string { return strings.Replace(yaml, "pickup: {", "pickup: {language: de, ", 1) }
	tr.start()
	send := func(id string) {
		tr.send(t, "alice@example.org", []string{"bob@ext.example"}, letterText("Alice <alice@example.org>", "bob@ext.example", "[secure] "+id, "<"+id+"@example.org>", ""))
	}
	send("one")
	said := func(m demo.Mail) string { return strings.Join(strings.Fields(m.View().Text), " ") }
	first := tr.notes("bob@ext.example", 1)[0]
	if text := said(first); !strings.Contains(text, "Alice (alice@example.org) von Example County Council hat Ihnen geschrieben.") {
		t.Errorf("the first notification says\n%s", text)
	}
	bob := tr.person()
	bob.get(tr.link(first)).want(t, `<html lang="de" dir="ltr">`, "Weiter zur Nachricht")
	bob.wantStatus(http.StatusOK, bob.post("/language", "lang", "ar", "to", "/help")).want(t, `<html lang="ar" dir="rtl">`)
	bob.register(tr.link(first)).want(t, `<html lang="ar" dir="rtl">`)
	if text := said(tr.await("bob@ext.example", "X-Postern-Origin: v1 welcome")); !strings.Contains(text, "اختيرت كلمة مرور لعنوانك") {
		t.Errorf("the welcome mail says\n%s", text)
	}
	send("two")
	if text := said(tr.notes("bob@ext.example", 2)[0]); !strings.Contains(text, "لديك رسالة من Alice (alice@example.org)، Example County Council.") {
		t.Errorf("the second notification says\n%s", text)
	}
}
