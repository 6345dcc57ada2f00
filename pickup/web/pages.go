package web

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"maps"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// shared are the parts that both sites use.
//
//go:embed templates/_*.html
var shared embed.FS

// Pages holds a site's templates, parsed once, in a set for every language. A page is a file of its own that defines the
// blocks of layout.html; files whose name begins with "_" hold parts of several pages;
// those of both sites lie beside this package and are always there.
type Pages struct {
	pages map[string]bool
	sets  map[string]func() *template.Template // by language; made when somebody first asks for it
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
	p := &Pages{pages: map[string]bool{}, sets: map[string]func() *template.Template{}}
	all, pages, err := parseAll(cfg.Files, cfg.funcs(English))
	if err != nil {
		return nil, fmt.Errorf("templates: %w", err)
	}
	for _, page := range pages {
		p.pages[page] = true
	}
	for _, l := range cfg.Catalogue.Languages() {
		p.sets[l.Tag] = sync.OnceValue(func() *template.Template { return all.bind(cfg.funcs(l.Tag)) })
	}
	return p, nil
}

func (cfg PagesConfig) funcs(lang string) template.FuncMap {
	funcs := NewSpeaker(cfg.Catalogue, lang, cfg.Zone).funcs()
	funcs["asset"] = cfg.Assets.URL
	maps.Copy(funcs, cfg.Funcs)
	return funcs
}

// Part renders one block of a page, or a part that pages share.
func (p *Pages) Part(lang, page, block string, data any) (template.HTML, error) {
	set, err := p.find(lang, page)
	if err != nil {
		return "", err
	}
	name := block
	if own := blockName(page, block); set.Lookup(own) != nil {
		name = own
	}
	var buf bytes.Buffer
	if err := set.ExecuteTemplate(&buf, name, data); err != nil {
		return "", fmt.Errorf("render %s of page %s: %w", block, page, err)
	}
	return template.HTML(buf.String()), nil
}

// Write renders a page into memory and then sends it. After an error nothing has been sent.
func (p *Pages) Write(w http.ResponseWriter, r *http.Request, status int, page string, data any) error {
	set, err := p.find(Lang(r.Context()), page)
	if err != nil {
		return err
	}
	var buf bytes.Buffer
	if err := set.ExecuteTemplate(&buf, blockName(page, layoutFile), data); err != nil {
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

// find is the set that a page is in.
func (p *Pages) find(lang, page string) (*template.Template, error) {
	if !p.pages[page] {
		return nil, fmt.Errorf("no page %q", page)
	}
	set, ok := p.sets[lang]
	if !ok {
		set = p.sets[English]
	}
	return set(), nil
}
