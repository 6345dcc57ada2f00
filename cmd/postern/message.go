package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"postern/cmd/internal/control"
	"postern/pickup/admin"
)

func messageCommand(c console) *cobra.Command {
	cmd := &cobra.Command{Use: "message", Short: "Follow or take back a message; its content is never shown"}
	load := loader(configFlag(cmd, c))
	trace := &cobra.Command{
		Use: "trace ID|REF|MESSAGE-ID|ADDRESS", Short: "Print the path of a message in order; REF is what a refusal quotes, and of a recent ID the end is enough", Args: cobra.ExactArgs(1),
	}
	since := trace.Flags().String("since", "", sinceHelp)
	trace.RunE = func(cmd *cobra.Command, args []string) error { return messageTrace(cmd, load, args[0], *since) }
	show := cobra.Command{
		Use: "show ID", Short: "Print a message's recipients, states and history; of a recent one the end of the id is enough", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return messageTrace(cmd, load, args[0], "") },
	}
	cmd.AddCommand(messageListCommand(load), trace, &show, renotifyCommand(load), extendCommand(load), recallCommand(load))
	return cmd
}

func messageListCommand(load loader) *cobra.Command {
	list := &cobra.Command{Use: "list", Short: "List messages by their metadata, newest first", Args: cobra.NoArgs}
	var q admin.MessageQuery
	list.Flags().StringVar(&q.From, "from", "", "address of the sender")
	list.Flags().StringVar(&q.To, "to", "", "address of the recipient")
	list.Flags().StringVar((*string)(&q.State), "state", "", "queued, delivered, notified, opened, failed, bounced, declined, recalled, expired or refused")
	list.Flags().StringVar((*string)(&q.Action), "action", "", "seal or reject")
	list.Flags().StringVar(&q.Rule, "rule", "", "name of the rule that decided")
	since := list.Flags().String("since", "", sinceHelp)
	most := list.Flags().Int("limit", 100, "how many at most")
	list.RunE = func(cmd *cobra.Command, _ []string) (err error) {
		if q.After, err = moment(*since, time.Now()); err != nil {
			return usage(cmd, fmt.Errorf("--since: %w", err))
		}
		if *most < 1 {
			return usage(cmd, errLimit)
		}
		return load.call(cmd.Context(), func(c control.Caller) error { return messageList(cmd, c, q, *most) })
	}
	return list
}

// errLimit: a list of no lines was asked for.
var errLimit = errors.New("--limit: must be 1 or more")

func messageList(cmd *cobra.Command, c control.Caller, q admin.MessageQuery, most int) error {
	w := table(cmd.OutOrStdout())
	fmt.Fprintln(w, "ACCEPTED\tITEM\tFROM\tTO\tSIZE\tACTION\tRULE\tSTATE")
	req := messageListRequest{Query: q}
	for shown := 0; shown < most; {
		var page admin.MessagePage
		req.Query.Limit = most - shown
		if err := c.Call(cmd.Context(), "message.list", req, &page); err != nil {
			return err
		}
		for _, m := range page.Rows {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\n", when(m.At), m.Item, m.From, m.To, m.Size, m.Action, m.Rule, m.State)
		}
		shown += len(page.Rows)
		if req.Cursor = page.Next; req.Cursor == "" {
			break
		}
	}
	return w.Flush()
}

func renotifyCommand(load loader) *cobra.Command {
	return &cobra.Command{
		Use: "renotify ITEM", Short: "Mail a recipient once more about a sealed message; no new link is made", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return load.call(cmd.Context(), func(c control.Caller) error {
				var said string
				if err := c.Call(cmd.Context(), "message.renotify", shareRequest{Item: args[0]}, &said); err != nil {
					return err
				}
				_, err := fmt.Fprintln(cmd.OutOrStdout(), said)
				return err
			})
		},
	}
}

