package mail

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// maxDisplay is the length of a display name in characters (MAIL 6.1).
const maxDisplay = 64

// CleanDisplayName makes a name safe to stand before an address in a mail of ours: without control and bidi
// characters, quotes, backslashes and angle brackets, on one line, at most 64 characters (MAIL 6.1).
func CleanDisplayName(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == utf8Error || isBidi(r) || isQuote(r):
			return -1
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r):
			return -1
		}
		return r
	}, norm.NFC.String(strings.ToValidUTF8(s, "")))
	runes := []rune(strings.Join(strings.Fields(s), " "))
	if len(runes) > maxDisplay {
		runes = runes[:maxDisplay]
	}
	return strings.TrimSpace(string(runes))
}

const utf8Error = '\ufffd'

// isBidi is for characters that turn text around or cannot be seen; the joiners that scripts need are none.
func isBidi(r rune) bool {
	switch r {
	case '\u061c', '\u200b', '\u200e', '\u200f', '\u2028', '\u2029', '\ufeff', '\u00ad', '\u2060':
		return true
	}
	return r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u206f'
}

func isQuote(r rune) bool {
	switch r {
	case '"', '\\', '<', '>', '\u201c', '\u201d', '\u201e', '\u201f', '\u00ab', '\u00bb', '\u2039', '\u203a', '\u301d', '\u301e', '\u301f', '\uff02':
		return true
	}
	return false
}
