package pickup_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"postern/pickup"
	"postern/store"
)

const nextPassword = "Copper thimble 19 west"

// lookup reads the account of an address.
func (w *world) lookup(address store.Address) (a store.Account) {
	w.t.Helper()
	must(w.t, w.store.View(context.Background(), func(tx store.Tx) (err error) {
		a, err = tx.Accounts().ByAddress(address.Key())
		return err
	}))
	return a
}

// signIn is another browser of the same person.
func (w *world) signIn(address, password string) *visitor {
	w.t.Helper()
	v := w.visitor()
	if a := v.post("/sign-in", "email", address, "password", password); a.status != http.StatusSeeOther {
		w.t.Fatalf("sign-in answers %d", a.status)
	}
	return v
}

func lacks(t *testing.T, what string, a answer, status int, texts ...string) {
	t.Helper()
	if a.status != status {
		t.Errorf("%s: %d, want %d", what, a.status, status)
	}
	for _, text := range texts {
		if !strings.Contains(a.body, text) {
			t.Errorf("%s: the page lacks %q", what, text)
		}
	}
}

func TestSettingsChangePassword(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, _, key := w.account(joan)
	w.confirm(joan)
	other := w.signIn(joan.String(), password)
	lacks(t, "form", v.get("/settings/password"), 200, `id="old"`, `data-rule="guess"`, "Leave it empty to keep the one you have")

	before := w.fingerprint()
	lacks(t, "weak and different", v.post("/settings/password", "old", password, "password", "short", "password2", "x"), 422,
		"Your password has not been changed", `href="#pw"`, `href="#pw2"`, `class="unmet" data-rule="length"`)
	lacks(t, "nothing", v.post("/settings/password"), 422, `href="#pw"`, `href="#old"`, "Type your password")
	lacks(t, "reminder", v.post("/settings/password", "old", password, "password", nextPassword, "password2", nextPassword, "reminder", "my "+nextPassword), 422,
		`href="#reminder"`, `value="my `+nextPassword+`"`)
	lacks(t, "the same", v.post("/settings/password", "old", password, "password", password, "password2", password, "reminder", "y"), 422, "Choose another password than the one you have")
	lacks(t, "no present one", v.post("/settings/password", "password", nextPassword, "password2", nextPassword), 422, `href="#old"`, "Type your password")
	if w.fingerprint() != before {
		t.Error("refused forms changed the store")
	}
	a := v.post("/settings/password", "old", password, "password", nextPassword, "password2", nextPassword)
	if a.status != 303 || a.to() != "/settings?done=password" {
		t.Fatalf("the change answers %d to %q", a.status, a.to())
	}
	lacks(t, "afterwards", v.follow(a), 200, "Your password has been changed", "Password changed")
	lacks(t, "a message of before", v.get("/m/"+key.String()), 200, "The text of the first message.")
	if a := other.get("/"); a.to() != "/sign-in" {
		t.Errorf("the other browser is still signed in: %d", a.status)
	}
	if a := w.visitor().post("/sign-in", "email", joan.String(), "password", password); a.status != 403 {
		t.Errorf("the old password answers %d", a.status)
	}
	w.signIn(joan.String(), nextPassword)
	if mails := w.mails(store.KindAccount); len(mails) != 1 || !strings.Contains(mails[0], "To: "+joan.String()) || strings.Contains(mails[0], nextPassword) {
		t.Errorf("mails %q", mails)
	}
	_, fresh := w.plant(joan, letter{subject: "After the change", text: "New text."})
	v.post("/m/" + fresh.String() + "/open")
	lacks(t, "a message of after", v.get("/m/"+fresh.String()), 200, "New text.")
}

// mails are those of a kind that wait in the queue.
func (w *world) mails(kind store.Kind) (all []string) {
	w.t.Helper()
	var items []store.QueueItem
	must(w.t, w.store.View(context.Background(), func(tx store.Tx) (err error) {
		items, _, err = tx.Queue().List("", "", 100)
		return err
	}))
	for _, item := range items {
		if item.Kind == kind {
			raw, _, err := w.outbox.Open(item)
			must(w.t, err)
			all = append(all, string(raw))
		}
	}
	return all
}

