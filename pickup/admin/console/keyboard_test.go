package console_test

import (
	"strings"
	"testing"
	"time"

	"postern/cmd/browser"
	"postern/pickup/admin"
	"postern/store"
)

// typist goes through the console by keyboard alone.
type typist struct {
	*browser.Typist
	t   *testing.T
	w   *world
	key string // of the authenticator app
}

// TestB15ConsoleByKeyboard sets an access up, signs in, disables a user, recalls a message, filters the audit log, makes,
// changes and resets an administrator and signs out elsewhere by keyboard alone, without scripts and with them. The answer to each mistake leads from its summary into the field, and
// each stop of the Tab key shows the focus.
func TestB15ConsoleByKeyboard(t *testing.T) {
	t.Parallel()
	chromium := common.Browser(t)
	for name, scripts := range map[string]browser.Scripts{"without scripts": browser.WithoutScripts, "with scripts": browser.WithScripts} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := &typist{Typist: chromium.Typist(t, scripts), t: t, w: newWorld(t)}
			k.setsUp()
			k.signsOutAndIn()
			k.disables()
			k.recalls()
			k.filters()
			k.makesAdministrator()
			k.changesAdministrator()
			k.endsSessions()
		})
	}
}

func (k *typist) ends(path string) {
	k.t.Helper()
	if got := k.Path(); got != path {
		k.t.Errorf("the browser is at %s, want %s", got, path)
	}
}

// code is what the app shows now; each counts once.
func (k *typist) code() string {
	k.t.Helper()
	k.w.advance(time.Minute)
	return totp(k.t, k.key, k.w.Now())
}

func (k *typist) setsUp() {
	k.Go(k.w.server.URL + k.w.setUpLink(dana, admin.RoleAdmin))
	k.key = browser.Eval[string](k.Tab, `document.querySelector("main dd code").textContent`)
	k.Type("#code", "000000")
	k.Type("#pw", password)
	k.Type("#pw2", password)
	k.Submit()
	k.Says("Your access has not been set up")
	k.Corrects("#code")
	k.Type("#code", k.code())
	k.Type("#pw", password)
	k.Type("#pw2", password)
	k.Follow("main form button")
	k.ends("/")
	k.Says("Dashboard", dana.String())
}

// signsOutAndIn leaves by the menu under the name, and comes back in after a mistake.
func (k *typist) signsOutAndIn() {
	k.TabTo(".usermenu summary")
	k.Keys(browser.KeyEnter)
	k.Follow(".usermenu form button")
	k.ends("/sign-in?signed-out=1")
	k.Type("#email", dana.String())
	k.Type("#password", password)
	k.Type("#code", "000000")
	k.Submit()
	k.Says("You are not signed in")
	k.Corrects("#password")
	k.Type("#password", password)
	k.Type("#code", k.code())
	k.Submit()
	k.ends("/")
}

// B5, B6: found by the search, disabled after one more question, active again.
func (k *typist) disables() {
	user := k.w.person(joan.String(), "Joan Hartley")
	k.Follow(`.sidenav a[href="/users"]`)
	k.Type("#q", "hartley")
	k.Submit()
	k.Follow(`main a[href="/users/` + user + `"]`)
	k.TabTo("#cl-g")
	k.Keys(browser.KeyUp) // a member, which an address elsewhere cannot be
	k.Follow(".save-bar button")
	k.Says("Nothing has been saved")
	k.Corrects("#cl-m")
	k.Keys(browser.KeyDown)
	k.TabTo("#st-a")
	k.Keys(browser.KeyDown)
	k.Follow(".save-bar button")
	k.Says("Disable Joan Hartley?")
	k.Follow(".save-bar button")
	k.Says("The user is disabled")
	if n := k.w.sessions(user); n != 0 {
		k.t.Errorf("%d sessions are left", n)
	}
	k.TabTo("#st-d")
	k.Keys(browser.KeyUp)
	k.Follow(".save-bar button")
	k.Says("The user is active again")
}

// recalls a message for one of its recipients.
func (k *typist) recalls() {
	m := k.w.mail(joan, ruth)
	id := m.ID.String()
	k.Follow(`.sidenav a[href="/messages"]`)
	k.Follow(`main a[href="/messages/` + id + `"]`)
	k.Follow(`main a[href$="/recall?item=` + id + `.2"]`)
	k.Says("Recall the message for r.adeyemi@riverside-day.example?")
	k.Follow(".save-bar button")
	k.Says("The message was recalled")
	if a, b := k.w.bed.Rcpt(store.RcptKey{Message: m.ID, N: 1}).State, k.w.bed.Rcpt(store.RcptKey{Message: m.ID, N: 2}).State; a != store.StateNotified || b != store.StateRecalled {
		k.t.Errorf("states are %s and %s", a, b)
	}
}

