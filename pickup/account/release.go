package account

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"postern/store"
	"postern/store/outbox"
)

// ErrNoAlias: the address is no alias of the account.
var ErrNoAlias = errors.New("not an alias of the account")

// release is addresses on their way out of an account, with what is told of them.
type release struct {
	leaving []leaving
	at      time.Time
	by      string // as the audit log names who does it
	browser string
	told    outbox.Prepared // to the account's own address
}

// leaving is one of the addresses.
type leaving struct {
	address store.Address
	// spare is the id of the row that the address gets if it had none; zero: it gets none.
	spare store.AccountID
	told  outbox.Prepared // to the address
	off   bool            // it was an alias, and is taken off
	row   store.Account   // what it gets back then; zero: nothing
}

// ReleaseAlias takes an alias off an account whoever that belongs to: the help desk's way to undo what somebody did who
// read the mailbox of the address for a while. The address has a row of its own again, in which nobody is registered, and
// gets back what is in the inbox for it; what the account's keys opened of that they open no more. So do the aliases that
// it brought along: nobody has them until they are confirmed anew. All sessions of the account end. Mails tell all these
// addresses. by names who did it. ErrNoAlias, store.ErrNotFound.
func (s *Service) ReleaseAlias(ctx context.Context, by string, id store.AccountID, address store.Address) error {
	x := release{at: s.now(), by: by}
	a, err := s.leave(ctx, &x, id, address)
	if err != nil {
		return fmt.Errorf("release alias: %w", err)
	}
	if err := s.tellRelease(ctx, a, &x); err != nil {
		return err
	}
	err = store.Retry(ctx, func() error {
		return s.Store.Update(ctx, func(tx store.Tx) error {
			a, err := tx.Accounts().Get(id)
			if err != nil {
				return err
			}
			if !isAlias(a, address.Key()) {
				return ErrNoAlias
			}
			if _, err := x.stopWaiting(tx, id); err != nil {
				return err
			}
			if _, err := x.commit(tx, a); err != nil {
				return err
			}
			return tx.Sessions().DeleteAll(id, store.SessionID{})
		})
	})
	if err != nil {
		return fmt.Errorf("release alias: %w", err)
	}
	s.returnAll(ctx, id)
	return nil
}

// leave collects what leaves an account with an address.
func (s *Service) leave(ctx context.Context, x *release, id store.AccountID, address store.Address) (a store.Account, err error) {
	addresses := []store.Address{address}
	err = s.Store.View(ctx, func(tx store.Tx) error {
		a, err = tx.Accounts().Get(id)
		if err != nil {
			return err
		}
		row, err := mergedRow(tx, address.Key())
		addresses = append(addresses[:1], row.Brought...)
		return err
	})
	for _, address := range addresses {
		if address == addresses[0] || isAlias(a, address.Key()) {
			l := leaving{address: address}
			rand.Read(l.spare[:])
			x.leaving = append(x.leaving, l)
		}
	}
	return a, err
}

func isAlias(a store.Account, k store.AddressKey) bool { return a.Owns(k) && a.Address.Key() != k }

func (s *Service) row(ctx context.Context, id store.AccountID) (a store.Account, err error) {
	err = s.Store.View(ctx, func(tx store.Tx) error {
		a, err = tx.Accounts().Get(id)
		return err
	})
	return a, err
}

// tellRelease composes the mails to the account's own address and to those that leave it.
func (s *Service) tellRelease(ctx context.Context, a store.Account, x *release) (err error) {
	m := s.aliasMail(a, x.leaving[0].address, x.at, Client{Browser: x.browser})
	if x.told, err = outbox.Compose(ctx, s.Outbox, m, s.Mails.AliasRemoved); err != nil {
		return err
	}
	return s.tellFreed(ctx, a, x)
}

func (s *Service) tellFreed(ctx context.Context, a store.Account, x *release) (err error) {
	for i, l := range x.leaving {
		m := s.aliasMail(a, l.address, x.at, Client{Browser: x.browser})
		m.To = l.address
		if x.leaving[i].told, err = outbox.Compose(ctx, s.Outbox, m, s.Mails.AddressFreed); err != nil {
			return err
		}
	}
	return nil
}

// commit takes the addresses off the account, gives them their rows back, and tells of it. It reports whether there is
// such a row.
func (x *release) commit(tx store.Tx, a store.Account) (freed bool, err error) {
	a, err = x.takeOff(tx, a)
	if err != nil {
		return false, err
	}
	if err := tx.Accounts().Set(a); err != nil {
		return false, err
	}
	freed, err = x.settle(tx, a.ID)
	if err != nil || !freed {
		return freed, err
	}
	return true, x.told.Put(tx)
}

