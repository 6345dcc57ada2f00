package mime

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/microcosm-cc/bluemonday"
)

// globalAttributes may stand on every element.
const globalAttributes = "align class dir lang style title"

// elements are the elements that may be shown, with the attributes that they may have beside the global ones. None of
// them switches the parser into another mode, takes part in a form, or loads anything but img, whose address is always
// replaced. id and name are on no list: scripts of the page could be fooled by them.
var elements = map[string]string{
	"a": "href", "abbr": "", "acronym": "", "address": "", "article": "", "aside": "", "b": "", "bdi": "", "bdo": "", "big": "",
	"blockquote": "type", "body": "bgcolor text", "br": "clear", "caption": "valign", "center": "", "cite": "", "code": "",
	"col": "span width valign", "colgroup": "span width valign", "dd": "", "del": "", "dfn": "", "dir": "", "div": "", "dl": "",
	"dt": "", "em": "", "figcaption": "", "figure": "", "font": "color face size", "footer": "", "h1": "", "h2": "", "h3": "",
	"h4": "", "h5": "", "h6": "", "header": "", "hr": "color noshade size width", "i": "",
	"img": "alt border height hspace src vspace width", "ins": "", "kbd": "", "li": "type value", "main": "", "mark": "", "nav": "",
	"ol": "reversed start type", "p": "", "pre": "width", "q": "", "s": "", "samp": "", "section": "", "small": "", "span": "",
	"strike": "", "strong": "", "sub": "", "sup": "", "table": "bgcolor border bordercolor cellpadding cellspacing frame height role rules summary width",
	"tbody": "valign", "td": "abbr bgcolor bordercolor colspan height nowrap rowspan scope valign width",
	"tfoot": "valign", "th": "abbr bgcolor bordercolor colspan height nowrap rowspan scope valign width", "thead": "valign", "time": "",
	"tr": "bgcolor bordercolor height valign", "tt": "", "u": "", "ul": "type", "var": "", "wbr": "",
}

// unreadable are elements whose content is no text of the message, or would be parsed differently by a browser.
const unreadable = "applet audio canvas datalist embed frame frameset iframe map math noembed noframes noscript object " +
	"option plaintext script select style svg template textarea title video xml xmp"

// policy is the first filter. It is built once: a bluemonday policy may be used by many goroutines.
var policy = sync.OnceValue(newPolicy)

func newPolicy() *bluemonday.Policy {
	p := bluemonday.NewPolicy()
	for _, name := range slices.Sorted(maps.Keys(elements)) {
		p.AllowElements(name)
		p.AllowNoAttrs().OnElements(name)
		if own := strings.Fields(elements[name]); len(own) > 0 {
			p.AllowAttrs(own...).OnElements(name)
		}
	}
	p.AllowAttrs(strings.Fields(globalAttributes)...).Globally()
	p.SkipElementsContent(strings.Fields(unreadable)...)
	p.RequireParseableURLs(true)
	p.AllowURLSchemes("http", "https", "mailto", "cid", "data") // the rewriter decides which stands where
	return p
}

// attributeForms are the values that an attribute may have; the others are dropped. href, src and style are not here.
var attributeForms = map[*regexp.Regexp]string{
	regexp.MustCompile(`^\s*[+-]?[0-9]{1,5}(\.[0-9]{1,5})?(%|px|\*)?\s*$`): "border cellpadding cellspacing colspan height hspace rowspan size span start value vspace width",
	regexp.MustCompile(`^\s*#?[A-Za-z0-9]{1,30}\s*$`):                      "bgcolor bordercolor color text",
	regexp.MustCompile(`^[A-Za-z0-9]{0,20}$`):                              "align clear dir frame noshade nowrap reversed rules scope type valign",
	regexp.MustCompile(`^(presentation|none)$`):                            "role",
	regexp.MustCompile(`^[A-Za-z0-9-]{1,35}$`):                             "lang",
	regexp.MustCompile(`^[A-Za-z0-9_\- \t\n]{1,500}$`):                     "class",
	regexp.MustCompile(`^[\pL\pN ,'"._-]{1,200}$`):                         "face",
	regexp.MustCompile(`^[^\x00-\x08\x0b-\x1f]{1,1000}$`):                  "abbr alt summary title",
}

// forms is attributeForms by attribute.
var forms = sync.OnceValue(func() map[string]*regexp.Regexp {
	byName := map[string]*regexp.Regexp{}
	for form, names := range attributeForms {
		for _, name := range strings.Fields(names) {
			byName[name] = form
		}
	}
	return byName
})

// allows reports whether an element may have an attribute with this value.
func allows(element, attribute, value string) bool {
	if !hasWord(elements[element], attribute) && !hasWord(globalAttributes, attribute) {
		return false
	}
	form := forms()[attribute]
	return form != nil && form.MatchString(value)
}

func hasWord(list, word string) bool {
	for w := range strings.FieldsSeq(list) {
		if w == word {
			return true
		}
	}
	return false
}
