package account

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ccojocar/zxcvbn-go/frequency"
	"golang.org/x/text/unicode/norm"

	"postern/store/seal"
)

// Limits of a password in code points (KEYS K7). A pass phrase of LongPassword needs no mixture of characters.
const (
	MinPassword  = 10
	LongPassword = 20
	MaxPassword  = seal.MaxPassword
)

const (
	minGuesses = 1e10 // KEYS K13
	minOwnWord = 4    // shorter words stand in too many others
)

// The ids of the criteria, which pages and their script share.
const (
	CriterionLength = "length" // MinPassword to MaxPassword code points
	CriterionCase   = "case"   // a capital and a small letter, or LongPassword code points
	CriterionDigit  = "digit"  // something that is neither letter nor blank, or LongPassword code points
	CriterionOwn    = "own"    // none of OwnWords in it, in any case
	CriterionCommon = "common" // not in the list of often used passwords, in any case
	CriterionGuess  = "guess"  // an estimate of at least 10^10 guesses (KEYS K13); only the server can tell
)

// Criterion is one demand on a password.
type Criterion struct {
	ID  string
	Met bool
}

// CriteriaError says which criteria a chosen password fails.
type CriteriaError struct{ Failed []Criterion }

func (e *CriteriaError) Error() string {
	ids := make([]string, len(e.Failed))
	for i, c := range e.Failed {
		ids[i] = c.ID
	}
	return "password fails the criteria " + strings.Join(ids, ", ")
}

// Criteria holds a password against the rules for a person and organisation described by about (address, names), in
// the order in which pages show them. An empty password meets none.
func (s *Service) Criteria(password string, about []string) []Criterion {
	return s.rules.judge(password, about)
}

// OwnWords is what a password of that person may not contain: the words of at least four letters or digits in about
// and in the organisation's names, in lower case. Pages hand it to their script.
func (s *Service) OwnWords(about []string) []string { return s.rules.ownWords(about) }

// check is Criteria as an error.
func (s *Service) check(password string, about ...string) error {
	failed := slices.DeleteFunc(s.Criteria(password, about), func(c Criterion) bool { return c.Met })
	if len(failed) > 0 {
		return &CriteriaError{Failed: failed}
	}
	return nil
}

// rules is the one rule set for passwords.
type rules struct {
	names  []string // of the organisation
	common map[string]struct{}
}

func newRules(names []string) rules {
	r := rules{names: names, common: make(map[string]struct{})}
	for _, p := range frequency.Lists["Passwords"].List {
		r.common[p] = struct{}{}
	}
	return r
}

func (r rules) judge(password string, about []string) []Criterion {
	p := normalize(password)
	low, n := strings.ToLower(p), utf8.RuneCountInString(p)
	own := r.ownWords(about)
	_, common := r.common[low]
	contains := func(w string) bool { return strings.Contains(low, w) }
	list := []Criterion{
		{CriterionLength, n >= MinPassword && seal.CheckPassword(password) == nil},
		{CriterionCase, n >= LongPassword || hasRune(p, unicode.IsUpper) && hasRune(p, unicode.IsLower)},
		{CriterionDigit, n >= LongPassword || hasRune(p, isSign)},
		{CriterionOwn, n > 0 && !slices.ContainsFunc(own, contains)},
		{CriterionCommon, n > 0 && !common},
		{CriterionGuess, guesses(p, own) >= minGuesses},
	}
	return list
}

func (r rules) ownWords(about []string) []string {
	var words []string
	for _, text := range slices.Concat(about, r.names) {
		for _, w := range strings.FieldsFunc(strings.ToLower(normalize(text)), isBreak) {
			if utf8.RuneCountInString(w) >= minOwnWord && !slices.Contains(words, w) {
				words = append(words, w)
			}
		}
	}
	return words
}

// normalize is the form in which passwords are used: NFC of the typed text, untrimmed (KEYS K7).
func normalize(s string) string { return norm.NFC.String(s) }

func hasRune(s string, f func(rune) bool) bool { return strings.IndexFunc(s, f) >= 0 }

func isSign(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsSpace(r) }

func isBreak(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }
