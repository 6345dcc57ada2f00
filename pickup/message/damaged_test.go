package message_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"postern/cmd/testbed"
	"postern/pickup/message"
	"postern/store"
)

// TestI5OneDamagedShareHidesNoOther: what waits for its link is listed and claimed around it.
func TestI5OneDamagedShareHidesNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := &testbed.Damaged{}
		e := newEnv(t, func(c *message.Config) { st.Store, c.Store = c.Store, st })
		var all []sealed
		for range 5 {
			all = append(all, e.deliver(letter{to: []store.Address{bob}})...)
			time.Sleep(time.Minute)
		}
		st.Share = all[1].key
		who := e.person(bob, store.Confirmed)
		p, err := e.Inbox(t.Context(), who, message.InboxQuery{})
		must(t, err)
		if len(p.Waiting) != 4 {
			t.Errorf("%d of the four readable ones wait", len(p.Waiting))
		}
		_, err = e.OpenLink(t.Context(), all[0].secret, who)
		must(t, err)
		st.Share = store.RcptKey{}
		for i, s := range all {
			if claimed := e.bed.Rcpt(s.key).Account == who.Account.ID; claimed != (i != 1) {
				t.Errorf("message %d is in the inbox: %t", i, claimed)
			}
		}
	})
}

// TestI5DamagedSharesHoldUpNoExpiry: more shares than a page that cannot be read are due first; those behind them end in
// the same round, the log counts what did not, and it does not fill up with them.
func TestI5DamagedSharesHoldUpNoExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := &testbed.Damaged{}
		e := newEnv(t, func(c *message.Config) { st.Store, c.Store = c.Store, st })
		now := time.Now().UTC()
		m := store.Message{ID: store.NewMessageID(now), At: now, Flagged: true, Expires: now.Add(time.Minute), Refs: 700}
		var rows []store.Recipient
		for n := range uint32(700) {
			rows = append(rows, store.Recipient{Key: store.RcptKey{Message: m.ID, N: n + 1}, Address: bob, Action: store.ActionSeal,
				State: store.StateNotified, Since: now, Expires: m.Expires})
		}
		e.bed.Update(func(tx store.Tx) error { return tx.Messages().Create(m, rows) })
		good := e.deliver(letter{to: []store.Address{bob}, life: time.Hour})[0]
		st.Shares = m.ID

		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- e.Run(ctx) }()
		time.Sleep(time.Hour + time.Minute)
		synctest.Wait()
		stop()
		must(t, <-ended)
		if r := e.bed.Rcpt(good.key); r.State != store.StateExpired || len(r.Grants) != 0 {
			t.Errorf("the share behind them: %s with %d grants", r.State, len(r.Grants))
		}
		log := e.bed.Log.String()
		if n := strings.Count(log, "level=WARN"); n > 61*2*10 {
			t.Errorf("%d lines name them", n)
		}
		if n := strings.Count(log, "shares did not end at their expiry"); n < 1 || n > 61 || !strings.Contains(log, "700") {
			t.Errorf("told of %d times", n)
		}
	})
}

// TestLeapOfTheClockDestroysNothing: while a clock that went forward may still be put right, no share ends by it. The link
// says that it is over, because pages go by the clock; what was sealed is there again when the clock is.
func TestLeapOfTheClockDestroysNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ahead atomic.Int64
		e := newEnv(t, func(c *message.Config) {
			c.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
			c.Unsettled = func() bool { return ahead.Load() > 0 }
		})
		s := e.deliver(letter{to: []store.Address{bob}, life: 24 * time.Hour})[0]
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- e.Run(ctx) }()
		ahead.Store(int64(1000 * time.Hour))
		time.Sleep(30 * time.Minute)
		synctest.Wait()
		if c, err := e.Link(t.Context(), s.secret); err != nil || c.State != message.CoverExpired {
			t.Errorf("the link meanwhile: %s, %v", c.State, err)
		}
		ahead.Store(0)
		time.Sleep(time.Minute)
		if r := e.bed.Rcpt(s.key); r.State == store.StateExpired || len(r.Grants) == 0 {
			t.Errorf("when the clock was right again: %s with %d grants", r.State, len(r.Grants))
		}
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		if r := e.bed.Rcpt(s.key); r.State != store.StateExpired || len(r.Grants) != 0 {
			t.Errorf("at its time: %s with %d grants", r.State, len(r.Grants))
		}
		stop()
		must(t, <-ended)
	})
}
