package admin

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"postern/pickup/account"
	"postern/store"
)

// UserRow is one account. Rows are never deleted (B4).
type UserRow struct {
	ID       string      `json:"id"`
	Address  string      `json:"address"`
	Name     string      `json:"name,omitempty"`
	Aliases  []string    `json:"aliases,omitempty"`
	Class    store.Class `json:"class"` // member or guest (B18)
	Status   string      `json:"status"`
	Standing string      `json:"standing"`
	Password bool        `json:"password"` // has chosen one
	Created  time.Time   `json:"created"`
	SignedIn time.Time   `json:"signed_in,omitzero"`
}

// UserPage is a page of accounts.
type UserPage struct {
	Rows []UserRow    `json:"rows"`
	Next store.Cursor `json:"next,omitempty"`
}

// UserQuery selects users; zero fields do not select.
type UserQuery struct {
	Search string       `json:"search,omitempty"` // beginning of an address, a domain, or words of a name
	Status store.Status `json:"status,omitempty"`
	Class  store.Class  `json:"class,omitempty"`
	Recent bool         `json:"recent,omitempty"` // by last sign-in instead of by address; not with Search
	Limit  int          `json:"limit,omitempty"`  // rows of a page; 0: as many as a page may have
}

// limit is the rows of a page that were asked for, within bounds.
func limit(n int) int {
	if n <= 0 || n > pageSize {
		return pageSize
	}
	return n
}

// UserList pages through users. A page may be short while Next says that there is more.
func (s *Service) UserList(ctx context.Context, a Actor, q UserQuery, c store.Cursor) (page UserPage, err error) {
	if err := a.allow("UserList"); err != nil {
		return page, err
	}
	err = errors.Join(oneOf("status", q.Status, store.StatusActive, store.StatusInvited, store.StatusDisabled),
		oneOf("class", q.Class, store.ClassMember, store.ClassGuest), notNegative(q.Limit))
	if err != nil {
		return page, err
	}
	err = s.Store.View(ctx, func(tx store.Tx) error {
		page = UserPage{}
		accounts, next, err := tx.Accounts().List(store.AccountFilter{Search: q.Search, Status: q.Status, Class: q.Class, Recent: q.Recent}, c, limit(q.Limit))
		for _, acc := range accounts {
			page.Rows = append(page.Rows, userRow(acc))
		}
		page.Next = next
		return err
	})
	return page, err
}

// UserView is one user with all that an administrator may know: no key, no reminder, no subject.
type UserView struct {
	UserRow
	Confirmed bool          `json:"confirmed"`          // has shown that the address is his (KEYS K8)
	Invited   time.Time     `json:"invited,omitzero"`   // when the invitation ends that he has not followed yet
	Language  string        `json:"language,omitempty"` // of pages and mails
	Sessions  []SessionView `json:"sessions,omitempty"`
}

// SessionView is one live log-on.
type SessionView struct {
	Since   time.Time `json:"since"`
	Seen    time.Time `json:"seen"`
	Ends    time.Time `json:"ends"`
	Browser string    `json:"browser,omitempty"`
	Kept    bool      `json:"kept,omitempty"`
}

// UserShow tells of one user, by the address, an alias or the id.
func (s *Service) UserShow(ctx context.Context, a Actor, user string) (v UserView, err error) {
	if err := a.allow("UserShow"); err != nil {
		return v, err
	}
	now := s.now()
	err = s.Store.View(ctx, func(tx store.Tx) error {
		acc, err := findUser(tx, user)
		if err != nil {
			return err
		}
		v = UserView{UserRow: userRow(acc), Confirmed: acc.Standing == store.Confirmed, Language: acc.Language}
		tokens, err := tx.Tokens().Of(store.PurposeSetup, acc.ID.String(), now)
		for _, t := range tokens {
			v.Invited = t.Ends
		}
		if err != nil {
			return err
		}
		sessions, err := tx.Sessions().Of(acc.ID)
		for _, x := range sessions {
			if now.Before(x.Until()) {
				v.Sessions = append(v.Sessions, SessionView{Since: x.Created, Seen: x.Seen, Ends: x.Until(), Browser: x.Browser, Kept: x.Kept})
			}
		}
		return err
	})
	return v, err
}

// UserSwitch disables or enables a user by its status. Enabling returns to what the user was: an invited one is invited
// still.
func (s *Service) UserSwitch(ctx context.Context, a Actor, user string, to store.Status) error {
	if err := a.allow("UserSwitch"); err != nil {
		return err
	}
	acc, err := s.account(ctx, user)
	if err != nil {
		return err
	}
	turn := s.Users.Enable
	if to == store.StatusDisabled {
		turn = s.Users.Disable
	}
	if err := turn(ctx, a.Name, acc.ID); errors.Is(err, account.ErrMerged) {
		return inputf("%s was merged into another user: switch that one", acc.Address)
	} else if err != nil {
		return err
	}
	return nil
}

