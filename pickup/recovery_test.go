package pickup_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/pickup"
	"postern/pickup/account"
	"postern/store"
	"postern/store/seal"
)

// ownMails are the mails of our own that wait in the queue, oldest first.
func (w *world) ownMails() (list []string) {
	w.t.Helper()
	var items []store.QueueItem
	must(w.t, w.store.View(context.Background(), func(tx store.Tx) (err error) {
		items, _, err = tx.Queue().List("", "", 1000)
		return err
	}))
	slices.SortFunc(items, func(a, b store.QueueItem) int { return a.Key.Message.Time().Compare(b.Key.Message.Time()) })
	for _, item := range items {
		raw, _, err := w.outbox.Open(item)
		must(w.t, err)
		list = append(list, string(raw))
	}
	return list
}

// mailed is the first group of an expression in the newest mail that has one.
func (w *world) mailed(expression string) string {
	w.t.Helper()
	for _, m := range slices.Backward(w.ownMails()) {
		if found := regexp.MustCompile(expression).FindStringSubmatch(m); found != nil {
			return found[1]
		}
	}
	w.t.Fatalf("no mail says %s", expression)
	return ""
}

// newPassword is what people choose who forgot the one they had.
const newPassword = "Cobalt lantern by the 9 oaks"

// way makes a world with a way back in.
func way(t *testing.T, r account.Recovery, change ...func(*pickup.Config)) *world {
	return newWorld(t, append(change, func(c *pickup.Config) { c.Recovery = r })...)
}

const (
	activation = `/v/([0-9a-z]{37})`
	resetLink  = `/r/([0-9a-z]{37})`
	temporary  = `Temporary password:\s+([0-9a-z-]{19})`
)

// askChange fills in the form of A4.
func (v *visitor) askChange(address, password string) answer {
	v.w.t.Helper()
	v.w.advance(time.Second) // mails are told apart by their time
	return v.post("/change-password", "email", address, "password", password, "password2", password, "reminder", "The shed")
}

// pagesOfRecovery are those of people who forgot their password.
func pagesOfRecovery(t *testing.T, add func(string, answer), change ...func(*pickup.Config)) {
	t.Helper()
	w := newWorld(t, change...)
	signed, _, key := w.account(joan)
	guest := w.visitor()
	add("reminder", guest.get("/reminder"))
	add("reminder.wrong", guest.post("/reminder", "email", "joan"))
	add("asked.reminder", guest.post("/reminder", "email", joan.String()))
	add("change-password", guest.get("/change-password"))
	add("change-password.signed", signed.get("/change-password"))
	add("change-password.wrong", guest.post("/change-password", "email", "joan", "password", "x", "reminder", strings.Repeat("r", 999)))
	add("asked.activate", guest.askChange(joan.String(), newPassword))
	link := "/v/" + w.mailed(activation)
	add("activate", guest.get(link))
	add("activate.empty", guest.post(link, "answer", "activate"))
	add("activate.wrong", guest.post(link, "answer", "activate", "password", "wrong"))
	add("activate.unticked", guest.post(link, "answer", "decline"))
	add("activate.declined", guest.post(link, "answer", "decline", "sure", "yes"))
	add("activate.used", guest.get(link))
	add("activate.unknown", guest.get("/v/"+seal.NewSecret().Token(seal.TokenActivate)))
	guest.askChange(joan.String(), newPassword)
	link = "/v/" + w.mailed(activation)
	for range 5 {
		add("activate.missed", guest.post(link, "answer", "activate", "password", "wrong"))
	}
	guest.askChange(joan.String(), newPassword)
	add("inbox.changed", guest.follow(guest.post("/v/"+w.mailed(activation), "answer", "activate", "password", newPassword)))
	add("link.earlier", guest.get("/m/"+key.String()))
	add("settings-earlier", guest.get("/settings/earlier"))
	add("settings-earlier.wrong", guest.post("/settings/earlier", "old", "wrong", "earlier", password))
	add("settings-earlier.none", guest.post("/settings/earlier", "old", newPassword, "earlier", "wrong"))
	add("inbox.earlier", guest.follow(guest.post("/settings/earlier", "old", newPassword, "earlier", password)))
	pagesOfReset(t, add, change...)
	pagesOfTemporary(t, add, change...)
}

