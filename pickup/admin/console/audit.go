package console

import (
	"errors"
	"net/http"
	"net/url"
	"time"

	"postern/pickup/admin"
	"postern/pickup/web"
	"postern/store"
)

// auditPage is audit.html.
type auditPage struct {
	page
	From, To, What, Actor, User string // as typed
	Problems                    []problem
	Rows                        []admin.AuditRow
	Next                        string
	CSV, JSON                   string // addresses of the exports
}

// Problem is the first mistake at a field; nil: none.
func (p auditPage) Problem(field string) *problem { return at(p.Problems, field) }

// Families are what the filter offers.
func (auditPage) Families() (list []string) {
	for _, family := range admin.EventFamilies() {
		list = append(list, family+".")
	}
	return list
}

// auditQuery reads the filters; what is wrong with them is in Problems.
func (c *Console) auditQuery(r *http.Request, who admin.Signed) (auditPage, admin.AuditQuery) {
	v := r.URL.Query()
	get := func(name string) string { return trimmed(v.Get(name), store.MaxAddress) }
	p := auditPage{page: c.page(r, who, "audit"), From: get("from"), To: get("to"), What: get("what"), Actor: get("actor"), User: get("user")}
	q := admin.AuditQuery{Actor: p.Actor, What: store.What(p.What), User: p.User, Limit: listSize}
	q.From = c.day(p.From, "from", &p.Problems)
	if q.To = c.day(p.To, "to", &p.Problems); !q.To.IsZero() {
		q.To = q.To.AddDate(0, 0, 1) // the day itself is meant as well
	}
	p.Wrong = len(p.Problems) > 0
	return p, q
}

func (c *Console) audit(w http.ResponseWriter, r *http.Request, who admin.Signed) error {
	p, q := c.auditQuery(r, who)
	if p.Wrong {
		return c.show(w, r, http.StatusUnprocessableEntity, "audit", p)
	}
	list, err := c.Admin.AuditList(r.Context(), who.Actor, q, cursorOf(r))
	if err := cursorError(err); errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrAddress) {
		p.Wrong, p.Problems = true, []problem{{Field: "user", Kind: "unknown", What: p.User}}
		return c.show(w, r, http.StatusUnprocessableEntity, "audit", p)
	} else if err != nil {
		return err
	}
	p.Rows = list.Rows
	kept := url.Values{}
	keep(kept, "from", p.From, "to", p.To, "what", p.What, "actor", p.Actor, "user", p.User)
	p.CSV, p.JSON = withQuery("/audit/export", kept, "format", "csv"), withQuery("/audit/export", kept, "format", "json")
	p.Next = nextPage("/audit", list.Next, kept)
	return c.show(w, r, http.StatusOK, "audit", p)
}

// exportAudit writes the selected events as a file, page by page.
func (c *Console) exportAudit(w http.ResponseWriter, r *http.Request, who admin.Signed) error {
	p, q := c.auditQuery(r, who)
	format := admin.Format(r.URL.Query().Get("format"))
	kinds := map[admin.Format]string{admin.FormatCSV: "text/csv; charset=utf-8; header=present", admin.FormatJSON: "application/jsonl"}
	if p.Wrong || kinds[format] == "" {
		return errInvalid
	}
	out := &file{ResponseWriter: web.Slide(w, r), kind: kinds[format], name: "audit-" + c.Now().In(c.Zone).Format(time.DateOnly) + "." + string(format)}
	err := c.Admin.AuditExport(r.Context(), who.Actor, q, format, out)
	switch {
	case err == nil:
		out.begin()
		return nil
	case !out.begun && (errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrAddress)):
		return errMissing
	case !out.begun:
		return err
	}
	c.Log.ErrorContext(r.Context(), "export cut off", "event", "http", "listener", "console", "ref", web.Reference(r.Context()), "error", err)
	panic(http.ErrAbortHandler) // half a file must not look like a whole one
}

// file is an answer that is saved. Its headers go out with the first octet, so that trouble before it still gets a page.
type file struct {
	http.ResponseWriter
	kind, name string
	begun      bool
}

func (f *file) begin() {
	if !f.begun {
		f.begun = true
		h := f.Header()
		h.Set("Content-Type", f.kind)
		h.Set("Content-Disposition", `attachment; filename="`+f.name+`"`)
		web.FilePolicy().Set(h)
		f.WriteHeader(http.StatusOK)
	}
}

func (f *file) Write(b []byte) (int, error) {
	f.begin()
	return f.ResponseWriter.Write(b)
}
