package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"postern/cmd/internal/control"
	"postern/pickup/admin"
	"postern/smtpd/policy"
	"postern/store"
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
	dry, err := admin.ReadDryRun(in)
	if err != nil {
		return dry, fmt.Errorf("read %s: %w", name, err)
	}
	return dry, nil
}

func explainPolicy(cmd *cobra.Command, load loader, dry admin.DryRun) error {
	explain := func(c control.Caller) error {
		var verdicts []admin.Verdict
		if err := c.Call(cmd.Context(), "policy.explain", dry, &verdicts); err != nil {
			return err
		}
		printVerdicts(cmd.OutOrStdout(), verdicts)
		return nil
	}
	err := load.call(cmd.Context(), explain)
	if !errors.Is(err, errNoStore) {
		return err
	}
	caller, err := load.withoutStore()
	if err != nil {
		return err
	}
	return explain(caller)
}

func printVerdicts(out io.Writer, verdicts []admin.Verdict) {
	for _, v := range verdicts {
		fmt.Fprintf(out, "%s: %s (rule %s)\n  %s\n", v.To, v.Action, v.Rule, v.Reason)
		if v.Reply != "" {
			fmt.Fprintf(out, "  the sender is told: %s\n", v.Reply)
		}
	}
}

// withoutStore judges where nothing was stored yet: by the rules alone, knowing nobody and no conversation.
func (load loader) withoutStore() (control.Caller, error) {
	cfg, err := load()
	if err != nil {
		return nil, err
	}
	rules, err := policy.Compile(cfg.PolicyConfig())
	if err != nil {
		return nil, setupError{err}
	}
	s := admin.New(admin.Config{Explain: explainer{rulesAlone{rules}}, Now: time.Now})
	const method = "policy.explain"
	return control.Methods{method: methods(s)[method]}, nil
}

// rulesAlone is policy without a store behind it.
type rulesAlone struct{ *policy.Policy }

// Explain implements explains.
func (r rulesAlone) Explain(_ context.Context, env store.Envelope, h mail.Header) ([]policy.Decision, error) {
	return r.Decide(policy.Input{Env: env, Header: h, Facts: policy.Facts{Rcpts: make([]store.Status, len(env.Rcpts))}}), nil
}
