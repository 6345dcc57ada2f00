package web

import (
	"errors"
	"html/template"
	"net/url"
	"strings"
)

// icons are drawn on a 24 by 24 grid with a stroke of 1.8. One icon has one meaning. An entry that begins with ">" is
// turned around where text runs from right to left.
func icons(name string) string {
	switch name {
	case "arrow":
		return `><path d="M5 12h14m-6-6 6 6-6 6"/>`
	case "back":
		return `><path d="m14.5 5.5-6.5 6.5 6.5 6.5"/>`
	case "up":
		return `<path d="m5.5 14.5 6.5-6.5 6.5 6.5"/>`
	case "tick":
		return `<path d="m5 12.5 4.5 4.5L19 7.5"/>`
	case "cross":
		return `<path d="m6.5 6.5 11 11m0-11-11 11"/>`
	case "alert":
		return `<path d="m12 4 9 16H3zM12 10v4.500M12 17.200v.2"/>`
	case "info":
		return `<circle cx="12" cy="12" r="8.5"/><path d="M12 11v5.5M12 7.500v.2"/>`
	case "search":
		return `<circle cx="10.5" cy="10.5" r="6"/><path d="m15 15 5 5"/>`
	case "dot":
		return `<circle cx="12" cy="12" r="7" fill="currentColor"/>`
	case "clip":
		return `<path d="m8 12.8 5.9-5.9a3 3 0 0 1 4.2 4.2l-7.4 7.4a5 5 0 0 1-7-7l7-7"/>`
	case "clock":
		return `<circle cx="12" cy="12" r="8.5"/><path d="M12 7v5l3.5 2"/>`
	case "calendar":
		return `<path d="M4.5 6h15v13.500h-15zM4.5 10.500h15M8.500 3.500V7.500M15.500 3.500V7.500"/>`
	case "hourglass":
		return `<path d="M7 3.5h10M7 20.5h10M8 3.5c0 6 8 9 8 17M16 3.5c0 6-8 9-8 17"/>`
	case "opened":
		return `<path d="M3.5 9.5 12 4l8.5 5.500V19.500h-17zM3.5 9.5 12 15l8.5-5.5"/>`
	case "chain":
		return `<path d="M10 14a4 4 0 0 0 5.7 0l3-3A4 4 0 0 0 13 5.300l-1.2 1.200M14 10a4 4 0 0 0-5.7 0l-3 3A4 4 0 0 0 11 18.700l1.2-1.2"/>`
	case "reply":
		return `><path d="m9.5 6.5-5 5 5 5M4.5 11.500H14a5.5 5.5 0 0 1 5.5 5.500v2"/>`
	case "send":
		return `><path d="M3.5 11 20.5 4l-6 16.5-3.5-7z"/><path d="m11 13.5 9.5-9.5"/>`
	case "save":
		return `<path d="M12 4v11m-4.5-4.500L12 15l4.5-4.500M4.5 19.500h15"/>`
	case "print":
		return `<path d="M7 8.500V4h10v4.500M7 17H4V8.500h16V17h-3M7 14h10v6.500H7z"/>`
	case "shield":
		return `<path d="m12 3.5 7.5 3V12c0 4.5-3 7.3-7.5 9-4.5-1.7-7.5-4.5-7.5-9V6.500z"/>`
	case "file":
		return `<path d="M6 3.500h8l4 4v13H6zM14 3.500v4h4"/>`
	case "document":
		return `<path d="M6 3.500h8l4 4v13H6zM14 3.500v4h4M9 12h6M9 15h6M9 18h3"/>`
	case "picture":
		return `<path d="M4 5h16v14H4zM4 16l4.5-4.500 4 4L15 13l5 4.5"/><circle cx="15.5" cy="9.3" r="1.3"/>`
	case "copy":
		return `<path d="M9 9h11v11H9zM5.5 15H4V4h11v1.5"/>`
	case "again":
		return `<path d="M19.5 12a7.5 7.5 0 1 1-2.2-5.300L19.5 9M19.5 4v5h-5"/>`
	case "barred":
		return `<circle cx="12" cy="12" r="8.5"/><path d="m6 6 12 12"/>`
	}
	return ""
}

// Icon is a decorative picture: the word beside it says the same.
func Icon(name string) (template.HTML, error) {
	shape := icons(name) + consoleIcons(name) // a name is in one of them only
	if shape == "" {
		return "", errors.New("no icon " + name)
	}
	class := "i"
	if turned, ok := strings.CutPrefix(shape, ">"); ok {
		class, shape = "i i-dir", turned
	}
	return template.HTML(`<svg class="` + class + `" viewBox="0 0 24 24" aria-hidden="true">` + shape + `</svg>`), nil
}

func element(open, text, end string) template.HTML {
	return template.HTML(open + template.HTMLEscapeString(text) + end)
}

func bold(text any) template.HTML {
	if h, ok := text.(template.HTML); ok {
		return "<strong>" + h + "</strong>"
	}
	s, _ := text.(string)
	return element("<strong>", s, "</strong>")
}

func code(text string) template.HTML {
	return element(`<code class="break" dir="ltr">`, text, "</code>")
}

// bdi keeps a name from turning the text around it when it is written in the other direction.
func bdi(text string) template.HTML { return element("<bdi>", text, "</bdi>") }

// address is an e-mail address as text: always left to right, broken where it must be.
func address(a string) template.HTML { return element(`<bdi class="break" dir="ltr">`, a, "</bdi>") }

// mailLink is an address that opens the mail program.
func mailLink(a string) template.HTML {
	href := (&url.URL{Scheme: "mailto", Opaque: strings.ReplaceAll(url.PathEscape(a), "%40", "@")}).String()
	return element(`<a class="break" dir="ltr" href="`+template.HTMLEscapeString(href)+`">`, a, "</a>")
}

// telLink is a telephone number to choose. What is no digit is left out of its address, a leading plus kept.
func telLink(number string) template.HTML {
	digits := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r == '+' {
			return r
		}
		return -1
	}, number)
	return element(`<a class="nowrap" dir="ltr" href="tel:`+digits+`">`, number, "</a>")
}

// link leads to a page of this site, or to a part of the same page. Anything else is a mistake in a template.
func link(path string, text template.HTML) (template.HTML, error) {
	if !strings.HasPrefix(path, "#") && (!strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//")) {
		return "", errors.New("link leaves the site")
	}
	return template.HTML(`<a href="`+template.HTMLEscapeString(path)+`">`) + text + "</a>", nil
}

// dict gives a shared part several values: dict "name" value ….
func dict(pairs ...any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, errors.New("dict needs pairs")
	}
	m := make(map[string]any, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		name, ok := pairs[i].(string)
		if !ok {
			return nil, errors.New("dict needs names")
		}
		m[name] = pairs[i+1]
	}
	return m, nil
}
