package admin

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"postern/store"
	"postern/store/seal"
)

// AdminRow is one administrator. Rows are never deleted, because the audit log names them.
type AdminRow struct {
	ID       string    `json:"id"`
	Address  string    `json:"address"`
	Role     Role      `json:"role"`
	Status   string    `json:"status"` // "invited" until the set-up link was followed
	Created  time.Time `json:"created"`
	SetUp    time.Time `json:"set_up,omitzero"`
	SignedIn time.Time `json:"signed_in,omitzero"`
}

// SetupLink is a one-time link to set an administrator up. It is shown once and kept nowhere.
type SetupLink struct {
	Link string    `json:"link"`
	Ends time.Time `json:"ends"`
}

// AdminPage is a page of administrators.
type AdminPage struct {
	Rows []AdminRow   `json:"rows"`
	Next store.Cursor `json:"next,omitempty"`
}

// AdminList pages through administrators by address.
func (s *Service) AdminList(ctx context.Context, a Actor, c store.Cursor) (page AdminPage, err error) {
	if err := a.allow("AdminList"); err != nil {
		return page, err
	}
	err = s.Store.View(ctx, func(tx store.Tx) error {
		page = AdminPage{}
		all, next, err := tx.Administrators().List(c, pageSize)
		for _, x := range all {
			page.Rows = append(page.Rows, AdminRow{ID: x.ID.String(), Address: x.Address.String(), Role: x.Role, Status: string(x.Status),
				Created: x.Created, SetUp: x.SetUp, SignedIn: x.LastSignIn})
		}
		page.Next = next
		return err
	})
	return page, err
}

// AdminCreate makes an administrator who sets himself up by the link, within a day. Later, AdminReset makes a new link.
func (s *Service) AdminCreate(ctx context.Context, a Actor, address string, role Role) (SetupLink, error) {
	if err := a.allow("AdminCreate"); err != nil {
		return SetupLink{}, err
	}
	addr, err := readAddress(address)
	if err != nil {
		return SetupLink{}, err
	}
	if err := errors.Join(checkRole(role), s.hasConsole()); err != nil {
		return SetupLink{}, err
	}
	who := store.Administrator{Address: addr, Role: role, Status: store.StatusInvited, Created: s.now()}
	rand.Read(who.ID[:])
	who.TOTP = s.Keys.SealTOTP(who.ID, newTOTP())
	e := s.adminEvent(a, store.EventAdmin, who.ID)
	e.Facts = map[string]string{"address": addr.String(), "role": string(role)}
	link, tok := s.newSetup(who.ID)
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		if err := tx.Administrators().Create(who); err != nil {
			return err
		}
		return putSetup(tx, tok, e)
	})
	if errors.Is(err, store.ErrExists) {
		return SetupLink{}, input(sayf(err, "%s is an administrator already; a reset makes a new set-up link", addr))
	}
	return link, err
}

func checkRole(r Role) error {
	if slices.Contains(Roles(), r) {
		return nil
	}
	return inputf("%q is no role; the roles are admin, helpdesk, auditor", r)
}

// hasConsole refuses to make links that lead nowhere.
func (s *Service) hasConsole() error {
	if s.ConsoleURL == "" {
		return errors.New("the console is off: set admin.listen, or admin.url, first")
	}
	return nil
}

// newSetup draws a set-up link and the row that it leads to.
func (s *Service) newSetup(id store.AccountID) (SetupLink, store.Token) {
	secret, now := seal.NewSecret(), s.now()
	tok := store.Token{ID: secret.TokenID(seal.TokenSetup), Purpose: store.PurposeConsole, Owner: id.String(), Account: id,
		Created: now, Ends: now.Add(setupLife)}
	return SetupLink{Link: s.ConsoleURL + "/" + string(seal.TokenSetup) + "/" + secret.Token(seal.TokenSetup), Ends: tok.Ends}, tok
}

func putSetup(tx store.Tx, tok store.Token, e store.Event) error {
	if err := tx.Tokens().Put(tok, store.Keep{Max: 1, Drop: true}); err != nil {
		return err
	}
	return tx.Audit().Add(e)
}

