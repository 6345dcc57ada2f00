package console_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/pickup/admin"
	"postern/store"
)

// administrator is the path of an administrator's page.
func (w *world) administrator(address store.Address) string {
	w.t.Helper()
	a, err := w.admin.AdminShow(w.t.Context(), admin.Socket(), address.String())
	must(w.t, err)
	return "/administrators/" + a.ID
}

// proven adds password and code to a form, as who is signed in types them; each code counts once.
func (v *visitor) proven(pairs ...string) []string {
	v.w.advance(time.Minute)
	return append(pairs, "password", password, "code", v.code())
}

// TestConsoleAdministrators: one is made with a link that is shown once and works, gets another role, is disabled and
// enabled, and reset; each ends the sessions at once.
func TestConsoleAdministrators(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.signedIn(dana, admin.RoleAdmin)
	a := v.post("/administrators", v.proven("address", " "+priya.String(), "role", "helpdesk")...)
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
		if a := v.post(path+what, v.proven(form...)...); a.status != http.StatusSeeOther || !strings.HasPrefix(a.to(), path+"?done=") {
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
	if a := v.post(path+"/status", v.proven("status", "active")...); a.to() != path+"?done=admin-enabled" {
		t.Errorf("enabled: %d", a.status)
	}
	if a := v.get(path + "/reset"); !a.says("Reset priya.nair@example.org?") || !v.get(path).says("Active") {
		t.Errorf("reset is asked: %s", plain(a.body))
	}
	again := v.post(path+"/reset", v.proven()...)
	next := strings.TrimPrefix(between(strings.ReplaceAll(again.body, "</pre>", `"`), `aria-labelledby="link-t" dir="ltr">`), w.server.URL)
	if !strings.HasPrefix(next, "/n/") || next == link || !v.get(path).says("Not set up yet") {
		t.Errorf("reset: %d %s", again.status, plain(again.body))
	}
	if a := w.enrolled(next).get("/audit"); a.status != http.StatusOK {
		t.Errorf("the auditor's log: %d", a.status)
	}
}

// TestConsoleSessionAloneTouchesNoAdministrator: who comes by a browser left open makes no administrator and no set-up
// link, and changes no role and no access. It takes the password and a code that was never used; the answer to a wrong one
// says what to do, does nothing, and does not say which of the two was wrong.
func TestConsoleSessionAloneTouchesNoAdministrator(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.signedIn(dana, admin.RoleAdmin)
	w.signedIn(priya, admin.RoleHelpDesk)
	path := w.administrator(priya)
	before := w.fingerprint()
	said := map[string]bool{}
	try := func(to string, form ...string) {
		w.advance(time.Minute + time.Second) // the longest pause between two tries
		for i := range form {
			form[i] = strings.Replace(form[i], "what the app shows", v.code(), 1)
		}
		a := v.post(to, form...)
		if a.status != http.StatusUnprocessableEntity || !a.says("Your password or the code is not right") || strings.Contains(a.body, "/n/") || strings.Contains(a.body, password) {
			t.Errorf("%s with %q: %d %s", to, form, a.status, plain(a.body))
		}
		said[to+" "+a.body[strings.Index(a.body, "<main"):]] = true
	}
	try("/administrators", "address", audrey.String(), "role", "admin")
	try(path+"/status", "status", "disabled")
	try(path + "/reset")
	for _, proof := range [][]string{nil, {"password", password}, {"code", "what the app shows"}, {"password", password + "x", "code", "what the app shows"},
		{"password", password, "code", "000000"}} {
		try(path+"/role", append([]string{"role", "admin"}, proof...)...)
	}
	if len(said) != 4 {
		t.Errorf("%d answers to 4 forms: they tell what was wrong", len(said))
	}
	if !slices.Equal(before, w.fingerprint()) {
		t.Error("something was done")
	}
	w.advance(time.Minute + time.Second)
	code := v.code()
	if a := v.post(path+"/role", "role", "auditor", "password", password, "code", code); a.to() != path+"?done=saved" {
		t.Fatalf("with both: %d %s", a.status, plain(a.body))
	}
	for what, answer := range map[string]func() answer{
		"another form": func() answer { return v.post(path+"/status", "status", "disabled", "password", password, "code", code) },
		"the sign-in": func() answer {
			return w.visitor().post("/sign-in", "email", dana.String(), "password", password, "code", code)
		},
	} {
		if a := answer(); a.status != http.StatusUnprocessableEntity && a.status != http.StatusForbidden {
			t.Errorf("the same code once more, at %s: %d", what, a.status)
		}
	}
	if a := v.get(path); !a.says("Auditor") || !a.says("Active") {
		t.Errorf("in the end: %s", plain(a.body))
	}
}

// TestConsoleAdministratorsAreTold: mails tell whom a change is about, and all who may make one, of every administrator
// who is made, reset, disabled, enabled or gets another role, in the console and at the command line.
func TestConsoleAdministratorsAreTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	told := func() (list []string) {
		for _, m := range w.bed.Mails(store.KindAccount) {
			h := strings.ReplaceAll(m, "\r\n ", " ")
			to, subject := valueOf(h, "\r\nTo: "), valueOf(h, "\r\nSubject: ")
			list = append(list, strings.TrimSuffix(to, "@example.org")+": "+subject)
			if strings.Contains(m, w.server.URL) || strings.Contains(m, "/n/") {
				t.Errorf("a mail holds a link:\n%s", m)
			}
		}
		w.bed.Update(func(tx store.Tx) error {
			for _, i := range w.bed.Queue() {
				if err := tx.Queue().Remove(i.Key); err != nil {
					return err
				}
			}
			return nil
		})
		slices.Sort(list)
		return list
	}
	v := w.signedIn(dana, admin.RoleAdmin)
	if got := told(); got != nil {
		t.Errorf("the first one: %q", got)
	}
	w.signedIn(audrey, admin.RoleAuditor)
	w.setUpLink(store.Address{Local: "never.came", Domain: "example.org"}, admin.RoleAdmin)
	told()
	for _, step := range []struct {
		do   func()
		want []string
	}{
		{func() { v.post("/administrators", v.proven("address", priya.String(), "role", "helpdesk")...) },
			[]string{"dana.okafor: priya.nair@example.org was given access to the console of Example County Council Secure Mail"}},
		{func() {
			v.post(w.administrator(priya)+"/role", v.proven("role", "admin")...)
			w.bed.Update(func(tx store.Tx) error { // she signs in for the first time
				x, err := tx.Administrators().ByAddress(priya.Key())
				x.LastSignIn = w.Now()
				return errors.Join(err, tx.Administrators().Set(x))
			})
		}, []string{"dana.okafor: The role of priya.nair@example.org in the console of Example County Council Secure Mail was changed"}},
		{func() { v.post(w.administrator(priya)+"/role", v.proven("role", "auditor")...) },
			[]string{"dana.okafor: The role of priya.nair@example.org in the console of Example County Council Secure Mail was changed",
				"priya.nair: Your role in the console of Example County Council Secure Mail was changed"}},
		{func() { v.post(w.administrator(priya)+"/role", v.proven("role", "auditor")...) }, nil}, // it has that role
		{func() { v.post(w.administrator(priya)+"/reset", v.proven()...) },
			[]string{"dana.okafor: The access of priya.nair@example.org to the console of Example County Council Secure Mail was reset",
				"priya.nair: Your access to the console of Example County Council Secure Mail was reset"}},
		{func() { v.post(w.administrator(priya)+"/status", v.proven("status", "disabled")...) },
			[]string{"dana.okafor: The access of priya.nair@example.org to the console of Example County Council Secure Mail was disabled",
				"priya.nair: Your access to the console of Example County Council Secure Mail was disabled"}},
		{func() {
			must(t, w.admin.AdminSwitch(t.Context(), admin.Socket(), admin.Proof{}, priya.String(), store.StatusActive))
		},
			[]string{"dana.okafor: The access of priya.nair@example.org to the console of Example County Council Secure Mail was enabled again",
				"priya.nair: Your access to the console of Example County Council Secure Mail was enabled again"}},
		{func() {
			must(t, w.admin.AdminRole(t.Context(), admin.Socket(), admin.Proof{}, dana.String(), admin.RoleAuditor))
		},
			[]string{"dana.okafor: Your role in the console of Example County Council Secure Mail was changed"}},
	} {
		step.do()
		if got := told(); !slices.Equal(got, step.want) {
			t.Errorf("told %q, want %q", got, step.want)
		}
	}
}

// valueOf is what a header field says.
func valueOf(mail, field string) string {
	_, rest, _ := strings.Cut(mail, field)
	value, _, _ := strings.Cut(rest, "\r\n")
	return value
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
	log, err := w.admin.AuditList(t.Context(), admin.Socket(), admin.AuditQuery{What: store.EventAdminEnded}, "")
	if err != nil || len(log.Rows) != 2 || log.Rows[0].Facts["count"] != "2" || log.Rows[0].Actor != dana.String() || log.Rows[0].User != dana.String() {
		t.Errorf("on record: %+v, %v", log.Rows, err)
	}
}
