package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"postern/cmd/internal/config"
	"postern/cmd/internal/control"
	"postern/pickup/admin"
	"postern/store"
)

// timeForm is how commands print moments.
const timeForm = "2006-01-02 15:04:05 MST"

func when(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format(timeForm)
}

// loader reads the configuration of a command.
type loader func() (config.Config, error)

// call opens a caller (the running server, or the store in this process) for one command.
func (load loader) call(ctx context.Context, f func(control.Caller) error) error {
	cfg, err := load()
	if err != nil {
		return err
	}
	caller, done, err := reach(ctx, cfg)
	if err != nil {
		return err
	}
	err = f(caller)
	if closeErr := done(); err == nil {
		err = closeErr
	}
	return err
}

// do sends one request without a result and prints a sentence when it worked.
func (load loader) do(cmd *cobra.Command, method string, in any, sentence string) error {
	return load.call(cmd.Context(), func(c control.Caller) error {
		if err := c.Call(cmd.Context(), method, in, nil); err != nil {
			return err
		}
		fmt.Fprintln(cmd.OutOrStdout(), sentence)
		return nil
	})
}

func table(w io.Writer) *tabwriter.Writer { return tabwriter.NewWriter(w, 0, 0, 2, ' ', 0) }

func queueCommand(c console) *cobra.Command {
	cmd := &cobra.Command{Use: "queue", Short: "See and change what waits to be delivered"}
	load := loader(configFlag(cmd, c))
	list := &cobra.Command{
		Use: "list [DOMAIN]", Short: "List waiting deliveries and why each waits", Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return queueList(cmd, load, args) },
	}
	show := &cobra.Command{
		Use: "show ITEM", Short: "Tell of one waiting delivery", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return queueShow(cmd, load, args[0]) },
	}
	retry := &cobra.Command{
		Use: "retry ITEM", Short: "Try one delivery now", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := itemArg(cmd, args[0])
			if err != nil {
				return err
			}
			return load.do(cmd, "queue.retry", itemRequest{key}, "The item is due now.")
		},
	}
	cmd.AddCommand(list, show, retry, queueDropCommand(load))
	return cmd
}

// itemArg reads an item's id as "queue list" prints it.
func itemArg(cmd *cobra.Command, arg string) (store.RcptKey, error) {
	key, err := store.ParseRcptKey(strings.ToLower(arg))
	if err != nil {
		return key, usage(cmd, fmt.Errorf("%q is not an item's id as \"postern queue list\" prints it", arg))
	}
	return key, nil
}

func queueDropCommand(load loader) *cobra.Command {
	drop := &cobra.Command{Use: "drop ITEM", Short: "Give one delivery up; its sender gets a report", Args: cobra.ExactArgs(1)}
	reason := drop.Flags().String("reason", "an administrator removed it from the queue", "what the report says")
	yes := drop.Flags().Bool("yes", false, "really do it")
	drop.RunE = func(cmd *cobra.Command, args []string) error {
		key, err := itemArg(cmd, args[0])
		if err != nil {
			return err
		}
		if !*yes {
			return usage(cmd, fmt.Errorf("dropping %s cannot be undone, and its sender is told that it failed: add --yes to do it", key))
		}
		return load.do(cmd, "queue.drop", dropRequest{key, *reason}, "The item was given up.")
	}
	return drop
}

func queueList(cmd *cobra.Command, load loader, args []string) error {
	req := queueListRequest{}
	if len(args) > 0 {
		req.Domain = store.DomainKey(args[0])
	}
	return load.call(cmd.Context(), func(c control.Caller) error {
		w := table(cmd.OutOrStdout())
		fmt.Fprintln(w, "ITEM\tKIND\tFROM\tTO\tARRIVED\tNEXT\tTRIES\tWHY")
		for {
			var page admin.QueuePage
			if err := c.Call(cmd.Context(), "queue.list", req, &page); err != nil {
				return err
			}
			for _, r := range page.Rows {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%d\t%s\n", r.Item, r.Kind, r.From, r.To, when(r.Arrived), when(r.Due), r.Attempts, r.Why)
			}
			if req.Cursor = page.Next; req.Cursor == "" {
				w.Flush()
				_, err := fmt.Fprintf(cmd.OutOrStdout(), "%d waiting in all\n", page.All)
				return err
			}
		}
	})
}

func queueShow(cmd *cobra.Command, load loader, item string) error {
	key, err := itemArg(cmd, item)
	if err != nil {
		return err
	}
	return load.call(cmd.Context(), func(c control.Caller) error {
		var r admin.QueueRow
		if err := c.Call(cmd.Context(), "queue.show", itemRequest{key}, &r); err != nil {
			return err
		}
		w := table(cmd.OutOrStdout())
		for _, line := range [][2]string{
			{"Item", r.Item}, {"Kind", r.Kind}, {"From", r.From}, {"To", r.To}, {"Size", fmt.Sprintf("%d octets", r.Size)},
			{"Arrived", when(r.Arrived)}, {"Next attempt", when(r.Due)}, {"Given up", when(r.GiveUp)},
			{"Attempts", fmt.Sprint(r.Attempts)}, {"Why", r.Why},
		} {
			fmt.Fprintf(w, "%s\t%s\n", line[0], line[1])
		}
		return w.Flush()
	})
}
