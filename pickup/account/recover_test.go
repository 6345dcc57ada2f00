package account_test

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"postern/pickup/account"
	"postern/pickup/notify"
	"postern/store"
	"postern/store/seal"
)

const fresh = "Marigold kettle on 7 stairs"

func by(r account.Recovery) func(*account.Config) {
	return func(c *account.Config) { c.Recovery = r }
}

// accountMails are the account mails that wait, oldest first.
func (e *env) accountMails() (list []string) {
	e.t.Helper()
	items := slices.DeleteFunc(e.bed.Queue(), func(i store.QueueItem) bool { return i.Kind != store.KindAccount })
	slices.SortFunc(items, func(a, b store.QueueItem) int { return a.Arrived.Compare(b.Arrived) })
	for _, i := range items {
		raw, _, err := e.bed.Outbox.Open(i)
		must(e.t, err)
		list = append(list, string(raw))
	}
	return list
}

// found is the first group of an expression in the newest account mail that has one.
func (e *env) found(expression string) string {
	e.t.Helper()
	for _, m := range slices.Backward(e.accountMails()) {
		if found := regexp.MustCompile(expression).FindStringSubmatch(m); found != nil {
			return found[1]
		}
	}
	e.t.Fatalf("no mail says %s", expression)
	return ""
}

const (
	activation = `https://pickup\.example\.org/v/([0-9a-z]{37})`
	resetLink  = `https://pickup\.example\.org/r/([0-9a-z]{37})`
	temporary  = `Temporary password:\s+([0-9a-z-]{19})`
)

func (e *env) askChange(pass string) {
	e.t.Helper()
	must(e.t, e.AskChange(context.Background(), account.ChangeRequest{Address: bob.String(), Password: pass, Reminder: "the lamp", Client: client}))
}

func newPassword(pass string) account.NewPassword {
	return account.NewPassword{Password: pass, Reminder: "the kettle", Client: client}
}

// states are those of an account's key versions, oldest first.
func (e *env) states(id store.AccountID) (list []store.KeyState) {
	for _, v := range e.bed.Account(id).Keys {
		list = append(list, v.State)
	}
	return list
}

func (e *env) signsIn(pass string) bool {
	e.t.Helper()
	time.Sleep(time.Minute) // past the pause of the address
	_, err := e.SignIn(context.Background(), login(bob.String(), pass))
	if err != nil && !errors.Is(err, account.ErrSignIn) {
		e.t.Fatal(err)
	}
	return err == nil
}

// Nothing changes before Activate; then the reverse. Whoever typed a password first may be somebody else, so the mail's
// reader must know it too.
func TestK9ActivateNeedsMailAndPassword(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		ctx := t.Context()
		id, _ := e.quick(bob)
		e.bed.ChangeAccount(id, func(a *store.Account) { a.Standing = store.Provisional })
		elsewhere, err := e.SignIn(ctx, login(bob.String(), password))
		must(t, err)
		e.askChange(fresh)
		token := e.found(activation)
		if info, err := e.ChangeLink(ctx, token); err != nil || info.Address != bob || info.Browser != client.Browser || !info.Ends.Equal(info.At.Add(24*time.Hour)) {
			t.Errorf("the page tells %+v, %v", info, err)
		}
		if !e.signsIn(password) || e.signsIn(fresh) {
			t.Error("the new password counts before it was activated")
		}
		miss := new(account.MissError)
		if _, err := e.Activate(ctx, token, newPassword(wrong)); !errors.As(err, &miss) || miss.Left != 4 {
			t.Errorf("a wrong password: %v", err)
		}
		who, err := e.Activate(ctx, token, newPassword(fresh))
		must(t, err)
		if a := e.bed.Account(id); a.Standing != store.Confirmed || a.Version != who.Account.Version {
			t.Errorf("standing %s, version %d of %d", a.Standing, who.Account.Version, a.Version)
		} else if phrase, err := e.bed.Keys.OpenReminder(id, a.Reminder); phrase != "the lamp" {
			t.Errorf("the reminder did not change with the password: %q, %v", phrase, err)
		}
		if got := e.states(id); !slices.Equal(got, []store.KeyState{store.KeyLocked, store.KeyCurrent}) {
			t.Errorf("key versions %v", got)
		}
		if again, err := e.Resume(ctx, who.Token); err != nil || again.Seed != who.Seed {
			t.Errorf("not signed in afterwards: %v", err)
		}
		if _, err := e.Resume(ctx, elsewhere.Token); !errors.Is(err, account.ErrNoSession) {
			t.Errorf("another session goes on: %v", err)
		}
		if _, err := e.Activate(ctx, token, newPassword(fresh)); !errors.Is(err, store.ErrUsed) {
			t.Errorf("a second use: %v", err)
		}
		if e.signsIn(password) || !e.signsIn(fresh) {
			t.Error("after the activation the old password works, or the new one does not")
		}
		if !strings.Contains(e.accountMails()[len(e.accountMails())-1], "was changed") {
			t.Error("no mail tells of the change")
		}
	})
}

func TestK9FiveMissesEndAPendingChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		ctx := t.Context()
		id, _ := e.quick(bob)
		e.askChange(fresh)
		token := e.found(activation)
		time.Sleep(time.Minute)
		for left := 4; left >= 0; left-- {
			miss := new(account.MissError)
			if _, err := e.Activate(ctx, token, newPassword(wrong)); !errors.As(err, &miss) || miss.Left != left {
				t.Errorf("a miss with %d left: %v", left, err)
			}
		}
		if _, err := e.Activate(ctx, token, newPassword(fresh)); !errors.Is(err, store.ErrUsed) {
			t.Errorf("the right password after five misses: %v", err)
		}
		if info, err := e.ChangeLink(ctx, token); err != nil || !info.Missed {
			t.Errorf("the page tells %+v, %v", info, err)
		}
		e.bed.View(func(tx store.Tx) error {
			secret, err := seal.ParseToken(seal.TokenActivate, token)
			must(t, err)
			row, _ := tx.Tokens().Peek(secret.TokenID(seal.TokenActivate), store.PurposeVerify, time.Now())
			if row.Key != nil || row.Sealed != nil {
				t.Error("the row still holds the key of the password that nobody activated")
			}
			return nil
		})
		if got := e.events(id); got[0] != store.EventChangeEnded {
			t.Errorf("events %v", got)
		}
		if !e.signsIn(password) {
			t.Error("the old password no longer works")
		}
	})
}

// A stranger can fill three places a day; none of his overwrites the owner's, and declining one makes room.
// unwritten cannot compose the mail about a new password.
type unwritten struct{ account.Mails }

func (unwritten) PasswordChanged(notify.AccountMail) (store.OwnMail, error) {
	return store.OwnMail{}, errors.New("no words")
}

// TestK9OnlyWrongPasswordsAreMisses: whoever is told to come later, is cut off, or meets a store that fails has missed
// nothing, so that a crowd does not use a pending change up.
func TestK9OnlyWrongPasswordsAreMisses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t, func(c *account.Config) { c.Cores = 1 })
		ctx := t.Context()
		e.quick(bob)
		e.askChange(fresh)
		token := e.found(activation)
		turn, free := make(chan struct{}), make(chan struct{})
		go e.Attempt(ctx, account.Attempt{Name: "console", Known: true, Client: client}, func(context.Context) error {
			close(turn)
			<-free
			return nil
		})
		<-turn
		gone, leave := context.WithCancel(ctx)
		leave()
		for range 3 {
			if _, err := e.Activate(ctx, token, newPassword(wrong)); !errors.As(err, new(*account.BusyError)) {
				t.Errorf("while nothing is free: %v, want BusyError", err)
			}
			if _, err := e.Activate(gone, token, newPassword(wrong)); !errors.Is(err, context.Canceled) {
				t.Errorf("cut off: %v", err)
			}
		}
		close(free)
		synctest.Wait()
		failing := e.config
		failing.Mails = unwritten{failing.Mails}
		if _, err := account.New(failing).Activate(ctx, token, newPassword(fresh)); err == nil || errors.As(err, new(*account.MissError)) {
			t.Errorf("when it cannot be told: %v", err)
		}
		miss := new(account.MissError)
		if _, err := e.Activate(ctx, token, newPassword(wrong)); !errors.As(err, &miss) || miss.Left != 4 {
			t.Errorf("the first wrong password: %v", err)
		}
		if _, err := e.Activate(ctx, token, newPassword(fresh)); err != nil {
			t.Errorf("the right one: %v", err)
		}
	})
}

func TestK9AtMostThreePendingChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		id, _ := e.quick(bob)
		e.askChange(fresh)
		token := e.found(activation)
		for range 3 {
			time.Sleep(time.Second)
			e.askChange("Somebody else's 8 horses")
		}
		if n := len(e.accountMails()); n != 3 {
			t.Errorf("%d mails, want 3", n)
		}
		must(t, e.DeclineChange(t.Context(), e.found(activation)))
		time.Sleep(time.Second)
		e.askChange(fresh)
		if n := len(e.accountMails()); n != 4 {
			t.Errorf("%d mails after one was declined, want 4", n)
		}
		who, err := e.Activate(t.Context(), token, newPassword(fresh))
		must(t, err)
		if _, err := e.Activate(t.Context(), e.found(activation), newPassword(fresh)); !errors.Is(err, account.ErrUnknownLink) {
			t.Errorf("another pending change outlives the activation: %v", err)
		}
		if who.Account.ID != id {
			t.Error("somebody else is signed in")
		}
	})
}

