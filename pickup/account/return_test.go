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
		e.bed.ChangeAccount(robID, func(a *store.Account) { a.Registered, a.OwedBy = false, id })
		e.bed.ChangeAccount(id, func(a *store.Account) { a.Returns = []store.AccountID{robID} })
		_, err := e.SignIn(ctx, login(bob.String(), password))
		must(t, err)
		if r := e.bed.Rcpt(key); r.Account != robID || len(r.Grants) != 1 || r.Grants[0].Kind != store.GrantLink {
			t.Errorf("the message of the parted address: %+v", r)
		}
		if r := e.bed.Rcpt(own); r.Account != id || len(r.Grants) != 2 || r.Grants[1].Key != bobs {
			t.Errorf("a message of the account's own: %+v", r)
		}
		if a, back := e.bed.Account(id), e.bed.Account(robID); len(a.Returns) != 0 || !back.OwedBy.IsZero() {
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
		one, err := e.SignIn(ctx, login(bob.String(), password))
		must(t, err)
		two, err := e.SignIn(ctx, login(carl.String(), password))
		must(t, err)
		kept := e.ask(two, rob)
		must(t, e.ConfirmAlias(ctx, one, account.AliasAnswer{Token: e.ask(one, rob), Client: client}))
		time.Sleep(time.Minute)
		must(t, e.ReleaseAlias(ctx, "priya", first, rob))
		if err := e.ConfirmAlias(ctx, two, account.AliasAnswer{Token: kept, Client: client}); !errors.Is(err, account.ErrUnknownLink) {
			t.Errorf("the link of before: %v", err)
		}
		if a := e.bed.Account(two.Account.ID); len(a.Aliases) != 0 {
			t.Errorf("aliases %v", a.Aliases)
		}
		time.Sleep(time.Minute)
		must(t, e.ConfirmAlias(ctx, two, account.AliasAnswer{Token: e.ask(two, rob), Client: client}))
	})
}
