package pickup

import (
	"errors"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ccojocar/zxcvbn-go/frequency"

	"postern/pickup/account"
)

// choice is the part of a form in which a new password is typed twice (_choice.html). What was typed is never shown
// again.
type choice struct {
	Rules  rules
	Weak   bool // a criterion fails
	Differ bool // the two fields differ (C12)
	Same   bool // it is the password of before
}

// rules is the list of criteria with what the script needs to tick it while one types (C11).
type rules struct {
	Min, Max, Long int
	Bits           int    // of guesses that a password must need
	Own            string // words that may not occur, blank between
	Common         string // hashes of often used passwords, blank between
	List           []rule
}

// rule is one line of the list; State is met, unmet, or empty where nothing was typed yet.
type rule struct{ ID, State string }

// guessBits is 10^10 guesses (KEYS K13) in bits, rounded up.
const guessBits = 34

// commonHashes are FNV-1a hashes of the often used passwords that are long enough to be chosen. The page's script finds
// them by these; the words themselves are not fit for a page.
func commonHashes() string {
	var hashes []string
	for _, p := range frequency.Lists["Passwords"].List {
		if utf8.RuneCountInString(p) >= account.MinPassword {
			h := fnv.New32a()
			h.Write([]byte(p))
			hashes = append(hashes, strconv.FormatUint(uint64(h.Sum32()), 16))
		}
	}
	return strings.Join(hashes, " ")
}

// same is the criterion of the page itself: both fields hold the same.
const same = "same"

// choice is the empty form for a person described by about.
func (s *Site) choice(about []string) choice {
	c := choice{Rules: rules{Min: account.MinPassword, Max: account.MaxPassword, Long: account.LongPassword, Bits: guessBits,
		Own: strings.Join(s.Accounts.OwnWords(about), " "), Common: s.common}}
	for _, criterion := range s.Accounts.Criteria("", about) {
		c.Rules.List = append(c.Rules.List, rule{ID: criterion.ID})
	}
	c.Rules.List = append(c.Rules.List, rule{ID: same})
	return c
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
	c.Differ = !equal
	state := map[bool]string{true: "met", false: "unmet"}
	met := map[string]bool{same: equal}
	for _, criterion := range criteria {
		met[criterion.ID] = criterion.Met
		c.Weak = c.Weak || !criterion.Met
	}
	for i, r := range c.Rules.List {
		if ok, known := met[r.ID]; known {
			c.Rules.List[i].State = state[ok]
		}
	}
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
