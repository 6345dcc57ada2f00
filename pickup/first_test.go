package pickup_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"postern/pickup"
	"postern/pickup/account"
	"postern/pickup/message"
	"postern/store"
	"postern/store/seal"
)

func byTemporary(c *pickup.Config) { c.FirstAccess = store.AccessTemporary }

var mailedPassword = regexp.MustCompile(`(?m)^    ([0-9a-z]{4}(?:-[0-9a-z]{4}){3})\r?$`)

// first mails another temporary password for a link and returns it.
func (v *visitor) first(secret seal.LinkSecret) string {
	v.w.t.Helper()
	before := map[string]bool{}
	for _, raw := range v.w.mailsOf(store.KindAccount) {
		before[raw] = true
	}
	a := v.post(linkOf(secret), "step", "send")
	if a.status != http.StatusSeeOther {
		v.w.t.Fatalf("asking for a temporary password answered %d: %s", a.status, a.body)
	}
	for _, raw := range v.w.mailsOf(store.KindAccount) {
		if m := mailedPassword.FindStringSubmatch(raw); m != nil && !before[raw] {
			return m[1]
		}
	}
	v.w.t.Fatal("no mail with a temporary password waits")
	return ""
}

// TestC03TemporaryPasswordForcesAChange: the mailed password leads to the choice of another and nowhere else; choosing
// makes a confirmed account, opens the message, and ends all temporary ones.
func TestC03TemporaryPasswordForcesAChange(t *testing.T) {
	t.Parallel()
	w := newWorld(t, byTemporary)
	secret, key := w.plant(joan, letter{subject: "Care plan", text: "Dear Joan"})
	_, second := w.plant(joan, letter{subject: "Waiting", text: "x"})
	v := w.visitor()
	v.get(linkOf(secret)).want(t, 200, "Continue to the message", "You type your temporary password")
	older := v.first(secret)
	mailed := v.first(secret)
	v.get(linkOf(secret)+"?step=sign-in&sent=1").want(t, 200, "Type your temporary password", "Another temporary password has been mailed", "joan.hartley@mail.example")
	v.post(linkOf(secret), "step", "sign-in", "password", "k3m7-x9p2-r4t6-w8z0").want(t, 403, "Invalid username, password or permissions.")
	v.post(linkOf(secret), "step", "register", "password", password, "password2", password).want(t, 403)
	v.follow(v.post(linkOf(secret), "step", "sign-in", "password", " "+strings.ToUpper(mailed)+" ")).
		want(t, 200, "Choose a new password", "You have signed in with a temporary password")
	for _, path := range []string{"/", "/sent", "/settings", "/m/" + key.String(), "/m/" + key.String() + "/message.eml", linkOf(secret)} {
		if a := v.get(path); a.status != http.StatusSeeOther || a.to() != "/new-password" {
			t.Errorf("%s: %d to %q", path, a.status, a.to())
		}
	}
	if r := w.recipient(key); r.State == store.StateOpened || w.accountRows() != 0 {
		t.Errorf("state %s and %d accounts before a password was chosen", r.State, w.accountRows())
	}
	v.post("/new-password", "password", "short", "password2", "other").want(t, 422, "Your password has not been changed")
	v.post("/new-password", "password", password, "password2", password, "reminder", password).want(t, 422, "must not contain the password")
	a := v.post("/new-password", "password", password, "password2", password, "reminder", "What stood on the windowsill")
	if a.status != http.StatusSeeOther || !strings.HasPrefix(a.to(), "/m/"+key.String()) {
		t.Fatalf("choosing leads to %d %q: %s", a.status, a.to(), a.body)
	}
	v.follow(a).want(t, 200, "Care plan", "Dear Joan")
	v.get("/").want(t, 200, "Care plan", "Waiting for their link")
	must(t, w.store.View(t.Context(), func(tx store.Tx) error {
		a, err := tx.Accounts().ByAddress(joan.Key())
		if err == nil && (a.Standing != store.Confirmed || !a.Registered) {
			t.Errorf("the account is %s", a.Standing)
		}
		return err
	}))
	if r := w.recipient(second); r.State == store.StateOpened {
		t.Error("another message counts as opened")
	}
	for _, old := range []string{mailed, older} {
		w.advance(10 * time.Minute) // tries at one address have pauses
		w.visitor().post(linkOf(secret), "step", "sign-in", "password", old).want(t, 403)
		w.visitor().post("/sign-in", "email", joan.String(), "password", old).want(t, 403)
	}
	w.visitor().post(linkOf(secret), "step", "send").want(t, 200, "Your password opens the message")
	w.advance(10 * time.Minute)
	if a := w.visitor().post("/sign-in", "email", joan.String(), "password", password); a.status != http.StatusSeeOther {
		t.Errorf("the chosen password: %d", a.status)
	}
}

