package admin

import (
	"context"
	"errors"
	"fmt"

	"postern/store"
)

// DryRun is a message to be judged. Nothing of it is kept.
type DryRun struct {
	From   string   `json:"from"`
	To     []string `json:"to"`
	Header []byte   `json:"header"` // header block of the .eml
}

// PolicyExplain says per recipient what policy would do, and why (P6).
func (s *Service) PolicyExplain(ctx context.Context, a Actor, d DryRun) ([]Verdict, error) {
	if err := a.allow(ExplainPolicy); err != nil {
		return nil, err
	}
	env := store.Envelope{ID: store.NewMessageID(s.Now()), At: s.Now(), Client: store.Client{Class: store.ClientTrusted}}
	if d.From != "" {
		from, err := store.ParseAddress(d.From)
		if err != nil {
			return nil, fmt.Errorf("sender %q: %w", d.From, err)
		}
		env.From = &from
	}
	for _, to := range d.To {
		addr, err := store.ParseAddress(to)
		if err != nil {
			return nil, fmt.Errorf("recipient %q: %w", to, err)
		}
		env.Rcpts = append(env.Rcpts, store.Rcpt{Address: addr})
	}
	if len(env.Rcpts) == 0 {
		return nil, errors.New("the message names no recipient; give one with --to")
	}
	return s.Explain.Explain(ctx, env, d.Header)
}
