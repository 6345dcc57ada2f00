package message_test

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"postern/pickup/account"
	"postern/pickup/message"
	"postern/store"
	"postern/store/seal"
)

func TestI4LinkIsEffectFree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		s := e.deliver(letter{to: []store.Address{bob, carol}})
		before := e.snapshot(s[0].key, s[1].key)
		for range 5 {
			c, err := e.Link(t.Context(), s[0].secret)
			must(t, err)
			if c.Key != s[0].key || c.To != bob || c.State != message.CoverWaiting || c.HasAccount || c.Disabled || !c.Live() {
				t.Fatalf("cover %+v", c)
			}
			if c.Author.Name != "Alice Example" || c.Author.Address != alice || !c.Expires.Equal(c.Sent.Add(30*24*time.Hour)) {
				t.Fatalf("cover %+v", c)
			}
		}
		if after := e.snapshot(s[0].key, s[1].key); after != before {
			t.Errorf("five looks at the link changed the store:\n%s\n%s", before, after)
		}
	})
}

func TestP9FetchesAreCountedApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		s := e.deliver(letter{to: []store.Address{bob}})[0]
		run(t, e.rec.Run)
		first := time.Now()
		for range 3 {
			e.Fetched(s.secret.LinkID())
			time.Sleep(400 * time.Millisecond)
		}
		time.Sleep(time.Minute)
		e.Fetched(s.secret.LinkID())
		e.Fetched(seal.NewSecret().LinkID()) // of no row
		time.Sleep(2 * time.Second)
		r := e.bed.Rcpt(s.key)
		if r.Fetched.N != 4 || !r.Fetched.First.Equal(first) || r.Fetched.Last.Sub(first) < time.Minute {
			t.Errorf("fetches %+v, want 4 from %v", r.Fetched, first)
		}
		if r.State != store.StateQueued || !r.Opened.IsZero() || len(e.bed.Events(s.key.Message)) != 0 {
			t.Errorf("a fetch made the message %s", r.State)
		}
	})
}

func TestK8OpenLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		ctx := t.Context()
		s := e.deliver(letter{to: []store.Address{bob}})[0]
		time.Sleep(time.Hour)
		who := e.person(bob, store.Provisional)
		if c, err := e.Link(ctx, s.secret); err != nil || !c.HasAccount {
			t.Errorf("cover of somebody with an account: %+v, %v", c, err)
		}
		k, err := e.OpenLink(ctx, s.secret, who)
		if err != nil || k != s.key {
			t.Fatalf("opened %v, %v", k, err)
		}
		r := e.bed.Rcpt(k)
		if r.State != store.StateOpened || !r.Opened.Equal(time.Now()) || r.Account != who.Account.ID || len(r.Grants) != 2 {
			t.Errorf("opened: %s at %v, %d grants", r.State, r.Opened, len(r.Grants))
		}
		o, err := e.View(ctx, who, k)
		if got := text(t, o, err); got != string(letter{to: []store.Address{bob}}.raw()) {
			t.Errorf("body of %d octets differs from what was sent", len(got))
		}
		if o.Subject != "Your plan" || o.Author.Name != "Alice Example" || len(o.Card.Parts) == 0 {
			t.Errorf("subject %q, author %v", o.Subject, o.Author)
		}
		before := e.snapshot(k)
		_, err = e.OpenLink(ctx, s.secret, who)
		must(t, err)
		if after := e.snapshot(k); after != before {
			t.Errorf("opening again changed the store:\n%s\n%s", before, after)
		}
		if e.bed.Account(who.Account.ID).Standing != store.Provisional {
			t.Error("a link of before the registration confirmed the account")
		}
	})
}

func TestK8LaterLinkConfirmsTheAccount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		ctx := t.Context()
		old := e.deliver(letter{to: []store.Address{bob}})[0]
		time.Sleep(time.Hour)
		who := e.person(bob, store.Provisional)
		time.Sleep(time.Hour)
		later := e.deliver(letter{to: []store.Address{bob}})[0]
		if r := e.bed.Rcpt(later.key); !r.Account.IsZero() || len(r.Grants) != 1 {
			t.Fatal("a provisional account got a grant at sealing")
		}
		page, err := e.Inbox(ctx, who, message.InboxQuery{})
		if err != nil || len(page.Items)+len(page.Waiting) != 0 {
			t.Errorf("a provisional account sees %+v, %v", page, err)
		}
		_, err = e.OpenLink(ctx, later.secret, who)
		must(t, err)
		who = e.again(who)
		if who.Account.Standing != store.Confirmed {
			t.Fatal("the account is not confirmed")
		}
		if r := e.bed.Rcpt(old.key); r.Account != who.Account.ID || len(r.Grants) != 1 || r.State == store.StateOpened {
			t.Errorf("the message of before: account %v, %d grants, %s", r.Account, len(r.Grants), r.State)
		}
		page, err = e.Inbox(ctx, who, message.InboxQuery{})
		must(t, err)
		if len(page.Items) != 1 || len(page.Waiting) != 1 || page.Waiting[0].Key != old.key || page.Waiting[0].Sender != alice {
			t.Errorf("inbox %+v", page)
		}
		if err := e.Open(ctx, who, old.key); !errors.Is(err, message.ErrNeedsLink) {
			t.Errorf("opening without its link: %v, want ErrNeedsLink", err)
		}
		if _, err := e.View(ctx, who, old.key); !errors.Is(err, message.ErrNeedsLink) {
			t.Errorf("viewing without its link: %v, want ErrNeedsLink", err)
		}
		_, err = e.OpenLink(ctx, old.secret, who)
		must(t, err)
		if page, err = e.Inbox(ctx, who, message.InboxQuery{}); err != nil || len(page.Items) != 2 || len(page.Waiting) != 0 {
			t.Errorf("inbox after its link: %+v, %v", page, err)
		}
		now := e.deliver(letter{to: []store.Address{bob}})[0]
		if len(e.bed.Rcpt(now.key).Grants) != 2 {
			t.Error("a confirmed account gets no grant at sealing")
		}
	})
}

