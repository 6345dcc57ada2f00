package console_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"postern/pickup/admin"
	"postern/store"
)

// TestB05DisableAUser: dashboard, a click on a user, "User Account", Status Disabled, Save; and the way back.
func TestB05DisableAUser(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.signedIn(priya, admin.RoleHelpDesk)
	id := w.person("joan.hartley@mail.example", "Joan Hartley")
	path := "/users/" + id
	if a := v.get("/"); !strings.Contains(a.body, `action="/users"`) {
		t.Error("the dashboard leads to no user")
	}
	if a := v.get("/users?q=hart"); !strings.Contains(a.body, `href="`+path+`"`) || !a.says("1 active, 0 invited, 0 disabled.") {
		t.Errorf("the search finds: %s", plain(a.body))
	}
	page := v.get(path)
	for _, text := range []string{"User Account: Joan Hartley", "joan.hartley@mail.example", "Status", "Disabled", "Save", "Safari on iPhone", "Users are never deleted"} {
		if !page.says(text) {
			t.Errorf("the page does not say %q", text)
		}
	}
	if a := v.post(path, "status", "disabled"); a.status != http.StatusOK || !a.says("Disable Joan Hartley?") || !a.says("1 session ends.") || w.sessions(id) != 1 {
		t.Errorf("the question: %d, %d sessions", a.status, w.sessions(id))
	}
	if a := v.post(path, "status", "disabled", "sure", "yes"); a.to() != path+"?done=disabled" || w.sessions(id) != 0 {
		t.Errorf("disabled: %d, %d sessions", a.status, w.sessions(id))
	}
	if a := v.get("/users?status=disabled"); !a.says("Joan Hartley") || !a.says("0 active, 0 invited, 1 disabled.") {
		t.Errorf("afterwards: %s", plain(a.body))
	}
	if a := v.post(path, "status", "disabled", "sure", "yes"); a.to() != path+"?done=saved" {
		t.Errorf("twice: %d %q", a.status, a.to())
	}
	if a := v.post(path, "status", "active"); a.to() != path+"?done=enabled" {
		t.Errorf("enabled: %d %q", a.status, a.to())
	}
	if a := v.get("/users?status=active"); !a.says("1 active, 0 invited, 0 disabled.") {
		t.Errorf("in the end: %s", plain(a.body))
	}
}

// TestB07DisabledUsersAreNotCounted: the dashboard's count of active users is the licence's.
func TestB07DisabledUsersAreNotCounted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.signedIn(dana, admin.RoleAdmin)
	var ids []string
	for i := range 5 {
		ids = append(ids, w.person(fmt.Sprintf("p%d@mail.example", i), ""))
	}
	for _, id := range ids[:2] {
		v.post("/users/"+id, "status", "disabled", "sure", "yes")
	}
	if a := v.get("/"); !a.says("Active 3 counted for the licence") || !a.says("Disabled 2 not counted") {
		t.Errorf("the dashboard says: %s", plain(a.body))
	}
}

