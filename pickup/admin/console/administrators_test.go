package console_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"postern/pickup/admin"
	"postern/store"
)

// administrator is the path of an administrator's page.
func (w *world) administrator(address store.Address) string {
	w.t.Helper()
	a, err := w.admin.AdminShow(w.t.Context(), admin.Socket, address.String())
	must(w.t, err)
	return "/administrators/" + a.ID
}

// TestConsoleAdministrators: one is made with a link that is shown once and works, gets another role, is disabled and
// enabled, and reset; each ends the sessions at once.
func TestConsoleAdministrators(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.signedIn(dana, admin.RoleAdmin)
	a := v.post("/administrators", "address", " "+priya.String(), "role", "helpdesk")
	link := strings.TrimPrefix(between(strings.ReplaceAll(a.body, "</pre>", `"`), `aria-labelledby="link-t" dir="ltr">`), w.server.URL)
	if a.status != http.StatusOK || !strings.HasPrefix(link, "/n/") || !a.says("It is shown only now") || a.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("made: %d %s", a.status, plain(a.body))
	}
	path := w.administrator(priya)
	if a := v.get("/administrators"); !a.says("priya.nair@example.org Help desk Invited Not set up yet Never") || !a.says("dana.okafor@example.org You Administrator Active Set up") || strings.Contains(a.body, "/n/") {
		t.Errorf("the list: %s", plain(a.body))
	}
	desk := w.enrolled(link)
	if a := v.get("/administrators"); !a.says("priya.nair@example.org Help desk Active Set up") {
		t.Errorf("the list: %s", plain(a.body))
	}
	for what, form := range map[string][]string{"/role": {"role", "auditor"}, "/status": {"status", "disabled"}} {
		if what == "/status" {
			w.advance(time.Minute)
		}
		if a := v.post(path+what, form...); a.status != http.StatusSeeOther || !strings.HasPrefix(a.to(), path+"?done=") {
			t.Errorf("%s: %d %s", what, a.status, plain(a.body))
		}
	}
	if a := desk.get("/"); a.status != http.StatusSeeOther {
		t.Errorf("the session goes on: %d", a.status)
	}
	if a := v.get(path + "?done=admin-disabled"); !a.says("Auditor") || !a.says("Disabled") || !a.says("disabled and signed out") || a.says("Reset…") {
		t.Errorf("the page: %s", plain(a.body))
	}
	if a := v.post(path + "/reset"); a.status != http.StatusUnprocessableEntity || !a.says("is disabled; enable it first") {
		t.Errorf("reset while disabled: %d", a.status)
	}
	if a := v.post(path+"/status", "status", "active"); a.to() != path+"?done=admin-enabled" {
		t.Errorf("enabled: %d", a.status)
	}
	if a := v.get(path + "/reset"); !a.says("Reset priya.nair@example.org?") || !v.get(path).says("Active") {
		t.Errorf("reset is asked: %s", plain(a.body))
	}
	again := v.post(path + "/reset")
	next := strings.TrimPrefix(between(strings.ReplaceAll(again.body, "</pre>", `"`), `aria-labelledby="link-t" dir="ltr">`), w.server.URL)
	if !strings.HasPrefix(next, "/n/") || next == link || !v.get(path).says("Not set up yet") {
		t.Errorf("reset: %d %s", again.status, plain(again.body))
	}
	if a := w.enrolled(next).get("/audit"); a.status != http.StatusOK {
		t.Errorf("the auditor's log: %d", a.status)
	}
}

