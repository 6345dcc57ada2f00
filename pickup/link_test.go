package pickup_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"postern/store"
	"postern/store/seal"
)

func TestK2DamagedLinksSayWhatIsWrong(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	secret, _ := w.plant(joan, letter{subject: "x", text: "x"})
	good := secret.Token(seal.TokenPickup)
	changed := []byte(good)
	changed[20] ^= 1
	v := w.visitor()
	for _, test := range []struct {
		name, token, want string
		status            int
	}{
		{"incomplete", good[:30], "The link is incomplete: 30 of 37 characters arrived", 400},
		{"nothing left", "%20", "The link is incomplete: 0 of 37 characters arrived", 400},
		{"damaged", good[:36] + map[bool]string{true: "1", false: "0"}[good[36] == '0'], "The link is damaged", 400},
		{"of another kind", secret.Token(seal.TokenWelcome), "The link is damaged", 400},
		{"unknown", seal.NewSecret().Token(seal.TokenPickup), "The link is unknown or was replaced", 404},
		{"upper case", strings.ToUpper(good), "A private message from", 200},
		{"with a full stop", good + ".", "A private message from", 200},
		{"with an angle bracket", good + "%3E", "A private message from", 200},
		{"with a soft hyphen", good[:10] + "%C2%AD" + good[10:], "A private message from", 200},
		{"cut in two", good[:12] + "%0D%0A" + good[12:], "A private message from", 200},
		{"quoted-printable", good[:12] + "=%0D%0A" + good[12:], "A private message from", 200},
	} {
		a := v.get("/p/" + test.token)
		if a.status != test.status || !strings.Contains(a.body, test.want) {
			t.Errorf("%s: %d without %q", test.name, a.status, test.want)
		}
		if test.status != 200 && !strings.Contains(a.body, `<form method="post" action="/p/"`) {
			t.Errorf("%s: no field to paste the link into", test.name)
		}
	}
}

func TestK2PastedLinkLeadsToItsPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	secret, _ := w.plant(joan, letter{subject: "x", text: "x"})
	good := secret.Token(seal.TokenPickup)
	v := w.visitor()
	for name, text := range map[string]string{
		"whole link":      "https://secure-mail.example.org/p/" + good,
		"in two lines":    "https://secure-mail.example.org/p/" + good[:9] + "=\r\n" + good[9:],
		"token alone":     good,
		"upper case":      strings.ToUpper(good),
		"with words":      "Here it is:\nhttps://secure-mail.example.org/p/" + good + "\n\nSent: Tuesday 9 June 2026",
		"in brackets":     "<https://secure-mail.example.org/p/" + good + ">",
		"other host name": "http://old.example.org/p/" + good,
	} {
		if a := v.post("/p/", "link", text); a.status != http.StatusSeeOther || a.to() != "/p/"+good {
			t.Errorf("%s: %d to %q", name, a.status, a.to())
		}
	}
	welcome := secret.Token(seal.TokenWelcome)
	if a := v.post("/p/", "link", "https://secure-mail.example.org/w/"+welcome); a.to() != "/w/"+welcome {
		t.Errorf("welcome link leads to %q", a.to())
	}
	if a := v.post("/p/", "link", "  "); a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, "Paste the link from the notification mail") {
		t.Errorf("empty field: %d", a.status)
	}
	if a := v.post("/p/", "link", "http://x/p/"+good[:20]); a.status != http.StatusBadRequest || !strings.Contains(a.body, "20 of 37") {
		t.Errorf("half a link: %d", a.status)
	}
}

