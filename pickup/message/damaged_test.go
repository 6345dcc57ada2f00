package message_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"postern/pickup/message"
	"postern/store"
)

// damagedStore answers that one message's record, or one recipient's, does not read.
type damagedStore struct {
	store.Store
	bad  store.MessageID
	rcpt store.RcptKey
}

func (s *damagedStore) View(ctx context.Context, f func(store.Tx) error) error {
	return s.Store.View(ctx, func(tx store.Tx) error { return f(damagedTx{tx, s}) })
}

func (s *damagedStore) Update(ctx context.Context, f func(store.Tx) error) error {
	return s.Store.Update(ctx, func(tx store.Tx) error { return f(damagedTx{tx, s}) })
}

type damagedTx struct {
	store.Tx
	s *damagedStore
}

func (t damagedTx) Messages() store.Messages { return damagedMessages{t.Tx.Messages(), t.s} }

type damagedMessages struct {
	store.Messages
	s *damagedStore
}

func (m damagedMessages) Get(id store.MessageID) (store.Message, error) {
	if id == m.s.bad {
		return store.Message{}, store.ErrCorrupt
	}
	return m.Messages.Get(id)
}

func (m damagedMessages) Recipient(k store.RcptKey) (store.Recipient, error) {
	if k == m.s.rcpt {
		return store.Recipient{}, store.ErrCorrupt
	}
	return m.Messages.Recipient(k)
}

// TestI5OneDamagedShareHidesNoOther: what waits for its link is listed and claimed around it.
func TestI5OneDamagedShareHidesNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := &damagedStore{}
		e := newEnv(t, func(c *message.Config) { st.Store, c.Store = c.Store, st })
		var all []sealed
		for range 5 {
			all = append(all, e.deliver(letter{to: []store.Address{bob}})...)
			time.Sleep(time.Minute)
		}
		st.rcpt = all[1].key
		who := e.person(bob, store.Confirmed)
		p, err := e.Inbox(t.Context(), who, message.InboxQuery{})
		must(t, err)
		if len(p.Waiting) != 4 {
			t.Errorf("%d of the four readable ones wait", len(p.Waiting))
		}
		_, err = e.OpenLink(t.Context(), all[0].secret, who)
		must(t, err)
		st.rcpt = store.RcptKey{}
		for i, s := range all {
			if claimed := e.bed.Rcpt(s.key).Account == who.Account.ID; claimed != (i != 1) {
				t.Errorf("message %d is in the inbox: %t", i, claimed)
			}
		}
	})
}
