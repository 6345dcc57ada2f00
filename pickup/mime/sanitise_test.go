package mime

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

const pngPixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

// sanitised cleans a source without a message around it.
func sanitised(source string) string {
	return sanitise(clean(source), newImages(bytes.NewReader(nil), nil))
}

var (
	// The elements and attributes that may come out, written down apart from the tables that make it so.
	harmlessElements = strings.Fields("a abbr acronym address article aside b bdi bdo big blockquote br caption center cite code col colgroup dd " +
		"del dfn dir div dl dt em figcaption figure font footer h1 h2 h3 h4 h5 h6 header hr i img ins kbd li main mark nav ol p pre q s samp " +
		"section small span strike strong sub sup table tbody td tfoot th thead time tr tt u ul var wbr style html head body")
	harmlessAttributes = strings.Fields("abbr align alt bgcolor border bordercolor cellpadding cellspacing class clear color colspan dir face frame " +
		"height href hspace lang noshade nowrap rel reversed role rowspan rules scope size span src start style summary target title type " +
		"valign value vspace width")
	harmlessSrc = regexp.MustCompile(`^data:image/(png|jpeg|gif|webp);base64,[A-Za-z0-9+/]+=*$`)
	activeCSS   = regexp.MustCompile(`(?i)[a-z-]*(url|image|image-set|expression|var|attr|env|element|fade|paint|src)\s*\(|\\|<|@|//|/\*|javascript:|(^|[;{])\s*(position|content|behavior|cursor|src|-moz-binding)\s*:`)
)

// harm finds what is active or remote in sanitised HTML, as a browser would parse it.
func harm(page string) []string {
	var found []string
	add := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	body := &html.Node{Type: html.ElementNode, Data: "body", DataAtom: atom.Body}
	nodes, err := html.ParseFragment(strings.NewReader(page), body)
	if err != nil {
		add("does not parse: %v", err)
	}
	doc, err := html.Parse(strings.NewReader(page))
	if err != nil {
		add("does not parse as a document: %v", err)
	} else {
		nodes = append(nodes, doc)
	}
	for _, root := range nodes {
		inspect(root, add)
		for n := range root.Descendants() {
			inspect(n, add)
		}
	}
	return found
}

func inspect(n *html.Node, add func(string, ...any)) {
	switch n.Type {
	case html.CommentNode, html.DoctypeNode, html.RawNode:
		add("a comment, doctype or raw node %q", n.Data)
	case html.TextNode:
		if n.Parent != nil && n.Parent.Data == "style" && activeCSS.MatchString(strings.ReplaceAll(n.Data, "."+bodyClass, "")) {
			add("style sheet %q", n.Data)
		}
	case html.ElementNode:
		if n.Namespace != "" || !slices.Contains(harmlessElements, n.Data) {
			add("element %s:%s", n.Namespace, n.Data)
		}
		for _, a := range n.Attr {
			inspectAttribute(n, a, add)
		}
	}
}

func inspectAttribute(n *html.Node, a html.Attribute, add func(string, ...any)) {
	if a.Namespace != "" || !slices.Contains(harmlessAttributes, a.Key) {
		add("attribute %s:%s on %s", a.Namespace, a.Key, n.Data)
	}
	switch a.Key {
	case "href":
		u, err := url.Parse(a.Val)
		if n.Data != "a" || err != nil || !slices.Contains([]string{"http", "https", "mailto"}, u.Scheme) || u.Scheme != "mailto" && u.Host == "" {
			add("link to %q", a.Val)
		}
		if !slices.Contains(n.Attr, html.Attribute{Key: "rel", Val: "noreferrer noopener"}) || !slices.Contains(n.Attr, html.Attribute{Key: "target", Val: "_blank"}) {
			add("a link without rel or target: %v", n.Attr)
		}
	case "src":
		if n.Data != "img" || !harmlessSrc.MatchString(a.Val) {
			add("%s src=%q", n.Data, a.Val)
		}
	case "style":
		if activeCSS.MatchString(a.Val) {
			add("style %q", a.Val)
		}
	}
}