func TestP10NotForMeNeedsTheTick(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	secret, key := w.plant(joan, letter{subject: "x", text: "x"})
	v := w.visitor()
	for name, a := range map[string]answer{
		"bare button": v.post(linkOf(secret) + "/not-for-me"), "empty tick": v.post(linkOf(secret)+"/not-for-me", "sure", ""),
	} {
		if a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, "Tick the box") {
			t.Errorf("%s: %d", name, a.status)
		}
	}
	if state := w.recipient(key).State; state != store.StateNotified {
		t.Fatalf("without the tick the message is %s", state)
	}
	a := v.post(linkOf(secret)+"/not-for-me", "sure", "yes")
	if a.status != http.StatusOK || !strings.Contains(a.body, "Thank you. The message is closed.") {
		t.Errorf("with the tick: %d", a.status)
	}
	if state := w.recipient(key).State; state != store.StateDeclined {
		t.Errorf("with the tick the message is %s", state)
	}
	for name, a := range map[string]answer{"link": v.get(linkOf(secret)), "again": v.post(linkOf(secret)+"/not-for-me", "sure", "yes"),
		"register": v.post(linkOf(secret), "step", "register", "password", password, "password2", password)} {
		if a.status != http.StatusGone || !strings.Contains(a.body, "This message was closed unopened") {
			t.Errorf("%s afterwards: %d", name, a.status)
		}
	}
}

func TestNotForMeIsOverOnceTheMessageWasOpened(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, secret, key := w.account(joan)
	if a := v.post(linkOf(secret)+"/not-for-me", "sure", "yes"); a.to() != linkOf(secret) {
		t.Errorf("closing an opened message: %d to %q", a.status, a.to())
	}
	if state := w.recipient(key).State; state != store.StateOpened {
		t.Errorf("the message is %s", state)
	}
	if a := v.get(linkOf(secret)); strings.Contains(a.body, "not-for-me") || !strings.Contains(a.body, "Read the message") {
		t.Error("the page of an opened message still offers to close it")
	}
}

func TestA10ExpiredMessageShowsNoContent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, secret, key := w.account(joan)
	w.advance(28 * 24 * time.Hour)
	for name, a := range map[string]answer{
		"link": v.get(linkOf(secret)), "post": v.post(linkOf(secret), "step", "sign-in", "password", password),
	} {
		if a.status != http.StatusGone || !strings.Contains(a.body, "This message has expired") || !strings.Contains(a.body, "The sender must send it again") ||
			strings.Contains(a.body, "first message") {
			t.Errorf("%s: %d", name, a.status)
		}
	}
	a := v.post("/sign-in", "email", joan.String(), "password", password)
	v.follow(a)
	for _, rest := range []string{"", "/text", "/print", "/message.eml", "/part/1", "/reply"} {
		if a := v.get("/m/" + key.String() + rest); a.status != http.StatusGone || strings.Contains(a.body, "first message") {
			t.Errorf("%s of an expired message: %d", rest, a.status)
		}
	}
	if a := v.get("/"); strings.Contains(a.body, "First") {
		t.Error("the inbox still lists it")
	}
}

func TestRecalledMessageSaysWhoTookItBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	secret, key := w.plant(joan, letter{subject: "x", text: "x"})
	w.update(func(tx store.Tx) error {
		r, err := tx.Messages().Recipient(key)
		if err != nil {
			return err
		}
		r.State, r.Since, r.Grants = store.StateRecalled, w.Now(), nil
		return tx.Messages().Set(r)
	})
	a := w.visitor().get(linkOf(secret))
	if a.status != http.StatusGone || !strings.Contains(a.body, "It has been taken back by <bdi>Example County Council</bdi> and can no longer be opened.") {
		t.Errorf("recalled message: %d", a.status)
	}
}

