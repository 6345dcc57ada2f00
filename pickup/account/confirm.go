package account

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"postern/store"
	"postern/store/outbox"
	"postern/store/seal"
)

// AliasInfo is what the page of an alias mail's link tells.
type AliasInfo struct {
	Account store.Address // the account that asks
	Address store.Address // the alias
	At      time.Time
	Browser string
	Used    bool
	Expired bool
	Merges  bool // the address has an account of its own, which would become a part of the one that asks
}

// AliasLink reads the link of an alias mail. It changes nothing (I4). ErrUnknownLink, or the errors of seal.ParseToken.
func (s *Service) AliasLink(ctx context.Context, token string) (AliasInfo, error) {
	secret, err := seal.ParseToken(seal.TokenAlias, token)
	if err != nil {
		return AliasInfo{}, err
	}
	var info AliasInfo
	err = s.Store.View(ctx, func(tx store.Tx) error {
		t, err := tx.Tokens().Peek(secret.TokenID(seal.TokenAlias), store.PurposeAlias, s.now())
		if err != nil && !errors.Is(err, store.ErrUsed) && !errors.Is(err, store.ErrExpired) {
			return err
		}
		info = AliasInfo{Address: t.Address, At: t.Created, Browser: t.Browser, Used: !t.Used.IsZero(), Expired: errors.Is(err, store.ErrExpired)}
		a, err := tx.Accounts().Get(t.Account)
		if err != nil {
			return err
		}
		info.Account = a.Address
		own, err := find(tx, t.Address.Key())
		info.Merges = own.Registered && own.ID != a.ID
		return err
	})
	return info, tokenError("read alias link", err)
}

// AliasAnswer is the answer to the link of an alias mail.
type AliasAnswer struct {
	Token string
	// Password is that of the address's own account, if it has one: with it, what that account could open stays open.
	// Empty: its messages wait for their own links.
	Password string
	Client   Client
}

// ConfirmAlias makes the address of an alias mail's link an alias of the account that asked for it, whose full session
// this must be (KEYS K9). It is the only way to an alias. A mail tells the account's own address, and
// another one the alias if its account ends: nobody can sign in to that any more.
//
// Errors: ErrUnknownLink, store.ErrUsed, store.ErrExpired, ErrNotYours, ErrAliasTaken, ErrAliasShut, ErrPassword (the
// typed one is not that of the address's account), ErrNoSession, *BusyError.
func (s *Service) ConfirmAlias(ctx context.Context, who Signed, in AliasAnswer) error {
	secret, err := seal.ParseToken(seal.TokenAlias, in.Token)
	if err != nil {
		return err
	}
	if who.Session.Kind != store.SessionFull {
		return ErrNoSession
	}
	c := confirming{id: secret.TokenID(seal.TokenAlias), at: s.now(), client: in.Client}
	if err := s.readAlias(ctx, who, &c); err != nil {
		return tokenError("read alias link", err)
	}
	if err := s.openMerged(ctx, who, in, &c); err != nil {
		return err
	}
	if err := s.tellAlias(ctx, who, &c); err != nil {
		return err
	}
	if err := s.commitAlias(ctx, who, c); err != nil {
		return tokenError("confirm alias", err)
	}
	s.adoptAll(ctx, who.Account.ID)
	return nil
}

// confirming is an alias on its way.
type confirming struct {
	id     store.TokenID
	at     time.Time
	client Client
	alias  store.Address
	asked  time.Time
	own    store.Account // of the alias itself; zero: none
	chain  []byte        // the seed of own's current key, sealed to that of the account
	told   []outbox.Prepared
}

// tellAlias composes the mails about an alias. A row that nobody is registered in ends without one to its address: nobody
// loses a log-on, and the link that was mailed there said what would become of it.
func (s *Service) tellAlias(ctx context.Context, who Signed, c *confirming) error {
	m := s.aliasMail(who.Account, c.alias, c.at, c.client)
	added, err := outbox.Compose(ctx, s.Outbox, m, s.Mails.AliasAdded)
	if err != nil {
		return err
	}
	c.told = append(c.told, added)
	if !c.own.Registered {
		return nil
	}
	m = s.aliasMail(who.Account, c.alias, c.at, c.client)
	m.To, m.Lang = c.alias, c.own.Language
	merged, err := outbox.Compose(ctx, s.Outbox, m, s.Mails.AccountMerged)
	c.told = append(c.told, merged)
	return err
}