// takeOff takes the addresses off an account, which the caller stores before it settles the release.
func (x *release) takeOff(tx store.Tx, a store.Account) (store.Account, error) {
	for i, l := range x.leaving {
		k := l.address.Key()
		x.leaving[i].off, x.leaving[i].row = isAlias(a, k), store.Account{}
		if !x.leaving[i].off { // it left meanwhile
			continue
		}
		own, err := mergedRow(tx, k)
		if err != nil {
			return a, err
		}
		if own.ID.IsZero() && !l.spare.IsZero() {
			own = store.Account{ID: l.spare, Address: l.address, Created: x.at}
		}
		a.Aliases = slices.DeleteFunc(slices.Clone(a.Aliases), func(alias store.Address) bool { return alias.Key() == k })
		if !own.ID.IsZero() {
			a, own = part(a, own, x.at)
		}
		x.leaving[i].row = own
	}
	return a, nil
}

// settle stores the rows of the addresses, and tells these and the audit log.
func (x *release) settle(tx store.Tx, from store.AccountID) (freed bool, err error) {
	for _, l := range x.leaving {
		if !l.off {
			continue
		}
		if err := tx.Audit().Add(x.event(from, l.address)); err != nil {
			return freed, err
		}
		if l.row.ID.IsZero() {
			continue
		}
		freed = true
		if err := errors.Join(put(tx, l.row), tx.Audit().Add(x.event(l.row.ID, l.address)), l.told.Put(tx)); err != nil {
			return freed, err
		}
	}
	return freed, nil
}

func (x *release) event(id store.AccountID, address store.Address) store.Event {
	e := store.Event{ID: store.NewEventID(x.at), What: store.EventAliasGone, Account: id, Actor: x.by, Facts: map[string]string{"address": address.String()}}
	if x.browser != "" {
		e.Facts["browser"] = label(x.browser)
	}
	return e
}

// part undoes a merger as far as it can be undone: the row is one of its own again, with its class and its keys. All of
// these are locked, so that each opens with its password of before once somebody has registered. Links that were mailed
// until now register nobody (Disowned): whoever had the mailbox for a while has them.
func part(a, own store.Account, at time.Time) (store.Account, store.Account) {
	own.Status, own.Into, own.Before, own.Brought = store.StatusActive, store.AccountID{}, "", nil
	own.Standing, own.Registered, own.Disowned = store.Provisional, false, at
	var back []store.KeyVersion
	a.Keys, back = partKeys(a.Keys, own.ID)
	own.Keys = append(slices.Clone(own.Keys), back...)
	notOwn := func(id store.AccountID) bool { return id == own.ID }
	if lent := len(a.MemberBy); lent > 0 {
		a.MemberBy = slices.DeleteFunc(slices.Clone(a.MemberBy), notOwn)
		a.Member = len(a.MemberBy) > 0
	}
	a.Adopts = slices.DeleteFunc(slices.Clone(a.Adopts), notOwn)
	a.Returns = append(slices.DeleteFunc(slices.Clone(a.Returns), notOwn), own.ID)
	own.OwedBy = append(slices.Clone(own.OwedBy), a.ID)
	return a, own
}

// partKeys splits off the versions that were made for an account. What hung on one of them stays with whom it was made for,
// or with who has it now, and opens with its password of before.
func partKeys(keys []store.KeyVersion, id store.AccountID) (stay, back []store.KeyVersion) {
	mine := func(k store.KeyID) bool {
		return slices.ContainsFunc(keys, func(v store.KeyVersion) bool { return v.ID == k && v.Of == id })
	}
	for _, v := range keys {
		goes := v.Of == id
		if v.State == store.KeyChained && mine(v.To) != goes { // it would hang on a version in another row
			v.State, v.Chain, v.To = store.KeyLocked, nil, ""
		}
		if !goes {
			stay = append(stay, v)
			continue
		}
		v.Of = store.AccountID{}
		back = append(back, v)
	}
	return stay, back
}

// mergedRow is the row that an address had of its own before it became an alias, the newest if there are several; the
// zero Account when there is none.
func mergedRow(tx store.Tx, k store.AddressKey) (row store.Account, err error) {
	const some = 50
	for c, more := store.Cursor(""), true; more; more = c != "" {
		var rows []store.Account
		rows, c, err = tx.Accounts().List(store.AccountFilter{Status: store.StatusMerged, Search: string(k)}, c, some)
		if err != nil {
			return store.Account{}, err
		}
		for _, a := range rows {
			if a.Address.Key() == k && (row.ID.IsZero() || a.Created.After(row.Created)) {
				row = a
			}
		}
	}
	return row, nil
}
