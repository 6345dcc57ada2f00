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
