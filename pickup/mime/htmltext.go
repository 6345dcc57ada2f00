package mime

import (
	"strconv"
	"strings"

	xhtml "golang.org/x/net/html"
)

// maxIndent bounds quote marks and list indents in front of each line, maxTables the tables inside each other whose rows
// are told apart.
const (
	maxIndent = 8
	maxTables = 20
)

// htmlToText writes HTML as text that reads well: paragraphs apart, lists with marks, the cells of a row on one line, the
// addresses of links behind their text, quotations marked.
func htmlToText(source string) string {
	t := &texter{hidden: map[string]int{}}
	z := xhtml.NewTokenizer(strings.NewReader(source))
	for {
		switch z.Next() {
		case xhtml.ErrorToken:
			return strings.TrimSpace(t.out.String())
		case xhtml.TextToken:
			t.text(z.Token().Data)
		case xhtml.StartTagToken, xhtml.SelfClosingTagToken:
			t.start(z.Token())
		case xhtml.EndTagToken:
			t.end(z.Token().Data)
		}
	}
}

// texter is the state of the conversion. gap is how many line ends are due before the next word, blank whether a blank
// is.
type texter struct {
	out    strings.Builder
	gap    int
	blank  bool
	lines  int // line ends written
	pre    int
	quotes int
	lists  []list
	rows   []row // one per open table
	deeper int   // tables open inside the last of them
	link   link
	hidden map[string]int // open elements whose content is not text
	depth  int            // of them
}

type list struct {
	ordered bool
	n       int
}

// row is the table row being written: whether a cell with text came before, and on which line the row began.
type row struct {
	begun     bool
	cell      bool // a separator is due before the next word
	cellStart bool // nothing of the cell is written yet, so blocks in it break no line
	line      int
}

type link struct {
	href string
	at   int
}

// isHidden is for elements that are not text, and for those that the tokenizer reads as one piece of text.
func isHidden(name string) bool {
	return hasWord(unreadable, name) || name == "head" || name == "base" || name == "link" || name == "meta"
}

// isVoid is for hidden elements without end tag.
func isVoid(name string) bool { return hasWord("base embed frame link meta", name) }

func (t *texter) start(tok xhtml.Token) {
	name := tok.Data
	if isHidden(name) {
		if !isVoid(name) && tok.Type == xhtml.StartTagToken && name != "head" && t.depth < 1000 {
			t.hidden[name]++
			t.depth++
		}
		return
	}
	if t.depth > 0 {
		return
	}
	switch name {
	case "br":
		t.breakLine()
	case "hr":
		t.block(1)
		t.word("----------")
		t.block(1)
	case "img":
		if alt := strings.TrimSpace(attr(tok, "alt")); alt != "" {
			t.text(" [" + alt + "] ")
		}
	case "a":
		t.endLink()
		t.link = link{attr(tok, "href"), t.out.Len()}
	default:
		t.open(name)
	}
}

func (t *texter) open(name string) {
	t.block(gapOf(name))
	switch name {
	case "pre":
		t.pre++
	case "blockquote":
		t.quotes++
	case "ul", "ol", "dir":
		t.lists = append(t.lists, list{ordered: name == "ol"})
	case "li":
		t.item()
	case "table":
		if len(t.rows) < maxTables {
			t.rows = append(t.rows, row{})
		} else {
			t.deeper++
		}
	case "tr":
		if r := t.row(); r != nil {
			*r = row{begun: true, line: -1}
		}
	case "td", "th":
		t.cell()
	}
}

func (t *texter) end(name string) {
	if t.hidden[name] > 0 {
		t.hidden[name]--
		t.depth--
		return
	}
	if t.depth > 0 {
		return
	}
	switch name {
	case "a":
		t.endLink()
	case "pre":
		t.pre = max(0, t.pre-1)
	case "blockquote":
		t.quotes = max(0, t.quotes-1)
	case "ul", "ol", "dir":
		t.lists = t.lists[:max(0, len(t.lists)-1)]
	case "table":
		if t.deeper > 0 {
			t.deeper--
		} else {
			t.rows = t.rows[:max(0, len(t.rows)-1)]
		}
	}
	if name != "td" && name != "th" {
		t.block(gapOf(name))
	}
}

// gapOf is how many line ends stand around an element.
func gapOf(name string) int {
	switch name {
	case "p", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "pre", "table", "ul", "ol", "dl":
		return 2
	case "div", "li", "tr", "dt", "dd", "address", "article", "aside", "center", "dir", "figure", "figcaption", "footer", "header",
		"main", "nav", "section", "caption", "form", "fieldset":
		return 1
	}
	return 0
}

