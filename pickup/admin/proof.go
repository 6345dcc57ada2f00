package admin

import (
	"bytes"
	"context"
	"errors"

	"postern/pickup/account"
	"postern/store"
	"postern/store/seal"
)

// Proof is what an administrator types again to touch the access of another one. A session alone is not enough for that:
// whoever finds a browser left open, or has taken its cookie, could make himself an access that outlasts it. The command
// line proves nothing: whoever may open the socket operates the machine.
type Proof struct {
	Password string
	Code     string // of the authenticator app, one that was not used before
	Client   account.Client
}

// ErrProof: the password is not that of the actor, or the code not one that the app shows now, or it was used before. The
// answer does not say which, so that a stolen session is no place to try passwords at.
var ErrProof = errors.New("the password or the code is not right")

// spend takes the code of a proof, in the transaction of what it is for: with that transaction it counts, or not at all.
// errChanged: it counts no more.
type spend func(store.Tx) error

// prove holds a proof against the actor's password and second factor. ErrProof, *account.BusyError. Each try costs one
// Argon2id and counts like a sign-in of a known browser (KEYS K13).
func (s *Service) prove(ctx context.Context, a Actor, p Proof) (spend, error) {
	if a == Socket() {
		return func(store.Tx) error { return nil }, nil
	}
	who, err := s.administrator(ctx, a.Account.String())
	if err != nil {
		return nil, err
	}
	attempt := account.Attempt{Name: who.Address.String(), Known: true, Client: p.Client}
	tried := factors{}
	err = s.LogOns.Attempt(ctx, attempt, func(ctx context.Context) error {
		if tried, err = s.tryFactors(who, p.Password, p.Code); err != nil || tried.wrong == "" {
			return err
		}
		s.noteRejection(ctx, rejection{what: store.EventAdminProof, who: who, client: p.Client, cause: tried.wrong})
		return ErrProof
	})
	if err != nil {
		return nil, err
	}
	return func(tx store.Tx) error {
		who, err := unchanged(tx, a, tried.who)
		if err != nil {
			return err
		}
		return tx.Administrators().Set(who)
	}, nil
}

// factors is what came of trying a password and a code.
type factors struct {
	who   store.Administrator // with the step of the code
	wrong string              // for the log; empty: nothing
}

// tryFactors does the one Argon2id of an attempt, also for nobody.
func (s *Service) tryFactors(who store.Administrator, password, code string) (factors, error) {
	err := s.tryPassword(who, password)
	if errors.Is(err, seal.ErrPassword) {
		return factors{who, "password"}, nil
	}
	if err != nil {
		return factors{}, err
	}
	step, err := s.stepOf(who, code)
	switch {
	case errors.Is(err, ErrCode):
		return factors{who, "code"}, nil
	case err != nil:
		return factors{}, err
	case who.Status != store.StatusActive: // read after the password work
		return factors{who, "not active"}, nil
	}
	who.Step = step
	return factors{who: who}, nil
}

// errChanged: the row is not what the password was tried against.
var errChanged = errors.New("administrator changed meanwhile")

// unchanged is the row of an actor with the code of tried taken, if neither the password was replaced nor that code taken
// since it was tried, and the actor may still act.
func unchanged(tx store.Tx, a Actor, tried store.Administrator) (store.Administrator, error) {
	who, err := tx.Administrators().Get(a.Account)
	if err != nil {
		return who, err
	}
	if who.Status != store.StatusActive || who.Role != a.Role || who.Step >= tried.Step || !bytes.Equal(who.Key.Box, tried.Key.Box) {
		return who, errChanged
	}
	who.Step = tried.Step
	return who, nil
}
