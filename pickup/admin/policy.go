package admin

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"

	"postern/store"
	"postern/store/mail"
)

// DryRun is a message to be judged. Nothing of it is kept.
type DryRun struct {
	From   string   `json:"from"`
	To     []string `json:"to"`
	Header []byte   `json:"header"` // header block of the .eml
}

// maxHeader is how many octets of header a dry run reads, as the gateway does (MAIL 3).
const maxHeader = 1 << 20

// ErrHeader: the header of a message is longer than the gateway takes.
var ErrHeader = errors.New("the header is longer than 1 MiB")

// ReadDryRun reads the header of a message, and takes sender and recipients from its fields. What stands behind the
// header is not read. ErrHeader; errors of r as they are.
func ReadDryRun(r io.Reader) (DryRun, error) {
	h, raw, err := mail.ReadHeader(bufio.NewReader(r), maxHeader)
	if errors.Is(err, mail.ErrHeaderTooLarge) {
		return DryRun{}, ErrHeader
	}
	if err != nil {
		return DryRun{}, err
	}
	d := DryRun{Header: raw}
	if author, err := h.Author(); err == nil {
		d.From = author.Address.String()
	}
	for _, field := range []string{"To", "Cc", "Bcc"} {
		boxes, _ := h.Addresses(field) // who does not parse can be named beside the file
		for _, m := range boxes {
			d.To = append(d.To, m.Address.String())
		}
	}
	return d, nil
}

// PolicyExplain says per recipient what policy would do, and why (P6).
func (s *Service) PolicyExplain(ctx context.Context, a Actor, d DryRun) ([]Verdict, error) {
	if err := a.allow("PolicyExplain"); err != nil {
		return nil, err
	}
	env, err := s.dryEnvelope(d)
	if err != nil {
		return nil, err
	}
	return s.Explain.Explain(ctx, env, d.Header)
}

// PolicyKnownShow gathers what a decision depends on beside the rules, so that rules which are not in force can be tried.
func (s *Service) PolicyKnownShow(ctx context.Context, a Actor, d DryRun) (Known, error) {
	if err := a.allow("PolicyKnownShow"); err != nil {
		return Known{}, err
	}
	env, err := s.dryEnvelope(d)
	if err != nil {
		return Known{}, err
	}
	return s.Explain.Known(ctx, env, d.Header)
}

func (s *Service) dryEnvelope(d DryRun) (store.Envelope, error) {
	env := store.Envelope{ID: store.NewMessageID(s.Now()), At: s.Now(), Client: store.Client{Class: store.ClientTrusted}}
	if d.From != "" {
		from, err := readAddress(d.From)
		if err != nil {
			return env, fmt.Errorf("sender: %w", err)
		}
		env.From = &from
	}
	for _, to := range d.To {
		addr, err := readAddress(to)
		if err != nil {
			return env, fmt.Errorf("recipient: %w", err)
		}
		env.Rcpts = append(env.Rcpts, store.Rcpt{Address: addr})
	}
	if len(env.Rcpts) == 0 {
		return env, errors.New("the message names no recipient; give one with --to")
	}
	return env, nil
}

// SettingsShow is the configuration in force as YAML. There is no secret in it.
func (s *Service) SettingsShow(_ context.Context, a Actor) (string, error) {
	if err := a.allow("SettingsShow"); err != nil {
		return "", err
	}
	return s.Settings, nil
}
