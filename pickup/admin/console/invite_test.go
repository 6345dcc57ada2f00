package console_test

import (
	"bytes"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
	"testing"

	"postern/pickup/admin"
	"postern/store"
)

// list uploads a list of people: fields, and a CSV file unless its name is empty.
func (v *visitor) list(fields [][2]string, name, csv string) answer {
	v.w.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for _, f := range fields {
		must(v.w.t, form.WriteField(f[0], f[1]))
	}
	part, err := form.CreateFormFile("csv", name)
	must(v.w.t, err)
	_, err = io.WriteString(part, csv)
	must(v.w.t, err)
	must(v.w.t, form.Close())
	r := v.request("POST", "/invitations/list", &body)
	r.Header.Set("Content-Type", form.FormDataContentType())
	return v.do(r)
}

// group makes a group and returns the path of its page.
func (v *visitor) group(name string) string {
	v.w.t.Helper()
	a := v.post("/groups", "name", name)
	path, _, _ := strings.Cut(a.to(), "?")
	if a.status != http.StatusSeeOther || !strings.HasPrefix(path, "/groups/") {
		v.w.t.Fatalf("making a group: %d %s", a.status, plain(a.body))
	}
	return path
}

// invited counts the invitations that wait in the queue.
func (w *world) invited() int { return len(w.bed.Mails(store.KindAccount)) }

// between is what stands behind a mark, up to a quotation mark.
func between(body, mark string) string {
	_, rest, _ := strings.Cut(body, mark)
	value, _, _ := strings.Cut(rest, `"`)
	return value
}

// TestB03InviteOneAndList: one person at once; a list is checked first, and nothing happens before its group is enabled.
func TestB03InviteOneAndList(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.signedIn(dana, admin.RoleAdmin)
	if a := v.post("/invitations", "address", "lena@example.org", "name", "Lena Hartmann", "class", "member"); a.to() != "/invitations?done=invited" || w.invited() != 1 {
		t.Errorf("one: %d %q, %d mails", a.status, a.to(), w.invited())
	}
	if a := v.get("/invitations?done=invited"); !a.says("The invitation is on its way") {
		t.Error("the page does not say so")
	}
	if a := v.post("/invitations", "address", "lena@example.org", "class", "member"); a.to() != "/invitations?done=invited+again" {
		t.Errorf("again: %d %q", a.status, a.to())
	}
	for form, says := range map[[2]string]string{{"lena", "member"}: "is not an email address such as", {"x@mail.example", "member"}: "no domain of the organisation", {"x@example.org", "king"}: "neither member nor guest"} {
		if a := v.post("/invitations", "address", form[0], "class", form[1]); a.status != http.StatusUnprocessableEntity || !a.says(says) || !a.says("Nobody was invited") {
			t.Errorf("%q: %d %s", form, a.status, plain(a.body))
		}
	}
	if a := v.get("/invitations"); !a.says("Make a group first") {
		t.Error("a list without a group is offered")
	}
	w.lists(v)
}