func pagesOfReset(t *testing.T, add func(string, answer), change ...func(*pickup.Config)) {
	t.Helper()
	w := way(t, account.RecoverLink, change...)
	w.account(joan)
	guest := w.visitor()
	add("forgotten.link", guest.get("/change-password"))
	add("forgotten.wrong", guest.post("/change-password"))
	add("asked.link", guest.post("/change-password", "email", joan.String()))
	link := "/r/" + w.mailed(resetLink)
	add("new-password", guest.get(link))
	add("new-password.wrong", guest.post(link, "password", "x", "password2", "y", "reminder", strings.Repeat("r", 999)))
	w.advance(25 * time.Hour)
	add("new-password.expired", guest.get(link))
}

func pagesOfTemporary(t *testing.T, add func(string, answer), change ...func(*pickup.Config)) {
	t.Helper()
	w := way(t, account.RecoverTemporary, change...)
	w.account(joan)
	guest := w.visitor()
	add("forgotten.temporary", guest.get("/change-password"))
	add("asked.temporary", guest.post("/change-password", "email", joan.String()))
	add("new-password.changing", guest.follow(guest.post("/sign-in", "email", joan.String(), "password", w.mailed(temporary))))
	add("help.changing", guest.get("/help"))
}

func wants(t *testing.T, what string, a answer, status int, texts ...string) {
	t.Helper()
	if a.status != status {
		t.Errorf("%s: %d, want %d: %s", what, a.status, status, a.body)
	}
	for _, text := range texts {
		if !strings.Contains(a.body, text) {
			t.Errorf("%s lacks %q", what, text)
		}
	}
}

func TestA01SignInLeadsToReminderAndChange(t *testing.T) {
	t.Parallel()
	for _, mode := range []account.Recovery{account.RecoverActivate, account.RecoverTemporary, account.RecoverLink} {
		w := way(t, mode)
		secret, _ := w.plant(joan, letter{subject: "x", text: "x"})
		w.visitor().register(secret)
		for name, a := range map[string]answer{"sign-in": w.visitor().get("/sign-in"), "link": w.visitor().get(linkOf(secret) + "?step=sign-in")} {
			wants(t, name, a, http.StatusOK, `href="/reminder">Forgot your password? Send a password reminder.</a>`, `href="/change-password">Change your password</a>`)
		}
	}
}

// A6: the page of a failed sign-in offers what may help, and names who does.
func TestA06FailedSignInOffersHelp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.visitor().post("/sign-in", "email", joan.String(), "password", "wrong")
	wants(t, "the page", a, http.StatusForbidden, refusal, "Check the email address", "Send a password reminder.", `href="/change-password"`, "ICT Customer Services Desk", "01632 960 626")
}

func TestA02PasswordReminder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account(joan)
	v := w.visitor()
	wants(t, "the page", v.get("/reminder"), http.StatusOK, "<h1>Password Reminder</h1>", `id="email"`, ">Enter</button>")
	a := v.post("/reminder", "email", "JOAN.HARTLEY@mail.example")
	wants(t, "the answer", a, http.StatusOK, "Please look in your ordinary inbox", "JOAN.HARTLEY@mail.example", "Go To Log In")
	mails := w.mails(store.KindAccount)
	if len(mails) != 1 || !strings.Contains(mails[0], `"What stood on the windowsill"`) || !strings.Contains(mails[0], "To: joan.hartley@mail.example\r\n") {
		t.Errorf("mails %q", mails)
	}
	if strings.Contains(a.body+w.log.String(), "windowsill") {
		t.Error("the reminder shows on the page or in the log")
	}
	w.account(peter)
	w.update(func(tx store.Tx) error {
		a, err := tx.Accounts().ByAddress(peter.Key())
		a.Reminder = nil
		return errors.Join(err, tx.Accounts().Set(a))
	})
	w.advance(time.Second)
	v.post("/reminder", "email", peter.String())
	if last := w.mailed(`(?s)(Your reminder:.*)`); !strings.Contains(last, "You have chosen none.") {
		t.Errorf("without a reminder: %s", last)
	}
}

