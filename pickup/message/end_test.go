package message_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"postern/cmd/testbed"
	"postern/pickup/message"
	"postern/store"
)

// gone checks that nothing of a recipient's share is left but history, and of the message when last.
func (e *env) gone(s sealed, last bool) {
	e.t.Helper()
	if r := e.bed.Rcpt(s.key); len(r.Grants) != 0 || len(r.Own) != 0 || len(r.Links) != 1 {
		e.t.Errorf("%s: %d grants, %d own mails, %d links", s.key, len(r.Grants), len(r.Own), len(r.Links))
	}
	m := e.bed.Message(s.key.Message)
	e.bed.View(func(tx store.Tx) error {
		if _, err := tx.Queue().Get(s.notice); !errors.Is(err, store.ErrNotFound) {
			e.t.Errorf("the notification still waits: %v", err)
		}
		_, err := tx.Bodies().Get(m.ID)
		if errors.Is(err, store.ErrNotFound) != last || (len(m.Card) == 0) != last {
			e.t.Errorf("body: %v, card of %d octets; last share: %v", err, len(m.Card), last)
		}
		return nil
	})
}

func TestA10ExpiredIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		ctx := t.Context()
		dave := store.Address{Local: "dave", Domain: "mail.example"}
		s := e.deliver(letter{to: []store.Address{bob, carol, dave}, life: 12 * time.Hour})
		who := e.person(bob, store.Provisional)
		_, err := e.OpenLink(ctx, s[0].secret, who)
		must(t, err)
		must(t, e.NotForMe(ctx, s[2].secret))
		e.bed.ChangeRcpt(s[0].key, func(r *store.Recipient) { r.Expires = r.Expires.Add(time.Hour) }) // extended

		time.Sleep(12*time.Hour - time.Millisecond)
		if n, err := e.Expire(ctx, time.Now(), 10); n != 0 || err != nil {
			t.Fatalf("a millisecond early: %d, %v", n, err)
		}
		if c, err := e.Link(ctx, s[1].secret); err != nil || c.State != message.CoverWaiting {
			t.Errorf("a millisecond early: %s, %v", c.State, err)
		}
		time.Sleep(time.Millisecond)
		carols := e.person(carol, store.Provisional)
		if c, err := e.Link(ctx, s[1].secret); err != nil || c.State != message.CoverExpired {
			t.Errorf("before the job came by: %s, %v", c.State, err)
		}
		if _, err := e.OpenLink(ctx, s[1].secret, carols); !errors.Is(err, message.ErrEnded) {
			t.Errorf("before the job came by: %v, want ErrEnded", err)
		}
		if n, err := e.Expire(ctx, time.Now(), 10); n != 2 || err != nil {
			t.Fatalf("expired %d, %v; want carol's and dave's", n, err)
		}
		e.gone(s[1], false)
		e.gone(s[2], false)
		time.Sleep(time.Hour)
		if n, err := e.Expire(ctx, time.Now(), 10); n != 1 || err != nil {
			t.Fatalf("expired %d, %v; want bob's", n, err)
		}
		e.gone(s[0], true)

		if r := e.bed.Rcpt(s[0].key); r.State != store.StateOpened || r.Ended != store.StateExpired || !r.EndedAt.Equal(time.Now()) {
			t.Errorf("the opened share: %s, ended %q at %v", r.State, r.Ended, r.EndedAt)
		}
		if r := e.bed.Rcpt(s[1].key); r.State != store.StateExpired {
			t.Errorf("the unopened share: %s", r.State)
		}
		c, err := e.Link(ctx, s[0].secret)
		if err != nil || c.State != message.CoverExpired || c.Author.Name != "" || c.Author.Address != alice || !c.EndedAt.Equal(time.Now()) {
			t.Errorf("cover afterwards: %+v, %v", c, err)
		}
		ended := new(message.EndedError)
		if _, err := e.View(ctx, who, s[0].key); !errors.As(err, &ended) || ended.State != store.StateExpired {
			t.Errorf("view afterwards: %v", err)
		}
		if _, err := e.OpenLink(ctx, s[0].secret, who); !errors.Is(err, message.ErrEnded) {
			t.Errorf("link afterwards: %v", err)
		}
		if p, err := e.Inbox(ctx, e.again(who), message.InboxQuery{}); err != nil || len(p.Items)+len(p.Waiting) != 0 {
			t.Errorf("inbox afterwards: %+v, %v", p, err)
		}
		notices := e.bed.Mails(store.KindExpired)
		if len(notices) != 1 || !strings.HasPrefix(notices[0], "To: alice@example.org\n") || !strings.Contains(notices[0], "carol@mail.example") ||
			!strings.Contains(notices[0], "In-Reply-To: <original@example.org>") || strings.Contains(notices[0], "plan") {
			t.Errorf("notices to the sender: %d, want one about carol\n%s", len(notices), strings.Join(notices, "\n"))
		}
		want := []string{"declined.3", "expired.1", "expired.2", "expired.3", "opened.1"}
		if got := e.bed.Events(s[0].key.Message); !slices.Equal(got, want) {
			t.Errorf("events %v, want %v", got, want)
		}
	})
}

