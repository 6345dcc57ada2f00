package testbed

import (
	"context"

	"postern/store"
)

// Damaged is a store in which some records do not read (store.ErrCorrupt), as after a fault of the disk. Zero fields damage
// nothing. They may be set while nothing uses the store.
type Damaged struct {
	store.Store
	Message store.MessageID // its record
	Shares  store.MessageID // all recipients of a message
	Share   store.RcptKey   // one recipient
	Account store.AccountID
	Address store.AddressKey // the account that it leads to

	Full store.RcptKey // a recipient that cannot be written: store.ErrFull
}

// View implements store.Store.
func (d *Damaged) View(ctx context.Context, f func(store.Tx) error) error {
	return d.Store.View(ctx, func(tx store.Tx) error { return f(damagedTx{tx, d}) })
}

// Update implements store.Store.
func (d *Damaged) Update(ctx context.Context, f func(store.Tx) error) error {
	return d.Store.Update(ctx, func(tx store.Tx) error { return f(damagedTx{tx, d}) })
}

type damagedTx struct {
	store.Tx
	d *Damaged
}

func (t damagedTx) Messages() store.Messages { return damagedMessages{t.Tx.Messages(), t.d} }
func (t damagedTx) Accounts() store.Accounts { return damagedAccounts{t.Tx.Accounts(), t.d} }

type damagedMessages struct {
	store.Messages
	d *Damaged
}

func (m damagedMessages) Get(id store.MessageID) (store.Message, error) {
	if id == m.d.Message && !id.IsZero() {
		return store.Message{}, store.ErrCorrupt
	}
	return m.Messages.Get(id)
}

func (m damagedMessages) Recipient(k store.RcptKey) (store.Recipient, error) {
	if k != (store.RcptKey{}) && (k == m.d.Share || k.Message == m.d.Shares) {
		return store.Recipient{}, store.ErrCorrupt
	}
	return m.Messages.Recipient(k)
}

func (m damagedMessages) Set(r store.Recipient) error {
	if r.Key == m.d.Full {
		return store.ErrFull
	}
	return m.Messages.Set(r)
}

type damagedAccounts struct {
	store.Accounts
	d *Damaged
}

func (a damagedAccounts) Get(id store.AccountID) (store.Account, error) {
	if id == a.d.Account && !id.IsZero() {
		return store.Account{}, store.ErrCorrupt
	}
	return a.Accounts.Get(id)
}

func (a damagedAccounts) ByAddress(k store.AddressKey) (store.Account, error) {
	if k == a.d.Address && k != "" {
		return store.Account{}, store.ErrCorrupt
	}
	return a.Accounts.ByAddress(k)
}