// I9: the answer to every form that takes an address is the same for every address, and mail goes to accounts that may
// be used, and to nobody else.
func TestK9FormsTellNothingOfAnAddress(t *testing.T) {
	t.Parallel()
	for _, mode := range []account.Recovery{account.RecoverActivate, account.RecoverTemporary, account.RecoverLink} {
		w := way(t, mode)
		w.account(joan)
		w.account(peter)
		w.turn(peter, store.StatusDisabled)
		w.advance(time.Second)
		w.account(ruth)
		w.visitor().post("/w/"+w.welcomeToken(), "answer", "not-me", "sure", "yes")
		for _, path := range []string{"/reminder", "/change-password"} {
			before := len(w.mails(store.KindAccount))
			var first answer
			for i, address := range []string{"joan.hartley@mail.example", "peter.osei@mail.example", "ruth.adeyemi@mail.example", "nobody.at.all@mail.example"} {
				a := w.visitor().post(path, "email", address, "password", newPassword, "password2", newPassword)
				wants(t, path+" for "+address, a, http.StatusOK, address, "Go To Log In")
				if i == 0 {
					first = a
				} else if a.looks() != first.looks() {
					t.Errorf("%s answers %s\nfor %s, and\n%s", path, a.looks(), address, first.looks())
				}
			}
			if n := len(w.mails(store.KindAccount)) - before; n != 1 {
				t.Errorf("%s: %d mails, want 1: %s", path, n, w.log)
			}
		}
	}
}

// looks is all of an answer but what differs between any two: times, references, and the address that was typed.
func (a answer) looks() string {
	h := a.header.Clone()
	h.Del("Date")
	h.Del("Content-Length")
	return fmt.Sprintln(a.status, h, variable.ReplaceAllString(a.body, "*"))
}

// The form for another address answers the same whether somebody has an account with it, an account that is shut, or none.
func TestI9AliasFormTellsNothingOfAnAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, _, _ := w.account(joan)
	w.account(peter)
	w.account(ruth)
	w.turn(ruth, store.StatusDisabled)
	var first string
	for i, address := range []string{"peter.osei@mail.example", "ruth.adeyemi@mail.example", "nobody.at.all@mail.example"} {
		a := v.post("/settings/address", "do", "add", "alias", address, "old", password)
		page := v.follow(a)
		page.body, _, _ = strings.Cut(page.body, `<section id="record"`) // where the requests before are listed
		looks := a.looks() + page.looks()
		if i == 0 {
			first = looks
		} else if looks != first {
			t.Errorf("for %s the answer is\n%s\nand else\n%s", address, looks, first)
		}
		v.post("/settings/address", "do", "remove", "alias", address, "old", password)
	}
	if !strings.Contains(first, "alias") || !strings.HasPrefix(first, "303 ") {
		t.Errorf("the form answers %s", first)
	}
}

// turn sets an account's status.
func (w *world) turn(address store.Address, to store.Status) {
	w.t.Helper()
	w.update(func(tx store.Tx) error {
		a, err := tx.Accounts().ByAddress(address.Key())
		a.Status = to
		return errors.Join(err, tx.Accounts().Set(a))
	})
}

func (v *visitor) signs(password string) bool {
	v.w.t.Helper()
	return v.post("/sign-in", "email", joan.String(), "password", password).status == http.StatusSeeOther
}

