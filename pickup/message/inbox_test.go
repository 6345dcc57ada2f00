package message_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"postern/pickup/message"
	"postern/store"
	"postern/store/seal"
)

func TestP12InboxListsAndSearches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		ctx := t.Context()
		who := e.person(bob, store.Confirmed)
		var keys []store.RcptKey
		for i := range 25 {
			time.Sleep(time.Minute)
			keys = append(keys, e.deliver(letter{to: []store.Address{bob}, subject: fmt.Sprintf("[secure] Plan %d of the Café", i)})[0].key)
		}
		must(t, e.Open(ctx, who, keys[24]))
		p, err := e.Inbox(ctx, who, message.InboxQuery{Limit: 10})
		must(t, err)
		if len(p.Items) != 10 || p.Next == "" {
			t.Fatalf("page of %d, next %q", len(p.Items), p.Next)
		}
		got := p.Items[0]
		if got.Key != keys[24] || got.Subject != "Plan 24 of the Café" || got.Author.Name != "Alice Example" || got.Attachments != 1 || got.Unread() {
			t.Errorf("newest: %+v", got)
		}
		if !p.Items[1].Unread() {
			t.Error("a message that nobody opened is not unread")
		}
		seen := map[store.RcptKey]bool{}
		for p.Next != "" || len(seen) == 0 {
			for _, i := range p.Items {
				seen[i.Key] = true
			}
			p, err = e.Inbox(ctx, who, message.InboxQuery{Limit: 10, Cursor: p.Next})
			must(t, err)
		}
		for _, i := range p.Items {
			seen[i.Key] = true
		}
		if len(seen) != 25 {
			t.Errorf("pages hold %d messages, want 25", len(seen))
		}
		searches := []struct {
			words string
			want  int
		}{
			{"CAFÉ", 25}, {"plan 13", 1}, {"care plan.pdf 7", 2}, {"alice@example.org", 25}, {canary, 0}, {"secure", 0}, {"plan zebra", 0},
		}
		for _, s := range searches {
			p, err := e.Inbox(ctx, who, message.InboxQuery{Search: s.words})
			if err != nil || len(p.Items) != s.want {
				t.Errorf("search for %q finds %d, want %d (%v)", s.words, len(p.Items), s.want, err)
			}
		}
	})
}

func TestI4InboxAndViewAreEffectFree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		ctx := t.Context()
		who := e.person(bob, store.Confirmed)
		s := e.deliver(letter{to: []store.Address{bob}})[0]
		before := e.snapshot(s.key)
		if _, err := e.View(ctx, who, s.key); !errors.Is(err, message.ErrNotOpened) {
			t.Errorf("view of an unopened message: %v, want ErrNotOpened", err)
		}
		_, err := e.Inbox(ctx, who, message.InboxQuery{})
		must(t, err)
		if after := e.snapshot(s.key); after != before {
			t.Errorf("looking changed the store:\n%s\n%s", before, after)
		}
		time.Sleep(time.Hour)
		must(t, e.Open(ctx, who, s.key))
		must(t, e.Open(ctx, who, s.key))
		if got := e.bed.Events(s.key.Message); len(got) != 1 || got[0] != "opened.1" {
			t.Errorf("events %v, want one opening", got)
		}
		if r := e.bed.Rcpt(s.key); r.State != store.StateOpened || !r.Opened.Equal(time.Now()) {
			t.Errorf("%s at %v", r.State, r.Opened)
		}
	})
}

