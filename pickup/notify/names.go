package notify

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"postern/store"
	"postern/store/mail"
)

// maxName is how many characters a display name may have (MAIL 6.1).
const maxName = 64

// maxRawName is how many octets of a name are looked at; NFKC makes up to 18 characters of one.
const maxRawName = 1000

// maxBrowser bounds what a browser may call itself in a mail.
const maxBrowser = 60

// personName is the display name of somebody as it may stand in our mails: "" when there is none worth showing. A name
// that holds an address or a link is dropped, since mail programs would make it one; one that merely has a dot between
// letters ("Dr.Jones", "bank.example") gets a blank behind the dot.
func personName(m mail.Mailbox) string {
	name := oneLine(norm.NFKC.String(m.Name[:min(len(m.Name), maxRawName)]))
	if strings.ContainsAny(name, "@\\<>") || hasScheme(name) || !strings.ContainsFunc(name, unicode.IsLetter) {
		return ""
	}
	return cut(spaceDots(name), maxName)
}

// person is the name, or the address of somebody without a name.
func person(m mail.Mailbox) string {
	if name := personName(m); name != "" {
		return name
	}
	return m.Address.String()
}

// hasScheme reports what could make a link of a name: "https:x", "//x", "mailto:x", "www.x".
func hasScheme(s string) bool {
	if strings.Contains(s, "//") || strings.Contains(strings.ToLower(s), "www.") {
		return true
	}
	rs := []rune(s)
	for i, r := range rs {
		if r == ':' && i+1 < len(rs) && rs[i+1] != ' ' {
			return true
		}
	}
	return false
}

// spaceDots puts a blank behind every dot, ideographic ones too, that stands between two letters or digits.
func spaceDots(s string) string {
	rs := []rune(s)
	var b strings.Builder
	for i, r := range rs {
		b.WriteRune(r)
		if (r == '.' || r == '。') && i > 0 && i+1 < len(rs) && rs[i-1] != ' ' && rs[i+1] != ' ' {
			b.WriteByte(' ')
		}
	}
	return b.String()
}

// oneLine removes what mail.CleanDisplayName removes from a display name, and collapses blanks, without its limit of
// length.
func oneLine(s string) string {
	var b strings.Builder
	for _, word := range strings.Fields(strings.ToValidUTF8(s, "")) {
		word = strings.Map(visible, word)
		if word == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(word)
	}
	return b.String()
}

// visible drops control characters, quotes, and format characters (bidi, zero width, soft hyphen, tags); of these only
// the two joiners stay, which some scripts need inside words.
func visible(r rune) rune {
	const zwnj, zwj = '\u200c', '\u200d'
	switch {
	case r == zwnj || r == zwj:
		return r
	case r == '"' || r == '“' || r == '”' || r == '„' || r == '«' || r == '»':
		return -1
	case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs, unicode.Zl, unicode.Zp), r == '\ufffd', r == '\u034f':
		return -1
	}
	return r
}

// cut shortens s to n characters, at a blank where one is near.
func cut(s string, n int) string {
	rs := []rune(s)
	if len(rs) <= n {
		return s
	}
	if n < 1 {
		return ""
	}
	head := string(rs[:n])
	if i := strings.LastIndexByte(head, ' '); i > len(head)*2/3 {
		head = head[:i]
	}
	return strings.TrimSpace(head)
}

// via is the display name of a mail that we write for somebody: "NAME via ORG", at most maxName characters. The name
// gives way before the organisation does, down to a third.
func (w *writer) via(name string) string {
	org := cut(w.c.org.Name, maxName*2/3-5)
	room := maxName - len([]rune(w.say(phraseVia, "", org)))
	return cut(mail.CleanDisplayName(w.say(phraseVia, cut(name, room), org)), maxName)
}

// viaBoth is via for an author outside, with the address beside the name where both fit: their own mail address is what
// readers inside know them by.
func (w *writer) viaBoth(m mail.Mailbox) string {
	name, address := personName(m), m.Address.String()
	if name == "" {
		return w.via(address)
	}
	both := name + " (" + address + ")"
	if full := w.say(phraseVia, both, w.c.org.Name); fits(full) {
		return full
	}
	if fits(w.say(phraseVia, address, w.c.org.Name)) {
		return w.via(address) // half an address would be another one
	}
	return w.via(name)
}

func fits(name string) bool { return utf8.RuneCountInString(name) <= maxName }

// asciiMailbox is m for a header field, nil when its address would need SMTPUTF8 (MAIL 6.1).
func asciiMailbox(m mail.Mailbox) *mail.Mailbox {
	if m.Address.IsZero() || !m.Address.ASCII() {
		return nil
	}
	return &mail.Mailbox{Name: mail.CleanDisplayName(personName(m)), Address: m.Address}
}

// bounceTo is MAIL FROM where no bounce domain is configured (MAIL 6.3): the given sender, or the notification address.
// A bounce quotes the mail and so its link: it goes to nobody outside, such as the forwarder or list that brought the
// original. Their domain would not let us send in its name either (SPF).
func (c *Composer) bounceTo(sender *store.Address) *store.Address {
	if sender != nil && sender.ASCII() && c.isInside(sender.Domain) {
		return sender
	}
	return &c.from
}

// isInside reports whether a domain is the organisation's (MAIL "Words").
func (c *Composer) isInside(domain string) bool {
	domain = store.DomainKey(domain)
	return slices.ContainsFunc(c.org.Domains, func(entry string) bool {
		entry = store.DomainKey(entry)
		return domain == entry || strings.HasPrefix(entry, ".") && strings.HasSuffix(domain, entry)
	})
}
