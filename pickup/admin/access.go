package admin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"postern/pickup/account"
	"postern/store"
	"postern/store/seal"
)

// ErrSignIn is every failed log-on of the console: unknown address, wrong password, wrong or used code, disabled, not
// set up yet (I9).
var ErrSignIn = account.ErrSignIn

// ErrNoSession: the cookie belongs to no live session of an active administrator.
var ErrNoSession = account.ErrNoSession

// ErrOldPassword: the old password is not the right one (B1).
var ErrOldPassword = errors.New("the old password is not right")

// How long a session of the console lasts (KEYS K10).
const (
	sessionIdle = 30 * time.Minute
	sessionLife = 12 * time.Hour
	seenStep    = 5 * time.Minute // the last use is written no more often
)

// Login is a filled-in sign-in form of the console.
type Login struct {
	Address  string
	Password string
	Code     string // of the authenticator app
	Client   account.Client
}

// Signed is an administrator behind a request of the console.
type Signed struct {
	Actor   Actor
	Address store.Address
	Since   time.Time // last sign-in before this session; zero: none
	Session store.Session
	Token   string // value for the session cookie; only from SignIn and Setup
	Known   string // value for the browser cookie; only from SignIn and Setup
}

// SignIn opens a session of the console. ErrSignIn is the answer to every failure, at a multiple of 500 ms after
// arrival; *account.BusyError asks to wait. Every attempt that gets a slot costs exactly one Argon2id (KEYS K13).
func (s *Service) SignIn(ctx context.Context, in Login) (out Signed, err error) {
	who, err := s.lookUp(ctx, in.Address)
	if err != nil {
		return Signed{}, err
	}
	a := account.Attempt{Name: in.Address, Known: s.known(who, in.Client), Client: in.Client}
	err = s.LogOns.Attempt(ctx, a, func(ctx context.Context) error {
		out, err = s.signIn(ctx, in, who)
		return err
	})
	if err != nil {
		return Signed{}, err
	}
	return out, nil
}

// lookUp finds the administrator of a typed address; the zero one when there is none.
func (s *Service) lookUp(ctx context.Context, typed string) (who store.Administrator, err error) {
	addr, parseErr := store.ParseAddress(strings.TrimSpace(typed))
	if parseErr != nil {
		return who, nil
	}
	err = s.Store.View(ctx, func(tx store.Tx) error {
		who, err = tx.Administrators().ByAddress(addr.Key())
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return store.Administrator{}, nil
	}
	if err != nil {
		return who, fmt.Errorf("look up administrator: %w", err)
	}
	return who, nil
}

// known reports whether the client's browser signed in to the console as that person before.
func (s *Service) known(who store.Administrator, c account.Client) bool {
	return !who.ID.IsZero() && s.Keys.CheckBrowserMAC(who.ID, seal.Registration{At: who.SetUp}, c.Known)
}

func (s *Service) signIn(ctx context.Context, in Login, who store.Administrator) (Signed, error) {
	refuse := func(cause string) error {
		s.noteRejection(ctx, rejection{what: store.EventAdminFail, who: who, client: in.Client, cause: cause})
		return ErrSignIn
	}
	tried, err := s.tryFactors(who, in.Password, in.Code)
	if err != nil {
		return Signed{}, err
	}
	if tried.wrong != "" {
		return Signed{}, refuse(tried.wrong)
	}
	out := s.newSession(who, in.Client)
	err = s.enter(ctx, out, tried.who)
	if errors.Is(err, errChanged) {
		return Signed{}, refuse("changed meanwhile")
	}
	return out, err
}

// tryPassword costs one Argon2id, also for nobody.
func (s *Service) tryPassword(who store.Administrator, password string) error {
	if len(who.Key.Box) == 0 {
		s.Keys.DummyBox(password)
		return seal.ErrPassword
	}
	_, err := s.Keys.OpenBox(password, who.ID, who.Key)
	if err != nil && !errors.Is(err, seal.ErrPassword) {
		return fmt.Errorf("password of administrator %s: %w", who.ID, err)
	}
	return err
}

// newSession makes a session with a token of its own. It holds no key, and is not stored yet.
func (s *Service) newSession(who store.Administrator, c account.Client) Signed {
	token, now := seal.NewSessionToken(), s.now()
	ses := store.Session{ID: token.ID(), Account: who.ID, Kind: store.SessionConsole, Created: now, Seen: now,
		Idle: sessionIdle, Ends: now.Add(sessionLife), Browser: account.Label(c.Browser)}
	ses.Sealed = s.Keys.SealSession(token, ses.ID, who.ID, ses.Kind, nil)
	out := signed(who, ses)
	out.Token, out.Known = token.String(), s.Keys.BrowserMAC(who.ID, seal.Registration{At: who.SetUp})
	return out
}

func signed(who store.Administrator, ses store.Session) Signed {
	return Signed{Actor: Actor{Role: who.Role, Name: who.Address.String(), Account: who.ID}, Address: who.Address, Since: who.LastSignIn, Session: ses}
}

// enter commits a good sign-in of tried, if neither the password was replaced nor the code taken meanwhile and the
// administrator may still sign in.
func (s *Service) enter(ctx context.Context, in Signed, tried store.Administrator) error {
	e := s.adminEvent(in.Actor, store.EventAdminIn, in.Actor.Account)
	e.Facts = map[string]string{"browser": in.Session.Browser}
	err := store.Retry(ctx, func() error {
		return s.Store.Update(ctx, func(tx store.Tx) error {
			who, err := unchanged(tx, in.Actor, tried)
			if err != nil {
				return err
			}
			who.LastSignIn = in.Session.Created
			return enterAs(tx, who, in.Session, e)
		})
	})
	if err != nil && !errors.Is(err, errChanged) {
		return fmt.Errorf("sign in to the console: %w", err)
	}
	return err
}

func enterAs(tx store.Tx, who store.Administrator, ses store.Session, e store.Event) error {
	if err := tx.Administrators().Set(who); err != nil {
		return err
	}
	if err := tx.Sessions().Put(ses); err != nil {
		return err
	}
	return tx.Audit().Add(e)
}

// actorUnknown is whoever typed a wrong password: an event in the administrator's own name would lay strangers' guesses
// at his door.
const actorUnknown = "unknown"

// rejection is a password and a code that were not taken.
type rejection struct {
	what   store.What          // EventAdminFail, EventAdminProof
	who    store.Administrator // zero: there is none
	client account.Client
	cause  string // for the log
}

// noteRejection writes a rejection down.
func (s *Service) noteRejection(ctx context.Context, x rejection) {
	name, c := "none", x.client
	if !x.who.ID.IsZero() {
		name = x.who.ID.String()
		s.Recorder.Record(store.Event{ID: store.NewEventID(s.now()), What: x.what, Account: x.who.ID,
			Actor: actorUnknown, Facts: map[string]string{"browser": account.Label(c.Browser), "client": c.IP.String()}})
	}
	text, event := "sign-in to the console refused", "console-sign-in"
	if x.what == store.EventAdminProof {
		text, event = "change of an administrator refused", "console-confirmation"
	}
	s.Log.LogAttrs(ctx, slog.LevelWarn, text, slog.String("event", event), slog.String("ref", c.Ref),
		slog.String("administrator", name), slog.String("cause", x.cause), slog.String("client_ip", c.IP.String()))
}

// Resume finds out which administrator sends a session cookie. ErrNoSession: none. It changes nothing but the time of
// last use, beside the request (I4).
func (s *Service) Resume(ctx context.Context, cookie string) (Signed, error) {
	token, err := seal.ParseSessionToken(cookie)
	if err != nil {
		return Signed{}, ErrNoSession
	}
	var who store.Administrator
	var ses store.Session
	err = s.Store.View(ctx, func(tx store.Tx) error {
		if ses, err = tx.Sessions().Get(token.ID()); err != nil {
			return err
		}
		who, err = tx.Administrators().Get(ses.Account)
		return err
	})
	switch {
	case errors.Is(err, store.ErrNotFound):
		return Signed{}, ErrNoSession
	case err != nil:
		return Signed{}, fmt.Errorf("read console session: %w", err)
	}
	now := s.now()
	if who.Status != store.StatusActive || ses.Kind != store.SessionConsole || !now.Before(ses.Until()) {
		return Signed{}, ErrNoSession
	}
	if _, err := s.Keys.OpenSession(token, ses.ID, ses.Account, ses.Kind, ses.Sealed); err != nil {
		return Signed{}, fmt.Errorf("open console session: %w", err)
	}
	if now.Sub(ses.Seen) >= seenStep {
		s.Recorder.LastSeen(ses.ID, now)
	}
	return signed(who, ses), nil
}

// SignOut ends the session of a cookie. It is no error when there is none.
func (s *Service) SignOut(ctx context.Context, cookie string) error {
	in, err := s.Resume(ctx, cookie)
	if errors.Is(err, ErrNoSession) {
		return nil
	}
	if err != nil {
		return err
	}
	e := s.adminEvent(in.Actor, store.EventAdminOut, in.Actor.Account)
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		if err := tx.Sessions().Delete(in.Session.ID); err != nil {
			return err
		}
		return tx.Audit().Add(e)
	})
	if err != nil {
		return fmt.Errorf("sign out of the console: %w", err)
	}
	return nil
}

// adminEvent is an event about an administrator.
func (s *Service) adminEvent(by Actor, what store.What, about store.AccountID) store.Event {
	return store.Event{ID: store.NewEventID(s.now()), What: what, Account: about, Actor: by.Name}
}
