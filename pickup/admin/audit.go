package admin

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"postern/store"
)

// AuditQuery selects events of the audit log; zero fields do not select.
type AuditQuery struct {
	Actor string     `json:"actor,omitempty"` // an administrator's address, "socket", "recipient", "sender", "system"
	What  store.What `json:"what,omitempty"`  // an event's name, or a family with its dot: "account."
	User  string     `json:"user,omitempty"`  // address or id of the user or administrator whom it is about
	From  time.Time  `json:"from,omitzero"`
	To    time.Time  `json:"to,omitzero"` // before
	Limit int        `json:"limit,omitempty"`
}

// AuditRow is one event. It holds no content of a message.
type AuditRow struct {
	ID      string            `json:"id"`
	At      time.Time         `json:"at"`
	What    store.What        `json:"what"`
	Actor   string            `json:"actor,omitempty"`
	User    string            `json:"user,omitempty"` // address of whom it is about
	Account string            `json:"account,omitempty"`
	Message string            `json:"message,omitempty"`
	N       uint32            `json:"n,omitempty"`
	Facts   map[string]string `json:"facts,omitempty"`
}

// AuditPage is a page of events, newest first.
type AuditPage struct {
	Rows []AuditRow   `json:"rows"`
	Next store.Cursor `json:"next,omitempty"`
}

// AuditList pages through the audit log, newest first. A page may be short, even empty, while Next says that there is
// more.
func (s *Service) AuditList(ctx context.Context, a Actor, q AuditQuery, c store.Cursor) (AuditPage, error) {
	if err := a.allow("AuditList"); err != nil {
		return AuditPage{}, err
	}
	return s.auditPage(ctx, q, c)
}

func (s *Service) auditPage(ctx context.Context, q AuditQuery, c store.Cursor) (page AuditPage, err error) {
	what, err := readWhat(q.What)
	if err := errors.Join(err, notNegative(q.Limit)); err != nil {
		return page, err
	}
	err = s.Store.View(ctx, func(tx store.Tx) error {
		page = AuditPage{}
		f := store.EventFilter{Actor: strings.TrimSpace(q.Actor), What: what, From: q.From, To: q.To}
		if q.User != "" {
			if f.Account, err = findAnybody(tx, q.User); err != nil {
				return err
			}
		}
		events, next, err := tx.Audit().List(f, c, limit(q.Limit))
		names := map[store.AccountID]string{}
		for _, e := range events {
			page.Rows = append(page.Rows, auditRow(tx, e, names))
		}
		page.Next = next
		return err
	})
	return page, err
}

// EventFamilies are the first words of the names of events.
func EventFamilies() []string {
	return []string{"message", "account", "admin", "queue", "key", "group", "setting", "server"}
}

// readWhat reads which events are wanted: the name of one, or a family, with or without its dot. *InputError.
func readWhat(typed store.What) (store.What, error) {
	family, _, whole := strings.Cut(string(typed), ".")
	if err := oneOf("event", family, EventFamilies()...); err != nil || whole || typed == "" {
		return typed, err
	}
	return typed + ".", nil
}

// findAnybody finds the id of a user or, where there is none, of an administrator.
func findAnybody(tx store.Tx, user string) (store.AccountID, error) {
	acc, err := findUser(tx, user)
	if err == nil {
		return acc.ID, nil
	}
	if addr, parseErr := store.ParseAddress(strings.TrimSpace(user)); parseErr == nil {
		if who, adminErr := tx.Administrators().ByAddress(addr.Key()); adminErr == nil {
			return who.ID, nil
		}
	}
	var id store.AccountID
	if id.UnmarshalText([]byte(strings.ToLower(strings.TrimSpace(user)))) == nil {
		return id, nil
	}
	return id, err
}

func auditRow(tx store.Tx, e store.Event, names map[store.AccountID]string) AuditRow {
	row := AuditRow{ID: e.ID.String(), At: e.At(), What: e.What, Actor: e.Actor, N: e.N, Facts: e.Facts}
	if !e.Message.IsZero() {
		row.Message = e.Message.String()
	}
	if !e.Account.IsZero() {
		row.Account, row.User = e.Account.String(), nameOf(tx, e.Account, names)
	}
	return row
}

// nameOf is the address of an account or administrator; "" when it has none any more.
func nameOf(tx store.Tx, id store.AccountID, names map[store.AccountID]string) string {
	name, known := names[id]
	if known {
		return name
	}
	if acc, err := tx.Accounts().Get(id); err == nil {
		name = acc.Address.String()
	} else if who, err := tx.Administrators().Get(id); err == nil {
		name = who.Address.String()
	}
	names[id] = name
	return name
}

// Format is how a list is written out.
type Format string

// The formats of an export. FormatJSON is one object a line.
const (
	FormatCSV  Format = "csv"
	FormatJSON Format = "json"
)

// AuditExport writes the events that a query selects, newest first, page by page: nothing is held back in memory, and no
// transaction is open while it writes.
func (s *Service) AuditExport(ctx context.Context, a Actor, q AuditQuery, f Format, w io.Writer) error {
	if err := a.allow("AuditExport"); err != nil {
		return err
	}
	q.Limit = pageSize
	return ExportAudit(w, f, func(c store.Cursor) (AuditPage, error) { return s.auditPage(ctx, q, c) })
}

// ExportAudit writes the pages that next answers.
func ExportAudit(w io.Writer, f Format, next func(store.Cursor) (AuditPage, error)) error {
	write, flush, err := auditWriter(w, f)
	if err != nil {
		return err
	}
	for c := store.Cursor(""); ; {
		page, err := next(c)
		if err != nil {
			return err
		}
		for _, row := range page.Rows {
			if err := write(row); err != nil {
				return fmt.Errorf("export: %w", err)
			}
		}
		if err := flush(); err != nil {
			return fmt.Errorf("export: %w", err)
		}
		if c = page.Next; c == "" {
			return nil
		}
	}
}

func auditWriter(w io.Writer, f Format) (write func(AuditRow) error, flush func() error, err error) {
	switch f {
	case FormatJSON:
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		return func(r AuditRow) error { return enc.Encode(r) }, func() error { return nil }, nil
	case FormatCSV:
		out := csv.NewWriter(w)
		out.UseCRLF = true // RFC 4180 §2
		flush := func() error { out.Flush(); return out.Error() }
		return func(r AuditRow) error { return out.Write(csvCells(r)) }, flush,
			out.Write([]string{"time", "event", "actor", "user", "account", "message", "recipient", "facts"})
	}
	return nil, nil, inputf("%q is no format; the formats are csv and json", f)
}

func csvCells(r AuditRow) []string {
	n := ""
	if r.N > 0 {
		n = fmt.Sprint(r.N)
	}
	var facts []string
	for _, k := range slices.Sorted(maps.Keys(r.Facts)) {
		facts = append(facts, k+"="+r.Facts[k])
	}
	cells := []string{r.At.Format(time.RFC3339Nano), string(r.What), r.Actor, r.User, r.Account, r.Message, n, strings.Join(facts, "; ")}
	for i, c := range cells {
		cells[i] = plainCell(c)
	}
	return cells
}

// formula finds what begins like a formula where a spreadsheet may let a cell begin. Some take semicolons and tabs for
// ends of cells, whatever the file says.
var formula = regexp.MustCompile(`((?:^|[;\t\r\n]) *)([=+\-@])`)

// plainCell keeps spreadsheets from taking a text for a formula.
func plainCell(s string) string { return formula.ReplaceAllString(s, "$1'$2") }
