package account_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"postern/pickup/account"
	"postern/store"
	"postern/store/seal"
)

const next = "Copper thimble 19 west"

func change(current, password, reminder string) account.Change {
	return account.Change{Current: current, Password: password, Reminder: reminder, Client: client}
}

// KEYS K9 "Change, signed in": one more version, the old one chained, everything else that is open ends.
func TestK9ChangeSignedIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		ctx := t.Context()
		id, seed := e.quick(bob)
		other, err := e.SignIn(ctx, login("bob@mail.example", password))
		must(t, err)
		who, err := e.SignIn(ctx, login("bob@mail.example", password))
		must(t, err)
		open := e.mailed(id)
		out, err := e.ChangePassword(ctx, who, change(password, next, "what lies in the sewing box"))
		must(t, err)

		a := e.bed.Account(id)
		key, _ := a.Current()
		if len(a.Keys) != 2 || a.Keys[0].State != store.KeyChained || a.Keys[0].To != key.ID || key.ID != seal.PublicKeyID(out.Seed.Public()) {
			t.Errorf("keys %+v", a.Keys)
		}
		if old, err := e.SeedOf(out, a.Keys[0].ID); err != nil || old != seed {
			t.Errorf("the old key does not open with the new one: %v", err)
		}
		for name, token := range map[string]string{"the session before": who.Token, "the other session": other.Token} {
			if _, err := e.Resume(ctx, token); !errors.Is(err, account.ErrNoSession) {
				t.Errorf("%s: %v, want ErrNoSession", name, err)
			}
		}
		if got, err := e.Resume(ctx, out.Token); err != nil || got.Seed != out.Seed || got.Account.Version != out.Account.Version {
			t.Errorf("the new session: %v", err)
		}
		for _, tok := range open {
			e.bed.View(func(tx store.Tx) error {
				_, err := tx.Tokens().Peek(tok.ID, tok.Purpose, time.Now())
				if gone := errors.Is(err, store.ErrNotFound); gone == (tok.Purpose == store.PurposeWelcome) {
					t.Errorf("token %s: %v", tok.Purpose, err)
				}
				return nil
			})
		}
		if _, err := e.SignIn(ctx, login("bob@mail.example", password)); !errors.Is(err, account.ErrSignIn) {
			t.Errorf("the old password: %v, want ErrSignIn", err)
		}
		if _, err := e.SignIn(ctx, login("bob@mail.example", next)); err != nil {
			t.Errorf("the new password: %v", err)
		}
		if phrase, err := e.bed.Keys.OpenReminder(id, a.Reminder); err != nil || phrase != "what lies in the sewing box" {
			t.Errorf("reminder %q, %v", phrase, err)
		}
		if list := e.events(id); !slices.Contains(list, store.EventPassword) {
			t.Errorf("events %v", list)
		}
		if mails := e.mails("was changed"); len(mails) != 1 || !strings.Contains(mails[0], "To: Bob@mail.example") || strings.Contains(mails[0], next) {
			t.Errorf("mails %q", mails)
		}
	})
}

// mailed puts a token of every purpose into the store, as mails of before would have left them.
func (e *env) mailed(id store.AccountID) (all []store.Token) {
	e.t.Helper()
	for i, p := range []store.Purpose{store.PurposeWelcome, store.PurposeReset, store.PurposeVerify, store.PurposeAlias, store.PurposeTemp, store.PurposeCode} {
		tok := store.Token{ID: store.TokenID{byte(i + 1)}, Purpose: p, Owner: id.String(), Account: id, Created: time.Now(), Ends: time.Now().Add(time.Hour)}
		if p == store.PurposeTemp || p == store.PurposeCode {
			tok.Owner = string(bob.Key())
		}
		e.bed.Update(func(tx store.Tx) error { return tx.Tokens().Put(tok, store.Keep{}) })
		all = append(all, tok)
	}
	return all
}

// mails are those in the queue that have a text in them.
func (e *env) mails(text string) (all []string) {
	e.t.Helper()
	for _, item := range e.bed.Queue() {
		raw, _, err := e.bed.Outbox.Open(item)
		must(e.t, err)
		if strings.Contains(string(raw), text) {
			all = append(all, string(raw))
		}
	}
	return all
}

func TestK9ChangeIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		ctx := t.Context()
		id, _ := e.quick(bob)
		who, err := e.SignIn(ctx, login("bob@mail.example", password))
		must(t, err)
		e.bed.ChangeAccount(id, func(a *store.Account) { a.Reminder = e.bed.Keys.SealReminder(id, "copper thimble") })
		token := who.Token
		who, err = e.Resume(ctx, token)
		must(t, err)
		before := e.bed.Account(id)
		weak := new(account.CriteriaError)
		for name, test := range map[string]struct {
			in   account.Change
			want func(error) bool
		}{
			"weak":            {change(password, "short", ""), func(err error) bool { return errors.As(err, &weak) }},
			"own address":     {change(password, "mail.Example and Bob 5", ""), func(err error) bool { return errors.As(err, &weak) }},
			"reminder":        {change(password, next, "it is "+next), is(account.ErrReminderHint)},
			"long reminder":   {change(password, next, strings.Repeat("r", 201)), is(account.ErrReminderLong)},
			"reminder kept":   {change(password, next, ""), is(account.ErrReminderKept)},
			"wrong password":  {change(wrong, "Lilac Ferry 8 o'clock", "x"), is(account.ErrPassword)},
			"the same again":  {change(password, password, "x"), is(account.ErrSamePassword)},
			"nothing current": {change("", "Lilac Ferry 8 o'clock", "x"), is(account.ErrPassword)},
		} {
			if _, err := e.ChangePassword(ctx, who, test.in); !test.want(err) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if after := e.bed.Account(id); after.Version != before.Version {
			t.Error("the account has changed")
		}
		if _, err := e.Resume(ctx, token); err != nil {
			t.Errorf("the session afterwards: %v", err)
		}
		e.bed.ChangeAccount(id, func(a *store.Account) { a.Status = store.StatusDisabled })
		if _, err := e.ChangePassword(ctx, who, change(password, next, "x")); !errors.Is(err, account.ErrNoSession) {
			t.Errorf("B6: disabled meanwhile: %v, want ErrNoSession", err)
		}
	})
}

func is(want error) func(error) bool { return func(err error) bool { return errors.Is(err, want) } }

// KEYS K13: whoever holds a session guesses no faster than on the sign-in page, and the owner reads of it.
func TestK13PasswordAskedAgainIsThrottled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		ctx := t.Context()
		id, _ := e.quick(bob)
		who, err := e.SignIn(ctx, login("bob@mail.example", password))
		must(t, err)
		tries := []func() error{
			func() error { _, err := e.ChangePassword(ctx, who, change(wrong, next, "x")); return err },
			func() error { return e.ChangeReminder(ctx, who, change(wrong, "", "x")) },
		}
		begun := time.Now()
		for i := range 3 {
			arrived := time.Now()
			if err := tries[i%2](); !errors.Is(err, account.ErrPassword) {
				t.Fatalf("try %d: %v", i, err)
			}
			if grid := time.Since(arrived) % (500 * time.Millisecond); grid != 0 {
				t.Errorf("try %d is answered %v beside the grid", i, grid)
			}
		}
		if time.Since(begun) < 3*time.Second {
			t.Errorf("three tries took %v", time.Since(begun))
		}
		busy := new(account.BusyError)
		for range 2 {
			err = tries[0]()
		}
		if !errors.As(err, &busy) {
			t.Errorf("a fifth try: %v, want BusyError", err)
		}
		if n := len(e.rec.events); n != 4 || e.rec.events[0].What != store.EventSignInFail || e.rec.events[0].Account != id {
			t.Errorf("%d misses recorded: %v", n, e.rec.events)
		}
		time.Sleep(time.Minute)
		if err := e.ChangeReminder(ctx, who, change(password, "", "a phrase")); err != nil {
			t.Errorf("the right password afterwards: %v", err)
		}
	})
}

func TestChangeReminder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		ctx := t.Context()
		id, _ := e.quick(bob)
		who, err := e.SignIn(ctx, login("bob@mail.example", password))
		must(t, err)
		must(t, e.ChangeReminder(ctx, who, change(password, "", " the shed\x00 key ")))
		if phrase, err := e.bed.Keys.OpenReminder(id, e.bed.Account(id).Reminder); err != nil || phrase != "the shed key" {
			t.Errorf("reminder %q, %v", phrase, err)
		}
		if err := e.ChangeReminder(ctx, who, change(password, "", "lantern 42")); !errors.Is(err, account.ErrReminderHint) {
			t.Errorf("part of the password: %v", err)
		}
		must(t, e.ChangeReminder(ctx, who, change(password, "", "")))
		if e.bed.Account(id).Reminder != nil {
			t.Error("an empty reminder leaves the old one")
		}
		if _, err := e.Resume(ctx, who.Token); err != nil {
			t.Errorf("the session: %v", err)
		}
	})
}

func TestEndSessionsOfOnesOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		ctx := t.Context()
		carol := store.Address{Local: "carol", Domain: "mail.example"}
		id, _ := e.quick(bob)
		e.quick(carol)
		var bobs []account.Signed
		for range 4 {
			who, err := e.SignIn(ctx, login("bob@mail.example", password))
			must(t, err)
			bobs = append(bobs, who)
		}
		carols, err := e.SignIn(ctx, login("carol@mail.example", password))
		must(t, err)
		live := func(want ...bool) {
			t.Helper()
			for i, who := range append(slices.Clone(bobs), carols) {
				if _, err := e.Resume(ctx, who.Token); (err == nil) != want[i] {
					t.Errorf("session %d: %v", i, err)
				}
			}
		}
		me := bobs[0]
		must(t, e.EndSession(ctx, me, bobs[1].Session.ID))
		must(t, e.EndSession(ctx, me, bobs[1].Session.ID))
		must(t, e.EndSession(ctx, me, carols.Session.ID))
		must(t, e.EndSession(ctx, me, me.Session.ID))
		live(true, false, true, true, true)
		must(t, e.EndOthers(ctx, me))
		must(t, e.EndOthers(ctx, me))
		live(true, false, false, false, true)
		n := 0
		for _, what := range e.events(id) {
			if what == store.EventSignedOff {
				n++
			}
		}
		if n != 2 {
			t.Errorf("%d events of ended sessions, want 2", n)
		}
	})
}
