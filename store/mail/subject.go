package mail

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Subjects is every Subject field, decoded.
func (h Header) Subjects() []string {
	values := h.All("Subject")
	for i, v := range values {
		values[i] = Decode(v)
	}
	return values
}

// SubjectReadings is Subjects, and for those with encoded words also the other texts that a mail program might show:
// what a search for tags must look at, because a word that lies about its charset hides nothing (ARCHITECTURE 1.11).
func (h Header) SubjectReadings() []string {
	var all []string
	for _, v := range h.All("Subject") {
		all = append(all, readings(v)...)
	}
	return all
}

// NormaliseSubject is a decoded subject as tags and rules compare it (MAIL 3.3): NFKC, without what cannot be seen,
// with single blanks.
func NormaliseSubject(subject string) string {
	s := normalise(subject)
	return strings.TrimSpace(s.text(0, len(s)))
}

// spot is a character of a normalised subject and the octets that it came from.
type spot struct {
	r          rune
	start, end int32
}

// normalised is a subject in NFKC without invisible characters, blanks collapsed.
type normalised []spot

func normalise(subject string) normalised {
	s := make(normalised, 0, len(subject))
	var it norm.Iter
	it.InitString(norm.NFKC, subject)
	for !it.Done() {
		start := int32(it.Pos())
		segment := it.Next()
		end := int32(it.Pos())
		for _, r := range string(segment) {
			switch {
			case isInvisible(r):
			case !unicode.IsSpace(r):
				s = append(s, spot{r, start, end})
			case len(s) == 0 || s[len(s)-1].r != ' ':
				s = append(s, spot{' ', start, end})
			}
		}
	}
	return s
}

// isInvisible is for characters that a reader cannot see: controls, zero-width and bidi characters, soft hyphens,
// variation selectors and fillers.
func isInvisible(r rune) bool {
	switch {
	case r < 0x80:
		return unicode.IsControl(r) && !unicode.IsSpace(r)
	case unicode.Is(unicode.Cf, r), unicode.Is(unicode.Variation_Selector, r):
		return true
	}
	return unicode.IsControl(r) && r != '\u0085' || r == '\u034f' || r == '\u115f' || r == '\u1160' || r == '\u3164' || r == '\u180e'
}

func (s normalised) text(from, to int) string {
	var out strings.Builder
	for _, p := range s[from:to] {
		out.WriteRune(p.r)
	}
	return out.String()
}

// span is a pair of brackets: the places of the opening and the closing one.
type span struct{ from, to int }

var closers = map[rune]rune{'[': ']', '{': '}', '【': '】'}

// brackets lists the innermost pairs that may hold a tag, in order.
func (s normalised) brackets() []span {
	var spans []span
	open := map[rune]int{} // closing bracket -> place of the last opening one
	for i, p := range s {
		if closer, ok := closers[p.r]; ok {
			open[closer] = i
			continue
		}
		if from, ok := open[p.r]; ok {
			spans = append(spans, span{from, i})
			delete(open, p.r)
		}
	}
	for _, from := range []int{s.afterPrefixes(), s.lastRound()} {
		if to := s.roundEnd(from); to > 0 {
			spans = append(spans, span{from, to})
		}
	}
	slices.SortFunc(spans, func(a, b span) int { return a.from - b.from })
	return slices.Compact(spans)
}

// roundEnd is the place of the bracket that closes the round one at from, or 0.
func (s normalised) roundEnd(from int) int {
	if from < 0 || from >= len(s) || s[from].r != '(' {
		return 0
	}
	for i := from + 1; i < len(s); i++ {
		switch s[i].r {
		case '(':
			return 0
		case ')':
			return i
		}
	}
	return 0
}

// lastRound is the place of the round bracket that the last character closes, or -1.
func (s normalised) lastRound() int {
	end := len(s) - 1
	if end >= 0 && s[end].r == ' ' {
		end--
	}
	if end < 0 || s[end].r != ')' {
		return -1
	}
	for i := end - 1; i >= 0; i-- {
		switch s[i].r {
		case ')':
			return -1
		case '(':
			return i
		}
	}
	return -1
}

// afterPrefixes is the place behind reply prefixes and the bracketed marks that systems put in front.
func (s normalised) afterPrefixes() int {
	at := 0
	for {
		for at < len(s) && s[at].r == ' ' {
			at++
		}
		next := s.skipPrefix(at)
		if next == at {
			return at
		}
		at = next
	}
}

func (s normalised) skipPrefix(at int) int {
	if at < len(s) && s[at].r == '[' {
		for i := at + 1; i < len(s) && s[i].r != '['; i++ {
			if s[i].r == ']' {
				return i + 1
			}
		}
		return at
	}
	word := at
	for word < len(s) && word-at < maxPrefix && unicode.IsLetter(s[word].r) {
		word++
	}
	if !isReplyPrefix(s.text(at, word)) {
		return at
	}
	for i := word; i < len(s) && i-word < maxPrefix; i++ { // a count: "Re[2]:", "Re^3:", "AW (2):"
		switch r := s[i].r; {
		case r == ':':
			return i + 1
		case !unicode.IsDigit(r) && !strings.ContainsRune(" []()^*-", r):
			return at
		}
	}
	return at
}

// maxPrefix bounds the letters of a reply prefix.
const maxPrefix = 14

// isReplyPrefix knows what mail programs put before the subject of an answer or a forwarded message.
func isReplyPrefix(word string) bool {
	switch strings.ToLower(word) {
	case "re", "fw", "fwd", "reply", "forward", "aw", "wg", "antw", "antwort", "tr", "ref", "rép", "réf", "fs",
		"sv", "vs", "vb", "vl", "vá", "továbbítás", "ang", "doorst", "res", "enc", "rv", "r", "i", "rif", "inl",
		"odp", "pd", "re-fwd", "yn", "ynt", "ilt", "i̇lt", "atb", "ats", "per", "hl", "ha", "bls", "trs", "tl",
		"отв", "пер", "απ", "σχετ", "πρθ", "הועבר", "תגובה", "השב", "رد", "إعادة", "回复", "回覆", "答复", "转发", "轉寄", "返信", "転送",
		"답장", "전달", "sb", "fyi", "nuc", "odg", "prosl", "rispondi", "inoltra":
		return true
	}
	return false
}
