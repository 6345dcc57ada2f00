package console_test

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"postern/cmd/browser"
	"postern/cmd/testneed"
	"postern/pickup/admin"
	"postern/store"
)

// shown is a page state by a name that begins with its template's.
type shown struct{ name, path string }

// filled plants what a console shows after some days, and names the pages that show it.
func (w *world) filled() []shown {
	for day := range 14 {
		for n := range (day*5)%7 + 1 {
			m := w.mail(joan)
			if n%2 == 0 {
				w.bed.ChangeRcpt(store.RcptKey{Message: m.ID, N: 1}, func(r *store.Recipient) { r.State, r.Opened = store.StateOpened, w.Now() })
				w.event(store.Event{What: store.EventOpened, Message: m.ID, N: 1, Actor: "recipient"})
			}
			w.advance(time.Second)
		}
		w.advance(24*time.Hour - 10*time.Second)
	}
	held := w.waits(store.Address{Local: "appointments-and-referrals", Domain: "clinic.example"}, "certificate is for *.hosting.example, not for mx.clinic.example")
	w.waits(store.Address{Local: "reception", Domain: "clinic.example"}, "certificate is for *.hosting.example, not for mx.clinic.example")
	w.waits(joan, "451 4.7.1 Greylisted, try again in 300 seconds")
	w.advance(3 * time.Hour)
	m := w.mail(joan, ruth, store.Address{Local: strings.Repeat("endless", 8), Domain: "regional-health-board-of-the-north.example"})
	w.bed.ChangeRcpt(store.RcptKey{Message: m.ID, N: 2}, func(r *store.Recipient) {
		r.State, r.Fetched.N, r.Detail = store.StateDeclined, 4, "250 2.0.0 Ok"
	})
	w.bed.ChangeRcpt(store.RcptKey{Message: m.ID, N: 3}, func(r *store.Recipient) { r.State, r.Opened = store.StateOpened, w.Now() })
	tom, user := w.person("tom.ashdown@example.org", "Tom Ashdown"), w.person("joan.hartley@mail.example", "")
	w.person(strings.Repeat("wide", 14)+"@regional-health-board-of-the-north.example", strings.Repeat("Everhart-Pritchard ", 5))
	must(w.t, w.admin.UserSwitch(w.t.Context(), admin.Socket(), tom, store.StatusDisabled))
	aliased := w.person("j.hartley@mail.example", "Joan Hartley")
	w.aliases(aliased, store.Address{Local: "joan", Domain: "hartley-family.example"}, store.Address{Local: strings.Repeat("endless", 8), Domain: "choir.example"})
	group, err := w.admin.GroupCreate(w.t.Context(), admin.Socket(), "Adult Social Care")
	must(w.t, err)
	list, err := w.admin.InvitePreview(w.t.Context(), admin.Socket(), strings.NewReader("Lena Hartmann, lena@example.org\nIdris Bello, idris.bello@example.org"), store.ClassMember)
	must(w.t, err)
	_, err = w.admin.GroupFill(w.t.Context(), admin.Socket(), group.ID, list.Draft)
	must(w.t, err)
	empty, err := w.admin.GroupCreate(w.t.Context(), admin.Socket(), strings.Repeat("Longname", 12))
	must(w.t, err)
	w.alarms = []admin.Alert{{Kind: admin.AlertCertificate, Subject: "gateway.example.org", At: w.Now().Add(12 * 24 * time.Hour)},
		{Kind: admin.AlertDisk, N: 600 << 20}, {Kind: admin.AlertMuted, Urgent: true, N: 4}}
	long := store.Address{Local: strings.Repeat("endless", 8), Domain: "regional-health-board-of-the-north.example"}
	w.setUpLink(long, admin.RoleAuditor)
	off := store.Address{Local: "no.longer", Domain: "example.org"}
	w.setUpLink(off, admin.RoleHelpDesk)
	must(w.t, w.admin.AdminSwitch(w.t.Context(), admin.Socket(), admin.Proof{}, off.String(), store.StatusDisabled))
	id := m.ID.String()
	return []shown{{"administrators", "/administrators"}, {"administrator", w.administrator(long)}, {"administrator.disabled", w.administrator(off)},
		{"reset", w.administrator(long) + "/reset"}, {"reset.disabled", w.administrator(off) + "/reset"}, {"sessions", "/sessions"},
		{"dashboard", "/"}, {"dashboard.done", "/?done=password"}, {"queue", "/queue"}, {"queue.none", "/queue?domain=none.example"},
		{"queue-item", "/queue/" + held.String()}, {"drop", "/queue/" + held.String() + "/drop"}, {"messages", "/messages"},
		{"messages.none", "/messages?q=x"}, {"messages.wrong", "/messages?from=x&to=y&after-day=z&before-day=z"}, {"messages.filter", "/messages?to=joan.hartley%40mail.example&state=opened"},
		{"users", "/users"}, {"users.search", "/users?q=tom&status=disabled&class=guest"}, {"users.none", "/users?q=zz"}, {"users.seen", "/users?sort=seen"},
		{"user", "/users/" + user}, {"user.aliases", "/users/" + aliased}, {"alias", "/users/" + aliased + "/alias?address=joan%40hartley-family.example"}, {"user.disabled", "/users/" + tom}, {"audit", "/audit?what=account."}, {"audit.all", "/audit"}, {"audit.wrong", "/audit?from=x&user=nobody"},
		{"audit.none", "/audit?actor=nobody"}, {"groups", "/groups"}, {"group", "/groups/" + group.ID}, {"group.empty", "/groups/" + empty.ID},
		{"enable", "/groups/" + group.ID + "/enable"}, {"invitations", "/invitations?done=invited"}, {"extend", "/messages/" + id + "/extend"},
		{"extend.one", "/messages/" + id + "/extend?item=" + id + ".1"}, {"message", "/messages/" + id}, {"recall", "/messages/" + id + "/recall"},
		{"recall.one", "/messages/" + id + "/recall?item=" + id + ".1"}, {"policy", "/policy"}, {"settings", "/settings"}, {"notifications", "/notifications"}, {"keys", "/settings/keys"},
		{"password", "/password"}, {"error.missing", "/none"}, {"error.message", "/m/x"}}
}

