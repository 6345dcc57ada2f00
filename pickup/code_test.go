package pickup_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"postern/pickup"
	"postern/pickup/message"
	"postern/store"
	"postern/store/mail"
	"postern/store/seal"
)

func byCode(c *pickup.Config) { c.FirstAccess = store.AccessCode }

// mailsOf are the texts of all mails of a kind that wait, oldest first.
func (w *world) mailsOf(kind store.Kind) (raws []string) {
	w.t.Helper()
	must(w.t, w.store.View(context.Background(), func(tx store.Tx) error {
		items, _, err := tx.Queue().List("", "", 1000)
		for _, item := range items {
			if item.Kind != kind {
				continue
			}
			raw, _, openErr := w.outbox.Open(item)
			err = errors.Join(err, openErr)
			raws = append(raws, string(raw))
		}
		return err
	}))
	return raws
}

var (
	mailedCode = regexp.MustCompile(`(?m)^    (\d{8})\r?$`)
	mailedMark = regexp.MustCompile(`show\s+the\s+letters\s+([A-Z] [A-Z])\.`)
)

// askCode presses "send me a code" and returns the code and the letters of the mail.
func (v *visitor) askCode(secret seal.LinkSecret) (code, mark string) {
	v.w.t.Helper()
	before := map[string]bool{}
	for _, raw := range v.w.mailsOf(store.KindCode) {
		before[raw] = true
	}
	a := v.post(linkOf(secret), "step", "send")
	if a.status != http.StatusSeeOther || !strings.HasPrefix(a.to(), linkOf(secret)+"?") {
		v.w.t.Fatalf("asking for a code answered %d to %q: %s", a.status, a.to(), a.body)
	}
	for _, raw := range v.w.mailsOf(store.KindCode) {
		c, m := mailedCode.FindStringSubmatch(raw), mailedMark.FindStringSubmatch(raw)
		if !before[raw] && c != nil && m != nil {
			return c[1], m[1]
		}
	}
	v.w.t.Fatal("no mail with a code waits")
	return "", ""
}

// enter types a code.
func (v *visitor) enter(secret seal.LinkSecret, code string) answer {
	v.w.t.Helper()
	return v.post(linkOf(secret), "step", "code", "code", code)
}

// visit opens a message by a mailed code.
func (v *visitor) visit(secret seal.LinkSecret) answer {
	v.w.t.Helper()
	code, _ := v.askCode(secret)
	a := v.enter(secret, code)
	if a.status != http.StatusSeeOther || !strings.HasPrefix(a.to(), "/m/") {
		v.w.t.Fatalf("typing the code answered %d to %q: %s", a.status, a.to(), a.body)
	}
	return v.follow(a)
}

// wrongCode is a code that is not the one.
func wrongCode(code string, n int) string {
	last := (int(code[7]-'0') + 1 + n%9) % 10
	return code[:7] + string(rune('0'+last))
}

// accountRows counts the rows of people.
func (w *world) accountRows() (n int64) {
	must(w.t, w.store.View(context.Background(), func(tx store.Tx) (err error) {
		n, err = tx.Accounts().Count(store.StatusNone, "")
		return err
	}))
	return n
}

func (a answer) want(t *testing.T, status int, texts ...string) answer {
	t.Helper()
	if a.status != status {
		t.Errorf("status %d, want %d:\n%s", a.status, status, a.body)
	}
	for _, text := range texts {
		if !strings.Contains(a.body, text) {
			t.Errorf("the page lacks %q:\n%s", text, a.body)
		}
	}
	return a
}

