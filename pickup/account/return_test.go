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

// A parting that was cut off before the messages were given back goes on at the next sign-in of the account that has them,
// before its owner can read them; until then no key that they may need is dropped.
func TestK9PartedMessagesAreGivenBackAtTheNextSignIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		ctx := t.Context()
		e.quick(rob)
		id, seed := e.quick(bob)
		robID, bobs := e.accountID(rob), e.bed.Account(id).Keys[0].ID
		_, key := e.sealed(rob)
		_, own := e.sealed(bob)
		for _, k := range []store.RcptKey{key, own} {
			e.bed.ChangeRcpt(k, func(r *store.Recipient) {
				r.Account = id
				r.Grants = append(r.Grants, store.Grant{Kind: store.GrantAccount, Key: seal.PublicKeyID(seed.Public())})
			})
		}
		e.bed.ChangeAccount(robID, func(a *store.Account) { a.Registered, a.OwedBy = false, []store.AccountID{id} })
		e.bed.ChangeAccount(id, func(a *store.Account) { a.Returns = []store.AccountID{robID} })
		_ = e.in(bob)
		if r := e.bed.Rcpt(key); r.Account != robID || len(r.Grants) != 1 || r.Grants[0].Kind != store.GrantLink {
			t.Errorf("the message of the parted address: %+v", r)
		}
		if r := e.bed.Rcpt(own); r.Account != id || len(r.Grants) != 2 || r.Grants[1].Key != bobs {
			t.Errorf("a message of the account's own: %+v", r)
		}
		if a, back := e.bed.Account(id), e.bed.Account(robID); len(a.Returns) != 0 || len(back.OwedBy) != 0 {
			t.Errorf("still to do: %v, %v", a.Returns, back.OwedBy)
		}
		if err := e.ReleaseAlias(ctx, "priya", id, rob); !errors.Is(err, account.ErrNoAlias) {
			t.Errorf("what is no alias: %v", err)
		}
		if err := e.ReleaseAlias(ctx, "priya", id, bob); !errors.Is(err, account.ErrNoAlias) {
			t.Errorf("the account's own address: %v", err)
		}
	})
}

// TestK9LinkFromBeforeTheReleaseTakesNothing: who had the mailbox for a while may have asked from several accounts. Their
// links end when the help desk takes the address back; one that is mailed afterwards works.
func TestK9LinkFromBeforeTheReleaseTakesNothing(t *testing.T) {
	carl := store.Address{Local: "carl", Domain: "mail.example"}
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		ctx := t.Context()
		e.quick(rob)
		first, _ := e.quick(bob)
		e.quick(carl)
		one := e.in(bob)
		two := e.in(carl)
		kept := e.ask(two, rob)
		e.takes(one, rob)
		time.Sleep(time.Minute)
		must(t, e.ReleaseAlias(ctx, "priya", first, rob))
		if err := e.ConfirmAlias(ctx, two, account.AliasAnswer{Token: kept, Client: client}); !errors.Is(err, account.ErrUnknownLink) {
			t.Errorf("the link of before: %v", err)
		}
		if a := e.bed.Account(two.Account.ID); len(a.Aliases) != 0 {
			t.Errorf("aliases %v", a.Aliases)
		}
		time.Sleep(time.Minute)
		e.takes(two, rob)
		// The account of before was told that it ended. The row that was left has no log-on to lose.
		if n := len(e.mails("new messages to this address arrive")); n != 1 {
			t.Errorf("the address was told %d times that its account ended", n)
		}
	})
}

// TestK8DisowningGivesBackWhatWasMerged: an intruder registers with a forwarded link, makes another address an alias, and
// with it takes that one's account over. "It was not me" takes his account away, and gives back the other one whole.
func TestK8DisowningGivesBackWhatWasMerged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		ctx := t.Context()
		robID, robSeed := e.quick(rob)
		secret, _ := e.sealed(bob)
		who := e.register(secret)
		welcome := e.welcome()
		e.takes(who, rob)
		id := who.Account.ID
		_, key := e.sealed(rob)
		e.bed.ChangeRcpt(key, func(r *store.Recipient) {
			r.Account = id
			r.Grants = append(r.Grants, store.Grant{Kind: store.GrantAccount, Key: e.bed.Account(id).Keys[0].ID})
		})
		time.Sleep(time.Minute)
		must(t, e.DisownWelcome(ctx, welcome, client))

		back := e.bed.Account(robID)
		if back.Status != store.StatusActive || !back.Into.IsZero() || back.Registered || len(back.OwedBy) != 0 || len(back.Keys) != 1 {
			t.Fatalf("the merged account: %+v", back)
		}
		if seed, err := e.bed.Keys.OpenBox(password, robID, back.Keys[0]); err != nil || seed != robSeed {
			t.Errorf("its key: %v", err)
		}
		if a := e.bed.Account(id); len(a.Aliases)+len(a.Adopts)+len(a.Returns) != 0 || len(a.Keys) != 1 {
			t.Errorf("the disowned account: %+v", a)
		}
		if r := e.bed.Rcpt(key); r.Account != robID || len(r.Grants) != 1 || r.Grants[0].Kind != store.GrantLink {
			t.Errorf("the message of the merged address: %+v", r)
		}
		told := e.mails("To: " + rob.String())
		if last := told[len(told)-1]; !strings.Contains(last, "was removed from an account") {
			t.Errorf("its address is told:\n%s", last)
		}
		if got := e.events(robID); !slices.Contains(got, store.EventAliasGone) {
			t.Errorf("events of the merged account: %v", got)
		}
	})
}