// A wrong present password shows the same page, and tries soon have to wait (KEYS K13).
func TestSettingsWrongPasswordIsThrottled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, _, _ := w.account(joan)
	before := w.lookup(joan)
	tries := []struct{ path, page, old string }{
		{"/settings/password", "Your password has not been changed", "wrong"},
		{"/settings/reminder", "Your reminder phrase has not been changed", ""},
	}
	for _, test := range tries {
		a := v.post(test.path, "old", test.old, "password", nextPassword, "password2", nextPassword, "reminder", "The shed")
		lacks(t, test.path, a, 403, test.page, "This is not your password", `href="#old"`, `aria-invalid="true"`, `value="The shed"`)
	}
	w.advance(2 * time.Minute)
	// What is wrong beside it is told with it, and is no cheaper guess.
	lacks(t, "weak as well", v.post(tries[0].path, "old", "wrong", "password", "short", "password2", "x"), 403,
		"This is not your password", `href="#old"`, `href="#pw"`, `href="#pw2"`, `class="unmet" data-rule="length"`)
	lacks(t, "hint as well", v.post(tries[0].path, "old", "wrong", "password", nextPassword, "password2", nextPassword, "reminder", nextPassword), 403,
		"This is not your password", `href="#old"`, `href="#reminder"`)
	for range 2 {
		v.post(tries[0].path, "old", "wrong", "password", "short", "password2", "x")
	}
	a := v.post(tries[1].path, "old", password, "reminder", "x")
	if a.status != 503 || a.header.Get("Retry-After") == "" {
		t.Errorf("after many tries: %d, Retry-After %q", a.status, a.header.Get("Retry-After"))
	}
	if after := w.lookup(joan); after.Version != before.Version {
		t.Error("the account has changed")
	}
	w.advance(2 * time.Minute)
	lacks(t, "afterwards", v.follow(v.post(tries[1].path, "old", password, "reminder", "The shed")), 200, "Your reminder phrase has been changed")
	phrase, err := w.keys.OpenReminder(before.ID, w.lookup(joan).Reminder)
	if err != nil || phrase != "The shed" {
		t.Errorf("reminder %q, %v", phrase, err)
	}
	lacks(t, "none", v.follow(v.post(tries[1].path, "old", password, "reminder", "")), 200, "You have no reminder phrase.")
}

func TestSettingsSessions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, _, _ := w.account(joan)
	peters, _, _ := w.account(peter)
	lacks(t, "alone", v.get("/settings"), 200, "Firefox 151 on Windows", "This browser", "You are signed in nowhere else.")
	w.advance(time.Minute)
	second, third := w.signIn(joan.String(), password), w.signIn(joan.String(), password)
	page := v.get("/settings")
	lacks(t, "three", page, 200, "Sign out everywhere else", "Since <time")
	if n := strings.Count(page.body, `name="session"`); n != 2 {
		t.Fatalf("%d sessions can be ended, want 2", n)
	}
	id := page.find(t, `name="session" value="([0-9a-z]{26})"`)
	if a := peters.post("/settings", "do", "session", "session", id); a.status != 303 {
		t.Errorf("another account's session: %d", a.status)
	}
	if second.get("/").status != 200 || third.get("/").status != 200 {
		t.Error("a session of another account was ended")
	}
	lacks(t, "one", v.follow(v.post("/settings", "do", "session", "session", id)), 200, "Signed out there", "Signed out elsewhere: ")
	if (second.get("/").status == 200) == (third.get("/").status == 200) {
		t.Error("not one of the two sessions ended")
	}
	lacks(t, "again", v.follow(v.post("/settings", "do", "session", "session", id)), 200)
	lacks(t, "all others", v.follow(v.post("/settings", "do", "others")), 200, "You are signed in nowhere else.")
	for _, gone := range []*visitor{second, third} {
		if a := gone.get("/settings"); a.to() != "/sign-in?to=%2Fsettings" {
			t.Errorf("a browser that was signed out: %d to %q", a.status, a.to())
		}
	}
	if peters.get("/settings").status != 200 {
		t.Error("somebody else was signed out")
	}
	for _, bad := range [][]string{{}, {"do", "x"}, {"do", "session"}, {"do", "session", "session", "../.."}, {"do", "language", "lang", "tlh"}} {
		if a := v.post("/settings", bad...); a.status != 400 {
			t.Errorf("%v: %d, want 400", bad, a.status)
		}
	}
}

func TestSettingsLanguageIsKeptForPagesAndMails(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *pickup.Config) { c.Catalogue = pseudo(t, bracketed) })
	v, _, _ := w.account(joan)
	lacks(t, "before", v.get("/settings"), 200, "<h1>Settings</h1>", "Save language")
	a := v.follow(v.post("/settings", "do", "language", "lang", "en-XA"))
	lacks(t, "after", a, 200, "<h1>⟦Settings⟧</h1>", "⟦Your language has been saved⟧", `<option value="en-XA" lang="en-XA" selected>`)
	if got := w.lookup(joan).Language; got != "en-XA" {
		t.Errorf("the account's language is %q", got)
	}
}

