package account

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"strings"
	"time"
	"unicode"

	"postern/pickup/notify"
	"postern/store"
	"postern/store/mail"
	"postern/store/outbox"
	"postern/store/seal"
)

// A mailed code (KEYS K2): the box of a few digits is worth nothing without the bounds on tries, time and number.
const (
	codeLife  = 15 * time.Minute
	codeTries = 5
	// CodeDigits is the length of a code.
	CodeDigits = 8
)

// How many codes may be mailed an hour: to an address (KEYS K2), and to one client by one link, so that a scanner that
// presses the button does not use up what is the recipient's.
const (
	codesPerAddress = 5
	codesPerClient  = 3
	codeWindow      = time.Hour
)

// ErrCodeOver: no code is waiting in this browser, or the one that was is used, too old, or was mistyped too often.
var ErrCodeOver = errors.New("the code is over")

// CodeLimitError: enough codes were mailed for now.
type CodeLimitError struct{ Until time.Time }

func (*CodeLimitError) Error() string { return "too many codes" }

// WrongCodeError: what was typed is not the code. Left is how often it may still be tried.
type WrongCodeError struct{ Left int }

func (*WrongCodeError) Error() string { return "wrong code" }

// CodeRequest is a press of "send me a code" on the page of a link.
type CodeRequest struct {
	Secret   seal.LinkSecret
	Author   mail.Mailbox // of the message, as the page names it
	Flow     string       // value of the flow cookie; the code that waits there ends
	Language string       // of the mail
	Client   Client
}

// CodeWaiting is a code that was mailed and not typed yet.
type CodeWaiting struct {
	Flow string // value of the flow cookie; only from SendCode
	Mark string // two letters that the mail carries too, to tell it from those before
	Ends time.Time
}

// SendCode mails a code to the address of a link, if nobody is registered with it (KEYS K8 "code"). It counts in the
// browser that gets the flow cookie only, and ends the code that this browser had before.
//
// Errors: ErrUnknownLink, ErrLinkOver, ErrHasAccount, ErrSignIn (disabled), *CodeLimitError, *BusyError.
func (s *Service) SendCode(ctx context.Context, in CodeRequest) (CodeWaiting, error) {
	arrived := s.Now()
	if err := s.throttle.client(in.Client.IP, arrived); err != nil {
		return CodeWaiting{}, err
	}
	address, err := s.visitor(ctx, in.Secret)
	if err != nil {
		if errors.Is(err, ErrSignIn) {
			s.pace(ctx, arrived)
		}
		return CodeWaiting{}, err
	}
	if err := s.takeQuota(arrived, in.Secret, address, in.Client); err != nil {
		return CodeWaiting{}, err
	}
	return s.mailCode(ctx, in, address)
}

// takeQuota counts one mail that was asked for on the page of a link. *CodeLimitError.
func (s *Service) takeQuota(now time.Time, secret seal.LinkSecret, address store.Address, c Client) error {
	free, until := s.codes.take(now, quotaKey{"client", secret.LinkID().String() + " " + network(c.IP).String(), codesPerClient},
		quotaKey{"address", string(address.Key()), codesPerAddress})
	if !free {
		return &CodeLimitError{Until: until}
	}
	return nil
}

// visitor is the address of a link, if nobody is registered with it.
func (s *Service) visitor(ctx context.Context, secret seal.LinkSecret) (address store.Address, err error) {
	err = s.Store.View(ctx, func(tx store.Tx) error {
		address, err = visitorOf(tx, secret.LinkID())
		return err
	})
	return address, err
}

func visitorOf(tx store.Tx, id store.LinkID) (store.Address, error) {
	r, err := tx.Messages().ByLink(id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return store.Address{}, ErrUnknownLink
	case err != nil:
		return store.Address{}, err
	case !r.Live() || r.State == store.StateDeclined:
		return store.Address{}, ErrLinkOver
	}
	_, err = vacant(tx, r.Address.Key())
	return r.Address, err
}

