package console

import (
	"errors"
	"net/http"
	"net/url"

	"postern/pickup/admin"
	"postern/pickup/web"
	"postern/store"
)

// usersPage is users.html.
type usersPage struct {
	page
	Count  admin.UserCounts
	Query  admin.UserQuery
	Rows   []admin.UserRow
	Next   string
	Asked  bool // something selects
	ByName string
	BySeen string
}

func (c *Console) users(w http.ResponseWriter, r *http.Request, who admin.Signed) error {
	v := r.URL.Query()
	q := admin.UserQuery{Search: trimmed(v.Get("q"), store.MaxAddress), Limit: listSize}
	if s := store.Status(v.Get("status")); s == store.StatusActive || s == store.StatusInvited || s == store.StatusDisabled {
		q.Status = s
	}
	if k := store.Class(v.Get("class")); k == store.ClassMember || k == store.ClassGuest {
		q.Class = k
	}
	q.Recent = v.Get("sort") == "seen" && q.Search == ""
	o, err := c.Admin.OverviewShow(r.Context(), who.Actor, 1)
	if err != nil {
		return err
	}
	list, err := c.Admin.UserList(r.Context(), who.Actor, q, cursorOf(r))
	if err != nil {
		return cursorError(err)
	}
	p := usersPage{page: c.page(r, who, "users"), Count: o.Users, Query: q, Rows: list.Rows,
		Asked: q.Search != "" || q.Status != "" || q.Class != ""}
	kept := url.Values{}
	keep(kept, "q", q.Search, "status", string(q.Status), "class", string(q.Class))
	p.ByName, p.BySeen = withQuery("/users", kept), withQuery("/users", kept, "sort", "seen")
	if q.Recent {
		keep(kept, "sort", "seen")
	}
	p.Next = nextPage("/users", list.Next, kept)
	return c.show(w, r, http.StatusOK, "users", p)
}

// userPage is user.html and disable.html: one user (B5).
type userPage struct {
	page
	User     admin.UserView
	Edit     userEdit // what the form shows
	Problem  string   // with the class: domain; empty: none
	Messages []admin.MessageRow
	History  []admin.AuditRow
}

// userEdit is the form of a user.
type userEdit struct{ Name, Class, Status string }

// Label is the name, else the address.
func (p userPage) Label() string {
	if p.User.Name != "" {
		return p.User.Name
	}
	return p.User.Address
}

func (c *Console) userOf(r *http.Request, who admin.Signed) (p userPage, err error) {
	var id store.AccountID
	if id.UnmarshalText([]byte(r.PathValue("id"))) != nil {
		return p, errMissing
	}
	p.page = c.page(r, who, "users")
	if p.User, err = c.Admin.UserShow(r.Context(), who.Actor, id.String()); err != nil {
		return p, err
	}
	p.Edit = userEdit{Name: p.User.Name, Class: string(p.User.Class), Status: p.User.Status}
	return p, nil
}

func (c *Console) user(w http.ResponseWriter, r *http.Request, who admin.Signed) error {
	p, err := c.userOf(r, who)
	if err != nil {
		return err
	}
	return c.showUser(w, r, who, p)
}

// showUser adds the user's newest messages and history, as far as the role may see them.
func (c *Console) showUser(w http.ResponseWriter, r *http.Request, who admin.Signed, p userPage) error {
	const some = 10
	list, err := c.Admin.MessageList(r.Context(), who.Actor, admin.MessageQuery{To: p.User.Address, Limit: some}, "")
	if err != nil {
		return err
	}
	p.Messages = list.Rows
	if p.May("AuditList") {
		events, err := c.Admin.AuditList(r.Context(), who.Actor, admin.AuditQuery{User: p.User.ID, Limit: some}, "")
		if err != nil {
			return err
		}
		p.History = events.Rows
	}
	return c.show(w, r, statusOf(p.Wrong), "user", p)
}

// saveUser takes the form of a user. Disabling asks once more, on a page of its own; nothing is saved before the answer.
func (c *Console) saveUser(w http.ResponseWriter, r *http.Request, who admin.Signed) error {
	f, err := web.Form(r, "name", "class", "status", "sure")
	if err != nil {
		return err
	}
	p, err := c.userOf(r, who)
	if err != nil {
		return err
	}
	was := p.Edit
	if err := p.take(f); err != nil {
		return err
	}
	off := p.Edit.Status == string(store.StatusDisabled)
	if off && was.Status != p.Edit.Status && f["sure"] != "yes" {
		return c.show(w, r, http.StatusOK, "disable", p)
	}
	if (p.Edit.Name != was.Name || p.Edit.Class != was.Class) && p.May("UserChange") {
		err := c.Admin.UserChange(r.Context(), who.Actor, p.User.ID, admin.UserEdit{Name: p.Edit.Name, Class: store.Class(p.Edit.Class)})
		if wrong := new(admin.ClassError); errors.As(err, &wrong) {
			p.Wrong, p.Problem = true, "domain"
			return c.showUser(w, r, who, p)
		}
		if err != nil {
			return err
		}
	}
	what := "saved"
	if off != (was.Status == string(store.StatusDisabled)) {
		if err := c.Admin.UserSwitch(r.Context(), who.Actor, p.User.ID, store.Status(p.Edit.Status)); err != nil {
			return err
		}
		what = map[bool]string{true: "disabled", false: "enabled"}[off]
	}
	return done(w, "/users/"+p.User.ID, what)
}

// take reads the form over what is stored. A field that the page did not offer stays as it is.
func (p *userPage) take(f map[string]string) error {
	switch s := store.Status(f["status"]); s {
	case store.StatusActive, store.StatusDisabled:
		if s == store.StatusDisabled || p.User.Status == string(store.StatusDisabled) {
			p.Edit.Status = string(s)
		}
	case "":
	default:
		return errInvalid
	}
	switch k := store.Class(f["class"]); k {
	case store.ClassMember, store.ClassGuest:
		p.Edit.Class = string(k)
	case "":
	default:
		return errInvalid
	}
	if name, given := f["name"]; given {
		p.Edit.Name = trimmed(name, maxName)
	}
	return nil
}
