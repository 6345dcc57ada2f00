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
)

func TestB06DisableEndsSessionsB09EnableBringsAccessBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		ctx := t.Context()
		id, seed := e.quick(bob)
		who, err := e.SignIn(ctx, login("bob@mail.example", password))
		must(t, err)
		time.Sleep(time.Minute)
		must(t, e.Disable(ctx, "socket", id))
		must(t, e.Disable(ctx, "socket", id))
		if told := e.mails("was shut"); len(told) != 1 || !strings.Contains(told[0], "To: "+bob.String()) || strings.Contains(told[0], "socket") {
			t.Errorf("the address is told by %d mails: %s", len(told), told)
		}
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

// TestB09EnablingReturnsToWhatWas: an invited account that was disabled is invited again, not active by accident; one
// that was enabled all along stays as it is.
func TestB09EnablingReturnsToWhatWas(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		was        store.Status
		registered bool
		want       store.Status
	}{
		"invited":                    {store.StatusInvited, false, store.StatusInvited},
		"active":                     {store.StatusActive, true, store.StatusActive},
		"active without a password":  {store.StatusActive, false, store.StatusActive},
		"invited, and has signed up": {store.StatusInvited, true, store.StatusActive},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			id := store.AccountID{1}
			e.bed.Update(func(tx store.Tx) error {
				return tx.Accounts().Create(store.Account{ID: id, Address: bob, Status: tt.was, Registered: tt.registered})
			})
			status := func() store.Status { return e.bed.Account(id).Status }
			must(t, e.Enable(t.Context(), "ann", id))
			if got := status(); got != tt.was {
				t.Errorf("enabling an enabled one makes it %s", got)
			}
			must(t, e.Disable(t.Context(), "ann", id))
			must(t, e.Disable(t.Context(), "ann", id))
			if got := status(); got != store.StatusDisabled {
				t.Errorf("disabled: %s", got)
			}
			if told := len(e.mails("was shut")); told == 1 != tt.registered {
				t.Errorf("%d mails tell of it", told)
			}
			must(t, e.Enable(t.Context(), "ann", id))
			if got := status(); got != tt.want {
				t.Errorf("enabled again: %s, want %s", got, tt.want)
			}
		})
	}
}
