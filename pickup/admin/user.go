package admin

import (
	"context"
	"errors"
	"fmt"
	"time"

	"postern/store"
)

// UserRow is one account. Rows are never deleted (B4).
type UserRow struct {
	ID       string    `json:"id"`
	Address  string    `json:"address"`
	Aliases  []string  `json:"aliases,omitempty"`
	Status   string    `json:"status"`
	Standing string    `json:"standing"`
	Password bool      `json:"password"` // has chosen one
	Created  time.Time `json:"created"`
	SignedIn time.Time `json:"signed_in,omitzero"`
}

// UserPage is a page of accounts.
type UserPage struct {
	Rows []UserRow    `json:"rows"`
	Next store.Cursor `json:"next,omitempty"`
}

// UserList pages through accounts by address.
func (s *Service) UserList(ctx context.Context, a Actor, status store.Status, c store.Cursor) (page UserPage, err error) {
	if err := a.allow("UserList"); err != nil {
		return page, err
	}
	err = s.Store.View(ctx, func(tx store.Tx) error {
		page = UserPage{}
		accounts, next, err := tx.Accounts().List(status, c, pageSize)
		for _, acc := range accounts {
			page.Rows = append(page.Rows, userRow(acc))
		}
		page.Next = next
		return err
	})
	return page, err
}

// UserShow tells of one account.
func (s *Service) UserShow(ctx context.Context, a Actor, address string) (UserRow, error) {
	if err := a.allow("UserShow"); err != nil {
		return UserRow{}, err
	}
	acc, err := s.account(ctx, address)
	return userRow(acc), err
}

// UserSwitch disables or enables an account by its status.
func (s *Service) UserSwitch(ctx context.Context, a Actor, address string, to store.Status) error {
	if err := a.allow("UserSwitch"); err != nil {
		return err
	}
	acc, err := s.account(ctx, address)
	if err != nil {
		return err
	}
	if to == store.StatusDisabled {
		return s.Users.Disable(ctx, a.Name, acc.ID)
	}
	return s.Users.Enable(ctx, a.Name, acc.ID)
}

func (s *Service) account(ctx context.Context, address string) (acc store.Account, err error) {
	addr, err := store.ParseAddress(address)
	if err != nil {
		return acc, fmt.Errorf("%q: %w", address, err)
	}
	err = s.Store.View(ctx, func(tx store.Tx) error {
		acc, err = tx.Accounts().ByAddress(addr.Key())
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return acc, fmt.Errorf("no user has the address %s: %w", address, err)
	}
	return acc, err
}

func userRow(a store.Account) UserRow {
	row := UserRow{ID: a.ID.String(), Address: a.Address.String(), Status: string(a.Status), Standing: string(a.Standing),
		Password: a.Registered, Created: a.Created, SignedIn: a.LastSignIn}
	for _, alias := range a.Aliases {
		row.Aliases = append(row.Aliases, alias.String())
	}
	return row
}