// TestA03RegistrationAsksForAReminder: the form has a field for it, which may be left empty, and refuses what gives the
// password away.
func TestA03RegistrationAsksForAReminder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	register := func(secret seal.LinkSecret, reminder string) answer {
		return w.visitor().post(linkOf(secret), "step", "register", "password", password, "password2", password, "reminder", reminder)
	}
	first, key := w.plant(joan, letter{subject: "x", text: "x"})
	wants(t, "the form", w.visitor().get(linkOf(first)+"?step=register"), http.StatusOK, "Reminder word or phrase", `name="reminder"`, "You may leave it empty")
	for reminder, want := range map[string]string{
		"it is " + password:        "The reminder must not contain the password",
		"Marigold":                 "The reminder must not contain the password", // a part of it
		strings.Repeat("ab ", 200): "The reminder is too long",
	} {
		wants(t, reminder, register(first, reminder), http.StatusUnprocessableEntity, want, `href="#reminder"`)
	}
	if state := w.recipient(key).State; state != store.StateNotified || w.accountRows() != 0 {
		t.Errorf("the message is %s, and there are %d accounts", state, w.accountRows())
	}
	second, _ := w.plant(peter, letter{subject: "x", text: "x"})
	for _, test := range []struct {
		secret   seal.LinkSecret
		of       store.Address
		reminder string
	}{{first, joan, "What stood on the windowsill"}, {second, peter, ""}} {
		if a := register(test.secret, test.reminder); a.status != http.StatusSeeOther {
			t.Errorf("%q: %d", test.reminder, a.status)
		}
		a := w.lookup(test.of)
		phrase := ""
		if len(a.Reminder) > 0 {
			var err error
			phrase, err = w.keys.OpenReminder(a.ID, a.Reminder)
			must(t, err)
		}
		if phrase != test.reminder {
			t.Errorf("kept is %q, want %q", phrase, test.reminder)
		}
	}
}

func TestC12ServerRefusesWhatTheCriteriaRefuse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	secret, key := w.plant(joan, letter{subject: "x", text: "x"})
	v := w.visitor()
	for _, test := range []struct {
		name, first, second, want string
	}{
		{"too short", "Abc 1!x", "Abc 1!x", `<li class="unmet" data-rule="length">`},
		{"one kind of letter", "marigold kettle 7", "marigold kettle 7", `<li class="unmet" data-rule="case">`},
		{"no sign", "Marigold kettle", "Marigold kettle", `<li class="unmet" data-rule="digit">`},
		{"own name", "Hartley kettle 77", "Hartley kettle 77", `<li class="unmet" data-rule="own">`},
		{"organisation's name", "County kettle 77!", "County kettle 77!", `<li class="unmet" data-rule="own">`},
		{"often used", "1234567890", "1234567890", `<li class="unmet" data-rule="common">`},
		{"easy to guess", "Aaaaaaaaaaaa1", "Aaaaaaaaaaaa1", `<li class="unmet" data-rule="guess">`},
		{"different", password, password + "x", `<li class="unmet" data-rule="same">`},
		{"empty", "", "", `<li class="unmet" data-rule="length">`},
		{"far too long", strings.Repeat("Ab1! ", 60), strings.Repeat("Ab1! ", 60), `<li class="unmet" data-rule="length">`},
	} {
		a := v.post(linkOf(secret), "step", "register", "password", test.first, "password2", test.second, "reminder", "")
		if a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, test.want) {
			t.Errorf("%s: %d without %q", test.name, a.status, test.want)
		}
		if list := a.body[strings.Index(a.body, `id="criteria-title"`):]; strings.Contains(list, `<li class="met"`) || strings.Contains(list, `class="state">Met`) {
			t.Errorf("%s: the boxes are empty again, and the list says that they meet a point", test.name)
		}
		if test.first != "" && strings.Contains(a.body, `type="password" value`) {
			t.Errorf("%s: the page shows the password again", test.name)
		}
	}
	if state := w.recipient(key).State; state != store.StateNotified {
		t.Errorf("the message is %s", state)
	}
}

func TestC13AfterConfirmThePersonIsIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	secret, _ := w.plant(joan, letter{subject: "First", text: "The text."})
	v := w.visitor()
	if a := v.follow(v.register(secret)); a.status != http.StatusOK || !strings.Contains(a.body, "The text.") {
		t.Errorf("after Confirm: %d", a.status)
	}
	if a := v.get("/"); a.status != http.StatusOK || !strings.Contains(a.body, "First") {
		t.Errorf("inbox afterwards: %d", a.status)
	}
}

