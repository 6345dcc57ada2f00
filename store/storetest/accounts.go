package storetest

import (
	"fmt"

	"postern/store"
)

func accountCases() []testCase {
	return []testCase{
		{"EveryFieldOfAnAccountSurvives", everyFieldOfAccount},
		{"AccountAddressesAreUnique", addressesUnique},
		{"AccountSetDemandsTheStoredVersion", accountVersion},
		{"AccountSetMovesAddressesAndStatus", accountMoves},
		{"AccountsPageByAddress", accountPages},
		{"AliasesComeAndGo", aliasesComeAndGo},
		{"MergedAccountsKeepTheirRow", mergedAccounts},
	}
}

func account(n byte, addr string) store.Account {
	return store.Account{
		ID: id[store.AccountID](n), Address: address(addr), Status: store.StatusActive, Standing: store.Provisional,
		Created: at(int(n)),
	}
}

func (b *bench) addAccounts(all ...store.Account) {
	b.Helper()
	b.update(func(tx store.Tx) error {
		for _, a := range all {
			if err := tx.Accounts().Create(a); err != nil {
				return err
			}
		}
		return nil
	})
}

func (b *bench) changeAccount(id store.AccountID, f func(a *store.Account)) {
	b.Helper()
	b.update(func(tx store.Tx) error {
		a, err := tx.Accounts().Get(id)
		if err != nil {
			return err
		}
		f(&a)
		return tx.Accounts().Set(a)
	})
}

func byAddress(k store.AddressKey) func(tx store.Tx) (store.AccountID, error) {
	return func(tx store.Tx) (store.AccountID, error) {
		a, err := tx.Accounts().ByAddress(k)
		return a.ID, err
	}
}

func everyFieldOfAccount(b *bench) {
	a := filled[store.Account]()
	b.addAccounts(a)
	want := cutTimes(a)
	want.Version = 1
	same(b, "account", read(b, func(tx store.Tx) (store.Account, error) { return tx.Accounts().Get(a.ID) }), want)
	for _, addr := range append(a.Aliases, a.Address) {
		same(b, "account of "+addr.String(), read(b, byAddress(addr.Key())), a.ID)
	}
	missing(b, store.ErrNotFound, byAddress("nobody@example.net"))
	missing(b, store.ErrNotFound, func(tx store.Tx) (store.Account, error) { return tx.Accounts().Get(id[store.AccountID](99)) })
}

func addressesUnique(b *bench) {
	a := account(1, "bob@example.net")
	a.Aliases = []store.Address{address("robert@example.net"), address("BOB@example.net")}
	b.addAccounts(a, account(2, "eve@example.net"))
	create := func(a store.Account) func(tx store.Tx) error {
		return func(tx store.Tx) error { return tx.Accounts().Create(a) }
	}
	b.fails(store.ErrExists, create(account(1, "new@example.net")))
	b.fails(store.ErrExists, create(account(3, "Bob@Example.Net")))
	b.fails(store.ErrExists, create(account(3, "robert@example.net")))
	aliased := account(3, "new@example.net")
	aliased.Aliases = []store.Address{address("eve@example.net")}
	b.fails(store.ErrExists, create(aliased))
	b.fails(store.ErrExists, func(tx store.Tx) error {
		eve, err := tx.Accounts().Get(id[store.AccountID](2))
		if err != nil {
			return err
		}
		eve.Address = address("robert@example.net")
		return tx.Accounts().Set(eve)
	})
	same(b, "owner of the alias", read(b, byAddress("robert@example.net")), a.ID)
	same(b, "accounts", read(b, count(store.StatusNone)), 2)
}

func count(s store.Status) func(tx store.Tx) (int64, error) {
	return func(tx store.Tx) (int64, error) { return tx.Accounts().Count(s, "") }
}

func accountVersion(b *bench) {
	a := account(1, "bob@example.net")
	b.addAccounts(a)
	a.Version = 1
	b.update(func(tx store.Tx) error { return tx.Accounts().Set(a) })
	b.fails(store.ErrConflict, func(tx store.Tx) error { return tx.Accounts().Set(a) })
	b.fails(store.ErrNotFound, func(tx store.Tx) error { return tx.Accounts().Set(account(2, "eve@example.net")) })
}

func accountMoves(b *bench) {
	a := account(1, "bob@example.net")
	a.Aliases = []store.Address{address("robert@example.net")}
	b.addAccounts(a)
	b.changeAccount(a.ID, func(a *store.Account) {
		a.Address, a.Aliases = address("robert@example.net"), []store.Address{address("rob@example.net")}
		a.Status = store.StatusDisabled
	})
	missing(b, store.ErrNotFound, byAddress("bob@example.net"))
	for _, k := range []store.AddressKey{"robert@example.net", "rob@example.net"} {
		same(b, string(k), read(b, byAddress(k)), a.ID)
	}
	for s, want := range map[store.Status]int64{store.StatusNone: 1, store.StatusActive: 0, store.StatusDisabled: 1} {
		same(b, fmt.Sprintf("accounts %q", s), read(b, count(s)), want)
		same(b, fmt.Sprintf("list %q", s), len(addresses(b, s, 5)), int(want))
	}
}