// TestConsoleUserForm: name and kind are the administrators' alone; nothing is half done; what is not offered is kept.
func TestConsoleUserForm(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, desk := w.signedIn(dana, admin.RoleAdmin), w.signedIn(priya, admin.RoleHelpDesk)
	joanID, annID := w.person("joan@mail.example", ""), w.person("ann@example.org", "")
	if a := v.post("/users/"+joanID, "name", "Joan", "class", "member"); a.status != http.StatusUnprocessableEntity || !a.says("is at no domain of the organisation") || v.get("/users/"+joanID).says("User Account: Joan") {
		t.Errorf("an outsider as member: %d", a.status)
	}
	if a := v.post("/users/"+annID, "name", "  Ann\r\n\x1bBaker ", "class", "member", "status", "active"); a.to() != "/users/"+annID+"?done=saved" || !v.get("/users/"+annID).says("User Account: AnnBaker") {
		t.Errorf("name and kind: %d %q", a.status, a.to())
	}
	if a := desk.post("/users/"+annID, "name", "Eve", "class", "guest"); a.to() != "/users/"+annID+"?done=saved" || !v.get("/users/"+annID).says("User Account: AnnBaker") {
		t.Errorf("the help desk writes names: %d %q", a.status, a.to())
	}
	if desk.get("/users/" + annID).says("Belongs to the organisation") {
		t.Error("the help desk is offered the kind")
	}
	for _, form := range [][]string{{"status", "king"}, {"class", "king"}, {"status", "active", "status", "disabled"}} {
		if a := v.post("/users/"+annID, form...); a.status != http.StatusBadRequest {
			t.Errorf("%q: %d", form, a.status)
		}
	}
	for _, path := range []string{"/users/x", "/users/" + strings.Repeat("0", 26), "/users/ann@example.org"} {
		if a := v.get(path); a.status != http.StatusNotFound {
			t.Errorf("%s: %d", path, a.status)
		}
	}
	for _, method := range []string{"DELETE", "PUT", "PATCH"} { // B4
		if a := v.send(method, "/users/"+annID, "same-origin"); a.status != http.StatusMethodNotAllowed {
			t.Errorf("%s: %d", method, a.status)
		}
	}
}

// TestB13HelpDeskRemovesAnAlias: the help desk takes an address off a user after one more question; an auditor may not.
func TestB13HelpDeskRemovesAnAlias(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, auditor := w.signedIn(priya, admin.RoleHelpDesk), w.signedIn(audrey, admin.RoleAuditor)
	id, family := w.person("joan@mail.example", "Joan"), store.Address{Local: "joan", Domain: "hartley-family.example"}
	w.aliases(id, family)
	path := "/users/" + id
	question := path + "/alias?address=joan%40hartley-family.example"
	if a := v.get(path); !strings.Contains(a.body, `href="`+question+`"`) {
		t.Errorf("the page of the user leads to no question: %s", a.body)
	}
	if a := auditor.get(path); strings.Contains(a.body, question) || auditor.get(question).status != http.StatusForbidden || auditor.post(path+"/alias", "address", family.String()).status != http.StatusForbidden {
		t.Error("an auditor may remove an address")
	}
	if a := v.get(question); !a.says("Remove joan@hartley-family.example?") || !v.get(path).says(family.String()) || w.sessions(id) != 1 {
		t.Errorf("the question: %d %s", a.status, plain(a.body))
	}
	for _, bad := range []string{"", "joan@mail.example", "x", strings.Repeat("a", 5000)} {
		if a := v.post(path+"/alias", "address", bad); a.status != http.StatusNotFound {
			t.Errorf("%.20q: %d", bad, a.status)
		}
	}
	if a := v.post(path+"/alias", "address", family.String()); a.to() != path+"?done=alias-removed" || !v.get(a.to()).says("The address no longer belongs to this user") {
		t.Errorf("removed: %d %q", a.status, a.to())
	}
	if a := v.get(path); a.says(family.String()) || w.sessions(id) != 0 {
		t.Error("the address or a session is still there")
	}
	if a := v.post(path+"/alias", "address", family.String()); a.status != http.StatusNotFound {
		t.Errorf("twice: %d", a.status)
	}
	admins := w.signedIn(dana, admin.RoleAdmin)
	if a := admins.get("/audit?what=account.alias-removed"); strings.Count(a.body, `<td data-label="What">`) != 2 || !a.says(priya.String()) {
		t.Errorf("the audit log: %s", plain(a.body))
	}
	for _, family := range admin.EventFamilies() {
		if a := admins.get("/audit?what=" + family + "."); a.status != http.StatusOK {
			t.Errorf("the audit log's family %s: %d", family, a.status)
		}
	}
	if a := v.get("/users?q=joan%40hartley"); !a.says("joan@hartley-family.example") {
		t.Errorf("the address has no row: %s", plain(a.body))
	}
}