func TestSecondMessageOpensWithThePassword(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account(joan)
	secret, key := w.plant(joan, letter{subject: "Second", text: "The second text."})
	v := w.visitor()
	if a := v.get(linkOf(secret)); !strings.Contains(a.body, "Sign in to read") || strings.Contains(a.body, "You choose a password") {
		t.Error("the link of somebody with an account does not say so")
	}
	if a := v.post(linkOf(secret)); a.status != http.StatusOK || !strings.Contains(a.body, `value="joan.hartley@mail.example"`) {
		t.Errorf("button: %d", a.status)
	}
	if a := v.post(linkOf(secret), "step", "sign-in", "password", "wrong"); a.status != http.StatusForbidden || !strings.Contains(a.body, refusal) {
		t.Errorf("wrong password: %d", a.status)
	}
	if state := w.recipient(key).State; state != store.StateNotified {
		t.Fatalf("before sign-in the message is %s", state)
	}
	a := v.post(linkOf(secret), "step", "sign-in", "password", password, "email", "somebody.else@mail.example")
	if a = v.follow(a); a.status != http.StatusOK || !strings.Contains(a.body, "The second text.") {
		t.Errorf("after sign-in: %d", a.status)
	}
}

func TestSignedInPersonOpensALinkByOneButton(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, _, _ := w.account(joan)
	secret, key := w.plant(joan, letter{subject: "Second", text: "The second text."})
	if a := v.get(linkOf(secret)); !strings.Contains(a.body, "Open the message") {
		t.Error("no button to open")
	}
	if a := v.post(linkOf(secret)); a.to() != "/m/"+key.String() {
		t.Errorf("the button leads to %q", a.to())
	}
}

func TestWelcomeLinkAsksWhoItWas(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	owner, _, _ := w.account(joan)
	link := "/w/" + w.welcomeToken()
	stranger := w.visitor()
	page := stranger.get(link)
	for _, want := range []string{"joan.hartley@mail.example", "Friday 12 June 2026, 19:04 BST", "Firefox 151 on Windows", "It was me", "It was not me"} {
		if !strings.Contains(page.body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if a := stranger.post(link, "answer", "not-me"); a.status != http.StatusUnprocessableEntity {
		t.Errorf("it was not me, without the tick: %d", a.status)
	}
	if a := stranger.post(link, "answer", "me"); a.status != http.StatusOK || !strings.Contains(a.body, `name="password"`) {
		t.Errorf("it was me, not signed in: %d", a.status)
	}
	if a := stranger.post(link, "answer", "me", "email", joan.String(), "password", "wrong"); a.status != http.StatusForbidden {
		t.Errorf("it was me, wrong password: %d", a.status)
	}
	if a := owner.post(link); a.status != http.StatusBadRequest {
		t.Errorf("no answer at all: %d", a.status)
	}
	other, _, _ := w.account(peter)
	if a := other.post(link, "answer", "me"); a.status != http.StatusForbidden || !strings.Contains(a.body, "This link belongs to another account") {
		t.Errorf("it was me, by another account: %d", a.status)
	}
	if a := owner.post(link, "answer", "me"); a.status != http.StatusOK || !strings.Contains(a.body, "Your account is confirmed") {
		t.Errorf("it was me: %d", a.status)
	}
	if a := owner.get(link); a.status != http.StatusGone || !strings.Contains(a.body, "This link has been used") {
		t.Errorf("a second time: %d", a.status)
	}
	if a := owner.post(link, "answer", "not-me", "sure", "yes"); a.status != http.StatusGone {
		t.Errorf("another answer afterwards: %d", a.status)
	}
}

func TestDisownedAccountIsSignedOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	intruder, _, key := w.account(joan)
	a := w.visitor().post("/w/"+w.welcomeToken(), "answer", "not-me", "sure", "yes")
	if a.status != http.StatusOK || !strings.Contains(a.body, "The password no longer works") {
		t.Errorf("it was not me: %d", a.status)
	}
	if a := intruder.get("/m/" + key.String()); a.status != http.StatusSeeOther {
		t.Errorf("the intruder still reads: %d", a.status)
	}
	if a := w.visitor().post("/sign-in", "email", joan.String(), "password", password); a.status != http.StatusForbidden {
		t.Errorf("the intruder still signs in: %d", a.status)
	}
}

func TestWelcomeLinkNamesItsFaults(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account(joan)
	token := w.welcomeToken()
	v := w.visitor()
	for path, want := range map[string]string{"/w/" + token[:20]: "20 of 37", "/w/" + seal.NewSecret().Token(seal.TokenPickup): "The link is damaged",
		"/w/" + seal.NewSecret().Token(seal.TokenWelcome): "The link is unknown or was replaced"} {
		if a := v.get(path); !strings.Contains(a.body, want) {
			t.Errorf("%s: no %q", path, want)
		}
	}
	w.advance(31 * 24 * time.Hour)
	if a := v.get("/w/" + token); a.status != http.StatusGone || !strings.Contains(a.body, "This link has expired") {
		t.Errorf("old welcome link: %d", a.status)
	}
}

func TestLanguageFormLeadsBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.visitor()
	a := v.post("/language", "lang", "en", "to", "/help")
	if a.to() != "/help" || !strings.HasPrefix(a.header.Get("Set-Cookie"), "postern-lang=en; Path=/; Max-Age=31536000") {
		t.Errorf("language: %q %q", a.to(), a.header.Get("Set-Cookie"))
	}
	for to, want := range map[string]string{"//evil.example": "/", "/p/abc": "/p/abc", "": "/", "https://evil.example/p/": "/"} {
		if got := v.post("/language", "lang", "en", "to", to).to(); got != want {
			t.Errorf("to %q leads to %q, want %q", to, got, want)
		}
	}
	if a := v.post("/language", "lang", "xx\r\nSet-Cookie: a=b"); a.status != http.StatusBadRequest {
		t.Errorf("unknown language: %d", a.status)
	}
}