// An account that the welcome mail confirmed sees at once what waits, before any of its links was used.
func TestK8WaitingForItsLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		s := e.deliver(letter{to: []store.Address{bob, carol}})
		who := e.person(bob, store.Provisional)
		e.bed.ChangeAccount(who.Account.ID, func(a *store.Account) { a.Standing = store.Confirmed })
		before := e.snapshot(s[0].key)
		p, err := e.Inbox(t.Context(), e.again(who), message.InboxQuery{})
		if err != nil || len(p.Items) != 0 || len(p.Waiting) != 1 || p.Waiting[0].Key != s[0].key || p.Waiting[0].Sender != alice {
			t.Errorf("inbox %+v, %v", p, err)
		}
		if after := e.snapshot(s[0].key); after != before {
			t.Error("I4: the list changed the store")
		}
		if err := e.Open(t.Context(), e.again(who), s[0].key); !errors.Is(err, message.ErrNeedsLink) {
			t.Errorf("opening it: %v, want ErrNeedsLink", err)
		}
	})
}

func TestC04AnotherAccountIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		ctx := t.Context()
		s := e.deliver(letter{to: []store.Address{bob, carol}})
		bobs, carols := e.person(bob, store.Confirmed), e.person(carol, store.Confirmed)
		before := e.snapshot(s[0].key, s[1].key)
		if _, err := e.OpenLink(ctx, s[0].secret, carols); !errors.Is(err, message.ErrNotYours) {
			t.Errorf("carol opens bob's link: %v, want ErrNotYours", err)
		}
		for _, k := range []store.RcptKey{s[0].key, {Message: s[0].key.Message, N: 9}, {}} {
			if _, err := e.View(ctx, carols, k); !errors.Is(err, message.ErrNotFound) {
				t.Errorf("carol views %v: %v, want ErrNotFound", k, err)
			}
			if err := e.Open(ctx, carols, k); !errors.Is(err, message.ErrNotFound) {
				t.Errorf("carol opens %v: %v, want ErrNotFound", k, err)
			}
			if _, err := e.Reply(ctx, carols, k, message.Draft{Text: "x"}); !errors.Is(err, message.ErrNotFound) {
				t.Errorf("carol replies to %v: %v, want ErrNotFound", k, err)
			}
		}
		if after := e.snapshot(s[0].key, s[1].key); after != before {
			t.Error("refused attempts changed the store")
		}
		_, err := e.OpenLink(ctx, s[0].secret, bobs)
		must(t, err)
		if _, err := e.OpenLink(ctx, s[0].secret, carols); !errors.Is(err, message.ErrNotYours) {
			t.Errorf("after bob opened it: %v, want ErrNotYours", err)
		}
		e.bed.ChangeAccount(carols.Account.ID, func(a *store.Account) { a.Aliases = []store.Address{{Local: "team", Domain: "mail.example"}} })
		team := e.deliver(letter{to: []store.Address{{Local: "Team", Domain: "mail.example"}}})[0]
		if _, err := e.OpenLink(ctx, team.secret, e.again(carols)); err != nil {
			t.Errorf("a link to a confirmed alias: %v", err)
		}
	})
}

func TestK2UnknownLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		s := e.deliver(letter{to: []store.Address{bob}})[0]
		who := e.person(bob, store.Confirmed)
		e.bed.ChangeRcpt(s.key, func(r *store.Recipient) { r.Grants = nil }) // a newer link replaced it
		for name, secret := range map[string]seal.LinkSecret{"unknown": seal.NewSecret(), "replaced": s.secret} {
			if _, err := e.Link(t.Context(), secret); !errors.Is(err, message.ErrUnknownLink) {
				t.Errorf("%s: %v, want ErrUnknownLink", name, err)
			}
			if _, err := e.OpenLink(t.Context(), secret, who); !errors.Is(err, message.ErrUnknownLink) {
				t.Errorf("%s: opening: %v, want ErrUnknownLink", name, err)
			}
			if err := e.NotForMe(t.Context(), secret); !errors.Is(err, message.ErrUnknownLink) {
				t.Errorf("%s: closing: %v, want ErrUnknownLink", name, err)
			}
		}
	})
}

