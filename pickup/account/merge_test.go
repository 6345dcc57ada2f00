package account_test

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"postern/pickup/account"
	"postern/store"
)

var rob = store.Address{Local: "rob", Domain: "mail.example"}

var aliasLink = regexp.MustCompile(`https://pickup\.example\.org/a/([0-9a-z]{37})`)

// ask asks for an alias and returns the token that was mailed.
func (e *env) ask(who account.Signed, alias store.Address) string {
	e.t.Helper()
	time.Sleep(time.Second) // mails of one moment have no order
	must(e.t, e.AddAlias(e.t.Context(), who, account.AliasForm{Address: alias.String(), Password: password, Client: client}))
	mails := e.mails("To: " + alias.String())
	m := aliasLink.FindStringSubmatch(mails[len(mails)-1])
	if m == nil {
		e.t.Fatal("no link in the alias mail")
	}
	return m[1]
}

// in signs somebody in.
func (e *env) in(address store.Address) account.Signed {
	e.t.Helper()
	who, err := e.SignIn(e.t.Context(), login(address.String(), password))
	must(e.t, err)
	return who
}

// takes makes an address an alias, without the password of an account that it may have.
func (e *env) takes(who account.Signed, alias store.Address) {
	e.t.Helper()
	must(e.t, e.ConfirmAlias(e.t.Context(), who, account.AliasAnswer{Token: e.ask(who, alias), Client: client}))
}

// Versions of a merged account open with the account that took them over, also after rotation of the server key and a
// change of password (KEYS K9 "Alias", K7).
func TestK9MergedKeysOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		ctx := t.Context()
		_, robSeed := e.quick(rob)
		id, _ := e.quick(bob)
		who, err := e.SignIn(ctx, login("bob@mail.example", password))
		must(t, err)
		token := e.ask(who, rob)
		must(t, e.ConfirmAlias(ctx, who, account.AliasAnswer{Token: token, Password: password, Client: client}))
		a := e.bed.Account(id)
		old := a.Keys[1]
		if old.State != store.KeyChained || old.Of != e.accountID(rob) || !a.Owns(rob.Key()) {
			t.Fatalf("keys %+v", a.Keys)
		}
		who, err = e.ChangePassword(ctx, who, change(password, next, ""))
		must(t, err)
		kid, err := e.bed.Keys.Add()
		must(t, err)
		must(t, e.bed.Keys.Promote(kid))
		a = e.bed.Account(id)
		changed, err := e.bed.Keys.RewrapAccount(&a)
		if err != nil || !changed {
			t.Fatalf("rotation: %v", err)
		}
		who.Account = a
		if seed, err := e.SeedOf(who, old.ID); err != nil || seed != robSeed {
			t.Errorf("the merged key: %v", err)
		}
		if seed, err := e.bed.Keys.OpenBox(password, id, a.Keys[1]); err != nil || seed != robSeed {
			t.Errorf("its box: %v", err)
		}
	})
}

func (e *env) accountID(address store.Address) (id store.AccountID) {
	copy(id[:], address.Key())
	return id
}

// Without its password the versions are locked, and an earlier password opens them later on (KEYS K7).
func TestK9MergedKeyOpensWithItsEarlierPassword(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		ctx := t.Context()
		_, robSeed := e.quick(rob)
		id, _ := e.quick(bob)
		who, err := e.SignIn(ctx, login("bob@mail.example", password))
		must(t, err)
		session := who.Token
		must(t, e.ConfirmAlias(ctx, who, account.AliasAnswer{Token: e.ask(who, rob), Client: client}))
		a := e.bed.Account(id)
		if a.Keys[1].State != store.KeyLocked {
			t.Fatalf("keys %+v", a.Keys)
		}
		who, err = e.Resume(ctx, session)
		must(t, err)
		if _, err := e.SeedOf(who, a.Keys[1].ID); !errors.Is(err, account.ErrNoKey) {
			t.Errorf("the locked key: %v", err)
		}
		must(t, e.UseEarlier(ctx, who, account.Earlier{Current: password, Earlier: password, Client: client}))
		who, err = e.Resume(ctx, session)
		must(t, err)
		if seed, err := e.SeedOf(who, a.Keys[1].ID); err != nil || seed != robSeed {
			t.Errorf("after its password was typed: %v", err)
		}
	})
}

// A merger that was cut off before its messages were moved goes on at the next sign-in.
func TestK9MergedMessagesAreMovedAtTheNextSignIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		ctx := t.Context()
		e.quick(rob)
		id, _ := e.quick(bob)
		robID := e.accountID(rob)
		var keys []store.RcptKey
		for range 3 {
			_, key := e.sealed(rob)
			keys = append(keys, key)
			e.bed.Update(func(tx store.Tx) error {
				r, err := tx.Messages().Recipient(key)
				if err != nil {
					return err
				}
				r.Account = robID
				return tx.Messages().Set(r)
			})
		}
		e.bed.ChangeAccount(robID, func(a *store.Account) { a.Status, a.Into, a.Registered = store.StatusMerged, id, false })
		e.bed.ChangeAccount(id, func(a *store.Account) { a.Aliases, a.Adopts = []store.Address{rob}, []store.AccountID{robID} })
		_, err := e.SignIn(ctx, login("rob@mail.example", password))
		must(t, err)
		for _, key := range keys {
			if got := e.bed.Rcpt(key).Account; got != id {
				t.Errorf("message %s is %s's", key, got)
			}
		}
		if a := e.bed.Account(id); len(a.Adopts) != 0 {
			t.Errorf("still adopts %v", a.Adopts)
		}
		if err := e.Enable(ctx, "root", robID); !errors.Is(err, account.ErrMerged) {
			t.Errorf("enabling the merged row: %v, want ErrMerged", err)
		}
	})
}

// Only a full session of the account that asked confirms; two at once add the alias once.
func TestB13ConfirmAliasOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		ctx := t.Context()
		id, _ := e.quick(bob)
		who, err := e.SignIn(ctx, login("bob@mail.example", password))
		must(t, err)
		token := e.ask(who, rob)
		half := who
		half.Session.Kind = store.SessionChange
		if err := e.ConfirmAlias(ctx, half, account.AliasAnswer{Token: token}); !errors.Is(err, account.ErrNoSession) {
			t.Errorf("a session to change a password: %v, want ErrNoSession", err)
		}
		errs := make(chan error)
		for range 2 {
			go func() {
				errs <- e.ConfirmAlias(context.WithoutCancel(ctx), who, account.AliasAnswer{Token: token, Client: client})
			}()
		}
		first, second := <-errs, <-errs
		if (first == nil) == (second == nil) || !errors.Is(errors.Join(first, second), store.ErrUsed) {
			t.Errorf("two at once: %v and %v", first, second)
		}
		if a := e.bed.Account(id); !slices.Equal(a.Aliases, []store.Address{rob}) {
			t.Errorf("aliases %v", a.Aliases)
		}
		if n := len(e.mails("was added to your account")); n != 1 {
			t.Errorf("%d notices, want 1", n)
		}
	})
}
