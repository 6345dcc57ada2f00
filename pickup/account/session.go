package account

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"postern/store"
	"postern/store/seal"
)

// How long sessions last (KEYS K10).
const (
	idle     = 30 * time.Minute
	life     = 12 * time.Hour
	keptIdle = 14 * 24 * time.Hour
	keptLife = 30 * 24 * time.Hour
	seenStep = 5 * time.Minute // the last use is written no more often
)

// newSession makes a full session with a token of its own. It is not stored yet.
func (s *Service) newSession(a store.Account, seed seal.Seed, c Client, keep bool) Signed {
	token, ses := s.begin(a.ID, store.SessionFull, c)
	if keep && s.KeepLoggedIn {
		ses.Kept, ses.Idle, ses.Ends = true, keptIdle, ses.Created.Add(keptLife)
	}
	ses.Sealed = s.Keys.SealSession(token, ses.ID, a.ID, ses.Kind, seed[:])
	known := s.Keys.BrowserMAC(a.ID, seal.Registration{At: a.RegisteredAt, Key: seal.PublicKeyID(seed.Public())})
	return Signed{Account: a, Seed: seed, Session: ses, Token: token.String(), Known: known}
}

// begin draws the token of a session of a kind, which holds nothing yet.
func (s *Service) begin(id store.AccountID, kind store.SessionKind, c Client) (seal.SessionToken, store.Session) {
	token, now := seal.NewSessionToken(), s.now()
	return token, store.Session{ID: token.ID(), Account: id, Kind: kind, Created: now, Seen: now, Idle: idle, Ends: now.Add(life),
		Browser: label(c.Browser)}
}

// Resume finds out who sends a session cookie. ErrNoSession: nobody, or somebody whose session or account has ended.
// *MustChangeError: somebody who may do nothing but choose a password. It changes nothing but the time of last use,
// beside the request (I4).
func (s *Service) Resume(ctx context.Context, cookie string) (Signed, error) {
	token, out, err := s.session(ctx, cookie)
	switch {
	case err != nil:
		return Signed{}, err
	case out.Session.Kind == store.SessionChange:
		return Signed{}, &MustChangeError{}
	case out.Session.Kind != store.SessionFull:
		return Signed{}, ErrNoSession
	}
	return s.open(token, out)
}

// session reads the live session of a cookie and its account, of whatever kind it is: ErrNoSession.
func (s *Service) session(ctx context.Context, cookie string) (token seal.SessionToken, out Signed, err error) {
	if token, err = seal.ParseSessionToken(cookie); err != nil {
		return token, out, ErrNoSession
	}
	err = s.Store.View(ctx, func(tx store.Tx) error {
		out, err = live(tx, token.ID(), s.now())
		return err
	})
	if err != nil && !errors.Is(err, ErrNoSession) {
		err = fmt.Errorf("read session: %w", err)
	}
	return token, out, err
}

// live reads a session that may be used, and its account: ErrNoSession.
func live(tx store.Tx, id store.SessionID, now time.Time) (out Signed, err error) {
	out.Session, err = tx.Sessions().Get(id)
	if err == nil && out.Session.Account.IsZero() && now.Before(out.Session.Until()) {
		return firstIn(tx, out.Session)
	}
	if err == nil {
		out.Account, err = tx.Accounts().Get(out.Session.Account)
	}
	if errors.Is(err, store.ErrNotFound) || err == nil && (!usable(out.Account) || !now.Before(out.Session.Until())) {
		return Signed{}, ErrNoSession
	}
	return out, err
}

// open unseals the seed of a full session that was found.
func (s *Service) open(token seal.SessionToken, out Signed) (Signed, error) {
	now, ses := s.now(), out.Session
	key, ok := out.Account.Current()
	if !ok {
		return Signed{}, ErrNoSession
	}
	p, err := s.Keys.OpenSession(token, ses.ID, ses.Account, ses.Kind, ses.Sealed)
	if err != nil {
		return Signed{}, fmt.Errorf("open session: %w", err)
	}
	if len(p) != len(out.Seed) {
		return Signed{}, fmt.Errorf("open session: %w", store.ErrCorrupt)
	}
	copy(out.Seed[:], p)
	if seal.PublicKeyID(out.Seed.Public()) != key.ID {
		return Signed{}, ErrNoSession // of an earlier key
	}
	if now.Sub(ses.Seen) >= seenStep {
		s.Recorder.LastSeen(ses.ID, now)
	}
	return out, nil
}

