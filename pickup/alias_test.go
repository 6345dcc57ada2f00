package pickup_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"postern/store"
)

var (
	family = store.Address{Local: "Joan", Domain: "hartley-family.example"}
	choir  = store.Address{Local: "j.hartley", Domain: "choir.example"}
	band   = store.Address{Local: "joan", Domain: "brass-band.example"}
)

// ask asks for an alias and returns the path of its link.
func (v *visitor) ask(address store.Address) string {
	v.w.t.Helper()
	v.w.advance(time.Second) // mails are in the order of their time
	a := v.post("/settings/address", "do", "add", "alias", address.String(), "old", password)
	if a.status != http.StatusSeeOther || a.to() != "/settings?done=alias" {
		v.w.t.Fatalf("asking for %s answers %d to %q: %s", address, a.status, a.to(), a.body)
	}
	return v.w.aliasLink(address)
}

var aliasLinks = regexp.MustCompile(`/a/[0-9a-z]{37}`)

// aliasLink is the link in the newest mail to an address.
func (w *world) aliasLink(to store.Address) string {
	w.t.Helper()
	link := ""
	for _, m := range w.mails(store.KindAccount) {
		if found := aliasLinks.FindString(m); found != "" && strings.Contains(m, "To: "+to.String()) {
			link = found
		}
	}
	if link == "" {
		w.t.Fatalf("no alias mail for %s", to)
	}
	return link
}

// alias adds an address to the account of a visitor, all the way.
func (v *visitor) alias(address store.Address) {
	v.w.t.Helper()
	if a := v.post(v.ask(address), "do", "add"); a.to() != "/settings?done=alias-added" {
		v.w.t.Fatalf("confirming %s answers %d to %q: %s", address, a.status, a.to(), a.body)
	}
}

func TestB13AliasCountsAfterItsOwnersClickAndConfirm(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, _, _ := w.account(joan)
	peters, _, _ := w.account(peter)
	nobody := w.visitor()
	lacks(t, "step 1", v.post("/settings/address", "do", "add", "alias", family.String()), 200, `value="Joan@hartley-family.example"`, "Send the mail")
	if n := len(w.mails(store.KindAccount)); n != 0 {
		t.Fatalf("%d mails before the password was typed", n)
	}
	link := v.ask(family)
	second := v.ask(choir)
	if link == second {
		t.Error("two aliases have one link")
	}
	lacks(t, "waiting", v.get("/settings"), 200, "Waiting", family.String(), choir.String(), "was to be added")
	waits := func(what string) {
		t.Helper()
		if a := w.lookup(joan); len(a.Aliases) != 0 {
			t.Fatalf("%s made the alias", what)
		}
	}
	before := w.fingerprint()
	for _, who := range []*visitor{v, nobody, peters} {
		for _, method := range []string{"GET", "HEAD"} {
			who.do(who.request(method, link, nil))
			who.do(who.request(method, link+"?step=sign-in", nil))
		}
	}
	// What scanners press: every button of the page, without a session and in a session of another account.
	lacks(t, "button of nobody", nobody.post(link, "do", "add", "password", password), 200, "Sign in", `value="joan.hartley@mail.example"`)
	lacks(t, "bare post of nobody", nobody.post(link), 200, "Sign in")
	lacks(t, "button of another account", peters.post(link, "do", "add", "password", password), 403, "This link belongs to another account", "Sign out")
	lacks(t, "post without a choice", v.post(link), 400)
	lacks(t, "wrong password", nobody.post(link, "do", "sign-in", "email", joan.String(), "password", "wrong"), 403, refusal)
	if w.fingerprint() != before {
		t.Error("the store changed before anybody said yes")
	}
	waits("a scanner or a stranger")
	a := nobody.post(link, "do", "sign-in", "email", joan.String(), "password", password)
	if a.to() != link+"?check=cookie" {
		t.Fatalf("the sign-in leads to %q", a.to())
	}
	waits("the sign-in alone")
	lacks(t, "question", nobody.follow(a), 200, "Add this address to your account?", "Yes, add this address", family.String())
	lacks(t, "yes", nobody.follow(nobody.post(link, "do", "add")), 200, "The address has been added", " confirmed and added")
	if got := w.lookup(family); got.ID != w.lookup(joan).ID || len(got.Aliases) != 1 {
		t.Errorf("aliases %v", got.Aliases)
	}
	if told := strings.Join(w.mails(store.KindAccount), "\n"); !strings.Contains(told, "To: "+joan.String()) || strings.Contains(told, password) {
		t.Errorf("the account's own address was not told: %s", told)
	}
	lacks(t, "replay", v.post(link, "do", "add"), 410, "This link has been used")
	lacks(t, "replayed GET", nobody.get(link), 410, "This link has been used")
	lacks(t, "asked again", v.post("/settings/address", "do", "add", "alias", "JOAN@Hartley-Family.example", "old", password), 422, "This address is yours already")
	w.advance(7*24*time.Hour + time.Minute)
	v = w.signIn(joan.String(), password)
	lacks(t, "expired", v.post(second, "do", "add"), 410, "This link has expired")
	if len(w.lookup(joan).Aliases) != 1 {
		t.Error("an expired link made an alias")
	}
}

