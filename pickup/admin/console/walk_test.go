package console_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"postern/pickup/admin"
	"postern/pickup/admin/console"
	"postern/store"
)

// open are the routes that answer without a session. Everything else must not.
var open = []string{"GET /sign-in", "POST /sign-in", "POST /sign-out", "GET /n/{token}", "POST /n/{token}"}

// fill puts things that exist into a route's path.
func (w *world) fill(path string) string {
	return strings.NewReplacer("{item}", w.waits(joan, "451 later").String(), "{id}", w.thing(path), "{token}", "x").Replace(path)
}

// thing is what {id} means under a path.
func (w *world) thing(path string) string {
	if strings.HasPrefix(path, "/users") {
		id := w.person(fmt.Sprintf("p%d@mail.example", w.n), "")
		w.aliases(id, store.Address{Local: fmt.Sprint("alias", w.n), Domain: "mail.example"})
		return id
	}
	if strings.HasPrefix(path, "/administrators") {
		w.n++
		address := fmt.Sprintf("admin%d@example.org", w.n)
		_, err := w.admin.AdminCreate(w.t.Context(), admin.Socket(), admin.Proof{}, address, admin.RoleAuditor)
		must(w.t, err)
		a, err := w.admin.AdminShow(w.t.Context(), admin.Socket(), address)
		must(w.t, err)
		return a.ID
	}
	if strings.HasPrefix(path, "/groups") {
		w.n++
		g, err := w.admin.GroupCreate(w.t.Context(), admin.Socket(), fmt.Sprintf("Group %d", w.n))
		must(w.t, err)
		return g.ID
	}
	return w.mail(joan).ID.String()
}

// fingerprint is all that is stored but for what a request may leave: the time of a session's last use.
func (w *world) fingerprint() (all []string) {
	w.t.Helper()
	w.bed.View(func(tx store.Tx) error {
		all = nil
		rows, _, err := tx.Messages().List(store.Filter{}, "", 1000)
		for _, r := range rows {
			all = append(all, r.Key.String()+string(r.State))
		}
		events, _, err2 := tx.Audit().List(store.EventFilter{}, "", 1000)
		for _, e := range events {
			all = append(all, e.ID.String()+string(e.What))
		}
		items, _, err3 := tx.Queue().List("", "", 1000)
		for _, i := range items {
			all = append(all, i.Key.String()+i.Due.String())
		}
		accounts, _, err4 := tx.Accounts().List(store.AccountFilter{}, "", 1000)
		for _, a := range accounts {
			all = append(all, a.ID.String()+string(a.Status)+a.Name+string(a.Class()))
		}
		people, _, err5 := tx.Administrators().List("", 1000)
		for _, a := range people {
			all = append(all, a.ID.String()+string(a.Status)+string(a.Role)+a.SetUp.String())
		}
		for _, err := range []error{err, err2, err3, err4, err5} {
			if err != nil {
				return err
			}
		}
		return nil
	})
	return all
}

// TestConsoleRoleWalk goes every route with every role, without a session, and by a form of another site. The one table
// of package admin says who is let in; who is not gets 403 and changes nothing.
func TestConsoleRoleWalk(t *testing.T) {
	t.Parallel()
	w, c := newWorldWith(t)
	people := map[admin.Role]*visitor{admin.RoleAdmin: w.signedIn(dana, admin.RoleAdmin), admin.RoleHelpDesk: w.signedIn(priya, admin.RoleHelpDesk),
		admin.RoleAuditor: w.signedIn(audrey, admin.RoleAuditor)}
	for _, r := range c.Routes() {
		name := r.Method + " " + r.Path
		if slices.Contains(open, name) != r.Open {
			t.Errorf("%s: open is %t", name, r.Open)
		}
		if r.Open {
			continue
		}
		path := w.fill(r.Path)
		if r.Path == "/audit/export" {
			path += "?format=csv"
		}
		if r.Path == "/users/{id}/alias" {
			path += fmt.Sprintf("?address=alias%d%%40mail.example", w.n)
		}
		before := w.fingerprint()
		if a := w.visitor().send(r.Method, path, "same-origin"); a.status != http.StatusSeeOther || !strings.HasPrefix(a.to(), "/sign-in") {
			t.Errorf("%s without a session: %d to %q", name, a.status, a.to())
		}
		for role, v := range people {
			may := r.Needs == "" || admin.May(role, r.Needs)
			if r.Method == http.MethodPost {
				if a := v.send(r.Method, path, "cross-site"); a.status != http.StatusForbidden || !a.says("That came from another site") {
					t.Errorf("%s from another site as %s: %d", name, role, a.status)
				}
			}
			if may && r.Method == http.MethodPost {
				continue // what it does, tests of its own show
			}
			a := v.send(r.Method, path, "same-origin")
			if may && a.status != http.StatusOK || !may && (a.status != http.StatusForbidden || !a.says("Your role does not allow this")) {
				t.Errorf("%s as %s: %d, allowed is %t", name, role, a.status, may)
			}
			if h := v.send(http.MethodHead, path, "same-origin"); r.Method == http.MethodGet && (h.status != a.status || h.body != "") {
				t.Errorf("HEAD %s as %s: %d", path, role, h.status)
			}
		}
		if after := w.fingerprint(); !slices.Equal(before, after) {
			t.Errorf("%s has changed the store", name)
		}
	}
}

