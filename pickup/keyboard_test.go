package pickup_test

import (
	"strings"
	"testing"
	"time"

	"postern/cmd/browser"
	"postern/pickup/account"
	"postern/store"
)

// typist goes through the flows of an account by keyboard alone.
type typist struct {
	*browser.Typist
	t *testing.T
	w *world
}

// TestB15EveryAccountFlowByKeyboard goes every flow of an account by keyboard alone, without scripts and with them. In
// each one form is sent with a mistake first: the focus then leads from the summary into the field. Each stop of the Tab
// key shows the focus.
func TestB15EveryAccountFlowByKeyboard(t *testing.T) {
	t.Parallel()
	chromium := common.Browser(t)
	for name, scripts := range map[string]browser.Scripts{"without scripts": browser.WithoutScripts, "with scripts": browser.WithScripts} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			use := func(w *world, flows ...func(typist)) {
				w.t = t
				k := typist{chromium.Typist(t, scripts), t, w}
				for _, flow := range flows {
					flow(k)
				}
			}
			activates := newWorld(t)
			activates.account(joan)
			use(activates, typist.reminder, typist.declines, typist.activates, typist.changesPassword, typist.signsOutElsewhere, typist.addsAddress,
				typist.choosesLanguage)
			use(activates, typist.acceptsInvitation)
			use(way(t, account.RecoverTemporary, byTemporary), typist.firstTemporary, typist.forgetsTemporary)
			resets := way(t, account.RecoverLink)
			resets.account(joan)
			use(resets, typist.resets)
			use(newWorld(t, byCode), typist.readsByCode)
		})
	}
}

func (k typist) open(path string) {
	k.t.Helper()
	k.Go(k.w.server.URL + path)
}

// ends fails unless the browser has come to a path.
func (k typist) ends(path string) {
	k.t.Helper()
	if got := k.Path(); got != path {
		k.t.Errorf("the browser is at %s, want %s", got, path)
	}
}

// chooses fills in the two fields of a new password.
func (k typist) chooses(first, second string) {
	k.t.Helper()
	k.Type("#pw", first)
	k.Type("#pw2", second)
}

// A1 to A3.
func (k typist) reminder() {
	k.open("/sign-in")
	k.Follow(`main a[href="/reminder"]`)
	k.Type("#email", "joan")
	k.Submit()
	k.Says("No reminder has been sent")
	k.Corrects("#email")
	k.Type("#email", joan.String())
	k.Submit()
	k.Says("Please look in your ordinary inbox")
	if got := k.w.mailed(`"(What stood[^"]*)"`); got != "What stood on the windowsill" {
		k.t.Errorf("the reminder is %q", got)
	}
	k.Follow("main a.btn")
	k.ends("/sign-in")
}

// asks fills in the form of A4, from the sign-in page, and returns the path of the mailed link.
func (k typist) asks() string {
	k.t.Helper()
	k.w.advance(time.Minute)
	k.open("/sign-in")
	k.Follow(`main a[href="/change-password"]`)
	k.Type("#email", joan.String())
	k.chooses(newPassword, newPassword)
	k.Type("#reminder", "The shed")
	k.Follow("main form button")
	k.Says("One more step: activate the new password")
	return "/v/" + k.w.mailed(activation)
}

// A4 and A5, where somebody else asked.
func (k typist) declines() {
	k.open("/change-password")
	k.Type("#email", joan.String())
	k.chooses("Hartley", "Hartle")
	k.Submit()
	k.Says("The new password has not been taken")
	k.Corrects("#pw2")
	k.open(k.asks())
	k.Follow("main .danger")
	k.Says("Tick the box if you did not ask for this")
	k.Corrects("#sure")
	k.Keys(browser.KeySpace)
	k.Follow("main .danger")
	k.Says("The new password is thrown away")
	k.Follow("main a.btn")
	k.ends("/sign-in")
}

