package console

import (
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"strings"

	"postern/pickup/admin"
	"postern/pickup/web"
	"postern/store"
)

// Bounds of a list of people.
const (
	maxList   = 20 << 20 // octets of the form
	maxPasted = 2 << 20  // of a pasted list, which is shown again
)

// invitePage is invitations.html: one person, or a list that is checked before anything happens (B3).
type invitePage struct {
	page
	Groups   []admin.GroupRow // to choose from; of too many, the name is typed
	TooMany  bool
	Into     *admin.GroupRow // that the list is for; nil: none was found
	One      inviteOne
	Many     inviteMany
	Sentence string // what was wrong
	At       string // id of the field that it is about
	Preview  *admin.Preview
	Outcome  string // of the invitation of one person
}

// inviteOne is the form for one person.
type inviteOne struct{ Address, Name, Class string }

// inviteMany is the form for a list.
type inviteMany struct {
	Group, Class, List string
	File               string // name of the CSV file that was read
}

func (c *Console) invitePage(r *http.Request, who admin.Signed) (invitePage, error) {
	p := invitePage{page: c.page(r, who, "users"), One: inviteOne{Class: string(store.ClassMember)},
		Many: inviteMany{Class: string(store.ClassMember), Group: r.URL.Query().Get("group")}}
	if !p.May("UserChange") {
		p.One.Class = string(store.ClassGuest)
	}
	list, err := c.Admin.GroupList(r.Context(), who.Actor, "")
	p.Groups, p.TooMany = list.Rows, list.Next != ""
	return p, err
}

// findGroup looks for the group that was chosen or typed, by its id or name.
func (c *Console) findGroup(r *http.Request, p *invitePage) error {
	p.Many.Group = trimmed(p.Many.Group, maxName)
	if p.Many.Group == "" {
		return nil
	}
	g, err := c.Admin.GroupShow(r.Context(), p.Who, p.Many.Group)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	p.Into = &g
	return err
}

// GroupName is what a field shows into which the name of the group is typed.
func (p invitePage) GroupName() string {
	if p.Into != nil {
		return p.Into.Name
	}
	return p.Many.Group
}

func (c *Console) invitations(w http.ResponseWriter, r *http.Request, who admin.Signed) error {
	p, err := c.invitePage(r, who)
	if err != nil {
		return err
	}
	if err := c.findGroup(r, &p); err != nil {
		return err
	}
	return c.show(w, r, http.StatusOK, "invitations", p)
}

// refuseInvite shows the forms again with what was wrong.
func (c *Console) refuseInvite(w http.ResponseWriter, r *http.Request, p invitePage, at, sentence string) error {
	p.Wrong, p.At, p.Sentence = true, at, sentence
	return c.show(w, r, http.StatusUnprocessableEntity, "invitations", p)
}

// inviteOne invites one person at once.
func (c *Console) inviteOne(w http.ResponseWriter, r *http.Request, who admin.Signed) error {
	f, err := web.Form(r, "address", "name", "class")
	if err != nil {
		return err
	}
	p, err := c.invitePage(r, who)
	if err != nil {
		return err
	}
	p.One = inviteOne{Address: trimmed(f["address"], store.MaxAddress), Name: trimmed(f["name"], maxName), Class: f["class"]}
	out, err := c.Admin.UserInvite(r.Context(), who.Actor, admin.InviteForm{Address: p.One.Address, Name: p.One.Name, Class: store.Class(p.One.Class)})
	if s := sentence(err); s != "" {
		return c.refuseInvite(w, r, p, "address", s)
	}
	if err != nil {
		return err
	}
	return done(w, "/invitations", string(out))
}

// preview reads a list and says what it would do. Nothing is changed.
func (c *Console) preview(w http.ResponseWriter, r *http.Request, who admin.Signed) error {
	w = web.Slide(w, r)
	p, err := c.invitePage(r, who)
	if err != nil {
		return err
	}
	list, err := p.read(r)
	if err != nil {
		return err
	}
	if err := c.findGroup(r, &p); err != nil {
		return err
	}
	if p.Into == nil {
		return c.refuseInvite(w, r, p, "group", c.say(r, "There is no group of that name. The page of groups shows them all"))
	}
	if list == nil {
		return c.refuseInvite(w, r, p, "list", c.say(r, "Paste a list or choose a file"))
	}
	preview, err := c.Admin.InvitePreview(r.Context(), who.Actor, list, store.Class(p.Many.Class))
	if s := sentence(err); s != "" {
		return c.refuseInvite(w, r, p, "list", s)
	}
	if err != nil {
		return listError(err)
	}
	p.Preview = &preview
	return c.show(w, r, http.StatusOK, "preview", p)
}

// listError tells an upload that broke off from trouble of ours.
func listError(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, multipart.ErrMessageTooLarge) {
		return errInvalid
	}
	return err
}

// read takes the fields and answers the list: what was pasted, else the file, which is last and read as it arrives; nil
// when there is neither.
func (p *invitePage) read(r *http.Request) (io.Reader, error) {
	form, err := r.MultipartReader()
	if err != nil {
		return nil, errInvalid
	}
	const small = 1 << 10
	fields := map[string]*string{"group": &p.Many.Group, "class": &p.Many.Class, "list": &p.Many.List}
	for {
		part, err := form.NextPart()
		if errors.Is(err, io.EOF) {
			return p.pasted(), p.checkClass()
		}
		if err != nil {
			return nil, partError(err)
		}
		if part.FormName() == "csv" {
			return p.file(part)
		}
		field := fields[part.FormName()]
		if field == nil {
			return nil, errInvalid
		}
		delete(fields, part.FormName())
		limit := int64(small)
		if part.FormName() == "list" {
			limit = maxPasted
		}
		if *field, err = text(part, limit); err != nil {
			return nil, err
		}
	}
}

func (p *invitePage) file(part *multipart.Part) (io.Reader, error) {
	if err := p.checkClass(); err != nil {
		return nil, err
	}
	if pasted := p.pasted(); pasted != nil || part.FileName() == "" {
		return pasted, nil
	}
	p.Many.File = web.OneLine(part.FileName(), maxName)
	return part, nil
}

func (p *invitePage) pasted() io.Reader {
	if strings.TrimSpace(p.Many.List) == "" {
		return nil
	}
	return strings.NewReader(p.Many.List)
}

func (p *invitePage) checkClass() error {
	if k := store.Class(p.Many.Class); k != store.ClassMember && k != store.ClassGuest {
		return errInvalid
	}
	return nil
}

// fill puts a previewed list into its group.
func (c *Console) fill(w http.ResponseWriter, r *http.Request, who admin.Signed) error {
	f, err := web.Form(r, "group", "draft")
	if err != nil {
		return err
	}
	p, err := c.invitePage(r, who)
	if err != nil {
		return err
	}
	p.Many.Group = f["group"]
	if err := c.findGroup(r, &p); err != nil {
		return err
	}
	if p.Into == nil {
		return errMissing
	}
	_, err = c.Admin.GroupFill(r.Context(), who.Actor, p.Into.ID, f["draft"])
	if errors.Is(err, admin.ErrDraft) {
		return c.refuseInvite(w, r, p, "list", c.say(r, "The list that was checked is gone, because of its age or because another one was checked since: read it in again"))
	}
	if err != nil {
		return err
	}
	return done(w, "/groups/"+p.Into.ID, "filled")
}