// TestK9TwoAccountsOweOne: an address was parted from two accounts, and neither has given back yet. What the first one
// gives back settles nothing for the second, so the keys stay.
func TestK9TwoAccountsOweOne(t *testing.T) {
	carl := store.Address{Local: "carl", Domain: "mail.example"}
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		ctx := t.Context()
		robID, _ := e.quick(rob)
		first, _ := e.quick(bob)
		second, _ := e.quick(carl)
		e.bed.ChangeAccount(robID, func(a *store.Account) { a.Registered, a.OwedBy = false, []store.AccountID{first, second} })
		for i, id := range []store.AccountID{first, second} {
			e.bed.ChangeAccount(id, func(a *store.Account) { a.Returns = []store.AccountID{robID} })
			if owed := e.bed.Account(robID).OwedBy; len(owed) != 2-i {
				t.Errorf("owed by %v", owed)
			}
			_, err := e.SignIn(ctx, login(e.bed.Account(id).Address.String(), password))
			must(t, err)
		}
		if owed := e.bed.Account(robID).OwedBy; len(owed) != 0 {
			t.Errorf("owed by %v in the end", owed)
		}
	})
}

// TestK9ReleasedAddressTakesItsAliasesAlong: who took an account over has its aliases too. When the help desk gives the
// address back nobody keeps them: each is an address of its own until somebody confirms it.
func TestK9ReleasedAddressTakesItsAliasesAlong(t *testing.T) {
	robin := store.Address{Local: "robin", Domain: "mail.example"}
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		ctx := t.Context()
		robID, robSeed := e.quick(rob)
		e.bed.ChangeAccount(robID, func(a *store.Account) { a.Aliases = []store.Address{robin} })
		robs := e.bed.Account(robID).Keys[0].ID
		_, key := e.sealed(robin)
		e.bed.ChangeRcpt(key, func(r *store.Recipient) {
			r.Account = robID
			r.Grants = append(r.Grants, store.Grant{Kind: store.GrantAccount, Key: robs})
		})
		id, _ := e.quick(bob)
		who := e.in(bob)
		e.takes(who, rob)
		if a := e.bed.Account(id); !slices.Equal(a.Aliases, []store.Address{robin, rob}) || e.bed.Rcpt(key).Account != id {
			t.Fatalf("the merger: %v", a.Aliases)
		}
		merged := e.event(robID, store.EventMerged)
		if merged.Facts["aliases"] != robin.String() {
			t.Errorf("the event of the merger: %v", merged.Facts)
		}
		time.Sleep(time.Minute)
		must(t, e.ReleaseAlias(ctx, "priya", id, rob))
		if a := e.bed.Account(id); len(a.Aliases)+len(a.Returns) != 0 || len(a.Keys) != 1 {
			t.Errorf("who had them: %+v", a)
		}
		for _, address := range []store.Address{rob, robin} {
			row := e.lookup(address)
			if row.Address != address || row.Registered || len(row.Aliases)+len(row.Brought)+len(row.OwedBy) != 0 {
				t.Errorf("the row of %s: %+v", address, row)
			}
			told := e.mails("To: " + address.String())
			if last := told[len(told)-1]; !strings.Contains(last, "was removed from an account") {
				t.Errorf("%s is told:\n%s", address, last)
			}
		}
		if r := e.bed.Rcpt(key); r.Account != e.lookup(robin).ID || len(r.Grants) != 2 {
			t.Errorf("the message of the alias: %+v", r)
		}

		// Rob registers anew, confirms the alias again, and reads what came for it with his password of before.
		time.Sleep(time.Minute)
		secret, _ := e.sealed(rob)
		back := e.register(secret)
		session := back.Token
		e.takes(back, robin)
		back, err := e.Resume(ctx, session)
		must(t, err)
		must(t, e.UseEarlier(ctx, back, account.Earlier{Current: password, Earlier: password, Client: client}))
		back, err = e.Resume(ctx, session)
		must(t, err)
		if seed, err := e.SeedOf(back, robs); err != nil || seed != robSeed || e.bed.Rcpt(key).Account != robID {
			t.Errorf("the message of the alias in the end: %v, %+v", err, e.bed.Rcpt(key))
		}
	})
}

