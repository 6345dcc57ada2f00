package policy

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"postern/store"
)

// The refusals of MAIL §5 for flagged messages.

const notSent = "Secure message not sent: "

// Room in an SMTP reply of 300 octets beside its code, the words around it and the reference.
const (
	maxSentence = 200
	maxSupport  = 120
)

func replyNotEnabled(support string) *store.ReplyError {
	return store.Reply(550, [3]int{5, 7, 1}, notSent+"your address is not enabled for secure mail. Contact "+support)
}

func replyForeign() *store.ReplyError {
	return store.Reply(550, [3]int{5, 7, 1}, notSent+"the From address is not of this organisation")
}

func replyNoAuthor() *store.ReplyError {
	return store.Reply(550, [3]int{5, 6, 0}, notSent+"it must have exactly one From address")
}

// replyOption names what parseOption knows; the option itself is text of the subject and is not repeated.
func replyOption() *store.ReplyError {
	return store.Reply(550, [3]int{5, 7, 0}, notSent+"unknown option in the subject tag; known are 7d, 12h, noreply")
}

// replyRule says a rule's sentence; a message that was never meant to be secure is not called so.
func replyRule(sentence string, flagged bool) *store.ReplyError {
	text := "Message not sent: " + sentence
	if flagged {
		text = notSent + sentence
	}
	return store.Reply(550, [3]int{5, 7, 1}, text)
}

func replyDisabled(support string) *store.ReplyError {
	return store.Reply(550, [3]int{5, 2, 1}, notSent+"this recipient is disabled here. Contact "+support)
}

func replyLiteral() *store.ReplyError {
	return store.Reply(550, [3]int{5, 1, 3}, notSent+"this address cannot receive secure mail")
}

// supportText is what a refusal calls the support desk.
func supportText(s string) string {
	text, _ := asciiText(s)
	if len(text) > maxSupport {
		text = strings.TrimSpace(text[:maxSupport])
	}
	if text == "" {
		return "your administrator"
	}
	return text
}

// asciiText writes a text on one line in ASCII. exact is false when a character had to be replaced by a question mark.
func asciiText(s string) (text string, exact bool) {
	exact = true
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.Is(unicode.Mn, r):
			return -1 // the accents that NFKD took apart
		case unicode.IsSpace(r):
			return ' '
		case r < ' ' || r > '~':
			exact = false
			return '?'
		}
		return r
	}, norm.NFKD.String(asciiLetters.Replace(s)))
	return strings.Join(strings.Fields(text), " "), exact
}

var asciiLetters = strings.NewReplacer("ß", "ss", "ẞ", "SS", "æ", "ae", "Æ", "AE", "œ", "oe", "Œ", "OE", "ø", "o", "Ø", "O",
	"ł", "l", "Ł", "L", "đ", "d", "Đ", "D", "‘", "'", "’", "'", "“", `"`, "”", `"`, "„", `"`, "–", "-", "—", "-")
