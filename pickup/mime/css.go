package mime

import (
	"regexp"
	"strings"

	xhtml "golang.org/x/net/html"
)

// The limits of CSS that is looked at, in octets.
const (
	maxDeclarations = 16 << 10 // of one style attribute or rule
	maxStyleSheets  = 128 << 10
	maxValue        = 400
)

// properties are those that only change how text and boxes look. None moves a box out of its place, and none needs an
// address; shorthands that could hold one are kept because no value with an address passes.
const properties = " background background-color border border-bottom border-bottom-color border-bottom-style border-bottom-width " +
	"border-collapse border-color border-left border-left-color border-left-style border-left-width border-radius border-right " +
	"border-right-color border-right-style border-right-width border-spacing border-style border-top border-top-color " +
	"border-top-style border-top-width border-width box-sizing break-after break-before break-inside caption-side clear color " +
	"direction display empty-cells float font font-family font-size font-style font-variant font-weight height hyphens " +
	"letter-spacing line-height list-style list-style-position list-style-type margin margin-bottom margin-left margin-right " +
	"margin-top max-height max-width min-height min-width orphans overflow-wrap padding padding-bottom padding-left padding-right " +
	"padding-top page-break-after page-break-before page-break-inside table-layout text-align text-decoration " +
	"text-decoration-color text-decoration-line text-decoration-style text-indent text-transform unicode-bidi vertical-align " +
	"visibility white-space widows width word-break word-spacing word-wrap "

// valueForm is what a value may be made of: no backslash (it hides words), no angle bracket, no address.
var valueForm = regexp.MustCompile(`^[\pL\pN #%.,()'"+\-*/!_\t\n]*$`)

// functionForm finds functions, which must be colours or sums.
var (
	functionForm  = regexp.MustCompile(`([\pL\pN_-]*)\s*\(`)
	safeFunctions = regexp.MustCompile(`^(?i:rgb|rgba|hsl|hsla|calc|min|max|clamp)$`)
)

// cleanDeclarations keeps of "name: value; …" what is on the list.
func cleanDeclarations(css string) string {
	if css == "" || len(css) > maxDeclarations {
		return ""
	}
	var b strings.Builder
	for _, d := range splitOutside(stripComments(css), ';') {
		name, value, ok := strings.Cut(d, ":")
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
		if !ok || name == "" || !strings.Contains(properties, " "+name+" ") || !safeValue(value) {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(';')
		}
		b.WriteString(name + ":" + value)
	}
	return b.String()
}

func safeValue(v string) bool {
	if v == "" || len(v) > maxValue || !valueForm.MatchString(v) || strings.Contains(v, "//") || strings.Contains(v, "/*") {
		return false
	}
	for _, m := range functionForm.FindAllStringSubmatch(v, -1) {
		if m[1] != "" && !safeFunctions.MatchString(m[1]) {
			return false
		}
	}
	return balanced(v)
}

// balanced reports whether quotes are closed and brackets pair up, so that a value ends where it seems to.
func balanced(v string) bool {
	depth, quote := 0, rune(0)
	for _, r := range v {
		switch {
		case quote != 0:
			if r == '\n' {
				return false
			}
			if r == quote {
				quote = 0
			}
		case r == '"' || r == '\'':
			quote = r
		case r == '(':
			depth++
		case r == ')':
			if depth--; depth < 0 {
				return false
			}
		}
	}
	return depth == 0 && quote == 0
}

// splitOutside cuts at sep where it stands outside of quotes and brackets.
func splitOutside(s string, sep byte) []string {
	var pieces []string
	depth, quote, start := 0, byte(0), 0
	for i := range len(s) {
		switch c := s[i]; {
		case quote != 0:
			if c == quote || c == '\n' {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '(':
			depth++
		case c == ')':
			depth = max(0, depth-1)
		case c == sep && depth == 0:
			pieces, start = append(pieces, s[start:i]), i+1
		}
	}
	return append(pieces, s[start:])
}

func stripComments(s string) string {
	if !strings.Contains(s, "/*") {
		return s
	}
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(s, "/*")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		b.WriteByte(' ')
		if _, s, found = strings.Cut(rest, "*/"); !found {
			return b.String()
		}
	}
}

// styleSheets gathers the style elements of a document, cleaned.
func styleSheets(source string) string {
	if !strings.Contains(strings.ToLower(source), "<style") {
		return ""
	}
	var b strings.Builder
	z := xhtml.NewTokenizer(strings.NewReader(source))
	inStyle := false
	for {
		switch z.Next() {
		case xhtml.ErrorToken:
			return b.String()
		case xhtml.StartTagToken:
			name, _ := z.TagName()
			inStyle = string(name) == "style"
		case xhtml.TextToken:
			if text := z.Raw(); inStyle && len(text)+b.Len() <= maxStyleSheets {
				b.WriteString(cleanSheet(string(text)))
			}
		default:
			inStyle = false
		}
	}
}

// cleanSheet keeps the plain rules of a style sheet. At-rules go, with all that is in them: they load, or ask about the
// reader's device.
func cleanSheet(css string) string {
	css = strings.NewReplacer("<!--", " ", "-->", " ").Replace(stripComments(css))
	var b strings.Builder
	for css != "" {
		i := strings.IndexAny(css, "{;}")
		if i < 0 {
			return b.String()
		}
		head := strings.TrimSpace(css[:i])
		if css[i] != '{' {
			css = css[i+1:]
			continue
		}
		content, rest := blockOf(css[i+1:])
		css = rest
		if selectors := cleanSelectors(head); selectors != "" {
			if declarations := cleanDeclarations(content); declarations != "" {
				b.WriteString(selectors + "{" + declarations + "}\n")
			}
		}
	}
	return b.String()
}

// blockOf is the content of a block up to the bracket that closes it, and what follows.
func blockOf(s string) (content, rest string) {
	depth := 1
	for i := range len(s) {
		switch s[i] {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return s[:i], s[i+1:]
			}
		}
	}
	return s, ""
}

// selectorForm is elements and classes, side by side or one inside the other.
var (
	selectorForm = regexp.MustCompile(`^[A-Za-z0-9.*>+~ _\t\n-]+(:(link|visited|hover|active|first-child|last-child))?$`)
	bodySelector = regexp.MustCompile(`(^|[ \t\n>+~])(?i:body|html)($|[ \t\n>+~.:])`)
)

// cleanSelectors keeps the selectors of a rule that are of the known form. The author's body is a div here.
func cleanSelectors(head string) string {
	if len(head) > 4096 {
		return ""
	}
	var kept []string
	for s := range strings.SplitSeq(head, ",") {
		if s = strings.TrimSpace(s); selectorForm.MatchString(s) {
			kept = append(kept, bodySelector.ReplaceAllString(s, "${1}."+bodyClass+"${2}"))
		}
	}
	return strings.Join(kept, ",")
}
