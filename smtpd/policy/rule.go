package policy

import (
	"errors"
	"fmt"
	"strings"

	"postern/store"
	"postern/store/mail"
)

// Rule is a configured rule (MAIL 3.8). What a rule with `action: seal` catches and what cannot be sealed, because its
// author is not of the organisation or not enabled, is refused, not relayed: limit such a rule by `from` if others send
// through the gateway too.
type Rule struct {
	Name    string  `mapstructure:"name"`
	Match   Match   `mapstructure:"match"`
	Action  string  `mapstructure:"action"` // seal, relay or reject
	Reason  string  `mapstructure:"reason"` // a sentence for people; senders of rejected mail read it
	Options Options `mapstructure:"options"`
	// EvenIfFlagged lets a rule with `action: relay` apply to a flagged message.
	EvenIfFlagged bool `mapstructure:"even_if_flagged"`
	// Internal lets the rule see internal recipients.
	Internal bool `mapstructure:"internal"`
}

// Match says which messages and recipients a rule is for. Every field given must hold; a list holds if one entry does.
// Case does not matter. `*` stands for anything. An address entry is `user@domain`, `domain`, `.domain` (every
// subdomain) or a pattern.
type Match struct {
	From          []string    `mapstructure:"from"`           // the author, or the envelope sender where there is no one author
	To            []string    `mapstructure:"to"`             // the envelope recipient
	AuthUser      []string    `mapstructure:"auth_user"`      // who logged on
	Subject       []string    `mapstructure:"subject"`        // somewhere in a Subject field, decoded
	Header        []NameValue `mapstructure:"header"`         // a field, with exactly this value where one is given
	Sensitivity   []string    `mapstructure:"sensitivity"`    // value of the Sensitivity field
	AutoSubmitted []string    `mapstructure:"auto_submitted"` // keyword of RFC 3834; `no` where the field is missing
	NullSender    *bool       `mapstructure:"null_sender"`    // MAIL FROM:<>
	Encrypted     *bool       `mapstructure:"encrypted"`      // with S/MIME or PGP, as a whole
	Size          int64       `mapstructure:"size"`           // the client announced at least so many octets
}

func (m Match) isEmpty() bool {
	return len(m.From)+len(m.To)+len(m.AuthUser)+len(m.Subject)+len(m.Header)+len(m.Sensitivity)+len(m.AutoSubmitted) == 0 &&
		m.NullSender == nil && m.Encrypted == nil && m.Size == 0
}

// NameValue is a header field with a value, or of any value when that is empty. It is also written `Name: value`.
type NameValue struct {
	Name  string `mapstructure:"name"`
	Value string `mapstructure:"value"`
}

// UnmarshalText reads `Name` or `Name: value`.
func (n *NameValue) UnmarshalText(text []byte) error {
	name, value, _ := strings.Cut(string(text), ":")
	*n = NameValue{Name: strings.TrimSpace(name), Value: strings.TrimSpace(value)}
	return nil
}

// rule is a compiled Rule.
type rule struct {
	name, reason, reply string
	action              store.Action
	options             Options
	evenIfFlagged       bool
	internal            bool
	match               Match
	from, to            []addressPattern
	authUser, subject   []pattern
	sensitivity, auto   []pattern
	header              []headerMatch
}

func compileRule(r Rule, names map[string]bool) (rule, error) {
	var problems []error
	add := func(key string, err error) {
		if err != nil {
			problems = append(problems, wrap(key, err))
		}
	}
	add("name", checkName(r.Name, names))
	out := rule{
		name: r.Name, reason: r.Reason, action: store.Action(r.Action), options: r.Options,
		evenIfFlagged: r.EvenIfFlagged, internal: r.Internal, match: r.Match,
	}
	switch out.action {
	case store.ActionSeal, store.ActionRelay, store.ActionReject:
	default:
		add("action", fmt.Errorf("%q: must be seal, relay or reject", r.Action))
	}
	add("reason", out.compileReason())
	if r.Options != (Options{}) && out.action != store.ActionSeal {
		add("options", errors.New("only a rule with action: seal has options"))
	}
	if r.Options.Expire < 0 {
		add("options.expire", errors.New("must be a time span above 0"))
	}
	if r.EvenIfFlagged && out.action != store.ActionRelay {
		add("even_if_flagged", errors.New("only a rule with action: relay has this key"))
	}
	if r.Match.isEmpty() {
		add("match", errors.New(`is empty; write to: ["*"] if every recipient is meant`))
	}
	problems = append(problems, out.compileMatch(r.Match))
	return out, errors.Join(problems...)
}

