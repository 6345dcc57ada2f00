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

// One registration is one Argon2id of 64 MiB, so one test walks through a whole life.
func TestK8RegisterConfirm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		ctx := t.Context()
		secret, _ := e.sealed(bob)
		time.Sleep(time.Hour)
		who, err := e.Register(ctx, account.Registration{Secret: secret, Password: password, Reminder: " the lamp\nof 1983 ", Client: client})
		must(t, err)

		a := e.bed.Account(who.Account.ID)
		if a.Standing != store.Provisional || a.Status != store.StatusActive || !a.Registered || a.Address != bob {
			t.Errorf("registered as %s, %s, registered %v, %v", a.Standing, a.Status, a.Registered, a.Address)
		}
		if r, err := e.bed.Keys.OpenReminder(a.ID, a.Reminder); err != nil || r != "the lamp of 1983" {
			t.Errorf("reminder %q, %v", r, err)
		}
		if a.Version != who.Account.Version {
			t.Errorf("version %d returned, %d stored", who.Account.Version, a.Version)
		}
		again, err := e.Resume(ctx, who.Token)
		if err != nil || again.Account.ID != a.ID || again.Seed != who.Seed {
			t.Errorf("C13: the session does not resume: %v", err)
		}
		if _, err := e.Register(ctx, account.Registration{Secret: secret, Password: password, Client: client}); !errors.Is(err, account.ErrHasAccount) {
			t.Errorf("second registration: %v, want ErrHasAccount", err)
		}

		token := e.welcome()
		for range 3 {
			info, err := e.Welcome(ctx, strings.ToUpper(token))
			if err != nil || info.Browser != client.Browser || !info.At.Equal(a.RegisteredAt) || info.Address != bob || !info.Used.IsZero() {
				t.Fatalf("welcome page: %+v, %v", info, err)
			}
		}
		if e.bed.Account(a.ID).Standing != store.Provisional {
			t.Error("I4: a look at the welcome page confirmed the account")
		}
		id, seed := e.quick(author)
		other := account.Signed{Account: e.bed.Account(id), Seed: seed}
		if err := e.ConfirmWelcome(ctx, other, token); !errors.Is(err, account.ErrNotYours) {
			t.Errorf("confirmed from another account: %v, want ErrNotYours", err)
		}
		time.Sleep(time.Minute)
		must(t, e.ConfirmWelcome(ctx, again, token))
		if e.bed.Account(a.ID).Standing != store.Confirmed {
			t.Error("the account is not confirmed")
		}
		if err := e.DisownWelcome(ctx, token, client); !errors.Is(err, store.ErrUsed) {
			t.Errorf("second answer: %v, want ErrUsed", err)
		}
		if info, err := e.Welcome(ctx, token); err != nil || info.Used.IsZero() {
			t.Errorf("page of a used link: %+v, %v", info, err)
		}
		want := []store.What{store.EventConfirmed, store.EventRegistered}
		if got := e.events(a.ID); !slices.Equal(got, want) {
			t.Errorf("events %v, want %v", got, want)
		}
		if strings.Contains(e.bed.Log.String(), password) || strings.Contains(e.bed.Log.String(), token) {
			t.Error("I1: the log holds a secret")
		}
	})
}

func TestK8DisownedAccountIsTheOwnersAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		ctx := t.Context()
		secret, _ := e.sealed(bob)
		intruder := e.register(secret)
		first := e.welcome()
		time.Sleep(time.Minute)
		must(t, e.DisownWelcome(ctx, first, client))
		told := e.bed.Mails(store.KindAccount)
		if len(told) != 1 || !strings.HasPrefix(told[0], "To: Bob@mail.example\n") || !strings.Contains(told[0], "no longer works") || !strings.Contains(told[0], client.Browser) {
			t.Errorf("the address is told by %d mails:\n%s", len(told), strings.Join(told, "\n"))
		}

		if _, err := e.Resume(ctx, intruder.Token); !errors.Is(err, account.ErrNoSession) {
			t.Errorf("the intruder's session: %v, want ErrNoSession", err)
		}
		if list, err := e.Sessions(ctx, intruder); err != nil || len(list) != 0 {
			t.Errorf("%d sessions are left, %v", len(list), err)
		}
		a := e.bed.Account(intruder.Account.ID)
		if _, ok := a.Current(); ok || a.Registered || a.Keys[0].State != store.KeyLocked || len(a.Keys[0].Box) == 0 {
			t.Errorf("row after the disowning: registered %v, key %s", a.Registered, a.Keys[0].State)
		}
		if _, err := e.SignIn(ctx, account.Login{Address: "bob@mail.example", Password: password, Client: client}); !errors.Is(err, account.ErrSignIn) {
			t.Errorf("the intruder signs in: %v, want ErrSignIn", err)
		}
		const owners = "Quiet harbour 77"
		time.Sleep(time.Minute)
		newer, _ := e.sealed(bob)
		owner, err := e.Register(ctx, account.Registration{Secret: newer, Password: owners, Client: client})
		must(t, err)
		a = e.bed.Account(owner.Account.ID)
		if a.ID != intruder.Account.ID || len(a.Keys) != 2 || a.Keys[1].State != store.KeyCurrent || a.Standing != store.Provisional {
			t.Errorf("the owner's registration: same row %v, %d versions, %s", a.ID == intruder.Account.ID, len(a.Keys), a.Standing)
		}
		if _, err := e.SeedOf(owner, a.Keys[0].ID); !errors.Is(err, account.ErrNoKey) {
			t.Errorf("seed of the locked version: %v, want ErrNoKey", err)
		}
		if second := e.welcome(); second == first {
			t.Error("no welcome mail of its own")
		}
		if err := e.DisownWelcome(ctx, first, client); !errors.Is(err, store.ErrUsed) {
			t.Errorf("the first mail's link: %v, want ErrUsed", err)
		}
	})
}

