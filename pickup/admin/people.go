package admin

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"postern/pickup/notify"
	"postern/store"
	"postern/store/seal"
)

// AdminRow is one administrator. Rows are never deleted, because the audit log names them. Password and second factor are
// chosen together: without SetUp there are neither.
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
			page.Rows = append(page.Rows, adminRow(x))
		}
		page.Next = next
		return err
	})
	return page, err
}

func adminRow(x store.Administrator) AdminRow {
	return AdminRow{ID: x.ID.String(), Address: x.Address.String(), Role: x.Role, Status: string(x.Status),
		Created: x.Created, SetUp: x.SetUp, SignedIn: x.LastSignIn}
}

// AdminShow tells of one administrator, by the address or the id.
func (s *Service) AdminShow(ctx context.Context, a Actor, who string) (AdminRow, error) {
	if err := a.allow("AdminShow"); err != nil {
		return AdminRow{}, err
	}
	x, err := s.administrator(ctx, who)
	if err != nil {
		return AdminRow{}, err
	}
	return adminRow(x), nil
}

// AdminCreate makes an administrator who sets himself up by the link, within a day. Later, AdminReset makes a new link.
// Like the other changes of administrators it wants a Proof (ErrProof, *account.BusyError), which is looked at once all
// else is well, and mails tell of it.
func (s *Service) AdminCreate(ctx context.Context, a Actor, p Proof, address string, role Role) (SetupLink, error) {
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
	there, err := s.lookUp(ctx, addr.String())
	if err == nil && !there.ID.IsZero() {
		err = errThere(addr, store.ErrExists)
	}
	if err != nil {
		return SetupLink{}, err
	}
	who := store.Administrator{Address: addr, Role: role, Status: store.StatusInvited, Created: s.now()}
	rand.Read(who.ID[:])
	who.TOTP = s.Keys.SealTOTP(who.ID, newTOTP())
	e := s.adminEvent(a, store.EventAdmin, who.ID)
	e.Facts = map[string]string{"address": addr.String(), "role": string(role)}
	link, tok := s.newSetup(who.ID)
	c := change{a, p, who, notify.AdminMail{What: notify.AdminCreated, Role: role}}
	err = s.commit(ctx, c, func(tx store.Tx) error {
		if err := tx.Administrators().Create(who); err != nil {
			return err
		}
		return putSetup(tx, tok, e)
	})
	switch {
	case errors.Is(err, store.ErrExists):
		return SetupLink{}, errThere(addr, err)
	case err != nil:
		return SetupLink{}, err
	}
	return link, nil
}