// TestConsoleAdministratorsRefused: bad addresses and roles are said at the form; nobody touches his own access, by
// whatever form; the auditor looks only, and the help desk does not even that.
func TestConsoleAdministratorsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, auditor, desk := w.signedIn(dana, admin.RoleAdmin), w.signedIn(audrey, admin.RoleAuditor), w.signedIn(priya, admin.RoleHelpDesk)
	for form, says := range map[[2]string]string{{"", "admin"}: "ype an email address", {"x", "admin"}: "is not an email address", {strings.Repeat("x", 900) + "@example.org", "admin"}: "is not an email address",
		{"new@example.org", "king"}: "is no role", {"new@example.org", ""}: "is no role", {audrey.String(), "admin"}: "is an administrator already"} {
		if a := v.post("/administrators", "address", form[0], "role", form[1]); a.status != http.StatusUnprocessableEntity || !a.says("Nobody was made an administrator") || !a.says(says) {
			t.Errorf("%.40q: %d %s", form, a.status, plain(a.body))
		}
	}
	self := w.administrator(dana)
	if a := v.get(self); !a.says("This is you") || strings.Contains(a.body, "<form method=\"post\" action=\"/administrators") {
		t.Errorf("one's own page: %s", plain(a.body))
	}
	for what, form := range map[string][]string{"/role": {"role", "auditor"}, "/status": {"status", "disabled"}, "/reset": nil} {
		if a := v.post(self+what, form...); a.status != http.StatusUnprocessableEntity || !a.says("Nobody changes or resets his own access") {
			t.Errorf("one's own %s: %d %s", what, a.status, plain(a.body))
		}
	}
	if a := v.get(self + "/reset"); strings.Contains(a.body, "btn danger") || v.get("/").status != http.StatusOK {
		t.Errorf("one's own reset is offered, or was done: %d", a.status)
	}
	for path, status := range map[string]int{"/administrators/x": 404, "/administrators/" + strings.Repeat("0", 26): 404, "/administrators?after=x": 404} {
		if a := v.get(path); a.status != status {
			t.Errorf("%s: %d", path, a.status)
		}
	}
	other := w.administrator(priya)
	for what, form := range map[string][]string{"/status": {"status", "gone"}, "/role": {"role", "x"}} {
		if a := v.post(other+what, form...); a.status != http.StatusBadRequest && a.status != http.StatusUnprocessableEntity {
			t.Errorf("%s %q: %d", what, form, a.status)
		}
	}
	if a := auditor.get("/administrators"); !a.says("Administrators") || a.says("Make an administrator") || auditor.get(other).says("Disable") {
		t.Errorf("the auditor is offered more than a look: %s", plain(a.body))
	}
	if a := desk.get("/administrators"); a.status != http.StatusForbidden || desk.get("/").says("Administrators") {
		t.Errorf("the help desk: %d", a.status)
	}
}

// TestConsoleOwnSessions: every session of one's own is listed; another one is signed out, or all others; those of
// somebody else and this one stay.
func TestConsoleOwnSessions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	here, stranger := w.signedIn(dana, admin.RoleAdmin), w.signedIn(priya, admin.RoleHelpDesk)
	again := func() *visitor {
		w.advance(time.Minute)
		v := w.visitor()
		if a := v.post("/sign-in", "email", dana.String(), "password", password, "code", totp(t, here.key, w.Now())); a.status != http.StatusSeeOther {
			t.Fatalf("sign-in: %d", a.status)
		}
		return v
	}
	alive := func(v *visitor) bool { return v.get("/").status == http.StatusOK }
	second, third := again(), again()
	page := here.get("/sessions")
	if strings.Count(page.body, `name="session" value="`) != 3 || strings.Count(plain(page.body), "This browser") != 1 || !page.says("Firefox 151 on Windows") {
		t.Fatalf("the page: %s", plain(page.body))
	}
	foreign := between(here.get("/sessions").body, `name="session" value="`)
	if a := stranger.post("/sessions", "session", foreign); a.to() != "/sessions?done=ended" || !alive(second) || !alive(third) {
		t.Errorf("by somebody else: %d", a.status)
	}
	if a := here.post("/sessions", "session", foreign); a.to() != "/sessions?done=ended" || alive(second) == alive(third) || !alive(here) {
		t.Errorf("one: %d", a.status)
	}
	fourth := again()
	if a := here.post("/sessions", "session", "others"); a.to() != "/sessions?done=ended-others" || alive(second) || alive(third) || alive(fourth) || !alive(here) || !alive(stranger) {
		t.Errorf("all others: %d", a.status)
	}
	if a := here.get("/sessions?done=ended-others"); !a.says("You are signed in nowhere else") || !a.says("signed out everywhere else") {
		t.Errorf("afterwards: %s", plain(a.body))
	}
	for _, bad := range [][]string{{"session", "x"}, {"session", ""}, nil} {
		if a := here.post("/sessions", bad...); a.status != http.StatusBadRequest {
			t.Errorf("%q: %d", bad, a.status)
		}
	}
	log, err := w.admin.AuditList(t.Context(), admin.Socket, admin.AuditQuery{What: store.EventAdminEnded}, "")
	if err != nil || len(log.Rows) != 2 || log.Rows[0].Facts["count"] != "2" || log.Rows[0].Actor != dana.String() || log.Rows[0].User != dana.String() {
		t.Errorf("on record: %+v, %v", log.Rows, err)
	}
}