func TestI5DamagedMessageStandsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		ctx := t.Context()
		who := e.person(bob, store.Confirmed)
		bad := e.deliver(letter{to: []store.Address{bob}})[0]
		good := e.deliver(letter{to: []store.Address{bob}})[0]
		must(t, e.Open(ctx, who, bad.key))
		must(t, e.Open(ctx, who, good.key))
		m := e.bed.Message(bad.key.Message)
		card := m.Card
		m.Card = append([]byte{}, card...)
		m.Card[20] ^= 1
		e.bed.Update(func(tx store.Tx) error { return tx.Messages().SetMessage(m) })

		p, err := e.Inbox(ctx, who, message.InboxQuery{})
		must(t, err)
		if len(p.Items) != 2 || p.Items[0].Damaged == p.Items[1].Damaged {
			t.Errorf("inbox %+v", p.Items)
		}
		if _, err := e.View(ctx, who, bad.key); !errors.Is(err, message.ErrDamaged) {
			t.Errorf("damaged card: %v, want ErrDamaged", err)
		}
		if _, err := e.Link(ctx, bad.secret); !errors.Is(err, message.ErrDamaged) {
			t.Errorf("cover with a damaged card: %v, want ErrDamaged", err)
		}
		o, err := e.View(ctx, who, good.key)
		text(t, o, err)

		m.Card = card
		e.bed.Update(func(tx store.Tx) error {
			body, err := tx.Bodies().Get(m.ID)
			if err != nil {
				return err
			}
			body[len(body)-1] ^= 1
			return errors.Join(tx.Messages().SetMessage(m), tx.Bodies().Put(m.ID, body))
		})
		if _, err := e.View(ctx, who, bad.key); !errors.Is(err, message.ErrDamaged) {
			t.Errorf("damaged body: %v, want ErrDamaged", err)
		}
		e.bed.ChangeRcpt(bad.key, func(r *store.Recipient) { r.Grants[1].Data[30] ^= 1 })
		if _, err := e.View(ctx, who, bad.key); !errors.Is(err, message.ErrDamaged) {
			t.Errorf("damaged grant: %v, want ErrDamaged", err)
		}
		if strings.Contains(e.bed.Log.String(), "plan") || strings.Contains(e.bed.Log.String(), canary) {
			t.Error("I1: the log holds content")
		}
	})
}

func TestP12LargeBodyComesFromItsBlob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		ctx := t.Context()
		who := e.person(bob, store.Confirmed)
		l := letter{to: []store.Address{bob}, big: true}
		s := e.deliver(l)[0]
		must(t, e.Open(ctx, who, s.key))
		o, err := e.View(ctx, who, s.key)
		if got := text(t, o, err); got != string(l.raw()) {
			t.Errorf("%d octets, want %d", len(got), len(l.raw()))
		}
		must(t, e.bed.Store.Blobs().Delete(ctx, e.bed.Message(s.key.Message).Blob))
		if _, err := e.View(ctx, who, s.key); !errors.Is(err, message.ErrDamaged) {
			t.Errorf("blob is gone: %v, want ErrDamaged", err)
		}
	})
}

// The cards of one session are no use to another, and grants that go take the cached card along.
func TestK5CardsAreCachedPerSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		ctx := t.Context()
		who := e.person(bob, store.Confirmed)
		s := e.deliver(letter{to: []store.Address{bob}})[0]
		list := func() int {
			p, err := e.Inbox(ctx, who, message.InboxQuery{Search: "plan"})
			must(t, err)
			return len(p.Items)
		}
		if list() != 1 {
			t.Fatal("not listed")
		}
		key := e.bed.Rcpt(s.key).Grants
		e.bed.ChangeRcpt(s.key, func(r *store.Recipient) { r.Grants = r.Grants[:1] })
		if list() != 0 {
			t.Error("a message without grant is listed from the cache")
		}
		e.bed.ChangeRcpt(s.key, func(r *store.Recipient) { r.Grants = key; r.Grants[1].Data[40] ^= 1 })
		if list() != 1 {
			t.Error("the cache is not used")
		}
		e.Forget(who.Session.ID)
		if list() != 0 {
			t.Error("a forgotten session's cards are still there")
		}
		e.bed.ChangeRcpt(s.key, func(r *store.Recipient) { r.Grants[1].Data[40] ^= 1 })
		if list() != 1 {
			t.Fatal("not listed again")
		}
		who.Session.ID = seal.NewSessionToken().ID()
		e.bed.ChangeRcpt(s.key, func(r *store.Recipient) { r.Grants[1].Data[40] ^= 1 })
		if list() != 0 {
			t.Error("another session reads the cached card")
		}
	})
}