// filters finds in the audit log what was just done.
func (k *typist) filters() {
	k.Follow(`.sidenav a[href="/audit"]`)
	k.Type("#user", "nobody")
	k.Submit()
	k.Says("nobody is no user and no administrator")
	k.Corrects("#user")
	k.Type("#user", joan.String())
	k.Submit()
	k.Says("Account: disabled")
	k.Type("#user", "")
	k.TabBackTo("#what")
	k.Keys("Mess")
	k.TabTo("#actor")
	k.Type("#actor", dana.String())
	k.Submit()
	k.Says("Message: recalled")
	if page := browser.Eval[string](k.Tab, "document.querySelector('main tbody').innerText"); strings.Contains(page, "Account:") {
		k.t.Errorf("the filter lets through\n%s", page)
	}
}

// makesAdministrator, after a mistake in the address and one in the code.
func (k *typist) makesAdministrator() {
	k.Follow(`.sidenav a[href="/administrators"]`)
	k.Type("#address", "priya")
	k.TabTo("#role-h")
	k.Type("#new-password", password)
	k.Type("#new-code", "000000")
	k.Submit()
	k.Says("Nobody was made an administrator")
	k.Corrects("#address")
	k.Type("#address", priya.String())
	k.Type("#new-password", password)
	k.Type("#new-code", "000000")
	k.Follow("section form button")
	k.Says("Your password or the code is not right")
	k.Corrects("#new-password")
	k.Type("#new-password", password)
	k.Type("#new-code", k.code())
	k.Submit()
	k.Says("Set-up link for "+priya.String(), "It is shown only now")
	k.TabTo("#link")
	k.Follow(`main p a[href="/administrators"]`)
	k.Says(priya.String())
}

// changesAdministrator gives another role after a mistake, disables and enables, and resets after a mistake.
func (k *typist) changesAdministrator() {
	k.Follow(`main a[href="` + k.w.administrator(priya) + `"]`)
	k.TabTo("#role-h")
	k.Keys(browser.KeyDown)
	k.Type("#role-password", "another")
	k.Type("#role-code", k.code())
	k.Submit()
	k.Says("Nothing has been changed")
	k.Corrects("#role-code")
	k.TabBackTo("#role-password")
	k.Type("#role-password", password)
	k.Type("#role-code", k.code())
	k.Submit()
	k.Says("Saved", "Auditor")
	k.Type("#status-password", password)
	k.Type("#status-code", k.code())
	k.Follow("form[action$='/status'] button")
	k.Says("The administrator is disabled and signed out")
	k.Type("#status-password", password)
	k.Type("#status-code", k.code())
	k.Follow("form[action$='/status'] button")
	k.Says("The administrator is no longer disabled")
	k.Follow("main a[href$='/reset']")
	k.Type("#reset-password", password)
	k.Submit()
	k.Says("Nothing has been changed")
	k.Corrects("#reset-code")
	k.TabBackTo("#reset-password")
	k.Type("#reset-password", password)
	k.Type("#reset-code", k.code())
	k.Follow("main form button")
	k.Says("Set-up link for " + priya.String())
}

// endsSessions signs out one other browser, and then all others.
func (k *typist) endsSessions() {
	var others []*visitor
	for range 3 {
		v := k.w.visitor()
		if a := v.post("/sign-in", "email", dana.String(), "password", password, "code", k.code()); a.to() == "" {
			k.t.Fatalf("another sign-in answers %d", a.status)
		}
		others = append(others, v)
	}
	live := func() (n int) {
		for _, v := range others {
			if v.get("/").to() == "" {
				n++
			}
		}
		return n
	}
	k.TabTo(".usermenu summary")
	k.Keys(browser.KeyEnter)
	k.Follow(`.usermenu a[href="/sessions"]`)
	k.Says("Your sessions", "This browser")
	k.Follow(".sessions button")
	k.Says("The session is ended")
	if n := live(); n != 2 {
		k.t.Errorf("after one was ended %d of 3 others live", n)
	}
	k.Follow("main form.gap-m button")
	k.Says("You are signed out everywhere else", "You are signed in nowhere else")
	if n := live(); n != 0 {
		k.t.Errorf("after all others were ended %d live", n)
	}
}