// TestC03TemporaryPasswordOnTheSignInPage carries no link: the message waits for its own.
func TestC03TemporaryPasswordOnTheSignInPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, byTemporary)
	secret, key := w.plant(joan, letter{subject: "Care plan", text: "x"})
	v := w.visitor()
	mailed := w.visitor().first(secret)
	v.follow(v.post("/sign-in", "email", "JOAN.Hartley@mail.example", "password", mailed)).want(t, 200, "Choose a new password")
	v.follow(v.post("/new-password", "password", password, "password2", password)).want(t, 200, "Waiting for their link")
	v.get("/m/"+key.String()).want(t, 403, "opens through its own link")
	v.follow(v.post(linkOf(secret))).want(t, 200, "Care plan")
}

// TestC03TemporaryPasswordEnds with its time, its message, a sixth one, and where the address may not sign in.
func TestC03TemporaryPasswordEnds(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		do   func(w *world, secret seal.LinkSecret, key store.RcptKey)
		live bool
	}{
		"at once":       {func(*world, seal.LinkSecret, store.RcptKey) {}, true},
		"after 13 days": {func(w *world, _ seal.LinkSecret, _ store.RcptKey) { w.advance(13 * 24 * time.Hour) }, true},
		"after 14 days": {func(w *world, _ seal.LinkSecret, _ store.RcptKey) { w.advance(14 * 24 * time.Hour) }, false},
		"message taken back": {func(w *world, _ seal.LinkSecret, key store.RcptKey) {
			must(w.t, w.messages.Recall(w.t.Context(), message.Actor("sender"), key))
		}, false},
		"five more": {func(w *world, secret seal.LinkSecret, _ store.RcptKey) {
			for range 5 {
				w.advance(time.Hour)
				w.visitor().first(secret)
			}
		}, false},
		"disabled": {func(w *world, _ seal.LinkSecret, _ store.RcptKey) { w.person(joan, store.StatusDisabled, false) }, false},
		"invited":  {func(w *world, _ seal.LinkSecret, _ store.RcptKey) { w.person(joan, store.StatusInvited, false) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, byTemporary)
			w.t = t
			secret, key := w.plant(joan, letter{subject: "Care plan", text: "x"})
			mailed := w.visitor().first(secret)
			test.do(w, secret, key)
			a := w.visitor().post("/sign-in", "email", joan.String(), "password", mailed)
			if got := a.status == http.StatusSeeOther; got != test.live {
				t.Errorf("signing in answers %d", a.status)
			}
		})
	}
}

// TestC03TemporaryPasswordsAreFew: whoever has the link cannot flood the mailbox.
func TestC03TemporaryPasswordsAreFew(t *testing.T) {
	t.Parallel()
	w := newWorld(t, byTemporary)
	secret, _ := w.plant(joan, letter{subject: "Care plan", text: "x"})
	for range 3 {
		w.visitor().first(secret)
	}
	w.visitor().post(linkOf(secret), "step", "send").want(t, 429, "No temporary password has been sent", "20:04 BST")
	if n := len(w.mailsOf(store.KindAccount)); n != 3 {
		t.Errorf("%d mails, want 3", n)
	}
}

// TestEveryFirstAccessWithEveryRecovery reads a first message, forgets the password where there is one, and comes back,
// in every combination of pickup.first_access and pickup.recovery.
func TestEveryFirstAccessWithEveryRecovery(t *testing.T) {
	t.Parallel()
	read := map[store.Access]func(v *visitor, secret seal.LinkSecret) answer{
		store.AccessPassword: func(v *visitor, secret seal.LinkSecret) answer { return v.follow(v.register(secret)) },
		store.AccessCode:     func(v *visitor, secret seal.LinkSecret) answer { return v.visit(secret) },
		store.AccessTemporary: func(v *visitor, secret seal.LinkSecret) answer {
			v.post(linkOf(secret), "step", "sign-in", "password", v.first(secret))
			return v.follow(v.post("/new-password", "password", password, "password2", password))
		},
	}
	for access, first := range read {
		for _, recovery := range []account.Recovery{account.RecoverActivate, account.RecoverTemporary, account.RecoverLink} {
			t.Run(string(access)+" and "+string(recovery), func(t *testing.T) {
				t.Parallel()
				w := way(t, recovery, func(c *pickup.Config) { c.FirstAccess = access })
				w.t = t
				secret, _ := w.plant(joan, letter{subject: "Care plan", text: "x"})
				v := w.visitor()
				first(v, secret).want(t, 200, "Care plan")
				again, _ := w.plant(joan, letter{subject: "Another", text: "x"})
				v.follow(v.post(linkOf(again))).want(t, 200, "Another")
				guest := w.visitor()
				guest.get("/sign-in").want(t, 200, "Change your password")
				if access == store.AccessCode { // nothing to forget: the same answer, and no mail
					before := len(w.ownMails())
					guest.askChange(joan.String(), newPassword).want(t, 200)
					if n := len(w.ownMails()); n != before {
						t.Errorf("%d mails to an address without account", n-before)
					}
					guest.get(linkOf(again)).want(t, 200, "Send me a code")
					return
				}
				guest.get(linkOf(again)).want(t, 200, "Sign in to read")
				guest.comeBack(recovery)
				fresh := w.visitor()
				fresh.post("/sign-in", "email", joan.String(), "password", password).want(t, 403)
				fresh.follow(fresh.post(linkOf(again), "step", "sign-in", "password", newPassword)).want(t, 200, "Another")
			})
		}
	}
}

