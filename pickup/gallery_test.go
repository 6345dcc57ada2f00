package pickup_test

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"postern/cmd/browser"
	"postern/pickup/account"
	"postern/store"
	"postern/store/mail"
	"postern/store/seal"
)

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	must(t, err)
	return string(text)
}

// carePlan is a message as people write them: HTML and text, a copy to somebody, attachments.
func carePlan(t *testing.T) letter {
	file := func(name, kind string, size int) mail.Attachment {
		return mail.Attachment{Name: name, Type: kind, Body: bytes.NewReader(bytes.Repeat([]byte("x"), size))}
	}
	return letter{from: mail.Mailbox{Name: "Maria Lindqvist, Adult Social Care", Address: maria.Address},
		to:      []mail.Mailbox{{Name: "Joan Hartley", Address: joan}},
		cc:      []mail.Mailbox{{Name: "Ruth Adeyemi", Address: store.Address{Local: "r.adeyemi", Domain: "riverside-day.example"}}},
		subject: "[secure] Your care and support plan: review on 24 June", text: read(t, "care-plan.txt"), html: read(t, "care-plan.html"),
		files: []mail.Attachment{file("Care and support plan – J Hartley – June 2026.pdf", "application/pdf", 412_000),
			file("Financial assessment form.docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document", 188_000)}}
}

// filled plants what an inbox holds after some weeks and returns the links of what waits.
func (w *world) filled() {
	from := func(name, local string) mail.Mailbox {
		return mail.Mailbox{Name: name, Address: store.Address{Local: local, Domain: "example.org"}}
	}
	const day = 24 * time.Hour
	w.plant(joan, letter{from: from("Council Tax and Benefits", "tax"), subject: "Council Tax reduction: the letter you asked for", text: "Attached.",
		files: []mail.Attachment{{Name: "Letter.pdf", Type: "application/pdf", Body: strings.NewReader("x")}}, life: 15 * day})
	w.advance(26 * time.Hour)
	w.plant(joan, letter{from: from("Occupational Therapy Team", "ot"), subject: "Bathroom adaptations: what we agreed, and when the fitters come",
		text: "Dear Mrs Hartley", life: 3*day + time.Hour})
	w.advance(20 * time.Hour)
}

// gallery looks at every page of the site in a browser, as different people see it.
type gallery struct {
	t   *testing.T
	w   *world
	tab *browser.Tab
}

func (g gallery) look(name string) {
	g.t.Helper()
	if status := browser.Eval[int](g.tab, "performance.getEntriesByType('navigation')[0].responseStatus"); status >= 500 {
		g.t.Errorf("%s answers %d: %s", name, status, g.w.log)
	}
	g.tab.Inspect(g.t, name, strings.HasSuffix(g.tab.Path(), "/html"))
}

func (g gallery) visit(name, path string) {
	g.t.Helper()
	g.tab.Go(g.w.server.URL + path)
	g.look(name)
}

func TestEveryPageLooksRightAndAxeFindsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := common.Browser(t)
	g := gallery{t, w, b.Tab(t)}
	first, key := w.plant(joan, carePlan(t))
	g.beforeRegistration(first)
	g.registration(first)
	g.message(key)
	w.confirm(joan)
	w.filled()
	g.signIn(joan)
	g.visit("04-inbox", "/")
	g.visit("04c-search", "/?q=bathroom")
	g.settings()
	g.afterwards(key)
	g.elsewhere(b.Tab(t), first)
	g.forgotten(b.Tab(t))
	for name, r := range map[string]account.Recovery{"link": account.RecoverLink, "temporary": account.RecoverTemporary} {
		w := way(t, r)
		w.account(joan)
		gallery{t, w, b.Tab(t)}.reset(name)
	}
}

