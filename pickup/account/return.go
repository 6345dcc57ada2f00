package account

import (
	"context"
	"fmt"
	"slices"

	"postern/store"
)

// returnAll gives back what an account has in its inbox, and wrote, for addresses that were parted from it. Nobody stops it
// by leaving. What fails is tried again at the account's next sign-in, and when its keys are looked at.
func (s *Service) returnAll(ctx context.Context, id store.AccountID) {
	ctx = context.WithoutCancel(ctx)
	a, err := s.row(ctx, id)
	for _, to := range a.Returns {
		if err == nil {
			err = s.giveBack(ctx, id, to)
		}
	}
	if err != nil {
		s.Log.ErrorContext(ctx, "messages of a parted address not given back", "event", "return", "account", id, "error", err)
	}
}

// giveBack moves what is of one address, page by page, and then forgets that it was to be done.
func (s *Service) giveBack(ctx context.Context, from, to store.AccountID) error {
	for _, page := range []func(store.Tx, parting, store.Cursor) (store.Cursor, error){returnReceived, returnWritten} {
		for c, more := store.Cursor(""), true; more; more = c != "" {
			next := c
			err := store.Retry(ctx, func() error {
				return s.Store.Update(ctx, func(tx store.Tx) error {
					p, err := partingOf(tx, from, to)
					if next = ""; err != nil || p.to.IsZero() {
						return err
					}
					next, err = page(tx, p, c)
					return err
				})
			})
			if err != nil {
				return fmt.Errorf("give messages back: %w", err)
			}
			c = next
		}
	}
	return store.Retry(ctx, func() error {
		return s.Store.Update(ctx, func(tx store.Tx) error {
			a, err := tx.Accounts().Get(from)
			if err != nil || !slices.Contains(a.Returns, to) { // merged meanwhile: who took it over owes it now
				return err
			}
			a.Returns = slices.DeleteFunc(slices.Clone(a.Returns), func(id store.AccountID) bool { return id == to })
			if err := tx.Accounts().Set(a); err != nil {
				return err
			}
			return paid(tx, from, to)
		})
	})
}

// paid notes that an account, and who took it over meanwhile, got back what another one had.
func paid(tx store.Tx, from, to store.AccountID) error {
	for to != from && !to.IsZero() {
		row, err := tx.Accounts().Get(to)
		if err != nil {
			return err
		}
		to = row.Into
		left := slices.DeleteFunc(slices.Clone(row.OwedBy), func(id store.AccountID) bool { return id == from })
		if len(left) == len(row.OwedBy) {
			continue
		}
		row.OwedBy = left
		if err := tx.Accounts().Set(row); err != nil {
			return err
		}
	}
	return nil
}

// parting is an account, and the one that gets back what is of its address.
type parting struct {
	from    store.Account
	address store.AddressKey
	to      store.AccountID
}

func partingOf(tx store.Tx, from, to store.AccountID) (p parting, err error) {
	if p.from, err = tx.Accounts().Get(from); err != nil {
		return p, err
	}
	row, err := tx.Accounts().Get(to)
	p.address = row.Address.Key()
	for err == nil && row.Status == store.StatusMerged && row.Into != from { // merged anew meanwhile
		row, err = tx.Accounts().Get(row.Into)
	}
	if slices.Contains(p.from.Returns, to) { // not merged into the same one again
		p.to = row.ID
	}
	return p, err
}

// without are grants but those that a key of the account opens.
func (p parting) without(grants []store.Grant) []store.Grant {
	return slices.DeleteFunc(slices.Clone(grants), func(g store.Grant) bool {
		_, mine := version(p.from, g.Key)
		return g.Kind == store.GrantAccount && mine
	})
}

// returnReceived gives back a page of the inbox.
func returnReceived(tx store.Tx, p parting, c store.Cursor) (store.Cursor, error) {
	rows, next, err := tx.Messages().Inbox(p.from.ID, c, adoptPage)
	if err != nil {
		return "", err
	}
	for _, r := range rows {
		if r.Address.Key() != p.address {
			continue
		}
		r.Account, r.Grants = p.to, p.without(r.Grants)
		if err := tx.Messages().Set(r); err != nil {
			return "", err
		}
	}
	return next, nil
}

// returnWritten gives back a page of the replies: those to what came for the address.
func returnWritten(tx store.Tx, p parting, c store.Cursor) (store.Cursor, error) {
	wrote, next, err := tx.Messages().Sent(p.from.ID, c, adoptPage)
	if err != nil {
		return "", err
	}
	for _, m := range wrote {
		answered, err := tx.Messages().Recipient(m.Parent)
		if err != nil {
			return "", err
		}
		if answered.Address.Key() != p.address {
			continue
		}
		m.Writer, m.Grants = p.to, p.without(m.Grants)
		if err := tx.Messages().SetMessage(m); err != nil {
			return "", err
		}
	}
	return next, nil
}
