package pickup

import (
	"html"
	"html/template"
	"net/http"
	"regexp"
	"strings"

	"postern/pickup/web"
)

// helpPage is help.html (A13, B17).
type helpPage struct {
	page
	Choice choice // what a password needs, as the form of a new password says it
	Groups []helpGroup
	Search string
	Found  int
	All    int
	Print  bool // the printable version
}

type helpGroup struct {
	ID      string
	Title   template.HTML
	Answers []helpAnswer
}

type helpAnswer struct {
	ID       string // anchor; other pages link to some of them
	Short    template.HTML
	Question template.HTML
	Answer   template.HTML
}

// helpOrder is the order of the questions; their words are in _answers.html.
func helpOrder() [][]string {
	return [][]string{
		{"messages", "open", "link", "expired", "waiting", "keep", "reply"},
		{"passwords", "signing", "choose", "forgotten"},
		{"trust", "genuine", "administrators", "cookies", "browsers", "languages", "accessibility", "who"},
	}
}

func (s *Site) help(w http.ResponseWriter, r *http.Request) error {
	who, err := s.reader(r)
	if err != nil {
		return err
	}
	const longest = 100
	p := helpPage{page: s.page(r, who), Choice: s.choice(nil), Search: strings.TrimSpace(web.OneLine(r.URL.Query().Get("q"), longest)),
		Print: r.URL.Query().Get("print") != ""}
	p.Here = "help"
	for _, ids := range helpOrder() {
		group, err := s.helpGroup(&p, web.Lang(r.Context()), ids)
		if err != nil {
			return err
		}
		if len(group.Answers) > 0 {
			p.Groups = append(p.Groups, group)
		}
	}
	return s.show(w, r, http.StatusOK, "help", p)
}

// helpGroup renders the answers of a group that hold what is searched for.
func (s *Site) helpGroup(p *helpPage, lang string, ids []string) (g helpGroup, err error) {
	g.ID = ids[0]
	if g.Title, err = s.pages.Part(lang, "help", g.ID+"-title", p); err != nil {
		return g, err
	}
	words := searched(p.Search)
	for _, id := range ids[1:] {
		a := helpAnswer{ID: id}
		for block, to := range map[string]*template.HTML{"-short": &a.Short, "-question": &a.Question, "-answer": &a.Answer} {
			if *to, err = s.pages.Part(lang, "help", id+block, p); err != nil {
				return g, err
			}
		}
		p.All++
		if words.in(string(a.Question + a.Answer)) {
			p.Found++
			a.Question, a.Answer = words.mark(a.Question), words.mark(a.Answer)
			g.Answers = append(g.Answers, a)
		}
	}
	return g, nil
}

// wanted are the words of a search, each as an expression that takes any case.
type wanted []*regexp.Regexp

func searched(text string) (words wanted) {
	for _, w := range strings.Fields(text) {
		words = append(words, regexp.MustCompile(`(?i)`+regexp.QuoteMeta(w)))
	}
	return words
}

var tags = regexp.MustCompile(`<[^>]*>`)

// in reports whether the text of a piece of HTML holds every word.
func (words wanted) in(page string) bool {
	text := html.UnescapeString(tags.ReplaceAllString(page, ""))
	for _, w := range words {
		if !w.MatchString(text) {
			return false
		}
	}
	return true
}

// mark puts a mark element around every word in the text of a piece of HTML that templates made: a less-than sign begins
// a tag there, and nothing else.
func (words wanted) mark(page template.HTML) template.HTML {
	if len(words) == 0 {
		return page
	}
	var b strings.Builder
	rest := string(page)
	for rest != "" {
		text, more, _ := strings.Cut(rest, "<")
		words.markText(&b, html.UnescapeString(text))
		tag, after, found := strings.Cut(more, ">")
		if found {
			b.WriteString("<" + tag + ">")
		}
		rest = after
	}
	return template.HTML(b.String())
}

func (words wanted) markText(b *strings.Builder, text string) {
	for text != "" {
		first := []int{len(text), len(text)}
		for _, w := range words {
			if at := w.FindStringIndex(text); at != nil && (at[0] < first[0] || at[0] == first[0] && at[1] > first[1]) {
				first = at
			}
		}
		b.WriteString(template.HTMLEscapeString(text[:first[0]]))
		if first[1] > first[0] {
			b.WriteString("<mark>" + template.HTMLEscapeString(text[first[0]:first[1]]) + "</mark>")
		}
		text = text[first[1]:]
	}
}