func TestHostileHTMLIsHarmless(t *testing.T) {
	t.Parallel()
	if len(hostile) < 40 {
		t.Fatalf("only %d samples", len(hostile))
	}
	for _, sample := range hostile {
		t.Run(sample.name, func(t *testing.T) {
			out := sanitised(strings.ReplaceAll(sample.html, "HOST", "tracker.example"))
			for _, h := range harm(out) {
				t.Errorf("%s\nin %s", h, out)
			}
			if again := sanitised(out); harm(again) != nil {
				t.Errorf("sanitising twice gives %s", again)
			}
		})
	}
}

// TestHarmIsFound shows that the test above can fail.
func TestHarmIsFound(t *testing.T) {
	t.Parallel()
	for _, sample := range hostile {
		switch sample.name {
		case "entities", "utf-7", "direction", "end tags only", "misnested", "comment end by bang", "comment abrupt":
			continue // harmless or not, by what a parser makes of them
		}
		if harm(sample.html) == nil {
			t.Errorf("%s: the raw sample passes for harmless", sample.name)
		}
	}
}

func TestHugeNestingIsFlattened(t *testing.T) {
	t.Parallel()
	for _, tag := range []string{"div", "b", "table><tr><td", "ul><li", "font color=red", "a href=https://example.org/", "blockquote", "svg", "template"} {
		n := MaxHTML / (len(tag) + 2) / 4
		out := sanitised(strings.Repeat("<"+tag+">", n) + "deep text")
		if h := harm(out); h != nil {
			t.Errorf("%s: %q", tag, h[:min(len(h), 3)])
		}
		if tag != "svg" && tag != "template" && !strings.Contains(out, "deep text") {
			t.Errorf("%s: the text is lost", tag)
		}
		if len(out) > MaxHTML {
			t.Errorf("%s: %d octets of output", tag, len(out))
		}
	}
}

// TestOutputStaysInProportion: open formatting elements must not be repeated for every paragraph after them.
func TestOutputStaysInProportion(t *testing.T) {
	t.Parallel()
	var in strings.Builder
	in.WriteString("<p>")
	for i := range 90 {
		fmt.Fprintf(&in, "<font color=c%d>", i)
	}
	in.WriteString(strings.Repeat("<p>x", 5000))
	out := sanitised(in.String())
	doc, err := html.ParseFragment(strings.NewReader(out), &html.Node{Type: html.ElementNode, Data: "body", DataAtom: atom.Body})
	if err != nil {
		t.Fatal(err)
	}
	elements := 0
	for _, root := range doc {
		elements++
		for n := range root.Descendants() {
			if n.Type == html.ElementNode {
				elements++
			}
		}
	}
	if elements > 6000 || len(out) > 10*in.Len() {
		t.Errorf("%d octets became %d octets and %d elements", in.Len(), len(out), elements)
	}
}

