package main

import (
	"bufio"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"postern/cmd/internal/control"
	"postern/pickup/admin"
	"postern/store/mail"
)

func policyCommand(c console) *cobra.Command {
	cmd := &cobra.Command{Use: "policy", Short: "Ask what would become of a message"}
	load := loader(configFlag(cmd, c))
	explain := &cobra.Command{
		Use: "explain FILE.eml", Short: "Per recipient: would it be sealed, and why (- reads standard input)", Args: cobra.ExactArgs(1),
	}
	from := explain.Flags().String("from", "", "envelope sender (default: the From field)")
	to := explain.Flags().StringSlice("to", nil, "envelope recipient, may be repeated (default: To, Cc and Bcc)")
	explain.RunE = func(cmd *cobra.Command, args []string) error {
		dry, err := dryRun(cmd.InOrStdin(), args[0])
		if err != nil {
			return err
		}
		if *from != "" {
			dry.From = *from
		}
		if len(*to) > 0 {
			dry.To = *to
		}
		return explainPolicy(cmd, load, dry)
	}
	cmd.AddCommand(explain)
	return cmd
}

func dryRun(stdin io.Reader, name string) (admin.DryRun, error) {
	in := stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return admin.DryRun{}, err
		}
		defer f.Close()
		in = f
	}
	const maxHeader = 1 << 20
	h, raw, err := mail.ReadHeader(bufio.NewReader(in), maxHeader)
	if err != nil {
		return admin.DryRun{}, fmt.Errorf("read %s: %w", name, err)
	}
	dry := admin.DryRun{Header: raw}
	if author, err := h.Author(); err == nil {
		dry.From = author.Address.String()
	}
	for _, field := range []string{"To", "Cc", "Bcc"} {
		boxes, _ := h.Addresses(field) // what does not parse can be named with --to
		for _, m := range boxes {
			dry.To = append(dry.To, m.Address.String())
		}
	}
	return dry, nil
}

func explainPolicy(cmd *cobra.Command, load loader, dry admin.DryRun) error {
	return load.call(cmd.Context(), func(c control.Caller) error {
		var verdicts []admin.Verdict
		if err := c.Call(cmd.Context(), "policy.explain", dry, &verdicts); err != nil {
			return err
		}
		for _, v := range verdicts {
			fmt.Fprintf(cmd.OutOrStdout(), "%s: %s (rule %s)\n  %s\n", v.To, v.Action, v.Rule, v.Reason)
			if v.Reply != "" {
				fmt.Fprintf(cmd.OutOrStdout(), "  the sender is told: %s\n", v.Reply)
			}
		}
		return nil
	})
}
