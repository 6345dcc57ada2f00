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

var (
	// ErrPassword: the password that was asked for again is not the account's.
	ErrPassword = errors.New("not the password of the account")
	// ErrEarlier: the earlier password opens none of the locked versions.
	ErrEarlier = errors.New("not an earlier password")
)

// Earlier is the form of somebody who remembers an earlier password.
type Earlier struct {
	Password string // today's, asked for again (KEYS K10)
	Earlier  string
	Client   Client
}

// Locked reports whether an earlier password could still open something: the account has locked versions.
func Locked(a store.Account) bool {
	return slices.ContainsFunc(a.Keys, isLocked)
}

func isLocked(v store.KeyVersion) bool { return v.State == store.KeyLocked && len(v.Box) > 0 }

// UseEarlier chains the locked version that an earlier password opens, and with it those that were chained to it: what
// was sealed for them can be read again (KEYS K7). ErrPassword, ErrEarlier, *BusyError, ErrNoSession.
func (s *Service) UseEarlier(ctx context.Context, who Signed, in Earlier) error {
	k := trackKey{address: who.Account.Address.Key(), series: bySession}
	if err := s.admit(ctx, in.Client, k); err != nil {
		return err
	}
	old, seed, err := s.openEarlier(ctx, who, in)
	if err != nil {
		return err
	}
	s.throttle.success(k)
	current, ok := who.Account.Current()
	if !ok {
		return ErrNoSession
	}
	chain, err := s.Keys.SealChain(current.Public, who.Account.ID, current.ID, old, seed)
	if err != nil {
		return fmt.Errorf("keep the earlier key: %w", err)
	}
	e := store.Event{ID: store.NewEventID(s.now()), What: store.EventEarlier, Account: who.Account.ID, Actor: actorSelf,
		Facts: map[string]string{"browser": label(in.Client.Browser)}}
	err = store.Retry(ctx, func() error {
		return s.Store.Update(ctx, func(tx store.Tx) error {
			a, err := tx.Accounts().Get(who.Account.ID)
			if err != nil {
				return err
			}
			if now, _ := a.Current(); !usable(a) || now.ID != current.ID {
				return ErrNoSession
			}
			chainLocked(a.Keys, old, current.ID, chain)
			if err := tx.Accounts().Set(a); err != nil {
				return err
			}
			return tx.Audit().Add(e)
		})
	})
	if err != nil && !errors.Is(err, ErrNoSession) {
		err = fmt.Errorf("chain earlier key: %w", err)
	}
	return err
}

// openEarlier tries today's password, and then the earlier one at each locked version, the newest first.
func (s *Service) openEarlier(ctx context.Context, who Signed, in Earlier) (store.KeyID, seal.Seed, error) {
	release, err := s.slots.acquire(ctx, guest)
	if err != nil {
		return "", seal.Seed{}, err
	}
	defer release()
	current, _ := who.Account.Current()
	if _, err := s.Keys.OpenBox(in.Password, who.Account.ID, current); errors.Is(err, seal.ErrPassword) {
		return "", seal.Seed{}, ErrPassword
	} else if err != nil {
		return "", seal.Seed{}, fmt.Errorf("open key box: %w", err)
	}
	tried := 0
	for _, v := range slices.Backward(who.Account.Keys) {
		if !isLocked(v) || tried == maxEarlier {
			continue
		}
		tried++
		seed, err := s.Keys.OpenBox(in.Earlier, who.Account.ID, v)
		if err == nil {
			return v.ID, seed, nil
		}
		if !errors.Is(err, seal.ErrPassword) {
			return "", seal.Seed{}, fmt.Errorf("open earlier key box: %w", err)
		}
	}
	return "", seal.Seed{}, ErrEarlier
}

// chainLocked chains a locked version to the current one, and what was chained to it before it was locked again.
func chainLocked(keys []store.KeyVersion, old, current store.KeyID, chain []byte) {
	for i := range keys {
		v := &keys[i]
		switch {
		case v.State != store.KeyLocked:
		case v.ID == old:
			v.State, v.Chain, v.To = store.KeyChained, chain, current
		case v.To == old && len(v.Chain) > 0:
			chainLocked(keys, v.ID, old, v.Chain)
		}
	}
}
