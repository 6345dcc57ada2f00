package intake

import (
	"context"

	"postern/smtpd/policy"
	"postern/store"
	"postern/store/mail"
)

// Explain says what would become of a message, recipient by recipient, and why (P6). Nothing is kept or sent.
func (in *Intake) Explain(ctx context.Context, env store.Envelope, h mail.Header) ([]policy.Decision, error) {
	j := &job{in: in, env: env, header: h, own: in.origin(env, h)}
	if err := j.decide(ctx); err != nil {
		return nil, err
	}
	return j.decisions, nil
}

// Known gathers what a decision about a message depends on beside the rules, so that other rules can be tried.
func (in *Intake) Known(ctx context.Context, env store.Envelope, h mail.Header) (policy.Input, error) {
	j := &job{in: in, env: env, header: h, own: in.origin(env, h)}
	f, err := j.gather(ctx)
	return j.input(f), err
}
