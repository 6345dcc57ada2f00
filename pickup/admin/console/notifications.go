package console

import (
	"errors"
	"net/http"

	"postern/pickup/admin"
	"postern/pickup/web"
	"postern/store"
)

// notificationsPage is notifications.html: in whose name invitations go out (B10).
type notificationsPage struct {
	page
	From     string // as it is set, or as typed; empty: the organisation's
	Sentence string // what was wrong with it
}

func (c *Console) notifications(w http.ResponseWriter, r *http.Request, who admin.Signed) error {
	from, err := c.Admin.InviterShow(r.Context(), who.Actor)
	if err != nil {
		return err
	}
	return c.show(w, r, http.StatusOK, "notifications", notificationsPage{page: c.page(r, who, "notifications"), From: from})
}

// saveNotifications sets it: to a member who has signed up, in a domain that the gateway signs for (MAIL §6), or back.
func (c *Console) saveNotifications(w http.ResponseWriter, r *http.Request, who admin.Signed) error {
	f, err := web.Form(r, "from")
	if err != nil {
		return err
	}
	if _, given := f["from"]; !given {
		return errInvalid // an empty field means something, a missing one does not
	}
	p := notificationsPage{page: c.page(r, who, "notifications"), From: trimmed(f["from"], store.MaxAddress)}
	err = c.Admin.InviterSet(r.Context(), who.Actor, p.From)
	if p.Sentence = sentence(err); errors.Is(err, store.ErrNotFound) {
		p.Sentence = c.say(r, "%s is not a member’s address: enter the one of a member", p.From)
	}
	if p.Sentence != "" {
		p.Wrong = true
		return c.show(w, r, http.StatusUnprocessableEntity, "notifications", p)
	}
	if err != nil {
		return err
	}
	return done(w, "/notifications", "saved")
}