func TestB13AliasFormRefusesWhatCannotBeAnAlias(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, _, _ := w.account(joan)
	before := w.fingerprint()
	for _, bad := range []string{"", "joan", "@x.example", "a b@x.example", strings.Repeat("a", 300) + "@x.example", "joan@[192.0.2.1]", "joan@x.example\r\nBcc: a@b.example", "\"><script>@x.example"} {
		for _, typed := range [][]string{nil, {"old", password}} {
			a := v.post("/settings/address", append([]string{"do", "add", "alias", bad}, typed...)...)
			lacks(t, fmt.Sprintf("%.20q", bad), a, 422, "Type a whole email address")
			if strings.Contains(a.body, "<script>@") || len(a.body) > 20_000 {
				t.Errorf("%.20q is shown as it is", bad)
			}
		}
	}
	lacks(t, "own address", v.post("/settings/address", "do", "add", "alias", "Joan.Hartley@MAIL.example"), 422, "This address is yours already")
	lacks(t, "all empty", v.post("/settings/address", "do", "add", "alias", "", "old", ""), 422, `href="#alias"`, `href="#old"`, "Type your password")
	lacks(t, "no choice", v.post("/settings/address", "alias", family.String()), 400)
	lacks(t, "wrong password", v.post("/settings/address", "do", "add", "alias", family.String(), "old", "wrong"), 403, "This is not your password", `value="Joan@hartley-family.example"`)
	if a := v.post("/settings/address", "do", "remove", "alias", family.String(), "old", password); a.to() != "/settings" {
		t.Errorf("removing what is not there: %d to %q", a.status, a.to())
	}
	if w.fingerprint() != before {
		t.Error("refused forms changed the store")
	}
	other := strings.NewReplacer("x", "y", "y", "x", "0", "1", "1", "0")
	for _, link := range []string{"/a/1000", "/a/" + strings.Repeat("z", 37), "/a/1" + other.Replace(v.ask(family)[4:20]+"x") + strings.Repeat("0", 19)} {
		if a := v.get(link); a.status != 400 || v.post(link, "do", "add").status != 400 {
			t.Errorf("damaged link: %d", a.status)
		}
	}
}

// Asking again replaces the link of before, one account asks for a few mails an hour only, and has ten aliases at most.
func TestB13AliasMailsAreFew(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, _, _ := w.account(joan)
	first := v.ask(family)
	w.advance(time.Second)
	again := v.ask(family)
	lacks(t, "the link of before", v.get(first), 404, "")
	lacks(t, "the new link", v.get(again), 200, "Yes, add this address")
	if n := strings.Count(v.get("/settings").body, "Send again"); n != 1 {
		t.Errorf("%d waiting addresses, want 1", n)
	}
	for i := range 3 {
		v.ask(store.Address{Local: fmt.Sprint("n", i), Domain: "choir.example"})
	}
	lacks(t, "a sixth mail", v.post("/settings/address", "do", "add", "alias", choir.String(), "old", password), 422, "within the last hour")
	w.update(func(tx store.Tx) error {
		a, err := tx.Accounts().ByAddress(joan.Key())
		for i := range 6 {
			a.Aliases = append(a.Aliases, store.Address{Local: fmt.Sprint("m", i), Domain: "choir.example"})
		}
		if err != nil {
			return err
		}
		return tx.Accounts().Set(a)
	})
	w.advance(25 * time.Minute)
	lacks(t, "an eleventh", v.post("/settings/address", "do", "add", "alias", choir.String(), "old", password), 422, "An account can have 10 addresses")
}

