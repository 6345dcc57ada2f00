package message

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"postern/pickup/account"
	"postern/store"
	"postern/store/seal"
)

// errMuted: the account gets no new grants, because its stored key is not its own (KEYS K7).
var errMuted = errors.New("account is muted")

// opening is a first opening, or the claim of a link, before it is written.
type opening struct {
	rcpt    store.Recipient // as it is to be written
	first   bool            // nobody opened the message before
	claimed bool            // a grant or the inbox entry is new
	proves  bool            // the account owns its address, by this
	at      time.Time
	by      string // "link", "inbox", or "code"
}

// OpenLink opens the message of a link for the account that is signed in, and keeps it in that account's inbox. A link
// to its first address whose secret was made after the registration also confirms the account, and its other messages then wait in its
// inbox for their own links (KEYS K8). It may be repeated.
//
// Errors: ErrUnknownLink, *EndedError, ErrNotYours, account.ErrNoSession, ErrDamaged.
func (s *Service) OpenLink(ctx context.Context, secret seal.LinkSecret, who account.Signed) (store.RcptKey, error) {
	var key store.RcptKey
	var confirmed bool
	err := store.Retry(ctx, func() error {
		o, err := s.prepareLink(ctx, secret, who)
		if err != nil {
			return err
		}
		key, confirmed = o.rcpt.Key, o.proves || who.Account.Standing == store.Confirmed
		return s.commitOpening(ctx, o, who)
	})
	if err != nil {
		return store.RcptKey{}, err
	}
	if confirmed {
		s.claim(ctx, who.Account)
	}
	return key, nil
}

// prepareLink unwraps the file key with the link's secret and wraps it for the account.
func (s *Service) prepareLink(ctx context.Context, secret seal.LinkSecret, who account.Signed) (opening, error) {
	l, err := s.follow(ctx, secret.LinkID())
	if err != nil {
		return opening{}, err
	}
	now := s.now()
	if !who.Account.Owns(l.rcpt.Address.Key()) {
		return opening{}, ErrNotYours
	}
	if err := ended(l.rcpt, now); err != nil {
		return opening{}, err
	}
	fk, grant, err := s.keyByLink(secret, l.rcpt)
	if err != nil {
		return opening{}, err
	}
	o := opening{rcpt: l.rcpt, at: now, by: "link", proves: account.ProvesAddress(who.Account, l.rcpt.Address, grant)}
	if who.IsVisit() {
		o.by = "code"
	} else if !hasGrant(l.rcpt, currentKey(who.Account)) || l.rcpt.Account != who.Account.ID {
		o.claimed = true
		if err := s.grant(&o.rcpt, who, fk); err != nil {
			return opening{}, err
		}
	}
	o.open()
	return o, nil
}

// open moves the state on, if this is the first opening.
func (o *opening) open() {
	if o.rcpt.State != store.StateOpened {
		o.first = true
		o.rcpt.State, o.rcpt.Since, o.rcpt.Opened = store.StateOpened, o.at, o.at
	}
}

// grant wraps a file key for the account's current key, in place of what its earlier keys had.
func (s *Service) grant(r *store.Recipient, who account.Signed, fk seal.FileKey) error {
	if who.Account.Muted {
		return errMuted
	}
	g, err := s.Keys.GrantAccount(who.Seed.Public(), r.Key.Message, fk)
	if err != nil {
		return fmt.Errorf("message %s: grant: %w", r.Key.Message, err)
	}
	earlier := func(g store.Grant) bool {
		return g.Kind == store.GrantAccount && slices.ContainsFunc(who.Account.Keys, func(v store.KeyVersion) bool { return v.ID == g.Key })
	}
	r.Grants = append(slices.DeleteFunc(slices.Clone(r.Grants), earlier), g)
	r.Account = who.Account.ID
	return nil
}