// What happened is told in plain words; a page of it leads to the next.
func TestSettingsRecord(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, _, _ := w.account(joan)
	must(t, w.accounts.Disable(t.Context(), "root", w.lookup(joan).ID))
	must(t, w.accounts.Enable(t.Context(), "root", w.lookup(joan).ID))
	v = w.signIn(joan.String(), password)
	lacks(t, "record", v.get("/settings/record"), 200, "A password was chosen for the first time", "Opened for the first time: the message of", "The account was shut",
		"The account was opened again", "The people who run this site", "Firefox 151 on Windows")
	for i := range 60 {
		e := store.Event{ID: store.NewEventID(w.Now().Add(time.Duration(i) * time.Second)), What: store.EventSignInFail, Account: w.lookup(joan).ID, Actor: "recipient",
			Facts: map[string]string{"browser": "Opera on <Windows>"}}
		w.update(func(tx store.Tx) error { return tx.Audit().Add(e) })
	}
	first := v.get("/settings")
	lacks(t, "settings", first, 200, "A sign-in that failed", "Opera on &lt;Windows&gt;", "Show the whole record")
	page := v.get("/settings/record")
	older := strings.ReplaceAll(page.find(t, `href="(/settings/record\?after=[^"]+)"`), "&amp;", "&")
	second := v.get(older)
	lacks(t, "second page", second, 200, "A password was chosen for the first time", "Newest events")
	if strings.Contains(page.body, "chosen for the first time") {
		t.Error("the first page has all")
	}
	if a := v.get("/settings/record?after=%21"); a.status != 404 {
		t.Errorf("a cursor of nobody: %d", a.status)
	}
	if a := w.visitor().get("/settings/record"); a.to() != "/sign-in?to=%2Fsettings%2Frecord" {
		t.Errorf("a stranger: %d to %q", a.status, a.to())
	}
}

// A session that ends while a form is filled in leads to the sign-in page, and back to the form (A9).
func TestSettingsSessionEndsMeanwhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, _, _ := w.account(joan)
	w.advance(40 * time.Minute)
	before := w.lookup(joan)
	for path, want := range map[string]string{"/settings/password": "Change password", "/settings/reminder": "Change reminder", "/settings": "Settings"} {
		v := v
		a := v.post(path, "old", password, "password", nextPassword, "password2", nextPassword, "do", "others")
		if a.status != 303 || !strings.HasPrefix(a.to(), "/sign-in?to=") {
			t.Fatalf("%s without session: %d to %q", path, a.status, a.to())
		}
		form := v.get(a.to())
		to := form.find(t, `name="to" value="([^"]+)"`)
		if to != path {
			t.Errorf("%s leads back to %q", path, to)
		}
		back := v.follow(v.post("/sign-in", "email", joan.String(), "password", password, "to", to))
		lacks(t, path, back, 200, "<h1>"+want+"</h1>")
		v.post("/sign-out")
	}
	if key, _ := before.Current(); key.ID != w.lookup(joan).Keys[0].ID || len(w.lookup(joan).Keys) != 1 {
		t.Error("the key changed")
	}
}

// TestB06DisabledIsOutAtOnce: also in the middle of a change; enabling brings all back (B9).
func TestB06DisabledIsOutAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, _, _ := w.account(joan)
	must(t, w.accounts.Disable(t.Context(), "root", w.lookup(joan).ID))
	for _, path := range []string{"/settings", "/settings/password", "/settings/reminder"} {
		if a := v.post(path, "old", password, "password", nextPassword, "password2", nextPassword, "do", "others"); !strings.HasPrefix(a.to(), "/sign-in") {
			t.Errorf("%s: %d to %q", path, a.status, a.to())
		}
	}
	lacks(t, "signing in", w.visitor().post("/sign-in", "email", joan.String(), "password", password), 403, refusal)
	must(t, w.accounts.Enable(t.Context(), "root", w.lookup(joan).ID))
	w.advance(time.Minute)
	lacks(t, "B9", w.signIn(joan.String(), password).get("/settings"), 200, "You have a reminder phrase.", "The account was shut")
}

// TestB11KeptLogInStaysKept through a change of password.
func TestB11KeptLogInStaysKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account(joan)
	v := w.visitor()
	v.post("/sign-in", "email", joan.String(), "password", password, "keep", "1")
	lacks(t, "kept", v.get("/settings"), 200, "Kept logged in since")
	a := v.post("/settings/password", "old", password, "password", nextPassword, "password2", nextPassword)
	if !strings.Contains(strings.Join(a.header.Values("Set-Cookie"), "\n"), "Max-Age=2592000") {
		t.Errorf("cookies %q", a.header.Values("Set-Cookie"))
	}
	w.advance(10 * 24 * time.Hour)
	lacks(t, "ten days later", v.get("/settings"), 200, "Kept logged in since")
}
