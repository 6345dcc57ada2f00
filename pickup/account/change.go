package account

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"postern/pickup/notify"
	"postern/store"
	"postern/store/outbox"
)

// What is wrong with a change of password, beside what is wrong with a password or reminder.
var (
	// ErrSamePassword: the new password is the one that the account has.
	ErrSamePassword = errors.New("the new password is the old one")
	// ErrReminderKept: the reminder that the account has, and would keep, gives the new password away.
	ErrReminderKept = errors.New("the reminder that stays gives the new password away")
)

// Change is a filled-in form for a new password of somebody who is signed in.
type Change struct {
	Current  string // typed again
	Password string
	Reminder string // empty: the one that there is stays
	Client   Client
}

// ChangePassword makes a new key version under a new password (KEYS K9 "Change, signed in"). The version before it is
// chained, so every message stays open. All other sessions end, and so does all that was mailed and not used; the
// person goes on in a new session. A mail tells the account's address.
//
// Errors, together what there is to mend: *CriteriaError, ErrReminderHint, ErrReminderLong, ErrReminderKept, ErrPassword;
// else ErrSamePassword, ErrNoSession, *BusyError.
func (s *Service) ChangePassword(ctx context.Context, who Signed, in Change) (Signed, error) {
	weak := s.check(in.Password, About(who.Account)...)
	reminder, hint := s.nextReminder(who.Account, in.Reminder, in.Password)
	if hint != nil && !isReminder(hint) {
		return Signed{}, hint
	}
	missed := s.Prove(ctx, who, in.Current, in.Client)
	if missed != nil && !errors.Is(missed, ErrPassword) {
		return Signed{}, missed
	}
	if err := errors.Join(weak, hint, missed); err != nil {
		return Signed{}, err
	}
	if normalize(in.Password) == normalize(in.Current) {
		return Signed{}, ErrSamePassword
	}
	seed, key, err := s.newKey(ctx, who.Account.ID, in.Password)
	if err != nil {
		return Signed{}, err
	}
	old, _ := who.Account.Current()
	chain, err := s.Keys.SealChain(key.Public, who.Account.ID, key.ID, old.ID, who.Seed)
	if err != nil {
		return Signed{}, fmt.Errorf("chain the old key: %w", err)
	}
	next := renewal{key: key, chain: chain, reminder: reminder}
	return s.commitChange(ctx, who, next, s.newSession(who.Account, seed, in.Client, who.Session.Kept))
}

// renewal is what a new password brings to an account.
type renewal struct {
	key      store.KeyVersion
	chain    []byte // the seed before it, sealed to key
	reminder []byte // nil: the one that there is stays
}

// About is what a password of the account may have nothing of: its addresses.
func About(a store.Account) []string {
	about := []string{a.Address.String()}
	for _, alias := range a.Aliases {
		about = append(about, alias.String())
	}
	return about
}

// nextReminder seals the reminder that was typed for a new password; nil when that of before stays.
func (s *Service) nextReminder(a store.Account, typed, password string) ([]byte, error) {
	if text := cleanReminder(typed); text != "" {
		return s.sealReminder(a.ID, text, password)
	}
	if len(a.Reminder) == 0 {
		return nil, nil
	}
	kept, err := s.Keys.OpenReminder(a.ID, a.Reminder)
	if err != nil {
		return nil, fmt.Errorf("open reminder: %w", err)
	}
	if checkReminder(kept, password) != nil {
		return nil, ErrReminderKept
	}
	return nil, nil
}

// isReminder reports whether an error is about a reminder that goes with no password, or not with this one.
func isReminder(err error) bool {
	return errors.Is(err, ErrReminderHint) || errors.Is(err, ErrReminderLong) || errors.Is(err, ErrReminderKept)
}

// sealReminder checks a cleaned reminder against the password it belongs to and seals it; nil for none.
func (s *Service) sealReminder(id store.AccountID, text, password string) ([]byte, error) {
	if err := checkReminder(text, password); err != nil {
		return nil, err
	}
	if text == "" {
		return nil, nil
	}
	return s.Keys.SealReminder(id, text), nil
}

// succeed makes key the account's current version. The one before it is chained by its seed, sealed to key, or without
// such a chain locked (KEYS K7). Versions that hang on a locked one open with it only.
func succeed(a store.Account, key store.KeyVersion, chain []byte) store.Account {
	a.Keys = slices.Clone(a.Keys)
	for i, v := range a.Keys {
		switch {
		case v.State != store.KeyCurrent:
		case chain != nil:
			a.Keys[i].State, a.Keys[i].Chain, a.Keys[i].To = store.KeyChained, chain, key.ID
		default:
			a.Keys[i].State = store.KeyLocked
		}
	}
	a.Keys = append(a.Keys, key)
	return a
}