// forgotten looks at the pages of somebody who lost the password, where a new one is activated from a mail.
func (g gallery) forgotten(tab *browser.Tab) {
	g.tab = tab
	g.visit("08-reminder", "/reminder")
	tab.Press("main .btn")
	g.look("08c-reminder-error")
	tab.Fill("#email", joan.String())
	tab.Press("main .btn")
	g.look("08b-reminder-sent")
	g.visit("09-change-password", "/change-password")
	tab.Fill("#email", joan.String())
	tab.Fill("#pw", "Hartley")
	g.look("09a-change-password-typing")
	tab.Press("main .btn")
	g.look("09d-change-password-error")
	ask := func() string {
		g.w.advance(time.Minute)
		g.tab.Go(g.w.server.URL + "/change-password")
		tab.Fill("#email", joan.String())
		tab.Fill("#pw", newPassword)
		tab.Fill("#pw2", newPassword)
		tab.Press("main .btn")
		return "/v/" + g.w.mailed(activation)
	}
	link := ask()
	g.look("09c-change-sent")
	g.visit("09b-activate", link)
	tab.Fill("#again", "wrong")
	tab.Press("main .btn")
	g.look("09e-activate-wrong")
	tab.Press("main .danger")
	g.look("09f-decline-unticked")
	tab.Click("#sure")
	tab.Press("main .danger")
	g.look("09g-declined")
	g.visit("09h-activate-used", link)
	tab.Go(g.w.server.URL + ask())
	tab.Fill("#again", newPassword)
	tab.Press("main .btn")
	g.look("04h-inbox-changed")
	g.visit("12m-earlier", "/settings/earlier")
	tab.Press("main .btn")
	g.look("12n-earlier-error")
}

// reset looks at the pages of the other ways back in.
func (g gallery) reset(name string) {
	g.visit("09i-forgotten-"+name, "/change-password")
	g.tab.Fill("#email", joan.String())
	g.tab.Press("main .btn")
	g.look("09j-forgotten-sent-" + name)
	if name == "link" {
		g.visit("09k-reset", "/r/"+g.w.mailed(resetLink))
	} else {
		g.tab.Go(g.w.server.URL + "/sign-in")
		g.tab.Fill("#email", joan.String())
		g.tab.Fill("#password", g.w.mailed(temporary))
		g.tab.Press("main .btn")
		g.look("09l-new-password")
	}
	g.tab.Press("main .btn")
	g.look("09m-new-password-error-" + name)
}

// confirm makes an account confirmed, as the answer to the welcome mail does.
func (w *world) confirm(address store.Address) {
	w.update(func(tx store.Tx) error {
		a, err := tx.Accounts().ByAddress(address.Key())
		if err != nil {
			return err
		}
		a.Standing = store.Confirmed
		return tx.Accounts().Set(a)
	})
}

// signIn signs in anew, for sessions end while a test moves the clock.
func (g gallery) signIn(address store.Address) {
	g.t.Helper()
	g.tab.Go(g.w.server.URL + "/sign-in")
	g.tab.Fill("#email", address.String())
	g.tab.Fill("#password", password)
	g.tab.Press("main .btn")
}

func (g gallery) beforeRegistration(first seal.LinkSecret) {
	w, t, tab := g.w, g.t, g.tab
	g.visit("01-link", linkOf(first))
	g.visit("01c-not-for-me", linkOf(first)+"/not-for-me")
	tab.Click("#sure")
	tab.Click("#sure")
	g.visit("01d-incomplete", linkOf(first)[:30])
	g.visit("01e-damaged", linkOf(first)[:35]+"z"+linkOf(first)[36:])
	g.visit("01f-unknown", linkOf(seal.NewSecret()))
	g.visit("01g-paste", "/p/")
	gone, _ := w.plant(peter, letter{subject: "x", text: "x", life: time.Hour})
	closed, _ := w.plant(peter, letter{subject: "x", text: "x"})
	tab.Go(w.server.URL + linkOf(closed) + "/not-for-me")
	tab.Click("#sure")
	tab.Press("main .btn")
	g.look("01b-closed")
	w.advance(2 * time.Hour)
	g.visit("07-expired", linkOf(gone))
	g.visit("10b-cookies", "/cookies")
	g.visit("10-cookies-missing", "/?check=cookie")
	g.visit("11-help", "/help")
	g.visit("11b-help-search", "/help?q=cookie")
	g.visit("11c-help-print", "/help?print=1")
	g.visit("40-missing", "/no/such/page")
	g.visit("03-sign-in", "/sign-in")
	tab.Fill("#email", "joan.hartley@mail.example")
	tab.Fill("#password", "wrong")
	tab.Press("main .btn")
	g.look("03b-sign-in-error")
	if text := tab.Text(".summary"); !strings.Contains(text, "Invalid username, password or permissions. Please check you are using the correct URL.") {
		t.Errorf("sign-in error says %q", text)
	}
}