// TestB02ThousandsOfGroups: where there are too many groups to choose from, the name is typed; from the page of a group it
// is there already.
func TestB02ThousandsOfGroups(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.signedIn(dana, admin.RoleAdmin)
	w.bed.Update(func(tx store.Tx) error {
		for n := range 1200 {
			g := store.Group{Name: fmt.Sprintf("Group %04d", n), Created: w.Now()}
			g.ID[0], g.ID[1], g.ID[2] = 1, byte(n>>8), byte(n)
			if err := tx.Groups().Create(g); err != nil {
				return err
			}
		}
		return nil
	})
	last, err := w.admin.GroupShow(t.Context(), admin.Socket(), "Group 1199")
	must(t, err)
	if a := v.get("/invitations"); strings.Contains(a.body, "<option value=\"0") || !a.says("Its name, as the page of groups shows it.") {
		t.Errorf("the page: %d %s", a.status, plain(a.body))
	}
	if a := v.get("/invitations?group=" + last.ID); !strings.Contains(a.body, `value="Group 1199"`) {
		t.Error("the group that one comes from is not in the field")
	}
	person := [2]string{"list", "Lena Hartmann, lena@example.org"}
	for _, name := range []string{"", "Group 9999", strings.Repeat("x", 900)} {
		a := v.list([][2]string{{"group", name}, {"class", "guest"}, person}, "", "")
		if a.status != http.StatusUnprocessableEntity || !a.says("There is no group of that name") || !strings.Contains(a.body, `href="#group"`) || !strings.Contains(a.body, "Lena Hartmann") {
			t.Errorf("group %q: %d %s", name, a.status, plain(a.body))
		}
	}
	a := v.list([][2]string{{"group", " group 1199 "}, {"class", "guest"}, person}, "", "")
	draft := between(a.body, `name="draft" value="`)
	if !a.says("They are put into the group Group 1199.") {
		t.Fatalf("by name: %d %s", a.status, plain(a.body))
	}
	if a := v.post("/invitations/fill", "group", last.ID, "draft", draft); a.to() != "/groups/"+last.ID+"?done=filled" {
		t.Errorf("fill: %d %s", a.status, plain(a.body))
	}
}

// TestB18HelpDeskPromotesNobody: the page offers guests only, and a form that says otherwise is refused with a reason.
func TestB18HelpDeskPromotesNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.signedIn(priya, admin.RoleHelpDesk)
	guest := w.person("gus@example.org", "Gus")
	if a := v.get("/invitations"); !a.says("Only an administrator makes members") || strings.Contains(a.body, `value="member"`) || a.says("A list") {
		t.Errorf("the page: %s", plain(a.body))
	}
	for _, address := range []string{"gus@example.org", "new@example.org"} {
		if a := v.post("/invitations", "address", address, "class", "member"); a.status != http.StatusUnprocessableEntity || !a.says("Your role invites guests: ask an administrator to make "+address+" a member") {
			t.Errorf("%s: %d %s", address, a.status, plain(a.body))
		}
	}
	if w.bed.Account(accountID(t, guest)).Member || w.invited() != 0 {
		t.Errorf("a guest became a member, or %d mails went out", w.invited())
	}
	if a := v.post("/invitations", "address", "new@example.org", "class", "guest"); a.to() != "/invitations?done=invited" || w.invited() != 1 {
		t.Errorf("a guest: %d %s", a.status, plain(a.body))
	}
}

