package web

import (
	"hash/fnv"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ccojocar/zxcvbn-go/frequency"
)

// Choice is the part of a form in which a new password is typed twice (_choice.html). What was typed is never shown
// again.
type Choice struct {
	Rules  PasswordRules
	Weak   bool // a criterion fails
	Differ bool // the two fields differ (C12)
	Same   bool // it is the password of before
}

// PasswordRules is the list of criteria with what the script needs to tick it while one types (C11).
type PasswordRules struct {
	Min, Max, Long int
	Bits           int    // of guesses that a password must need
	Own            string // words that may not occur, blank between
	Common         string // hashes of often used passwords, blank between (CommonHashes)
	List           []PasswordRule
}

// PasswordRule is one line of the list. Unmet: what was typed last fails it, and so do the boxes, which come back empty.
// None is ever said to be met here: that is for the script, which sees what stands in the boxes.
type PasswordRule struct {
	ID    string
	Unmet bool
}

// guessBits is 10^10 guesses (KEYS K13) in bits, rounded up.
const guessBits = 34

// same is the criterion of the page itself: both fields hold the same.
const same = "same"

// NewChoice is the empty form; ids are those of the criteria, in their order.
func NewChoice(rules PasswordRules, ids []string) Choice {
	rules.Bits, rules.List = guessBits, nil
	for _, id := range append(ids, same) {
		rules.List = append(rules.List, PasswordRule{ID: id})
	}
	return Choice{Rules: rules}
}

// Mark marks the criteria that fail, and whether both fields held the same.
func (c *Choice) Mark(met map[string]bool, equal bool) {
	c.Differ = !equal
	for i, r := range c.Rules.List {
		ok, known := met[r.ID]
		if r.ID == same {
			c.Rules.List[i].Unmet = !equal
			continue
		}
		c.Rules.List[i].Unmet = known && !ok
		c.Weak = c.Weak || known && !ok
	}
}

// CommonHashes are FNV-1a hashes of the often used passwords that have at least so many characters. The pages' script
// finds them by these; the words themselves are not fit for a page.
func CommonHashes(least int) string {
	var hashes []string
	for _, p := range frequency.Lists["Passwords"].List {
		if utf8.RuneCountInString(p) >= least {
			h := fnv.New32a()
			h.Write([]byte(p))
			hashes = append(hashes, strconv.FormatUint(uint64(h.Sum32()), 16))
		}
	}
	return strings.Join(hashes, " ")
}
