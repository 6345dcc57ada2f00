package mail

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Tag is a seal tag found in a subject (MAIL 3.3).
type Tag struct {
	Word       string   // the configured word that it stands for
	Options    []string // what stands after the word, in lower case (MAIL 3.4)
	Near       bool     // it is one edit away from the word
	Start, End int      // octets of the subject, brackets included
}

// minNear is how many letters and digits a near miss has at least.
const minNear = 6

// FindTags finds the tags of a decoded subject: a configured word in any case, with blanks and options, in brackets.
// In [], {} and 【】 it counts anywhere, in () only first after reply prefixes or last. With near, a word in square
// brackets that is one edit away counts too; options of such a one must look like options.
func FindTags(subject string, words []string, near bool) []Tag {
	if len(words) == 0 || isASCII(subject) && !strings.ContainsAny(subject, "[{(") {
		return nil
	}
	s := normalise(subject)
	wanted := make([]string, len(words))
	for i, w := range words {
		wanted[i] = foldWord(w)
	}
	var tags []Tag
	for _, b := range s.brackets() {
		tag, ok := readTag(foldWord(s.text(b.from+1, b.to)), words, wanted, near && s[b.from].r == '[')
		if ok {
			tag.Start, tag.End = int(s[b.from].start), int(s[b.to].end)
			tags = append(tags, tag)
		}
	}
	return tags
}

// CutTag is a subject without its tags, near misses included, for showing and re-using it (MAIL 3.5).
func CutTag(subject string, words []string) string {
	var kept string
	pos := 0
	for _, t := range FindTags(subject, words, true) {
		if t.Start >= pos {
			kept, pos = joinBlank(kept, subject[pos:t.Start]), t.End
		}
	}
	if pos == 0 {
		return subject
	}
	return joinBlank(kept, subject[pos:])
}

// joinBlank joins what stood on both sides of a tag by one blank.
func joinBlank(before, after string) string {
	before, after = strings.TrimSpace(before), strings.TrimSpace(after)
	if before == "" || after == "" {
		return before + after
	}
	return before + " " + after
}

// readTag compares what stands between brackets, folded, with the configured words.
func readTag(content string, words, wanted []string, near bool) (Tag, bool) {
	best := -1 // the longest of several words that fit
	for i, w := range wanted {
		if w != "" && startsWithWord(content, w) && (best < 0 || len(w) > len(wanted[best])) {
			best = i
		}
	}
	if best >= 0 {
		return Tag{Word: words[best], Options: splitOptions(content[len(wanted[best]):])}, true
	}
	if near {
		return readNear(content, words, wanted)
	}
	return Tag{}, false
}

// startsWithWord reports whether content is w, or w and options. Where the blank is missing, as in "secure7d" or
// "secure-7d", what follows must look like options.
func startsWithWord(content, w string) bool {
	rest, ok := strings.CutPrefix(content, w)
	if !ok || rest == "" || strings.IndexByte(optionSeparators, rest[0]) >= 0 {
		return ok
	}
	options := splitOptions(rest)
	return len(options) > 0 && !slices.ContainsFunc(options, notOption)
}

const optionSeparators = " ,;:/|+"

func splitOptions(s string) []string {
	return strings.FieldsFunc(strings.TrimLeft(s, "-_.="), func(r rune) bool {
		return strings.ContainsRune(optionSeparators, r)
	})
}

func readNear(content string, words, wanted []string) (Tag, bool) {
	for i, w := range wanted {
		if w == "" {
			continue
		}
		if isNear(content, w) {
			return Tag{Word: words[i], Near: true}, true
		}
		first, rest, ok := cutWords(content, strings.Count(w, " ")+1)
		if options := splitOptions(rest); ok && isNear(first, w) && !slices.ContainsFunc(options, notOption) {
			return Tag{Word: words[i], Near: true, Options: options}, true
		}
	}
	return Tag{}, false
}

// cutWords splits content after its first n words.
func cutWords(content string, n int) (first, rest string, ok bool) {
	at := 0
	for range n {
		i := strings.IndexAny(content[at:], optionSeparators)
		if i < 0 {
			return "", "", false
		}
		at += i + 1
	}
	return content[:at-1], content[at-1:], true
}

// notOption is for words that no option of MAIL 3.4 looks like: after a near miss they show that the brackets hold
// something else.
func notOption(s string) bool {
	switch s {
	case "receipt", "noreply", "code":
		return false
	}
	n := len(s) - 1
	return n < 1 || s[n] != 'd' && s[n] != 'h' || strings.Trim(s[:n], "0123456789") != ""
}

// isNear reports whether s is long enough and one insertion, deletion, substitution or transposition away from w.
func isNear(s, w string) bool {
	if d := len(s) - len(w); d > 8 || d < -8 {
		return false // one character has at most four octets, twice
	}
	a, b := []rune(s), []rune(w)
	letters := 0
	for _, r := range a {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			letters++
		}
	}
	return letters >= minNear && oneEdit(a, b)
}

func oneEdit(a, b []rune) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	if len(b)-len(a) > 1 {
		return false
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	if len(a) < len(b) {
		return slices.Equal(a[i:], b[i+1:])
	}
	if i == len(a) {
		return false // no edit at all
	}
	swapped := i+1 < len(a) && a[i] == b[i+1] && a[i+1] == b[i] && slices.Equal(a[i+2:], b[i+2:])
	return swapped || slices.Equal(a[i+1:], b[i+1:])
}

// foldWord is the form in which words are compared.
func foldWord(s string) string {
	s = strings.ToLower(strings.ToUpper(norm.NFKC.String(s)))
	return strings.Join(strings.Fields(s), " ")
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] > '~' {
			return false
		}
	}
	return true
}