// lists goes on with a list: checked, put into a group, enabled.
func (w *world) lists(v *visitor) {
	t := w.t
	path := v.group("Adult Social Care")
	id := strings.TrimPrefix(path, "/groups/")
	before := w.invited()
	pasted := "Lena Hartmann, lena@example.org\nIdris Bello, idris.bello@example.org\nAmira Saleh, amira.saleh@\nSam Osei, sam@mail.example\nGus Guest, gus@mail.example, guest"
	a := v.list([][2]string{{"group", id}, {"class", "member"}, {"list", pasted}}, "", "")
	for _, text := range []string{"2 lines cannot be taken", "Line 3:", "Line 4: members are of the organisation's domains", "idris.bello@example.org", "Invited", "New", "They are put into the group Adult Social Care. It is not enabled yet"} {
		if !a.says(text) {
			t.Errorf("the preview does not say %q: %s", text, plain(a.body))
		}
	}
	draft := between(a.body, `name="draft" value="`)
	if v.get(path).says("idris") || w.invited() != before {
		t.Error("the preview changed something")
	}
	if a := v.post("/invitations/fill", "group", id, "draft", "other"); a.status != http.StatusUnprocessableEntity || !a.says("read it in again") {
		t.Errorf("another draft: %d", a.status)
	}
	if a := v.post("/invitations/fill", "group", strings.Repeat("0", 26), "draft", draft); a.status != http.StatusNotFound {
		t.Errorf("another group: %d", a.status)
	}
	if a := v.post("/invitations/fill", "group", id, "draft", draft); a.to() != path+"?done=filled" {
		t.Fatalf("fill: %d %s", a.status, plain(a.body))
	}
	if a := v.post("/invitations/fill", "group", id, "draft", draft); a.status != http.StatusUnprocessableEntity {
		t.Errorf("filled twice: %d", a.status)
	}
	if a := v.get(path); !a.says("Idris Bello idris.bello@example.org") || !a.says("Not enabled yet") || !a.says("3 still to be sent") {
		t.Errorf("the group: %s", plain(a.body))
	}
	if a := v.get(path + "/enable"); !a.says("3 people get a mail") || w.invited() != before {
		t.Errorf("the question: %s", plain(a.body))
	}
	w.person("gus@mail.example", "Gus Guest") // has signed up meanwhile
	if a := v.post(path + "/enable"); a.to() != path+"?done=enabled-group" {
		t.Errorf("enable: %d", a.status)
	}
	for n := 1; n > 0; {
		var err error
		n, err = w.admin.Work(t.Context())
		must(t, err)
	}
	if a := v.get(path); !a.says("Enabled 2 invitations sent, 1 person got no mail, 0 still to be sent") || w.invited() <= before {
		t.Errorf("afterwards: %s", plain(a.body))
	}
	if a := v.get("/groups"); !a.says("Adult Social Care Enabled 2 1 0") {
		t.Errorf("the groups: %s", plain(a.body))
	}
}

// TestConsoleListsOfPeopleThatAreNone: what cannot be read gets a clear page, and a file of 50,000 rows passes.
func TestConsoleListsOfPeopleThatAreNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.signedIn(dana, admin.RoleAdmin)
	id := strings.TrimPrefix(v.group("Housing"), "/groups/")
	fields := [][2]string{{"group", id}, {"class", "member"}, {"list", ""}}
	for name, tt := range map[string]struct {
		a      answer
		status int
		says   string
	}{
		"nothing":     {v.list(fields, "", ""), http.StatusUnprocessableEntity, "Paste a list or choose a file"},
		"empty file":  {v.list(fields, "x.csv", "\n\n"), http.StatusUnprocessableEntity, "there is nobody in the list"},
		"too many":    {v.list(fields, "x.csv", strings.Repeat("x@example.org\n", 50_100)), http.StatusUnprocessableEntity, "more than 50000 rows"},
		"class":       {v.list([][2]string{{"group", id}, {"class", "king"}}, "x.csv", "x@example.org"), http.StatusBadRequest, "The form could not be read"},
		"doubled":     {v.list([][2]string{{"group", id}, {"group", id}}, "x.csv", "x@example.org"), http.StatusBadRequest, "The form could not be read"},
		"not a list":  {v.list(fields, "x.png", "\x89PNG\r\n\x1a\n\x00\x00"), http.StatusOK, "cannot be taken"},
		"not a form":  {v.post("/invitations/list", "list", "x@example.org"), http.StatusBadRequest, "The form could not be read"},
		"name exists": {v.post("/groups", "name", "Housing"), http.StatusUnprocessableEntity, `There is a group "Housing" already`},
		"no name":     {v.post("/groups", "name", " \r\n "), http.StatusUnprocessableEntity, "A group needs a name"},
	} {
		if tt.a.status != tt.status || !strings.Contains(strings.ToLower(plain(tt.a.body)), strings.ToLower(tt.says)) {
			t.Errorf("%s: %d %s", name, tt.a.status, plain(tt.a.body))
		}
	}
	var many strings.Builder
	for i := range 50_000 {
		fmt.Fprintf(&many, "p%d@example.org\n", i)
	}
	if a := v.list(fields, "staff.csv", many.String()); !a.says("50000 lines can be taken.") || !a.says("staff.csv") || !a.says("Only the first 100 of them are shown.") {
		t.Errorf("50,000 rows: %d %s", a.status, plain(a.body)[:500])
	}
}