// TestP11CodeReadsAndAnswersWithoutAccount goes the whole way: link, code, message in every form, reply, signing out.
func TestP11CodeReadsAndAnswersWithoutAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t, byCode)
	secret, key := w.plant(joan, letter{subject: "[secure] Care plan", text: "Dear Joan", html: "<p>Dear <b>Joan</b></p>",
		files: []mail.Attachment{{Name: "plan.txt", Type: "text/plain", Body: strings.NewReader("the plan")}}})
	v := w.visitor()
	v.get(linkOf(secret)).want(t, 200, "Send me a code", "We mail you a code")
	code, mark := v.askCode(secret)
	v.get(linkOf(secret)).want(t, 200, "Type the code that we have mailed")
	page := v.get(linkOf(secret)+"?step=code").want(t, 200, "Type the code from your mail", "Code, 8 digits", mark, "19:19")
	if strings.Contains(page.body, code) {
		t.Error("the page shows the code")
	}
	a := v.enter(secret, " "+code[:4]+" "+code[4:]+"\u200b")
	if a.status != http.StatusSeeOther || !strings.HasPrefix(a.to(), "/m/"+key.String()) {
		t.Fatalf("typing the code answered %d to %q: %s", a.status, a.to(), a.body)
	}
	m := "/m/" + key.String()
	v.follow(a).want(t, 200, "Care plan", "Opened messages", "Your link opened this message")
	v.get(m+"/text").want(t, 200, "Dear Joan")
	v.get(m+"/html").want(t, 200, "<b>Joan</b>", `<div lang="">`)
	help := v.get("/help").want(t, 200, "You see a copy at once", "and paste the link there")
	if strings.Contains(help.body, "welcome mail") || strings.Contains(help.body, "A copy stays here") {
		t.Error("the help speaks of what only accounts have")
	}
	v.get(m+"/print").want(t, 200, "joan.hartley@mail.example")
	v.get(m+"/message.eml").want(t, 200, "Subject: [secure] Care plan")
	if part := v.get(v.get(m).find(t, `href="(`+m+`/part/[^"]+)"`)); part.body != "the plan" {
		t.Errorf("attachment: %d %q", part.status, part.body)
	}
	v.get("/").want(t, 200, "Messages opened with a code", m, "Maria Lindqvist")
	v.get(m+"/reply").want(t, 200)
	sent := v.upload(m+"/reply", field{"text", "", "Thank you, Maria."}, field{"quote", "", "yes"})
	v.follow(sent).want(t, 200, "Your reply has been sent", "Thank you, Maria.", "Back to the message")
	if len(w.replies) != 1 || !strings.Contains(string(w.replies[0]), "Thank you, Maria.") {
		t.Fatalf("%d replies", len(w.replies))
	}
	r := w.recipient(key)
	if r.State != store.StateOpened || !r.Account.IsZero() || len(r.Grants) != 1 || w.accountRows() != 0 {
		t.Errorf("state %s, account %s, %d grants, %d accounts", r.State, r.Account, len(r.Grants), w.accountRows())
	}
	for _, path := range []string{"/sent", "/?q=x"} {
		if a := v.get(path); path == "/sent" && (a.status != http.StatusSeeOther || !strings.HasPrefix(a.to(), "/sign-in")) {
			t.Errorf("%s: %d to %q", path, a.status, a.to())
		}
	}
	v.post("/sign-out")
	if a := v.get(m); !strings.HasPrefix(a.to(), "/sign-in") {
		t.Errorf("after signing out: %d to %q", a.status, a.to())
	}
}

