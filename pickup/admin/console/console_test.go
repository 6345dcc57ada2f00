package console_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"postern/pickup/admin"
	"postern/store"
)

// TestConsoleSetUpAndSignIn goes the way of a new administrator: link, authenticator, password, sign-out, sign-in.
func TestConsoleSetUpAndSignIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, link := w.visitor(), w.setUpLink(dana, admin.RoleAdmin)
	page := v.get(link)
	v.key = keyOn(page)
	if page.status != http.StatusOK || v.key == "" || !strings.Contains(page.body, `<svg class="qr"`) || !strings.Contains(page.body, `href="otpauth://totp/`) {
		t.Fatalf("the set-up page answers %d: %s", page.status, page.body)
	}
	for name, form := range map[string][]string{
		"Not yet":                        {"password", "short", "password2", "short", "code", v.code()},
		"Type the same password in both": {"password", password, "password2", password + "x", "code", v.code()},
		"Type the six digits":            {"password", password, "password2", password, "code", "000000"},
	} {
		if a := v.post(link, form...); a.status != http.StatusUnprocessableEntity || !a.says(name) || strings.Contains(a.body, `value="`+password) {
			t.Errorf("%s: %d", name, a.status)
		}
	}
	if a := v.post(link, "password", "short", "password2", "x", "code", "000000"); !a.says("Type the six digits") || !a.says("Type the same password in both") || !a.says("meets every point") {
		t.Errorf("three mistakes are not named at once: %s", plain(a.body))
	}
	if a := v.post(link, "password", password, "password2", password, "code", v.code()); a.status != http.StatusSeeOther || a.to() != "/?check=cookie" {
		t.Fatalf("set-up answers %d to %q", a.status, a.to())
	}
	if a := v.get("/?check=cookie"); a.to() != "/" {
		t.Errorf("the cookie check leads to %q", a.to())
	}
	if a := v.get("/"); !a.says("Dashboard") || !a.says("dana.okafor@example.org Administrator") {
		t.Errorf("the dashboard: %d %s", a.status, plain(a.body))
	}
	if a := v.get(link); a.status != http.StatusGone || !a.says("The link was used already") {
		t.Errorf("the link used again: %d", a.status)
	}
	if a := v.post("/sign-out"); a.to() != "/sign-in?signed-out=1" {
		t.Errorf("sign-out leads to %q", a.to())
	}
	if a := v.get("/queue"); a.to() != "/sign-in?to=%2Fqueue" {
		t.Errorf("after sign-out the queue leads to %q", a.to())
	}
	w.advance(time.Minute)
	if a := v.post("/sign-in", "email", "DANA.Okafor@example.org", "password", password, "code", v.code(), "to", "/queue"); a.to() != "/queue?check=cookie" {
		t.Errorf("sign-in answers %d to %q", a.status, a.to())
	}
	if a := v.get("/queue"); a.status != http.StatusOK {
		t.Errorf("the queue: %d", a.status)
	}
}

// TestConsoleSignInFailuresLookTheSame: one text and one status for every cause (I9).
func TestConsoleSignInFailuresLookTheSame(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.signedIn(dana, admin.RoleAdmin)
	w.advance(time.Minute)
	stranger := w.visitor()
	first := ""
	for name, form := range map[string][]string{
		"unknown address": {"email", "nobody@example.org", "password", password, "code", v.code()},
		"wrong password":  {"email", dana.String(), "password", "wrong", "code", v.code()},
		"wrong code":      {"email", dana.String(), "password", password, "code", "000000"},
		"no code":         {"email", dana.String(), "password", password},
		"nothing":         {},
	} {
		a := stranger.post("/sign-in", form...)
		text := plain(a.body[:strings.Index(a.body, "When you ask for help")])
		text = strings.ReplaceAll(text, "nobody@example.org", dana.String())
		if a.status != http.StatusForbidden || !strings.Contains(text, "Invalid username, password or permissions. Please check you are using the correct URL.") {
			t.Errorf("%s: %d", name, a.status)
		}
		if first == "" {
			first = text
		} else if text != first {
			t.Errorf("%s shows\n%s\nnot\n%s", name, text, first)
		}
	}
	code := v.code()
	if a := v.post("/sign-in", "email", dana.String(), "password", password, "code", code); a.status != http.StatusSeeOther {
		t.Errorf("the right form: %d", a.status)
	}
	if a := v.post("/sign-in", "email", dana.String(), "password", password, "code", code); a.status != http.StatusForbidden {
		t.Errorf("a code counts twice: %d", a.status)
	}
}