func addresses(b *bench, s store.Status, n int) (out []string) {
	rows := walk(b, n, func(tx store.Tx, c store.Cursor, n int) ([]store.Account, store.Cursor, error) {
		return tx.Accounts().List(store.AccountFilter{Status: s}, c, n)
	})
	for _, a := range rows {
		out = append(out, a.Address.String())
	}
	return out
}

func accountPages(b *bench) {
	var all, invited []string
	for n := range byte(9) {
		a := account(n+1, fmt.Sprintf("user%d@example.net", 9-n))
		a.Aliases = []store.Address{address(fmt.Sprintf("alias%d@example.net", n))}
		if n%3 == 0 {
			a.Status = store.StatusInvited
			invited = append([]string{a.Address.String()}, invited...)
		}
		all = append([]string{a.Address.String()}, all...)
		b.addAccounts(a)
	}
	for _, n := range []int{1, 4, 100} {
		same(b, "all accounts", addresses(b, store.StatusNone, n), all)
		same(b, "invited accounts", addresses(b, store.StatusInvited, n), invited)
	}
}

// aliasesComeAndGo: an alias leads to its account, belongs to one account only, and is free again once it is removed.
func aliasesComeAndGo(b *bench) {
	bob, eve := account(1, "bob@example.net"), account(2, "eve@example.net")
	b.addAccounts(bob, eve)
	aliases := func(list ...string) func(a *store.Account) {
		return func(a *store.Account) {
			a.Aliases = nil
			for _, s := range list {
				a.Aliases = append(a.Aliases, address(s))
			}
		}
	}
	take := func(id store.AccountID, alias string) func(tx store.Tx) error {
		return func(tx store.Tx) error {
			a, err := tx.Accounts().Get(id)
			if err != nil {
				return err
			}
			a.Aliases = append(a.Aliases, address(alias))
			return tx.Accounts().Set(a)
		}
	}
	b.changeAccount(bob.ID, aliases("Robert@Example.NET", "rob@example.net"))
	for _, k := range []store.AddressKey{"bob@example.net", "robert@example.net", "rob@example.net"} {
		same(b, string(k), read(b, byAddress(k)), bob.ID)
	}
	b.fails(store.ErrExists, take(eve.ID, "rob@example.net"))
	b.fails(store.ErrExists, take(eve.ID, "bob@example.net"))
	b.fails(store.ErrExists, take(bob.ID, "eve@example.net"))
	same(b, "accounts", addresses(b, store.StatusNone, 5), []string{"bob@example.net", "eve@example.net"})
	b.changeAccount(bob.ID, aliases("Robert@Example.NET"))
	missing(b, store.ErrNotFound, byAddress("rob@example.net"))
	same(b, "the alias that stays", read(b, byAddress("robert@example.net")), bob.ID)
	b.update(take(eve.ID, "rob@example.net"))
	same(b, "the alias of another", read(b, byAddress("rob@example.net")), eve.ID)
}

// mergedAccounts: an account whose address became an alias of another keeps its row and leads nowhere.
func mergedAccounts(b *bench) {
	bob := account(1, "bob@example.net")
	b.addAccounts(bob)
	for n := range byte(2) { // the second registers after the alias was removed
		merged := account(n+2, "rob@example.net")
		b.addAccounts(merged)
		b.update(func(tx store.Tx) error {
			row, err := tx.Accounts().Get(merged.ID)
			if err != nil {
				return err
			}
			row.Status, row.Into = store.StatusMerged, bob.ID
			if err := tx.Accounts().Set(row); err != nil {
				return err
			}
			main, err := tx.Accounts().Get(bob.ID)
			if err != nil {
				return err
			}
			main.Aliases = []store.Address{address("rob@example.net")}
			return tx.Accounts().Set(main)
		})
		same(b, "owner of the address", read(b, byAddress("rob@example.net")), bob.ID)
		same(b, "merged into", read(b, func(tx store.Tx) (store.Account, error) { return tx.Accounts().Get(merged.ID) }).Into, bob.ID)
		b.changeAccount(bob.ID, func(a *store.Account) { a.Aliases = nil })
		missing(b, store.ErrNotFound, byAddress("rob@example.net"))
	}
	for _, n := range []int{1, 5} {
		same(b, "all accounts", addresses(b, store.StatusNone, n), []string{"bob@example.net", "rob@example.net", "rob@example.net"})
		same(b, "merged accounts", addresses(b, store.StatusMerged, n), []string{"rob@example.net", "rob@example.net"})
	}
	for s, want := range map[store.Status]int64{store.StatusNone: 3, store.StatusActive: 1, store.StatusMerged: 2} {
		same(b, fmt.Sprintf("accounts %q", s), read(b, count(s)), want)
	}
}
