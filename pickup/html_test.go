package pickup_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"postern/cmd/testneed"
	"postern/pickup"
	"postern/store"
	"postern/store/seal"
)

// TestPagesAreValidHTML runs html-validate over every page of the gallery, as the server sends it. Which rules are off,
// and why, stands in .ci/htmlvalidate.mjs.
func TestPagesAreValidHTML(t *testing.T) {
	t.Parallel()
	node := testneed.Program(t, "node")
	tools, err := filepath.Abs("../.ci")
	must(t, err)
	program := filepath.Join(tools, "node_modules/html-validate/bin/html-validate.mjs")
	if _, err := os.Stat(program); err != nil {
		testneed.Missing(t, `html-validate is not installed; "npm ci" in .ci installs it`)
	}
	dir := t.TempDir()
	seen := map[string]bool{}
	required := regexp.MustCompile(`<(input|select|textarea)[^>]*\srequired\b`)
	for name, page := range everyPage(t) {
		template, _, _ := strings.Cut(name, ".")
		if field := required.FindString(page); field != "" { // browsers call it invalid before anybody touched it
			t.Errorf("%s: %s", name, field)
		}
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

// TestStyleSheetIsValid: every property exists, and every value is one that it takes.
func TestStyleSheetIsValid(t *testing.T) {
	t.Parallel()
	node := testneed.Program(t, "node")
	const program = "../.ci/node_modules/csstree-validator/bin/validate.js"
	if _, err := os.Stat(program); err != nil {
		testneed.Missing(t, `csstree-validator is not installed; "npm ci" in .ci installs it`)
	}
	validate := func(path string) ([]byte, error) { return exec.Command(node, program, path).CombinedOutput() }
	if out, err := validate("web/static/postern.css"); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	wrong := filepath.Join(t.TempDir(), "wrong.css")
	must(t, os.WriteFile(wrong, []byte("p { colr: red }"), 0o600))
	if out, err := validate(wrong); err == nil {
		t.Errorf("a property that does not exist is found good: %s", out)
	}
}

// everyPage is every page of the gallery by a name that begins with its template's.
func everyPage(t *testing.T, change ...func(*pickup.Config)) map[string]string {
	t.Helper()
	w := newWorld(t, change...)
	pages := map[string]string{}
	add := func(name string, a answer) { pages[name] = a.body }
	guest := w.visitor()
	plan := carePlan(t)
	plan.html = regexp.MustCompile(` style="[^"]*"`).ReplaceAllString(plan.html, "") // inline styles and headings are its author's
	plan.html = strings.NewReplacer("<h1", "<h2", "</h1>", "</h2>").Replace(plan.html)
	first, key := w.plant(joan, plan)
	link := linkOf(first)
	add("cover.register", guest.get(link))
	add("error.crowded", w.crowded())
	add("not-for-me", guest.get(link+"/not-for-me"))
	add("not-for-me.wrong", guest.post(link+"/not-for-me"))
	add("register", guest.get(link+"?step=register"))
	add("register.wrong", guest.post(link, "step", "register", "password", "Mari", "password2", "x", "reminder", strings.Repeat("r", 999)))
	add("link.incomplete", guest.get(link[:30]))
	add("link.damaged", guest.get(link[:35]+"zz"))
	add("link.unknown", guest.get(linkOf(seal.NewSecret())))
	add("link.paste", guest.get("/p/"))
	add("link.empty", guest.post("/p/"))
	for name, path := range map[string]string{"cookies": "/cookies", "cookies.missing": "/?check=cookie", "help": "/help", "help.print": "/help?print=1",
		"help.search": "/help?q=key", "help.nothing": "/help?q=zzzz", "error.missing": "/no/such/page", "sign-in": "/sign-in", "sign-in.out": "/sign-in?signed-out=1",
		"sign-in.asked": "/sign-in?to=/sent"} {
		add(name, guest.get(path))
	}
	add("sign-in.wrong", guest.post("/sign-in", "email", joan.String(), "password", "wrong"))
	add("error.forbidden", guest.post("/language", "lang", "xx"))
	invitation := "/n/" + w.invite("carla@example.org")
	add("invitation", guest.get(invitation))
	add("invitation.wrong", guest.post(invitation, "password", "short", "password2", "x"))
	w.visitor().post(invitation, "password", password, "password2", password)
	add("invitation.used", guest.get(invitation))
	pagesOfMessages(t, w, pages, first, key)
	pagesOfEnds(w, add)
	pagesOfRecovery(t, add, change...)
	maps.Copy(pages, pagesOfCodes(t, change...))
	pagesOfFirst(t, add, change...)
	return pages
}

// pagesOfMessages are those of somebody who is signed in.
func pagesOfMessages(t *testing.T, w *world, pages map[string]string, first seal.LinkSecret, key store.RcptKey) {
	t.Helper()
	add := func(name string, a answer) { pages[name] = a.body }
	v := w.visitor()
	v.register(first)
	add("inbox.provisional", v.get("/"))
	base, token := "/m/"+key.String(), w.welcomeToken()
	for name, path := range map[string]string{"message": base, "message.text": base + "/text", "mail": base + "/html", "print": base + "/print", "reply": base + "/reply",
		"cover.open": linkOf(first), "welcome": "/w/" + token, "sent.empty": "/sent"} {
		add(name, v.get(path))
	}
	for name, path := range map[string]string{"settings": "/settings", "settings.done": "/settings?done=password", "settings-password": "/settings/password",
		"settings-reminder": "/settings/reminder", "settings-record": "/settings/record"} {
		add(name, v.get(path))
	}
	pagesOfAliases(w, v, add)
	add("settings-password.wrong", v.post("/settings/password", "old", "x", "password", "short", "password2", "x", "reminder", "short"))
	add("settings-password.miss", v.post("/settings/password", "old", "x", "password", nextPassword, "password2", nextPassword))
	add("settings-reminder.wrong", v.post("/settings/reminder", "reminder", strings.Repeat("r", 999)))
	add("mail.gone", w.visitor().get(base+"/html"))
	text := field{"text", "", "Thank you"}
	add("reply.empty", v.upload(base+"/reply", field{"text", "", ""}))
	add("reply.large", v.upload(base+"/reply", text, field{"add", "a", strings.Repeat("x", 2<<20)}))
	add("sign-in.writing", w.visitor().upload(base+"/reply", text))
	add("sent-message", v.follow(v.upload(base+"/reply", text)))
	w.refuse = store.Reply(451, [3]int{4, 7, 1}, "Reply not accepted now: too many from this account")
	add("reply.many", v.upload(base+"/reply", text))
	w.refuse = store.ErrFull
	add("error.full", v.upload(base+"/reply", text))
	w.refuse = nil
	add("sent", v.get("/sent"))
	add("welcome.wrong", v.post("/w/"+token, "answer", "not-me"))
	add("welcome.confirmed", v.post("/w/"+token, "answer", "me"))
	add("welcome.used", v.get("/w/"+token))
	w.filled()
	v.post("/sign-in", "email", joan.String(), "password", password)
	unopened, unopenedKey := w.plant(joan, unruly())
	add("open", v.get("/m/"+unopenedKey.String()))
	v.post(linkOf(unopened))
	add("message.unruly", v.get("/m/"+unopenedKey.String()))
	add("print.unruly", v.get("/m/"+unopenedKey.String()+"/print"))
	add("message.signed", v.get(w.opened(v, joan, opaque())))
	other, otherKey := w.plant(peter, letter{subject: "x", text: "x"})
	add("refused", v.get("/m/"+otherKey.String()))
	add("refused.link", v.get(linkOf(other)))
	add("sign-in.link", w.visitor().get(linkOf(unopened)+"?step=sign-in"))
	w.update(func(tx store.Tx) error { // as a new password leaves it
		r, err := tx.Messages().Recipient(key)
		if err != nil {
			return err
		}
		r.Grants = r.Grants[:1]
		return tx.Messages().Set(r)
	})
	for name, path := range map[string]string{"inbox.waiting": "/", "inbox.search": "/?q=bathroom", "inbox.nothing": "/?q=zzzz", "link.needed": base} {
		add(name, v.get(path))
	}
}

// pagesOfAliases are those of addresses that are added and removed.
func pagesOfAliases(w *world, v *visitor, add func(string, answer)) {
	peters, _, _ := w.account(peter)
	link, taken, merged, shut := v.ask(family), v.ask(choir), v.ask(peter), v.ask(band)
	peters.alias(choir)
	w.account(band)
	w.turn(band, store.StatusDisabled)
	add("settings-address", v.get("/settings/address"))
	add("settings-address.wrong", v.post("/settings/address", "do", "add", "alias", "x", "old", ""))
	add("settings-address.miss", v.post("/settings/address", "do", "add", "alias", "a@x.example", "old", ""))
	add("settings-address.remove", v.post("/settings/address", "do", "remove", "alias", family.String()))
	add("settings.waiting", v.get("/settings"))
	add("alias.nobody", w.visitor().get(link))
	add("sign-in.alias", w.visitor().get(link+"?step=sign-in"))
	add("alias.asked", v.get(link))
	add("alias.other", peters.get(link))
	add("alias.merges", v.get(merged))
	add("alias.miss", v.post(merged, "do", "add", "password", "x"))
	add("alias.taken", v.post(taken, "do", "add"))
	add("alias.shut", v.post(shut, "do", "add"))
	add("settings.added", v.follow(v.post(link, "do", "add")))
	add("alias.used", v.get(link))
}

// pagesOfEnds are those of messages that are over.
func pagesOfEnds(w *world, add func(string, answer)) {
	guest := w.visitor()
	gone, _ := w.plant(peter, letter{subject: "x", text: "x", life: time.Hour})
	closed, _ := w.plant(peter, letter{subject: "x", text: "x"})
	add("closed.now", guest.post(linkOf(closed)+"/not-for-me", "sure", "yes"))
	add("closed", guest.get(linkOf(closed)))
	w.advance(2 * time.Hour)
	add("ended", guest.get(linkOf(gone)))
	w.advance(time.Second)
	disowned, _ := w.plant(ruth, letter{subject: "x", text: "x"})
	w.visitor().register(disowned)
	guest.post("/w/"+w.welcomeToken(), "answer", "not-me", "sure", "yes")
	add("link.disowned", guest.get(linkOf(disowned)))
}