// comeBack sets a new password by mail.
func (v *visitor) comeBack(by account.Recovery) {
	v.w.t.Helper()
	v.w.advance(time.Second) // mails are told apart by their time
	switch by {
	case account.RecoverActivate:
		v.askChange(joan.String(), newPassword)
		v.post("/v/"+v.w.mailed(activation), "answer", "activate", "password", newPassword)
	case account.RecoverLink:
		v.post("/change-password", "email", joan.String())
		v.post("/r/"+v.w.mailed(resetLink), "password", newPassword, "password2", newPassword)
	case account.RecoverTemporary:
		v.post("/change-password", "email", joan.String())
		v.post("/sign-in", "email", joan.String(), "password", v.w.mailed(temporary))
		v.post("/new-password", "password", newPassword, "password2", newPassword)
	}
}

// pagesOfFirst are those of a first access by a temporary password.
func pagesOfFirst(t *testing.T, add func(string, answer), change ...func(*pickup.Config)) {
	t.Helper()
	w := newWorld(t, append(change, byTemporary)...)
	secret, _ := w.plant(joan, letter{subject: "Care plan", text: "Dear Joan"})
	v := w.visitor()
	add("cover.temporary", v.get(linkOf(secret)))
	add("sign-in.first", v.get(linkOf(secret)+"?step=sign-in"))
	add("sign-in.first-sent", v.follow(v.post(linkOf(secret), "step", "send")))
	wrong := v.post(linkOf(secret), "step", "sign-in", "password", "x")
	if strings.Contains(wrong.body, `href="#email"`) || !strings.Contains(wrong.body, `href="#password"`) {
		w.t.Errorf("the mistakes of a temporary password lead elsewhere than to its box, the only one that can be typed in")
	}
	add("sign-in.first-wrong", wrong)
	add("sign-in.temporary", v.get("/sign-in"))
	mailed := v.first(secret)
	v.first(secret)
	add("sign-in.first-limited", v.post(linkOf(secret), "step", "send"))
	add("new-password.first", v.follow(v.post(linkOf(secret), "step", "sign-in", "password", mailed)))
	add("new-password.first-wrong", v.post("/new-password", "password", "x", "password2", "y"))
	add("help.temporary", v.get("/help"))
}

// TestPagesOfFirstPasswordsLookRightAndAxeFindsNothing goes that way in a browser.
func TestPagesOfFirstPasswordsLookRightAndAxeFindsNothing(t *testing.T) {
	t.Parallel()
	chromium := common.Browser(t)
	w := newWorld(t, byTemporary)
	secret, key := w.plant(joan, carePlan(t))
	g := gallery{t, w, chromium.Tab(t)}
	g.visit("31-first-link", linkOf(secret))
	g.tab.Press(".envelope .btn")
	g.look("31b-first-password")
	g.tab.Press("main .btn.quiet")
	g.look("31c-first-sent")
	g.tab.Fill("#password", "wrong")
	g.tab.Press("main .btn")
	g.look("31d-first-wrong")
	g.tab.Fill("#password", w.mailed(`(?m)^    ([0-9a-z]{4}(?:-[0-9a-z]{4}){3})\r?$`))
	g.tab.Press("main .btn")
	g.look("31e-first-choose")
	g.tab.Fill("#pw", password)
	g.tab.Fill("#pw2", password)
	g.tab.Press("main .btn")
	g.look("31f-first-message")
	if got := g.tab.Path(); got != "/m/"+key.String() {
		t.Errorf("after the choice the browser is at %s", got)
	}
}
