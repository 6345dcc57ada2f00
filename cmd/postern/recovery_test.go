package main

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// Passwords of somebody who forgets them.
const (
	resetPassword     = "nine amber kettles on the 4th shelf"
	chosenPassword    = "Copper umbrellas, 12 in a row"
	activatedPassword = "Marigold lantern by 3 windmills"
	settledPassword   = "Seven pewter owls on a 2nd ladder"
	pendingPassword   = "Velvet harbour under 8 larches"
)

// TestI3BlindnessAfterEveryRecovery begins with a temporary password (C3), goes every way back in on a real gateway (KEYS
// K16), changes the password in the settings, leaves another change pending, and copies the data folder. With all server keys nothing opens. Each password opens what was sealed for it
// and for what is chained to it, and nothing else: a reset opens nothing of before to anybody but who remembers the
// earlier password.
func TestI3BlindnessAfterEveryRecovery(t *testing.T) {
	t.Parallel()
	b := newBlindRun(t)
	b.hop.shut.Store(false)
	b.pickup("first_access: temporary-password, recovery: reset-link")
	temporary := b.firstAccess()
	b.byLink()
	b.byTemporaryPassword()
	b.byActivation()
	b.tr.waitForEmptyQueue(t)
	left := b.tr.freeze()
	quiet := b.afterTheHour()

	a := newAttack(lootOf(t, left, quiet)).takeKeys(t, quiet, "server.key").takeKeys(t, quiet, "queue.ring").run()
	kinds := map[string]int{}
	for _, l := range a.layers {
		kinds[l.ctx[0]]++
	}
	if kinds["box"] < 5 || kinds["chain"] < 2 || kinds["reminder"] < 1 || a.dead > 0 {
		t.Errorf("the attack found layers %v, and %d values that it does not know", kinds, a.dead)
	}
	if gains := a.gains(); gains != "" {
		t.Errorf("with all copies and all server keys opens: %s", gains)
	}
	for _, test := range []struct {
		password string
		opens    []string
	}{
		{goodPassword, []string{"first"}},
		{resetPassword, []string{"first", "reset"}}, // the earlier one was typed afterwards
		{chosenPassword, []string{"chosen"}},
		{activatedPassword, []string{"chosen", "activated"}},          // in a browser that was signed in
		{settledPassword, []string{"chosen", "activated", "settled"}}, // in the settings nothing is lost
		{pendingPassword, nil},
		{temporary, nil},
	} {
		b.wantOpen("the password "+test.password, a.with(func(a *attack) { a.tryPassword(t, test.password) }), test.opens...)
	}
}

const forgetful = "bob@ext.example"

// recoverBy starts the gateway anew with another way back in.
func (b *blindRun) recoverBy(way string) { b.pickup("recovery: " + way) }

// pickup starts the gateway anew with more settings of the site.
func (b *blindRun) pickup(settings string) {
	b.t.Helper()
	if err := b.tr.stop(); err != nil {
		b.t.Fatal(err)
	}
	b.tr.edit = func(yaml string) string { return strings.Replace(yaml, "pickup: {", "pickup: {"+settings+", ", 1) }
	b.tr.start()
}

// received sends one more message, which the account's newest key opens.
func (b *blindRun) received(name string) {
	b.t.Helper()
	b.send(name, forgetful, "[secure]", 1)
	b.tr.waitForEmptyQueue(b.t)
	b.bob.wantStatus(http.StatusOK, b.bob.get("/")).want(b.t, b.text[name])
}

// firstAccess reads the first message by a mailed password, which it returns, and chooses another.
func (b *blindRun) firstAccess() string {
	b.send("first", forgetful, "[secure]", 1)
	link := b.tr.link(b.tr.notes(forgetful, 1)[0])
	mailed := passwordLine.FindStringSubmatch(b.tr.await(forgetful, "temporary password", "X-Postern-Origin: v1 account").View().Text)
	if mailed == nil {
		b.t.Fatal("the mail holds no temporary password")
	}
	b.bob = b.tr.person()
	b.bob.wantStatus(http.StatusOK, b.bob.post(link, "step", "sign-in", "password", mailed[1])).want(b.t, "Choose a new password")
	b.bob.wantStatus(http.StatusOK, b.bob.post("/new-password", "password", goodPassword, "password2", goodPassword)).want(b.t, b.text["first"])
	return mailed[1]
}

// byLink resets in a browser that is signed in nowhere, and types the earlier password afterwards.
func (b *blindRun) byLink() {
	b.bob = b.tr.person()
	b.bob.wantStatus(http.StatusOK, b.bob.post("/change-password", "email", forgetful))
	link := linkIn(b.tr.await(forgetful, "/r/").View().Text, b.bob.site+"/r/")
	b.bob.wantStatus(http.StatusOK, b.bob.post(link, "password", resetPassword, "password2", resetPassword)).want(b.t, "Your new password counts from now on")
	b.bob.wantStatus(http.StatusOK, b.bob.post("/settings/earlier", "old", resetPassword, "earlier", goodPassword)).want(b.t, b.text["first"])
	b.received("reset")
}

var temporaryText = regexp.MustCompile(`Temporary password:\s+([0-9a-z-]{19})`)

func (b *blindRun) byTemporaryPassword() {
	b.recoverBy("temporary-password")
	b.bob = b.tr.person()
	b.bob.wantStatus(http.StatusOK, b.bob.post("/change-password", "email", forgetful))
	temporary := temporaryText.FindStringSubmatch(b.tr.await(forgetful, "Temporary password:").View().Text)
	if temporary == nil {
		b.t.Fatal("the mail holds no temporary password")
	}
	b.bob.wantStatus(http.StatusOK, b.bob.signIn(forgetful, temporary[1])).want(b.t, "Choose a new password")
	b.bob.wantStatus(http.StatusOK, b.bob.post("/new-password", "password", chosenPassword, "password2", chosenPassword)).want(b.t, "Your new password counts from now on")
	b.received("chosen")
}

// byActivation changes it in the browser that is signed in, then in the settings, and leaves another change pending.
func (b *blindRun) byActivation() {
	b.recoverBy("activate")
	ask := func(password string) {
		b.t.Helper()
		b.bob.wantStatus(http.StatusOK, b.bob.post("/change-password", "email", forgetful, "password", password, "password2", password, "reminder", "The garden gate"))
	}
	ask(activatedPassword)
	link := linkIn(b.tr.await(forgetful, "/v/").View().Text, b.bob.site+"/v/")
	b.bob.wantStatus(http.StatusOK, b.bob.post(link, "answer", "activate", "password", activatedPassword)).want(b.t, "Your new password counts from now on", b.text["chosen"])
	b.received("activated")
	b.bob.wantStatus(http.StatusOK, b.bob.post("/settings/password", "old", activatedPassword, "password", settledPassword, "password2", settledPassword)).want(b.t, "Your password has been changed")
	b.received("settled")
	ask(pendingPassword)
	waitUntil(b.t, "the second change was mailed", func() bool { return strings.Count(b.tr.log.String(), `"kind":"activate","account"`) == 2 })
}