// TestEveryConsolePageLooksRightAndAxeFindsNothing looks at every page in a browser, as different people see it.
func TestEveryConsolePageLooksRightAndAxeFindsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tab := common.Browser(t).Tab(t)
	look := func(name string) {
		t.Helper()
		if status := browser.Eval[int](tab, "performance.getEntriesByType('navigation')[0].responseStatus"); status >= 500 {
			t.Errorf("%s answers %d: %s", name, status, w.bed.Log)
		}
		tab.Inspect(t, "console-"+name, false)
	}
	tab.Go(w.server.URL + "/sign-in")
	look("sign-in")
	tab.Fill("#email", dana.String())
	tab.Fill("#password", "wrong")
	tab.Press("main .btn")
	look("sign-in.wrong")
	pages := w.filled()
	tab.Go(w.server.URL + w.setUpLink(dana, admin.RoleAdmin))
	look("set-up")
	key := browser.Eval[string](tab, `[...document.querySelectorAll("main dd code")][0].textContent`)
	tab.Fill("#code", "000000")
	tab.Fill("#pw", "Mari")
	tab.Press("main .btn[type=submit]")
	look("set-up.wrong")
	tab.Fill("#code", totp(t, key, w.Now()))
	tab.Fill("#pw", password)
	tab.Fill("#pw2", password)
	tab.Press("main .btn[type=submit]")
	if tab.Path() != "/" {
		t.Fatalf("after the set-up the browser is at %s", tab.Path())
	}
	for _, p := range pages {
		tab.Go(w.server.URL + p.path)
		look(p.name)
	}
	for _, p := range pages {
		if p.name == "user" {
			tab.Go(w.server.URL + p.path)
			tab.Click("#st-d")
			tab.Press(".save-bar .btn")
			look("disable")
			tab.Go(w.server.URL + p.path)
			tab.Click("#cl-m")
			tab.Press(".save-bar .btn")
			look("user.wrong")
		}
	}
	tab.Go(w.server.URL + "/invitations")
	tab.Fill("#list", "Lena Hartmann, lena@example.org\nIdris Bello, idris.bello@example.org\nAmira Saleh, amira.saleh@example\nSam Osei, sam@mail.example")
	tab.Press("section:last-of-type .btn")
	look("preview")
	tab.Go(w.server.URL + "/invitations")
	tab.Press("section:last-of-type .btn")
	look("invitations.wrong")
	tab.Go(w.server.URL + "/administrators")
	tab.Press("section .btn")
	look("administrators.wrong")
	tab.Fill("#address", audrey.String())
	tab.Press("section .btn")
	look("administrators.unproven")
	w.advance(time.Minute)
	tab.Fill("#new-password", password)
	tab.Fill("#new-code", totp(t, key, w.Now()))
	tab.Press("section .btn")
	look("setup-link")
	tab.Go(w.server.URL + w.administrator(audrey))
	tab.Press("main form:first-of-type .btn")
	look("administrator.unproven")
	tab.Go(w.server.URL + w.administrator(audrey) + "/reset")
	tab.Press("main form .btn")
	look("reset.unproven")
	tab.Go(w.server.URL + w.administrator(dana))
	look("administrator.self")
	tab.Go(w.server.URL + "/groups")
	tab.Press("section .btn")
	look("groups.wrong")
	tab.Go(w.server.URL + "/")
	tab.Click(".usermenu summary")
	look("menu")
	tab.Go(w.server.URL + "/password")
	tab.Press("main .btn")
	look("password.wrong")
	tab.Go(w.server.URL + "/policy")
	tab.Press("main .btn")
	look("policy.wrong")
	eml := filepath.Join(t.TempDir(), "review-june.eml")
	must(t, os.WriteFile(eml, []byte("From: maria@example.org\r\nTo: joan.hartley@mail.example, care.records@example.org, p.hartley@mail.example\r\nSubject: [secure] x\r\n\r\nx"), 0o600))
	tab.Files("#eml", eml)
	tab.Press("main .btn")
	look("policy.verdicts")
	tab.Go(w.server.URL + w.setUpLink(priya, admin.RoleHelpDesk) + "x")
	look("link")
}