// A4 and A5, to the inbox.
func (k typist) activates() {
	k.open(k.asks())
	k.Type("#again", "wrong")
	k.Submit()
	k.Says("This is not the new password that was entered")
	k.Corrects("#again")
	k.Type("#again", newPassword)
	k.Submit()
	k.Says("Your new password counts from now on", "You are signed in as")
	k.ends("/?done=password")
}

// changesPassword and reminder of somebody who is signed in.
func (k typist) changesPassword() {
	k.Follow(`.topnav a[href="/settings"]`)
	k.Follow(`main a[href="/settings/password"]`)
	k.Type("#old", "wrong")
	k.chooses(nextPassword, nextPassword)
	k.Follow("main form button")
	k.Says("Your password has not been changed")
	k.Corrects("#old")
	k.w.advance(time.Minute)
	k.Type("#old", newPassword)
	k.chooses(nextPassword, nextPassword)
	k.Submit()
	k.Says("Your password has been changed")
	k.ends("/settings?done=password")
	k.Follow(`main a[href="/settings/reminder"]`)
	k.Type("#reminder", "it is "+nextPassword)
	k.Type("#old", nextPassword)
	k.Submit()
	k.Corrects("#reminder")
	k.Type("#reminder", "What lies by the stove")
	k.Type("#old", nextPassword)
	k.Submit()
	k.Says("Your reminder phrase has been changed")
}

// signsOutElsewhere ends the one session of another browser, and then all others.
func (k typist) signsOutElsewhere() {
	for _, button := range []string{`#sessions form:has([value=session]) button`, `#sessions form:has([value=others]) button`} {
		other := k.w.signIn(joan.String(), nextPassword)
		k.open("/settings")
		k.Follow(button)
		k.Says("Signed out there")
		if a := other.get("/"); a.to() != "/sign-in" {
			k.t.Errorf("after %s the other browser gets %d", button, a.status)
		}
	}
}

// B13: added, confirmed, removed.
func (k typist) addsAddress() {
	k.open("/settings")
	k.Type("#alias", family.String())
	k.Submit()
	k.Type("#alias", "joan")
	k.Type("#old", nextPassword)
	k.Submit()
	k.Corrects("#alias")
	k.Type("#alias", family.String())
	k.Type("#old", nextPassword)
	k.Submit()
	k.Says("We have sent a mail to the new address", "Waiting")
	k.open(k.w.aliasLink(family))
	k.Follow("main form button")
	k.Says("The address has been added")
	if got := k.w.lookup(family); got.ID != k.w.lookup(joan).ID {
		k.t.Error("the address is not the account's")
	}
	k.Follow("#addresses form:has([value=remove]) button")
	k.Type("#old", nextPassword)
	k.Submit()
	k.Says("The address has been removed")
}

func (k typist) choosesLanguage() {
	for _, language := range []struct{ letters, tag string }{{"Deu", "de"}, {"Eng", "en"}} {
		k.open("/settings")
		k.TabTo("#lang")
		k.Keys(language.letters)
		k.Follow("#language button")
		if got := browser.Eval[string](k.Tab, "document.documentElement.lang"); got != language.tag {
			k.t.Errorf("after %s the page is in %q", language.letters, got)
		}
		if got := k.w.lookup(joan).Language; got != language.tag {
			k.t.Errorf("after %s mails are in %q", language.letters, got)
		}
	}
	k.Follow(`form[action="/sign-out"] button`)
	k.Says("You are signed out")
}

// B3, from the mail to the inbox.
func (k typist) acceptsInvitation() {
	k.open("/n/" + k.w.invite("carla@example.org"))
	k.chooses("short", "short")
	k.Submit()
	k.Says("Your password has not been set")
	k.Corrects("#pw")
	k.chooses(password, password)
	k.Type("#reminder", "what hangs there")
	k.TabTo("#keep")
	k.Keys(browser.KeySpace)
	k.Follow("main form button")
	k.ends("/")
	k.Says("carla@example.org")
}