func TestExpiryTellsNoListAndNoNullSender(t *testing.T) {
	for name, l := range map[string]letter{"list": {list: true}, "null sender": {null: true}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := newEnv(t)
				l.to, l.life = []store.Address{bob, carol}, time.Hour
				s := e.deliver(l)
				must(t, e.NotForMe(t.Context(), s[1].secret))
				time.Sleep(time.Hour)
				if n, err := e.Expire(t.Context(), time.Now(), 10); n != 2 || err != nil {
					t.Fatalf("expired %d, %v", n, err)
				}
				if n := len(e.bed.Mails(store.KindExpired)) + len(e.bed.Mails(store.KindNotForMe)); n != 0 {
					t.Errorf("%d notices were sent", n)
				}
			})
		})
	}
}

func TestExpiryJobCatchesUpAndSleepsUntilTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		var to []store.Address
		for i := range 30 {
			to = append(to, store.Address{Local: "p" + string(rune('a'+i)), Domain: "mail.example"})
		}
		var old []sealed
		for _, a := range to[:20] {
			old = append(old, e.deliver(letter{to: []store.Address{a}, life: time.Hour})...)
		}
		time.Sleep(48 * time.Hour) // the server was down
		later := e.deliver(letter{to: to[20:21], life: 7 * 24 * time.Hour})[0]
		stop := run(t, e.Run)
		synctest.Wait()
		for _, s := range old {
			e.gone(s, true)
		}
		sooner := e.deliver(letter{to: to[21:22], life: 20 * time.Minute})[0] // accepted while the job sleeps
		time.Sleep(20*time.Minute + 16*time.Second)
		synctest.Wait()
		e.gone(sooner, true)
		if r := e.bed.Rcpt(later.key); !r.Live() {
			t.Error("a message ended before its time")
		}
		time.Sleep(7 * 24 * time.Hour)
		synctest.Wait()
		e.gone(later, true)
		stop()
	})
}

func TestK12RecallDestroysGrants(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		ctx := t.Context()
		s := e.deliver(letter{to: []store.Address{bob, carol}})
		who := e.person(bob, store.Provisional)
		_, err := e.OpenLink(ctx, s[0].secret, who)
		must(t, err)
		by := message.Actor("socket")
		time.Sleep(time.Hour)
		must(t, e.Recall(ctx, by, s[1].key))
		e.gone(s[1], false)
		if err := e.Recall(ctx, by, s[1].key); !errors.Is(err, message.ErrEnded) {
			t.Errorf("recalled again: %v, want ErrEnded", err)
		}
		if c, err := e.Link(ctx, s[1].secret); err != nil || c.State != message.CoverRecalled || !c.EndedAt.Equal(time.Now()) {
			t.Errorf("cover: %+v, %v", c, err)
		}
		o, err := e.View(ctx, who, s[0].key)
		text(t, o, err)
		must(t, e.RecallAll(ctx, by, s[0].key.Message))
		e.gone(s[0], true)
		ended := new(message.EndedError)
		if _, err := e.View(ctx, who, s[0].key); !errors.As(err, &ended) || ended.State != store.StateRecalled {
			t.Errorf("view: %v", err)
		}
		if err := e.RecallAll(ctx, by, store.MessageID{1}); !errors.Is(err, message.ErrNotFound) {
			t.Errorf("unknown message: %v, want ErrNotFound", err)
		}
		want := []string{"opened.1", "recalled.1", "recalled.2"}
		if got := e.bed.Events(s[0].key.Message); !slices.Equal(got, want) {
			t.Errorf("events %v, want %v", got, want)
		}
		if n := len(e.bed.Mails(store.KindExpired)); n != 0 {
			t.Errorf("%d notices about a recall", n)
		}
	})
}

