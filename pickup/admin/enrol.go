package admin

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

// setupLife is how long a set-up link of an administrator works.
const setupLife = 24 * time.Hour

// ErrCode: the code is not one that the app shows now.
var ErrCode = errors.New("the code is not the one that the app shows")

// ErrUnknownLink: no row belongs to the set-up link, or a newer one took its place.
var ErrUnknownLink = account.ErrUnknownLink

// Enrolment is what the page of a set-up link shows. Key and URI are the second factor, for an authenticator app: the
// page must not be cached, and the link is worth as much as what it sets up.
type Enrolment struct {
	Address store.Address
	Role    Role
	Ends    time.Time
	Key     string
	URI     string
}

// Enrolment reads a set-up link. It changes nothing (I4). ErrUnknownLink, store.ErrUsed, store.ErrExpired, or the errors
// of seal.ParseToken.
func (s *Service) Enrolment(ctx context.Context, token string) (Enrolment, error) {
	who, tok, err := s.enrolling(ctx, token)
	if err != nil {
		return Enrolment{}, err
	}
	secret, err := s.Keys.OpenTOTP(who.ID, who.TOTP)
	if err != nil {
		return Enrolment{}, fmt.Errorf("second factor of administrator %s: %w", who.ID, err)
	}
	return Enrolment{Address: who.Address, Role: who.Role, Ends: tok.Ends, Key: totpKey(secret),
		URI: totpURI(secret, s.Organization, who.Address.String())}, nil
}

func (s *Service) enrolling(ctx context.Context, token string) (who store.Administrator, tok store.Token, err error) {
	link, err := seal.ParseToken(seal.TokenSetup, token)
	if err != nil {
		return who, tok, err
	}
	at := s.now()
	err = s.Store.View(ctx, func(tx store.Tx) error {
		if tok, err = tx.Tokens().Peek(link.TokenID(seal.TokenSetup), store.PurposeConsole, at); err != nil {
			return err
		}
		who, err = tx.Administrators().Get(tok.Account)
		return err
	})
	if err == nil && who.Status == store.StatusDisabled {
		err = store.ErrNotFound
	}
	return who, tok, linkError("read set-up link", err)
}