func extendCommand(load loader) *cobra.Command {
	extend := &cobra.Command{
		Use: "extend ID|ITEM|MESSAGE-ID", Short: "Give all recipients, or one, more time to pick a message up", Args: cobra.ExactArgs(1),
	}
	until := extend.Flags().String("until", "", "last day: 2026-06-09, or a time: 2026-06-09T14:00:00Z")
	extend.RunE = func(cmd *cobra.Command, args []string) error {
		t, err := lastMoment(*until)
		if err != nil {
			return usage(cmd, fmt.Errorf("--until: %w", err))
		}
		return load.call(cmd.Context(), func(c control.Caller) error {
			var n int
			if err := c.Call(cmd.Context(), "message.extend", shareRequest{Item: args[0], Until: t}, &n); err != nil {
				return err
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s is open until %s, for %d recipient(s).\n", args[0], when(t), n)
			return err
		})
	}
	return extend
}

// lastMoment reads the end of a share; of a day it is the end.
func lastMoment(text string) (time.Time, error) {
	if day, err := time.ParseInLocation(time.DateOnly, text, time.Local); err == nil {
		return day.AddDate(0, 0, 1).Add(-time.Second), nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, fmt.Errorf("%q is no day: write 2026-06-09 or 2026-06-09T14:00:00Z", text)
	}
	return t, nil
}

func recallCommand(load loader) *cobra.Command {
	recall := &cobra.Command{
		Use: "recall ID|ITEM|MESSAGE-ID", Short: "Destroy the keys of a sealed message, for all recipients or for one", Args: cobra.ExactArgs(1),
	}
	yes := recall.Flags().Bool("yes", false, "really do it")
	recall.RunE = func(cmd *cobra.Command, args []string) error {
		if !*yes {
			return usage(cmd, fmt.Errorf("recalling %s destroys keys and cannot be undone: add --yes to do it", args[0]))
		}
		return load.call(cmd.Context(), func(c control.Caller) error {
			var n int
			if err := c.Call(cmd.Context(), "message.recall", traceRequest{Query: args[0]}, &n); err != nil {
				return err
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "The message was taken back from %d recipient(s).\n", n)
			return err
		})
	}
	return recall
}

func messageTrace(cmd *cobra.Command, load loader, query, since string) error {
	from, err := moment(since, time.Now())
	if err != nil {
		return usage(cmd, fmt.Errorf("--since: %w", err))
	}
	return load.call(cmd.Context(), func(c control.Caller) error {
		var found []admin.MessageView
		if err := c.Call(cmd.Context(), "message.trace", traceRequest{Query: query, Since: from}, &found); err != nil {
			return err
		}
		for i, m := range found {
			if i > 0 {
				fmt.Fprintln(cmd.OutOrStdout())
			}
			if err := printMessage(cmd.OutOrStdout(), m); err != nil {
				return err
			}
		}
		return nil
	})
}

func printMessage(out io.Writer, m admin.MessageView) error {
	w := table(out)
	became := "Accepted"
	if m.Refused {
		became = "Refused"
	}
	fmt.Fprintf(w, "Message\t%s\n%s\t%s from %s\nSender\t%s\n", m.ID, became, when(m.At), m.Client, m.From)
	if m.Author != "" {
		fmt.Fprintf(w, "Author\t%s\n", m.Author)
	}
	if m.ReplyTo != "" {
		fmt.Fprintf(w, "Answers\t%s\n", m.ReplyTo)
	}
	if !m.Refused {
		fmt.Fprintf(w, "Size\t%d octets\n", m.Size)
	}
	if !m.Expires.IsZero() {
		fmt.Fprintf(w, "Open until\t%s\n", when(m.Expires))
	}
	if len(m.Recipients) == 0 {
		fmt.Fprintln(w, "Recipients\tno longer kept one by one; the history has their number")
	}
	for _, r := range m.Recipients {
		fmt.Fprintf(w, "\nRecipient\t%s (%s)\n  decision\t%s, rule %s: %s\n  state\t%s since %s\n", r.To, r.Item, r.Action, r.Rule, r.Reason, r.State, when(r.Since))
		if r.Ended != "" {
			fmt.Fprintf(w, "  ended\t%s\n", r.Ended)
		}
		if r.Fetched > 0 {
			fmt.Fprintf(w, "  link fetched\t%d times without a sign-in: each look at its pages counts, the recipient's own and those of programs that test links\n", r.Fetched)
		}
		if r.Detail != "" {
			fmt.Fprintf(w, "  detail\t%s\n", r.Detail)
		}
	}
	return printHistory(w, m)
}

func printHistory(w *tabwriter.Writer, m admin.MessageView) error {
	fmt.Fprintln(w, "\nHistory")
	for _, e := range m.Events {
		fmt.Fprintf(w, "  %s\t%s\t%s\n", when(e.At), e.What, eventText(e))
	}
	return w.Flush()
}

func eventText(e admin.EventView) string {
	var parts []string
	if e.N > 0 {
		parts = append(parts, fmt.Sprintf("recipient %d", e.N))
	}
	if e.Actor != "" {
		parts = append(parts, "by "+e.Actor)
	}
	for _, k := range slices.Sorted(maps.Keys(e.Facts)) {
		if e.Facts[k] != "" {
			parts = append(parts, k+"="+e.Facts[k])
		}
	}
	return strings.Join(parts, ", ")
}