func (g gallery) registration(first seal.LinkSecret) {
	w, tab := g.w, g.tab
	tab.Go(w.server.URL + linkOf(first))
	tab.Press(".envelope .btn")
	g.look("02-register")
	tab.Fill("#pw", "Marigold kettle")
	tab.Fill("#pw2", "Marigold")
	g.look("02a-register-typing")
	tab.Press("main .btn")
	g.look("02c-register-error")
	tab.Fill("#pw", password)
	tab.Fill("#pw2", password)
	tab.Fill("#reminder", "What stood on gran’s windowsill")
	tab.Press("main .btn")
	g.look("05-message")
}

func (g gallery) message(key store.RcptKey) {
	t, tab := g.t, g.tab
	base := "/m/" + key.String()
	if got := tab.Path(); got != base {
		t.Errorf("after registration the browser is at %s, want %s", got, base)
	}
	g.visit("05b-message-text", base+"/text")
	tab.BypassCSP(true) // axe is a script, which the sandbox does not let run
	g.visit("05c-body", base+"/html")
	g.visit("05d-print", base+"/print")
	tab.BypassCSP(false)
	g.visit("06-reply", base+"/reply")
	tab.Press("main .btn")
	g.look("06b-reply-error")
	tab.Fill("#text", "Dear Maria Lindqvist,\n\nthe date suits me well.\n\nJoan Hartley")
	tab.Press("main .btn")
	g.look("06c-sent-message")
	g.visit("06d-sent", "/sent")
	g.visit("04b-inbox", "/")
}

// settings looks at what one can do with the own account.
func (g gallery) settings() {
	g.w.signIn(joan.String(), password)
	g.visit("12-settings", "/settings")
	g.visit("12c-record", "/settings/record")
	g.aliases()
	g.visit("12b-change-password", "/settings/password")
	g.tab.Fill("#old", "wrong")
	g.tab.Fill("#pw", password)
	g.tab.Press("main .btn")
	g.look("12d-change-password-error")
	g.visit("12e-change-reminder", "/settings/reminder")
	g.tab.Press("main .btn")
	g.look("12f-change-reminder-error")
	g.tab.Go(g.w.server.URL + "/settings/password")
	g.tab.Fill("#old", password)
	g.tab.Fill("#pw", nextPassword)
	g.tab.Fill("#pw2", nextPassword)
	g.tab.Press("main .btn")
	g.look("12g-settings-done")
}

// aliases looks at addresses that are added to an account.
func (g gallery) aliases() {
	g.visit("12h-add-address", "/settings/address")
	g.tab.Press("main .btn")
	g.look("12i-add-address-error")
	g.tab.Fill("#alias", family.String())
	g.tab.Fill("#old", password)
	g.tab.Press("main .btn")
	g.look("12j-settings-waiting")
	g.visit("13-alias", g.w.aliasLink(family))
	g.tab.Press("main .btn")
	g.look("13b-alias-added")
	g.visit("13c-alias-used", g.w.aliasLink(family))
	choirs, _, _ := g.w.account(choir)
	g.visit("13d-alias-merges", g.asks(choir))
	g.tab.Fill("#password", "wrong")
	g.tab.Press("main .btn")
	g.look("13e-alias-merges-error")
	theirs := choirs.ask(band)
	g.visit("13f-alias-other", theirs)
	g.tab.Go(g.w.server.URL + g.asks(band))
	choirs.post(theirs, "do", "add")
	g.tab.Press("main .btn")
	g.look("13g-alias-taken")
	g.w.turn(choir, store.StatusDisabled)
	g.tab.Go(g.w.server.URL + g.w.aliasLink(choir))
	g.tab.Press("main .btn")
	g.look("13h-alias-shut")
}