// B14: before the confirmation new messages to the alias do not appear, afterwards they do; earlier ones open by their
// link, signed in.
func TestB14MessagesToTheAliasAppearOnceItIsConfirmed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, _, _ := w.account(joan)
	w.confirm(joan)
	early, earlyKey := w.plant(family, letter{subject: "Before anything", text: "Early text."})
	link := v.ask(family)
	waiting, waitingKey := w.plant(family, letter{subject: "While it waits", text: "Waiting text."})
	inbox := v.get("/").body
	if strings.Contains(inbox, "Before anything") || strings.Contains(inbox, "While it waits") || strings.Contains(inbox, "Waiting for") {
		t.Error("messages to the address appear before it is confirmed")
	}
	lacks(t, "C4: its link before", v.post(linkOf(waiting)), 403, refusal)
	for _, key := range []store.RcptKey{earlyKey, waitingKey} {
		if a := v.get("/m/" + key.String()); a.status == 200 {
			t.Error("a message to the address opens before it is confirmed")
		}
	}
	v.post(link, "do", "add")
	lacks(t, "earlier ones wait for their link", v.get("/"), 200, "These 2 messages open through their own notification mails")
	lacks(t, "C4: its link after", v.follow(v.post(linkOf(early))), 200, "Early text.")
	_, now := w.plant(family, letter{subject: "After it all", text: "New text."})
	lacks(t, "inbox", v.get("/"), 200, "After it all")
	v.post("/m/" + now.String() + "/open")
	lacks(t, "message", v.get("/m/"+now.String()), 200, "New text.")

	a := v.upload("/m/"+now.String()+"/reply", field{"text", "", "Thank you."})
	if a.status != 303 || len(w.replies) != 1 || !strings.Contains(string(w.replies[0]), "Joan@hartley-family.example") {
		t.Errorf("the reply answers %d and is not from the alias", a.status)
	}
	notMine, _ := w.plant(family, letter{subject: "x", text: "x"})
	lacks(t, "not for me", w.visitor().post(linkOf(notMine)+"/not-for-me", "sure", "yes"), 200)
	lacks(t, "link without session asks to sign in", w.visitor().get(linkOf(early)+"?step=sign-in"), 200, `value="Joan@hartley-family.example"`)
	third, _ := w.plant(family, letter{subject: "By link", text: "Link text."})
	guest := w.visitor()
	lacks(t, "signed in by the alias's link", guest.follow(guest.post(linkOf(third), "step", "sign-in", "password", password)), 200, "Link text.")

	peters, _, _ := w.account(peter)
	lacks(t, "C4: another account", peters.post(linkOf(third)), 403, refusal)
	if a := peters.get("/m/" + now.String()); a.status == 200 {
		t.Error("another account opens a message to the alias")
	}
	must(t, w.accounts.Disable(t.Context(), "root", w.lookup(joan).ID))
	lacks(t, "B6: disabled, by the alias", w.visitor().post("/sign-in", "email", family.String(), "password", password), 403, refusal)
	must(t, w.accounts.Enable(t.Context(), "root", w.lookup(joan).ID))
	lacks(t, "B9", w.signIn(family.String(), password).get("/settings"), 200, family.String())
}

// A provisional account gets what comes for its confirmed alias, and still nothing that comes for its own address.
func TestB14ProvisionalAccountOwnsItsAlias(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, _, _ := w.account(joan)
	v.alias(family)
	w.plant(family, letter{subject: "To the alias", text: "x"})
	w.plant(joan, letter{subject: "To the first address", text: "x"})
	a := v.get("/")
	lacks(t, "inbox", a, 200, "This message opens through its own notification mail")
	if strings.Count(a.body, "Waiting for its link</span>") != 1 {
		t.Error("the inbox does not show the one message to the alias alone")
	}
}

// TestK8LinkToAnAliasConfirmsNobody: who registered with one forwarded link of joan's adds an address of his own, and
// opens a message that was sent there. That shows nothing about joan's mailbox: what comes for her is still not his.
func TestK8LinkToAnAliasConfirmsNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	intruder, _, _ := w.account(joan)
	intruder.alias(family)
	w.advance(time.Minute)
	toHim, _ := w.plant(family, letter{subject: "To the alias", text: "For the intruder"})
	w.plant(joan, letter{subject: "For joan alone", text: "x"})
	lacks(t, "link to the alias", intruder.follow(intruder.post(linkOf(toHim))), 200, "For the intruder")
	if a := w.lookup(joan); a.Standing != store.Provisional {
		t.Errorf("the account is %s by a link to its alias", a.Standing)
	}
	if a := intruder.get("/"); strings.Contains(a.body, "Waiting for its link</span>") {
		t.Error("the inbox tells of a message to the first address")
	}
	own, _ := w.plant(joan, letter{subject: "Second", text: "To the owner"})
	lacks(t, "link to the first address", intruder.follow(intruder.post(linkOf(own))), 200, "To the owner")
	if a := w.lookup(joan); a.Standing != store.Confirmed {
		t.Errorf("the account is %s by a link to its first address", a.Standing)
	}
}