func TestP10NotMeantForMe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		ctx := t.Context()
		s := e.deliver(letter{to: []store.Address{bob, carol}})
		who := e.person(bob, store.Confirmed)
		must(t, e.NotForMe(ctx, s[0].secret))
		must(t, e.NotForMe(ctx, s[0].secret))
		r := e.bed.Rcpt(s[0].key)
		if r.State != store.StateDeclined || len(r.Grants) == 0 {
			t.Errorf("%s with %d grants: they stay until the end (K12)", r.State, len(r.Grants))
		}
		if c, err := e.Link(ctx, s[0].secret); err != nil || c.State != message.CoverDeclined || c.Live() || c.Author.Name != "" {
			t.Errorf("cover: %+v, %v", c, err)
		}
		if _, err := e.OpenLink(ctx, s[0].secret, who); !errors.Is(err, message.ErrEnded) {
			t.Errorf("opening a closed message: %v, want ErrEnded", err)
		}
		notices := e.bed.Mails(store.KindNotForMe)
		if len(notices) != 1 || !strings.HasPrefix(notices[0], "To: alice@example.org\n") || !strings.Contains(notices[0], "bob@mail.example") {
			t.Errorf("%d notices to the sender:\n%s", len(notices), strings.Join(notices, "\n"))
		}
		carols := e.person(carol, store.Confirmed)
		_, err := e.OpenLink(ctx, s[1].secret, carols)
		must(t, err)
		if err := e.NotForMe(ctx, s[1].secret); !errors.Is(err, message.ErrOpened) {
			t.Errorf("after the opening: %v, want ErrOpened", err)
		}
		must(t, e.Recall(ctx, message.Actor("sender"), s[0].key))
		if r := e.bed.Rcpt(s[0].key); r.State != store.StateRecalled || len(r.Grants) != 0 {
			t.Errorf("recalled after it was declined: %s, %d grants", r.State, len(r.Grants))
		}
		if err := e.NotForMe(ctx, s[0].secret); !errors.Is(err, message.ErrEnded) {
			t.Errorf("after the recall: %v, want ErrEnded", err)
		}
	})
}

// MAIL §7: a bounce may come from the recipient's own forwarding, so the link stays good.
func TestBouncedLinkStillOpens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		s := e.deliver(letter{to: []store.Address{bob}})[0]
		e.bed.ChangeRcpt(s.key, func(r *store.Recipient) { r.State = store.StateBounced })
		who := e.person(bob, store.Provisional)
		_, err := e.OpenLink(t.Context(), s.secret, who)
		must(t, err)
		if r := e.bed.Rcpt(s.key); r.State != store.StateOpened {
			t.Errorf("%s, want opened", r.State)
		}
	})
}

func TestI5OneDamagedMessageHoldsUpNoExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := &testbed.Damaged{}
		e := newEnv(t, func(c *message.Config) { st.Store, c.Store = c.Store, st })
		var all []sealed
		for range 5 {
			all = append(all, e.deliver(letter{to: []store.Address{bob}, life: time.Hour})...)
		}
		bad := all[2]
		st.Message = bad.key.Message
		time.Sleep(time.Hour)
		if n, err := e.Expire(t.Context(), time.Now(), 10); n != 5 || err != nil {
			t.Errorf("expired %d, %v; want all five", n, err)
		}
		for _, s := range all {
			if s != bad {
				e.gone(s, true)
			}
		}
		if r := e.bed.Rcpt(bad.key); r.State != store.StateExpired || len(r.Grants) != 0 {
			t.Errorf("share of the damaged message: %s, %d grants", r.State, len(r.Grants))
		}
		if n, err := e.Expire(t.Context(), time.Now(), 10); n != 0 || err != nil {
			t.Errorf("second round: %d, %v", n, err)
		}
	})
}