// TestP11CodeIsGuarded tries what somebody without the mail, or with an old one, may try.
func TestP11CodeIsGuarded(t *testing.T) {
	t.Parallel()
	over := []string{"This code can no longer be used", "Send a new code"}
	for name, try := range map[string]func(t *testing.T, w *world, v *visitor, secret seal.LinkSecret){
		"guessing": func(t *testing.T, _ *world, v *visitor, secret seal.LinkSecret) {
			code, _ := v.askCode(secret)
			for left := 4; left > 0; left-- {
				v.enter(secret, wrongCode(code, left)).want(t, 422, "This is not the code", fmt.Sprintf("%d more time", left))
			}
			v.enter(secret, wrongCode(code, 9)).want(t, 403, over...)
			v.enter(secret, code).want(t, 403, over...)
		},
		"used twice": func(t *testing.T, w *world, v *visitor, secret seal.LinkSecret) {
			code, _ := v.askCode(secret)
			flow := v.http.Jar.Cookies(v.request("GET", "/", nil).URL)
			v.enter(secret, code)
			again := w.visitor()
			again.http.Jar.SetCookies(again.request("GET", "/", nil).URL, flow)
			again.enter(secret, code).want(t, 403, over...)
		},
		"another browser": func(t *testing.T, w *world, v *visitor, secret seal.LinkSecret) {
			code, _ := v.askCode(secret)
			w.visitor().enter(secret, code).want(t, 403, over...)
			other := w.visitor()
			other.askCode(secret)
			other.enter(secret, code).want(t, 422, "This is not the code")
		},
		"an older code": func(t *testing.T, _ *world, v *visitor, secret seal.LinkSecret) {
			first, _ := v.askCode(secret)
			second, _ := v.askCode(secret)
			v.enter(secret, first).want(t, 422)
			if a := v.enter(secret, second); a.status != http.StatusSeeOther {
				t.Errorf("the newest code: %d", a.status)
			}
		},
		"too late": func(t *testing.T, w *world, v *visitor, secret seal.LinkSecret) {
			code, _ := v.askCode(secret)
			w.advance(15 * time.Minute)
			v.get(linkOf(secret)+"?step=code").want(t, 200, over...)
			v.enter(secret, code).want(t, 403, over...)
		},
		"nothing typed": func(t *testing.T, _ *world, v *visitor, secret seal.LinkSecret) {
			v.askCode(secret)
			v.enter(secret, "  ").want(t, 422, "Type the code from the mail", "The message has not been opened")
		},
		"no code asked for": func(t *testing.T, _ *world, v *visitor, secret seal.LinkSecret) {
			v.enter(secret, "12345678").want(t, 403, over...)
			if a := v.get(linkOf(secret) + "?step=code"); a.to() != linkOf(secret) {
				t.Errorf("the page for a code that was not asked for: %d to %q", a.status, a.to())
			}
		},
		"link of another address": func(t *testing.T, w *world, v *visitor, secret seal.LinkSecret) {
			code, _ := v.askCode(secret)
			others, _ := w.plant(peter, letter{subject: "For Peter", text: "x"})
			v.enter(others, code).want(t, 403, over...)
		},
		"message over meanwhile": func(t *testing.T, w *world, v *visitor, _ seal.LinkSecret) {
			secret, key := w.plant(joan, letter{subject: "Recalled", text: "x"})
			code, _ := v.askCode(secret)
			must(t, w.messages.Recall(t.Context(), message.Actor("sender"), key))
			v.enter(secret, code).want(t, 410, "taken back")
		},
		"cookies off": func(t *testing.T, w *world, _ *visitor, secret seal.LinkSecret) {
			v := w.visitor()
			v.http.Jar = nil
			a := v.post(linkOf(secret), "step", "send")
			v.get(a.to()).want(t, 200, "Cookies are required")
		},
		"long and hostile": func(t *testing.T, _ *world, v *visitor, secret seal.LinkSecret) {
			v.askCode(secret)
			v.enter(secret, strings.Repeat("1", 5000)).want(t, 422, "This is not the code")
			v.enter(secret, "<b>\u202e１２３").want(t, 422, "This is not the code")
			v.enter(secret, "\x00").want(t, 400)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, byCode)
			w.t = t
			secret, key := w.plant(joan, letter{subject: "Sealed", text: "x"})
			v := w.visitor()
			try(t, w, v, secret)
			if a := v.get("/m/" + key.String()); name != "an older code" && name != "used twice" && a.status == 200 {
				t.Errorf("the message opens: %s", a.body)
			}
		})
	}
}

// TestP11ScannersSendFewMails: whoever presses the button, and be it a thousand times from a hundred addresses, changes
// nothing about the message, and makes few mails.
func TestP11ScannersSendFewMails(t *testing.T) {
	t.Parallel()
	w := newWorld(t, byCode)
	first, key := w.plant(joan, letter{subject: "One", text: "x"})
	second, _ := w.plant(joan, letter{subject: "Two", text: "x"})
	before := w.recipient(key)
	before.Fetched = store.Fetches{}
	for range 20 {
		w.visitor().post(linkOf(first), "step", "send")
		w.visitor().post(linkOf(first))
	}
	if n := len(w.mailsOf(store.KindCode)); n != 3 {
		t.Errorf("%d mails by one link to one client, want 3", n)
	}
	for range 20 {
		w.visitor().post(linkOf(second), "step", "send")
	}
	if n := len(w.mailsOf(store.KindCode)); n != 5 {
		t.Errorf("%d mails to one address, want 5", n)
	}
	after := w.recipient(key)
	after.Fetched = store.Fetches{}
	if fmt.Sprint(before) != fmt.Sprint(after) || w.accountRows() != 0 {
		t.Errorf("the buttons changed\n%+v to\n%+v", before, after)
	}
	a := w.visitor().post(linkOf(second), "step", "send").want(t, 429, "No more codes for now", "20:04 BST")
	if a.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	w.advance(time.Hour)
	w.visitor().visit(second)
}

// TestP11LimitLeavesTheLastCode: who asks too often may still type the code that came last.
func TestP11LimitLeavesTheLastCode(t *testing.T) {
	t.Parallel()
	w := newWorld(t, byCode)
	secret, _ := w.plant(joan, letter{subject: "One", text: "x"})
	v := w.visitor()
	var code string
	for range 3 {
		code, _ = v.askCode(secret)
	}
	v.post(linkOf(secret), "step", "send").want(t, 429, "No new code has been sent", "Type the code from your mail")
	if a := v.enter(secret, code); a.status != http.StatusSeeOther {
		t.Errorf("the last code: %d", a.status)
	}
}

