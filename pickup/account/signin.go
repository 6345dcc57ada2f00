package account

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"postern/store"
	"postern/store/seal"
)

// Login is a filled-in sign-in form.
type Login struct {
	Address  string
	Password string
	Keep     bool            // "keep me logged in"
	Link     seal.LinkSecret // of the link page that the form stood on; zero on the sign-in page
	Client   Client
}

// candidate is what a look-up found before any password work.
type candidate struct {
	account store.Account // zero: none
	key     store.KeyVersion
	track   trackKey
	class   class
}

// SignIn opens a session. ErrSignIn is the answer to every failure, at the next multiple of 500 ms after arrival;
// *BusyError asks to wait; *MustChangeError is a sign-in with a temporary password. Every attempt that gets a slot
// costs exactly one Argon2id (KEYS K13).
func (s *Service) SignIn(ctx context.Context, in Login) (Signed, error) {
	arrived := s.Now()
	out, err := s.signIn(ctx, in)
	if err != nil {
		s.pace(ctx, arrived)
		return Signed{}, err
	}
	return out, nil
}

func (s *Service) signIn(ctx context.Context, in Login) (Signed, error) {
	c, err := s.lookUp(ctx, in)
	if err != nil {
		return Signed{}, fmt.Errorf("look up account: %w", err)
	}
	if err := s.admit(ctx, in.Client, c.track); err != nil {
		return Signed{}, err
	}
	seed, key, err := s.unlock(ctx, c, in.Password)
	switch {
	case errors.Is(err, seal.ErrKeyMismatch):
		return Signed{}, s.mute(ctx, c.account.ID, err)
	case errors.Is(err, seal.ErrPassword):
		return Signed{}, s.signInTemporary(ctx, in, c)
	case err != nil:
		return Signed{}, err
	case !usable(c.account): // flags are read after the password work
		return Signed{}, s.refuse(ctx, in.Client, c.account, "not active")
	}
	out := s.newSession(c.account, seed, in.Client, in.Keep)
	out.Account, err = s.enter(ctx, out, key)
	if errors.Is(err, errChanged) {
		return Signed{}, s.refuse(ctx, in.Client, c.account, "changed meanwhile")
	}
	if err != nil {
		return Signed{}, err
	}
	s.throttle.success(c.track)
	if len(out.Account.Adopts) > 0 {
		s.adoptAll(ctx, out.Account.ID)
	}
	if len(out.Account.Returns) > 0 {
		s.returnAll(ctx, out.Account.ID)
	}
	return out, nil
}

// lookUp finds the account and how far to trust the client. An address that does not parse is one without account.
func (s *Service) lookUp(ctx context.Context, in Login) (c candidate, err error) {
	c.track.address = trackAddress(in.Address)
	err = s.Store.View(ctx, func(tx store.Tx) error {
		c.class, c.account = stranger, store.Account{}
		if c.account, err = find(tx, c.track.address); err != nil {
			return err
		}
		if in.Link == (seal.LinkSecret{}) {
			return nil
		}
		_, err := tx.Messages().ByLink(in.Link.LinkID())
		if err == nil {
			c.class = guest
		} else if !errors.Is(err, store.ErrNotFound) {
			return err
		}
		return nil
	})
	c.key, _ = c.account.Current()
	if s.knows(c.account, in.Client) {
		c.track.known, c.class = true, guest
	}
	return c, err
}

// trackAddress is the key of a typed address; what is none gets a key of its own that no account has.
func trackAddress(typed string) store.AddressKey {
	const maxTyped = 256
	text := strings.TrimSpace(typed)
	if a, err := store.ParseAddress(text); err == nil {
		return a.Key()
	}
	return store.AddressKey(strings.ToValidUTF8(text[:min(len(text), maxTyped)], ""))
}

// admit holds the throttle before any password work.
func (s *Service) admit(ctx context.Context, c Client, k trackKey) error {
	if err := s.throttle.client(c.IP, s.Now()); err != nil {
		return err
	}
	wait, err := s.throttle.address(k, s.Now())
	if err != nil {
		return err
	}
	return sleep(ctx, wait)
}

