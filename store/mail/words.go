package mail

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// word is an encoded word of RFC 2047 as it stands in a text.
type word struct {
	charset string // "" in a reading that overrides it
	base64  bool
	text    string
	raw     string // the word as written
}

// Decode reads the encoded words of an unfolded header value (RFC 2047), leniently: adjacent words are joined before
// their charset is applied, padding may be wrong or missing, blanks may stand in a word, its end may be missing, an
// unknown charset is Latin-1. Octets outside of words are UTF-8 or else Latin-1. The result is one line of valid UTF-8
// without control characters.
func Decode(s string) string {
	return decodeWith(s, func(w word) string { return w.charset })
}

// readings are all the texts that a value may stand for when its encoded words cannot be trusted: decoded, as it
// stands, with every word read as UTF-8, and as Latin-1 (ARCHITECTURE 1.11).
func readings(s string) []string {
	all := []string{Decode(s)}
	if !strings.Contains(s, "=?") {
		return all
	}
	for _, r := range []string{
		cleanLine(validText(s)),
		decodeWith(s, func(word) string { return "utf-8" }),
		decodeWith(s, func(word) string { return "iso-8859-1" }),
	} {
		if !slices.Contains(all, r) {
			all = append(all, r)
		}
	}
	return all
}

func decodeWith(s string, charset func(word) string) string {
	if !strings.Contains(s, "=?") {
		return cleanLine(validText(s))
	}
	var out strings.Builder
	var run []word
	for s != "" {
		before, w, after, found := cutWord(s)
		if len(run) > 0 && (!found || strings.TrimSpace(before) != "") {
			out.WriteString(decodeRun(run, charset))
			run = nil
			out.WriteString(validText(before))
		} else if len(run) == 0 {
			out.WriteString(validText(before)) // blanks between two words vanish
		}
		if found {
			run = append(run, w)
		}
		s = after
	}
	out.WriteString(decodeRun(run, charset))
	return cleanLine(out.String())
}

// cutWord finds the first encoded word.
func cutWord(s string) (before string, w word, after string, found bool) {
	for from := 0; ; {
		i := strings.Index(s[from:], "=?")
		if i < 0 {
			return s, word{}, "", false
		}
		i += from
		if w, n, ok := parseWord(s[i:]); ok {
			return s[:i], w, s[i+n:], true
		}
		from = i + 2
	}
}

// parseWord reads the encoded word at the beginning of s and says how long it is.
func parseWord(s string) (w word, n int, ok bool) {
	head, rest, ok := strings.Cut(s[2:], "?")
	if !ok || head == "" || len(head) > 60 || strings.ContainsAny(head, " \t=()<>@,;:\"/[]") {
		return w, 0, false
	}
	if len(rest) < 2 || rest[1] != '?' || !strings.ContainsRune("bBqQ", rune(rest[0])) {
		return w, 0, false
	}
	w.charset, _, _ = strings.Cut(head, "*") // RFC 2231 §5: a language may follow
	w.base64 = rest[0] == 'b' || rest[0] == 'B'
	text := rest[2:]
	length, end := wordEnd(text, w.base64)
	w.text = text[:length]
	n = len(s) - len(text) + end
	w.raw = s[:n]
	return w, n, true
}

// maxWord bounds the search for the end of a word, which RFC 2047 limits to 75.
const maxWord = 4096

// wordEnd finds "?=" and says how long the text is and where the word ends. A "?=" that two hexadecimal digits follow
// is an unencoded question mark before an escape, if a better end comes. Without any end the word reaches to the next
// blank.
func wordEnd(text string, isBase64 bool) (length, end int) {
	near := text[:min(len(text), maxWord)]
	first := strings.Index(near, "?=")
	if first < 0 {
		end := len(text)
		if blank := strings.IndexAny(text, " \t"); blank >= 0 {
			end = blank
		}
		return len(strings.TrimSuffix(text[:end], "?=")), end
	}
	text = near
	for at := first; !isBase64 && at+4 <= len(text) && unhex(text[at+2]) < 16 && unhex(text[at+3]) < 16; {
		next := strings.Index(text[at+2:], "?=")
		if next < 0 || strings.Contains(text[at+2:at+2+next+1], "=?") {
			break
		}
		at += 2 + next
		first = at
	}
	return first, first + 2
}

// decodeRun decodes adjacent words; those of one charset and encoding are joined first, because a character may be
// split between them.
func decodeRun(run []word, charset func(word) string) string {
	var out strings.Builder
	for len(run) > 0 {
		n := 1
		for n < len(run) && run[n].base64 == run[0].base64 && strings.EqualFold(run[n].charset, run[0].charset) {
			n++
		}
		out.WriteString(decodeJoined(run[:n], charset(run[0])))
		run = run[n:]
	}
	return out.String()
}

func decodeJoined(words []word, charset string) string {
	var octets []byte
	if words[0].base64 {
		octets = joinBase64(words)
	} else {
		for _, w := range words {
			octets = append(octets, decodeQ(w.text)...)
		}
	}
	if len(octets) == 0 {
		return rawWords(words)
	}
	return decodeText(octets, charset)
}

// rawWords stands for words that decode to nothing; empty ones are nothing.
func rawWords(words []word) string {
	var out strings.Builder
	for _, w := range words {
		if w.text != "" && strings.Trim(w.text, "=") != "" {
			out.WriteString(validText(w.raw))
		}
	}
	return out.String()
}

// joinBase64 decodes words one by one, unless their text was cut without regard to groups of four: then the texts are
// joined first.
func joinBase64(words []word) []byte {
	var apart, joined []byte
	cut := false
	together := new(base64Decoder)
	for i, w := range words {
		d := new(base64Decoder)
		apart = d.push(apart, []byte(w.text))
		if i < len(words)-1 && cutMidGroup(d) {
			cut = true
		}
		apart = d.flush(apart)
		joined = together.push(joined, []byte(w.text))
	}
	if cut {
		return together.flush(joined)
	}
	return apart
}

// cutMidGroup reports whether a text that has ended cannot have been encoded by itself: an encoder leaves no single
// character and no bits behind.
func cutMidGroup(d *base64Decoder) bool {
	switch d.n {
	case 1:
		return true
	case 2:
		return d.bits&0xf != 0
	case 3:
		return d.bits&0x3 != 0
	}
	return false
}

func decodeQ(s string) []byte {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '_':
			out = append(out, ' ')
		case c == '=' && i+2 < len(s) && unhex(s[i+1]) < 16 && unhex(s[i+2]) < 16:
			out = append(out, unhex(s[i+1])<<4|unhex(s[i+2]))
			i += 2
		default:
			out = append(out, c)
		}
	}
	return out
}

// validText reads octets that claim no charset.
func validText(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return latin1([]byte(s))
}

// cleanLine makes one line of a text: line ends and tabs become blanks, other control characters vanish.
func cleanLine(s string) string {
	if strings.IndexFunc(s, unicode.IsControl) < 0 {
		return s
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\r' || r == '\n' || r == '\u0085':
			return ' '
		case unicode.IsControl(r):
			return -1
		}
		return r
	}, s)
}
