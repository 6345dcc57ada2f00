package account

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"postern/pickup/notify"
	"postern/store"
	"postern/store/outbox"
	"postern/store/seal"
)

// MaxAliases is how many addresses an account may have beside its own, those that wait for their confirmation included.
const MaxAliases = 10

// aliasLife is how long the link of an alias mail works (KEYS K2).
const aliasLife = 7 * 24 * time.Hour

// What is wrong with an alias.
var (
	// ErrAliasAddress: what was typed is no address that can receive secure mail.
	ErrAliasAddress = errors.New("not an address that can be an alias")
	// ErrAliasOwn: the address is the account's own already.
	ErrAliasOwn = errors.New("the address is the account's already")
	// ErrAliasLimit: the account has MaxAliases of them.
	ErrAliasLimit = errors.New("the account has as many aliases as it may")
	// ErrAliasOften: too many alias mails went out on behalf of the account within the hour.
	ErrAliasOften = errors.New("too many alias mails within an hour")
	// ErrAliasTaken: the address is an alias of another account, where it must be removed first.
	ErrAliasTaken = errors.New("the address is an alias of another account")
	// ErrAliasShut: the address has a disabled account of its own.
	ErrAliasShut = errors.New("the account of the address is disabled")
)

// AliasForm is a filled-in form for an alias: the password is typed again (KEYS K10).
type AliasForm struct {
	Address  string
	Password string
	Client   Client
}

// OtherAddress is an address beside an account's own.
type OtherAddress struct {
	Address store.Address
	Asked   time.Time // zero: it is confirmed; else when its mail was sent
	Ends    time.Time // when the link of that mail ends
}

// ReadAlias reads a typed address that is to become an alias. ErrAliasAddress, ErrAliasOwn.
func ReadAlias(a store.Account, typed string) (store.Address, error) {
	address, err := store.ParseAddress(strings.TrimSpace(typed))
	if err != nil || address.IsLiteral() {
		return store.Address{}, ErrAliasAddress
	}
	if a.Owns(address.Key()) {
		return address, ErrAliasOwn
	}
	return address, nil
}

