package console

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"postern/pickup/admin"
	"postern/pickup/web"
	"postern/store"
)

// queuePage is queue.html: what waits, by destination.
type queuePage struct {
	page
	Domain string // only this one; empty: all
	All    int64
	Places []place
	Next   string
}

// place is a destination with what waits for it on this page.
type place struct {
	Domain string
	Rows   []queueRow
}

// queueRow is one waiting delivery.
type queueRow struct {
	admin.QueueRow
	Waiting span
	Next    span // until the next attempt
}

// Message is the message whose page tells more; mails of Postern's own are none.
func (q queueRow) Message() string {
	if q.Kind != string(store.KindRelay) {
		return ""
	}
	id, _, _ := strings.Cut(q.Item, ".")
	return id
}

// span is a length of time for people: two units at most.
type span struct{ Days, Hours, Minutes int }

func spanOf(d time.Duration) span {
	const day = 24 * time.Hour
	d = max(d, 0).Round(time.Minute)
	s := span{Days: int(d / day), Hours: int(d % day / time.Hour), Minutes: int(d % time.Hour / time.Minute)}
	if s.Days > 0 {
		s.Minutes = 0
	}
	return s
}

func (c *Console) queueRow(q admin.QueueRow) queueRow {
	return queueRow{QueueRow: q, Waiting: spanOf(c.Now().Sub(q.Arrived)), Next: spanOf(q.Due.Sub(c.Now()))}
}

func (c *Console) queue(w http.ResponseWriter, r *http.Request, who admin.Signed) error {
	q := r.URL.Query()
	domain := trimmed(q.Get("domain"), store.MaxAddress)
	list, err := c.Admin.QueueList(r.Context(), who.Actor, store.DomainKey(domain), store.Cursor(q.Get("after")))
	if err != nil {
		return cursorError(err)
	}
	p := queuePage{page: c.page(r, who, "queue"), Domain: domain, All: list.All}
	for _, row := range list.Rows {
		if n := len(p.Places); n == 0 || p.Places[n-1].Domain != row.Domain {
			p.Places = append(p.Places, place{Domain: row.Domain})
		}
		last := &p.Places[len(p.Places)-1]
		last.Rows = append(last.Rows, c.queueRow(row))
	}
	kept := url.Values{}
	keep(kept, "domain", domain)
	p.Next = nextPage("/queue", list.Next, kept)
	return c.show(w, r, http.StatusOK, "queue", p)
}

// itemPage is queue-item.html and drop.html: one waiting delivery.
type itemPage struct {
	page
	Item   queueRow
	Reason string // of a drop, as it was typed
	Long   bool   // and is too long
}

// item reads the id in a path; what is none is no page.
func item(r *http.Request) (store.RcptKey, error) {
	key, err := store.ParseRcptKey(r.PathValue("item"))
	if err != nil {
		return key, errMissing
	}
	return key, nil
}

func (c *Console) showItem(r *http.Request, who admin.Signed) (itemPage, error) {
	key, err := item(r)
	if err != nil {
		return itemPage{}, err
	}
	row, err := c.Admin.QueueShow(r.Context(), who.Actor, key)
	return itemPage{page: c.page(r, who, "queue"), Item: c.queueRow(row)}, err
}

func (c *Console) queueItem(w http.ResponseWriter, r *http.Request, who admin.Signed) error {
	p, err := c.showItem(r, who)
	if err != nil {
		return err
	}
	return c.show(w, r, http.StatusOK, "queue-item", p)
}

func (c *Console) retry(w http.ResponseWriter, r *http.Request, who admin.Signed) error {
	key, err := item(r)
	if err != nil {
		return err
	}
	if err := c.Admin.QueueRetry(r.Context(), who.Actor, key); err != nil {
		return err
	}
	return done(w, "/queue", "retried")
}

func (c *Console) dropPage(w http.ResponseWriter, r *http.Request, who admin.Signed) error {
	p, err := c.showItem(r, who)
	if err != nil {
		return err
	}
	return c.show(w, r, http.StatusOK, "drop", p)
}

func (c *Console) drop(w http.ResponseWriter, r *http.Request, who admin.Signed) error {
	f, err := web.Form(r, "reason")
	if err != nil {
		return err
	}
	key, err := item(r)
	if err != nil {
		return err
	}
	reason := trimmed(f["reason"], maxReason+1)
	if len([]rune(reason)) > maxReason {
		p, err := c.showItem(r, who)
		if err != nil {
			return err
		}
		p.Wrong, p.Long, p.Reason = true, true, reason
		return c.show(w, r, http.StatusUnprocessableEntity, "drop", p)
	}
	if err := c.Admin.QueueDrop(r.Context(), who.Actor, key, reason); err != nil {
		return err
	}
	return done(w, "/queue", "dropped")
}
