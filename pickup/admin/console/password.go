package console

import (
	"errors"
	"net/http"

	"postern/pickup/admin"
	"postern/pickup/web"
)

// passwordPage is password.html (B1).
type passwordPage struct {
	page
	Choice web.Choice
	Old    bool // the old password was not right
}

func (c *Console) passwordPage(w http.ResponseWriter, r *http.Request, who admin.Signed) error {
	return c.show(w, r, http.StatusOK, "password", passwordPage{page: c.page(r, who, ""), Choice: c.choice(who.Address)})
}

func (c *Console) changePassword(w http.ResponseWriter, r *http.Request, who admin.Signed) error {
	f, err := web.Form(r, "old", "password", "password2")
	if err != nil {
		return err
	}
	p := passwordPage{page: c.page(r, who, ""), Choice: c.choice(who.Address)}
	p.Wrong = !c.judge(&p.Choice, f, who.Address)
	if !p.Wrong {
		err = c.Admin.ChangePassword(r.Context(), who, admin.PasswordChange{Old: f["old"], New: f["password"], Client: c.client(r)})
		p.Old = errors.Is(err, admin.ErrOldPassword)
		p.Wrong = p.Old
	}
	if p.Wrong {
		return c.show(w, r, http.StatusUnprocessableEntity, "password", p)
	}
	if err != nil {
		return err
	}
	return done(w, "/", "password")
}
