package notify

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"
)

// columns is the width of the text part.
const columns = 72

// sheet is one mail before it is rendered: the same blocks become the text and the HTML part.
type sheet struct {
	lang    string
	subject string
	title   string // the heading; empty: the subject
	blocks  []block
	reason  string // why the reader gets this mail
	footer  []string
}

// block is a paragraph, a link or a table of facts.
type block struct {
	only  medium
	lead  string // bold beginning of a paragraph
	text  string
	link  string
	code  string // to be typed: it stands alone
	facts []fact
}

type fact struct {
	label, textLabel string
	value            string
	address          string // a second, smaller line below value
	only             medium
	strong           bool
}

// medium says which of the two parts something belongs to.
type medium int

const (
	both medium = iota
	textOnly
	htmlOnly
)

// writer collects the blocks of one mail in one language.
type writer struct {
	c    *Composer
	lang string
	sheet
}

func (c *Composer) write(lang string) *writer {
	lang = cmp.Or(lang, c.lang)
	return &writer{c: c, lang: lang, sheet: sheet{lang: lang}}
}

func (w *writer) say(id string, args ...any) string { return w.c.cat.Text(w.lang, id, args...) }

// short is the organisation in running text. The short name is a phrase of the organisation's own language: in any other,
// the name stands in its place.
func (w *writer) short() string {
	if w.lang == w.c.lang {
		return w.c.org.Short
	}
	return w.c.org.Name
}

// word is say for an id without verbs, such as the name of a month.
func (w *writer) word(id string) string { return w.say(id, []any(nil)...) }

// Isolates keep a name from turning the text around it where that runs from right to left (UAX #9). Only the HTML part
// has them: text and header fields are read by programs that may show them as boxes.
const (
	isolate    = "\u2068"
	isolateEnd = "\u2069"
)

// sentence is say for what stands in the mail itself: in languages from right to left, names, addresses and hosts are
// isolated.
func (w *writer) sentence(id string, args ...any) string {
	if _, dir := direction(w.lang); dir != "rtl" {
		return w.say(id, args...)
	}
	apart := slices.Clone(args)
	for i, a := range apart {
		if s, ok := a.(string); ok {
			apart[i] = isolate + s + isolateEnd
		}
	}
	return w.say(id, apart...)
}

// unisolated is a text without isolates.
func unisolated(text string) string {
	return strings.NewReplacer(isolate, "", isolateEnd, "").Replace(text)
}

func (w *writer) para(id string, args ...any) { w.add(block{text: w.sentence(id, args...)}) }

// asked adds a paragraph that opens with a question or a short label.
func (w *writer) asked(lead, id string, args ...any) {
	w.add(block{lead: w.word(lead), text: w.sentence(id, args...)})
}

func (w *writer) add(b block) { w.blocks = append(w.blocks, b) }

func (w *writer) fact(label, value string) fact {
	l := w.word(label)
	return fact{label: l, textLabel: w.say(phraseLabel, l), value: value}
}

// close adds why the reader gets the mail, the help desk and the postal address.
func (w *writer) close(reason string, args ...any) sheet {
	w.reason = w.sentence(reason, args...)
	s := w.c.org.Support
	contact := joined(s.Phone, s.Email) // who cannot hear writes
	if s.Desk == "" {
		contact = cmp.Or(contact, w.c.org.Postmaster)
	}
	if desk := joined(s.Desk, contact); desk != "" {
		w.footer = append(w.footer, w.sentence(phraseHelp, desk))
	}
	if s.Hours != "" {
		w.footer = append(w.footer, s.Hours)
	}
	w.footer = append(w.footer, joined(w.c.org.Name, w.c.org.PostalAddress))
	return w.sheet
}

// joined lists values, not words of a sentence.
func joined(values ...string) string {
	var kept []string
	for _, v := range values {
		if v != "" {
			kept = append(kept, v)
		}
	}
	return strings.Join(kept, ", ")
}

// renderText is the text part, lines ended by LF.
func (s sheet) renderText() string {
	var b strings.Builder
	for _, bl := range s.blocks {
		if bl.only == htmlOnly {
			continue
		}
		switch {
		case bl.link != "":
			b.WriteString(bl.link + "\n\n")
		case bl.code != "":
			b.WriteString("    " + bl.code + "\n\n")
		case len(bl.facts) > 0:
			writeFacts(&b, bl.facts)
		default:
			b.WriteString(wrap(strings.TrimSpace(bl.lead+" "+bl.text)) + "\n\n")
		}
	}
	b.WriteString("--\n" + wrap(s.reason) + "\n")
	for _, line := range s.footer {
		b.WriteString(wrap(line) + "\n")
	}
	return unisolated(b.String())
}

func writeFacts(b *strings.Builder, facts []fact) {
	width := 0
	for _, f := range facts {
		width = max(width, utf8.RuneCountInString(f.textLabel))
	}
	for _, f := range facts {
		if f.only == htmlOnly {
			continue
		}
		pad := strings.Repeat(" ", width-utf8.RuneCountInString(f.textLabel)+2)
		value := f.value
		switch {
		case value == "":
			value = f.address
		case f.address != "":
			value += " (" + f.address + ")"
		}
		b.WriteString(f.textLabel + pad + value + "\n")
	}
	b.WriteString("\n")
}

// wrap breaks text at blanks so that no line is longer than columns, unless one word is.
func wrap(text string) string {
	var b strings.Builder
	used := 0
	for _, word := range strings.Fields(text) {
		n := utf8.RuneCountInString(unisolated(word))
		switch {
		case used == 0:
		case used+1+n > columns:
			b.WriteByte('\n')
			used = 0
		default:
			b.WriteByte(' ')
			used++
		}
		b.WriteString(word)
		used += n
	}
	return b.String()
}