// TestB01ChangePassword: menu under the name, old and new, Save & Close; then only the new one works, and other sessions
// have ended. A mail tells of it.
func TestB01ChangePassword(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.signedIn(dana, admin.RoleAdmin)
	w.advance(time.Minute)
	other := w.visitor()
	other.key = v.key
	if a := other.post("/sign-in", "email", dana.String(), "password", password, "code", other.code()); a.status != http.StatusSeeOther {
		t.Fatalf("sign-in elsewhere: %d", a.status)
	}
	home, form := v.get("/"), v.get("/password")
	menu := home.body[strings.Index(home.body, `class="usermenu"`):strings.Index(home.body, "</details>")]
	if !strings.Contains(menu, dana.String()) || !strings.Contains(menu, `href="/password">Change Password</a>`) {
		t.Errorf("the menu: %s", menu)
	}
	if !form.says("Old password") || !form.says("New password") || !form.says("Save & Close") {
		t.Errorf("the form: %s", plain(form.body))
	}
	const next = "Another Orchard 9 lanterns"
	if a := v.post("/password", "old", "wrong", "password", next, "password2", next); a.status != http.StatusUnprocessableEntity || !a.says("The old password is not right") {
		t.Errorf("a wrong old password: %d", a.status)
	}
	if a := v.post("/password", "old", password, "password", next, "password2", "x"); a.status != http.StatusUnprocessableEntity || !a.says("Type the same password in both boxes") {
		t.Errorf("two different new ones: %d", a.status)
	}
	if a := v.post("/password", "old", password, "password", next, "password2", next); a.to() != "/?done=password" {
		t.Fatalf("the change: %d %s", a.status, plain(a.body))
	}
	told := w.bed.Mails(store.KindAccount)
	if len(told) != 1 || !strings.HasPrefix(told[0], "To: "+dana.String()+"\n") || !strings.Contains(told[0], "Your password for the console") {
		t.Errorf("the mails: %q", told)
	}
	if a := v.get("/?done=password"); !a.says("Your password is changed") {
		t.Errorf("afterwards: %d", a.status)
	}
	if a := other.get("/"); a.to() != "/sign-in" {
		t.Errorf("the other session leads to %d %q", a.status, a.to())
	}
	for p, want := range map[string]int{password: http.StatusForbidden, next: http.StatusSeeOther} {
		w.advance(time.Minute)
		if a := other.post("/sign-in", "email", dana.String(), "password", p, "code", other.code()); a.status != want {
			t.Errorf("sign-in with %q: %d, want %d", p, a.status, want)
		}
	}
}

// TestConsoleQueue: what waits and why, tried again, dropped after one more question.
func TestConsoleQueue(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.signedIn(dana, admin.RoleAdmin)
	k := w.waits(store.Address{Local: "reception", Domain: "clinic.example"}, "certificate does not match")
	gone := w.waits(joan, "451 try later")
	w.advance(3*time.Hour + 12*time.Minute)
	w.mustResume(v, dana)
	list := v.get("/queue")
	for _, text := range []string{"2 deliveries wait.", "clinic.example", "certificate does not match", "reception@clinic.example", "3 hours 12 minutes", "mail.example"} {
		if !list.says(text) {
			t.Errorf("the queue does not say %q: %s", text, plain(list.body))
		}
	}
	for _, path := range []string{"/queue/" + k.String(), "/queue/" + k.String() + "/drop"} { // whole, as commands want it
		if a := v.get(path); !strings.Contains(plain(a.body), k.String()) {
			t.Errorf("%s does not show the id: %s", path, plain(a.body))
		}
	}
	if one := v.get("/queue?domain=CLINIC.example"); one.says("joan") || !one.says("reception") {
		t.Error("the filter by domain does not hold")
	}
	if a := v.post("/queue/" + k.String() + "/retry"); a.to() != "/queue?done=retried" || strings.Join(w.runner.flushed, " ") != "clinic.example" {
		t.Errorf("retry: %d, flushed %q", a.status, w.runner.flushed)
	}
	path := "/queue/" + gone.String() + "/drop"
	if a := v.get(path); !a.says("Drop the delivery to joan.hartley@mail.example?") || len(w.runner.dropped) != 0 {
		t.Errorf("the question: %d, dropped %q", a.status, w.runner.dropped)
	}
	if a := v.post(path, "reason", strings.Repeat("long ", 50)); a.status != http.StatusUnprocessableEntity || !a.says("Shorten the reason") || len(w.runner.dropped) != 0 {
		t.Errorf("a long reason: %d, dropped %q", a.status, w.runner.dropped)
	}
	if a := v.post(path, "reason", "wrong\r\naddress\x1b"); a.to() != "/queue?done=dropped" || strings.Join(w.runner.dropped, ";") != gone.String()+" wrongaddress" {
		t.Errorf("drop: %d, dropped %q", a.status, w.runner.dropped)
	}
	for _, path := range []string{"/queue/" + gone.String(), "/queue/nonsense", path} {
		if a := v.get(path); a.status != http.StatusNotFound {
			t.Errorf("%s afterwards: %d", path, a.status)
		}
	}
	if a := v.post(path); a.status != http.StatusNotFound {
		t.Errorf("dropped twice: %d", a.status)
	}
}

