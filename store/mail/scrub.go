package mail

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of Scrub.
const (
	maxScrubbed = 300     // characters that it returns (MAIL 6.5)
	maxRemote   = 4 << 10 // octets that it looks at
	safeTail    = 1 << 10 // octets before a cut that are not shown: a secret there may be incomplete
	minRun      = 30      // letters and digits in a row that are taken for a secret
)

const removed = "[removed]"

// Scrub makes remote text safe to store, log, show and return (MAIL 6.5): tokens of KEYS K2 of every kind, also when
// they are wrapped in other URLs or split by blanks, line ends, quotes or invisible characters, runs of 30 letters and
// digits, and temporary passwords become "[removed]"; control, bidi and invisible characters and wrong octets are
// escaped; 300 characters remain at most.
func Scrub(s string) string {
	end := len(s)
	if end > maxRemote {
		s = s[:maxRemote]
		end = maxRemote - safeTail
	}
	marks := findSecrets(s)
	var out strings.Builder
	length := 0
	for pos := 0; pos < end; {
		text, n := escapeAt(s[pos:])
		if len(marks) > 0 && pos >= marks[0].from {
			text, n = removed, marks[0].to-pos
			marks = marks[1:]
		}
		if length += utf8.RuneCountInString(text); length > maxScrubbed {
			break
		}
		out.WriteString(text)
		pos += n
	}
	return out.String()
}

// escapeAt is the first character of s, made visible, and its length in s.
func escapeAt(s string) (string, int) {
	r, n := utf8.DecodeRuneInString(s)
	switch {
	case r == utf8.RuneError && n == 1:
		return fmt.Sprintf(`\x%02x`, s[0]), n
	case r == '\n':
		return `\n`, n
	case r == '\r':
		return `\r`, n
	case r == '\t':
		return `\t`, n
	case unicode.IsControl(r) && r < 0x100:
		return fmt.Sprintf(`\x%02x`, r), n
	case !unicode.IsPrint(r) && r != '\u00a0':
		return fmt.Sprintf(`\u%04x`, r), n
	}
	return s[:n], n
}

// findSecrets lists what is to be removed, in order, not overlapping. The text is read as it stands, and with
// percent-encoding and the codes of reply lines undone.
func findSecrets(s string) []span {
	var marks []span
	for _, r := range remoteReadings(s) {
		chars := squeeze(s, r)
		marks = append(marks, findPasswords(chars)...)
		marks = append(marks, findTokens(chars)...)
	}
	slices.SortFunc(marks, func(a, b span) int { return a.from - b.from })
	var merged []span
	for _, m := range marks {
		if n := len(merged); n > 0 && m.from < merged[n-1].to {
			merged[n-1].to = max(merged[n-1].to, m.to)
			continue
		}
		merged = append(merged, m)
	}
	return merged
}

// gap says what stands between a letter or digit and the one before it.
type gap uint8

const (
	gapNone   gap = iota // nothing, or what cannot be seen
	gapSoft              // what a reader of tokens drops (KEYS K2), no hyphen in it
	gapHyphen            // the same with a hyphen
	gapHard              // anything else
)

// char is an ASCII letter or digit of a remote text, lower-cased, with its place.
type char struct {
	c        byte
	gap      gap
	from, to int
}

// remoteReading is a way to read remote text.
type remoteReading struct {
	percent bool // a percent-encoded character counts as what it stands for
	codes   bool // the code that a server repeats at the beginning of each line of an answer is passed over
}

// remoteReadings are the ways that make a difference.
func remoteReadings(s string) []remoteReading {
	all := []remoteReading{{}}
	if strings.Contains(s, "%") {
		all = append(all, remoteReading{percent: true})
	}
	if strings.Contains(s, "\n") {
		for _, r := range slices.Clone(all) {
			r.codes = true
			all = append(all, r)
		}
	}
	return all
}

// squeeze takes the letters and digits out of a text.
func squeeze(s string, how remoteReading) []char {
	var chars []char
	between := gapHard
	for pos := 0; pos < len(s); {
		r, n := utf8.DecodeRuneInString(s[pos:])
		if how.percent && r == '%' && pos+2 < len(s) && isEscape(s[pos+1], s[pos+2]) {
			r, n = rune(unhex(s[pos+1])<<4|unhex(s[pos+2])), 3
		}
		if r < utf8.RuneSelf && isAlnum(byte(r)) {
			chars = append(chars, char{c: byte(unicode.ToLower(r)), gap: between, from: pos, to: pos + n})
			between, pos = gapNone, pos+n
			continue
		}
		between = max(between, gapOf(r))
		pos += n
		if how.codes && r == '\n' {
			pos += replyCode(s[pos:])
		}
	}
	return chars
}

// isEscape is for the two digits of an ASCII character; %1x is none: it may be the beginning of a token, and nothing
// that stands in a URL.
func isEscape(high, low byte) bool { return unhex(high) < 8 && high != '1' && unhex(low) < 16 }

func gapOf(r rune) gap {
	switch {
	case r == '-' || r >= '\u2010' && r <= '\u2015' || r == '\u2212':
		return gapHyphen
	case unicode.IsSpace(r) || strings.ContainsRune("=<>\"'()[].,;:!?\u2018\u2019\u201c\u201d\u00ab\u00bb", r):
		return gapSoft
	case isInvisible(r):
		return gapNone
	}
	return gapHard
}

// replyCode is the length of "550-5.7.1 " and the like at the beginning of s.
func replyCode(s string) int {
	n := 0
	if len(s) > 3 && isDigits(s[:3]) && (s[3] == '-' || s[3] == ' ') {
		n = 4
	}
	word, _, blank := strings.Cut(s[n:min(len(s), n+12)], " ")
	if blank && len(word) >= 5 && word[1] == '.' && strings.Count(word, ".") == 2 && isDigits(strings.ReplaceAll(word, ".", "")) {
		n += len(word) + 1
	}
	return n
}

func isDigits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// findPasswords finds temporary passwords: four groups of four, with hyphens between them.
func findPasswords(chars []char) []span {
	const group, groups = 4, 4
	var marks []span
	for i := 0; i+group*groups <= len(chars); i++ {
		if chars[i].gap == gapNone || !isPassword(chars[i:i+group*groups], group) {
			continue
		}
		if next := i + group*groups; next == len(chars) || chars[next].gap != gapNone {
			marks = append(marks, span{chars[i].from, chars[next-1].to})
		}
	}
	return marks
}

func isPassword(chars []char, group int) bool {
	for i, c := range chars {
		if _, ok := tokenDigit(c.c); !ok {
			return false
		}
		if i > 0 && (i%group == 0) != (c.gap == gapHyphen) {
			return false
		}
	}
	return true
}