// K13: three requests a day of a stranger must not keep the owner out, nor as many as he can send: a browser that signed
// in before has places and mails of its own.
func TestK9StrangersDoNotUseUpTheOwnersWayBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		ctx := t.Context()
		e.quick(bob)
		who, err := e.SignIn(ctx, login(bob.String(), password))
		must(t, err)
		home := client
		home.Known = who.Known
		ask := func(c account.Client, pass string, mails int) {
			t.Helper()
			must(t, e.AskChange(ctx, account.ChangeRequest{Address: bob.String(), Password: pass, Client: c}))
			time.Sleep(10 * time.Second)
			if n := len(e.accountMails()); n != mails {
				t.Fatalf("%d mails, want %d", n, mails)
			}
		}
		const foreign = "Somebody else's 8 horses"
		for n := range 6 {
			ask(client, foreign, min(n+1, 3))
		}
		made := client
		made.Known = e.bed.Keys.BrowserMAC(who.Account.ID, seal.Registration{At: who.Account.RegisteredAt.Add(time.Second), Key: seal.PublicKeyID(who.Seed.Public())}) // of another registration
		ask(made, foreign, 3)
		ask(home, fresh, 4)
		ask(client, foreign, 4)
		if _, err := e.Activate(ctx, e.found(activation), newPassword(fresh)); err != nil {
			t.Errorf("the owner cannot activate: %v", err)
		}
	})
}

// C10: once; newer kills older, but not within two minutes, so that a stranger cannot keep killing it.
func TestK9ResetLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t, by(account.RecoverLink))
		ctx := t.Context()
		id, _ := e.quick(bob)
		must(t, e.Recover(ctx, "BOB@mail.example", client))
		first := e.found(resetLink)
		time.Sleep(time.Minute)
		must(t, e.Recover(ctx, bob.String(), client))
		if e.found(resetLink) != first {
			t.Error("requests within two minutes are not one")
		}
		time.Sleep(time.Minute)
		must(t, e.Recover(ctx, bob.String(), client))
		second := e.found(resetLink)
		if _, err := e.Reset(ctx, first, newPassword(fresh)); second == first || !errors.Is(err, account.ErrUnknownLink) {
			t.Errorf("the older link: %v", err)
		}
		weak := new(account.CriteriaError)
		if _, err := e.Reset(ctx, second, newPassword("short")); !errors.As(err, &weak) {
			t.Errorf("C12: %v", err)
		}
		if _, err := e.Reset(ctx, second, account.NewPassword{Password: fresh, Reminder: "my " + fresh, Client: client}); !errors.Is(err, account.ErrReminderHint) {
			t.Errorf("A3: %v", err)
		}
		_, err := e.Reset(ctx, second, newPassword(fresh))
		must(t, err)
		if _, err := e.Reset(ctx, second, newPassword(fresh)); !errors.Is(err, store.ErrUsed) {
			t.Errorf("a second use: %v", err)
		}
		if got := e.states(id); !slices.Equal(got, []store.KeyState{store.KeyLocked, store.KeyCurrent}) {
			t.Errorf("key versions %v", got)
		}
		time.Sleep(time.Hour)
		must(t, e.Recover(ctx, bob.String(), client))
		late := e.found(resetLink)
		time.Sleep(24 * time.Hour)
		if _, err := e.Reset(ctx, late, newPassword(password)); !errors.Is(err, store.ErrExpired) {
			t.Errorf("after a day: %v", err)
		}
		if _, err := e.ResetLink(ctx, strings.Replace(late, late[:1], "2", 1)); !errors.Is(err, seal.ErrDamaged) {
			t.Errorf("damaged: %v", err)
		}
	})
}