// TestConsoleListsPage: everything comes once, by links alone, and a made-up place in a list harms nothing.
func TestConsoleListsPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.signedIn(dana, admin.RoleAdmin)
	for i := range 120 {
		w.person(fmt.Sprintf("p%03d@mail.example", i), "")
		w.mail(store.Address{Local: fmt.Sprintf("p%03d", i), Domain: "mail.example"})
		w.advance(time.Millisecond)
	}
	for _, list := range []struct{ path, mark string }{{"/users", `<th scope="row"><a class="break" href="/users/`}, {"/users?sort=seen", `<th scope="row"><a class="break" href="/users/`},
		{"/messages", `<th scope="row"><a class="mono" href="/messages/`}, {"/audit?what=account.", `<td data-label="What">Account: registered`}} {
		rows, pages := 0, 0
		for path := list.path; path != "" && pages < 10; pages++ {
			a := v.get(path)
			rows += strings.Count(a.body, list.mark)
			_, next, _ := strings.Cut(a.body, `<div class="pager"><span></span><a class="linklike" href="`)
			path, _, _ = strings.Cut(next, `"`)
			path = strings.ReplaceAll(path, "&amp;", "&")
		}
		if rows != 120 || pages != 3 {
			t.Errorf("%s: %d rows on %d pages", list.path, rows, pages)
		}
		if a := v.get(list.path[:strings.IndexAny(list.path+"?", "?")] + "?after=made-up"); a.status != http.StatusNotFound && a.status != http.StatusOK {
			t.Errorf("%s at a made-up place: %d", list.path, a.status)
		}
	}
}

// TestConsoleAudit: found by who, what, whom and when; and exported as it is shown.
func TestConsoleAudit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.signedIn(audrey, admin.RoleAuditor)
	id := w.person("joan@mail.example", "Joan")
	w.advance(time.Second)
	must(t, w.admin.UserSwitch(t.Context(), admin.Actor{Role: admin.RoleAdmin, Name: "=dana@example.org"}, id, store.StatusDisabled))
	w.mail(joan)
	for query, says := range map[string]string{"": "Account: disabled", "user=joan%40mail.example": "Account: registered", "what=account.": "Account: disabled", "actor=%3Ddana%40example.org": "Account: disabled",
		"from=2026-06-12&to=2026-06-12": "Message: accepted", "user=audrey.lane%40example.org": "Admin: set up"} {
		if a := v.get("/audit?" + query); a.status != http.StatusOK || !a.says(says) {
			t.Errorf("%s: %d %s", query, a.status, plain(a.body))
		}
	}
	for query, says := range map[string]string{"from=2026-06-13": "Nothing fits", "actor=nobody": "Nothing fits", "from=x": "x is not a date", "user=nobody%40example.org": "is no user and no administrator"} {
		if a := v.get("/audit?" + query); !a.says(says) {
			t.Errorf("%s: %d %s", query, a.status, plain(a.body))
		}
	}
	a := v.get("/audit/export?format=csv&what=account.")
	rows, err := csv.NewReader(strings.NewReader(a.body)).ReadAll()
	if err != nil || len(rows) != 3 || rows[1][1] != "account.disabled" || rows[1][2] != "'=dana@example.org" || a.header.Get("Content-Disposition") != `attachment; filename="audit-2026-06-12.csv"` {
		t.Errorf("CSV %q, %v, %v", a.body, err, a.header)
	}
	a = v.get("/audit/export?format=json&user=joan%40mail.example")
	for line := range strings.Lines(a.body) {
		var row admin.AuditRow
		if err := json.Unmarshal([]byte(line), &row); err != nil || row.User != "joan@mail.example" {
			t.Errorf("JSON %q, %v", line, err)
		}
	}
	if strings.Count(a.body, "\n") != 2 {
		t.Errorf("JSON %q", a.body)
	}
	for query, want := range map[string]int{"": 400, "format=pdf": 400, "format=csv&from=x": 400, "format=csv&user=nobody%40example.org": 404} {
		if a := v.get("/audit/export?" + query); a.status != want {
			t.Errorf("export %s: %d, want %d", query, a.status, want)
		}
	}
}