func TestA04ChangePasswordForm(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account(joan)
	v := w.visitor()
	page := v.get("/change-password")
	wants(t, "the form", page, http.StatusOK, "Email Address</label>", "New Password</label>", "Re-enter New Password</label>", "New Password Reminder</label>", ">Submit Password</button>", "data-criteria")
	if strings.Contains(page.body, `name="old"`) {
		t.Error("the old password is asked for")
	}
	for name, test := range map[string]struct {
		fields []string
		want   string
	}{
		"two different ones": {[]string{"email", joan.String(), "password", newPassword, "password2", newPassword + "!"}, "Type the same password in both boxes"},
		"C12 a weak one":     {[]string{"email", joan.String(), "password", "short", "password2", "short"}, "Not met yet:"},
		"own address":        {[]string{"email", joan.String(), "password", "hartley is 9 Times", "password2", "hartley is 9 Times"}, "Not met yet:"},
		"A3 the reminder":    {[]string{"email", joan.String(), "password", newPassword, "password2", newPassword, "reminder", newPassword}, "must not contain the password"},
		"no address":         {[]string{"email", "joan", "password", newPassword, "password2", newPassword}, "Type your whole email address"},
		"nothing":            {nil, "Type your whole email address"},
	} {
		a := v.post("/change-password", test.fields...)
		wants(t, name, a, http.StatusUnprocessableEntity, test.want, `role="alert"`, "The new password has not been taken")
		if regexp.MustCompile(`type="password"[^>]*value=`).MatchString(a.body) {
			t.Errorf("%s: a password is shown again", name)
		}
	}
	if n := len(w.mails(store.KindAccount)); n != 0 {
		t.Errorf("%d mails for refused forms", n)
	}
}

func TestA05ActivateOrDecline(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	elsewhere, _, key := w.account(joan)
	v := w.visitor()
	wants(t, "the answer", v.askChange(joan.String(), newPassword), http.StatusOK, "One more step: activate the new password")
	link := "/v/" + w.mailed(activation)
	page := v.get(link)
	wants(t, "the page", page, http.StatusOK, "Friday 12 June 2026", "Firefox 151 on Windows", "Activate</button>", "Decline</button>", "I did not ask for this")
	if !elsewhere.signs(password) || v.signs(newPassword) {
		t.Error("the new password counts before it was activated")
	}
	wants(t, "another password", v.post(link, "answer", "activate", "password", "wrong"), http.StatusForbidden, "This is not the new password that was entered", "After 4 more wrong tries")
	w.advance(time.Minute)
	a := w.visitor()
	after := a.post(link, "answer", "activate", "password", newPassword)
	inbox := a.follow(after)
	wants(t, "after Activate", inbox, http.StatusOK, "You are signed in as", "Your new password counts from now on", "Waiting for their link", "Use an earlier password")
	if got := elsewhere.get("/"); got.to() != "/sign-in" {
		t.Errorf("the other browser is still signed in: %d", got.status)
	}
	w.advance(time.Minute)
	if v.signs(password) || !v.signs(newPassword) {
		t.Error("after the activation the old password works, or the new one does not")
	}
	wants(t, "the link again", w.visitor().get(link), http.StatusGone, "This link has been used", "Ask for a new link")
	wants(t, "the button again", w.visitor().post(link, "answer", "activate", "password", newPassword), http.StatusGone, "This link has been used")
	if mail := w.mailed(`(?s)(Your password for.*)`); !strings.Contains(mail, "was changed") {
		t.Error("no mail tells of the change")
	}
	wants(t, "the message", a.get("/m/"+key.String()), http.StatusForbidden, "Use an earlier password")

	w.advance(time.Hour)
	v = w.visitor()
	v.askChange(joan.String(), password)
	link = "/v/" + w.mailed(activation)
	wants(t, "Decline without the tick", v.post(link, "answer", "decline"), http.StatusUnprocessableEntity, "Tick the box if you did not ask for this")
	wants(t, "Decline", v.post(link, "answer", "decline", "sure", "yes"), http.StatusOK, "The new password is thrown away")
	wants(t, "Activate after it", v.post(link, "answer", "activate", "password", password), http.StatusGone, "This link has been used")
	if v.signs(password) || !v.signs(newPassword) {
		t.Error("a declined password counts")
	}
	w.advance(time.Hour)
	w.visitor().askChange(joan.String(), password)
	link = "/v/" + w.mailed(activation)
	w.advance(24 * time.Hour)
	wants(t, "after a day", w.visitor().get(link), http.StatusGone, "This link has expired")
	wants(t, "its button", w.visitor().post(link, "answer", "activate", "password", password), http.StatusGone, "This link has expired")
}

