package notify

import (
	"cmp"
	_ "embed"
	"html/template"
	"strings"

	"golang.org/x/text/language"
)

//go:embed mail.tmpl
var mailTemplate string

// page is parsed once; executing a template does not change it.
var page = template.Must(template.New("mail").Parse(mailTemplate))

// Old Outlook ignores max-width and needs a table of fixed width around the sheet, in comments that html/template would
// remove.
const (
	outlookOpen  template.HTML = `<!--[if mso]><table role="presentation" width="600" cellpadding="0" cellspacing="0" border="0"><tr><td><![endif]-->`
	outlookClose template.HTML = `<!--[if mso]></td></tr></table><![endif]-->`
)

type pageData struct {
	Lang, Dir, Align             string
	Subject, Title, Org, Service string
	OutlookOpen, OutlookClose    template.HTML
	Blocks                       []pageBlock
	Reason                       string
	Footer                       []string
}

type pageBlock struct {
	Lead, Text, Link, Code string
	Facts                  []pageFact
}

type pageFact struct {
	Label, Value, Local, Domain string
	Strong, Last                bool
}

// renderHTML is the HTML part, lines ended by LF.
func (c *Composer) renderHTML(s sheet) (string, error) {
	var b strings.Builder
	if err := page.Execute(&b, c.pageData(s)); err != nil {
		return "", err
	}
	return b.String(), nil
}

func (c *Composer) pageData(s sheet) pageData {
	lang, dir := direction(s.lang)
	align := "left"
	if dir == "rtl" {
		align = "right"
	}
	d := pageData{Lang: lang, Dir: dir, Align: align, Subject: s.subject, Title: cmp.Or(s.title, s.subject), Org: c.org.Name,
		Service:     c.cat.Text(s.lang, phraseService),
		OutlookOpen: outlookOpen, OutlookClose: outlookClose, Reason: s.reason, Footer: s.footer}
	for _, bl := range s.blocks {
		if bl.only != textOnly {
			d.Blocks = append(d.Blocks, pageBlockOf(bl))
		}
	}
	return d
}

func pageBlockOf(bl block) pageBlock {
	p := pageBlock{Lead: bl.lead, Text: bl.text, Link: bl.link, Code: bl.code}
	for _, f := range bl.facts {
		if f.only == textOnly {
			continue
		}
		pf := pageFact{Label: f.label, Value: f.value, Strong: f.strong}
		if at := strings.LastIndexByte(f.address, '@'); at >= 0 {
			pf.Local, pf.Domain = f.address[:at], f.address[at+1:]
		}
		p.Facts = append(p.Facts, pf)
	}
	if n := len(p.Facts); n > 0 {
		p.Facts[n-1].Last = true
	}
	return p
}

// direction is the language as HTML wants it, and which way it is written.
func direction(lang string) (tag, dir string) {
	t, err := language.Parse(lang)
	if lang == "" || err != nil {
		return "en", "ltr"
	}
	script, _ := t.Script()
	switch script.String() {
	case "Arab", "Hebr", "Syrc", "Thaa", "Nkoo", "Adlm", "Rohg":
		return t.String(), "rtl"
	}
	return t.String(), "ltr"
}
