package storetest

import (
	"fmt"

	"postern/store"
)

func administratorCases() []testCase {
	return []testCase{
		{"EveryFieldOfAnAdministratorSurvives", everyFieldOfAdministrator},
		{"AdministratorsAreApartFromAccounts", administratorsApart},
		{"AdministratorSetDemandsTheStoredVersion", administratorVersion},
		{"AdministratorsPageByAddress", administratorPages},
	}
}

func administrator(n byte, addr string) store.Administrator {
	return store.Administrator{ID: id[store.AccountID](n), Address: address(addr), Role: store.RoleAuditor, Status: store.StatusInvited, Created: at(int(n))}
}

func (b *bench) addAdministrators(all ...store.Administrator) {
	b.Helper()
	b.update(func(tx store.Tx) error {
		for _, a := range all {
			if err := tx.Administrators().Create(a); err != nil {
				return err
			}
		}
		return nil
	})
}

func everyFieldOfAdministrator(b *bench) {
	a := filled[store.Administrator]()
	b.addAdministrators(a)
	want := cutTimes(a)
	want.Version = 1
	same(b, "administrator", read(b, func(tx store.Tx) (store.Administrator, error) { return tx.Administrators().Get(a.ID) }), want)
	same(b, "by address", read(b, func(tx store.Tx) (store.Administrator, error) { return tx.Administrators().ByAddress(a.Address.Key()) }), want)
	missing(b, store.ErrNotFound, func(tx store.Tx) (store.Administrator, error) {
		return tx.Administrators().ByAddress("nobody@example.net")
	})
}

// administratorsApart: one address may be both, and neither list has the other's rows.
func administratorsApart(b *bench) {
	b.addAccounts(account(1, "ann@example.org"))
	b.addAdministrators(administrator(2, "ann@example.org"))
	same(b, "account", read(b, byAddress("ann@example.org")), id[store.AccountID](1))
	same(b, "accounts", read(b, count(store.StatusNone)), 1)
	missing(b, store.ErrNotFound, func(tx store.Tx) (store.Account, error) { return tx.Accounts().Get(id[store.AccountID](2)) })
	missing(b, store.ErrNotFound, func(tx store.Tx) (store.Administrator, error) { return tx.Administrators().Get(id[store.AccountID](1)) })
	create := func(a store.Administrator) func(tx store.Tx) error {
		return func(tx store.Tx) error { return tx.Administrators().Create(a) }
	}
	b.fails(store.ErrExists, create(administrator(3, "Ann@Example.Org")))
	b.fails(store.ErrExists, create(administrator(2, "new@example.org")))
	b.fails(nil, create(administrator(0, "new@example.org")))
}

func administratorVersion(b *bench) {
	a := administrator(1, "ann@example.org")
	b.addAdministrators(a, administrator(2, "zoe@example.org"))
	a.Version = 1
	a.Address = address("anna@example.org")
	b.update(func(tx store.Tx) error { return tx.Administrators().Set(a) })
	b.fails(store.ErrConflict, func(tx store.Tx) error { return tx.Administrators().Set(a) })
	a.Version, a.Address = 2, address("zoe@example.org")
	b.fails(store.ErrExists, func(tx store.Tx) error { return tx.Administrators().Set(a) })
	missing(b, store.ErrNotFound, func(tx store.Tx) (store.Administrator, error) {
		return tx.Administrators().ByAddress("ann@example.org")
	})
}

func administratorPages(b *bench) {
	var all []string
	for n := range byte(7) {
		a := administrator(n+1, fmt.Sprintf("admin%d@example.org", 7-n))
		all = append([]string{a.Address.String()}, all...)
		b.addAdministrators(a)
	}
	for _, n := range []int{1, 3, 100} {
		var got []string
		for _, a := range walk(b, n, func(tx store.Tx, c store.Cursor, n int) ([]store.Administrator, store.Cursor, error) {
			return tx.Administrators().List(c, n)
		}) {
			got = append(got, a.Address.String())
		}
		same(b, "administrators", got, all)
	}
}
