package account_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"postern/pickup/account"
	"postern/store"
	"postern/store/seal"
)

func login(address, pass string) account.Login {
	return account.Login{Address: address, Password: pass, Client: client}
}

func TestC02SignInByAnySpelling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		id, _ := e.quick(bob)
		e.bed.ChangeAccount(id, func(a *store.Account) { a.Aliases = []store.Address{{Local: "rob", Domain: "mail.example"}} })
		for _, spelling := range []string{"bob@mail.example", " BOB@Mail.Example ", "Rob@MAIL.example"} {
			who, err := e.SignIn(t.Context(), login(spelling, password))
			if err != nil || who.Account.ID != id {
				t.Errorf("%q: %v", spelling, err)
			}
		}
		if got := e.events(id); !slices.Equal(got, []store.What{store.EventSignedIn, store.EventSignedIn, store.EventSignedIn}) {
			t.Errorf("events %v", got)
		}
	})
}

// slowStore makes every look-up take another time, as an adversary could only wish for.
type slowStore struct {
	store.Store
	random *rand.Rand
}

func (s *slowStore) View(ctx context.Context, f func(store.Tx) error) error {
	time.Sleep(time.Duration(s.random.Int64N(int64(400 * time.Millisecond))))
	return s.Store.View(ctx, f)
}

func TestI9FailuresLookAlike(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t, func(c *account.Config) { c.Store = &slowStore{c.Store, rand.New(rand.NewPCG(1, 2))} })
		e.quick(bob)
		carol := store.Address{Local: "carol", Domain: "mail.example"}
		id, _ := e.quick(carol)
		e.bed.ChangeAccount(id, func(a *store.Account) { a.Status = store.StatusDisabled })
		cases := map[string]account.Login{
			"wrong password":          login("bob@mail.example", wrong),
			"disabled":                login("carol@mail.example", password),
			"disabled, wrong":         login("carol@mail.example", wrong),
			"unknown":                 login("dave@mail.example", password),
			"no address":              login("nonsense\x00", password),
			"nothing":                 login("", ""),
			"password of 1,000 signs": login("bob@mail.example", strings.Repeat("x", 1000)),
		}
		times := make(map[string][]time.Duration)
		for range 2 {
			for name, in := range cases {
				start := time.Now()
				_, err := e.SignIn(t.Context(), in)
				times[name] = append(times[name], time.Since(start))
				if err != account.ErrSignIn {
					t.Errorf("%s: %v, want ErrSignIn itself", name, err)
				}
				time.Sleep(time.Minute) // past the pause of the address
			}
		}
		for name, list := range times {
			for _, d := range list {
				if d != 500*time.Millisecond {
					t.Errorf("%s: answered after %v, want 500ms", name, list)
				}
			}
		}
		if strings.Contains(e.bed.Log.String(), wrong) || strings.Contains(e.bed.Log.String(), "dave") {
			t.Error("the log holds what was typed")
		}
		if !strings.Contains(e.bed.Log.String(), client.Ref) {
			t.Error("the log does not hold the reference")
		}
		for _, ev := range e.rec.events {
			if ev.What != store.EventSignInFail || ev.Account.IsZero() {
				t.Errorf("recorded %s", ev.What)
			}
		}
	})
}

func TestK13FailuresFallOnTheGrid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		e.quick(bob)
		for i, want := range []time.Duration{500, 1000, 2000, 4000} { // the pauses of the address: 0, ~0.5, 1.5, 3.5 s
			start := time.Now()
			if _, err := e.SignIn(t.Context(), login("bob@mail.example", wrong)); err != account.ErrSignIn {
				t.Fatal(err)
			}
			if d := time.Since(start); d%(500*time.Millisecond) != 0 || d > want*time.Millisecond {
				t.Errorf("failure %d answered after %v", i+1, d)
			}
		}
		busy := new(account.BusyError)
		if _, err := e.SignIn(t.Context(), login("bob@mail.example", password)); !errors.As(err, &busy) {
			t.Errorf("fifth attempt at once: %v, want busy", err)
		}
	})
}

func TestK13KnownBrowserIsCountedApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		e.quick(bob)
		who, err := e.SignIn(t.Context(), login("bob@mail.example", password))
		must(t, err)
		for range 5 {
			e.SignIn(t.Context(), login("bob@mail.example", wrong))
		}
		if _, err := e.SignIn(t.Context(), login("bob@mail.example", password)); !errors.As(err, new(*account.BusyError)) {
			t.Errorf("a stranger's browser: %v, want busy", err)
		}
		in := login("bob@mail.example", password)
		in.Client.Known = who.Known
		start := time.Now()
		if _, err := e.SignIn(t.Context(), in); err != nil || time.Since(start) > 0 {
			t.Errorf("the owner's browser: %v after %v", err, time.Since(start))
		}
		_, seed := e.quick(author)
		_ = seed
		in.Address = author.String()
		if _, err := e.SignIn(t.Context(), in); err != nil {
			t.Errorf("the cookie of another account: %v", err)
		}
	})
}

// Whoever registered first with a forwarded link, and was disowned, has a cookie of that registration: it must not make
// him one of the owner's browsers, whose attempts he could then hold up.
func TestK13DisownedBrowserIsAStranger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		secret, _ := e.sealed(bob)
		intruder := e.register(secret)
		must(t, e.DisownWelcome(t.Context(), e.welcome(), client))
		time.Sleep(time.Hour)
		secret, _ = e.sealed(bob)
		owner := e.register(secret)
		time.Sleep(time.Hour)
		in := login("bob@mail.example", wrong)
		in.Client.Known = intruder.Known
		for range 5 {
			e.SignIn(t.Context(), in)
		}
		in = login("bob@mail.example", password)
		in.Client.Known = owner.Known
		if _, err := e.SignIn(t.Context(), in); err != nil {
			t.Errorf("the owner's browser after the intruder's guesses: %v", err)
		}
	})
}

func TestK13TenAttemptsAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t, func(c *account.Config) { c.PerMinute = 3 })
		for i := range 3 {
			if _, err := e.SignIn(t.Context(), login(strings.Repeat("x", i+1)+"@mail.example", wrong)); err != account.ErrSignIn {
				t.Fatal(err)
			}
		}
		if _, err := e.SignIn(t.Context(), login("y@mail.example", wrong)); !errors.As(err, new(*account.BusyError)) {
			t.Errorf("over the limit: %v, want busy", err)
		}
		other := login("y@mail.example", wrong)
		other.Client.IP = other.Client.IP.Next()
		if _, err := e.SignIn(t.Context(), other); err != account.ErrSignIn {
			t.Errorf("another client: %v", err)
		}
	})
}

func TestK13GoodSignInRenewsOldParameters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		id, seed := e.quick(bob)
		before := e.bed.Account(id).Keys[0]
		if _, err := e.SignIn(t.Context(), login("bob@mail.example", wrong)); err != account.ErrSignIn {
			t.Fatal(err)
		}
		if got := e.bed.Account(id).Keys[0]; got.Params != before.Params {
			t.Error("a failed sign-in renewed the box")
		}
		time.Sleep(time.Minute)
		_, err := e.SignIn(t.Context(), login("bob@mail.example", password))
		must(t, err)
		after := e.bed.Account(id).Keys[0]
		if !seal.StandardParams(after.Params) || bytes.Equal(after.Box, before.Box) || after.ID != before.ID {
			t.Errorf("box under %s", after.Params)
		}
		who, err := e.SignIn(t.Context(), login("bob@mail.example", password))
		if err != nil || who.Seed != seed {
			t.Errorf("sign-in with the renewed box: %v", err)
		}
		if got := e.bed.Account(id).Keys[0]; got.Params != after.Params {
			t.Error("a box of today's parameters was renewed")
		}
	})
}

func TestK7ForeignPublicKeyMutesTheAccount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		id, _ := e.quick(bob)
		e.bed.ChangeAccount(id, func(a *store.Account) { a.Keys[0].Public = seal.NewSeed().Public() })
		_, err := e.SignIn(t.Context(), login("bob@mail.example", password))
		if !errors.Is(err, seal.ErrKeyMismatch) || errors.Is(err, account.ErrSignIn) {
			t.Errorf("sign-in: %v, want a fault", err)
		}
		if !e.bed.Account(id).Muted {
			t.Error("the account still gets grants")
		}
		if got := e.events(id); !slices.Equal(got, []store.What{store.EventMuted}) {
			t.Errorf("events %v", got)
		}
	})
}