// C3: a mailed password, one's own, and the message.
func (k typist) firstTemporary() {
	secret, key := k.w.plant(joan, letter{subject: "Care plan", text: "Dear Joan"})
	k.open(linkOf(secret))
	k.Follow("main .envelope button")
	k.Type("#password", "wrong")
	k.Submit()
	k.Corrects("#password")
	k.w.advance(time.Minute)
	k.Follow("main .btn.quiet") // another one
	k.Says("Another temporary password has been mailed")
	k.Type("#password", k.w.mailed(mailedPassword.String()))
	k.Submit()
	k.replacesTemporary()
	k.ends("/m/" + key.String())
	k.Says("Dear Joan")
	k.Follow(`form[action="/sign-out"] button`)
}

// replacesTemporary chooses one's own password, after a mistake.
func (k typist) replacesTemporary() {
	k.t.Helper()
	k.Says("You have signed in with a temporary password")
	k.chooses(password, newPassword)
	k.Submit()
	k.Corrects("#pw2")
	k.chooses(newPassword, newPassword)
	k.Submit()
}

// C9: a forgotten password by a temporary one.
func (k typist) forgetsTemporary() {
	k.w.advance(time.Minute)
	k.Follow(`main a[href="/change-password"]`)
	k.TabTo("#email")
	k.Submit()
	k.Says("No mail has been sent")
	k.Corrects("#email")
	k.Type("#email", joan.String())
	k.Submit()
	k.Says("Please look in your ordinary inbox")
	k.Follow("main a.btn")
	k.Type("#email", joan.String())
	k.Type("#password", k.w.mailed(temporary))
	k.Submit()
	k.replacesTemporary()
	k.ends("/?done=password")
	k.Says("Your new password counts from now on")
}

// C10: a forgotten password by a link.
func (k typist) resets() {
	k.open("/sign-in")
	k.Follow(`main a[href="/change-password"]`)
	k.Type("#email", joan.String())
	k.Submit()
	k.open("/r/" + k.w.mailed(resetLink))
	k.chooses("short", "short")
	k.Submit()
	k.Says("Your password has not been changed")
	k.Corrects("#pw")
	k.chooses(newPassword, newPassword)
	k.Submit()
	k.Says("Your new password counts from now on", "Waiting for their link")
	k.ends("/?done=password")
	k.Follow(`main a[href="/settings/earlier"]`)
	k.Type("#old", newPassword)
	k.Type("#earlier", "wrong")
	k.Submit()
	k.Corrects("#earlier")
	k.w.advance(time.Minute)
	k.Type("#old", newPassword)
	k.Type("#earlier", password)
	k.Submit()
	k.Says("Your earlier password has opened its messages")
}

// P11: a mailed code, the message, an answer.
func (k typist) readsByCode() {
	secret, key := k.w.plant(joan, letter{subject: "Care plan", text: "Dear Joan"})
	k.open(linkOf(secret))
	code := k.w.newCode(func() { k.Follow("main .envelope button") })
	k.Type("#code", wrongCode(code, 1))
	k.Submit()
	k.Says("The message has not been opened")
	k.Corrects("#code")
	k.Type("#code", code)
	k.Submit()
	k.ends("/m/" + key.String())
	k.Says("Care plan", "Dear Joan")
	k.Follow(`.toolbar a[href$="/reply"]`)
	k.Follow("main form button[type=submit]")
	k.Corrects("#text")
	k.Type("#text", "Thank you")
	k.Follow("main form button[type=submit]")
	k.Says("Your reply has been sent")
	if len(k.w.replies) != 1 || !strings.Contains(string(k.w.replies[0]), "Thank you") {
		k.t.Errorf("%d replies", len(k.w.replies))
	}
	k.Follow(`form[action="/sign-out"] button`)
	k.Says("You are signed out")
	if r := k.w.recipient(key); r.State != store.StateOpened {
		k.t.Errorf("the message is %s", r.State)
	}
}
