package account

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"postern/store"
)

// merge takes an account over whose address becomes an alias (KEYS K9): its row stays, nobody signs in to it any more,
// its key versions hang under the account that takes over, and its own aliases come along: whoever reads its mailbox
// could have had them by a forgotten password as well. It answers the account that takes over, which the caller stores.
func merge(tx store.Tx, into, own store.Account, chain []byte) (store.Account, error) {
	into.Keys = append(slices.Clone(into.Keys), brought(own, currentOf(into), chain)...)
	into.Aliases = append(slices.Clone(into.Aliases), own.Aliases...)
	into = lend(into, own)
	into.Adopts = append(slices.Clone(into.Adopts), own.ID)
	into.Adopts = append(into.Adopts, own.Adopts...)
	among := func(id store.AccountID) bool { return id == own.ID || id == into.ID } // what one owes the other is settled
	into.Returns = slices.DeleteFunc(slices.Concat(into.Returns, own.Returns), among)
	into.OwedBy = slices.DeleteFunc(slices.Concat(into.OwedBy, own.OwedBy), among)
	if err := owe(tx, own, into.ID); err != nil {
		return into, err
	}
	row := own
	row.Status, row.Into, row.Registered = store.StatusMerged, into.ID, false
	row.Member, row.MemberBy = own.Member && len(own.MemberBy) == 0, nil
	row.Brought = own.Aliases
	row.Keys, row.Aliases, row.Reminder, row.Adopts, row.Returns = nil, nil, nil, nil, nil
	if err := tx.Accounts().Set(row); err != nil {
		return into, err
	}
	owner := own.ID.String()
	return into, errors.Join(endPending(tx, own), tx.Tokens().DeleteAll(store.PurposeWelcome, owner), tx.Tokens().DeleteAll(store.PurposeSetup, owner))
}

// confirmedAnew notes that an account has an address by a mail of its own, not by the merger that brought it once.
func confirmedAnew(tx store.Tx, a store.Account, k store.AddressKey) error {
	for _, alias := range a.Aliases {
		row, err := mergedRow(tx, alias.Key())
		if err != nil {
			return err
		}
		left := slices.DeleteFunc(slices.Clone(row.Brought), func(b store.Address) bool { return b.Key() == k })
		if len(left) == len(row.Brought) {
			continue
		}
		row.Brought = left
		if err := tx.Accounts().Set(row); err != nil {
			return err
		}
	}
	return nil
}

// owe lets whoever an account is still to give something back know who owes it now.
func owe(tx store.Tx, own store.Account, now store.AccountID) error {
	for _, to := range own.Returns {
		row, err := tx.Accounts().Get(to)
		if err != nil {
			return err
		}
		i := slices.Index(row.OwedBy, own.ID)
		if to == now || i < 0 {
			continue
		}
		row.OwedBy = slices.Clone(row.OwedBy)
		row.OwedBy[i] = now
		if err := tx.Accounts().Set(row); err != nil {
			return err
		}
	}
	return nil
}

// lend makes an account a member by one that is merged into it, for as long as it has that one's address.
func lend(into, own store.Account) store.Account {
	if !own.Member || into.Member && len(into.MemberBy) == 0 {
		return into
	}
	by := own.MemberBy
	if len(by) == 0 {
		by = []store.AccountID{own.ID}
	}
	into.Member, into.MemberBy = true, append(slices.Clone(into.MemberBy), by...)
	return into
}

// brought are the key versions of a merged account as they hang under another one. Boxes and chains go on naming the
// account that they were made for.
func brought(own store.Account, to store.KeyID, chain []byte) []store.KeyVersion {
	keys := slices.Clone(own.Keys)
	for i, v := range keys {
		keys[i].Of = v.Owner(own.ID)
		switch {
		case v.State != store.KeyCurrent:
		case chain != nil:
			keys[i].State, keys[i].Chain, keys[i].To = store.KeyChained, chain, to
		default:
			keys[i].State = store.KeyLocked
		}
	}
	return keys
}

// adoptPage is how many messages one transaction moves.
const adoptPage = 100

// adoptAll moves the messages of merged accounts to the account that took them over. What fails is tried again at the
// next sign-in: until then those messages are in no inbox.
func (s *Service) adoptAll(ctx context.Context, id store.AccountID) {
	ctx = context.WithoutCancel(ctx) // nobody stops it by leaving
	for {
		more, err := s.adopt(ctx, id)
		if err != nil {
			s.Log.ErrorContext(ctx, "messages of a merged account not moved", "event", "adopt", "account", id, "error", err)
		}
		if err != nil || !more {
			return
		}
	}
}

// adopt moves one page of messages, and reports whether there are more.
func (s *Service) adopt(ctx context.Context, id store.AccountID) (more bool, err error) {
	err = store.Retry(ctx, func() error {
		return s.Store.Update(ctx, func(tx store.Tx) error {
			more = false
			a, err := tx.Accounts().Get(id)
			if err != nil || len(a.Adopts) == 0 {
				return err
			}
			more = true
			moved, err := adoptFrom(tx, a.Adopts[0], id)
			if err != nil || moved > 0 {
				return err
			}
			a.Adopts = slices.Clone(a.Adopts[1:])
			return tx.Accounts().Set(a)
		})
	})
	if err != nil {
		return false, fmt.Errorf("adopt messages: %w", err)
	}
	return more, nil
}

// adoptFrom gives a page of what an account received and wrote to another.
func adoptFrom(tx store.Tx, from, to store.AccountID) (moved int, err error) {
	received, _, err := tx.Messages().Inbox(from, "", adoptPage)
	if err != nil {
		return 0, err
	}
	for _, r := range received {
		r.Account = to
		if err := tx.Messages().Set(r); err != nil {
			return 0, err
		}
	}
	wrote, _, err := tx.Messages().Sent(from, "", adoptPage)
	if err != nil {
		return 0, err
	}
	for _, m := range wrote {
		m.Writer = to
		if err := tx.Messages().SetMessage(m); err != nil {
			return 0, err
		}
	}
	return len(received) + len(wrote), nil
}