// TestConsoleExtendAndNotify: a later end for one and for all; one more mail, which never has a new link (KEYS K11).
func TestConsoleExtendAndNotify(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.signedIn(dana, admin.RoleAdmin)
	m := w.mail(joan, ruth)
	path, one, two := "/messages/"+m.ID.String(), store.RcptKey{Message: m.ID, N: 1}, store.RcptKey{Message: m.ID, N: 2}
	if a := v.get(path + "/extend?item=" + two.String()); !a.says("Extend the message for r.adeyemi@riverside-day.example") {
		t.Errorf("the form: %s", plain(a.body))
	}
	for until, says := range map[string]string{"": "Enter the day", "soon": "Enter the day", "2026-06-13": "after 9 July 2026, 14:00 BST, when it ends now", "2036-01-01": "not after 13 June 2027"} {
		if a := v.post(path+"/extend", "item", two.String(), "until", until); a.status != http.StatusUnprocessableEntity || !a.says(says) || !w.bed.Rcpt(two).Expires.Equal(m.Expires) {
			t.Errorf("until %q: %d %s", until, a.status, plain(a.body))
		}
	}
	if a := v.post(path+"/extend", "item", two.String(), "until", "2026-08-31"); a.to() != path+"?done=extended" || w.bed.Rcpt(two).Expires.Format("2006-01-02 15:04") != "2026-08-31 22:59" || !w.bed.Rcpt(one).Expires.Equal(m.Expires) {
		t.Errorf("one: %d, %s and %s", a.status, w.bed.Rcpt(two).Expires, w.bed.Rcpt(one).Expires)
	}
	if a := v.post(path+"/extend", "until", "2026-07-31"); a.to() != path+"?done=extended" || w.bed.Rcpt(one).Expires.Month() != 7 || w.bed.Rcpt(two).Expires.Month() != 8 {
		t.Errorf("all: %d, %s and %s", a.status, w.bed.Rcpt(one).Expires, w.bed.Rcpt(two).Expires)
	}
	desk := w.signedIn(priya, admin.RoleHelpDesk)
	w.bed.ChangeRcpt(two, func(r *store.Recipient) { r.State, r.Opened = store.StateOpened, w.Now() })
	if a := desk.get(path); strings.Count(plain(a.body), "Notify again") != 2 { // who has opened it may have lost the mail since
		t.Errorf("an opened share cannot be told of again: %s", plain(a.body))
	}
	if a := desk.get(path); !a.says("Notify again") || !a.says("Notifying again never sends a new link") || a.says("Recall for all") {
		t.Errorf("the help desk sees: %s", plain(a.body))
	}
	if a := desk.post(path+"/notify", "item", one.String()); a.to() != path+"?done=notified" || len(w.bed.Mails(store.KindReminder)) != 1 {
		t.Errorf("notify: %d, %d mails", a.status, len(w.bed.Mails(store.KindReminder)))
	}
	if a := desk.post(path+"/notify", "item", one.String()); a.status != http.StatusConflict || !a.says("A mail about it still waits") || len(w.bed.Mails(store.KindReminder)) != 1 {
		t.Errorf("at once again: %d", a.status)
	}
	if mail := w.bed.Mails(store.KindReminder)[0]; strings.Contains(mail, "/p/") {
		t.Error("the mail has a link with a secret")
	}
	if a := desk.post(path + "/notify"); a.status != http.StatusBadRequest {
		t.Errorf("nobody: %d", a.status)
	}
}

