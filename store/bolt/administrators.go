package bolt

import (
	"errors"
	"fmt"

	"postern/store"
)

// administrators implements store.Administrators.
type administrators struct{ t *tx }

func (a administrators) Create(who store.Administrator) error {
	if who.ID.IsZero() {
		return errors.New("create administrator: it has no id")
	}
	if a.t.has(adminsB, who.ID[:]) {
		return fmt.Errorf("create administrator %s: %w", who.ID, store.ErrExists)
	}
	who.Version = 1
	return a.write(nil, who)
}

// write stores an administrator over its old record, if there is one.
func (a administrators) write(old *store.Administrator, who store.Administrator) error {
	if err := checkText("address", who.Address.Key()); err != nil {
		return fmt.Errorf("administrator %s: %w", who.ID, err)
	}
	cut(&who.Created, &who.SetUp, &who.LastSignIn, &who.Key.Made)
	value, err := encode("administrator", who)
	if err != nil {
		return err
	}
	will := administratorEntries(who)
	if owner := a.t.get(adminAddressB, will[0].key); owner != nil && string(owner) != string(who.ID[:]) {
		return fmt.Errorf("address of administrator %s: %w", who.ID, store.ErrExists)
	}
	var was []entry
	if old != nil {
		was = administratorEntries(*old)
	}
	if err := a.t.move(was, will); err != nil {
		return err
	}
	return a.t.put(adminsB, who.ID[:], value)
}

// administratorEntries are the index entries of an administrator.
func administratorEntries(a store.Administrator) []entry {
	return []entry{{in: adminAddressB, key: []byte(a.Address.Key()), val: a.ID[:]}}
}

func (a administrators) Get(id store.AccountID) (who store.Administrator, err error) {
	value := a.t.get(adminsB, id[:])
	if value == nil {
		return who, fmt.Errorf("administrator %s: %w", id, store.ErrNotFound)
	}
	if !decode(value, &who) {
		return store.Administrator{}, corrupt("administrator", id)
	}
	who.ID = id
	return who, nil
}

func (a administrators) ByAddress(k store.AddressKey) (store.Administrator, error) {
	owner := a.t.get(adminAddressB, []byte(k))
	if owner == nil {
		return store.Administrator{}, fmt.Errorf("administrator of address: %w", store.ErrNotFound)
	}
	return a.listed(owner)
}

func (a administrators) listed(owner []byte) (store.Administrator, error) {
	id := toID[store.AccountID](owner)
	who, err := a.Get(id)
	if errors.Is(err, store.ErrNotFound) {
		err = corrupt("entry of administrator", id)
	}
	return who, err
}

func (a administrators) Set(who store.Administrator) error {
	old, err := a.Get(who.ID)
	if err != nil {
		return err
	}
	if old.Version != who.Version {
		return fmt.Errorf("administrator %s: %w", who.ID, store.ErrConflict)
	}
	who.Version++
	return a.write(&old, who)
}

func (a administrators) List(c store.Cursor, n int) ([]store.Administrator, store.Cursor, error) {
	l, err := a.t.from(adminAddressB, nil, c)
	if err != nil {
		return nil, "", err
	}
	return page(a.t, l, n, func(_, v []byte) (store.Administrator, error) { return a.listed(v) })
}