// usable reports whether somebody may sign in to the account.
func usable(a store.Account) bool { return a.Status == store.StatusActive && a.Registered }

// SignOut ends the session of a cookie. It is no error when there is none.
func (s *Service) SignOut(ctx context.Context, cookie string) error {
	token, err := seal.ParseSessionToken(cookie)
	if err != nil {
		return nil
	}
	e := store.Event{ID: store.NewEventID(s.now()), What: store.EventSignedOut, Actor: actorSelf}
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		ses, err := tx.Sessions().Get(token.ID())
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		e.Account = ses.Account
		if err := tx.Sessions().Delete(ses.ID); err != nil {
			return err
		}
		return tx.Audit().Add(e)
	})
	if err != nil {
		return fmt.Errorf("sign out: %w", err)
	}
	return nil
}

// Sessions lists the live sessions of an account, that of the request included.
func (s *Service) Sessions(ctx context.Context, who Signed) (live []store.Session, err error) {
	err = s.Store.View(ctx, func(tx store.Tx) error {
		live, err = store.LiveSessions(tx, who.Account.ID, s.now())
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	return live, nil
}

// EndSession signs out another session of the person, named by its id. It is no error when there is none: it may have
// ended by itself. A session of another account stays.
func (s *Service) EndSession(ctx context.Context, who Signed, id store.SessionID) error {
	return s.endSessions(ctx, who, func(ses store.Session) bool { return ses.ID == id })
}

// EndOthers signs out every other session of the person.
func (s *Service) EndOthers(ctx context.Context, who Signed) error {
	return s.endSessions(ctx, who, func(store.Session) bool { return true })
}

// endSessions ends those of the person's other sessions that are chosen.
func (s *Service) endSessions(ctx context.Context, who Signed, chosen func(store.Session) bool) error {
	at := s.now()
	e := store.Event{ID: store.NewEventID(at), What: store.EventSignedOff, Account: who.Account.ID, Actor: actorSelf}
	err := s.Store.Update(ctx, func(tx store.Tx) error {
		all, err := tx.Sessions().Of(who.Account.ID)
		if err != nil {
			return err
		}
		var ended []string
		for _, ses := range all {
			if ses.ID == who.Session.ID || !chosen(ses) {
				continue
			}
			if err := tx.Sessions().Delete(ses.ID); err != nil {
				return err
			}
			if at.Before(ses.Until()) {
				ended = append(ended, ses.Browser)
			}
		}
		if len(ended) == 0 {
			return nil
		}
		e.Facts = map[string]string{"browser": who.Session.Browser, "count": strconv.Itoa(len(ended))}
		if len(ended) == 1 {
			e.Facts["ended"] = ended[0]
		}
		return tx.Audit().Add(e)
	})
	if err != nil {
		return fmt.Errorf("end sessions: %w", err)
	}
	return nil
}

// SetLanguage stores the language of the account's mails.
func (s *Service) SetLanguage(ctx context.Context, who Signed, tag string) error {
	err := s.alter(ctx, who, func(tx store.Tx, a store.Account) error {
		if a.Language == tag {
			return nil
		}
		a.Language = label(tag)
		return tx.Accounts().Set(a)
	})
	if err != nil {
		return fmt.Errorf("set language: %w", err)
	}
	return nil
}

// Record pages through what happened in the account, newest first. ErrCursor of package store for a cursor that no page
// gave.
func (s *Service) Record(ctx context.Context, who Signed, c store.Cursor, n int) (events []store.Event, next store.Cursor, err error) {
	err = s.Store.View(ctx, func(tx store.Tx) error {
		events, next, err = tx.Audit().OfAccount(who.Account.ID, c, n)
		return err
	})
	if err != nil {
		return nil, "", fmt.Errorf("read record: %w", err)
	}
	return events, next, nil
}
