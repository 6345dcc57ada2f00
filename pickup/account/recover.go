package account

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"postern/pickup/notify"
	"postern/store"
	"postern/store/seal"
)

// Recovery is how people who forgot their password get back in (pickup.recovery).
type Recovery string

// The ways back in.
const (
	RecoverActivate  Recovery = "activate"           // the new password is typed first and activated from a mail (A4, A5)
	RecoverTemporary Recovery = "temporary-password" // a mailed password, and then a new one must be chosen (C9)
	RecoverLink      Recovery = "reset-link"         // a mailed link to choose a new one (C10)
)

// RecoveryLife is how long whatever such a mail carries works (KEYS K2).
const RecoveryLife = 24 * time.Hour

const (
	sameRequest = 2 * time.Minute // requests so close together are one (C10)
	mailsAnHour = 5               // of one kind to one account
)

// newest: a newer token of that kind ends the older one. atMostThree: none overwrites another (KEYS K9). threeMore is for
// browsers that signed in to the account before: places that no stranger can fill.
var (
	newest      = store.Keep{Max: 1, Drop: true}
	atMostThree = store.Keep{Max: 3}
	threeMore   = store.Keep{Max: 6}
)

// Remind mails an account's reminder phrase to its address (A2). It answers the same for every address, and looks up
// nothing before it has: *BusyError, when the client asks too often.
func (s *Service) Remind(ctx context.Context, address string, c Client) error {
	return s.afterwards(ctx, address, c, mailing{"reminder", sameRequest}, func(ctx context.Context, a store.Account) error {
		return s.mailReminder(ctx, a, c)
	})
}

// Recover mails what Config.Recovery says: a temporary password or a reset link. It answers as Remind does.
func (s *Service) Recover(ctx context.Context, address string, c Client) error {
	send := s.mailLink
	if s.Recovery == RecoverTemporary {
		send = s.mailTemporary
	}
	return s.afterwards(ctx, address, c, mailing{string(s.Recovery), sameRequest}, func(ctx context.Context, a store.Account) error {
		return send(ctx, a, c)
	})
}

// mailing is a kind of mail that a stranger can have sent to an address.
type mailing struct {
	kind string
	gap  time.Duration // between two of them
}

// by counts the mails apart that a browser asks for which signed in to the account before (KEYS K13): a stranger must
// not use up what its owner needs to get back in.
func (m mailing) by(known bool) mailing {
	if known {
		m.kind += ", known browser"
	}
	return m
}

// afterwards takes a request for an address and does its job once it is answered, if the address has an account that may
// be used and is not sent such mails too often. What then fails is logged: there is nobody left to be told.
func (s *Service) afterwards(ctx context.Context, address string, c Client, m mailing, job func(context.Context, store.Account) error) error {
	if err := s.throttle.client(c.IP, s.Now()); err != nil {
		return err
	}
	return s.promise(trackAddress(address), c, m, job)
}

func (s *Service) promise(k store.AddressKey, c Client, m mailing, job func(context.Context, store.Account) error) error {
	taken := s.Later(func(ctx context.Context) {
		a, err := s.recoverable(ctx, k)
		if err == nil && !a.ID.IsZero() {
			if !s.throttle.mail(a.ID, m.by(s.knows(a, c)), s.Now()) {
				err = errOften
			} else {
				err = job(ctx, a)
			}
		}
		s.noteRequest(ctx, a, c, m, err)
	})
	if !taken {
		return &BusyError{RetryAfter: maxWait}
	}
	return nil
}

// errOften: an account is sent such mails too often.
var errOften = errors.New("mailed often enough")

// knows reports whether a browser signed in to an account before, with the password that it has now.
func (s *Service) knows(a store.Account, c Client) bool {
	current, ok := a.Current()
	return ok && s.Keys.CheckBrowserMAC(a.ID, seal.Registration{At: a.RegisteredAt, Key: current.ID}, c.Known)
}

// recoverable is the account of an address whose password may be replaced by mail; zero: none.
func (s *Service) recoverable(ctx context.Context, k store.AddressKey) (a store.Account, err error) {
	err = s.Store.View(ctx, func(tx store.Tx) error {
		a, err = find(tx, k)
		return err
	})
	if err != nil {
		return store.Account{}, fmt.Errorf("look up account: %w", err)
	}
	if !usable(a) {
		return store.Account{}, nil
	}
	return a, nil
}