// TestP11VisitCarriesLinksOfItsAddress: further links of the address open without a code, those of others do not, and
// what was not opened by its link does not open by its number either (C4, KEYS K8).
func TestP11VisitCarriesLinksOfItsAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t, byCode)
	first, firstKey := w.plant(joan, letter{subject: "First", text: "x"})
	second, secondKey := w.plant(joan, letter{subject: "Second", text: "x"})
	_, thirdKey := w.plant(joan, letter{subject: "Third", text: "x"})
	peters, petersKey := w.plant(peter, letter{subject: "For Peter", text: "x"})
	v := w.visitor()
	v.visit(first).want(t, 200, "First")
	for name, key := range map[string]store.RcptKey{"second": secondKey, "third": thirdKey} {
		if a := v.get("/m/"+key.String()).want(t, 403, "opens through its own link"); strings.Contains(a.body, "Third") {
			t.Errorf("%s shows its subject", name)
		}
		v.post("/m/"+key.String()+"/open").want(t, 403)
		v.get("/m/"+key.String()+"/message.eml").want(t, 403)
	}
	v.get("/m/"+petersKey.String()).want(t, 403, "not for this account")
	v.get(linkOf(peters)).want(t, 403, "not for this account", "joan.hartley@mail.example")
	v.post(linkOf(peters), "step", "send").want(t, 403)
	v.get(linkOf(second)).want(t, 200, "Open the message")
	v.follow(v.post(linkOf(second))).want(t, 200, "Second")
	v.get("/m/"+firstKey.String()).want(t, 200, "First")
	v.get("/").want(t, 200, "First", "Second")
	if n := len(w.mailsOf(store.KindCode)); n != 1 {
		t.Errorf("%d codes mailed, want 1", n)
	}
	r := w.recipient(petersKey)
	if r.State == store.StateOpened {
		t.Error("the other's message counts as opened")
	}
}

// TestP11TwoTabsOpenTwoLinksAtOnce: neither loses the other's.
func TestP11TwoTabsOpenTwoLinksAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, byCode)
	first, _ := w.plant(joan, letter{subject: "First", text: "x"})
	v := w.visitor()
	v.visit(first)
	done := make(chan string)
	var keys []store.RcptKey
	for i := range 4 {
		secret, key := w.plant(joan, letter{subject: fmt.Sprint("Tab ", i), text: "x"})
		keys = append(keys, key)
		go func() { done <- v.post(linkOf(secret)).to() }()
	}
	for range keys {
		if to := <-done; !strings.HasPrefix(to, "/m/") {
			t.Errorf("a tab leads to %q", to)
		}
	}
	for i, key := range keys {
		v.get("/m/"+key.String()).want(t, 200, fmt.Sprint("Tab ", i))
	}
}

// TestP11VisitEnds by itself, when the address gets an account, and when that is disabled.
func TestP11VisitEnds(t *testing.T) {
	t.Parallel()
	const mid = 29 * time.Minute
	for name, test := range map[string]struct {
		do   func(w *world)
		live bool
	}{
		"used within half an hour": {func(w *world) { w.advance(mid) }, true},
		"idle":                     {func(w *world) { w.advance(30 * time.Minute) }, false},
		"registered":               {func(w *world) { w.person(joan, store.StatusActive, true) }, false},
		"invited":                  {func(w *world) { w.person(joan, store.StatusInvited, false) }, true},
		"disabled":                 {func(w *world) { w.person(joan, store.StatusDisabled, false) }, false},
		"disabled and enabled": {func(w *world) {
			a := w.person(joan, store.StatusInvited, false)
			must(w.t, w.accounts.Disable(context.Background(), "test", a.ID))
			must(w.t, w.accounts.Enable(context.Background(), "test", a.ID))
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, byCode)
			w.t = t
			secret, key := w.plant(joan, letter{subject: "Sealed", text: "x"})
			v := w.visitor()
			v.visit(secret)
			test.do(w)
			if a := v.get("/m/" + key.String()); (a.status == 200) != test.live {
				t.Errorf("%d to %q", a.status, a.to())
			}
		})
	}
	w := newWorld(t, byCode)
	secret, key := w.plant(joan, letter{subject: "Sealed", text: "x"})
	v := w.visitor()
	v.visit(secret)
	for range 9 {
		w.advance(26 * time.Minute)
		w.seen()
		v.get("/m/"+key.String()).want(t, 200)
	}
	w.advance(10 * time.Minute)
	w.seen()
	if a := v.get("/m/" + key.String()); a.status == 200 {
		t.Error("the session lives for longer than four hours")
	}
}