func checkName(name string, names map[string]bool) error {
	switch {
	case name == "":
		return errors.New("is missing")
	case names[name]:
		return errors.New("is taken already, or the name of a built-in rule")
	case len(name) > 60 || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return errors.New("must be one line of at most 60 octets")
	}
	names[name] = true
	return nil
}

// compileReason prepares the sentence for people and, for rejected mail, for the SMTP reply.
func (r *rule) compileReason() error {
	if r.action == store.ActionReject {
		reply, exact := asciiText(r.reason)
		switch {
		case r.reason == "":
			return errors.New("is missing: the sender of a rejected message is told it")
		case !exact:
			return errors.New("is sent in an SMTP reply, so it must be written in ASCII")
		case len(reply) > maxSentence:
			return fmt.Errorf("is longer than the %d characters that an SMTP reply has room for", maxSentence)
		}
		r.reply = reply
	}
	if strings.ContainsAny(r.reason, "\r\n") {
		return errors.New("must be one line")
	}
	if r.reason == "" {
		r.reason = fmt.Sprintf("The rule %q applies.", r.name)
	}
	return nil
}

func (r *rule) compileMatch(m Match) error {
	var problems []error
	addresses := func(key string, entries []string) (out []addressPattern) {
		for _, e := range entries {
			p, err := compileAddress(e)
			problems = append(problems, wrap("match."+key, err))
			out = append(out, p)
		}
		return out
	}
	patterns := func(key string, entries []string, inside bool) (out []pattern) {
		for _, e := range entries {
			p, err := compilePattern(e, inside)
			problems = append(problems, wrap("match."+key, err))
			out = append(out, p)
		}
		return out
	}
	r.from, r.to = addresses("from", m.From), addresses("to", m.To)
	r.authUser = patterns("auth_user", m.AuthUser, false)
	r.subject = patterns("subject", m.Subject, true)
	r.sensitivity = patterns("sensitivity", m.Sensitivity, false)
	r.auto = patterns("auto_submitted", m.AutoSubmitted, false)
	for _, h := range m.Header {
		compiled, err := compileHeader(h)
		problems = append(problems, wrap("match.header", err))
		r.header = append(r.header, compiled)
	}
	if m.Size < 0 {
		problems = append(problems, errors.New("match.size: must not be negative"))
	}
	return errors.Join(problems...)
}

// matches reports whether the rule is for this message and this recipient.
func (r *rule) matches(c *message, to store.Address) bool {
	if !anyAddress(r.to, to) {
		return false
	}
	fits, known := c.fits[r]
	if !known {
		fits = r.fits(c)
		c.fits[r] = fits
	}
	return fits
}

// fits reports whether the rule is for this message, whoever gets it.
func (r *rule) fits(c *message) bool {
	m := r.match
	return (len(r.from) == 0 || c.writer != nil && anyAddress(r.from, *c.writer)) &&
		anyPattern(r.authUser, c.in.Env.Client.User) &&
		anyPattern(r.subject, c.subjects()...) &&
		anyHeader(r.header, c.in.Header) &&
		anyPattern(r.sensitivity, c.in.Header.All("Sensitivity")...) &&
		(len(r.auto) == 0 || anyPattern(r.auto, autoSubmitted(c.in.Header))) &&
		(m.NullSender == nil || *m.NullSender == (c.in.Env.From == nil)) &&
		(m.Encrypted == nil || *m.Encrypted == c.in.Header.Encrypted()) &&
		c.in.Env.Size >= m.Size
}

// autoSubmitted is the keyword of RFC 3834 §5.
func autoSubmitted(h mail.Header) string {
	word, _, _ := strings.Cut(h.Get("Auto-Submitted"), ";")
	if fields := strings.Fields(word); len(fields) > 0 {
		return fields[0]
	}
	return "no"
}