// send makes a request with an empty form.
func (v *visitor) send(method, path, site string) answer {
	r := v.request(method, path, strings.NewReader(""))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", site)
	return v.do(r)
}

// TestA07NoMessageIsReadHere: what looks like a message's address answers 403, with a session and without, by whatever
// method; and no address under it is anything else.
func TestA07NoMessageIsReadHere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.signedIn(dana, admin.RoleAdmin)
	k := store.RcptKey{Message: w.mail(joan).ID, N: 1}
	for _, path := range []string{"/m/" + k.String(), "/m/", "/m/" + k.String() + "/html", "/p/1000g40r40m30e209185gr38e1w8124gk9d90", "/p/"} {
		for _, who := range []*visitor{v, w.visitor()} {
			for _, method := range []string{"GET", "HEAD", "POST"} {
				if a := who.send(method, path, "same-origin"); a.status != http.StatusForbidden || method != "HEAD" && !a.says("Messages cannot be read here") {
					t.Errorf("%s %s: %d", method, path, a.status)
				}
			}
		}
	}
	if w.bed.Rcpt(k).State != store.StateNotified {
		t.Error("the message was touched")
	}
}

// TestConsoleAnswersToItsOwnName: another host name gets 421, so that a stranger's page whose name leads here is not
// the console.
func TestConsoleAnswersToItsOwnName(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.visitor()
	for host, want := range map[string]int{"attacker.example": http.StatusMisdirectedRequest, "LOCALHOST": http.StatusMisdirectedRequest, "127.0.0.1": http.StatusOK,
		"127.0.0.1:99": http.StatusOK, "127.0.0.1.attacker.example": http.StatusMisdirectedRequest} {
		r := v.request("GET", "/sign-in", nil)
		r.Host = host
		if a := v.do(r); a.status != want {
			t.Errorf("%s: %d, want %d", host, a.status, want)
		}
	}
}

// TestConsolePagesHoldNothingInlineOrFromElsewhere also pins the headers of every page.
func TestConsolePagesHoldNothingInlineOrFromElsewhere(t *testing.T) {
	t.Parallel()
	w, c := newWorldWith(t)
	v := w.signedIn(dana, admin.RoleAdmin)
	for _, r := range c.Routes() {
		if r.Method != http.MethodGet {
			continue
		}
		path := w.fill(r.Path)
		a := v.get(path)
		if !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") {
			continue
		}
		for _, banned := range []string{" style=", "<style", " onclick", " onload", " onsubmit", "javascript:", "<script>", `src="http`, "<no value>", "%!"} {
			if strings.Contains(a.body, banned) {
				t.Errorf("%s holds %q", path, banned)
			}
		}
		for name, want := range map[string]string{"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "strict-origin",
			"Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; connect-src 'none'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"} {
			if a.header.Get(name) != want && a.status == http.StatusOK {
				t.Errorf("%s: %s is %q", path, name, a.header.Get(name))
			}
		}
		if a.status == http.StatusOK && (strings.Count(a.body, "<h1") != 1 || !strings.Contains(a.body, `<main id="main"`) || !strings.Contains(a.body, `class="skip"`)) {
			t.Errorf("%s lacks heading, main or skip link", path)
		}
	}
}

// newWorldWith is newWorld with the console itself, for its route table.
func newWorldWith(t *testing.T) (*world, *console.Console) {
	t.Helper()
	var cfg console.Config
	w := newWorld(t, func(c *console.Config) { cfg = *c })
	c, err := console.New(cfg)
	must(t, err)
	return w, c
}
