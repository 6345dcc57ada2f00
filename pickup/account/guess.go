package account

import (
	"math"
	"slices"
	"sort"
	"strings"

	"github.com/ccojocar/zxcvbn-go/frequency"
	"github.com/ccojocar/zxcvbn-go/match"
	"github.com/ccojocar/zxcvbn-go/matching"
	"github.com/ccojocar/zxcvbn-go/scoring"
)

const (
	estimateLen  = 72 // the estimate's time grows steeply with the length; what comes after can only add
	minDifferent = 5  // different characters: the estimate does not know signs outside Latin keyboards
)

// guesses estimates how many guesses a well-informed attacker needs. It is open to whoever has a link, so its cost is
// bounded: the estimate's own search for words with signs in place of letters tries every combination of signs, which
// takes seconds for some passwords, and gives way to a few readings here.
func guesses(p string, own []string) float64 {
	head := []rune(p)
	head = head[:min(len(head), estimateLen)]
	different := slices.Clone(head)
	slices.Sort(different)
	if len(slices.Compact(different)) < minDifferent {
		return 0
	}
	text := string(head)
	found := matching.Omnimatch(text, own, matching.FilterL33tMatcher)
	for _, reading := range readings(text) {
		found = append(found, matching.Omnimatch(reading, nil, isNoDictionary)...)
	}
	sort.Sort(match.Matches(found))
	return math.Exp2(scoring.MinimumEntropyMatchSequence(text, found).Entropy)
}

// isNoDictionary leaves the word lists as the only matchers.
func isNoDictionary(m match.Matcher) bool {
	_, ok := frequency.Lists[m.ID]
	return !ok
}

// readings are the words that a text may stand for when signs stand for letters, as in "p4$$w0rd". Some signs stand
// for two letters; at most four readings, none that is the text itself.
func readings(text string) []string {
	const plain = "4a@a8b(c{c[c<c3e6g9g!i0o$s5s+t%x2z"
	var out []string
	for _, i := range []string{"i", "l"} {
		for _, t := range []string{"t", "l"} {
			pairs := append(strings.Split(plain, ""), "1", i, "|", i, "7", t)
			if r := strings.NewReplacer(pairs...).Replace(text); r != text && !slices.Contains(out, r) {
				out = append(out, r)
			}
		}
	}
	return out
}
