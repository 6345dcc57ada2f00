package console

import (
	"net/http"
	"slices"

	"postern/pickup/admin"
	"postern/pickup/web"
)

// aliasPage is alias.html: the question before an address is taken off a user.
type aliasPage struct {
	userPage
	Address string
}

// aliasOf finds an address among those of the user.
func (c *Console) aliasOf(r *http.Request, who admin.Signed, address string) (p aliasPage, err error) {
	if p.userPage, err = c.userOf(r, who); err != nil {
		return p, err
	}
	if p.Address = address; !slices.Contains(p.User.Aliases, address) {
		return p, errMissing
	}
	return p, nil
}

func (c *Console) aliasPage(w http.ResponseWriter, r *http.Request, who admin.Signed) error {
	p, err := c.aliasOf(r, who, r.URL.Query().Get("address"))
	if err != nil {
		return err
	}
	return c.show(w, r, http.StatusOK, "alias", p)
}

func (c *Console) removeAlias(w http.ResponseWriter, r *http.Request, who admin.Signed) error {
	f, err := web.Form(r, "address")
	if err != nil {
		return err
	}
	p, err := c.aliasOf(r, who, f["address"])
	if err != nil {
		return err
	}
	if err := c.Admin.UserAliasRemove(r.Context(), who.Actor, p.User.ID, p.Address); err != nil {
		return err
	}
	return done(w, "/users/"+p.User.ID, "alias-removed")
}