func TestB06DisabledAccountOpensNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		s := e.deliver(letter{to: []store.Address{bob}})[0]
		who := e.person(bob, store.Confirmed)
		_, err := e.OpenLink(t.Context(), s.secret, who)
		must(t, err)
		second := e.deliver(letter{to: []store.Address{bob}})[0]
		e.bed.ChangeAccount(who.Account.ID, func(a *store.Account) { a.Status = store.StatusDisabled })
		if c, err := e.Link(t.Context(), second.secret); err != nil || !c.Disabled {
			t.Errorf("cover: %+v, %v", c, err)
		}
		// who was read before the account was disabled
		if _, err := e.OpenLink(t.Context(), second.secret, who); !errors.Is(err, account.ErrNoSession) {
			t.Errorf("link: %v, want ErrNoSession", err)
		}
		if err := e.Open(t.Context(), who, second.key); !errors.Is(err, account.ErrNoSession) {
			t.Errorf("open: %v, want ErrNoSession", err)
		}
		if _, err := e.Reply(t.Context(), who, s.key, message.Draft{Text: "x"}); !errors.Is(err, account.ErrNoSession) {
			t.Errorf("reply: %v, want ErrNoSession", err)
		}
	})
}

// Two tabs, a scanner and a double click: the message is opened once.
func TestOpeningsAtOnceAreOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		who := e.person(bob, store.Provisional)
		time.Sleep(time.Minute)
		s := e.deliver(letter{to: []store.Address{bob}})[0]
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				if _, err := e.OpenLink(t.Context(), s.secret, who); err != nil {
					t.Error(err)
				}
			})
			all.Go(func() {
				if _, err := e.Link(t.Context(), s.secret); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if got := e.bed.Events(s.key.Message); len(got) != 1 {
			t.Errorf("events %v, want one opening", got)
		}
		if r := e.bed.Rcpt(s.key); len(r.Grants) != 2 {
			t.Errorf("%d grants, want 2", len(r.Grants))
		}
	})
}

// KEYS K16: whoever was forwarded one link reads that one message and nothing that comes later, and the owner of the
// address comes back to all of it.
func TestK8ForwardedLinkIntruder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		ctx := t.Context()
		first := e.deliver(letter{to: []store.Address{bob}})[0]
		time.Sleep(time.Hour)
		intruder, err := e.accounts.Register(ctx, account.Registration{Secret: first.secret, Password: password, Client: client})
		must(t, err)
		_, err = e.OpenLink(ctx, first.secret, intruder)
		must(t, err)
		time.Sleep(10 * time.Minute)
		next := e.deliver(letter{to: []store.Address{bob}})[0]

		intruder, err = e.accounts.Resume(ctx, intruder.Token)
		must(t, err)
		page, err := e.Inbox(ctx, intruder, message.InboxQuery{})
		if err != nil || len(page.Items) != 1 || page.Items[0].Key != first.key || len(page.Waiting) != 0 {
			t.Errorf("the intruder's inbox: %+v, %v", page, err)
		}
		if err := e.Open(ctx, intruder, next.key); !errors.Is(err, message.ErrNotFound) {
			t.Errorf("the intruder opens the next message: %v, want ErrNotFound", err)
		}
		if _, err := e.View(ctx, intruder, next.key); !errors.Is(err, message.ErrNotFound) {
			t.Errorf("the intruder views the next message: %v, want ErrNotFound", err)
		}
		for _, g := range e.bed.Rcpt(next.key).Grants {
			if g.Kind == store.GrantAccount {
				t.Error("the next message has a grant for the intruder's key")
			}
		}

		must(t, e.accounts.DisownWelcome(ctx, e.welcome(), account.Client{}))
		time.Sleep(time.Minute)
		later := e.deliver(letter{to: []store.Address{bob}})[0] // links from before the disowning register nobody
		owner, err := e.accounts.Register(ctx, account.Registration{Secret: later.secret, Password: "Quiet harbour 77", Client: client})
		must(t, err)
		if page, err := e.Inbox(ctx, owner, message.InboxQuery{}); err != nil || len(page.Items)+len(page.Waiting) != 0 {
			t.Errorf("the owner, not confirmed yet, sees %+v, %v", page, err)
		}
		for _, s := range []sealed{first, next, later} {
			_, err := e.OpenLink(ctx, s.secret, owner)
			must(t, err)
			o, err := e.View(ctx, owner, s.key)
			if got := text(t, o, err); len(got) == 0 {
				t.Error("the owner reads nothing")
			}
		}
		if _, err := e.accounts.Resume(ctx, intruder.Token); !errors.Is(err, account.ErrNoSession) {
			t.Errorf("the intruder's session: %v", err)
		}
		if _, err := e.View(ctx, intruder, first.key); !errors.Is(err, message.ErrNeedsLink) {
			t.Errorf("the intruder's key on the first message: %v, want ErrNeedsLink", err)
		}
		if _, err := e.OpenLink(ctx, first.secret, intruder); !errors.Is(err, account.ErrNoSession) {
			t.Errorf("the intruder's old request: %v, want ErrNoSession", err)
		}
	})
}