// readAlias finds the token and the account that the address has of its own.
func (s *Service) readAlias(ctx context.Context, who Signed, c *confirming) error {
	return s.Store.View(ctx, func(tx store.Tx) error {
		t, err := tx.Tokens().Peek(c.id, store.PurposeAlias, c.at)
		if err != nil {
			return err
		}
		if t.Account != who.Account.ID {
			return ErrNotYours
		}
		c.alias, c.asked = t.Address, t.Created
		c.own, err = ownAccount(tx, who.Account.ID, t.Address)
		if err != nil {
			return err
		}
		return c.overtaken(c.own)
	})
}

// overtaken refuses a link that was mailed before somebody took the address back: whoever had its mailbox for a while may
// have it, as all other links of that time (Disowned).
func (c confirming) overtaken(own store.Account) error {
	if !own.ID.IsZero() && !own.Disowned.IsZero() && !c.asked.After(own.Disowned) {
		return ErrUnknownLink
	}
	return nil
}

// ownAccount is the account of an address that is to become an alias of another; the zero Account when it has none.
func ownAccount(tx store.Tx, main store.AccountID, alias store.Address) (store.Account, error) {
	own, err := find(tx, alias.Key())
	switch {
	case err != nil:
		return own, err
	case own.ID == main: // by another link for it
		return own, store.ErrUsed
	case own.ID.IsZero():
		return own, nil
	case own.Address.Key() != alias.Key():
		return own, ErrAliasTaken
	case own.Status == store.StatusDisabled:
		return own, ErrAliasShut
	}
	return own, nil
}

// openMerged chains the key of the account that is to be merged, if its password was typed.
func (s *Service) openMerged(ctx context.Context, who Signed, in AliasAnswer, c *confirming) error {
	old, has := c.own.Current()
	if in.Password == "" || !has || !c.own.Registered {
		return nil
	}
	arrived := s.Now()
	seed, err := s.tryPassword(ctx, c.own, in.Password, in.Client)
	if err != nil {
		s.pace(ctx, arrived)
		return err
	}
	main, _ := who.Account.Current()
	c.chain, err = s.Keys.SealChain(main.Public, old.Owner(c.own.ID), main.ID, old.ID, seed)
	if err != nil {
		return fmt.Errorf("chain the key of the merged account: %w", err)
	}
	return nil
}

// commitAlias consumes the link and adds the alias, if both accounts are still what was read.
func (s *Service) commitAlias(ctx context.Context, who Signed, c confirming) error {
	added := aliasEvent(c.at, store.EventAliasAdded, who.Account.ID, c.alias, c.client)
	merged := store.Event{ID: store.NewEventID(c.at), What: store.EventMerged, Account: c.own.ID, Actor: actorSelf,
		Facts: map[string]string{"into": who.Account.ID.String(), "browser": label(c.client.Browser)}}
	if len(c.own.Aliases) > 0 {
		merged.Facts["aliases"] = joined(c.own.Aliases)
	}
	return store.Retry(ctx, func() error {
		return s.alter(ctx, who, func(tx store.Tx, a store.Account) error {
			if _, err := tx.Tokens().Use(c.id, store.PurposeAlias, c.at); err != nil {
				return err
			}
			own, err := ownAccount(tx, a.ID, c.alias)
			if err != nil {
				return err
			}
			if err := c.overtaken(own); err != nil {
				return err
			}
			if own.ID != c.own.ID || own.Registered != c.own.Registered || currentOf(own) != currentOf(c.own) {
				return store.ErrConflict
			}
			if !own.ID.IsZero() {
				if a, err = merge(tx, a, own, c.chain); err != nil {
					return err
				}
				if err := tx.Audit().Add(merged); err != nil {
					return err
				}
			}
			if err := confirmedAnew(tx, a, c.alias.Key()); err != nil {
				return err
			}
			a.Aliases = append(a.Aliases, c.alias)
			if err := tx.Accounts().Set(a); err != nil {
				return err
			}
			for _, told := range c.told {
				if err := told.Put(tx); err != nil {
					return err
				}
			}
			return tx.Audit().Add(added)
		})
	})
}

func joined(list []store.Address) string {
	var words []string
	for _, a := range list {
		words = append(words, a.String())
	}
	return strings.Join(words, ", ")
}

func currentOf(a store.Account) store.KeyID {
	v, _ := a.Current()
	return v.ID
}