// C9: the temporary password leads to a choice of password and nowhere else; it holds no key.
func TestK9TemporaryPassword(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t, by(account.RecoverTemporary))
		ctx := t.Context()
		id, _ := e.quick(bob)
		must(t, e.Recover(ctx, bob.String(), client))
		pass := e.found(temporary)
		time.Sleep(3 * time.Minute)
		must(t, e.Recover(ctx, bob.String(), client))
		if e.signsIn(pass) {
			t.Error("the older temporary password still works")
		}
		pass = e.found(temporary)
		if !e.signsIn(password) {
			t.Error("the old password stopped working before the new one was chosen")
		}
		var cookie string
		for _, spelling := range []string{pass, strings.ToUpper(strings.ReplaceAll(pass, "-", ""))} {
			must := new(account.MustChangeError)
			if _, err := e.SignIn(ctx, login(bob.String(), spelling)); !errors.As(err, &must) || must.Token == "" {
				t.Fatalf("sign-in with the temporary password: %v", err)
			}
			cookie = must.Token
		}
		if _, err := e.SignIn(ctx, login("carol@mail.example", pass)); !errors.Is(err, account.ErrSignIn) {
			t.Errorf("at another address: %v", err)
		}
		change := new(account.MustChangeError)
		if who, err := e.Resume(ctx, cookie); !errors.As(err, &change) || who.Account.ID == id {
			t.Errorf("the session resumes as %v, %v", who.Account.ID, err)
		}
		if to, err := e.Changing(ctx, cookie); err != nil || to.Address != bob {
			t.Errorf("changing %v, %v", to, err)
		}
		who, err := e.ChoosePassword(ctx, cookie, newPassword(fresh))
		must(t, err)
		if _, err := e.Resume(ctx, who.Token); err != nil {
			t.Errorf("not signed in afterwards: %v", err)
		}
		if _, err := e.ChoosePassword(ctx, cookie, newPassword(fresh)); !errors.Is(err, account.ErrNoSession) {
			t.Errorf("the form sent twice: %v", err)
		}
		if _, err := e.ChoosePassword(ctx, who.Token, newPassword(fresh)); !errors.Is(err, account.ErrNoSession) {
			t.Errorf("in a full session: %v", err)
		}
		if e.signsIn(pass) || e.signsIn(password) || !e.signsIn(fresh) {
			t.Error("not the chosen password alone works")
		}
	})
}

// A browser that is signed in loses nothing; everywhere else the earlier password, if it is remembered, brings the rest
// back, and what had been chained to it.
func TestK7EarlierPasswords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t, by(account.RecoverLink))
		ctx := t.Context()
		id, oldest := e.quick(bob)
		here, err := e.SignIn(ctx, login(bob.String(), password))
		must(t, err)
		reset := func(pass string, here account.Signed) account.Signed {
			t.Helper()
			time.Sleep(time.Hour)
			must(t, e.Recover(ctx, bob.String(), client))
			in := newPassword(pass)
			in.Here = here
			who, err := e.Reset(ctx, e.found(resetLink), in)
			must(t, err)
			return who
		}
		who := reset(fresh, here)
		first := who.Account.Keys[0].ID
		if seed, err := e.SeedOf(who, first); err != nil || seed != oldest {
			t.Errorf("the key of this browser's session was locked: %v", err)
		}
		const third = "Copper 9 umbrellas in a row"
		who = reset(third, account.Signed{})
		if _, err := e.SeedOf(who, first); !errors.Is(err, account.ErrNoKey) || !account.Locked(who.Account, first) {
			t.Errorf("without a session the key was kept: %v", err)
		}
		use := func(now, then string) error {
			time.Sleep(time.Minute)
			return e.UseEarlier(ctx, who, account.Earlier{Current: now, Earlier: then, Client: client})
		}
		if err := use(fresh, fresh); !errors.Is(err, account.ErrPassword) {
			t.Errorf("today's password wrong: %v", err)
		}
		if err := use(third, wrong); !errors.Is(err, account.ErrEarlier) {
			t.Errorf("no earlier password: %v", err)
		}
		must(t, use(third, fresh))
		if who, err = e.Resume(ctx, who.Token); err != nil || account.Locked(who.Account, first) {
			t.Fatalf("a version is still locked: %v", err)
		}
		if seed, err := e.SeedOf(who, first); err != nil || seed != oldest {
			t.Errorf("what was chained to the earlier key did not come back: %v", err)
		}
		if got := e.events(id); got[0] != store.EventEarlier {
			t.Errorf("events %v", got)
		}
		before := e.bed.Account(id)
		if err := use(third, fresh); !errors.Is(err, account.ErrEarlier) || e.bed.Account(id).Version != before.Version {
			t.Errorf("a second time: %v", err)
		}
	})
}