// asks asks for an alias and returns the path of its link.
func (g gallery) asks(address store.Address) string {
	g.t.Helper()
	g.w.advance(time.Second) // mails are in the order of their time
	g.tab.Go(g.w.server.URL + "/settings/address")
	g.tab.Fill("#alias", address.String())
	g.tab.Fill("#old", password)
	g.tab.Press("main .btn")
	return g.w.aliasLink(address)
}

// unruly is a message that strains a page: a subject of one endless word, names from right to left, a crowd of readers.
func unruly() letter {
	return letter{from: mail.Mailbox{Name: "سارة الخطيب 🦊", Address: store.Address{Local: "sara", Domain: "example.org"}}, to: crowd(60),
		subject: strings.Repeat("Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft", 3), text: "مرحبا\n\n" + strings.Repeat("wide", 100),
		files: []mail.Attachment{{Name: "تقرير 2026 (final).pdf", Type: "application/pdf", Body: strings.NewReader("x")},
			{Name: strings.Repeat("endless", 30) + ".pdf", Type: "application/pdf", Body: strings.NewReader("x")}}}
}

func (g gallery) afterwards(key store.RcptKey) {
	w, tab := g.w, g.tab
	strains, strainsKey := w.plant(joan, unruly())
	g.visit("05h-unruly-link", linkOf(strains))
	tab.Press(".envelope .btn")
	g.look("05i-unruly")
	g.visit("05j-unruly-reply", "/m/"+strainsKey.String()+"/reply")
	g.visit("04g-inbox-unruly", "/")
	wrapped, _ := w.plant(joan, opaque())
	g.tab.Go(w.server.URL + linkOf(wrapped))
	tab.Press(".envelope .btn")
	g.look("05k-signed")
	_, unopened := w.plant(joan, letter{subject: "Not opened yet", text: "x"})
	g.visit("05e-open", "/m/"+unopened.String())
	other, otherKey := w.plant(peter, letter{subject: "For Peter", text: "x"})
	g.visit("05f-refused", "/m/"+otherKey.String())
	g.visit("05g-refused-link", linkOf(other))
	g.visit("10-invitation", "/n/"+w.invite("carla@example.org"))
	tab.Press("main .btn")
	g.look("10b-invitation-wrong")
	g.visit("09-welcome", "/w/"+w.welcomeToken())
	tab.Press("main .btn")
	g.look("09b-welcome-confirmed")
	w.update(func(tx store.Tx) error { // what a forgotten password leaves: the account's key is another one
		r, err := tx.Messages().Recipient(key)
		if err != nil {
			return err
		}
		r.Grants = r.Grants[:1]
		return tx.Messages().Set(r)
	})
	g.visit("04d-inbox-waiting", "/")
	g.visit("04e-needs-link", "/m/"+key.String())
	w.advance(40 * 24 * time.Hour)
}

// elsewhere looks at what only another visitor sees.
func (g gallery) elsewhere(tab *browser.Tab, first seal.LinkSecret) {
	g.tab = tab
	fresh, _ := g.w.plant(joan, letter{subject: "Again", text: "x"})
	g.visit("01h-link-account", linkOf(fresh))
	tab.Press(".envelope .btn")
	g.look("03c-sign-in-link")
	g.visit("07b-expired", linkOf(first))
	third, _ := g.w.plant(peter, letter{subject: "x", text: "x"})
	tab.Go(g.w.server.URL + linkOf(third) + "?step=register")
	tab.Fill("#pw", password)
	tab.Fill("#pw2", password)
	tab.Press("main .btn")
	g.w.advance(60 * 24 * time.Hour)
	g.visit("03d-sign-in-asked", "/sent")
	g.visit("04f-inbox-gone", "/")
}

// welcomeToken reads the newest welcome mail that waits in the queue.
func (w *world) welcomeToken() string {
	w.t.Helper()
	return w.mailed(`/w/([0-9a-z]{37})`)
}
