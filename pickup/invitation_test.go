package pickup_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"postern/pickup/account"
	"postern/store"
)

// invite mails an invitation and returns the token of its link.
func (w *world) invite(address string) string {
	w.t.Helper()
	w.advance(time.Second) // so that its mail is the newest
	to, err := store.ParseAddress(address)
	must(w.t, err)
	_, err = w.accounts.Invite(w.t.Context(), account.Invitation{By: "socket"}, []account.Invitee{{Address: to, Class: store.ClassMember}})
	must(w.t, err)
	return w.mailed(`/n/([0-9a-z]{37})`)
}

func (w *world) status(address string) (a store.Account) {
	w.t.Helper()
	to, err := store.ParseAddress(address)
	must(w.t, err)
	must(w.t, w.store.View(w.t.Context(), func(tx store.Tx) error {
		a, err = tx.Accounts().ByAddress(to.Key())
		return err
	}))
	return a
}

// TestB03InvitationLeadsToAnAccount: the link shows a form and changes nothing; a chosen password makes an active,
// confirmed account and signs in; the link works once and a week.
func TestB03InvitationLeadsToAnAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	link := "/n/" + w.invite("carla@example.org")
	v := w.visitor()
	for range 3 {
		if a := v.get(link); a.status != http.StatusOK || !strings.Contains(a.body, "carla@example.org") || !strings.Contains(a.body, "invites you to its secure mail") {
			t.Fatalf("the page: %d\n%s", a.status, a.body)
		}
	}
	if a := v.post("/language", "lang", "en", "to", link); a.to() != link {
		t.Errorf("a choice of language leads from the page to %q", a.to())
	}
	for name, fields := range map[string][]string{
		"button alone":  {},
		"weak":          {"password", "short", "password2", "short"},
		"two different": {"password", password, "password2", nextPassword},
		"hint":          {"password", password, "password2", password, "reminder", "it is " + password},
	} {
		if a := v.post(link, fields...); a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, "Your password has not been set") {
			t.Errorf("%s: %d", name, a.status)
		}
	}
	if a := w.status("carla@example.org"); a.Status != store.StatusInvited || a.Registered || !a.Member {
		t.Errorf("before: %+v", a)
	}
	a := v.post(link, "password", password, "password2", password, "reminder", "what hangs there")
	if a.status != http.StatusSeeOther || !strings.HasPrefix(a.to(), "/?check") {
		t.Fatalf("accepted: %d to %q", a.status, a.to())
	}
	if a := w.status("carla@example.org"); a.Status != store.StatusActive || !a.Registered || a.Standing != store.Confirmed || !a.Member {
		t.Errorf("after: %+v", a)
	}
	if told := strings.Join(w.mails(store.KindAccount), "\n"); strings.Count(told, "password was chosen for your address") != 1 || strings.Contains(told, password) {
		t.Errorf("the address was not told once: %s", told)
	}
	if a := v.get("/"); a.status != http.StatusOK || !strings.Contains(a.body, "carla@example.org") {
		t.Errorf("the inbox: %d", a.status)
	}
	a = w.visitor().get(link)
	if a.status != http.StatusGone || !strings.Contains(a.body, "This link has been used") || !strings.Contains(a.body, `href="/sign-in"`) {
		t.Errorf("the link again: %d", a.status)
	}
	if !strings.Contains(a.body, "01632 960 626") || !strings.Contains(a.body, `href="mailto:ict.desk@example.org"`) {
		t.Error("the help desk is not named with both number and address")
	}
	if a := v.get(link); a.status != http.StatusGone || !strings.Contains(a.body, "You are signed in as") || !strings.Contains(a.body, `action="/sign-out"`) ||
		strings.Contains(a.body, `href="/sign-in"`) {
		t.Errorf("the link again, signed in: %d\n%s", a.status, a.body)
	}
	if a := w.visitor().post(link, "password", nextPassword, "password2", nextPassword); a.status != http.StatusGone {
		t.Errorf("the form again: %d", a.status)
	}
	if a := w.visitor().post("/sign-in", "email", "carla@example.org", "password", password); a.status != http.StatusSeeOther {
		t.Errorf("signing in: %d", a.status)
	}

	first := "/n/" + w.invite("late@example.org")
	second := "/n/" + w.invite("late@example.org")
	if a := v.get(first); a.status != http.StatusNotFound {
		t.Errorf("a link that a newer one replaced: %d", a.status)
	}
	w.advance(7*24*time.Hour + time.Minute)
	if a := w.visitor().post(second, "password", password, "password2", password); a.status != http.StatusGone || !strings.Contains(a.body, "This invitation has expired") {
		t.Errorf("a week later: %d", a.status)
	}
	third := w.invite("late@example.org")
	must(t, w.accounts.Disable(t.Context(), "ann", w.status("late@example.org").ID))
	if a := w.visitor().post("/n/"+third, "password", password, "password2", password); a.status != http.StatusForbidden || !strings.Contains(a.body, "Invalid username, password or permissions.") {
		t.Errorf("disabled: %d", a.status)
	}
	if a := w.visitor().post("/p/", "link", "https://secure-mail.example.org/n/"+third); a.to() != "/n/"+third {
		t.Errorf("pasted link leads to %q", a.to())
	}
}
