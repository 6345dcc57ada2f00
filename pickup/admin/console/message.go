package console

import (
	"errors"
	"net/http"
	"strings"

	"postern/pickup/admin"
	"postern/pickup/web"
	"postern/store"
)

// message reads one message by the id in the path.
func (c *Console) message(r *http.Request, who admin.Signed) (admin.MessageView, error) {
	id, err := store.ParseMessageID(r.PathValue("id"))
	if err != nil {
		return admin.MessageView{}, errMissing
	}
	found, err := c.Admin.MessageTrace(r.Context(), who.Actor, id.String())
	if err != nil {
		return admin.MessageView{}, err
	}
	return found[0], nil
}

// messagePage is message.html: the story of one message.
type messagePage struct {
	page
	Message admin.MessageView
	Live    int    // shares that are still open
	Item    string // the recipient's share that is spoken of; empty: all
	To      string // whose it is
}

// Sealed reports whether any recipient's copy was sealed.
func (m messagePage) Sealed() bool {
	for _, r := range m.Message.Recipients {
		if r.Action == string(store.ActionSeal) {
			return true
		}
	}
	return false
}

func (c *Console) messageOf(r *http.Request, who admin.Signed) (messagePage, error) {
	v, err := c.message(r, who)
	p := messagePage{page: c.page(r, who, "messages"), Message: v}
	for _, x := range v.Recipients {
		if x.Live {
			p.Live++
		}
	}
	return p, err
}

func (c *Console) showMessage(w http.ResponseWriter, r *http.Request, who admin.Signed) error {
	p, err := c.messageOf(r, who)
	if err != nil {
		return err
	}
	return c.show(w, r, http.StatusOK, "message", p)
}

// share reads whom a form is about: the item of one recipient, or "" for all. Ids of other messages are no page.
func (p *messagePage) share(item string) error {
	if item == "" {
		return nil
	}
	for _, x := range p.Message.Recipients {
		if x.Item == item {
			p.Item, p.To = item, x.To
			return nil
		}
	}
	return errMissing
}

func (c *Console) recallPage(w http.ResponseWriter, r *http.Request, who admin.Signed) error {
	p, err := c.messageOf(r, who)
	if err == nil {
		err = p.share(r.URL.Query().Get("item"))
	}
	if err != nil {
		return err
	}
	return c.show(w, r, http.StatusOK, "recall", p)
}

func (c *Console) recall(w http.ResponseWriter, r *http.Request, who admin.Signed) error {
	f, err := web.Form(r, "item")
	if err != nil {
		return err
	}
	p, err := c.messageOf(r, who)
	if err == nil {
		err = p.share(f["item"])
	}
	if err != nil {
		return err
	}
	what := p.Item
	if what == "" {
		what = p.Message.ID
	}
	if _, err := c.Admin.MessageRecall(r.Context(), who.Actor, what); err != nil {
		return err
	}
	return done(w, "/messages/"+p.Message.ID, "recalled")
}

// messagesPage is messages.html: a search by metadata.
type messagesPage struct {
	page
	Query string
	Found []admin.MessageView
}

func (c *Console) messages(w http.ResponseWriter, r *http.Request, who admin.Signed) error {
	const longest = 998 // a Message-ID is a line at most
	p := messagesPage{page: c.page(r, who, "messages"), Query: strings.TrimSpace(web.OneLine(r.URL.Query().Get("q"), longest))}
	if p.Query != "" {
		var err error
		p.Found, err = c.Admin.MessageTrace(r.Context(), who.Actor, p.Query)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	return c.show(w, r, http.StatusOK, "messages", p)
}

// Rcpt is the address of a recipient by its number; "" for what is about the message as a whole.
func (m messagePage) Rcpt(n uint32) string {
	_, want, _ := strings.Cut(store.RcptKey{N: n}.String(), ".")
	for _, r := range m.Message.Recipients {
		if _, number, _ := strings.Cut(r.Item, "."); n != 0 && number == want {
			return r.To
		}
	}
	return ""
}