// TestK9NestedMergersGoBackWhole: rob was merged into bob with his password, so that his key hung on bob's, and bob into
// carl. When the help desk takes bob back, each has its own key again, which opens with its own password.
func TestK9NestedMergersGoBackWhole(t *testing.T) {
	carl := store.Address{Local: "carl", Domain: "mail.example"}
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		ctx := t.Context()
		robID, robSeed := e.quick(rob)
		bobID, bobSeed := e.quick(bob)
		carlID, _ := e.quick(carl)
		one := e.in(bob)
		must(t, e.ConfirmAlias(ctx, one, account.AliasAnswer{Token: e.ask(one, rob), Password: password, Client: client}))
		two := e.in(carl)
		must(t, e.ConfirmAlias(ctx, two, account.AliasAnswer{Token: e.ask(two, bob), Password: password, Client: client}))
		time.Sleep(time.Minute)
		must(t, e.ReleaseAlias(ctx, "priya", carlID, bob))
		for id, want := range map[store.AccountID]seal.Seed{robID: robSeed, bobID: bobSeed} {
			a := e.bed.Account(id)
			if len(a.Keys) != 1 || a.Keys[0].State != store.KeyLocked {
				t.Fatalf("keys of %s: %+v", a.Address, a.Keys)
			}
			if seed, err := e.bed.Keys.OpenBox(password, id, a.Keys[0]); err != nil || seed != want {
				t.Errorf("the key of %s: %v", a.Address, err)
			}
		}
		if a := e.bed.Account(carlID); len(a.Keys) != 1 || len(a.Aliases) != 0 {
			t.Errorf("who had them: %+v", a)
		}
	})
}

// TestK9WhoTakesADebtorOverOwes: bob still owes carl and rob what came for them. Carl, who takes bob over, owes himself
// nothing: his own messages keep their grants. Rob is paid by carl.
func TestK9WhoTakesADebtorOverOwes(t *testing.T) {
	carl := store.Address{Local: "carl", Domain: "mail.example"}
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		robID, _ := e.quick(rob)
		bobID, _ := e.quick(bob)
		carlID, _ := e.quick(carl)
		for _, id := range []store.AccountID{robID, carlID} {
			e.bed.ChangeAccount(id, func(a *store.Account) { a.OwedBy = []store.AccountID{bobID} })
		}
		e.bed.ChangeAccount(bobID, func(a *store.Account) { a.Returns = []store.AccountID{robID, carlID} })
		_, key := e.sealed(carl)
		e.bed.ChangeRcpt(key, func(r *store.Recipient) {
			r.Account = carlID
			r.Grants = append(r.Grants, store.Grant{Kind: store.GrantAccount, Key: e.bed.Account(carlID).Keys[0].ID})
		})
		who := e.in(carl)
		e.takes(who, bob)
		if a := e.bed.Account(carlID); !slices.Equal(a.Returns, []store.AccountID{robID}) || len(a.OwedBy) != 0 {
			t.Errorf("carl owes %v and is owed by %v", a.Returns, a.OwedBy)
		}
		_ = e.in(carl)
		if r := e.bed.Rcpt(key); len(r.Grants) != 2 {
			t.Errorf("his own message: %+v", r)
		}
		if a, back := e.bed.Account(carlID), e.bed.Account(robID); len(a.Returns) != 0 || len(back.OwedBy) != 0 {
			t.Errorf("in the end carl owes %v, rob is owed by %v", a.Returns, back.OwedBy)
		}
	})
}

// TestK9AliasConfirmedAnewStays: an alias that came with a merged account, left, and was confirmed by a mail of its own is
// the account's; it does not go when the merged one does.
func TestK9AliasConfirmedAnewStays(t *testing.T) {
	robin := store.Address{Local: "robin", Domain: "mail.example"}
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		ctx := t.Context()
		robID, _ := e.quick(rob)
		e.bed.ChangeAccount(robID, func(a *store.Account) { a.Aliases = []store.Address{robin} })
		id, _ := e.quick(bob)
		who := e.in(bob)
		session := who.Token
		e.takes(who, rob)
		who, err := e.Resume(ctx, session)
		must(t, err)
		must(t, e.RemoveAlias(ctx, who, account.AliasForm{Address: robin.String(), Password: password, Client: client}))
		time.Sleep(time.Minute)
		who, err = e.Resume(ctx, session)
		must(t, err)
		e.takes(who, robin)
		must(t, e.ReleaseAlias(ctx, "priya", id, rob))
		if a := e.bed.Account(id); !slices.Equal(a.Aliases, []store.Address{robin}) {
			t.Errorf("aliases %v", a.Aliases)
		}
	})
}