// TestConsolePagesAreValidHTML runs html-validate over every page, as the server sends it, by the rules of the
// recipients' site.
func TestConsolePagesAreValidHTML(t *testing.T) {
	t.Parallel()
	node := testneed.Program(t, "node")
	tools, err := filepath.Abs("../../../.ci")
	must(t, err)
	program := filepath.Join(tools, "node_modules/html-validate/bin/html-validate.mjs")
	if _, err := os.Stat(program); err != nil {
		testneed.Missing(t, `html-validate is not installed; "npm ci" in .ci installs it`)
	}
	dir := t.TempDir()
	seen := map[string]bool{}
	for name, page := range everyPage(t) {
		template, _, _ := strings.Cut(name, ".")
		seen[template] = true
		must(t, os.WriteFile(filepath.Join(dir, name+".html"), []byte(page), 0o600))
	}
	files, err := filepath.Glob("templates/[^_]*.html")
	must(t, err)
	for _, f := range files {
		if name := strings.TrimSuffix(filepath.Base(f), ".html"); name != "layout" && !seen[name] {
			t.Errorf("no page shows template %s", name)
		}
	}
	out, err := exec.Command(node, program, "--config", filepath.Join(tools, "htmlvalidate.mjs"), "--formatter", "text", dir).CombinedOutput()
	if err != nil {
		t.Errorf("html-validate: %v\n%s", err, strings.ReplaceAll(string(out), dir+"/", ""))
	}
}

