package account_test

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"postern/pickup/account"
	"postern/store"
)

func TestB6DisableEndsSessionsB9EnableBringsAccessBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		ctx := t.Context()
		id, seed := e.quick(bob)
		who, err := e.SignIn(ctx, login("bob@mail.example", password))
		must(t, err)
		time.Sleep(time.Minute)
		must(t, e.Disable(ctx, "socket", id))
		must(t, e.Disable(ctx, "socket", id))
		if list, err := e.Sessions(ctx, who); err != nil || len(list) != 0 {
			t.Errorf("%d sessions are left, %v", len(list), err)
		}
		if _, err := e.Resume(ctx, who.Token); !errors.Is(err, account.ErrNoSession) {
			t.Errorf("the session: %v, want ErrNoSession", err)
		}
		if _, err := e.SignIn(ctx, login("bob@mail.example", password)); err != account.ErrSignIn {
			t.Errorf("disabled: %v, want ErrSignIn", err)
		}
		time.Sleep(time.Minute)
		must(t, e.Enable(ctx, "socket", id))
		if _, err := e.Resume(ctx, who.Token); !errors.Is(err, account.ErrNoSession) {
			t.Errorf("the old session after enabling: %v, want ErrNoSession", err)
		}
		time.Sleep(time.Minute)
		if again, err := e.SignIn(ctx, login("bob@mail.example", password)); err != nil || again.Seed != seed {
			t.Errorf("enabled: %v", err)
		}
		want := []store.What{store.EventSignedIn, store.EventEnabled, store.EventDisabled, store.EventSignedIn}
		if got := e.events(id); !slices.Equal(got, want) {
			t.Errorf("events %v, want %v", got, want)
		}
	})
}
