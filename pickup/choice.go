package pickup

import (
	"errors"
	"slices"
	"strings"

	"postern/pickup/account"
	"postern/pickup/web"
)

// choice is the part of a form in which a new password is typed twice.
type choice struct{ web.Choice }

// choice is the empty form for a person described by about.
func (s *Site) choice(about []string) choice {
	var ids []string
	for _, criterion := range s.Accounts.Criteria("", about) {
		ids = append(ids, criterion.ID)
	}
	return choice{web.NewChoice(web.PasswordRules{Min: account.MinPassword, Max: account.MaxPassword, Long: account.LongPassword,
		Own: strings.Join(s.Accounts.OwnWords(about), " "), Common: s.common}, ids)}
}

// judge holds the fields password and password2 against the rules, marks what is wrong, and reports whether all is well.
func (s *Site) judge(c *choice, f map[string]string, about []string) bool {
	criteria, equal := s.Accounts.Criteria(f["password"], about), f["password"] == f["password2"]
	if equal && !slices.ContainsFunc(criteria, func(c account.Criterion) bool { return !c.Met }) {
		return true
	}
	c.mark(criteria, equal)
	return false
}

// mark sets the state of the criteria.
func (c *choice) mark(criteria []account.Criterion, equal bool) {
	met := map[string]bool{}
	for _, criterion := range criteria {
		met[criterion.ID] = criterion.Met
	}
	c.Mark(met, equal)
}

// refused reports whether err is about the chosen password, and marks it.
func (c *choice) refused(err error) bool {
	weak := new(account.CriteriaError)
	switch {
	case errors.As(err, &weak):
		c.mark(weak.Failed, true)
	case errors.Is(err, account.ErrSamePassword):
		c.Same = true
	default:
		return false
	}
	return true
}

// reminder is the field for a reminder phrase (A3); Problem is hint, kept or long.
type reminder struct{ Text, Problem string }

// refused reports whether err is about the reminder, and marks it.
func (m *reminder) refused(err error) bool {
	switch {
	case errors.Is(err, account.ErrReminderHint):
		m.Problem = "hint"
	case errors.Is(err, account.ErrReminderKept):
		m.Problem = "kept"
	case errors.Is(err, account.ErrReminderLong):
		m.Problem = "long"
	default:
		return false
	}
	return true
}