// everyPage is every page state by a name that begins with its template's.
func everyPage(t *testing.T) map[string]string {
	t.Helper()
	w := newWorld(t)
	pages := map[string]string{}
	add := func(name string, a answer) { pages[name] = a.body }
	guest := w.visitor()
	add("dashboard.empty", w.signedIn(audrey, admin.RoleAuditor).get("/"))
	for name, path := range map[string]string{"sign-in": "/sign-in", "sign-in.out": "/sign-in?signed-out=1", "sign-in.cookies": "/sign-in?check=cookie",
		"sign-in.asked": "/sign-in?to=/queue", "link.incomplete": "/n/x"} {
		add(name, guest.get(path))
	}
	add("sign-in.wrong", guest.post("/sign-in", "email", "x"))
	link := w.setUpLink(priya, admin.RoleHelpDesk)
	add("set-up", guest.get(link))
	add("set-up.weak", guest.post(link, "password", "x"))
	add("set-up.code", guest.post(link, "password", password, "password2", password, "code", "x"))
	list := w.filled()
	v := w.signedIn(dana, admin.RoleAdmin)
	for _, p := range list {
		add(p.name, v.get(p.path))
	}
	path := map[string]string{}
	for _, p := range list {
		path[p.name] = p.path
	}
	guest1 := path["user"]
	group := strings.TrimPrefix(path["group"], "/groups/")
	add("notifications.wrong", v.post("/notifications", "from", "facilities@example.org"))
	add("notifications.auditor", w.signedIn(store.Address{Local: "a2", Domain: "example.org"}, admin.RoleAuditor).get("/notifications"))
	self := w.administrator(dana)
	v2 := w.visitor()
	w.advance(time.Minute)
	v2.post("/sign-in", "email", dana.String(), "password", password, "code", totp(t, v.key, w.Now()))
	add("sessions.two", v2.get("/sessions"))
	add("administrator.self", v.get(self))
	add("reset.self", v.get(self+"/reset"))
	add("administrators.wrong", v.post("/administrators", "address", "x", "role", "admin"))
	add("administrators.unproven", v.post("/administrators", "address", "new@example.org", "role", "admin"))
	add("administrator.unproven", v.post(path["administrator"]+"/role", "role", "admin"))
	add("administrator.disabled-unproven", v.post(path["administrator.disabled"]+"/status", "status", "active"))
	add("reset.unproven", v.post(path["administrator"]+"/reset"))
	add("setup-link", v.post("/administrators", v.proven("address", "new@example.org", "role", "admin")...))
	add("groups.wrong", v.post("/groups", "name", "Adult Social Care"))
	add("invitations.wrong", v.post("/invitations", "address", "x"))
	add("invitations.list", v.list([][2]string{{"group", group}, {"class", "guest"}}, "", ""))
	add("invitations.group", v.list([][2]string{{"group", "none"}, {"class", "guest"}, {"list", "x"}}, "", ""))
	add("preview", v.list([][2]string{{"group", group}, {"class", "member"}, {"list", "Sam <sam@example.org>\nx"}}, "", ""))
	add("preview.file", v.list([][2]string{{"group", group}, {"class", "guest"}}, "x.csv", strings.Repeat("x\n", 3)))
	add("extend.wrong", v.post(path["extend"], "until", "x"))
	add("disable", v.post(guest1, "status", "disabled"))
	add("user.wrong", v.post(guest1, "class", "member"))
	add("password.wrong", v.post("/password", "old", "x", "password", password+"!", "password2", password+"!"))
	add("drop.long", v.post("/queue/"+w.waits(joan, "").String()+"/drop", "reason", strings.Repeat("x", 300)))
	add("policy.wrong", v.dryRun("", "", "x"))
	add("policy.verdicts", v.dryRun("x.eml", "To: joan@mail.example\r\n\r\n", "joan@mail.example\nx@example.org"))
	add("error.cross", v.send(http.MethodPost, "/sign-out", "cross-site"))
	return pages
}
