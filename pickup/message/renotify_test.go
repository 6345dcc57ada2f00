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

// sent takes the queued mails about a share out of the queue, as the runner does when the next hop has taken them.
func (e *env) sent(k store.RcptKey) {
	e.t.Helper()
	own := e.bed.Rcpt(k).Own
	e.bed.Update(func(tx store.Tx) error {
		for _, x := range own {
			if err := tx.Queue().Remove(x); err != nil {
				return err
			}
		}
		return nil
	})
	e.bed.ChangeRcpt(k, func(r *store.Recipient) {
		r.Own = nil
		if r.State == store.StateQueued {
			r.State, r.Notified = store.StateNotified, time.Now()
		}
	})
}

func site(c *message.Config) { c.SiteURL = "https://pickup.example.org/" }

var desk = message.Actor("ann@example.org")

// TestK11RenotifyHoldsNoSecret: who can sign in gets a link without a secret; everybody else is asked to open the first
// mail. Neither the link's secret nor a new one is in it.
func TestK11RenotifyHoldsNoSecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t, site)
		e.person(bob, store.Confirmed)
		all := e.deliver(letter{to: []store.Address{bob, carol}})
		if _, err := e.Renotify(t.Context(), desk, all[0].key); !errors.Is(err, message.ErrMailWaits) {
			t.Errorf("while the first mail waits: %v", err)
		}
		for i, tt := range []struct {
			way  message.Way
			want string
		}{{message.BySignIn, "https://pickup.example.org/m/" + all[0].key.String()}, {message.ByFirstMail, ""}} {
			k := all[i].key
			e.sent(k)
			before := e.bed.Rcpt(k)
			way, err := e.Renotify(t.Context(), desk, k)
			must(t, err)
			if way != tt.way {
				t.Errorf("recipient %d: way %q", i, way)
			}
			mails := e.bed.Mails(store.KindReminder)
			m := mails[len(mails)-1]
			if i == 1 && !strings.Contains(mails[0], "carol") {
				m = mails[1]
			} else if i == 1 {
				m = mails[0]
			}
			if strings.Contains(m, "/p/") || tt.want != "" && !strings.Contains(m, tt.want) || tt.want == "" && strings.Contains(m, "/m/") {
				t.Errorf("recipient %d: mail\n%s", i, m)
			}
			if !strings.Contains(m, "References: "+before.NoticeID) {
				t.Errorf("recipient %d: not in the thread of the first mail", i)
			}
			after := e.bed.Rcpt(k)
			if len(after.Grants) != len(before.Grants) || !slices.Equal(after.Links, before.Links) || after.State != before.State || len(after.Own) != 1 {
				t.Errorf("recipient %d: %+v", i, after)
			}
			if _, err := e.Renotify(t.Context(), desk, k); !errors.Is(err, message.ErrMailWaits) {
				t.Errorf("twice at once: %v", err)
			}
		}
		if got := e.bed.Events(all[0].key.Message); !slices.Contains(got, "renotified.1") || !slices.Contains(got, "renotified.2") {
			t.Errorf("events %v", got)
		}
		must(t, e.Recall(t.Context(), desk, all[0].key))
		if _, err := e.Renotify(t.Context(), desk, all[0].key); !errors.Is(err, message.ErrEnded) {
			t.Errorf("recalled: %v", err)
		}
		if n := len(e.bed.Mails(store.KindReminder)); n != 1 {
			t.Errorf("%d reminders wait after the recall", n)
		}
		none := store.RcptKey{Message: all[0].key.Message, N: 9}
		if _, err := e.Renotify(t.Context(), desk, none); !errors.Is(err, message.ErrNotFound) {
			t.Errorf("nobody: %v", err)
		}
	})
}

// A locked key opens nothing, so its owner is not sent to sign in for this message.
func TestK11RenotifyAfterALostPassword(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t, site)
		who := e.person(bob, store.Confirmed)
		share := e.deliver(letter{to: []store.Address{bob}})[0]
		for _, tt := range []struct {
			change func(*store.Account)
			way    message.Way
		}{
			{func(a *store.Account) { a.Keys[0].State = store.KeyChained }, message.BySignIn},
			{func(a *store.Account) { a.Keys[0].State = store.KeyLocked }, message.ByFirstMail},
			{func(a *store.Account) { a.Keys[0].State, a.Status = store.KeyCurrent, store.StatusDisabled }, message.ByFirstMail},
		} {
			e.sent(share.key)
			e.bed.ChangeAccount(who.Account.ID, tt.change)
			if way, err := e.Renotify(t.Context(), desk, share.key); err != nil || way != tt.way {
				t.Errorf("%q, %v, want %q", way, err, tt.way)
			}
		}
	})
}

