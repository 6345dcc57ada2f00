package pickup_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"postern/store"
)

const written = "An hour's work,\r\nwith <two> lines"

// kept is how a page shows what was written.
const kept = "An hour&#39;s work,\r\nwith &lt;two&gt; lines</textarea>"

// TestReplySurvivesTheEndOfTheSession: whoever is signed out while writing signs in on the page that the form leads to,
// and gets the form again with the text in it.
func TestReplySurvivesTheEndOfTheSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, _, _ := w.account(joan)
	path := w.opened(v, joan, letter{subject: "x", text: "x"}) + "/reply"
	w.advance(31 * time.Minute)
	text, quote, file := field{"text", "", written}, field{"quote", "", "yes"}, field{"add", "a.txt", strings.Repeat("x", 100_000)}
	a := v.upload(path, text, quote, file)
	if a.status != http.StatusForbidden || !strings.Contains(a.body, kept) || !strings.Contains(a.body, `name="quote" value="yes"`) {
		t.Fatalf("without a session: %d %s", a.status, a.body)
	}
	if title := a.find(t, "<title>(.*?)</title>"); !strings.HasPrefix(title, "You were signed out before your reply was sent") {
		t.Errorf("the title is %q", title)
	}
	a = v.upload(path, text, quote, field{"email", "", joan.String()}, field{"password", "", "wrong"})
	if a.status != http.StatusForbidden || !strings.Contains(a.body, refusal) || !strings.Contains(a.body, kept) {
		t.Fatalf("with a wrong password: %d %s", a.status, a.body)
	}
	a = v.upload(path, text, field{"email", "", joan.String()}, field{"password", "", password})
	if a.status != http.StatusOK || !strings.Contains(a.body, kept) || !strings.Contains(a.body, "You are signed in again") || strings.Contains(a.body, " checked") {
		t.Fatalf("signed in again: %d %s", a.status, a.body)
	}
	if len(w.replies) != 0 {
		t.Error("a reply was sent before anybody pressed the button")
	}
	if a = v.upload(path, text); a.status != http.StatusSeeOther || len(w.replies) != 1 {
		t.Errorf("sent at last: %d, %d replies", a.status, len(w.replies))
	}
}

// TestReplyThatCannotBeTakenShowsWhatWasWritten: whatever page answers the form, the text stands on it.
func TestReplyThatCannotBeTakenShowsWhatWasWritten(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		meet   func(w *world, v *visitor, path string)
		status int
		want   string
	}{
		{"expired meanwhile", func(w *world, v *visitor, _ string) { w.end(joan, store.StateExpired) }, http.StatusGone, "This message has expired"},
		{"taken back meanwhile", func(w *world, v *visitor, _ string) { w.end(joan, store.StateRecalled) }, http.StatusGone, "This message has been taken back"},
		{"another account", func(w *world, v *visitor, _ string) {
			other, _, _ := w.account(peter)
			v.http.Jar = other.http.Jar
		}, http.StatusForbidden, "This message is not for this account"},
		{"replies switched off", func(w *world, v *visitor, _ string) {
			w.change(joan, func(r *store.Recipient) { r.NoReply = true })
		}, http.StatusForbidden, "That is not allowed"},
		{"no room", func(w *world, _ *visitor, _ string) { w.refuse = store.ErrFull }, http.StatusServiceUnavailable, "There is no room left"},
		{"uncertain", func(w *world, _ *visitor, _ string) { w.refuse = store.ErrUncertain }, http.StatusServiceUnavailable, "It may or may not have been done"},
		{"fault", func(w *world, _ *visitor, _ string) { w.refuse = io.ErrClosedPipe }, http.StatusInternalServerError, "Something went wrong"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			v, _, _ := w.account(joan)
			w.advance(time.Second) // so that the newest message is that one
			path := w.opened(v, joan, letter{subject: "x", text: "x"}) + "/reply"
			test.meet(w, v, path)
			a := v.upload(path, field{"text", "", written}, field{"add", "a.txt", strings.Repeat("x", 300_000)})
			if a.status != test.status || !strings.Contains(a.body, test.want) || !strings.Contains(a.body, kept) {
				t.Errorf("%d, want %d with %q and the text:\n%s", a.status, test.status, test.want, a.body)
			}
		})
	}
}

// change changes the newest message of an address.
func (w *world) change(to store.Address, f func(*store.Recipient)) {
	w.t.Helper()
	w.update(func(tx store.Tx) error {
		a, err := tx.Accounts().ByAddress(to.Key())
		if err != nil {
			return err
		}
		rows, _, err := tx.Messages().Inbox(a.ID, "", 1)
		if err != nil {
			return err
		}
		f(&rows[0])
		return tx.Messages().Set(rows[0])
	})
}

func (w *world) end(to store.Address, how store.State) {
	w.change(to, func(r *store.Recipient) { r.State, r.Since, r.Expires = how, w.Now(), w.Now() })
	if _, err := w.messages.Expire(context.Background(), w.Now(), 10); err != nil {
		w.t.Fatal(err)
	}
}