func TestC02AliasSignsIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, _, _ := w.account(joan)
	link := v.ask(family)
	lacks(t, "before", w.visitor().post("/sign-in", "email", family.String(), "password", password), 403, refusal)
	v.post(link, "do", "add")
	w.advance(time.Minute)
	other := w.visitor()
	lacks(t, "after, in any case", other.follow(other.post("/sign-in", "email", "JOAN@HARTLEY-family.EXAMPLE", "password", password)), 200, "You are signed in as", joan.String())
	lacks(t, "remove, step 1", v.post("/settings/address", "do", "remove", "alias", family.String()), 200, "you can no longer sign in with it")
	if len(w.lookup(joan).Aliases) != 1 {
		t.Error("removed without the password")
	}
	lacks(t, "remove", v.follow(v.post("/settings/address", "do", "remove", "alias", family.String(), "old", password)), 200, "The address has been removed")
	lacks(t, "afterwards", w.visitor().post("/sign-in", "email", family.String(), "password", password), 403, refusal)
}

// What came for an alias stays when it is removed; the address is free, and its next link registers anew.
func TestB14RemovedAliasLeavesItsMessages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, _, _ := w.account(joan)
	v.alias(family)
	w.confirm(joan)
	_, kept := w.plant(family, letter{subject: "While it was one", text: "Kept text."})
	v.post("/m/" + kept.String() + "/open")
	v.post("/settings/address", "do", "remove", "alias", family.String(), "old", password)
	lacks(t, "inbox", v.get("/"), 200, "While it was one")
	lacks(t, "message", v.get("/m/"+kept.String()), 200, "Kept text.")
	fresh, _ := w.plant(family, letter{subject: "Afterwards", text: "x"})
	if strings.Contains(v.get("/").body, "Afterwards") {
		t.Error("a message after the removal appears")
	}
	lacks(t, "its link in the account", v.post(linkOf(fresh)), 403, refusal)
	w.visitor().register(fresh)
	if w.lookup(family).ID == w.lookup(joan).ID {
		t.Error("the address still belongs to the account")
	}
}

// A session that ends while the form is filled in leads back to the form.
func TestB13SessionEndsMeanwhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, _, _ := w.account(joan)
	link := v.ask(family)
	w.advance(40 * time.Minute)
	a := v.post("/settings/address", "do", "add", "alias", choir.String(), "old", password)
	if a.to() != "/sign-in?to=%2Fsettings%2Faddress" {
		t.Fatalf("%d to %q", a.status, a.to())
	}
	lacks(t, "yes, too late", v.post(link, "do", "add"), 200, "Sign in", `action="`+link+`"`)
	lacks(t, "signed in there", v.follow(v.post(link, "do", "sign-in", "email", joan.String(), "password", password)), 200, "Yes, add this address")
	lacks(t, "the form", v.get("/settings/address"), 200, "Send the mail")
}

// The link is found wherever links are pasted.
func TestB13AliasLinkCanBePasted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, _, _ := w.account(joan)
	link := v.ask(family)
	for _, text := range []string{w.server.URL + link, link[3:], "Follow:\n" + w.server.URL + link[:20] + "=\n" + link[20:]} {
		if a := v.post("/p/", "link", text); a.to() != link {
			t.Errorf("%q leads to %q", text, a.to())
		}
	}
}

const familyPassword = "Walnut ferry 88 north"

// merging is an account whose owner registered with a second address earlier, and now wants it as an alias.
func merging(t *testing.T) (w *world, v, second *visitor, read, unread store.RcptKey, link string) {
	t.Helper()
	w = newWorld(t)
	v, _, _ = w.account(joan)
	w.confirm(joan)
	secret, read := w.plant(family, letter{subject: "Family first", text: "Text for the family."})
	second = w.visitor()
	a := second.post(linkOf(secret), "step", "register", "password", familyPassword, "password2", familyPassword)
	if a.status != http.StatusSeeOther {
		t.Fatalf("registration answers %d", a.status)
	}
	w.confirm(family)
	if a := second.upload("/m/"+read.String()+"/reply", field{"text", "", "Written by the family."}); a.status != http.StatusSeeOther {
		t.Fatalf("reply answers %d", a.status)
	}
	_, unread = w.plant(family, letter{subject: "Family second", text: "More for the family."})
	return w, v, second, read, unread, v.ask(family)
}

