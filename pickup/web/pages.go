package web

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"maps"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"
)

// shared are the parts that both sites use.
//
//go:embed templates/_*.html
var shared embed.FS

// Pages holds a site's templates, parsed once for every language. A page is a file of its own that defines the blocks
// of layout.html; files whose name begins with "_" hold parts of several pages;
// those of both sites lie beside this package and are always there.
type Pages struct {
	sets map[string]map[string]*template.Template // language, page
}

// PagesConfig is what NewPages needs.
type PagesConfig struct {
	Files     fs.FS // layout.html, _*.html, and one file per page
	Catalogue *Catalogue
	Assets    *Assets
	Zone      *time.Location   // in which dates are shown
	Funcs     template.FuncMap // the site's own
}

// NewPages parses everything, so that a mistake shows at start and not in front of a reader.
func NewPages(cfg PagesConfig) (*Pages, error) {
	p := &Pages{sets: map[string]map[string]*template.Template{}}
	names, err := fs.Glob(cfg.Files, "*.html")
	if err != nil {
		return nil, fmt.Errorf("list templates: %w", err)
	}
	for _, l := range cfg.Catalogue.Languages() {
		set, err := parse(cfg, NewSpeaker(cfg.Catalogue, l.Tag, cfg.Zone), names)
		if err != nil {
			return nil, fmt.Errorf("templates in %s: %w", l.Tag, err)
		}
		p.sets[l.Tag] = set
	}
	return p, nil
}

func parse(cfg PagesConfig, s *Speaker, names []string) (map[string]*template.Template, error) {
	funcs := s.funcs()
	funcs["asset"] = cfg.Assets.URL
	maps.Copy(funcs, cfg.Funcs)
	base, err := template.New("layout.html").Funcs(funcs).Option("missingkey=error").ParseFS(shared, "templates/_*.html")
	if err != nil {
		return nil, err
	}
	if base, err = base.ParseFS(cfg.Files, "layout.html", "_*.html"); err != nil {
		return nil, err
	}
	set := map[string]*template.Template{}
	for _, name := range names {
		if name == "layout.html" || strings.HasPrefix(name, "_") {
			continue
		}
		page, err := template.Must(base.Clone()).ParseFS(cfg.Files, name)
		if err != nil {
			return nil, err
		}
		set[strings.TrimSuffix(path.Base(name), ".html")] = page
	}
	return set, nil
}

// Names lists the pages.
func (p *Pages) Names() []string {
	var names []string
	for name := range p.sets[English] {
		names = append(names, name)
	}
	return names
}

// Part renders one block of a page.
func (p *Pages) Part(lang, page, block string, data any) (template.HTML, error) {
	t, err := p.find(lang, page)
	if err != nil {
		return "", err
	}
	var buf bytes.Buffer
	if err := t.ExecuteTemplate(&buf, block, data); err != nil {
		return "", fmt.Errorf("render %s of page %s: %w", block, page, err)
	}
	return template.HTML(buf.String()), nil
}

// Write renders a page into memory and then sends it. After an error nothing has been sent.
func (p *Pages) Write(w http.ResponseWriter, r *http.Request, status int, page string, data any) error {
	t, err := p.find(Lang(r.Context()), page)
	if err != nil {
		return err
	}
	var buf bytes.Buffer
	if err := t.ExecuteTemplate(&buf, "layout.html", data); err != nil {
		return fmt.Errorf("render page %s: %w", page, err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", Lang(r.Context()))
	h.Set("Content-Length", strconv.Itoa(buf.Len()))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(buf.Bytes()) // the reader is gone; nothing is left to tell anybody
	}
	return nil
}

func (p *Pages) find(lang, page string) (*template.Template, error) {
	set, ok := p.sets[lang]
	if !ok {
		set = p.sets[English]
	}
	t, ok := set[page]
	if !ok {
		return nil, fmt.Errorf("no page %q", page)
	}
	return t, nil
}