// commitOpening writes an opening if recipient and account are still what it was computed from.
func (s *Service) commitOpening(ctx context.Context, o opening, who account.Signed) error {
	if !o.first && !o.claimed && !o.proves {
		return nil
	}
	opened := store.Event{ID: store.NewEventID(o.at), What: store.EventOpened, Message: o.rcpt.Key.Message, N: o.rcpt.Key.N,
		Account: who.Account.ID, Actor: actorRecipient, Facts: map[string]string{"by": o.by}}
	confirmed := account.Confirmation(o.at, who.Account.ID)
	err := s.Store.Update(ctx, func(tx store.Tx) error {
		a, err := s.unchanged(tx, who)
		if err != nil {
			return err
		}
		if o.first || o.claimed {
			if err := tx.Messages().Set(o.rcpt); err != nil {
				return err
			}
		}
		if o.first {
			if err := tx.Audit().Add(opened); err != nil {
				return err
			}
		}
		if o.proves {
			return account.Confirm(tx, a, confirmed)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("open message %s: %w", o.rcpt.Key.Message, err)
	}
	return nil
}

// unchanged reads an account inside an Update and checks that it may still be used with the key in hand. Of a visit it
// checks the session.
func (s *Service) unchanged(tx store.Tx, who account.Signed) (store.Account, error) {
	if who.IsVisit() {
		_, err := account.VisitIn(tx, who.Session.ID, s.now())
		return who.Account, err
	}
	a, err := tx.Accounts().Get(who.Account.ID)
	if err != nil {
		return a, err
	}
	if a.Status != store.StatusActive || !a.Registered || a.Muted || currentKey(a) != currentKey(who.Account) {
		return a, account.ErrNoSession
	}
	return a, nil
}

// Open is the first opening of a message from the inbox. It may be repeated. ErrNotFound, *EndedError, ErrNeedsLink,
// account.ErrNoSession, ErrDamaged.
func (s *Service) Open(ctx context.Context, who account.Signed, k store.RcptKey) error {
	return store.Retry(ctx, func() error {
		r, err := s.own(ctx, who, k)
		if err != nil {
			return err
		}
		if _, err := s.keyFor(who, r); err != nil {
			return err
		}
		o := opening{rcpt: r, at: s.now(), by: "inbox"}
		o.open()
		return s.commitOpening(ctx, o, who)
	})
}

// own reads a recipient's row that is in the account's inbox and has not ended.
func (s *Service) own(ctx context.Context, who account.Signed, k store.RcptKey) (r store.Recipient, err error) {
	err = s.Store.View(ctx, func(tx store.Tx) error {
		r, err = ownRow(tx, who, k)
		return err
	})
	if err != nil {
		return r, err
	}
	return r, ended(r, s.now())
}

// ownRow is a row of the account's inbox. What waits for its link without being in an inbox counts for the account that
// has shown that the address is its own. A visit has the rows of its address, whose links it needs (keyFor).
func ownRow(tx store.Tx, who account.Signed, k store.RcptKey) (store.Recipient, error) {
	r, err := tx.Messages().Recipient(k)
	if errors.Is(err, store.ErrNotFound) {
		return r, ErrNotFound
	}
	if err != nil {
		return r, readError(k.Message, err)
	}
	if who.IsVisit() {
		if r.Action != store.ActionSeal || !who.Account.Owns(r.Address.Key()) {
			return r, ErrNotFound
		}
		return r, nil
	}
	unclaimed := r.Account.IsZero() && who.Account.Proved(r.Address.Key())
	if r.Action != store.ActionSeal || r.Account != who.Account.ID && !unclaimed {
		return r, ErrNotFound
	}
	return r, nil
}

// keyFor opens a recipient's grant: that of the account, or for a visit that of a link which it carries. ErrNeedsLink
// when there is none.
func (s *Service) keyFor(who account.Signed, r store.Recipient) (seal.FileKey, error) {
	if !who.IsVisit() {
		return s.keyByGrants(who, r.Key.Message, r.Grants)
	}
	for _, secret := range who.Links {
		fk, _, err := s.keyByLink(secret, r)
		if !errors.Is(err, ErrUnknownLink) {
			return fk, err
		}
	}
	return seal.FileKey{}, ErrNeedsLink
}

func (s *Service) keyByGrants(who account.Signed, id store.MessageID, grants []store.Grant) (seal.FileKey, error) {
	for _, g := range grants {
		if g.Kind != store.GrantAccount {
			continue
		}
		seed, err := s.Seeds.SeedOf(who, g.Key)
		if errors.Is(err, account.ErrNoKey) {
			continue
		}
		if err != nil {
			return seal.FileKey{}, fmt.Errorf("message %s: %w", id, err)
		}
		fk, err := s.Keys.OpenAccount(seed, id, g)
		if err != nil {
			return seal.FileKey{}, damaged(id, err)
		}
		return fk, nil
	}
	return seal.FileKey{}, ErrNeedsLink
}

// hasGrant reports whether a recipient has an account grant of a key.
func hasGrant(r store.Recipient, id store.KeyID) bool {
	return slices.ContainsFunc(r.Grants, func(g store.Grant) bool { return g.Kind == store.GrantAccount && g.Key == id })
}

func currentKey(a store.Account) store.KeyID {
	v, _ := a.Current()
	return v.ID
}

// claim puts what waits for a confirmed account's addresses into its inbox, without any key. It may be left undone:
// the inbox lists these messages anyway.
func (s *Service) claim(ctx context.Context, a store.Account) {
	const page, pages = 100, 10
	for _, address := range append([]store.Address{a.Address}, a.Aliases...) {
		for range pages {
			n, err := s.claimPage(ctx, a.ID, address.Key(), page)
			if err != nil {
				s.Log.WarnContext(ctx, "waiting messages not claimed", "event", "claim", "account", a.ID, "error", err)
				return
			}
			if n < page {
				break
			}
		}
	}
}

func (s *Service) claimPage(ctx context.Context, id store.AccountID, k store.AddressKey, n int) (done int, err error) {
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		keys, err := tx.Messages().Unclaimed(k, n)
		if err != nil {
			return err
		}
		done = len(keys)
		for _, key := range keys {
			r, err := tx.Messages().Recipient(key)
			if isDamage(err) {
				continue // it keeps no other from the inbox
			}
			if err != nil {
				return err
			}
			r.Account = id
			if err := tx.Messages().Set(r); err != nil {
				return err
			}
		}
		return nil
	})
	return done, err
}
