package account

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"postern/store"
	"postern/store/seal"
)

// maxEarlier bounds the locked versions that one try opens: each is an Argon2id.
const maxEarlier = 10

// ErrEarlier: the earlier password opens none of the locked versions.
var ErrEarlier = errors.New("not an earlier password")

// Earlier is the form of somebody who remembers an earlier password.
type Earlier struct {
	Current string // today's, typed again (KEYS K10)
	Earlier string
	Client  Client
}

// Locked reports whether a key version of the account opens with an earlier password only: it is locked, or hangs on one
// that is.
func Locked(a store.Account, id store.KeyID) bool {
	for range a.Keys { // no chain is longer than the list
		v, ok := version(a, id)
		switch {
		case !ok || v.State == store.KeyCurrent:
			return false
		case v.State == store.KeyLocked:
			return len(v.Box) > 0
		}
		id = v.To
	}
	return false
}

// AnyLocked reports whether there is such a version.
func AnyLocked(a store.Account) bool {
	return slices.ContainsFunc(a.Keys, func(v store.KeyVersion) bool { return Locked(a, v.ID) })
}

// UseEarlier chains the locked version that an earlier password opens: what was sealed for it, and for those that hang
// on it, can be read again (KEYS K7). ErrPassword, ErrEarlier, *BusyError, ErrNoSession.
func (s *Service) UseEarlier(ctx context.Context, who Signed, in Earlier) error {
	// The blank keeps this series apart from that of sign-ins: no address ends with one.
	k := trackKey{address: who.Account.Address.Key() + " "}
	if err := s.admit(ctx, in.Client, k); err != nil {
		return err
	}
	if err := s.Prove(ctx, who, in.Current, in.Client); err != nil {
		return err
	}
	old, seed, err := s.openEarlier(ctx, who.Account, in.Earlier)
	if err != nil {
		return err
	}
	s.throttle.success(k)
	current, _ := who.Account.Current()
	v, _ := version(who.Account, old)
	chain, err := s.Keys.SealChain(current.Public, v.Owner(who.Account.ID), current.ID, old, seed)
	if err != nil {
		return fmt.Errorf("chain the earlier key: %w", err)
	}
	e := store.Event{ID: store.NewEventID(s.now()), What: store.EventEarlier, Account: who.Account.ID, Actor: actorSelf,
		Facts: map[string]string{"browser": label(in.Client.Browser)}}
	err = store.Retry(ctx, func() error {
		return s.alter(ctx, who, func(tx store.Tx, a store.Account) error {
			i := slices.IndexFunc(a.Keys, func(v store.KeyVersion) bool { return v.ID == old && v.State == store.KeyLocked })
			if i < 0 {
				return ErrEarlier
			}
			a.Keys[i].State, a.Keys[i].Chain, a.Keys[i].To = store.KeyChained, chain, current.ID
			if err := tx.Accounts().Set(a); err != nil {
				return err
			}
			return tx.Audit().Add(e)
		})
	})
	if err != nil {
		return fmt.Errorf("use earlier password: %w", err)
	}
	return nil
}

// openEarlier tries a password at each locked version, the newest first.
func (s *Service) openEarlier(ctx context.Context, a store.Account, password string) (store.KeyID, seal.Seed, error) {
	release, err := s.slots.acquire(ctx, guest)
	if err != nil {
		return "", seal.Seed{}, err
	}
	defer release()
	tried := 0
	for _, v := range slices.Backward(a.Keys) {
		if v.State != store.KeyLocked || len(v.Box) == 0 || tried == maxEarlier {
			continue
		}
		tried++
		seed, err := s.Keys.OpenBox(password, a.ID, v)
		if err == nil {
			return v.ID, seed, nil
		}
		if !errors.Is(err, seal.ErrPassword) {
			return "", seal.Seed{}, fmt.Errorf("open earlier key box: %w", err)
		}
	}
	return "", seal.Seed{}, ErrEarlier
}