func TestWhatMailProgramsWriteSurvives(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, in, want string }{
		{"text", "a &lt;b&gt; &amp; ü", "a &lt;b&gt; &amp; ü"},
		{"inline style", `<p style="margin:0cm;mso-x:y;color:#1F497D;font-family:'Segoe UI',sans-serif">x</p>`, `<p style="margin:0cm;color:#1F497D;font-family:&#39;Segoe UI&#39;,sans-serif">x</p>`},
		{"old attributes", `<table width="100%" border=0 cellpadding="4" bgcolor="#eef"><tr valign=top><td colspan=2 nowrap>x</td></tr></table>`,
			`<table width="100%" border="0" cellpadding="4" bgcolor="#eef"><tr valign="top"><td colspan="2" nowrap="">x</td></tr></table>`},
		{"font", `<font face="Arial, 'X Y'" size="+1" color=red>x</font>`, `<font face="Arial, &#39;X Y&#39;" size="+1" color="red">x</font>`},
		{"link", `<a href="https://example.org/a?b=c&amp;d=e" title="t">x</a>`, `<a href="https://example.org/a?b=c&amp;d=e" target="_blank" rel="noreferrer noopener" title="t">x</a>`},
		{"mailto", `<a href="mailto:a@example.org">x</a>`, `<a href="mailto:a@example.org" target="_blank" rel="noreferrer noopener">x</a>`},
		{"link without a way", `<a href="/relative">x</a>`, `<a>x</a>`},
		{"remote image", `<p>a<img src="https://example.org/l.png" alt="Logo &amp; name">b</p>`, `<p>aLogo &amp; nameb</p>`},
		{"remote image without text", `<p>a<img src="https://example.org/l.png">b</p>`, `<p>ab</p>`},
		{"own data image", `<img src="data:image/png;base64,` + pngPixel + `" width=3 alt=p id=x>`, `<img src="data:image/png;base64,` + pngPixel + `" width="3" alt="p">`},
		{"data image of another type", `<img src="data:image/svg+xml;base64,` + pngPixel + `">`, `<img src="data:image/png;base64,` + pngPixel + `">`},
		{"outlook", `<html xmlns:o="urn:x"><head><meta charset=utf-8><title>T</title></head><body lang=EN-GB link=blue><div class=WordSection1><p class=MsoNormal>x<o:p>&nbsp;</o:p></p></div></body></html>`,
			`<div class="mail-body"><div class="WordSection1"><p class="MsoNormal">x` + "\u00a0" + `</p></div></div>`},
		{"body colours", `<body bgcolor="#ffffee" text=black style="margin:8px">x</body>`, `<div style="background-color:#ffffee;color:black;margin:8px" class="mail-body">x</div>`},
		{"form content", `<form action="https://example.org"><label>Name</label><input></form>`, `Name`},
		{"unclosed list", `<ul><li>a<li>b<ol><li>c</ul>d`, `<ul><li>a</li><li>b<ol><li>c</li></ol></li></ul>d`},
		{"unclosed cells", `<table><tr><td>a<td>b<tr><td>c</table>d`, `<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>d`},
		{"stray end tag in a cell", `<div><table><tr><td>a</div>b</td></tr></table>c</div>`, `<div><table><tr><td>ab</td></tr></table>c</div>`},
		{"paragraphs", `<p>a<p>b<div>c</div>`, `<p>a</p><p>b</p><div>c</div>`},
		{"style sheet", "<style>\n<!-- /* Font */ @font-face {font-family:X;} p.MsoNormal, li.MsoNormal {margin:0cm; mso-pagination:none; font-size:11.0pt;} a:link {color:blue} body {margin:0} @page WordSection1 {size:612.0pt} --></style><p class=MsoNormal>x</p>",
			"<style>p.MsoNormal,li.MsoNormal{margin:0cm;font-size:11.0pt}\na:link{color:blue}\n.mail-body{margin:0}\n</style><p class=\"MsoNormal\">x</p>"},
		{"line break and rule", `a<br/>b<hr size=1>`, `a<br>b<hr size="1">`},
	} {
		if got := sanitised(tc.in); strings.TrimSpace(got) != tc.want {
			t.Errorf("%s:\n got %s\nwant %s", tc.name, got, tc.want)
		}
		if h := harm(tc.want); h != nil {
			t.Errorf("%s: the expectation is harmful: %q", tc.name, h)
		}
	}
}

func TestStyleDeclarations(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"color: red": "color:red", "COLOR:Red;": "color:Red", "color:red !important": "color:red !important",
		"color:rgb(1, 2, 3);width:calc(100% - 2px)":         "color:rgb(1, 2, 3);width:calc(100% - 2px)",
		"background:url(x);color:red":                       "color:red",
		"background:URL (x)":                                "",
		"font-family:'a;b:c', serif;color:red":              "color:red",
		"font-family:'unclosed;color:red":                   "",
		"color:red);background:url(x":                       "",
		"color:/* a */red":                                  "color:red",
		"color:red/*":                                       "color:red",
		"position:absolute;z-index:9;opacity:0;--x:1":       "",
		"width:var(--x);height:attr(x);margin:env(x)":       "",
		"margin:0 auto;padding:1px 2px 3px 4px":             "margin:0 auto;padding:1px 2px 3px 4px",
		"font:bold 12px/1.5 \"ＭＳ ゴシック\", sans-serif":        "font:bold 12px/1.5 \"ＭＳ ゴシック\", sans-serif",
		"color:" + strings.Repeat("r", maxValue+1):          "",
		"color:red;" + strings.Repeat(" ", maxDeclarations): "",
		"color":   "",
		":red":    "",
		"color:;": "",
	} {
		if got := cleanDeclarations(in); got != want {
			t.Errorf("%.60q: %q, want %q", in, got, want)
		}
	}
}