// person puts somebody's row into the store, without password work.
func (w *world) person(to store.Address, status store.Status, registered bool) store.Account {
	w.t.Helper()
	seed := seal.NewSeed()
	a := store.Account{ID: store.AccountID{9}, Address: to, Status: status, Standing: store.Confirmed, Registered: registered, Created: w.Now()}
	if registered {
		a.Keys = []store.KeyVersion{{ID: seal.PublicKeyID(seed.Public()), Public: seed.Public(), State: store.KeyCurrent}}
	}
	w.update(func(tx store.Tx) error { return tx.Accounts().Create(a) })
	return a
}

// seen moves the last use of all visits to now, as the recorder does.
func (w *world) seen() {
	w.update(func(tx store.Tx) error {
		list, _, err := tx.Sessions().Visits("", 100)
		for _, s := range list {
			s.Seen = w.Now()
			err = errors.Join(err, tx.Sessions().Put(s))
		}
		return err
	})
}

// TestP11AddressWithAccountSignsIn in every mode; a disabled one is answered as any failed log-on (C1, KEYS K8, K9).
func TestP11AddressWithAccountSignsIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, byCode)
	secret, _ := w.plant(joan, letter{subject: "Sealed", text: "x"})
	w.person(joan, store.StatusActive, true)
	v := w.visitor()
	v.get(linkOf(secret)).want(t, 200, "Sign in to read")
	v.get(linkOf(secret)+"?step=code").want(t, 200, "Your password opens the message")
	v.post(linkOf(secret), "step", "send").want(t, 200, "Your password opens the message")
	v.post(linkOf(secret), "step", "code", "code", "12345678").want(t, 200, "Your password opens the message")
	peters, _ := w.plant(peter, letter{subject: "For Peter", text: "x"})
	code, _ := v.askCode(peters)
	a := store.Account{ID: store.AccountID{8}, Address: peter, Status: store.StatusDisabled, Created: w.Now()}
	w.update(func(tx store.Tx) error { return tx.Accounts().Create(a) })
	v.get(linkOf(peters)).want(t, 200, "Sign in to read")
	v.enter(peters, code).want(t, 200, "Your password opens the message")
	v.post(linkOf(peters), "step", "sign-in", "password", password).
		want(t, 403, "Invalid username, password or permissions. Please check you are using the correct URL.")
	if n := len(w.mailsOf(store.KindCode)); n != 1 {
		t.Errorf("%d codes mailed, want the one before the account was disabled", n)
	}
}

// TestP11NotForMeNeedsNoCode: who is not meant closes the message without one.
func TestP11NotForMeNeedsNoCode(t *testing.T) {
	t.Parallel()
	w := newWorld(t, byCode)
	secret, key := w.plant(joan, letter{subject: "Sealed", text: "x"})
	v := w.visitor()
	v.post(linkOf(secret)+"/not-for-me", "sure", "yes").want(t, 200)
	if r := w.recipient(key); r.State != store.StateDeclined {
		t.Errorf("state %s", r.State)
	}
	v.post(linkOf(secret), "step", "send").want(t, 410)
}

// TestP11RepliesOfOthersStayTheirs: the copy of a reply opens for who opened what it answers, and for nobody else.
func TestP11RepliesOfOthersStayTheirs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, byCode)
	secret, key := w.plant(joan, letter{subject: "For Joan", text: "x"})
	peters, petersKey := w.plant(peter, letter{subject: "For Peter", text: "x"})
	v, other := w.visitor(), w.visitor()
	v.visit(secret)
	sent, _, _ := strings.Cut(v.upload("/m/"+key.String()+"/reply", field{"text", "", "Mine alone"}).to(), "?")
	v.get(sent).want(t, 200, "Mine alone")
	other.visit(peters)
	for _, path := range []string{sent, sent + "/message.eml", sent + "/print", sent + "/part/1", "/sent/" + key.Message.String(), "/sent/" + petersKey.Message.String()} {
		if a := other.get(path); a.status != http.StatusNotFound || strings.Contains(a.body, "Mine alone") {
			t.Errorf("%s: %d", path, a.status)
		}
	}
}
