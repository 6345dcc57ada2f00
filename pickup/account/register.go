package account

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"postern/store"
	"postern/store/outbox"
	"postern/store/seal"
)

// welcomeLife is how long the link in a welcome mail works (KEYS K2).
const welcomeLife = 30 * 24 * time.Hour

// Registration is a filled-in registration form of a link's page.
type Registration struct {
	Secret   seal.LinkSecret
	Password string
	Reminder string // may be empty (A3)
	Language string // for mails to the account
	Keep     bool   // "keep me logged in"
	Client   Client
}

// Register makes the account of the address that a link was sent to (KEYS K8 "password"), provisional for now, and
// signs it in. A row that an owner disowned, or that was invited, gets a new key version instead.
//
// Errors: *CriteriaError, ErrReminderHint, ErrReminderLong, ErrUnknownLink, ErrLinkOver, ErrLinkDisowned,
// ErrHasAccount, ErrSignIn (the account is disabled), *BusyError.
func (s *Service) Register(ctx context.Context, in Registration) (Signed, error) {
	arrived := s.Now()
	if err := s.throttle.client(in.Client.IP, arrived); err != nil {
		return Signed{}, err
	}
	var out Signed
	err := store.Retry(ctx, func() (err error) {
		out, err = s.register(ctx, in)
		return err
	})
	if errors.Is(err, ErrSignIn) {
		s.pace(ctx, arrived)
	}
	return out, err
}

func (s *Service) register(ctx context.Context, in Registration) (Signed, error) {
	a, err := s.unregistered(ctx, in.Secret)
	if err != nil {
		return Signed{}, err
	}
	a, seed, err := s.choose(ctx, a, in.Password, in.Reminder)
	if err != nil {
		return Signed{}, err
	}
	a.Language = label(in.Language)
	w, err := s.welcome(ctx, a, in.Client)
	if err != nil {
		return Signed{}, err
	}
	out := s.newSession(a, seed, in.Client, in.Keep)
	if err := s.commitRegistration(ctx, out, w, in.Secret.LinkID()); err != nil {
		return Signed{}, fmt.Errorf("register: %w", err)
	}
	out.Account.Version++
	return out, nil
}

// unregistered finds whom a link may register: the row of its address, or a new one.
func (s *Service) unregistered(ctx context.Context, secret seal.LinkSecret) (a store.Account, err error) {
	err = s.Store.View(ctx, func(tx store.Tx) error {
		a, err = registrant(tx, secret.LinkID())
		return err
	})
	if a.ID.IsZero() {
		rand.Read(a.ID[:])
	}
	return a, err
}

// registrant is the row that a link may register; its id is zero when it is still to be made.
func registrant(tx store.Tx, id store.LinkID) (store.Account, error) {
	r, err := tx.Messages().ByLink(id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return store.Account{}, ErrUnknownLink
	case err != nil:
		return store.Account{}, err
	case !r.Live() || r.State == store.StateDeclined:
		return store.Account{}, ErrLinkOver
	}
	a, err := vacant(tx, r.Address.Key())
	switch {
	case err != nil:
		return a, err
	case Disowned(a, r.Grants, id):
		return a, ErrLinkDisowned
	case a.ID.IsZero():
		a.Address = r.Address
	}
	return a, err
}

// newKey makes a key pair and its box.
func (s *Service) newKey(ctx context.Context, id store.AccountID, password string) (seal.Seed, store.KeyVersion, error) {
	release, err := s.slots.acquire(ctx, guest)
	if err != nil {
		return seal.Seed{}, store.KeyVersion{}, err
	}
	defer release()
	seed := seal.NewSeed()
	key, err := s.Keys.SealBox(password, id, seed)
	if err != nil {
		return seed, key, fmt.Errorf("seal key box: %w", err)
	}
	key.State, key.Made = store.KeyCurrent, s.now()
	return seed, key, nil
}

// choose checks a first password and its reminder, makes the key that it opens, and answers the row as a registration
// leaves it.
func (s *Service) choose(ctx context.Context, a store.Account, password, reminder string) (store.Account, seal.Seed, error) {
	if err := s.check(password, About(a)...); err != nil {
		return a, seal.Seed{}, err
	}
	reminder = cleanReminder(reminder)
	if err := checkReminder(reminder, password); err != nil {
		return a, seal.Seed{}, err
	}
	seed, key, err := s.newKey(ctx, a.ID, password)
	if err != nil {
		return a, seal.Seed{}, err
	}
	return s.registered(a, key, reminder), seed, nil
}

// registered is the row as a registration leaves it. Earlier versions are locked already; they stay (B4).
func (s *Service) registered(a store.Account, key store.KeyVersion, reminder string) store.Account {
	now := s.now()
	a.Status, a.Standing, a.Registered = store.StatusActive, store.Provisional, true
	a.RegisteredAt, a.LastSignIn = now, now
	if a.Created.IsZero() {
		a.Created = now
	}
	a.Keys = append(a.Keys, key)
	a.Reminder, a.Muted = nil, false
	if reminder != "" {
		a.Reminder = s.Keys.SealReminder(a.ID, reminder)
	}
	return a
}

// welcoming is a welcome mail and the token that its link carries.
type welcoming struct {
	token store.Token
	mail  outbox.Prepared
}

// welcome composes the mail that tells the address of its registration (KEYS K8).
func (s *Service) welcome(ctx context.Context, a store.Account, c Client) (welcoming, error) {
	secret, now := seal.NewSecret(), s.now()
	m := s.accountMail(a, now, c.Browser)
	m.Link = s.link(seal.TokenWelcome, secret)
	prepared, err := outbox.Compose(ctx, s.Outbox, m, s.Mails.Welcome)
	if err != nil {
		return welcoming{}, err
	}
	t := store.Token{ID: secret.TokenID(seal.TokenWelcome), Purpose: store.PurposeWelcome, Owner: a.ID.String(),
		Account: a.ID, Created: now, Ends: now.Add(welcomeLife), Browser: label(c.Browser)}
	return welcoming{token: t, mail: prepared}, nil
}

// commitRegistration writes account, session, welcome and audit in one transaction, if link and row are still what the
// registration was made for.
func (s *Service) commitRegistration(ctx context.Context, in Signed, w welcoming, link store.LinkID) error {
	a := in.Account
	e := store.Event{ID: store.NewEventID(a.RegisteredAt), What: store.EventRegistered, Account: a.ID, Actor: actorSelf,
		Facts: map[string]string{"browser": in.Session.Browser}}
	return s.Store.Update(ctx, func(tx store.Tx) error {
		now, err := registrant(tx, link)
		if err != nil {
			return err
		}
		if now.Version != a.Version || now.ID != a.ID && !now.ID.IsZero() {
			return store.ErrConflict
		}
		if err := put(tx, a); err != nil {
			return err
		}
		if err := tx.Sessions().DeleteAt(a.Address.Key()); err != nil {
			return err
		}
		if err := tx.Sessions().Put(in.Session); err != nil {
			return err
		}
		if err := tx.Tokens().Put(w.token, newest); err != nil {
			return err
		}
		if err := w.mail.Put(tx); err != nil {
			return err
		}
		return tx.Audit().Add(e)
	})
}

func put(tx store.Tx, a store.Account) error {
	if a.Version == 0 {
		return tx.Accounts().Create(a)
	}
	return tx.Accounts().Set(a)
}