// mustResume signs in anew, for sessions end while a test moves the clock.
func (w *world) mustResume(v *visitor, who store.Address) {
	w.t.Helper()
	if a := v.post("/sign-in", "email", who.String(), "password", password, "code", v.code()); a.status != http.StatusSeeOther {
		w.t.Fatalf("sign-in: %d", a.status)
	}
}

// TestConsoleMessages: found by metadata, told per recipient, recalled for one and for all after one more question.
func TestConsoleMessages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.signedIn(dana, admin.RoleAdmin)
	m := w.mail(joan, ruth)
	for _, q := range []string{m.ID.String(), m.ID.String() + ".2", "<m1@example.org>"} {
		if a := v.get("/messages?" + url.Values{"q": {q}}.Encode()); a.to() != "/messages/"+m.ID.String() {
			t.Errorf("%s leads to %d %q", q, a.status, a.to())
		}
	}
	for query, rows := range map[string]int{"": 2, "to=JOAN.hartley%40mail.example": 1, "from=maria.lindqvist%40example.org": 2, "state=notified": 2, "state=opened": 0,
		"after-day=2026-06-12&before-day=2026-06-12": 2, "after-day=2026-06-13": 0, "before-day=2026-06-11": 0, "from=joan.hartley%40mail.example": 0} {
		if a := v.get("/messages?" + query); strings.Count(a.body, `href="/messages/`+m.ID.String()) != rows || a.status != http.StatusOK {
			t.Errorf("%s: %d with %d rows, want %d", query, a.status, strings.Count(a.body, `href="/messages/`+m.ID.String()), rows)
		}
	}
	for query, says := range map[string]string{"to=joan": "joan is not a complete address", "state=nonsense": `State "nonsense": there is only queued`, "after-day=12.6.": "12.6. is not a date such as 2026-06-09"} {
		if a := v.get("/messages?" + query); a.status != http.StatusUnprocessableEntity || !a.says(says) {
			t.Errorf("%s: %d %s", query, a.status, plain(a.body))
		}
	}
	short := m.ID.End().String()
	if a := v.get("/messages"); !a.says(short) {
		t.Errorf("no id ends in %s: %s", short, plain(a.body))
	}
	for _, q := range []string{short, strings.ToUpper(short), strings.Replace(short, "-", "", 1), short + ".1"} {
		if a := v.get("/messages?q=" + q); a.to() != "/messages/"+m.ID.String() {
			t.Errorf("the end %s leads to %q", q, a.to())
		}
	}
	if a := v.get("/messages/" + short); a.status != http.StatusNotFound {
		t.Errorf("the end of an id is an address of its own: %d", a.status)
	}
	if a := v.get("/messages?q=nobody"); a.status != http.StatusOK || !a.says("Nothing is known of it") {
		t.Errorf("an unknown query: %d", a.status)
	}
	path := "/messages/" + m.ID.String()
	page := v.get(path)
	for _, text := range []string{"2 recipients", "r.adeyemi@riverside-day.example", "subject-tag", "Notified", "Message: accepted", "192.0.2.14", "846 KB", "Content is sealed"} {
		if !page.says(text) {
			t.Errorf("the story does not say %q: %s", text, plain(page.body))
		}
	}
	second := store.RcptKey{Message: m.ID, N: 2}
	if a := v.get(path + "/recall?item=" + second.String()); !a.says("Recall the message for r.adeyemi@riverside-day.example?") {
		t.Errorf("the question: %s", plain(a.body))
	}
	if w.bed.Rcpt(second).State != store.StateNotified {
		t.Error("the question has recalled it")
	}
	if a := v.post(path+"/recall", "item", second.String()); a.to() != path+"?done=recalled" {
		t.Errorf("recall: %d %q", a.status, a.to())
	}
	if a, b := w.bed.Rcpt(store.RcptKey{Message: m.ID, N: 1}).State, w.bed.Rcpt(second).State; a != store.StateNotified || b != store.StateRecalled {
		t.Errorf("states are %s and %s", a, b)
	}
	if a := v.post(path+"/recall", "item", second.String()); a.status != http.StatusConflict || !a.says("Somebody else changed that") {
		t.Errorf("recalled twice: %d", a.status)
	}
	other := w.mail(joan)
	if a := v.post(path+"/recall", "item", store.RcptKey{Message: other.ID, N: 1}.String()); a.status != http.StatusNotFound {
		t.Errorf("another message's recipient: %d", a.status)
	}
	if a := v.post(path + "/recall"); a.to() != path+"?done=recalled" || w.bed.Rcpt(store.RcptKey{Message: m.ID, N: 1}).State != store.StateRecalled {
		t.Errorf("recall for all: %d", a.status)
	}
	if a := v.get(path + "/recall"); !a.says("There is nothing left to recall") {
		t.Errorf("nothing left: %s", plain(a.body))
	}
}

