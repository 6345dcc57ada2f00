package console

import (
	"errors"
	"net/http"

	"postern/pickup/admin"
	"postern/pickup/web"
	"postern/store"
)

// administratorsPage is administrators.html: who may come here, and the form for one more.
type administratorsPage struct {
	page
	Rows     []admin.AdminRow
	Next     string
	Address  string // as typed
	Role     string
	Sentence string // what was wrong with it
	Unproven bool   // password or code was wrong
}

// IsSelf reports whether an administrator is who asks.
func (p page) IsSelf(id string) bool { return id == p.Who.Account.String() }

func (c *Console) administrators(w http.ResponseWriter, r *http.Request, who admin.Signed) error {
	return c.showAdministrators(w, r, who, administratorsPage{page: c.page(r, who, "administrators"), Role: string(admin.RoleHelpDesk)})
}

func (c *Console) showAdministrators(w http.ResponseWriter, r *http.Request, who admin.Signed, p administratorsPage) error {
	list, err := c.Admin.AdminList(r.Context(), who.Actor, cursorOf(r))
	if err != nil {
		return cursorError(err)
	}
	p.Rows, p.Next = list.Rows, nextPage("/administrators", list.Next, nil)
	return c.show(w, r, statusOf(p.Wrong), "administrators", p)
}

// setupLinkPage is setup-link.html: a link that is shown this once. It is the answer to a form, and in no address.
type setupLinkPage struct {
	page
	Address string
	Link    admin.SetupLink
}

func (c *Console) createAdministrator(w http.ResponseWriter, r *http.Request, who admin.Signed) error {
	f, err := web.Form(r, "address", "role", "password", "code")
	if err != nil {
		return err
	}
	p := administratorsPage{page: c.page(r, who, "administrators"), Role: f["role"], Address: trimmed(f["address"], store.MaxAddress)}
	link, err := c.Admin.AdminCreate(r.Context(), who.Actor, c.proof(r, f), p.Address, admin.Role(p.Role))
	p.Sentence, p.Unproven = sentence(err), errors.Is(err, admin.ErrProof)
	if p.Wrong = p.Sentence != "" || p.Unproven; p.Wrong {
		return c.showAdministrators(w, r, who, p)
	}
	if err != nil {
		return err
	}
	return c.show(w, r, http.StatusOK, "setup-link", setupLinkPage{page: p.page, Address: p.Address, Link: link})
}

// administratorPage is administrator.html and reset.html: one administrator.
type administratorPage struct {
	page
	Admin    admin.AdminRow
	Role     string // as chosen
	Unproven string // the form whose password or code was wrong: role, status, reset
}

// Self reports whether it is who asks.
func (p administratorPage) Self() bool { return p.IsSelf(p.Admin.ID) }

// Disabled reports whether the administrator may not sign in.
func (p administratorPage) Disabled() bool { return p.Admin.Status == string(store.StatusDisabled) }

func (c *Console) administratorOf(r *http.Request, who admin.Signed) (p administratorPage, err error) {
	var id store.AccountID
	if id.UnmarshalText([]byte(r.PathValue("id"))) != nil {
		return p, errMissing
	}
	p.page = c.page(r, who, "administrators")
	p.Admin, err = c.Admin.AdminShow(r.Context(), who.Actor, id.String())
	p.Role = string(p.Admin.Role)
	return p, err
}

// administratorAs shows one administrator by a template.
func (c *Console) administratorAs(template string) handler {
	return func(w http.ResponseWriter, r *http.Request, who admin.Signed) error {
		p, err := c.administratorOf(r, who)
		if err != nil {
			return err
		}
		return c.show(w, r, http.StatusOK, template, p)
	}
}

// unproven shows a form of one administrator's again, whose password or code was wrong.
func (c *Console) unproven(w http.ResponseWriter, r *http.Request, template, form string, p administratorPage) error {
	p.Wrong, p.Unproven = true, form
	return c.show(w, r, http.StatusUnprocessableEntity, template, p)
}

func (c *Console) changeRole(w http.ResponseWriter, r *http.Request, who admin.Signed) error {
	f, err := web.Form(r, "role", "password", "code")
	if err != nil {
		return err
	}
	p, err := c.administratorOf(r, who)
	if err != nil {
		return err
	}
	err = c.Admin.AdminRole(r.Context(), who.Actor, c.proof(r, f), p.Admin.ID, admin.Role(f["role"]))
	if errors.Is(err, admin.ErrProof) {
		p.Role = f["role"]
		return c.unproven(w, r, "administrator", "role", p)
	}
	if err != nil {
		return err
	}
	return done(w, "/administrators/"+p.Admin.ID, "saved")
}

func (c *Console) switchAdministrator(w http.ResponseWriter, r *http.Request, who admin.Signed) error {
	f, err := web.Form(r, "status", "password", "code")
	if err != nil {
		return err
	}
	what := map[store.Status]string{store.StatusDisabled: "admin-disabled", store.StatusActive: "admin-enabled"}[store.Status(f["status"])]
	if what == "" {
		return errInvalid
	}
	p, err := c.administratorOf(r, who)
	if err != nil {
		return err
	}
	err = c.Admin.AdminSwitch(r.Context(), who.Actor, c.proof(r, f), p.Admin.ID, store.Status(f["status"]))
	if errors.Is(err, admin.ErrProof) {
		return c.unproven(w, r, "administrator", "status", p)
	}
	if err != nil {
		return err
	}
	return done(w, "/administrators/"+p.Admin.ID, what)
}

func (c *Console) resetAdministrator(w http.ResponseWriter, r *http.Request, who admin.Signed) error {
	f, err := web.Form(r, "password", "code")
	if err != nil {
		return err
	}
	p, err := c.administratorOf(r, who)
	if err != nil {
		return err
	}
	link, err := c.Admin.AdminReset(r.Context(), who.Actor, c.proof(r, f), p.Admin.ID)
	if errors.Is(err, admin.ErrProof) {
		return c.unproven(w, r, "reset", "reset", p)
	}
	if err != nil {
		return err
	}
	return c.show(w, r, http.StatusOK, "setup-link", setupLinkPage{page: p.page, Address: p.Admin.Address, Link: link})
}

// sessionsPage is sessions.html: where the administrator is signed in.
type sessionsPage struct {
	page
	Sessions []ownSession
}

// ownSession is one of the administrator's own sessions.
type ownSession struct {
	store.Session
	Here bool // of this request
}

func (c *Console) sessions(w http.ResponseWriter, r *http.Request, who admin.Signed) error {
	p := sessionsPage{page: c.page(r, who, "")}
	list, err := c.Admin.Sessions(r.Context(), who)
	if err != nil {
		return err
	}
	for _, s := range list {
		p.Sessions = append(p.Sessions, ownSession{Session: s, Here: s.ID == who.Session.ID})
	}
	return c.show(w, r, http.StatusOK, "sessions", p)
}

// endSessions signs out elsewhere: of one session, or without one of all others.
func (c *Console) endSessions(w http.ResponseWriter, r *http.Request, who admin.Signed) error {
	f, err := web.Form(r, "session")
	if err != nil {
		return err
	}
	if f["session"] == "others" {
		if err := c.Admin.EndOthers(r.Context(), who); err != nil {
			return err
		}
		return done(w, "/sessions", "ended-others")
	}
	var id store.SessionID
	if id.UnmarshalText([]byte(f["session"])) != nil {
		return errInvalid
	}
	if err := c.Admin.EndSession(r.Context(), who, id); err != nil {
		return err
	}
	return done(w, "/sessions", "ended")
}
