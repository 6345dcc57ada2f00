package console

import (
	"errors"
	"net/http"
	"net/url"
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
	return c.Admin.MessageShow(r.Context(), who.Actor, id.String())
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

// messagesPage is messages.html: recipients of messages by their metadata.
type messagesPage struct {
	page
	ID, From, To, State, After, Before string // as typed
	Problems                           []problem
	Rows                               []admin.MessageRow
	Next                               string
	Asked                              bool // something selects
}

// Problem is the first mistake at a field; nil: none.
func (p messagesPage) Problem(field string) *problem { return at(p.Problems, field) }

// States are what the filter offers.
func (messagesPage) States() []store.State {
	return store.States()
}

// messageQuery reads the filters; what is wrong with them is in Problems.
func (c *Console) messageQuery(r *http.Request, who admin.Signed) (messagesPage, admin.MessageQuery) {
	const longest = 998 // a Message-ID is a line at most
	v := r.URL.Query()
	get := func(name string) string { return trimmed(v.Get(name), longest) }
	p := messagesPage{page: c.page(r, who, "messages"), ID: get("q"), From: get("from"), To: get("to"), State: get("state"), After: get("after-day"),
		Before: get("before-day")}
	q := admin.MessageQuery{From: p.From, To: p.To, State: store.State(p.State), Limit: listSize}
	for field, typed := range map[string]string{"from": p.From, "to": p.To} {
		if _, err := store.ParseAddress(typed); typed != "" && err != nil {
			p.Problems = append(p.Problems, problem{Field: field, Kind: "address", What: typed})
		}
	}
	q.After = c.day(p.After, "after-day", &p.Problems)
	if q.Before = c.day(p.Before, "before-day", &p.Problems); !q.Before.IsZero() {
		q.Before = q.Before.AddDate(0, 0, 1) // the day itself is meant as well
	}
	p.Wrong = len(p.Problems) > 0
	p.Asked = p.ID+p.From+p.To+p.State+p.After+p.Before != ""
	return p, q
}

func (c *Console) messages(w http.ResponseWriter, r *http.Request, who admin.Signed) error {
	p, q := c.messageQuery(r, who)
	if p.Wrong {
		return c.show(w, r, http.StatusUnprocessableEntity, "messages", p)
	}
	if p.ID != "" {
		return c.findMessage(w, r, who, p)
	}
	list, err := c.Admin.MessageList(r.Context(), who.Actor, q, cursorOf(r))
	if err != nil {
		return cursorError(err)
	}
	p.Rows = list.Rows
	kept := url.Values{}
	keep(kept, "from", p.From, "to", p.To, "state", p.State, "after-day", p.After, "before-day", p.Before)
	p.Next = nextPage("/messages", list.Next, kept)
	return c.show(w, r, http.StatusOK, "messages", p)
}

// findMessage looks for a message by its id, a recipient's item, or its Message-ID. One alone is shown at once; one
// whose recipients are no longer kept has a row without.
func (c *Console) findMessage(w http.ResponseWriter, r *http.Request, who admin.Signed, p messagesPage) error {
	found, err := c.Admin.MessageTrace(r.Context(), who.Actor, admin.TraceQuery{What: p.ID})
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	for _, m := range found {
		if len(m.Recipients) == 0 {
			p.Rows = append(p.Rows, admin.MessageRow{RecipientView: admin.RecipientView{State: string(store.StateRefused)}, ID: m.ID, At: m.At, From: m.From})
		}
		for _, x := range m.Recipients {
			p.Rows = append(p.Rows, admin.MessageRow{RecipientView: x, ID: m.ID, At: m.At, From: m.From, Size: m.Size, Expires: x.Expires})
		}
	}
	if len(found) == 1 {
		return redirect(w, "/messages/"+found[0].ID)
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
