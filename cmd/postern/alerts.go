package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"postern/cmd/internal/control"
	"postern/pickup/admin"
)

func alertsCommand(c console) *cobra.Command {
	cmd := &cobra.Command{
		Use: "alerts", Short: "Say what needs a hand: disk, store, certificates, old deliveries, changed keys", Args: cobra.NoArgs,
	}
	load := loader(configFlag(cmd, c))
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return load.call(cmd.Context(), func(c control.Caller) error { return alerts(cmd, c) })
	}
	return cmd
}

func alerts(cmd *cobra.Command, c control.Caller) error {
	var list []admin.Alert
	if err := c.Call(cmd.Context(), "alert.list", struct{}{}, &list); err != nil {
		return err
	}
	if len(list) == 0 {
		_, err := fmt.Fprintln(cmd.OutOrStdout(), "Nothing needs a hand.")
		return err
	}
	w := table(cmd.OutOrStdout())
	for _, a := range list {
		how := "soon"
		if a.Urgent {
			how = "PROBLEM"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", how, a.Kind, alertText(a))
	}
	return w.Flush()
}

// alertText says in a sentence what is wrong and what to do.
func alertText(a admin.Alert) string {
	switch a.Kind {
	case admin.AlertDisk:
		if a.Urgent {
			return "The disk is too full to take new mail: make room on the disk of the data folder."
		}
		return fmt.Sprintf("The disk is nearly full: %d MiB are left before new mail is refused.", a.N>>20)
	case admin.AlertStore:
		return "Nothing can be stored: senders are asked to come back later, and the log says why."
	case admin.AlertCertificate:
		if a.Urgent {
			return fmt.Sprintf("The certificate of the listener %s ended on %s.", a.Subject, when(a.At))
		}
		return fmt.Sprintf("The certificate of the listener %s ends on %s.", a.Subject, when(a.At))
	case admin.AlertQueue:
		return fmt.Sprintf("A delivery has been waiting since %s, and %d wait in all: postern queue list says why.", when(a.At), a.N)
	case admin.AlertMuted:
		if a.Subject == "" {
			return fmt.Sprintf("The stored keys of at least %d more user(s) are not their own: postern audit list --event account.muted names them.", a.N)
		}
		return fmt.Sprintf("The stored key of %s is not its own, found on %s: somebody may have changed the store. New mail waits for its link.", a.Subject, when(a.At))
	case admin.AlertDeclined:
		return fmt.Sprintf("In the last week %d message(s) were not meant for their readers: postern message list --state declined names them.", a.N)
	}
	return a.Subject
}