// noteRequest logs what became of a request that was answered before.
func (s *Service) noteRequest(ctx context.Context, a store.Account, c Client, m mailing, err error) {
	level, result := slog.LevelInfo, "mailed"
	switch {
	case errors.Is(err, errOften), errors.Is(err, store.ErrLimit):
		result = "held back"
	case err != nil:
		level, result = slog.LevelError, "failed"
	case a.ID.IsZero():
		result = "no account"
	}
	attrs := []slog.Attr{slog.String("event", "recovery"), slog.String("ref", c.Ref), slog.String("kind", m.kind), slog.String("account", accountOrNone(a)),
		slog.String("result", result), slog.String("client_ip", c.IP.String())}
	if err != nil {
		attrs = append(attrs, slog.Any("error", err))
	}
	s.Log.LogAttrs(ctx, level, "account mail asked for", attrs...)
}

// mailReminder mails the reminder phrase, or that there is none.
func (s *Service) mailReminder(ctx context.Context, a store.Account, c Client) error {
	now := s.now()
	m := notify.RecoveryMail{AccountMail: s.accountMail(a, now, c.Browser)}
	if len(a.Reminder) > 0 {
		phrase, err := s.Keys.OpenReminder(a.ID, a.Reminder)
		if err != nil {
			return fmt.Errorf("open reminder phrase: %w", err)
		}
		m.Secret = phrase
	}
	own, err := s.Mails.PasswordReminder(m)
	if err != nil {
		return fmt.Errorf("compose reminder: %w", err)
	}
	return s.send(ctx, own, asked(now, a.ID, "reminder"), func(store.Tx) error { return nil })
}

// newToken is the row of what a mail carries to an account's owner.
func (s *Service) newToken(a store.Account, id store.TokenID, p store.Purpose, c Client) store.Token {
	now := s.now()
	return store.Token{ID: id, Purpose: p, Owner: a.ID.String(), Account: a.ID, Created: now, Ends: now.Add(RecoveryLife), Browser: label(c.Browser)}
}

// tokenMail says what every mail with a token says.
func (s *Service) tokenMail(a store.Account, t store.Token) notify.RecoveryMail {
	return notify.RecoveryMail{Until: t.Ends, AccountMail: s.accountMail(a, t.Created, t.Browser)}
}

// link is where the secret of a mail leads. It is built from pickup.url (KEYS K15).
func (s *Service) link(k seal.TokenKind, secret seal.LinkSecret) string {
	return s.SiteURL + "/" + string(k) + "/" + secret.Token(k)
}

// mailToken stores a token and the mail that carries it. err is that of composing the mail.
func (s *Service) mailToken(ctx context.Context, t store.Token, keep store.Keep, own store.OwnMail, err error) error {
	if err != nil {
		return fmt.Errorf("compose %s mail: %w", t.Purpose, err)
	}
	return s.send(ctx, own, asked(t.Created, t.Account, string(t.Purpose)), func(tx store.Tx) error {
		a, err := tx.Accounts().Get(t.Account)
		if err != nil {
			return err
		}
		if !usable(a) {
			return errChanged
		}
		return tx.Tokens().Put(t, keep)
	})
}

// send stores a mail with its fact and the event that tells it.
func (s *Service) send(ctx context.Context, own store.OwnMail, e store.Event, fact func(store.Tx) error) error {
	mail, err := s.Outbox.Prepare(ctx, own)
	if err != nil {
		return fmt.Errorf("seal mail: %w", err)
	}
	return s.Store.Update(ctx, func(tx store.Tx) error {
		if err := fact(tx); err != nil {
			return err
		}
		return errors.Join(mail.Put(tx), tx.Audit().Add(e))
	})
}

func asked(at time.Time, id store.AccountID, what string) store.Event {
	return store.Event{ID: store.NewEventID(at), What: store.EventRecovery, Account: id, Actor: actorSelf, Facts: map[string]string{"by": what}}
}