// mailCode makes a code and queues its mail in one transaction.
func (s *Service) mailCode(ctx context.Context, in CodeRequest, address store.Address) (CodeWaiting, error) {
	flow, code, now := seal.NewSecret(), newCode(), s.now()
	id := flow.TokenID(seal.TokenFlow)
	t := store.Token{ID: id, Purpose: store.PurposeCode, Owner: string(address.Key()), Created: now, Ends: now.Add(codeLife),
		Browser: label(in.Client.Browser), Sealed: s.Keys.SealCode(id.String(), code)}
	prepared, err := outbox.Compose(ctx, s.Outbox, notify.CodeMail{
		AccountMail: notify.AccountMail{ID: store.NewMessageID(now), To: address, At: now, Browser: t.Browser, Lang: label(in.Language)},
		Code:        code, Mark: codeMark(id), Author: in.Author, Ends: t.Ends,
	}, s.Mails.Code)
	if err != nil {
		return CodeWaiting{}, err
	}
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		if _, err := visitorOf(tx, in.Secret.LinkID()); err != nil {
			return err
		}
		if old, err := seal.ParseToken(seal.TokenFlow, in.Flow); err == nil {
			if err := endCode(tx, old.TokenID(seal.TokenFlow), now); err != nil {
				return err
			}
		}
		return errors.Join(tx.Tokens().Put(t, store.Keep{Max: codesPerAddress, Drop: true}), prepared.Put(tx))
	})
	if err != nil {
		return CodeWaiting{}, fmt.Errorf("mail code: %w", err)
	}
	return CodeWaiting{Flow: flow.Token(seal.TokenFlow), Mark: codeMark(id), Ends: t.Ends}, nil
}

// endCode kills the code of a flow, if it is one and lives.
func endCode(tx store.Tx, id store.TokenID, now time.Time) error {
	_, err := tx.Tokens().Peek(id, store.PurposeCode, now)
	if err != nil {
		if isOver(err) {
			return nil
		}
		return err
	}
	return tx.Tokens().Delete(id)
}

// isOver is what Peek says of a token that is no use any more.
func isOver(err error) bool {
	return errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrUsed) || errors.Is(err, store.ErrExpired)
}

// newCode draws CodeDigits digits.
func newCode() string {
	n, err := rand.Int(rand.Reader, big.NewInt(100_000_000))
	if err != nil {
		panic("account: no randomness") // crypto/rand ends the program before that
	}
	return fmt.Sprintf("%0*d", CodeDigits, n)
}

// codeMark is two letters of a code's row, none of which reads like another: they are no secret.
func codeMark(id store.TokenID) string {
	const letters = "ACDEFHJKMNPRTUVWXY"
	return string([]byte{letters[int(id[0])%len(letters)], ' ', letters[int(id[1])%len(letters)]})
}

// Code tells what waits in the browser that has a flow cookie, for the address of a link. It changes nothing (I4).
// ErrCodeOver.
func (s *Service) Code(ctx context.Context, secret seal.LinkSecret, flow string) (CodeWaiting, error) {
	f, err := seal.ParseToken(seal.TokenFlow, flow)
	if err != nil {
		return CodeWaiting{}, ErrCodeOver
	}
	var t store.Token
	err = s.Store.View(ctx, func(tx store.Tx) error {
		t, err = codeFor(tx, secret.LinkID(), f.TokenID(seal.TokenFlow), s.now())
		return err
	})
	if err != nil {
		return CodeWaiting{}, err
	}
	return CodeWaiting{Mark: codeMark(t.ID), Ends: t.Ends}, nil
}

// codeFor reads a live code of the address that a link was sent to.
func codeFor(tx store.Tx, link store.LinkID, id store.TokenID, now time.Time) (store.Token, error) {
	address, err := visitorOf(tx, link)
	if err != nil {
		return store.Token{}, err
	}
	t, err := tx.Tokens().Peek(id, store.PurposeCode, now)
	if isOver(err) || err == nil && t.Owner != string(address.Key()) {
		return t, ErrCodeOver
	}
	return t, err
}

