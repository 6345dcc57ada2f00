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
		{"messages", "open", "link", "expired", "waiting", "keep"},
		{"passwords", "signing", "choose", "forgotten"},
		{"trust", "genuine", "administrators", "cookies", "browsers", "accessibility", "who"},
	}
}

func (s *Site) help(w http.ResponseWriter, r *http.Request) error {
	who, err := s.who(r)
	if err != nil {
		return err
	}
	const longest = 100
	p := helpPage{page: s.page(r, who), Search: strings.TrimSpace(web.OneLine(r.URL.Query().Get("q"), longest)),
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
	for _, id := range ids[1:] {
		a := helpAnswer{ID: id}
		for block, to := range map[string]*template.HTML{"-short": &a.Short, "-question": &a.Question, "-answer": &a.Answer} {
			if *to, err = s.pages.Part(lang, "help", id+block, p); err != nil {
				return g, err
			}
		}
		p.All++
		if holds(string(a.Question+a.Answer), p.Search) {
			p.Found++
			g.Answers = append(g.Answers, a)
		}
	}
	return g, nil
}

var tags = regexp.MustCompile(`<[^>]*>`)

// holds reports whether the text of a piece of HTML contains words, in any case.
func holds(page, words string) bool {
	text := html.UnescapeString(tags.ReplaceAllString(page, " "))
	return strings.Contains(strings.ToLower(strings.Join(strings.Fields(text), " ")), strings.ToLower(words))
}
