package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"postern/cmd/internal/control"
	"postern/pickup/admin"
	"postern/store"
)

func auditCommand(c console) *cobra.Command {
	cmd := &cobra.Command{Use: "audit", Short: "Read the audit log: who did what, and when; it never holds content"}
	load := loader(configFlag(cmd, c))
	cmd.AddCommand(auditListCommand(load), auditExportCommand(load))
	return cmd
}

// auditFlags adds the filters to a command; the function reads them once the flags are parsed.
func auditFlags(cmd *cobra.Command) func() (admin.AuditQuery, error) {
	var q admin.AuditQuery
	cmd.Flags().StringVar(&q.Actor, "actor", "", "who did it: an administrator's address, socket, recipient, sender or system")
	cmd.Flags().StringVar((*string)(&q.What), "event", "", "what was done: an event such as message.recalled, or a family such as \"account.\"")
	cmd.Flags().StringVar(&q.User, "user", "", "address of whom it is about")
	since := cmd.Flags().String("since", "", sinceHelp)
	until := cmd.Flags().String("until", "", "before that time, in the same form")
	return func() (admin.AuditQuery, error) {
		var err error
		if q.From, err = moment(*since, time.Now()); err != nil {
			return q, usage(cmd, fmt.Errorf("--since: %w", err))
		}
		if q.To, err = moment(*until, time.Now()); err != nil {
			return q, usage(cmd, fmt.Errorf("--until: %w", err))
		}
		return q, nil
	}
}

func auditListCommand(load loader) *cobra.Command {
	list := &cobra.Command{Use: "list", Short: "List events, newest first", Args: cobra.NoArgs}
	query := auditFlags(list)
	most := list.Flags().Int("limit", 100, "how many at most")
	list.RunE = func(cmd *cobra.Command, _ []string) error {
		q, err := query()
		if err != nil {
			return err
		}
		if *most < 1 {
			return usage(cmd, errLimit)
		}
		return load.call(cmd.Context(), func(c control.Caller) error { return auditList(cmd, c, q, *most) })
	}
	return list
}

func auditList(cmd *cobra.Command, c control.Caller, q admin.AuditQuery, most int) error {
	w := table(cmd.OutOrStdout())
	fmt.Fprintln(w, "TIME\tEVENT\tACTOR\tABOUT\tFACTS")
	req := auditListRequest{Query: q}
	for shown := 0; shown < most; {
		var page admin.AuditPage
		req.Query.Limit = most - shown
		if err := c.Call(cmd.Context(), "audit.list", req, &page); err != nil {
			return err
		}
		for _, e := range page.Rows {
			about := e.User
			if e.Message != "" {
				about = e.Message
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", when(e.At), e.What, e.Actor, about, eventText(admin.EventView{N: e.N, Facts: e.Facts}))
		}
		shown += len(page.Rows)
		if req.Cursor = page.Next; req.Cursor == "" {
			break
		}
	}
	return w.Flush()
}

func auditExportCommand(load loader) *cobra.Command {
	export := &cobra.Command{Use: "export", Short: "Write events to standard output as CSV, or as JSON with one event a line", Args: cobra.NoArgs}
	query := auditFlags(export)
	format := export.Flags().String("format", "csv", "csv or json")
	export.RunE = func(cmd *cobra.Command, _ []string) error {
		q, err := query()
		if err != nil {
			return err
		}
		return load.call(cmd.Context(), func(c control.Caller) error {
			return admin.ExportAudit(cmd.OutOrStdout(), admin.Format(*format), func(at store.Cursor) (page admin.AuditPage, err error) {
				err = c.Call(cmd.Context(), "audit.list", auditListRequest{Query: q, Cursor: at}, &page)
				return page, err
			})
		})
	}
	return export
}

const sinceHelp = "from that time on: a date (2026-06-09), a time (2026-06-09T14:00:00Z), or how long ago (36h, 7d)"

// moment reads a point in time as a person types it; the empty text is no bound.
func moment(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, form := range []string{time.RFC3339, "2006-01-02T15:04", time.DateTime, time.DateOnly} {
		if t, err := time.ParseInLocation(form, text, time.Local); err == nil {
			return t, nil
		}
	}
	var days int
	if n, err := fmt.Sscanf(text, "%dd", &days); n == 1 && err == nil && text == fmt.Sprintf("%dd", days) && days >= 0 {
		return now.AddDate(0, 0, -days), nil
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	return time.Time{}, fmt.Errorf("%q is no time: write 2026-06-09, 2026-06-09T14:00:00Z, 36h or 7d", text)
}
