package account

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"postern/store"
)

const (
	// tidyEvery and tidyPage bound the look for keys that open nothing: 100,000 accounts are gone through in a day and a
	// half.
	tidyEvery = 10 * time.Minute
	tidyPage  = 500
	// settled is how old the last change of an account's keys must be. What is sealed while the key changes gets its grant
	// by the key that was read before; by then it is in the store.
	settled = 24 * time.Hour
)

// Run drops key versions without live grants, a page of accounts at a time, until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	for c := store.Cursor(""); ; {
		dropped, next, err := s.DropKeys(ctx, c)
		if err != nil && ctx.Err() == nil {
			s.Log.ErrorContext(ctx, "keys that open nothing not dropped", "event", "keys", "error", err)
		}
		if dropped > 0 {
			s.Log.InfoContext(ctx, "keys that open nothing dropped", "event", "keys", "count", dropped)
		}
		c = next
		timer := time.NewTimer(tidyEvery)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}

// DropKeys removes the key versions of a page of accounts that no live grant needs any more, with their boxes (KEYS K7),
// and says how many. The current version stays, and so does each that a needed one hangs on. One account that cannot be
// looked at keeps no other from it. next is "" at the end of the list.
func (s *Service) DropKeys(ctx context.Context, c store.Cursor) (dropped int, next store.Cursor, err error) {
	var page []store.Account
	err = s.Store.View(ctx, func(tx store.Tx) error {
		page, next, err = tx.Accounts().List(store.AccountFilter{}, c, tidyPage)
		return err
	})
	if err != nil {
		return 0, "", fmt.Errorf("list accounts: %w", err)
	}
	var errs []error
	for _, a := range page {
		if len(a.Returns) > 0 {
			s.returnAll(ctx, a.ID)
		}
		n, err := s.dropKeys(ctx, a)
		if dropped += n; err != nil {
			errs = append(errs, fmt.Errorf("account %s: %w", a.ID, err))
		}
	}
	return dropped, next, errors.Join(errs...)
}

func (s *Service) dropKeys(ctx context.Context, a store.Account) (int, error) {
	if !s.tidies(a) {
		return 0, nil
	}
	used, err := s.usedKeys(ctx, a)
	if err != nil {
		return 0, err
	}
	left := slices.DeleteFunc(slices.Clone(a.Keys), func(v store.KeyVersion) bool { return !used[v.ID] })
	if len(left) == len(a.Keys) {
		return 0, nil
	}
	dropped := len(a.Keys) - len(left)
	a.Keys = left
	err = s.Store.Update(ctx, func(tx store.Tx) error { return tx.Accounts().Set(a) })
	if errors.Is(err, store.ErrConflict) { // it changed meanwhile: looked at again next time
		return 0, nil
	}
	return dropped, err
}

// tidies reports whether an account has versions that may go. Messages that are on their way from one account to another
// still name keys of the one that they are not in.
func (s *Service) tidies(a store.Account) bool {
	changed := a.Disowned
	for _, v := range a.Keys {
		if v.Made.After(changed) {
			changed = v.Made
		}
	}
	older := slices.ContainsFunc(a.Keys, func(v store.KeyVersion) bool { return v.State != store.KeyCurrent })
	return older && len(a.Adopts) == 0 && len(a.OwedBy) == 0 && s.now().Sub(changed) >= settled
}

// usedKeys are the versions of an account that a grant names, those that these hang on, and the current one.
func (s *Service) usedKeys(ctx context.Context, a store.Account) (map[store.KeyID]bool, error) {
	used := map[store.KeyID]bool{currentOf(a): true}
	for _, grants := range []func(store.Tx, store.AccountID, store.Cursor) ([]store.Grant, store.Cursor, error){inboxGrants, sentGrants} {
		for c, more := store.Cursor(""), true; more; more = c != "" {
			err := s.Store.View(ctx, func(tx store.Tx) (err error) {
				var page []store.Grant
				page, c, err = grants(tx, a.ID, c)
				for _, g := range page {
					if g.Kind == store.GrantAccount {
						used[g.Key] = true
					}
				}
				return err
			})
			if err != nil {
				return nil, fmt.Errorf("look for grants: %w", err)
			}
		}
	}
	for range a.Keys { // no chain is longer than the list
		for _, v := range a.Keys {
			if used[v.ID] && v.State == store.KeyChained {
				used[v.To] = true
			}
		}
	}
	return used, nil
}

func inboxGrants(tx store.Tx, id store.AccountID, c store.Cursor) (all []store.Grant, next store.Cursor, err error) {
	rows, next, err := tx.Messages().Inbox(id, c, tidyPage)
	for _, r := range rows {
		all = append(all, r.Grants...)
	}
	return all, next, err
}

func sentGrants(tx store.Tx, id store.AccountID, c store.Cursor) (all []store.Grant, next store.Cursor, err error) {
	wrote, next, err := tx.Messages().Sent(id, c, tidyPage)
	for _, m := range wrote {
		all = append(all, m.Grants...)
	}
	return all, next, err
}