// TypedCode is a filled-in form for a mailed code.
type TypedCode struct {
	Secret seal.LinkSecret
	Flow   string // value of the flow cookie
	Code   string // blanks and hyphens in it do not count
	Client Client
}

// OpenByCode opens a session of kind "code", which carries the link, for who types the code that was mailed. A miss
// counts in the transaction that finds it; the fifth kills the code. Failures are answered at the next multiple of
// 500 ms after arrival.
//
// Errors: *WrongCodeError, ErrCodeOver, ErrUnknownLink, ErrLinkOver, ErrHasAccount, ErrSignIn (disabled), *BusyError.
func (s *Service) OpenByCode(ctx context.Context, in TypedCode) (Signed, error) {
	arrived := s.Now()
	out, err := s.openByCode(ctx, in)
	if err != nil {
		s.pace(ctx, arrived)
		return Signed{}, err
	}
	return out, nil
}

func (s *Service) openByCode(ctx context.Context, in TypedCode) (Signed, error) {
	if err := s.throttle.client(in.Client.IP, s.Now()); err != nil {
		return Signed{}, err
	}
	flow, err := seal.ParseToken(seal.TokenFlow, in.Flow)
	if err != nil {
		return Signed{}, ErrCodeOver
	}
	address, err := s.visitor(ctx, in.Secret)
	if err != nil {
		return Signed{}, err
	}
	out := s.newVisit(address, in.Secret, in.Client)
	missed, err := s.useCode(ctx, in, flow.TokenID(seal.TokenFlow), out)
	if missed != nil {
		s.Log.LogAttrs(ctx, slog.LevelInfo, "code refused", slog.String("event", "sign-in"), slog.String("ref", in.Client.Ref),
			slog.String("cause", "code"), slog.String("client_ip", in.Client.IP.String()))
		return Signed{}, missed
	}
	return out, err
}

// useCode compares, and consumes the code with the session that it opens; missed: it counted a miss instead.
func (s *Service) useCode(ctx context.Context, in TypedCode, id store.TokenID, out Signed) (missed *WrongCodeError, err error) {
	at := out.Session.Created
	e := store.Event{ID: store.NewEventID(at), What: store.EventVisit, Actor: actorSelf, Facts: map[string]string{"browser": out.Session.Browser}}
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		missed = nil
		t, err := codeFor(tx, in.Secret.LinkID(), id, at)
		if err != nil {
			return err
		}
		good, err := s.Keys.CheckCode(t.ID.String(), digits(in.Code), t.Sealed)
		if err != nil {
			return err
		}
		if !good {
			t.Misses++
			missed = &WrongCodeError{Left: codeTries - t.Misses}
			if missed.Left <= 0 {
				return tx.Tokens().Delete(t.ID)
			}
			return tx.Tokens().Set(t)
		}
		if _, err := tx.Tokens().Use(t.ID, store.PurposeCode, at); err != nil {
			return err
		}
		r, err := tx.Messages().ByLink(in.Secret.LinkID())
		if err != nil {
			return err
		}
		e.Message, e.N = r.Key.Message, r.Key.N
		return errors.Join(tx.Sessions().Put(out.Session), tx.Audit().Add(e))
	})
	if err != nil && !errors.Is(err, ErrCodeOver) {
		err = fmt.Errorf("use code: %w", err)
	}
	return missed, err
}

// digits are what counts of a typed code, in whatever digits a keyboard writes.
func digits(typed string) string {
	const longest = 64
	return strings.Map(func(r rune) rune {
		switch {
		case r >= '٠' && r <= '٩': // Arabic-Indic
			return '0' + r - '٠'
		case r >= '۰' && r <= '۹': // of Persian and Urdu
			return '0' + r - '۰'
		case r >= '０' && r <= '９': // full width
			return '0' + r - '０'
		case unicode.IsSpace(r) || r == '-' || unicode.Is(unicode.Cf, r):
			return -1
		}
		return r
	}, typed[:min(len(typed), longest)])
}