func errThere(addr store.Address, err error) error {
	return input(sayf(err, "%s is an administrator already; a reset makes a new set-up link", addr))
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

// AdminReset ends an administrator's sessions, password and second factor, and makes a new set-up link. Nobody resets
// himself: a session left open would be enough to take the access over.
func (s *Service) AdminReset(ctx context.Context, a Actor, p Proof, who string) (SetupLink, error) {
	if err := a.allow("AdminReset"); err != nil {
		return SetupLink{}, err
	}
	admin, err := s.notSelf(ctx, a, who)
	if err := errors.Join(err, s.hasConsole()); err != nil {
		return SetupLink{}, err
	}
	if admin.Status == store.StatusDisabled {
		return SetupLink{}, inputf("%s is disabled; enable it first", admin.Address)
	}
	link, tok := s.newSetup(admin.ID)
	e := s.adminEvent(a, store.EventAdminReset, admin.ID)
	totp := s.Keys.SealTOTP(admin.ID, newTOTP())
	c := change{a, p, admin, notify.AdminMail{What: notify.AdminReset}}
	err = s.changeAdmin(ctx, c, func(tx store.Tx, x *store.Administrator) error {
		x.Status, x.Key, x.TOTP, x.Step, x.SetUp = store.StatusInvited, store.KeyVersion{}, totp, 0, time.Time{}
		if err := tx.Sessions().DeleteAll(x.ID, store.SessionID{}); err != nil {
			return err
		}
		return putSetup(tx, tok, e)
	})
	if err != nil {
		return SetupLink{}, err
	}
	return link, nil
}

// AdminSwitch disables or enables an administrator. Sessions end at once. Nobody disables himself.
func (s *Service) AdminSwitch(ctx context.Context, a Actor, p Proof, admin string, to store.Status) error {
	if err := a.allow("AdminSwitch"); err != nil {
		return err
	}
	who, err := s.notSelf(ctx, a, admin)
	if err != nil {
		return err
	}
	off := to == store.StatusDisabled
	what, told := store.EventAdminOn, notify.AdminEnabled
	if off {
		what, told = store.EventAdminOff, notify.AdminDisabled
	}
	e := s.adminEvent(a, what, who.ID)
	return s.changeAdmin(ctx, change{a, p, who, notify.AdminMail{What: told}}, func(tx store.Tx, x *store.Administrator) error {
		if off == (x.Status == store.StatusDisabled) {
			return errSame
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
func (s *Service) AdminRole(ctx context.Context, a Actor, p Proof, admin string, role Role) error {
	if err := a.allow("AdminRole"); err != nil {
		return err
	}
	if err := checkRole(role); err != nil {
		return err
	}
	who, err := s.notSelf(ctx, a, admin)
	if err != nil {
		return err
	}
	e := s.adminEvent(a, store.EventAdminRole, who.ID)
	c := change{a, p, who, notify.AdminMail{What: notify.AdminRole, Was: who.Role, Role: role}}
	return s.changeAdmin(ctx, c, func(tx store.Tx, x *store.Administrator) error {
		if x.Role == role {
			return errSame
		}
		e.Facts = map[string]string{"from": string(x.Role), "to": string(role)}
		x.Role = role
		if err := tx.Sessions().DeleteAll(x.ID, store.SessionID{}); err != nil {
			return err
		}
		return tx.Audit().Add(e)
	})
}

// change is a change of somebody's access.
type change struct {
	by    Actor
	proof Proof
	who   store.Administrator
	mail  notify.AdminMail // what is told of it, but for whom, by whom and when
}

// errSame: all is as it was wanted; there is nothing to do and nothing to tell.
var errSame = errors.New("nothing changes")

// commit makes a change in one transaction with the mails that tell of it, if the actor proves who asks.
func (s *Service) commit(ctx context.Context, c change, do func(store.Tx) error) error {
	spend, err := s.prove(ctx, c.by, c.proof)
	if err != nil {
		return err
	}
	told, err := s.tell(ctx, c)
	if err != nil {
		return err
	}
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		if err := spend(tx); err != nil {
			return err
		}
		if err := do(tx); errors.Is(err, errSame) {
			return nil // the code was taken all the same
		} else if err != nil {
			return err
		}
		return told.put(tx)
	})
	if errors.Is(err, errChanged) {
		s.noteRejection(ctx, rejection{what: store.EventAdminProof, who: store.Administrator{ID: c.by.Account}, client: c.proof.Client, cause: "changed meanwhile"})
		return ErrProof
	}
	return err
}

// changeAdmin rewrites an administrator in a transaction.
func (s *Service) changeAdmin(ctx context.Context, c change, rewrite func(store.Tx, *store.Administrator) error) error {
	err := s.commit(ctx, c, func(tx store.Tx) error {
		x, err := tx.Administrators().Get(c.who.ID)
		if err != nil {
			return err
		}
		if err := rewrite(tx, &x); err != nil {
			return err
		}
		return tx.Administrators().Set(x)
	})
	if err != nil {
		return fmt.Errorf("change administrator %s: %w", c.who.ID, err)
	}
	return nil
}

// notSelf finds an administrator by the address or the id, who must not be the actor: whoever locked himself out could not
// undo it.
func (s *Service) notSelf(ctx context.Context, a Actor, who string) (store.Administrator, error) {
	x, err := s.administrator(ctx, who)
	if err == nil && x.ID == a.Account {
		return x, inputf("nobody changes or resets his own access: ask another administrator, or use the command line")
	}
	return x, err
}

// administrator finds an administrator by the address or the id.
func (s *Service) administrator(ctx context.Context, who string) (x store.Administrator, err error) {
	var id store.AccountID
	if strings.Contains(who, "@") || id.UnmarshalText([]byte(strings.ToLower(strings.TrimSpace(who)))) != nil {
		x, err = s.lookUp(ctx, who)
	} else {
		err = s.Store.View(ctx, func(tx store.Tx) error {
			x, err = tx.Administrators().Get(id)
			return err
		})
	}
	if errors.Is(err, store.ErrNotFound) || err == nil && x.ID.IsZero() {
		return x, sayf(store.ErrNotFound, "%q is no administrator", who)
	}
	return x, err
}
