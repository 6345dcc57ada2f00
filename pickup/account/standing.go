package account

import (
	"slices"
	"time"

	"postern/store"
)

// ProvesAddress reports whether opening a link's grant, signed in, shows that the account owns its first address: the
// link was mailed to that address after the registration, so the link that made the account is no proof (KEYS K8 (a)).
// Nor is one that was mailed to an alias: whoever registered with a forwarded link has aliases of his own.
func ProvesAddress(a store.Account, to store.Address, link store.Grant) bool {
	return a.Standing == store.Provisional && to.Key() == a.Address.Key() && link.Made.After(a.RegisteredAt)
}

// Disowned reports whether a link was mailed before the owner of its address said that somebody else used one: it may
// be the very link that somebody else has, so it registers nobody.
func Disowned(a store.Account, grants []store.Grant, link store.LinkID) bool {
	if a.Disowned.IsZero() || a.Registered {
		return false
	}
	return !slices.ContainsFunc(grants, func(g store.Grant) bool {
		return g.Kind == store.GrantLink && g.Link == link && g.Made.After(a.Disowned)
	})
}

// Confirm makes an account confirmed, with the event that says how. An account that is confirmed already stays as it
// is. ErrConflict unless a is the stored row.
func Confirm(tx store.Tx, a store.Account, e store.Event) error {
	if a.Standing == store.Confirmed {
		return nil
	}
	a.Standing = store.Confirmed
	if err := tx.Accounts().Set(a); err != nil {
		return err
	}
	return tx.Audit().Add(e)
}

// Confirmation is the event of an account that proved its address by opening a link.
func Confirmation(at time.Time, id store.AccountID) store.Event { return confirmation(at, id, "link") }

func confirmation(at time.Time, id store.AccountID, how string) store.Event {
	return store.Event{ID: store.NewEventID(at), What: store.EventConfirmed, Account: id, Actor: actorSelf,
		Facts: map[string]string{"by": how}}
}