func TestA13B17HelpFindsAnswersWithoutScript(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.visitor()
	all := v.get("/help")
	for _, want := range []string{`id="expired"`, `id="administrators"`, "stronger than 168-bit triple DES", "30 days", "ICT Customer Services Desk", "securemail@example.org",
		w.server.URL + "/", "Back to top", "/help?print=1", "Example County Council",
		"Mozilla Firefox", "not just names, dates, or runs such as 12345", "ask your administrator"} {
		if !strings.Contains(all.body, want) {
			t.Errorf("help lacks %q", want)
		}
	}
	found := v.get("/help?q=" + url.QueryEscape("triple des"))
	if !strings.Contains(found.body, `id="administrators"`) || strings.Contains(found.body, `<section id="cookies"`) || !strings.Contains(found.body, "1 of ") {
		t.Error("the search shows the wrong answers")
	}
	if !strings.Contains(found.body, "<mark>triple</mark> <mark>DES</mark>. The key") {
		t.Error("what was searched for is not marked")
	}
	if got := v.get("/help?q=" + url.QueryEscape("years & browser")); !strings.Contains(got.body, "0 of ") { // no entity is taken for words
		t.Error("an ampersand is found")
	}
	if got := v.get("/help?q=words+" + url.QueryEscape("PHRASE!")); !strings.Contains(got.body, "0 of ") {
		t.Error("one of two words is enough")
	}
	if none := v.get("/help?q=" + url.QueryEscape(`<script>alert(1)</script>`)); strings.Contains(none.body, "<script>alert") || !strings.Contains(none.body, "0 of ") {
		t.Error("a search for nothing")
	}
	if print := v.get("/help?print=1"); strings.Contains(print.body, `type="search"`) || !strings.Contains(print.body, `id="who"`) {
		t.Error("the printable version")
	}
}
