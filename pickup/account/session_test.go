package account_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"postern/pickup/account"
	"postern/store"
	"postern/store/seal"
)

func TestK10SessionsEnd(t *testing.T) {
	const day = 24 * time.Hour
	tests := []struct {
		name    string
		allowed bool // pickup.keep_logged_in
		keep    bool
		every   time.Duration // use
		ends    time.Duration // after which the session is over
		kept    bool
	}{
		{"unused for half an hour", true, false, 30 * time.Minute, 30 * time.Minute, false},
		{"12 hours of use", true, false, 20 * time.Minute, 12 * time.Hour, false},
		{"kept, unused for 14 days", true, true, 14 * day, 14 * day, true},
		{"kept, 30 days of use", true, true, 10 * day, 30 * day, true},
		{"B11: keeping is switched off", false, true, 30 * time.Minute, 30 * time.Minute, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := newEnv(t, func(c *account.Config) { c.KeepLoggedIn = tt.allowed })
				e.quick(bob)
				in := login("bob@mail.example", password)
				in.Keep = tt.keep
				who, err := e.SignIn(t.Context(), in)
				must(t, err)
				if who.Session.Kept != tt.kept {
					t.Errorf("kept: %v, want %v", who.Session.Kept, tt.kept)
				}
				for used := tt.every; used < tt.ends; used += tt.every {
					time.Sleep(tt.every)
					if _, err := e.Resume(t.Context(), who.Token); err != nil {
						t.Fatalf("after %v: %v", used, err)
					}
					e.writeSeen()
				}
				left := who.Session.Created.Add(tt.ends).Sub(time.Now())
				time.Sleep(left - time.Second)
				if _, err := e.Resume(t.Context(), who.Token); err != nil && tt.every < tt.ends {
					t.Errorf("a second before its end: %v", err)
				}
				time.Sleep(time.Second)
				if _, err := e.Resume(t.Context(), who.Token); !errors.Is(err, account.ErrNoSession) {
					t.Errorf("at its end: %v, want ErrNoSession", err)
				}
			})
		})
	}
}

// writeSeen does what the recorder does.
func (e *env) writeSeen() {
	e.t.Helper()
	e.bed.Update(func(tx store.Tx) error {
		for id, at := range e.rec.seen {
			ses, err := tx.Sessions().Get(id)
			if err != nil {
				return err
			}
			ses.Seen = at
			if err := tx.Sessions().Put(ses); err != nil {
				return err
			}
		}
		return nil
	})
}

func TestK10LastUseIsWrittenEveryFiveMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		e.quick(bob)
		who, err := e.SignIn(t.Context(), login("bob@mail.example", password))
		must(t, err)
		time.Sleep(5*time.Minute - time.Second)
		_, err = e.Resume(t.Context(), who.Token)
		must(t, err)
		if len(e.rec.seen) != 0 {
			t.Error("the last use was written before five minutes")
		}
		time.Sleep(time.Second)
		_, err = e.Resume(t.Context(), who.Token)
		must(t, err)
		if at, ok := e.rec.seen[who.Session.ID]; !ok || !at.Equal(time.Now()) {
			t.Errorf("last use %v", at)
		}
	})
}

func TestK10WhoResumes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		ctx := t.Context()
		id, seed := e.quick(bob)
		who, err := e.SignIn(ctx, login("bob@mail.example", password))
		must(t, err)
		second, err := e.SignIn(ctx, login("bob@mail.example", password))
		must(t, err)
		if who.Token == second.Token {
			t.Error("two sign-ins have one token")
		}
		if list, err := e.Sessions(ctx, who); err != nil || len(list) != 2 || list[0].Browser != client.Browser {
			t.Errorf("sessions %+v, %v", list, err)
		}
		if got, err := e.Resume(ctx, who.Token); err != nil || got.Seed != seed || got.Token != "" {
			t.Errorf("resumed with seed %v: %v", got.Seed == seed, err)
		}
		for _, cookie := range []string{"", "x", who.Token[1:], who.Token + "A", account.Signed{}.Token} {
			if _, err := e.Resume(ctx, cookie); !errors.Is(err, account.ErrNoSession) {
				t.Errorf("cookie of %d characters: %v, want ErrNoSession", len(cookie), err)
			}
		}
		must(t, e.SignOut(ctx, who.Token))
		must(t, e.SignOut(ctx, who.Token))
		if _, err := e.Resume(ctx, who.Token); !errors.Is(err, account.ErrNoSession) {
			t.Errorf("after sign-out: %v, want ErrNoSession", err)
		}
		if _, err := e.Resume(ctx, second.Token); err != nil {
			t.Errorf("the other session: %v", err)
		}
		e.bed.ChangeAccount(id, func(a *store.Account) { a.Status = store.StatusDisabled })
		if _, err := e.Resume(ctx, second.Token); !errors.Is(err, account.ErrNoSession) {
			t.Errorf("B6: disabled: %v, want ErrNoSession", err)
		}
		e.bed.ChangeAccount(id, func(a *store.Account) { a.Status, a.Keys[0].State = store.StatusActive, store.KeyLocked })
		if _, err := e.Resume(ctx, second.Token); !errors.Is(err, account.ErrNoSession) {
			t.Errorf("key locked: %v, want ErrNoSession", err)
		}
	})
}

func TestK7ChainedKeysOpenWithTheCurrentSeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		id, first := e.quick(bob)
		second, third := account.Signed{}.Seed, account.Signed{}.Seed
		second[0], third[0] = 2, 3
		seeds := []struct{ pub []byte }{{first.Public()}, {second.Public()}, {third.Public()}}
		a := e.bed.Account(id)
		a.Keys = nil
		for _, s := range seeds {
			a.Keys = append(a.Keys, store.KeyVersion{ID: seal.PublicKeyID(s.pub), Public: s.pub, State: store.KeyCurrent})
		}
		a.Keys[0].State, a.Keys[0].To = store.KeyChained, a.Keys[1].ID
		a.Keys[1].State, a.Keys[1].To = store.KeyChained, a.Keys[2].ID
		var err error
		a.Keys[0].Chain, err = e.bed.Keys.SealChain(seeds[1].pub, id, a.Keys[1].ID, a.Keys[0].ID, first)
		must(t, err)
		a.Keys[1].Chain, err = e.bed.Keys.SealChain(seeds[2].pub, id, a.Keys[2].ID, a.Keys[1].ID, second)
		must(t, err)
		who := account.Signed{Account: a, Seed: third}
		for i, want := range []account.Signed{{Seed: first}, {Seed: second}, {Seed: third}} {
			if got, err := e.SeedOf(who, a.Keys[i].ID); err != nil || got != want.Seed {
				t.Errorf("version %d: %v", i, err)
			}
		}
		a.Keys[1].To = a.Keys[0].ID // a ring
		if _, err := e.SeedOf(who, a.Keys[0].ID); !errors.Is(err, account.ErrNoKey) {
			t.Errorf("chain in a ring: %v, want ErrNoKey", err)
		}
		if _, err := e.SeedOf(who, "0000000000000000"); !errors.Is(err, account.ErrNoKey) {
			t.Errorf("unknown version: %v, want ErrNoKey", err)
		}
	})
}