func TestC09TemporaryPassword(t *testing.T) {
	t.Parallel()
	w := way(t, account.RecoverTemporary)
	_, secret, key := w.account(joan)
	v := w.visitor()
	wants(t, "the page", v.get("/change-password"), http.StatusOK, "<h1>Forgot Your Password?</h1>", ">Reset Password</button>")
	wants(t, "the answer", v.post("/change-password", "email", joan.String()), http.StatusOK, ">Go To Log In</a>")
	pass := w.mailed(temporary)
	for name, a := range map[string]answer{"sign-in page": w.visitor().post("/sign-in", "email", joan.String(), "password", pass),
		"link page": v.post(linkOf(secret), "step", "sign-in", "password", strings.ToUpper(pass))} {
		if a.status != http.StatusSeeOther || a.to() != "/new-password?check=cookie" {
			t.Fatalf("%s: %d to %q", name, a.status, a.to())
		}
	}
	for _, path := range []string{"/", "/sent", "/settings", "/settings/password", "/m/" + key.String(), "/m/" + key.String() + "/message.eml", "/sign-in", linkOf(secret), "/w/" + w.welcomeToken()} {
		if a := v.get(path); a.status != http.StatusSeeOther || a.to() != "/new-password" {
			t.Errorf("%s: %d to %q", path, a.status, a.to())
		}
	}
	for _, path := range []string{"/m/" + key.String() + "/open", linkOf(secret), "/settings", "/settings/password", "/reminder"} {
		if a := v.post(path); a.status != http.StatusSeeOther || a.to() != "/new-password" {
			t.Errorf("POST %s: %d to %q", path, a.status, a.to())
		}
	}
	if a := v.upload("/m/"+key.String()+"/reply", field{"text", "", "x"}); a.to() != "/new-password" {
		t.Errorf("a reply: %d to %q", a.status, a.to())
	}
	wants(t, "help", v.get("/help"), http.StatusOK, `href="/new-password"`)
	wants(t, "the form", v.get("/new-password"), http.StatusOK, "You have signed in with a temporary password", "data-criteria")
	wants(t, "C12 a weak one", v.post("/new-password", "password", "x", "password2", "y"), http.StatusUnprocessableEntity, "Not met yet:", "Type the same password in both boxes")
	wants(t, "chosen", v.follow(v.post("/new-password", "password", newPassword, "password2", newPassword)), http.StatusOK, "You are signed in as", "Your new password counts from now on")
	w.advance(time.Minute)
	for name, old := range map[string]string{"temporary": pass, "earlier": password} {
		wants(t, name+" password", w.visitor().post("/sign-in", "email", joan.String(), "password", old), http.StatusForbidden, refusal)
	}
	if a := w.visitor().get("/new-password"); a.to() != "/" {
		t.Errorf("without such a session: %d to %q", a.status, a.to())
	}
	if a := w.visitor().get("/new-password?check=cookie"); !strings.Contains(a.body, "ookies") || a.status != http.StatusOK {
		t.Errorf("A12 without cookies: %d", a.status)
	}
}

