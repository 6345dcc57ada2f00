package bolt

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"postern/store"
)

// accounts implements store.Accounts.
type accounts struct{ t *tx }

// Marks in addressB.
const (
	markAddress = 'p'
	markAlias   = 'a'
)

func (a accounts) Create(acc store.Account) error {
	if acc.ID.IsZero() {
		return errors.New("create account: it has no id")
	}
	if a.t.has(accountsB, acc.ID[:]) {
		return fmt.Errorf("create account %s: %w", acc.ID, store.ErrExists)
	}
	acc.Version = 1
	return a.write(nil, acc)
}

// write stores an account over its old record, if there is one. ErrExists when an address belongs to another account.
func (a accounts) write(old *store.Account, acc store.Account) error {
	cut(&acc.Created, &acc.RegisteredAt, &acc.LastSignIn, &acc.Disowned)
	acc.Keys = slices.Clone(acc.Keys)
	for i := range acc.Keys {
		cut(&acc.Keys[i].Made)
	}
	value, err := encode("account", acc)
	if err != nil {
		return err
	}
	will, err := accountEntries(acc)
	if err != nil {
		return fmt.Errorf("account %s: %w", acc.ID, err)
	}
	if err := a.free(acc.ID, will); err != nil {
		return err
	}
	var was []entry
	var from []string
	if old != nil {
		from = groupsOf(*old)
		if was, err = accountEntries(*old); err != nil {
			return corrupt("account", acc.ID)
		}
	}
	if err := errors.Join(a.t.move(was, will), a.regroup(from, groupsOf(acc))); err != nil {
		return err
	}
	return a.t.put(accountsB, acc.ID[:], value)
}

// free checks that no other account has one of the addresses.
func (a accounts) free(id store.AccountID, will []entry) error {
	for _, e := range will {
		if e.in != addressB {
			continue
		}
		if owner := a.t.get(addressB, e.key); owner != nil && !bytes.HasPrefix(owner, id[:]) {
			return fmt.Errorf("address of account %s: %w", id, store.ErrExists)
		}
	}
	return nil
}

// accountEntries are the index entries of an account.
func accountEntries(a store.Account) ([]entry, error) {
	main := a.Address.Key()
	if a.Address.IsZero() {
		return nil, errors.New("it has no address")
	}
	if err := errors.Join(checkText("address", main), checkText("status", a.Status)); err != nil {
		return nil, err
	}
	if a.Status == store.StatusMerged { // its address leads to the account that took it over
		return listEntries(a), nil
	}
	out := []entry{
		{in: addressB, key: []byte(main), val: append(slices.Clone(a.ID[:]), markAddress)},
	}
	for _, alias := range a.Aliases {
		key := alias.Key()
		if err := checkText("alias", key); err != nil {
			return nil, err
		}
		e := entry{in: addressB, key: []byte(key), val: append(slices.Clone(a.ID[:]), markAlias)}
		if find(out, e) == nil {
			out = append(out, e)
		}
	}
	return append(out, listEntries(a)...), nil
}

func (a accounts) Get(id store.AccountID) (acc store.Account, err error) {
	value := a.t.get(accountsB, id[:])
	if value == nil {
		return acc, fmt.Errorf("account %s: %w", id, store.ErrNotFound)
	}
	if !decode(value, &acc) {
		return store.Account{}, corrupt("account", id)
	}
	acc.ID = id
	return acc, nil
}

func (a accounts) ByAddress(k store.AddressKey) (store.Account, error) {
	owner := a.t.get(addressB, []byte(k))
	if owner == nil {
		return store.Account{}, fmt.Errorf("account of address: %w", store.ErrNotFound)
	}
	return a.listed(owner)
}

// listed reads the account that an index entry names: if it is missing the index is damaged.
func (a accounts) listed(owner []byte) (store.Account, error) {
	var id store.AccountID
	copy(id[:], owner)
	acc, err := a.Get(id)
	if errors.Is(err, store.ErrNotFound) {
		err = corrupt("entry of account", id)
	}
	return acc, err
}

func (a accounts) Set(acc store.Account) error {
	old, err := a.Get(acc.ID)
	if err != nil {
		return err
	}
	if old.Version != acc.Version {
		return fmt.Errorf("account %s: %w", acc.ID, store.ErrConflict)
	}
	acc.Version++
	return a.write(&old, acc)
}