// unlock runs the one Argon2id of an attempt. It returns the seed and the key version as it is to be stored: under
// today's parameters.
func (s *Service) unlock(ctx context.Context, c candidate, password string) (seal.Seed, store.KeyVersion, error) {
	release, err := s.slots.acquire(ctx, c.class)
	if err != nil {
		return seal.Seed{}, store.KeyVersion{}, err
	}
	defer release()
	if len(c.key.Box) == 0 {
		s.Keys.DummyBox(password)
		return seal.Seed{}, store.KeyVersion{}, seal.ErrPassword
	}
	seed, err := s.Keys.OpenBox(password, c.account.ID, c.key)
	if err != nil {
		return seal.Seed{}, store.KeyVersion{}, fmt.Errorf("open key box: %w", err)
	}
	key, err := s.renew(c, password, seed)
	return seed, key, err
}

// renew seals a box with older Argon2 parameters anew (KEYS K13). It is part of a good sign-in only.
func (s *Service) renew(c candidate, password string, seed seal.Seed) (store.KeyVersion, error) {
	if !usable(c.account) || seal.StandardParams(c.key.Params) {
		return c.key, nil
	}
	key, err := s.Keys.ResealBox(password, c.account.ID, c.key, seed)
	if err != nil {
		return c.key, fmt.Errorf("renew key box: %w", err)
	}
	return key, nil
}

// errChanged: the account is not what the password was tried against.
var errChanged = errors.New("account changed during sign-in")

// enter commits a good sign-in, if the account still has that key and may be used.
func (s *Service) enter(ctx context.Context, in Signed, key store.KeyVersion) (store.Account, error) {
	var a store.Account
	e := store.Event{ID: store.NewEventID(in.Session.Created), What: store.EventSignedIn, Account: in.Account.ID,
		Actor: actorSelf, Facts: map[string]string{"browser": in.Session.Browser}}
	err := store.Retry(ctx, func() error {
		return s.Store.Update(ctx, func(tx store.Tx) error {
			var err error
			if a, err = tx.Accounts().Get(in.Account.ID); err != nil {
				return err
			}
			i := slices.IndexFunc(a.Keys, func(v store.KeyVersion) bool { return v.ID == key.ID && v.State == store.KeyCurrent })
			if i < 0 || !usable(a) {
				return errChanged
			}
			if a.Keys[i].Params != key.Params { // renewed; else the stored box may be sealed anew since it was read
				a.Keys[i].Params, a.Keys[i].Box = key.Params, key.Box
			}
			a.LastSignIn = in.Session.Created
			if err := tx.Accounts().Set(a); err != nil {
				return err
			}
			if err := tx.Sessions().Put(in.Session); err != nil {
				return err
			}
			return tx.Audit().Add(e)
		})
	})
	if err != nil {
		return a, fmt.Errorf("sign in: %w", err)
	}
	a.Version++ // as Set left it
	return a, nil
}

// refuse is every failed log-on. The cause is for the log; the account's own record of access gets the event.
func (s *Service) refuse(ctx context.Context, c Client, a store.Account, cause string) error {
	s.Log.LogAttrs(ctx, slog.LevelInfo, "sign-in refused", slog.String("event", "sign-in"), slog.String("ref", c.Ref),
		slog.String("account", accountOrNone(a)), slog.String("cause", cause), slog.String("client_ip", c.IP.String()))
	if !a.ID.IsZero() {
		s.Recorder.Record(store.Event{ID: store.NewEventID(s.now()), What: store.EventSignInFail, Account: a.ID,
			Actor: actorSelf, Facts: map[string]string{"browser": label(c.Browser)}})
	}
	return ErrSignIn
}

func accountOrNone(a store.Account) string {
	if a.ID.IsZero() {
		return "none"
	}
	return a.ID.String()
}

// mute stops new grants for an account whose stored public key is not that of its seed: somebody wrote to the store
// (KEYS K7). The returned error is a fault, never "wrong password".
func (s *Service) mute(ctx context.Context, id store.AccountID, cause error) error {
	s.Log.ErrorContext(ctx, "stored key does not match the account", "event", "alarm", "account", id)
	e := store.Event{ID: store.NewEventID(s.now()), What: store.EventMuted, Account: id, Actor: actorSystem}
	err := store.Retry(ctx, func() error {
		return s.Store.Update(ctx, func(tx store.Tx) error {
			a, err := tx.Accounts().Get(id)
			if err != nil || a.Muted {
				return err
			}
			a.Muted = true
			if err := tx.Accounts().Set(a); err != nil {
				return err
			}
			return tx.Audit().Add(e)
		})
	})
	return fmt.Errorf("account %s: %w", id, errors.Join(cause, err))
}

// Actors of audit events.
const (
	actorSelf   = "recipient"
	actorSystem = "system"
)