// refuse keeps a refused message of maria's, and room for that many recipients of such.
func (w *world) refuse(to store.Address, conn string, room int) (store.Message, store.Recipient) {
	w.t.Helper()
	m := store.Message{ID: store.NewMessageID(w.Now()), At: w.Now(), From: &maria, Client: store.Client{IP: "192.0.2.7"}}
	r := store.Recipient{Key: store.RcptKey{Message: m.ID, N: 1}, Address: to, Sender: maria, Action: store.ActionReject, State: store.StateRefused,
		Since: m.At, Rule: "tag", Reason: "The recipient is disabled here."}
	e := store.Event{ID: store.NewEventID(m.At), What: store.EventRefused, Message: m.ID, Actor: "system", Facts: map[string]string{
		"conn": conn, "code": "550", "rule": "", "from": maria.String(), "client": m.Client.IP}}
	w.bed.Update(func(tx store.Tx) error {
		return tx.Messages().Refuse(m, []store.Recipient{r}, e, store.RefusedRoom{Recipients: room, Hourly: 9})
	})
	return m, r
}

// TestConsoleShowsRefusedMessages: mail that was refused as a whole is found like any other, by its reference too, and its
// page tells who, when and why, and claims no size.
func TestConsoleShowsRefusedMessages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.signedIn(dana, admin.RoleHelpDesk)
	m, r := w.refuse(joan, "3emn2pd02w", 9)
	for _, q := range []string{"state=refused", "to=" + joan.String(), "from=" + maria.String()} {
		if got := v.get("/messages?" + q); !got.says(joan.String()) || !strings.Contains(got.body, "/messages/"+m.ID.String()) {
			t.Errorf("%s does not find it: %s", q, plain(got.body))
		}
	}
	if got := v.get("/messages?q=3emn2pd02w-1"); got.to() != "/messages/"+m.ID.String() {
		t.Errorf("the reference leads to %q", got.to())
	}
	page := v.get("/messages/" + m.ID.String())
	for _, want := range []string{"Message from " + maria.String(), "1 recipient", joan.String(), r.Reason, "Refused", "192.0.2.7", "code: 550"} {
		if !page.says(want) {
			t.Errorf("the page lacks %q: %s", want, plain(page.body))
		}
	}
	for _, never := range []string{"bytes", "rule: ", "Recall"} {
		if page.says(never) {
			t.Errorf("the page says %q", never)
		}
	}
	w.advance(time.Second)
	w.refuse(joan, "laterconn0", 1) // pushes the first out: its event is left
	if got := v.get("/messages?q=3emn2pd02w-1"); got.to() != "/messages/"+m.ID.String() {
		t.Errorf("the reference leads to %q", got.to())
	}
	page = v.get("/messages/" + m.ID.String())
	if page.status != 200 || !page.says("Message from "+maria.String()) || !page.says("code: 550") || !page.says("no longer kept one by one") {
		t.Errorf("the page of what is left: %s", plain(page.body))
	}
}
