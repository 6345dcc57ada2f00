// Package policy decides what happens to a message, recipient by recipient: relay, seal or reject (MAIL §3). It is
// pure: it reads no store, no clock and no network, so that the same input always gets the same answer and a dry run
// (postern policy explain) tells the truth.
//
// Flow: Compile checks a Config once and reports every problem in it. For each message intake gathers the facts that
// only the store knows, and Decide answers one Decision per envelope recipient, by the first that applies: mail of our
// own, internal recipient, configured rules in their order, built-in triggers (tag, header field, thread), relay.
//
// Duty: a flagged message that cannot be sealed is refused, never relayed in clear to the outside, and what looks like
// a flag counts as one. Every decision carries the name of its rule and a sentence for people, which quotes nothing of
// the message.
package policy

import (
	"errors"
	"fmt"
	"time"

	"postern/store"
	"postern/store/mail"
)

// Config is the section `policy` of the configuration (MAIL 3.8), with what it needs of others.
type Config struct {
	Tags           []string    `mapstructure:"tags"`            // words that count in brackets in a subject
	TriggerHeaders []NameValue `mapstructure:"trigger_headers"` // fields that flag a message
	NearMiss       NearMiss    `mapstructure:"near_miss"`       // whether a mistyped tag counts
	Senders        string      `mapstructure:"senders"`         // "everyone" (also "") or "invited"
	Rules          []Rule      `mapstructure:"rules"`           // the first that matches decides

	// Internal reports whether a domain, given as store.DomainKey, belongs to the organisation. Required.
	Internal func(domain string) bool `mapstructure:"-"`
	// Support says in refusals whom to turn to: a desk, a number, an address.
	Support string `mapstructure:"-"`
}

// NearMiss is written `seal` or `off`.
type NearMiss bool

// UnmarshalText reads the configured form.
func (n *NearMiss) UnmarshalText(text []byte) error {
	switch string(text) {
	case "seal", "true":
		*n = true
	case "off", "false":
		*n = false
	default:
		return fmt.Errorf("%q: must be seal or off", text)
	}
	return nil
}

// Who may have mail sealed (B2).
const (
	sendersEveryone = "everyone"
	sendersInvited  = "invited"
)

// Options are what a sender or a rule asks for beside sealing (MAIL 3.4). Of several the strictest holds.
type Options struct {
	Expire  time.Duration `mapstructure:"expire"`  // time until the message expires; 0: as configured for all
	NoReply bool          `mapstructure:"noreply"` // recipients cannot reply on the site
}

// with joins two sets of options to the stricter one.
func (o Options) with(other Options) Options {
	if o.Expire == 0 || other.Expire != 0 && other.Expire < o.Expire {
		o.Expire = other.Expire
	}
	o.NoReply = o.NoReply || other.NoReply
	return o
}

// Input is all that a decision depends on.
type Input struct {
	Env    store.Envelope
	Header mail.Header
	Facts  Facts
	Own    bool // it carries a valid X-Postern-Origin (MAIL 6.2)
	OwnTLS bool // which says that it holds something of a sealed message (MAIL 6.6)
}

// Facts is what the store knows about a message.
type Facts struct {
	ThreadSealed bool           // it answers a sealed conversation (MAIL 3.6)
	Sender       store.Status   // of the author's address
	Rcpts        []store.Status // of the recipients, in the order of the envelope; missing ones have no account
}

// Decision is the answer for one recipient.
type Decision struct {
	Action  store.Action
	Rule    string            // a configured name, or one of the built-in ones
	Reason  string            // one sentence for people; nothing of the message is in it
	Refusal *store.ReplyError // for ActionReject
	Options Options           // for ActionSeal
	NeedTLS bool              // for ActionRelay: over TLS or to a local address only (MAIL 3.2)
	Secret  bool              // the message is flagged, or to be sealed for somebody: reports tell little of it (MAIL 6.6)
}

// Names of the built-in rules.
const (
	RuleOwn      = "own"
	RuleInternal = "internal"
	RuleTag      = "tag"
	RuleHeader   = "header"
	RuleThread   = "thread"
	RuleReply    = "reply"
	RuleDefault  = "default"
	// RulePostmaster is for what a stranger sends: it reaches the postmaster only (MAIL 6.4) and never causes a
	// notification under the name of its author, who is anybody.
	RulePostmaster = "postmaster"
)

// Policy is a compiled Config. It may be used by many goroutines.
type Policy struct {
	tags     []string
	near     bool
	headers  []headerMatch
	invited  bool
	rules    []rule
	internal func(string) bool
	support  string
}

// Compile checks a Config. The error joins all problems; each names its key.
func Compile(c Config) (*Policy, error) {
	p := &Policy{tags: c.Tags, near: bool(c.NearMiss), internal: c.Internal, support: supportText(c.Support)}
	var problems []error
	add := func(err error) {
		if err != nil {
			problems = append(problems, err)
		}
	}
	if c.Internal == nil {
		add(errors.New("policy: the organisation's domains are not known"))
	}
	add(checkTags(c.Tags))
	for i, h := range c.TriggerHeaders {
		compiled, err := compileHeader(h)
		add(wrap(fmt.Sprintf("policy.trigger_headers[%d]", i), err))
		p.headers = append(p.headers, compiled)
	}
	switch c.Senders {
	case "", sendersEveryone:
	case sendersInvited:
		p.invited = true
	default:
		add(fmt.Errorf("policy.senders: %q: must be everyone or invited", c.Senders))
	}
	names := map[string]bool{RuleOwn: true, RuleInternal: true, RuleTag: true, RuleHeader: true, RuleThread: true, RuleReply: true, RuleDefault: true, RulePostmaster: true}
	for i, r := range c.Rules {
		compiled, err := compileRule(r, names)
		add(wrap(fmt.Sprintf("policy.rules[%d] %q", i, r.Name), err))
		p.rules = append(p.rules, compiled)
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return p, nil
}

// wrap puts the same words before each of several joined problems.
func wrap(key string, err error) error {
	if err == nil {
		return nil
	}
	if list, ok := err.(interface{ Unwrap() []error }); ok {
		var wrapped []error
		for _, e := range list.Unwrap() {
			wrapped = append(wrapped, wrap(key, e))
		}
		return errors.Join(wrapped...)
	}
	return fmt.Errorf("%s: %w", key, err)
}