// AdminReset ends an administrator's sessions, password and second factor, and makes a new set-up link.
func (s *Service) AdminReset(ctx context.Context, a Actor, address string) (SetupLink, error) {
	if err := a.allow("AdminReset"); err != nil {
		return SetupLink{}, err
	}
	who, err := s.administrator(ctx, address)
	if err := errors.Join(err, s.hasConsole()); err != nil {
		return SetupLink{}, err
	}
	if who.Status == store.StatusDisabled {
		return SetupLink{}, inputf("%s is disabled; enable it first", who.Address)
	}
	link, tok := s.newSetup(who.ID)
	e := s.adminEvent(a, store.EventAdminReset, who.ID)
	totp := s.Keys.SealTOTP(who.ID, newTOTP())
	return link, s.changeAdmin(ctx, who.ID, func(tx store.Tx, x *store.Administrator) error {
		x.Status, x.Key, x.TOTP, x.Step, x.SetUp = store.StatusInvited, store.KeyVersion{}, totp, 0, time.Time{}
		if err := tx.Sessions().DeleteAll(x.ID, store.SessionID{}); err != nil {
			return err
		}
		return putSetup(tx, tok, e)
	})
}

// AdminSwitch disables or enables an administrator. Sessions end at once. Nobody disables himself.
func (s *Service) AdminSwitch(ctx context.Context, a Actor, address string, to store.Status) error {
	if err := a.allow("AdminSwitch"); err != nil {
		return err
	}
	who, err := s.notSelf(ctx, a, address)
	if err != nil {
		return err
	}
	off := to == store.StatusDisabled
	what := store.EventAdminOn
	if off {
		what = store.EventAdminOff
	}
	e := s.adminEvent(a, what, who.ID)
	return s.changeAdmin(ctx, who.ID, func(tx store.Tx, x *store.Administrator) error {
		if off == (x.Status == store.StatusDisabled) {
			return nil
		}
		switch {
		case off:
			x.Status = store.StatusDisabled
		case x.SetUp.IsZero():
			x.Status = store.StatusInvited
		default:
			x.Status = store.StatusActive
		}
		if err := tx.Sessions().DeleteAll(x.ID, store.SessionID{}); err != nil {
			return err
		}
		return tx.Audit().Add(e)
	})
}

// AdminRole gives an administrator another role; his sessions end, so that it holds from the next click on.
func (s *Service) AdminRole(ctx context.Context, a Actor, address string, role Role) error {
	if err := a.allow("AdminRole"); err != nil {
		return err
	}
	if err := checkRole(role); err != nil {
		return err
	}
	who, err := s.notSelf(ctx, a, address)
	if err != nil {
		return err
	}
	e := s.adminEvent(a, store.EventAdminRole, who.ID)
	return s.changeAdmin(ctx, who.ID, func(tx store.Tx, x *store.Administrator) error {
		if x.Role == role {
			return nil
		}
		e.Facts = map[string]string{"from": string(x.Role), "to": string(role)}
		x.Role = role
		if err := tx.Sessions().DeleteAll(x.ID, store.SessionID{}); err != nil {
			return err
		}
		return tx.Audit().Add(e)
	})
}

// changeAdmin rewrites an administrator in a transaction.
func (s *Service) changeAdmin(ctx context.Context, id store.AccountID, change func(store.Tx, *store.Administrator) error) error {
	err := s.Store.Update(ctx, func(tx store.Tx) error {
		x, err := tx.Administrators().Get(id)
		if err != nil {
			return err
		}
		if err := change(tx, &x); err != nil {
			return err
		}
		return tx.Administrators().Set(x)
	})
	if err != nil {
		return fmt.Errorf("change administrator %s: %w", id, err)
	}
	return nil
}

// notSelf finds the administrator of an address, who must not be the actor: whoever locked himself out could not undo
// it.
func (s *Service) notSelf(ctx context.Context, a Actor, address string) (store.Administrator, error) {
	who, err := s.administrator(ctx, address)
	if err == nil && who.ID == a.Account {
		return who, inputf("nobody changes his own role or status: ask another administrator, or use the command line")
	}
	return who, err
}

func (s *Service) administrator(ctx context.Context, address string) (store.Administrator, error) {
	who, err := s.lookUp(ctx, address)
	if err == nil && who.ID.IsZero() {
		return who, sayf(store.ErrNotFound, "%q is no administrator", address)
	}
	return who, err
}