// endPending ends all sessions of an account, and all that was mailed and not used: links, temporary passwords,
// requests (KEYS K9). The link of a welcome mail stays as long as nobody answered it: who made the account with a
// forwarded link must not take "it was not me" from the owner of the address by changing the password.
func endPending(tx store.Tx, a store.Account) error {
	if err := tx.Sessions().DeleteAll(a.ID, store.SessionID{}); err != nil {
		return err
	}
	owners := []string{a.ID.String(), string(a.Address.Key())}
	for _, alias := range a.Aliases {
		owners = append(owners, string(alias.Key()))
	}
	for _, owner := range owners {
		for _, p := range []store.Purpose{store.PurposeReset, store.PurposeVerify, store.PurposeAlias, store.PurposeTemp, store.PurposeCode} {
			if err := tx.Tokens().DeleteAll(p, owner); err != nil {
				return err
			}
		}
	}
	return nil
}

// commitChange writes the account with its new key, if the old one is still the one that was in hand.
func (s *Service) commitChange(ctx context.Context, who Signed, next renewal, out Signed) (Signed, error) {
	told, err := s.changed(ctx, out)
	if err != nil {
		return Signed{}, err
	}
	e := store.Event{ID: store.NewEventID(out.Session.Created), What: store.EventPassword, Account: out.Account.ID, Actor: actorSelf,
		Facts: map[string]string{"browser": out.Session.Browser, "by": "settings"}}
	err = s.alter(ctx, who, func(tx store.Tx, a store.Account) error {
		a = succeed(a, next.key, next.chain)
		if next.reminder != nil {
			a.Reminder = next.reminder
		}
		out.Account = a
		if err := tx.Accounts().Set(a); err != nil {
			return err
		}
		if err := endPending(tx, a); err != nil {
			return err
		}
		if err := tx.Sessions().Put(out.Session); err != nil {
			return err
		}
		if err := told.Put(tx); err != nil {
			return err
		}
		return tx.Audit().Add(e)
	})
	if err != nil {
		return Signed{}, fmt.Errorf("change password: %w", err)
	}
	out.Account.Version++ // as Set left it
	return out, nil
}

// changed composes the mail that tells the address of an account of its new password.
func (s *Service) changed(ctx context.Context, in Signed) (outbox.Prepared, error) {
	return outbox.Compose(ctx, s.Outbox, s.accountMail(in.Account, in.Session.Created, in.Session.Browser), s.Mails.PasswordChanged)
}

// accountMail is a mail to the address of an account about something that a browser did.
func (s *Service) accountMail(a store.Account, at time.Time, browser string) notify.AccountMail {
	return notify.AccountMail{ID: store.NewMessageID(at), To: a.Address, At: at, Browser: label(browser), Lang: a.Language}
}

// alter changes the account of a signed-in person in one transaction, if it may still be used with the key in hand.
// ErrNoSession.
func (s *Service) alter(ctx context.Context, who Signed, change func(store.Tx, store.Account) error) error {
	return s.Store.Update(ctx, func(tx store.Tx) error {
		a, err := tx.Accounts().Get(who.Account.ID)
		if err != nil {
			return err
		}
		mine, _ := who.Account.Current()
		if now, ok := a.Current(); !ok || !usable(a) || now.ID != mine.ID {
			return ErrNoSession
		}
		return change(tx, a)
	})
}

// ChangeReminder puts another reminder phrase in place of the one there is; an empty one is a choice (A3). The password
// is typed again. ErrReminderHint, ErrReminderLong, ErrPassword, ErrNoSession, *BusyError.
func (s *Service) ChangeReminder(ctx context.Context, who Signed, in Change) error {
	if err := s.Prove(ctx, who, in.Current, in.Client); err != nil {
		return err
	}
	sealed, err := s.sealReminder(who.Account.ID, cleanReminder(in.Reminder), in.Current)
	if err != nil {
		return err
	}
	e := store.Event{ID: store.NewEventID(s.now()), What: store.EventReminder, Account: who.Account.ID, Actor: actorSelf,
		Facts: map[string]string{"browser": label(in.Client.Browser)}}
	err = s.alter(ctx, who, func(tx store.Tx, a store.Account) error {
		a.Reminder = sealed
		if err := tx.Accounts().Set(a); err != nil {
			return err
		}
		return tx.Audit().Add(e)
	})
	if err != nil {
		return fmt.Errorf("change reminder: %w", err)
	}
	return nil
}
