package mime

import (
	"html"
	"net/url"
	"slices"
	"strings"

	xhtml "golang.org/x/net/html"
)

// maxNesting bounds open elements. What is nested deeper keeps its text and loses its tags: parsers need time that grows
// with the square of it.
const maxNesting = 100

// bodyClass is the class of the element that stands for the author's body element.
const bodyClass = "mail-body"

// rewriter is the second filter. It reads what the first one let pass, token by token, checks every attribute's value,
// puts in the images, and writes elements that are properly nested, so that a browser parses them in the one way that
// was looked at here.
type rewriter struct {
	images  *images
	out     strings.Builder
	stack   []open
	opened  map[string]int // how often each name is in stack
	skipped map[string]int // start tags dropped for their depth, whose end tags are still to come
}

// open is an element that was begun: its name in the source, and the one that was written.
type open struct{ name, tag string }

func (rw *rewriter) run(source string) {
	z := xhtml.NewTokenizer(strings.NewReader(source))
	for {
		switch z.Next() {
		case xhtml.ErrorToken:
			rw.closeTo(0)
			return
		case xhtml.TextToken:
			rw.out.WriteString(html.EscapeString(z.Token().Data))
		case xhtml.StartTagToken, xhtml.SelfClosingTagToken:
			rw.start(z.Token())
		case xhtml.EndTagToken:
			rw.end(z.Token().Data)
		}
	}
}

func (rw *rewriter) start(t xhtml.Token) {
	if _, ok := elements[t.Data]; !ok {
		return
	}
	switch t.Data {
	case "img":
		rw.image(t)
		return
	case "br", "hr", "wbr", "col":
		rw.tag(t.Data, t.Data, t.Attr)
		return
	}
	rw.closeImplied(t.Data)
	if len(rw.stack) >= maxNesting {
		rw.skipped[t.Data]++
		return
	}
	written := t.Data
	if written == "body" {
		written = "div"
	}
	rw.stack = append(rw.stack, open{t.Data, written})
	rw.opened[t.Data]++
	rw.tag(t.Data, written, t.Attr)
}

// end closes an element that is open, and what is open inside it. A cell keeps stray end tags of its content in.
func (rw *rewriter) end(name string) {
	if rw.skipped[name] > 0 {
		rw.skipped[name]--
		return
	}
	if rw.opened[name] == 0 {
		return
	}
	for i, o := range slices.Backward(rw.stack) {
		if o.name == name {
			rw.closeTo(i)
			return
		}
		if isCell(o.name) && !hasWord("table tbody thead tfoot tr", name) {
			return
		}
	}
}

func isCell(name string) bool { return name == "td" || name == "th" || name == "caption" }

// closeTo closes the elements from a place in the stack on.
func (rw *rewriter) closeTo(i int) {
	for _, o := range slices.Backward(rw.stack[i:]) {
		rw.out.WriteString("</" + o.tag + ">")
		rw.opened[o.name]--
	}
	rw.stack = rw.stack[:i]
}

// blocks end an open paragraph, as the parsers of browsers do.
const blocks = "address article aside blockquote body center dir div dl figcaption figure footer h1 h2 h3 h4 h5 h6 header main nav ol p pre section table ul"

// closeImplied closes what an element ends by beginning. Browsers would carry bold and the like over into what follows,
// once more for each element that ends that way; here it ends too, which keeps the output in proportion to the input.
func (rw *rewriter) closeImplied(name string) {
	switch name {
	case "li":
		rw.closeUp("li", "ul ol dir")
	case "dd", "dt":
		rw.closeUp("dd dt", "dl")
	case "td", "th":
		rw.closeUp("td th", "tr table")
	case "tr":
		rw.closeUp("tr", "table")
	case "tbody", "thead", "tfoot", "caption", "colgroup":
		rw.closeUp("tbody thead tfoot caption colgroup", "table")
	case "a":
		rw.closeUp("a", "td th caption table")
	}
	if hasWord(blocks, name) {
		rw.closeUp("p", "td th caption table")
	}
}

