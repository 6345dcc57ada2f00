package config

import (
	"fmt"
	"strings"

	"postern/smtpd/policy"
)

// policyInWords says what becomes of mail in the order in which it is decided (MAIL 3.1): rules first, then what flags a
// message, and whose flagged mail is sealed.
func (c Config) policyInWords(say func(format string, args ...any)) {
	if len(c.Policy.Rules) > 0 {
		say("Rules come first; of several that fit, the first decides:")
	}
	for i, r := range c.Policy.Rules {
		say("  %d. %q %s.", i+1, r.Name, ruleWords(r))
	}
	domains := strings.Join(c.Organization.Domains, ", ")
	if flags := c.flagWords(); len(flags) > 0 {
		say("Sealed: mail from %s to outside %s.", domains, strings.Join(flags, ", or "))
	} else {
		say("Sealed: nothing but what a rule seals.")
	}
	if c.Policy.Senders == "invited" {
		say("Only invited members may have mail sealed: what would be sealed of anybody else is refused.")
	} else {
		say("Every author at %s may have mail sealed; what would be sealed of anybody else is refused.", domains)
	}
}

// flagWords are the ways to flag a message, as ends of a sentence.
func (c Config) flagWords() (flags []string) {
	p := c.Policy
	if len(p.Tags) > 0 {
		flag := "whose subject holds [" + strings.Join(p.Tags, "] or [") + "]"
		if p.NearMiss == "seal" {
			flag += ", slips of the pen included"
		}
		flags = append(flags, flag)
	}
	for _, h := range p.TriggerHeaders {
		flags = append(flags, "that has the field "+fieldWords(h))
	}
	if p.ThreadMemory > 0 {
		flags = append(flags, "that answers what was sealed within "+durationText(p.ThreadMemory))
	}
	return flags
}

func fieldWords(h policy.NameValue) string {
	if h.Value == "" {
		return h.Name
	}
	return h.Name + ": " + h.Value
}

// ruleWords is a rule as the end of a sentence that begins with its name.
func ruleWords(r policy.Rule) string {
	verb := map[string]string{"seal": "seals", "relay": "relays in clear", "reject": "refuses"}[r.Action]
	whose := "mail to outside"
	if r.Internal {
		whose = "mail to anybody, inside too,"
	}
	words := fmt.Sprintf("%s %s if %s", verb, whose, strings.Join(matchWords(r.Match), " and "))
	if r.Action == "relay" && r.EvenIfFlagged {
		words += " (flagged mail too)"
	} else if r.Action == "relay" {
		words += " (but not flagged mail)"
	}
	if r.Options.Expire > 0 {
		words += ", for " + durationText(r.Options.Expire)
	}
	if r.Options.NoReply {
		words += ", without replies"
	}
	return words
}

// matchWords are the conditions of a rule, all of which must hold.
func matchWords(m policy.Match) (words []string) {
	list := func(what string, values []string) {
		if len(values) > 0 {
			words = append(words, what+" "+strings.Join(values, " or "))
		}
	}
	list("the author is", m.From)
	list("the recipient is", m.To)
	list("who logged on is", m.AuthUser)
	list("the subject holds", m.Subject)
	var fields []string
	for _, h := range m.Header {
		fields = append(fields, fieldWords(h))
	}
	list("it has the field", fields)
	list("its sensitivity is", m.Sensitivity)
	list("Auto-Submitted is", m.AutoSubmitted)
	fact := func(b *bool, yes, no string) {
		switch {
		case b != nil && *b:
			words = append(words, yes)
		case b != nil:
			words = append(words, no)
		}
	}
	fact(m.NullSender, "its envelope has no sender", "its envelope has a sender")
	fact(m.Encrypted, "it is encrypted already", "it is not encrypted already")
	if m.Size > 0 {
		words = append(words, fmt.Sprintf("%d octets or more are announced", m.Size))
	}
	return words
}
