package console

import (
	"net/http"
	"time"

	"postern/pickup/admin"
	"postern/pickup/web"
)

// extendPage is extend.html.
type extendPage struct {
	messagePage
	Until    string // as typed: a date
	Sentence string // what was wrong with it
}

func (c *Console) extendOf(r *http.Request, who admin.Signed, item string) (extendPage, error) {
	p, err := c.messageOf(r, who)
	if err == nil {
		err = p.share(item)
	}
	return extendPage{messagePage: p}, err
}

func (c *Console) extendPage(w http.ResponseWriter, r *http.Request, who admin.Signed) error {
	p, err := c.extendOf(r, who, r.URL.Query().Get("item"))
	if err != nil {
		return err
	}
	return c.show(w, r, http.StatusOK, "extend", p)
}

// extend gives shares more time, up to the end of the day that was typed.
func (c *Console) extend(w http.ResponseWriter, r *http.Request, who admin.Signed) error {
	const longest = 40
	f, err := web.Form(r, "item", "until")
	if err != nil {
		return err
	}
	p, err := c.extendOf(r, who, f["item"])
	if err != nil {
		return err
	}
	p.Until = trimmed(f["until"], longest)
	until, err := time.ParseInLocation(time.DateOnly, p.Until, c.Zone)
	if err != nil {
		p.Sentence = c.say(r, "Enter the day up to which it is to stay open")
	} else if err = c.extendShares(r, who, p.messagePage, until.AddDate(0, 0, 1).Add(-time.Minute)); err != nil {
		if p.Sentence = sentence(err); p.Sentence == "" {
			return err
		}
	}
	if p.Wrong = p.Sentence != ""; p.Wrong {
		return c.show(w, r, http.StatusUnprocessableEntity, "extend", p)
	}
	return done(w, "/messages/"+p.Message.ID, "extended")
}

// extendShares extends one share, or all that are open and end earlier: every one of them, or none.
func (c *Console) extendShares(r *http.Request, who admin.Signed, p messagePage, until time.Time) error {
	which := p.Item
	if which == "" {
		which = p.Message.ID
	}
	_, err := c.Admin.MessageExtend(r.Context(), who.Actor, which, until)
	return err
}

// renotify mails one recipient once more.
func (c *Console) renotify(w http.ResponseWriter, r *http.Request, who admin.Signed) error {
	f, err := web.Form(r, "item")
	if err != nil {
		return err
	}
	p, err := c.extendOf(r, who, f["item"])
	if err != nil {
		return err
	}
	if p.Item == "" {
		return errInvalid
	}
	if _, err := c.Admin.MessageRenotify(r.Context(), who.Actor, p.Item); err != nil {
		return err
	}
	return done(w, "/messages/"+p.Message.ID, "notified")
}