// KEYS K9 "Alias": an alias with an account of its own is merged. With its password nothing is lost.
func TestB13AliasWithAnAccountIsMerged(t *testing.T) {
	t.Parallel()
	w, v, second, read, unread, link := merging(t)
	own := w.lookup(family)
	before := w.fingerprint()
	lacks(t, "question", v.get(link), 200, "The address has an account of its own here", "its own password stops working", `id="password"`)
	lacks(t, "wrong password", v.post(link, "do", "add", "password", "wrong"), 403, "This is not the password of", `aria-invalid="true"`)
	if w.fingerprint() != before {
		t.Fatal("a wrong password changed the store")
	}
	lacks(t, "yes", v.follow(v.post(link, "do", "add", "password", familyPassword)), 200, "The address has been added")
	if a := second.get("/"); a.to() != "/sign-in" {
		t.Errorf("the merged account is still signed in: %d", a.status)
	}
	if told := strings.Join(w.mails(store.KindAccount), "\n"); !strings.Contains(told, "is now part of another") || strings.Count(told, "To: "+family.String()) != 2 {
		t.Errorf("the address was not told that its account ended: %s", told)
	}
	lacks(t, "its password", w.visitor().post("/sign-in", "email", family.String(), "password", familyPassword), 403, refusal)
	lacks(t, "inbox", v.get("/"), 200, "Family first", "Family second")
	lacks(t, "what it had opened", v.get("/m/"+read.String()), 200, "Text for the family.")
	v.post("/m/" + unread.String() + "/open")
	lacks(t, "what it had not", v.get("/m/"+unread.String()), 200, "More for the family.")
	sent := v.get("/sent")
	lacks(t, "its replies", v.get(sent.find(t, `href="(/sent/[0-9a-z]+)"`)), 200, "Written by the family.")
	var row store.Account
	must(t, w.store.View(t.Context(), func(tx store.Tx) (err error) {
		row, err = tx.Accounts().Get(own.ID)
		return err
	}))
	main := w.lookup(joan)
	if row.Status != store.StatusMerged || row.Into != main.ID || row.Registered || len(row.Keys) != 0 || len(main.Adopts) != 0 {
		t.Errorf("B4: the row is %+v, the account adopts %v", row, main.Adopts)
	}
	next := "Copper thimble 19 west"
	v.post("/settings/password", "old", password, "password", next, "password2", next)
	lacks(t, "after a change of password", v.get("/m/"+read.String()), 200, "Text for the family.")
}

// Without the password of the merged account its messages wait for their own links.
func TestB13MergedWithoutItsPassword(t *testing.T) {
	t.Parallel()
	w, v, _, read, unread, link := merging(t)
	lacks(t, "yes", v.follow(v.post(link, "do", "add", "password", "")), 200, "The address has been added")
	lacks(t, "inbox", v.get("/"), 200, "These 2 messages open through their own notification mails")
	for _, key := range []store.RcptKey{read, unread} {
		if a := v.get("/m/" + key.String()); strings.Contains(a.body, "for the family") {
			t.Error("a message opens without the key of its account")
		}
	}
	_, fresh := w.plant(family, letter{subject: "Family third", text: "Third text."})
	v.post("/m/" + fresh.String() + "/open")
	lacks(t, "a new one", v.get("/m/"+fresh.String()), 200, "Third text.")
}

// An address that is another account's alias, or whose account is disabled, is not taken; only its own reader learns so.
func TestB13AliasOfAnotherAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, _, _ := w.account(joan)
	peters, _, _ := w.account(peter)
	link := v.ask(family)
	peters.alias(family)
	before := w.lookup(family)
	lacks(t, "taken", v.post(link, "do", "add"), 409, "This address cannot be added", "belongs to another account already")
	if after := w.lookup(family); after.ID != before.ID || after.Version != before.Version || len(w.lookup(joan).Aliases) != 0 {
		t.Error("the alias changed hands")
	}
	must(t, w.accounts.Disable(t.Context(), "root", w.lookup(peter).ID))
	toPeter := v.ask(peter)
	lacks(t, "disabled", v.post(toPeter, "do", "add"), 409, "This address cannot be added", "Please ask the help desk about")
	if len(w.lookup(joan).Aliases) != 0 || w.lookup(peter).Status != store.StatusDisabled {
		t.Error("B6: a disabled account was merged")
	}
}
