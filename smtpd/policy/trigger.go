package policy

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"postern/store"
	"postern/store/mail"
)

// trigger is what flags a message.
type trigger struct {
	rule      string
	reason    string
	options   Options
	badOption bool
}

func checkTags(tags []string) error {
	var problems []error
	seen := map[string]bool{}
	for _, t := range tags {
		key := fold(t)
		var err error
		switch {
		case key == "":
			err = errors.New("an entry is empty")
		case strings.ContainsAny(key, "[]{}()【】,;:/|+*"):
			err = fmt.Errorf("%q: write the word alone, without brackets and separators", t)
		case seen[key]:
			err = fmt.Errorf("%q stands there twice", t)
		}
		seen[key] = true
		problems = append(problems, wrap("policy.tags", err))
	}
	return errors.Join(problems...)
}

// findTrigger is the first built-in trigger that fires (MAIL 3.1 (e)); nil when none does. A reply that was written on
// the site is sealed as such: what its subject says was decided when the original was sent.
func (p *Policy) findTrigger(in Input) *trigger {
	switch {
	case in.Own:
		return nil
	case in.Env.Client.Class == store.ClientSite:
		return &trigger{rule: RuleReply, reason: "It is a reply that was written on the pickup site."}
	}
	if t := p.findTag(in.Header); t != nil {
		return t
	}
	for _, h := range p.headers {
		if h.in(in.Header) {
			return &trigger{rule: RuleHeader, reason: fmt.Sprintf("The header field %s marks it as secure.", h.name)}
		}
	}
	if in.Facts.ThreadSealed {
		return &trigger{rule: RuleThread, reason: "It belongs to a conversation that was sealed before."}
	}
	return nil
}

// findTag looks at every Subject field, and at the other readings of encoded ones only where decoding shows no tag.
func (p *Policy) findTag(h mail.Header) *trigger {
	if t := p.tagIn(h.Subjects()); t != nil {
		return t
	}
	return p.tagIn(h.SubjectReadings())
}

func (p *Policy) tagIn(subjects []string) *trigger {
	var found *trigger
	near := true
	for _, s := range subjects {
		for _, tag := range mail.FindTags(s, p.tags, p.near) {
			if found == nil {
				found = &trigger{rule: RuleTag}
			}
			if near {
				near = tag.Near
				found.reason = tagReason(tag)
			}
			for _, o := range tag.Options {
				options, ok := parseOption(o)
				found.options = found.options.with(options)
				found.badOption = found.badOption || !ok
			}
		}
	}
	return found
}

func tagReason(tag mail.Tag) string {
	if tag.Near {
		return fmt.Sprintf("The subject has a word in square brackets that differs by one letter from the tag %q.", tag.Word)
	}
	return fmt.Sprintf("The subject carries the tag %q.", tag.Word)
}

// parseOption reads an option of a tag (MAIL 3.4). The known ones are named in the refusal of others.
func parseOption(s string) (Options, bool) {
	if s == "noreply" {
		return Options{NoReply: true}, true
	}
	const maxDigits = 4
	if len(s) < 2 || len(s) > maxDigits+1 || strings.Trim(s[:len(s)-1], "0123456789") != "" {
		return Options{}, false
	}
	n, err := strconv.Atoi(s[:len(s)-1])
	unit := map[byte]time.Duration{'d': 24 * time.Hour, 'h': time.Hour}[s[len(s)-1]]
	if err != nil || n == 0 || unit == 0 {
		return Options{}, false
	}
	return Options{Expire: time.Duration(n) * unit}, true
}