// UserAliasRemove takes a further address off a user: what somebody who read its mailbox for a while did can be undone.
// The address has a row of its own again, and gets its messages back. Mails tell both addresses.
func (s *Service) UserAliasRemove(ctx context.Context, a Actor, user, address string) error {
	if err := a.allow("UserAliasRemove"); err != nil {
		return err
	}
	alias, err := readAddress(address)
	if err != nil {
		return err
	}
	acc, err := s.account(ctx, user)
	if err != nil {
		return err
	}
	if err := s.Users.ReleaseAlias(ctx, a.Name, acc.ID, alias); errors.Is(err, account.ErrNoAlias) {
		return inputf("%s is no further address of %s", alias, acc.Address)
	} else if err != nil {
		return err
	}
	return nil
}

// UserEdit is what an administrator writes about a user.
type UserEdit struct {
	Name  string      `json:"name"`
	Class store.Class `json:"class"`
}

// UserChange changes the name of a user and whether he is a member. Members are of the organisation's domains.
func (s *Service) UserChange(ctx context.Context, a Actor, user string, to UserEdit) error {
	if err := a.allow("UserChange"); err != nil {
		return err
	}
	acc, err := s.account(ctx, user)
	if err != nil {
		return err
	}
	if err := s.checkClass(acc.Address, to.Class); err != nil {
		return err
	}
	name := cleanName(to.Name)
	e := store.Event{ID: store.NewEventID(s.now()), What: store.EventChanged, Account: acc.ID, Actor: a.Name}
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		x, err := tx.Accounts().Get(acc.ID)
		if err != nil {
			return err
		}
		e.Facts = map[string]string{}
		if x.Class() != to.Class {
			e.Facts["class"] = string(to.Class)
		}
		if x.Name != name {
			e.Facts["name"] = "changed"
		}
		if len(e.Facts) == 0 {
			return nil
		}
		x.Name, x.Member, x.MemberBy = name, to.Class == store.ClassMember, nil
		if err := tx.Accounts().Set(x); err != nil {
			return err
		}
		return tx.Audit().Add(e)
	})
	if err != nil {
		return fmt.Errorf("change user %s: %w", acc.ID, err)
	}
	return nil
}

// checkClass holds B18: members are people of the organisation.
func (s *Service) checkClass(address store.Address, c store.Class) error {
	switch c {
	case store.ClassGuest:
		return nil
	case store.ClassMember:
		if s.Internal(address.Domain) {
			return nil
		}
		return input(&ClassError{address})
	}
	return inputf("%q is neither member nor guest", c)
}

// ClassError: who is not of the organisation's domains cannot be a member (B18).
type ClassError struct{ Address store.Address }

func (e *ClassError) Error() string {
	return fmt.Sprintf("%s cannot be a member: %s is no domain of the organisation", e.Address, e.Address.Domain)
}

// cleanName brings a name into the form in which it is kept: one line.
func cleanName(s string) string { return account.Label(s) }

// account finds a user by the address, an alias or the id.
func (s *Service) account(ctx context.Context, user string) (acc store.Account, err error) {
	err = s.Store.View(ctx, func(tx store.Tx) error {
		acc, err = findUser(tx, user)
		return err
	})
	return acc, err
}

func findUser(tx store.Tx, user string) (acc store.Account, err error) {
	user = strings.TrimSpace(user)
	addr, parseErr := readAddress(user)
	if parseErr == nil {
		acc, err = tx.Accounts().ByAddress(addr.Key())
	} else {
		var id store.AccountID
		if id.UnmarshalText([]byte(strings.ToLower(user))) != nil {
			return acc, parseErr
		}
		acc, err = tx.Accounts().Get(id)
	}
	if errors.Is(err, store.ErrNotFound) {
		return acc, sayf(store.ErrNotFound, "no user has the address %s", user)
	}
	return acc, err
}

func userRow(a store.Account) UserRow {
	row := UserRow{ID: a.ID.String(), Address: a.Address.String(), Name: a.Name, Class: a.Class(), Status: string(a.Status), Standing: string(a.Standing),
		Password: a.Registered, Created: a.Created, SignedIn: a.LastSignIn}
	for _, alias := range a.Aliases {
		row.Aliases = append(row.Aliases, alias.String())
	}
	return row
}