func TestK8OneLinkRegistersOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		secret, _ := e.sealed(bob)
		errs := make(chan error, 2)
		for range 2 {
			go func() {
				_, err := e.Register(t.Context(), account.Registration{Secret: secret, Password: password, Client: client})
				errs <- err
			}()
		}
		first, second := <-errs, <-errs
		if first != nil {
			first, second = second, first
		}
		if first != nil || !errors.Is(second, account.ErrHasAccount) {
			t.Errorf("two registrations at once: %v and %v, want one ErrHasAccount", first, second)
		}
	})
}

func TestK8WhoMayNotRegister(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		set := func(k store.RcptKey, f func(*store.Recipient)) {
			e.bed.Update(func(tx store.Tx) error {
				r, err := tx.Messages().Recipient(k)
				if err != nil {
					return err
				}
				f(&r)
				return tx.Messages().Set(r)
			})
		}
		recalled, k := e.sealed(bob)
		set(k, func(r *store.Recipient) { r.State = store.StateRecalled })
		declined, k := e.sealed(bob)
		set(k, func(r *store.Recipient) { r.State = store.StateDeclined })
		good, _ := e.sealed(bob)
		carol := store.Address{Local: "carol", Domain: "mail.example"}
		blocked, _ := e.sealed(carol)
		id, _ := e.quick(carol)
		e.bed.ChangeAccount(id, func(a *store.Account) { a.Status, a.Registered = store.StatusDisabled, false })

		tests := []struct {
			name     string
			secret   seal.LinkSecret
			password string
			reminder string
			want     error
		}{
			{"unknown link", seal.NewSecret(), password, "", account.ErrUnknownLink},
			{"recalled", recalled, password, "", account.ErrLinkOver},
			{"declined", declined, password, "", account.ErrLinkOver},
			{"disabled account", blocked, password, "", account.ErrSignIn},
			{"reminder", good, password, "lantern", account.ErrReminderHint},
		}
		for _, tt := range tests {
			_, err := e.Register(t.Context(), account.Registration{Secret: tt.secret, Password: tt.password, Reminder: tt.reminder, Client: client})
			if !errors.Is(err, tt.want) {
				t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
			}
		}
		criteria := new(account.CriteriaError)
		_, err := e.Register(t.Context(), account.Registration{Secret: good, Password: "bob", Client: client})
		if !errors.As(err, &criteria) || len(criteria.Failed) < 3 {
			t.Errorf("C12: weak password: %v, want the failed criteria", err)
		}
	})
}

func TestK2WelcomeLinkEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		ctx := t.Context()
		secret, _ := e.sealed(bob)
		e.register(secret)
		token := e.welcome()
		if _, err := e.Welcome(ctx, token[:30]); !errors.As(err, new(*seal.IncompleteError)) {
			t.Errorf("cut link: %v", err)
		}
		if _, err := e.Welcome(ctx, seal.NewSecret().Token(seal.TokenWelcome)); !errors.Is(err, account.ErrUnknownLink) {
			t.Errorf("unknown link: %v", err)
		}
		if err := e.DisownWelcome(ctx, secret.Token(seal.TokenPickup), client); !errors.Is(err, seal.ErrDamaged) {
			t.Errorf("pickup link: %v", err)
		}
		time.Sleep(30 * 24 * time.Hour)
		if info, err := e.Welcome(ctx, token); err != nil || !info.Expired {
			t.Errorf("page after 30 days: %+v, %v", info, err)
		}
		if err := e.DisownWelcome(ctx, token, client); !errors.Is(err, store.ErrExpired) {
			t.Errorf("after 30 days: %v, want ErrExpired", err)
		}
	})
}
