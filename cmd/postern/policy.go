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

// explainPolicy judges by the rules of the given file, which need not be in force, and by what the running server, or the
// store, knows of the people and the conversation. Where nothing was stored yet, nobody and no conversation is known.
func explainPolicy(cmd *cobra.Command, load loader, dry admin.DryRun) error {
	cfg, err := load()
	if err != nil {
		return err
	}
	rules, err := policy.Compile(cfg.PolicyConfig())
	if err != nil {
		return setupError{err}
	}
	trial := given{rules: rules}
	err = load.call(cmd.Context(), func(c control.Caller) error { return c.Call(cmd.Context(), "policy.known", dry, &trial.known) })
	if err != nil && !errors.Is(err, errNoStore) {
		return err
	}
	verdicts, err := admin.New(admin.Config{Explain: explainer{trial}, Now: time.Now}).PolicyExplain(cmd.Context(), admin.Socket(), dry)
	if err != nil {
		return err
	}
	printVerdicts(cmd.OutOrStdout(), verdicts)
	return nil
}

func printVerdicts(out io.Writer, verdicts []admin.Verdict) {
	for _, v := range verdicts {
		fmt.Fprintf(out, "%s: %s (rule %s)\n  %s\n", v.To, v.Action, v.Rule, v.Reason)
		if v.Reply != "" {
			fmt.Fprintf(out, "  the sender is told: %s\n", v.Reply)
		}
	}
}

// given is the policy of a configuration file with what is known elsewhere.
type given struct {
	rules *policy.Policy
	known admin.Known
}

// Known implements explains.
func (g given) Known(_ context.Context, env store.Envelope, h mail.Header) (policy.Input, error) {
	k := g.known
	facts := policy.Facts{ThreadSealed: k.Thread, Sender: k.Sender, Rcpts: k.Rcpts}
	return policy.Input{Env: env, Header: h, Facts: facts, Own: k.Own, OwnTLS: k.OwnTLS}, nil
}

// Explain implements explains.
func (g given) Explain(ctx context.Context, env store.Envelope, h mail.Header) ([]policy.Decision, error) {
	in, err := g.Known(ctx, env, h)
	return g.rules.Decide(in), err
}