// linkError names what was done, and says ErrUnknownLink for a link without row.
func linkError(doing string, err error) error {
	switch {
	case err == nil, errors.Is(err, store.ErrUsed), errors.Is(err, store.ErrExpired):
		return err
	case errors.Is(err, store.ErrNotFound):
		return ErrUnknownLink
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// SetupForm is a filled-in set-up page.
type SetupForm struct {
	Token    string
	Password string
	Code     string // shows that the app has the secret
	Client   account.Client
}

// Setup gives an administrator a password and the second factor, and signs in. The link is spent with it, and earlier
// sessions end. Errors: those of Enrolment, *account.CriteriaError, ErrCode, *account.BusyError.
func (s *Service) Setup(ctx context.Context, in SetupForm) (out Signed, err error) {
	who, tok, err := s.enrolling(ctx, in.Token)
	if err != nil {
		return Signed{}, err
	}
	if err := s.checkNew(in.Password, who.Address); err != nil {
		return Signed{}, err
	}
	step, err := s.stepOf(who, in.Code)
	if err != nil {
		return Signed{}, err
	}
	a := account.Attempt{Name: who.Address.String(), Known: true, Client: in.Client}
	err = s.LogOns.Attempt(ctx, a, func(ctx context.Context) error {
		if who.Key, err = s.newBox(who.ID, in.Password); err != nil {
			return err
		}
		who.Step, who.Status, who.SetUp = step, store.StatusActive, s.now()
		who.LastSignIn = who.SetUp
		out = s.newSession(who, in.Client)
		return s.commitSetup(ctx, who, out, tok.ID)
	})
	if err != nil {
		return Signed{}, err
	}
	return out, nil
}

// CheckCode holds a code against the app of a set-up link, so that a form with another mistake can name this one, too. It
// changes nothing and tells nothing new: the page of the link shows the key itself. Errors: those of Enrolment, ErrCode.
func (s *Service) CheckCode(ctx context.Context, token, code string) error {
	who, _, err := s.enrolling(ctx, token)
	if err == nil {
		_, err = s.stepOf(who, code)
	}
	return err
}

// stepOf is the time step of a code, or ErrCode.
func (s *Service) stepOf(who store.Administrator, code string) (int64, error) {
	secret, err := s.Keys.OpenTOTP(who.ID, who.TOTP)
	if err != nil {
		return 0, fmt.Errorf("second factor of administrator %s: %w", who.ID, err)
	}
	step, ok := checkTOTP(secret, code, s.now(), who.Step)
	if !ok {
		return 0, ErrCode
	}
	return step, nil
}

// checkNew holds a chosen password against the rules of the recipients' site.
func (s *Service) checkNew(password string, of store.Address) error {
	failed := slices.DeleteFunc(s.Criteria(password, of), func(c account.Criterion) bool { return c.Met })
	if len(failed) > 0 {
		return &account.CriteriaError{Failed: failed}
	}
	return nil
}

// Criteria holds a password against the rules for an administrator, in the order in which pages show them.
func (s *Service) Criteria(password string, of store.Address) []account.Criterion {
	return s.LogOns.Criteria(password, []string{of.String()})
}

// OwnWords is what the password of an administrator may not contain; pages hand it to their script.
func (s *Service) OwnWords(of store.Address) []string {
	return s.LogOns.OwnWords([]string{of.String()})
}

// newBox makes what a password opens. It costs one Argon2id.
func (s *Service) newBox(id store.AccountID, password string) (store.KeyVersion, error) {
	key, err := s.Keys.SealBox(password, id, seal.NewSeed())
	if err != nil {
		return key, fmt.Errorf("seal password of administrator %s: %w", id, err)
	}
	key.State, key.Made = store.KeyCurrent, s.now()
	return key, nil
}

func (s *Service) commitSetup(ctx context.Context, who store.Administrator, in Signed, tok store.TokenID) error {
	e := s.adminEvent(in.Actor, store.EventAdminSetUp, who.ID)
	e.Facts = map[string]string{"browser": in.Session.Browser}
	err := s.Store.Update(ctx, func(tx store.Tx) error {
		if _, err := tx.Tokens().Use(tok, store.PurposeConsole, in.Session.Created); err != nil {
			return err
		}
		if err := tx.Sessions().DeleteAll(who.ID, store.SessionID{}); err != nil {
			return err
		}
		return enterAs(tx, who, in.Session, e)
	})
	return linkError("set up administrator", err)
}

// PasswordChange is a filled-in "Change Password" form (B1).
type PasswordChange struct {
	Old, New string
	Client   account.Client
}

// ChangePassword replaces the password of a signed-in administrator, who types the old one; his other sessions end, and a
// mail tells him.
// *account.CriteriaError, ErrOldPassword, *account.BusyError.
func (s *Service) ChangePassword(ctx context.Context, in Signed, f PasswordChange) error {
	if err := s.checkNew(f.New, in.Address); err != nil {
		return err
	}
	a := account.Attempt{Name: in.Address.String(), Known: true, Client: f.Client}
	return s.LogOns.Attempt(ctx, a, func(ctx context.Context) error {
		who, err := s.lookUp(ctx, in.Address.String())
		if err != nil {
			return err
		}
		if err := s.tryPassword(who, f.Old); errors.Is(err, seal.ErrPassword) {
			return ErrOldPassword
		} else if err != nil {
			return err
		}
		if who.Key, err = s.newBox(who.ID, f.New); err != nil {
			return err
		}
		return s.commitPassword(ctx, in, who)
	})
}

func (s *Service) commitPassword(ctx context.Context, in Signed, who store.Administrator) error {
	e := s.adminEvent(in.Actor, store.EventAdminPass, who.ID)
	told, err := s.tellOwn(ctx, who)
	if err != nil {
		return err
	}
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		if _, err := tx.Sessions().Get(in.Session.ID); err != nil {
			return err
		}
		if err := tx.Administrators().Set(who); err != nil {
			return err
		}
		if err := tx.Sessions().DeleteAll(who.ID, in.Session.ID); err != nil {
			return err
		}
		if err := told.put(tx); err != nil {
			return err
		}
		return tx.Audit().Add(e)
	})
	switch {
	case errors.Is(err, store.ErrNotFound):
		return ErrNoSession
	case err != nil:
		return fmt.Errorf("change password of administrator %s: %w", who.ID, err)
	}
	return nil
}
