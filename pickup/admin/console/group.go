package console

import (
	"net/http"

	"postern/pickup/admin"
	"postern/pickup/web"
	"postern/store"
)

// groupsPage is groups.html (B2).
type groupsPage struct {
	page
	Name     string // as typed
	Sentence string // what was wrong with it
	Rows     []admin.GroupRow
	Next     string
}

func (c *Console) groups(w http.ResponseWriter, r *http.Request, who admin.Signed) error {
	return c.showGroups(w, r, who, groupsPage{page: c.page(r, who, "users")})
}

func (c *Console) showGroups(w http.ResponseWriter, r *http.Request, who admin.Signed, p groupsPage) error {
	list, err := c.Admin.GroupList(r.Context(), who.Actor, cursorOf(r))
	if err != nil {
		return cursorError(err)
	}
	p.Rows, p.Next = list.Rows, nextPage("/groups", list.Next, nil)
	return c.show(w, r, statusOf(p.Wrong), "groups", p)
}

func (c *Console) makeGroup(w http.ResponseWriter, r *http.Request, who admin.Signed) error {
	f, err := web.Form(r, "name")
	if err != nil {
		return err
	}
	p := groupsPage{page: c.page(r, who, "users"), Name: trimmed(f["name"], maxName)}
	g, err := c.Admin.GroupCreate(r.Context(), who.Actor, p.Name)
	if p.Sentence = sentence(err); p.Sentence != "" {
		p.Wrong = true
		return c.showGroups(w, r, who, p)
	}
	if err != nil {
		return err
	}
	return done(w, "/groups/"+g.ID, "saved")
}

// groupPage is group.html and enable.html: one group with its people.
type groupPage struct {
	page
	Group  admin.GroupRow
	People []admin.GroupPerson
	Next   string
}

// IsEnabled reports whether the people of the group may send by it.
func (p groupPage) IsEnabled() bool { return !p.Group.Enabled.IsZero() }

func (c *Console) groupOf(r *http.Request, who admin.Signed) (p groupPage, err error) {
	var id store.GroupID
	if id.UnmarshalText([]byte(r.PathValue("id"))) != nil {
		return p, errMissing
	}
	p.page = c.page(r, who, "users")
	p.Group, err = c.Admin.GroupShow(r.Context(), who.Actor, id.String())
	return p, err
}

func (c *Console) group(w http.ResponseWriter, r *http.Request, who admin.Signed) error {
	p, err := c.groupOf(r, who)
	if err != nil {
		return err
	}
	list, err := c.Admin.GroupPeopleList(r.Context(), who.Actor, p.Group.ID, cursorOf(r))
	if err != nil {
		return cursorError(err)
	}
	p.People, p.Next = list.Rows, nextPage("/groups/"+p.Group.ID, list.Next, nil)
	return c.show(w, r, http.StatusOK, "group", p)
}

func (c *Console) enablePage(w http.ResponseWriter, r *http.Request, who admin.Signed) error {
	p, err := c.groupOf(r, who)
	if err != nil {
		return err
	}
	return c.show(w, r, http.StatusOK, "enable", p)
}

func (c *Console) enable(w http.ResponseWriter, r *http.Request, who admin.Signed) error {
	if _, err := web.Form(r); err != nil {
		return err
	}
	p, err := c.groupOf(r, who)
	if err != nil {
		return err
	}
	if _, err := c.Admin.GroupEnable(r.Context(), who.Actor, p.Group.ID); err != nil {
		return err
	}
	return done(w, "/groups/"+p.Group.ID, "enabled-group")
}
