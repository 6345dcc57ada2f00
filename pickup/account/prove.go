package account

import (
	"context"
	"errors"
	"log/slog"

	"postern/store"
	"postern/store/seal"
)

// ErrPassword: the password that a signed-in person typed again is not the account's.
var ErrPassword = errors.New("wrong password")

// Prove asks for the account's password again, before anything that a stolen session must not do (KEYS K10). It is
// throttled, paced and recorded like a sign-in. What wants a password calls it itself; a page calls it for a form that is
// refused anyhow, to tell of the password as well. ErrPassword, *BusyError.
func (s *Service) Prove(ctx context.Context, who Signed, password string, c Client) error {
	arrived := s.Now()
	_, err := s.tryPassword(ctx, who.Account, password, c)
	if err != nil {
		s.pace(ctx, arrived)
	}
	return err
}

// tryPassword opens the box of an account's current key, by one Argon2id.
func (s *Service) tryPassword(ctx context.Context, a store.Account, password string, c Client) (seal.Seed, error) {
	try := candidate{account: a, track: trackKey{address: a.Address.Key(), known: s.knows(a, c)}, class: guest}
	try.key, _ = a.Current()
	if err := s.admit(ctx, c, try.track); err != nil {
		return seal.Seed{}, err
	}
	seed, _, err := s.unlock(ctx, try, password)
	switch {
	case errors.Is(err, seal.ErrKeyMismatch):
		return seal.Seed{}, s.mute(ctx, a.ID, err)
	case errors.Is(err, seal.ErrPassword):
		s.missed(ctx, c, a)
		return seal.Seed{}, ErrPassword
	case err != nil:
		return seal.Seed{}, err
	}
	s.throttle.success(try.track)
	return seed, nil
}

// missed tells log and record of a wrong password that somebody typed who is signed in.
func (s *Service) missed(ctx context.Context, c Client, a store.Account) {
	s.Log.LogAttrs(ctx, slog.LevelInfo, "password refused", slog.String("event", "password"), slog.String("ref", c.Ref),
		slog.String("account", a.ID.String()), slog.String("client_ip", c.IP.String()))
	s.Recorder.Record(store.Event{ID: store.NewEventID(s.now()), What: store.EventSignInFail, Account: a.ID, Actor: actorSelf,
		Facts: map[string]string{"browser": label(c.Browser), "at": "settings"}})
}