// What is asked for at any address does nothing to the store, and nothing but the same work, before the answer. Only then
// the address is looked up, and mail goes to the stored spelling of an account that may be used.
func TestI9K9AskingTellsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var jobs []func(context.Context)
		touched := 0
		e := newEnv(t, by(account.RecoverLink), func(c *account.Config) {
			c.Store = &countingStore{c.Store, &touched}
			c.Later = func(job func(context.Context)) bool { jobs = append(jobs, job); return true }
		})
		ctx := t.Context()
		id, _ := e.quick(bob)
		e.bed.ChangeAccount(id, func(a *store.Account) { a.Reminder = e.bed.Keys.SealReminder(id, "the lamp") })
		carol, _ := e.quick(store.Address{Local: "carol", Domain: "mail.example"})
		e.bed.ChangeAccount(carol, func(a *store.Account) { a.Status = store.StatusDisabled })
		for _, address := range []string{"BOB@mail.example", "carol@mail.example", "dave@mail.example", "no address\r\nBcc: x", ""} {
			for name, ask := range map[string]func() error{
				"remind":  func() error { return e.Remind(ctx, address, client) },
				"recover": func() error { return e.Recover(ctx, address, client) },
				"change": func() error {
					return e.AskChange(ctx, account.ChangeRequest{Address: address, Password: fresh, Client: client})
				},
			} {
				if err := ask(); err != nil {
					t.Errorf("%s for %q: %v", name, address, err)
				}
			}
		}
		if touched > 0 {
			t.Errorf("the store was asked %d times before the answers", touched)
		}
		for _, job := range jobs {
			job(ctx)
		}
		if n := len(e.accountMails()); n != 3 {
			t.Errorf("%d mails, want 3", n)
		}
		for _, m := range e.accountMails() {
			if !strings.Contains(m, "To: Bob@mail.example\r\n") {
				t.Errorf("a mail goes elsewhere:\n%s", m)
			}
		}
	})
}

type countingStore struct {
	store.Store
	n *int
}

func (s *countingStore) View(ctx context.Context, f func(store.Tx) error) error {
	*s.n++
	return s.Store.View(ctx, f)
}

func (s *countingStore) Update(ctx context.Context, f func(store.Tx) error) error {
	*s.n++
	return s.Store.Update(ctx, f)
}

func TestA02RemindersAreNoNuisance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t, func(c *account.Config) { c.PerMinute = 10 })
		ctx := t.Context()
		e.quick(bob)
		busy := new(account.BusyError)
		for i := range 11 {
			if err := e.Remind(ctx, bob.String(), client); i < 10 && err != nil || i == 10 && !errors.As(err, &busy) {
				t.Errorf("request %d of a minute: %v", i+1, err)
			}
		}
		if n := len(e.accountMails()); n != 1 {
			t.Errorf("%d mails for requests in one minute, want 1", n)
		}
		for range 40 {
			time.Sleep(2 * time.Minute)
			must(t, e.Remind(ctx, bob.String(), client))
		}
		if n := len(e.accountMails()); n < 8 || n > 12 {
			t.Errorf("%d mails in 80 minutes, want some 10", n)
		}
	})
}

// The one welcome link that nobody may take from the owner of an address is that of an account that he has not confirmed.
func TestK8LinkFromBeforeTheDisowningRegistersNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		ctx := t.Context()
		forwarded, _ := e.sealed(bob)
		time.Sleep(time.Hour)
		intruder := e.register(forwarded)
		e.askChange(fresh)
		pending := e.found(activation)
		must(t, e.DisownWelcome(ctx, e.welcome(), client))
		if _, err := e.Activate(ctx, pending, newPassword(fresh)); !errors.Is(err, account.ErrUnknownLink) {
			t.Errorf("what the intruder had begun goes on: %v", err)
		}
		for range 2 {
			_, err := e.Register(ctx, account.Registration{Secret: forwarded, Password: password, Client: client})
			if !errors.Is(err, account.ErrLinkDisowned) {
				t.Fatalf("the same link registers again: %v", err)
			}
		}
		time.Sleep(time.Hour)
		newer, _ := e.sealed(bob)
		owner, err := e.Register(ctx, account.Registration{Secret: newer, Password: fresh, Client: client})
		must(t, err)
		if owner.Account.ID != intruder.Account.ID || len(owner.Account.Keys) != 2 {
			t.Errorf("the owner got account %s with %d keys", owner.Account.ID, len(owner.Account.Keys))
		}
	})
}

func TestLaterFinishesWhatItPromised(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := account.NewLater()
		n := 0
		for l.Do(func(context.Context) { n++ }) {
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		must(t, l.Run(ctx))
		if n != 256 {
			t.Errorf("%d jobs done, want 256", n)
		}
		if !l.Do(func(context.Context) {}) {
			t.Error("nothing is taken afterwards")
		}
	})
}