func TestImagesHaveOneBudget(t *testing.T) {
	t.Parallel()
	big := append([]byte("\x89PNG\r\n\x1a\n"), make([]byte, MaxImages/3)...)
	uri := "data:image/png;base64," + base64.StdEncoding.EncodeToString(big)
	im := newImages(bytes.NewReader(nil), nil)
	for i, want := range []bool{true, true, false} {
		if got := im.find(uri) != ""; got != want {
			t.Errorf("image %d shown: %v", i+1, got)
		}
	}
	if im.room < 0 {
		t.Errorf("room %d", im.room)
	}
}

func TestSniffedImageTypes(t *testing.T) {
	t.Parallel()
	for content, want := range map[string]string{
		"\x89PNG\r\n\x1a\nx": "image/png", "\xff\xd8\xff\xe0": "image/jpeg", "GIF89a": "image/gif", "GIF87a": "image/gif",
		"RIFF1234WEBPVP8 ": "image/webp", "RIFF1234WAVEfmt ": "", "<svg xmlns=": "", "%PDF-1.7": "", "": "", "BM": "", "\x89PNG": "",
	} {
		if got := sniffImage([]byte(content)); got != want {
			t.Errorf("%q is %q, want %q", content, got, want)
		}
	}
}

func FuzzSanitise(f *testing.F) {
	for _, sample := range hostile {
		if len(sample.html) < 300 {
			f.Add(sample.html)
		}
	}
	f.Fuzz(func(t *testing.T, source string) {
		if len(source) > 4<<10 {
			return
		}
		out := sanitised(source)
		if h := harm(out); h != nil {
			t.Errorf("%q\ngives %q\nwith %q", source, out, h)
		}
	})
}

func FuzzStyleSheet(f *testing.F) {
	for _, css := range []string{"p{color:red}", "@import 'x';p{}", "a{}}b{c:d}", "p{x:{y:url(z)}}", "/*", "p{font-family:'}'}", "\\75rl", "body,html{margin:0}"} {
		f.Add(css)
	}
	f.Fuzz(func(t *testing.T, css string) {
		if out := cleanSheet(css); strings.ContainsAny(out, "<\\@") || regexp.MustCompile(`(?i)url\s*\(`).MatchString(out) {
			t.Errorf("%q became %q", css, out)
		}
	})
}

func BenchmarkSanitise1MB(b *testing.B) {
	row := `<tr style="mso-x:1"><td style="padding:8px;border:1px solid #b9c4bf" align=left><p class=MsoNormal>Some <b>words</b> of <a href="https://example.org/a?b=c">a mail</a>, &nbsp; and more.</p></td></tr>`
	page := "<html><head><style>p.MsoNormal{margin:0}</style></head><body><table>" + strings.Repeat(row, 1<<20/len(row)) + "</table></body></html>"
	b.SetBytes(int64(len(page)))
	for b.Loop() {
		sanitised(page)
	}
}

func TestEveryAttributeHasOneForm(t *testing.T) {
	t.Parallel()
	count := map[string]int{}
	for _, names := range attributeForms {
		for name := range strings.FieldsSeq(names) {
			count[name]++
		}
	}
	listed := globalAttributes
	for _, own := range elements {
		listed += " " + own
	}
	for name := range strings.FieldsSeq(listed) {
		if want := 1; name != "href" && name != "src" && name != "style" && count[name] != want {
			t.Errorf("%s has %d forms", name, count[name])
		}
	}
	for name := range count {
		if !hasWord(listed, name) {
			t.Errorf("%s has a form but stands on no element", name)
		}
	}
}