func TestC10ResetLink(t *testing.T) {
	t.Parallel()
	w := way(t, account.RecoverLink)
	signed, _, key := w.account(joan)
	v := w.visitor()
	v.post("/change-password", "email", joan.String())
	first := w.mailed(resetLink)
	w.advance(3 * time.Minute)
	v.post("/change-password", "email", joan.String())
	link := "/r/" + w.mailed(resetLink)
	before := w.fingerprint()
	for range 3 { // a scanner, which also fills in nothing and presses
		v.get(link)
		v.do(v.request("HEAD", link, nil))
		wants(t, "the button alone", v.post(link), http.StatusUnprocessableEntity, "Your password has not been changed")
	}
	if w.fingerprint() != before {
		t.Error("a look at the link changed the store")
	}
	wants(t, "the older link", v.get("/r/"+first), http.StatusNotFound, "unknown or was replaced", "Ask for a new link")
	wants(t, "the page", v.get(link), http.StatusOK, "Choose a new password", "What the password needs")
	wants(t, "chosen", v.follow(v.post(link, "password", newPassword, "password2", newPassword)), http.StatusOK, "You are signed in as")
	for range 2 {
		wants(t, "a second use", w.visitor().get(link), http.StatusGone, "This link has been used", `href="/change-password">Ask for a new link</a>`)
		wants(t, "its form", w.visitor().post(link, "password", password, "password2", password), http.StatusGone, "This link has been used")
	}
	if a := signed.get("/m/" + key.String()); a.status != http.StatusSeeOther {
		t.Errorf("the other browser still reads: %d", a.status)
	}
	wants(t, "damaged", v.get(link[:30]), http.StatusBadRequest, "The link is incomplete")
	if a := v.post("/p/", "link", "Look: "+w.server.URL+link); a.to() != link {
		t.Errorf("pasted it leads to %q", a.to())
	}
}

// Two tabs with the same form: one password counts, the other tab says that the link has been used.
func TestK9TwoTabsOneChange(t *testing.T) {
	t.Parallel()
	w := way(t, account.RecoverLink)
	w.account(joan)
	w.visitor().post("/change-password", "email", joan.String())
	link := "/r/" + w.mailed(resetLink)
	passwords := []string{newPassword, "Amber 7 windmills at noon"}
	answers := make([]answer, 2)
	var tabs sync.WaitGroup
	for i, p := range passwords {
		v := w.visitor()
		tabs.Go(func() { answers[i] = v.post(link, "password", p, "password2", p) })
	}
	tabs.Wait()
	good := 0
	for i, a := range answers {
		w.advance(time.Minute)
		if works := w.visitor().signs(passwords[i]); works != (a.status == http.StatusSeeOther) {
			t.Errorf("tab %d was answered %d, and its password works: %v", i, a.status, works)
		} else if works {
			good++
		}
	}
	if good != 1 {
		t.Errorf("%d of two passwords count", good)
	}
}

// A disabled account is answered like every failed log-on, whatever was mailed to it before (KEYS K9).
func TestK9DisabledAccountIsNotRecovered(t *testing.T) {
	t.Parallel()
	for _, mode := range []account.Recovery{account.RecoverActivate, account.RecoverTemporary, account.RecoverLink} {
		w := way(t, mode)
		w.account(joan)
		v := w.visitor()
		v.post("/change-password", "email", joan.String(), "password", newPassword, "password2", newPassword)
		w.turn(joan, store.StatusDisabled)
		var a answer
		switch mode {
		case account.RecoverActivate:
			a = v.post("/v/"+w.mailed(activation), "answer", "activate", "password", newPassword)
		case account.RecoverLink:
			a = v.post("/r/"+w.mailed(resetLink), "password", newPassword, "password2", newPassword)
		default:
			a = v.post("/sign-in", "email", joan.String(), "password", w.mailed(temporary))
		}
		wants(t, string(mode), a, http.StatusForbidden, refusal)
	}
}