func (t *texter) row() *row {
	if len(t.rows) == 0 {
		return nil
	}
	return &t.rows[len(t.rows)-1]
}

// cell begins a table cell: behind a mark on the same line while the row is one line, else on a line of its own.
func (t *texter) cell() {
	r := t.row()
	if r == nil {
		t.block(1)
		return
	}
	r.cell, r.cellStart = false, true
	if r.line < 0 {
		return
	}
	if r.line == t.lines {
		t.gap, r.cell = 0, true
		return
	}
	t.gap = max(t.gap, 1)
}

func (t *texter) item() {
	mark := "-"
	if n := len(t.lists); n > 0 {
		l := &t.lists[n-1]
		if l.n++; l.ordered {
			mark = strconv.Itoa(l.n) + "."
		}
	}
	t.word(mark)
	t.blank = true
}

// block asks for line ends before the next word.
func (t *texter) block(n int) {
	if n == 0 {
		return
	}
	if r := t.row(); r != nil && r.cellStart {
		t.blank = false
		return
	}
	if t.out.Len() > 0 {
		t.gap = max(t.gap, n)
	}
	t.blank = false
}

func (t *texter) breakLine() {
	if t.out.Len() > 0 {
		t.gap = min(t.gap+1, 2)
	}
	t.blank = false
}

// text writes words with single blanks between them; inside pre, lines as they are.
func (t *texter) text(s string) {
	if t.depth > 0 {
		return
	}
	s = strings.Map(visibleInText, s)
	if t.pre > 0 {
		t.preLines(s)
		return
	}
	if s != "" && isBlank(s[0]) {
		t.blank = true
	}
	for i, w := range strings.Fields(s) {
		t.blank = t.blank || i > 0
		t.word(w)
	}
	if s != "" && isBlank(s[len(s)-1]) {
		t.blank = true
	}
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\n' }

// visibleInText drops what is used to fill preview texts and to hide words: soft hyphen, joiners of nothing, zero-width
// blank. A no-break space is a blank.
func visibleInText(r rune) rune {
	switch r {
	case '\u00ad', '\u034f', '\u200b', '\u2060', '\ufeff':
		return -1
	case '\u00a0':
		return ' '
	}
	return r
}

func (t *texter) preLines(s string) {
	for i, line := range strings.Split(s, "\n") {
		if i > 0 {
			t.breakLine()
		}
		if line != "" {
			t.blank = false
			t.word(line)
		}
	}
}

// word writes w behind what is due before it.
func (t *texter) word(w string) {
	r := t.row()
	switch {
	case t.gap > 0:
		for range t.gap {
			t.out.WriteByte('\n')
			t.lines++
		}
		t.indent()
	case t.out.Len() == 0:
		t.indent()
	case r != nil && r.cell:
		t.out.WriteString(" | ")
	case t.blank:
		t.out.WriteByte(' ')
	}
	t.gap, t.blank = 0, false
	for i := range t.rows {
		t.rows[i].begin(t.lines)
	}
	t.out.WriteString(w)
}

// begin notes that a row has text.
func (r *row) begin(line int) {
	if r.begun && r.line < 0 {
		r.line = line
	}
	r.cell, r.cellStart = false, false
}

func (t *texter) indent() {
	t.out.WriteString(strings.Repeat("> ", min(t.quotes, maxIndent)))
	t.out.WriteString(strings.Repeat("  ", min(max(0, len(t.lists)-1), maxIndent)))
}

// endLink writes the address of a link behind its text, unless the text says it.
func (t *texter) endLink() {
	href := strings.TrimSpace(t.link.href)
	text := strings.TrimSpace(t.out.String()[min(t.link.at, t.out.Len()):])
	t.link = link{}
	scheme, rest, _ := strings.Cut(href, ":")
	switch strings.ToLower(scheme) {
	case "mailto":
		href, _, _ = strings.Cut(rest, "?")
	case "http", "https":
		if strings.Trim(rest, "/") == strings.Trim(text, "/") {
			return
		}
	default:
		return
	}
	if href == "" || text == "" || strings.EqualFold(text, href) || strings.Trim(text, "/") == strings.Trim(href, "/") || strings.ContainsAny(href, " \n<>") {
		return
	}
	t.blank = true
	t.word("<" + href + ">")
}

func attr(tok xhtml.Token, key string) string {
	for _, a := range tok.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}