func TestK3ServerLayerIsAFaultNotAWrongPassword(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		id, _ := e.quick(bob)
		e.bed.ChangeAccount(id, func(a *store.Account) { a.Keys[0].Box[20] ^= 1 })
		if _, err := e.SignIn(t.Context(), login("bob@mail.example", password)); !errors.Is(err, seal.ErrServerLayer) || errors.Is(err, account.ErrSignIn) {
			t.Errorf("sign-in: %v, want ErrServerLayer", err)
		}
	})
}

// changedStore disables the account between the look-up and the commit.
type changedStore struct {
	store.Store
	change func(store.Tx) error
}

func (s *changedStore) Update(ctx context.Context, f func(store.Tx) error) error {
	if s.change != nil {
		change := s.change
		s.change = nil
		if err := s.Store.Update(ctx, change); err != nil {
			return err
		}
	}
	return s.Store.Update(ctx, f)
}

func TestB06DisabledDuringSignIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := &changedStore{}
		e := newEnv(t, func(c *account.Config) { st.Store, c.Store = c.Store, st })
		id, _ := e.quick(bob)
		st.change = func(tx store.Tx) error {
			a, err := tx.Accounts().Get(id)
			a.Status = store.StatusDisabled
			return errors.Join(err, tx.Accounts().Set(a))
		}
		if _, err := e.SignIn(t.Context(), login("bob@mail.example", password)); err != account.ErrSignIn {
			t.Errorf("sign-in: %v, want ErrSignIn", err)
		}
	})
}

// racingStore does something right after the first View, as another request might.
type racingStore struct {
	store.Store
	once  sync.Once
	after func()
}

func (s *racingStore) View(ctx context.Context, f func(store.Tx) error) error {
	err := s.Store.View(ctx, f)
	s.once.Do(s.after)
	return err
}

// A sign-in reads the box, works on it for a while and writes the account. A rotation of the server key meanwhile has
// sealed the box anew: the old seal must not come back, or the key that is retired next takes the account with it.
func TestK3SignInKeepsWhatARotationSealed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var race *racingStore
		e := newEnv(t, func(c *account.Config) { race = &racingStore{Store: c.Store, after: func() {}}; c.Store = race })
		id, _ := e.quick(bob)
		_, err := e.SignIn(t.Context(), login("bob@mail.example", password)) // under today's parameters from now on
		must(t, err)
		var fresh store.KeyID
		race.once, race.after = sync.Once{}, func() {
			fresh, err = e.bed.Keys.Add()
			must(t, err)
			must(t, e.bed.Keys.Promote(fresh))
			e.bed.ChangeAccount(id, func(a *store.Account) {
				_, err := e.bed.Keys.RewrapAccount(a)
				must(t, err)
			})
		}
		_, err = e.SignIn(t.Context(), login("bob@mail.example", password))
		must(t, err)
		if got, _ := seal.KeyOf(e.bed.Account(id).Keys[0].Box); got != fresh {
			t.Errorf("the box lies under %s, want %s", got, fresh)
		}
	})
}

// Whoever signed in with a password that was replaced, by a change or by a mail, has no place among the owner's browsers.
func TestK13BrowserOfAnEarlierPasswordIsAStranger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t, by(account.RecoverLink))
		ctx := t.Context()
		e.quick(bob)
		strangers := func() {
			time.Sleep(time.Hour)
			for range 5 {
				e.SignIn(ctx, login(bob.String(), wrong))
			}
		}
		known := func(who account.Signed, pass string) bool {
			t.Helper()
			in := login(bob.String(), pass)
			in.Client.Known = who.Known
			_, err := e.SignIn(ctx, in)
			if err != nil && !errors.As(err, new(*account.BusyError)) {
				t.Fatal(err)
			}
			return err == nil
		}
		first, err := e.SignIn(ctx, login(bob.String(), password))
		must(t, err)
		second, err := e.ChangePassword(ctx, first, change(password, next, ""))
		must(t, err)
		strangers()
		if known(first, next) || !known(second, next) {
			t.Error("after a change the browsers before are known, or the one that changed it is not")
		}
		must(t, e.Recover(ctx, bob.String(), client))
		third, err := e.Reset(ctx, e.found(resetLink), newPassword(fresh))
		must(t, err)
		strangers()
		if known(first, fresh) || known(second, fresh) || !known(third, fresh) {
			t.Error("after a reset the browsers before are known, or the one that reset it is not")
		}
	})
}