// closeUp closes the innermost open element out of targets, unless one out of stops is nearer.
func (rw *rewriter) closeUp(targets, stops string) {
	if !rw.anyOpen(targets) {
		return
	}
	for i, o := range slices.Backward(rw.stack) {
		if hasWord(targets, o.name) {
			rw.closeTo(i)
			return
		}
		if hasWord(stops, o.name) {
			return
		}
	}
}

func (rw *rewriter) anyOpen(names string) bool {
	for name := range strings.FieldsSeq(names) {
		if rw.opened[name] > 0 {
			return true
		}
	}
	return false
}

// tag writes a start tag with those of its attributes that are allowed, each once.
func (rw *rewriter) tag(name, written string, attrs []xhtml.Attribute) {
	rw.out.WriteString("<" + written)
	for i, a := range attrs {
		if a.Namespace != "" || slices.ContainsFunc(attrs[:min(i, maxAttributes)], func(b xhtml.Attribute) bool { return b.Key == a.Key }) {
			continue
		}
		if i >= maxAttributes {
			break
		}
		rw.attribute(name, a.Key, a.Val)
	}
	if name == "body" {
		rw.write("style", bodyStyle(attrs))
		rw.write("class", bodyClass)
	}
	rw.out.WriteByte('>')
}

// maxAttributes is how many attributes of one element are looked at.
const maxAttributes = 30

func (rw *rewriter) attribute(element, key, value string) {
	switch {
	case element == "body": // all of it is in bodyStyle
	case key == "style":
		rw.write("style", cleanDeclarations(value))
	case element == "a" && key == "href":
		if safeLink(value) {
			rw.write("href", value)
			rw.write("target", "_blank")
			rw.write("rel", "noreferrer noopener")
		}
	case allows(element, key, value):
		rw.out.WriteString(" " + key + `="` + html.EscapeString(value) + `"`)
	}
}

// write writes an attribute unless it is empty.
func (rw *rewriter) write(key, value string) {
	if value != "" {
		rw.out.WriteString(" " + key + `="` + html.EscapeString(value) + `"`)
	}
}

// safeLink reports whether an address may be followed from a message: absolute, and http, https or mailto.
func safeLink(href string) bool {
	u, err := url.Parse(href)
	if err != nil || strings.ContainsFunc(href, func(r rune) bool { return r <= ' ' || r == '\\' }) {
		return false
	}
	switch u.Scheme {
	case "http", "https":
		return u.Host != ""
	case "mailto":
		return u.Opaque != ""
	}
	return false
}

// bodyStyle is the style of the author's body element with its old attributes in CSS.
func bodyStyle(attrs []xhtml.Attribute) string {
	var style, old string
	for _, a := range attrs[:min(len(attrs), maxAttributes)] {
		switch {
		case a.Key == "style":
			style = a.Val
		case a.Key == "bgcolor" && allows("body", a.Key, a.Val):
			old += "background-color:" + a.Val + ";"
		case a.Key == "text" && allows("body", a.Key, a.Val):
			old += "color:" + a.Val + ";"
		}
	}
	return cleanDeclarations(old + style)
}

// image writes an image of the message as a data URI, or the text that stands for any other.
func (rw *rewriter) image(t xhtml.Token) {
	var src, alt string
	rest := make([]xhtml.Attribute, 0, len(t.Attr))
	for _, a := range t.Attr {
		switch a.Key {
		case "src":
			src = a.Val
		case "alt":
			alt = a.Val
			fallthrough
		default:
			rest = append(rest, a)
		}
	}
	uri := rw.images.find(src)
	if uri == "" {
		rw.out.WriteString(html.EscapeString(alt))
		return
	}
	rw.out.WriteString(`<img src="` + uri + `"`)
	for _, a := range rest[:min(len(rest), maxAttributes)] {
		rw.attribute("img", a.Key, a.Val)
	}
	rw.out.WriteByte('>')
}
