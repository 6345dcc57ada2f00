package account

import (
	"errors"
	"fmt"

	"postern/store"
	"postern/store/seal"
)

// ErrNoKey: the key version is locked, or not the account's.
var ErrNoKey = errors.New("no key of this account")

// SeedOf finds the seed of a key version of the account. That of the current one is in hand; a chained one opens with
// the seed of the version that followed it (KEYS K7). ErrNoKey for all others.
func (s *Service) SeedOf(who Signed, id store.KeyID) (seal.Seed, error) {
	return s.seedOf(who, id, len(who.Account.Keys)) // no chain is longer than the list
}

func (s *Service) seedOf(who Signed, id store.KeyID, hops int) (seal.Seed, error) {
	v, ok := version(who.Account, id)
	if !ok || v.State == store.KeyLocked || hops == 0 {
		return seal.Seed{}, ErrNoKey
	}
	if v.State == store.KeyCurrent {
		return who.Seed, nil
	}
	next, err := s.seedOf(who, v.To, hops-1)
	if err != nil {
		return seal.Seed{}, err
	}
	seed, err := s.Keys.OpenChain(next, v.Owner(who.Account.ID), v.To, v.ID, v.Chain)
	if err != nil {
		return seal.Seed{}, fmt.Errorf("open key chain: %w", err)
	}
	return seed, nil
}

// version finds a key version by its id.
func version(a store.Account, id store.KeyID) (store.KeyVersion, bool) {
	for _, v := range a.Keys {
		if v.ID == id {
			return v, true
		}
	}
	return store.KeyVersion{}, false
}