// TestAuditNamesWhoTouchedAMessage: more time, one more mail and a recall are told alike: by whom, of which message and
// recipient; the administrator is not the one whom they are about.
func TestAuditNamesWhoTouchedAMessage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.signedIn(dana, admin.RoleAdmin)
	m := w.mail(joan, ruth)
	path, one := "/messages/"+m.ID.String(), m.ID.String()+".1"
	for action, form := range map[string][]string{"/extend": {"until", "2026-08-31"}, "/notify": {"item", one}} {
		if a := v.post(path+action, form...); a.status != http.StatusSeeOther {
			t.Fatalf("%s: %d %s", action, a.status, plain(a.body))
		}
	}
	if a := v.post(path+"/recall", "item", one); a.status != http.StatusSeeOther {
		t.Fatalf("recall: %d %s", a.status, plain(a.body))
	}
	told := map[store.What]int{}
	for _, what := range []store.What{store.EventExtended, store.EventRenotified, store.EventRecalled} {
		log, err := w.admin.AuditList(t.Context(), admin.Socket(), admin.AuditQuery{What: what}, "")
		must(t, err)
		for _, e := range log.Rows {
			told[what]++
			if e.Actor != dana.String() || e.Account != "" || e.User != "" || e.Message != m.ID.String() || e.N == 0 {
				t.Errorf("%s: %+v", what, e)
			}
		}
	}
	if told[store.EventExtended] != 2 || told[store.EventRenotified] != 1 || told[store.EventRecalled] != 1 {
		t.Errorf("told %v", told)
	}
}

// TestB10NotificationsTab: only the address of an active member is taken as the sender of invitations.
func TestB10NotificationsTab(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.signedIn(dana, admin.RoleAdmin)
	member, guest := w.person("maria@example.org", "Maria Lindqvist"), w.person("joan@mail.example", "")
	w.bed.ChangeAccount(accountID(t, member), func(a *store.Account) { a.Member = true })
	for _, bad := range []string{"joan@mail.example", "facilities@example.org", "nobody", "=" + guest} {
		if a := v.post("/notifications", "from", bad); a.status != http.StatusUnprocessableEntity || !a.says("Nothing has been saved") {
			t.Errorf("%q: %d", bad, a.status)
		}
	}
	for from, says := range map[string]string{"joan@mail.example": "only a member can", "facilities@example.org": "facilities@example.org is not a member’s address"} {
		if a := v.post("/notifications", "from", from); !a.says(says) {
			t.Errorf("the reason: %s", plain(a.body))
		}
	}
	if a := v.post("/notifications"); a.status != http.StatusBadRequest {
		t.Errorf("without the field: %d", a.status)
	}
	if a := v.post("/notifications", "from", " MARIA@example.org "); a.to() != "/notifications?done=saved" {
		t.Fatalf("a member: %d %s", a.status, plain(a.body))
	}
	v.post("/invitations", "address", "lena@example.org", "class", "member")
	if mail := w.bed.Mails(store.KindAccount)[0]; !strings.Contains(mail, "From: Maria Lindqvist <maria@example.org>") && !strings.Contains(mail, `From: "Maria Lindqvist" <maria@example.org>`) {
		t.Errorf("the invitation comes from somebody else:\n%s", mail[:min(len(mail), 600)])
	}
	must(t, w.admin.UserSwitch(t.Context(), admin.Socket(), member, store.StatusDisabled))
	v.post("/invitations", "address", "sam@example.org", "class", "member")
	to := func(who string) func(string) bool {
		return func(mail string) bool { return !strings.Contains(mail, "To: "+who+"@example.org") }
	}
	if mails := slices.DeleteFunc(w.bed.Mails(store.KindAccount), to("sam")); len(mails) != 1 || strings.Contains(mails[0], "<maria@example.org>") {
		t.Errorf("invitations after she was disabled: %q", mails)
	}
	if a := v.post("/notifications", "from", ""); a.to() != "/notifications?done=saved" {
		t.Errorf("empty: %d", a.status)
	}
}

func accountID(t *testing.T, text string) (id store.AccountID) {
	t.Helper()
	must(t, id.UnmarshalText([]byte(text)))
	return id
}