// Aliases lists the aliases of the account, the confirmed ones first, then those that wait.
func (s *Service) Aliases(ctx context.Context, who Signed) (list []OtherAddress, err error) {
	var waiting []store.Token
	err = s.Store.View(ctx, func(tx store.Tx) error {
		waiting, err = tx.Tokens().Of(store.PurposeAlias, who.Account.ID.String(), s.now())
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list aliases: %w", err)
	}
	for _, a := range who.Account.Aliases {
		list = append(list, OtherAddress{Address: a})
	}
	for _, t := range waiting {
		if !who.Account.Owns(t.Address.Key()) {
			list = append(list, OtherAddress{Address: t.Address, Asked: t.Created, Ends: t.Ends})
		}
	}
	return list, nil
}

// AddAlias mails a link to an address, which becomes an alias of the account when the link is answered in a session of
// the account (B13). Nothing tells whether the address has an account of its own. Asking again replaces the earlier link.
//
// Errors: ErrAliasAddress, ErrAliasOwn, ErrAliasLimit, ErrAliasOften, ErrPassword, ErrNoSession, *BusyError.
func (s *Service) AddAlias(ctx context.Context, who Signed, in AliasForm) error {
	address, err := ReadAlias(who.Account, in.Address)
	if err != nil {
		return err
	}
	if err := s.Prove(ctx, who, in.Password, in.Client); err != nil {
		return err
	}
	if !s.throttle.mail(who.Account.ID, mailing{kind: "alias"}, s.Now()) {
		return ErrAliasOften
	}
	secret, at := seal.NewSecret(), s.now()
	m := s.aliasMail(who.Account, address, at, in.Client)
	m.To, m.Until, m.Link = address, at.Add(aliasLife), s.link(seal.TokenAlias, secret)
	mail, err := outbox.Compose(ctx, s.Outbox, m, s.Mails.AliasAsked)
	if err != nil {
		return err
	}
	t := store.Token{ID: secret.TokenID(seal.TokenAlias), Purpose: store.PurposeAlias, Owner: who.Account.ID.String(), Account: who.Account.ID,
		Created: at, Ends: at.Add(aliasLife), Browser: label(in.Client.Browser), Address: address}
	e := aliasEvent(at, store.EventAliasAsked, who.Account.ID, address, in.Client)
	err = s.alter(ctx, who, func(tx store.Tx, a store.Account) error {
		if err := makeAliasRoom(tx, a, t); err != nil {
			return err
		}
		if err := tx.Tokens().Put(t, store.Keep{}); err != nil {
			return err
		}
		if err := mail.Put(tx); err != nil {
			return err
		}
		return tx.Audit().Add(e)
	})
	if err != nil {
		return fmt.Errorf("add alias: %w", err)
	}
	return nil
}

// makeAliasRoom drops an earlier link for the same address, and holds the account within MaxAliases.
func makeAliasRoom(tx store.Tx, a store.Account, t store.Token) error {
	live, err := tx.Tokens().Of(store.PurposeAlias, t.Owner, t.Created)
	if err != nil {
		return err
	}
	n := len(a.Aliases)
	for _, old := range live {
		if old.Address.Key() != t.Address.Key() {
			n++
			continue
		}
		if err := tx.Tokens().Delete(old.ID); err != nil {
			return err
		}
	}
	if n >= MaxAliases {
		return ErrAliasLimit
	}
	return nil
}

// RemoveAlias takes an alias off the account, or stops waiting for one; the address is free for an account of its own.
// What came for it before stays in the inbox. But an address that had an account of its own before gets that back, with
// its messages, as ReleaseAlias does; mails then tell both addresses. It is no error when there is no such alias.
// ErrPassword, ErrNoSession, *BusyError.
func (s *Service) RemoveAlias(ctx context.Context, who Signed, in AliasForm) error {
	address, err := store.ParseAddress(strings.TrimSpace(in.Address))
	if err != nil {
		return ErrAliasAddress
	}
	if err := s.Prove(ctx, who, in.Password, in.Client); err != nil {
		return err
	}
	x := release{leaving: []leaving{{address: address}}, at: s.now(), by: actorSelf, browser: in.Client.Browser}
	if err := s.tellRelease(ctx, who.Account, &x); err != nil {
		return err
	}
	freed := false
	err = s.alter(ctx, who, func(tx store.Tx, a store.Account) error {
		waited, err := x.stopWaiting(tx, a.ID)
		if err != nil {
			return err
		}
		if isAlias(a, address.Key()) {
			freed, err = x.commit(tx, a)
			return err
		}
		if !waited {
			return nil
		}
		return tx.Audit().Add(x.event(a.ID, address))
	})
	if err != nil {
		return fmt.Errorf("remove alias: %w", err)
	}
	if freed {
		s.returnAll(ctx, who.Account.ID)
	}
	return nil
}

// stopWaiting drops the links by which the first address could become an alias of an account, and reports whether there
// were any.
func (x *release) stopWaiting(tx store.Tx, id store.AccountID) (found bool, err error) {
	waiting, err := tx.Tokens().Of(store.PurposeAlias, id.String(), x.at)
	if err != nil {
		return false, err
	}
	for _, t := range waiting {
		if t.Address.Key() != x.leaving[0].address.Key() {
			continue
		}
		found = true
		if err := tx.Tokens().Delete(t.ID); err != nil {
			return found, err
		}
	}
	return found, nil
}

func aliasEvent(at time.Time, what store.What, id store.AccountID, address store.Address, c Client) store.Event {
	return store.Event{ID: store.NewEventID(at), What: what, Account: id, Actor: actorSelf,
		Facts: map[string]string{"address": address.String(), "browser": label(c.Browser)}}
}

// aliasMail is a mail about an alias, to the account's own address.
func (s *Service) aliasMail(a store.Account, alias store.Address, at time.Time, c Client) notify.AliasMail {
	return notify.AliasMail{AccountMail: s.accountMail(a, at, c.Browser), Account: a.Address, Alias: alias}
}