// KEYS K7, K9: in a browser that is signed in nothing is lost; elsewhere the earlier password, or each message's link,
// brings the messages back.
func TestK9MessagesComeBackAfterAReset(t *testing.T) {
	t.Parallel()
	w := way(t, account.RecoverLink)
	v, first, key := w.account(joan)
	w.confirm(joan)
	_, second := w.plant(joan, letter{subject: "Second", text: "The second text."})
	reset := func(v *visitor, password string) {
		t.Helper()
		w.advance(3 * time.Minute)
		v.post("/change-password", "email", joan.String())
		wants(t, "reset", v.follow(v.post("/r/"+w.mailed(resetLink), "password", password, "password2", password)), http.StatusOK, "You are signed in as")
	}
	reset(v, newPassword)
	wants(t, "in the browser that was signed in", v.get("/m/"+key.String()), http.StatusOK, "The text of the first message.")
	const third = "Copper 9 umbrellas in a row"
	v = w.visitor()
	reset(v, third)
	wants(t, "elsewhere", v.get("/"), http.StatusOK, "Waiting for their link", "You have chosen a new password since.")
	wants(t, "the first message", v.get("/m/"+key.String()), http.StatusForbidden, "Use an earlier password")
	wants(t, "by its link", v.follow(v.post(linkOf(first))), http.StatusOK, "The text of the first message.")
	wants(t, "today's password wrong", v.post("/settings/earlier", "old", "wrong", "earlier", newPassword), http.StatusForbidden, "This is not your password")
	wants(t, "no earlier password", v.post("/settings/earlier", "old", third, "earlier", "wrong"), http.StatusForbidden, "No message of yours was sealed for this password")
	w.advance(time.Minute)
	wants(t, "the earlier password", v.follow(v.post("/settings/earlier", "old", third, "earlier", newPassword)), http.StatusOK, "Your earlier password has opened its messages")
	v.post("/m/" + second.String() + "/open")
	wants(t, "the second message", v.get("/m/"+second.String()), http.StatusOK, "The second text.")
	if a := v.get("/"); strings.Contains(a.body, "Waiting for their link") {
		t.Error("a message still waits")
	}
}

// KEYS K16: somebody with one forwarded link registers first. The owner resets: the intruder is out, reads nothing that
// comes, and nothing of the owner's; the owner reads what the intruder had opened by its link.
func TestK16OwnerTakesTheAccountBack(t *testing.T) {
	t.Parallel()
	for _, mode := range []account.Recovery{account.RecoverActivate, account.RecoverTemporary, account.RecoverLink} {
		w := way(t, mode)
		forwarded, opened := w.plant(joan, letter{subject: "Forwarded", text: "The forwarded text."})
		intruder := w.visitor()
		intruder.register(forwarded)
		w.advance(time.Minute)
		kept, keptKey := w.plant(joan, letter{subject: "For the owner", text: "The owner's text."})
		owner := w.visitor()
		in := owner.recovered(mode, newPassword)
		wants(t, "the owner", owner.follow(in), http.StatusOK, "You are signed in as")
		wants(t, "by its link", owner.follow(owner.post(linkOf(kept))), http.StatusOK, "The owner&#39;s text.")
		wants(t, "by the forwarded link", owner.follow(owner.post(linkOf(forwarded))), http.StatusOK, "The forwarded text.")
		w.advance(time.Minute)
		_, next := w.plant(joan, letter{subject: "Next", text: "The next text."})
		for _, k := range []store.RcptKey{opened, keptKey, next} {
			if a := intruder.get("/m/" + k.String()); a.status != http.StatusSeeOther {
				t.Errorf("%s: the intruder's session answers %d for %s", mode, a.status, k)
			}
		}
		for name, a := range map[string]answer{"sign-in": intruder.post("/sign-in", "email", joan.String(), "password", password),
			"forwarded link": intruder.post(linkOf(forwarded), "step", "sign-in", "password", password)} {
			wants(t, string(mode)+": the intruder's "+name, a, http.StatusForbidden, refusal)
		}
		wants(t, "the welcome mail's link", intruder.post("/w/"+w.welcomeToken(), "answer", "not-me", "sure", "yes"), http.StatusNotFound)
		owner.post("/m/" + next.String() + "/open")
		wants(t, "the next message", owner.get("/m/"+next.String()), http.StatusOK, "The next text.")
	}
}

// recovered goes the whole way back in and answers what the last form did.
func (v *visitor) recovered(mode account.Recovery, password string) answer {
	v.w.t.Helper()
	v.askChange(joan.String(), password)
	switch mode {
	case account.RecoverActivate:
		return v.post("/v/"+v.w.mailed(activation), "answer", "activate", "password", password)
	case account.RecoverLink:
		return v.post("/r/"+v.w.mailed(resetLink), "password", password, "password2", password)
	}
	v.follow(v.post("/sign-in", "email", joan.String(), "password", v.w.mailed(temporary)))
	return v.post("/new-password", "password", password, "password2", password)
}