func TestK11ExtendChangesADate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t, site)
		all := e.deliver(letter{to: []store.Address{bob, carol}, life: 48 * time.Hour})
		k, now := all[0].key, time.Now()
		for name, until := range map[string]time.Time{
			"earlier": now.Add(time.Hour), "the same": e.bed.Rcpt(k).Expires, "past": now.Add(-time.Hour), "too far": now.AddDate(2, 0, 0), "zero": {},
		} {
			if err := e.Extend(t.Context(), desk, k, until); !errors.As(err, new(*message.DateError)) {
				t.Errorf("%s: %v", name, err)
			}
		}
		until := now.Add(10 * 24 * time.Hour).UTC().Truncate(time.Millisecond)
		must(t, e.Extend(t.Context(), desk, k, until))
		if r, other, m := e.bed.Rcpt(k), e.bed.Rcpt(all[1].key), e.bed.Message(k.Message); !r.Expires.Equal(until) || !m.Expires.Equal(until) || other.Expires.Equal(until) {
			t.Errorf("share until %s, message until %s, other %s", r.Expires, m.Expires, other.Expires)
		}
		time.Sleep(49 * time.Hour)
		if n, err := e.Expire(t.Context(), time.Now(), 10); err != nil || n != 1 {
			t.Errorf("%d shares expire, %v", n, err)
		}
		if err := e.Extend(t.Context(), desk, all[1].key, until); !errors.Is(err, message.ErrEnded) {
			t.Errorf("what has expired: %v", err)
		}
		who := e.person(bob, store.Confirmed)
		if _, err := e.OpenLink(t.Context(), all[0].secret, who); err != nil {
			t.Errorf("the extended share: %v", err)
		}
		if err := e.Extend(t.Context(), desk, store.RcptKey{Message: k.Message, N: 9}, until); !errors.Is(err, message.ErrNotFound) {
			t.Errorf("nobody: %v", err)
		}
	})
}

// TestK11ExtendAllIsAllOrNothing: the shares that are open and end earlier, in one transaction. One that cannot be written
// leaves every other, the message and the audit log as they were.
func TestK11ExtendAllIsAllOrNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := &testbed.Damaged{}
		e := newEnv(t, func(c *message.Config) { st.Store, c.Store = c.Store, st })
		all := e.deliver(letter{to: []store.Address{bob, carol, alice, {Local: "dan", Domain: "mail.example"}}, life: 48 * time.Hour})
		id, now := all[0].key.Message, time.Now()
		until := now.Add(10 * 24 * time.Hour).UTC().Truncate(time.Millisecond)
		later := until.Add(24 * time.Hour)
		must(t, e.Recall(t.Context(), desk, all[3].key))
		must(t, e.Extend(t.Context(), desk, all[1].key, later))
		ends := func() (list []time.Time) {
			for _, s := range all {
				list = append(list, e.bed.Rcpt(s.key).Expires)
			}
			return append(list, e.bed.Message(id).Expires)
		}
		before, events := ends(), e.bed.Events(id)
		st.Full = all[2].key
		if n, err := e.ExtendAll(t.Context(), desk, id, until); n != 0 || !errors.Is(err, store.ErrFull) {
			t.Errorf("%d, %v", n, err)
		}
		if !slices.Equal(ends(), before) || !slices.Equal(e.bed.Events(id), events) {
			t.Errorf("a failure in the middle leaves %v and %v", ends(), e.bed.Events(id))
		}
		st.Full = store.RcptKey{}
		if n, err := e.ExtendAll(t.Context(), desk, id, until); n != 2 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		if want := []time.Time{until, later, until, before[3], later}; !slices.EqualFunc(ends(), want, time.Time.Equal) {
			t.Errorf("ends %v, want %v", ends(), want)
		}
		if got := e.bed.Events(id); len(got) != len(events)+2 || !slices.Contains(got, "extended.1") || !slices.Contains(got, "extended.3") {
			t.Errorf("events %v", got)
		}
		for _, until := range []time.Time{until, now.AddDate(2, 0, 0)} {
			if n, err := e.ExtendAll(t.Context(), desk, id, until); n != 0 || !errors.As(err, new(*message.DateError)) {
				t.Errorf("until %s: %d, %v", until, n, err)
			}
		}
		must(t, e.RecallAll(t.Context(), desk, id))
		if _, err := e.ExtendAll(t.Context(), desk, id, until); !errors.Is(err, message.ErrNotFound) {
			t.Errorf("after the end: %v", err)
		}
	})
}
