package mime

import (
	"strings"
	"testing"
)

func TestHTMLAsText(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, in, want string }{
		{"paragraphs", "<p>One\n two</p><p>three<br>four</p>five", "One two\n\nthree\nfour\n\nfive"},
		{"inline", "a<b>b</b> <i> c </i>d", "ab c d"},
		{"entities", "&lt;a&gt; &amp;&nbsp;&uuml; &#8364;", "<a> & ü €"},
		{"heading", "<h1>Title</h1><p>text</p>", "Title\n\ntext"},
		{"link", `see <a href="https://example.org/x?a=1&amp;b=2">the page</a>.`, "see the page <https://example.org/x?a=1&b=2>."},
		{"link that says its address", `<a href="https://example.org/">https://example.org</a> <a href="http://example.org/">example.org</a>`, "https://example.org example.org"},
		{"mail link", `<a href="mailto:a@example.org?subject=x">write</a> <a href="mailto:a@example.org">a@example.org</a>`, "write <a@example.org> a@example.org"},
		{"links nowhere", `<a href="#top">top</a> <a href="javascript:x()">run</a> <a name=x>anchor</a> <a href="https://example.org"></a>`, "top run anchor"},
		{"link on an image", `<a href="https://example.org/x"><img src=x alt="Logo"></a>`, "[Logo] <https://example.org/x>"},
		{"image without text", `a<img src=x>b`, "ab"},
		{"list", "<ul><li>one<li>two<ol><li>a</li><li>b</li></ol></li><li>three</ul>end", "- one\n- two\n\n  1. a\n  2. b\n\n- three\n\nend"},
		{"table", "<table><tr><th>Day</th><th>Time</th></tr><tr><td>Monday</td><td>8:00</td></tr></table>", "Day | Time\nMonday | 8:00"},
		{"table of word", "<table><tr><td><p class=MsoNormal>Day<o:p></o:p></p></td><td><p>Time</p></td></tr></table>after", "Day | Time\n\nafter"},
		{"table for layout", "<table><tr><td>&nbsp;</td><td><table><tr><td><p>One</p><p>two</p></td></tr><tr><td>three</td></tr></table></td></tr></table>", "One\n\ntwo\n\nthree"},
		{"cell of several lines", "<table><tr><td>a<br>b</td><td>c</td></tr></table>", "a\nb\nc"},
		{"cells without table", "<td>a</td><td>b</td>", "a\nb"},
		{"quotation", "<p>hi</p><blockquote><p>first</p><p>second<br>line</p><blockquote>older</blockquote></blockquote>end", "hi\n\n> first\n\n> second\n> line\n\n> > older\n\nend"},
		{"preformatted", "<pre>a\n  b\n\nc</pre>", "a\n  b\n\nc"},
		{"rule", "a<hr>b", "a\n----------\nb"},
		{"what is no text", "<head><title>T</title><style>p{}</style></head><script>x()</script><p>text</p><!-- c --><template>t</template><svg><text>s</text></svg>", "text"},
		{"preview filler", "Hello\u200b\u034f\u00ad\u200b world\ufeff", "Hello world"},
		{"definition list", "<dl><dt>a<dd>b</dl>", "a\nb"},
		{"stray end tags", "</p></td></table></li></blockquote></pre>x", "x"},
		{"empty", "<p></p><br><table></table>", ""},
	} {
		if got := htmlToText(tc.in); got != tc.want {
			t.Errorf("%s:\n got %q\nwant %q", tc.name, got, tc.want)
		}
	}
}

func TestHTMLAsTextIsBounded(t *testing.T) {
	t.Parallel()
	for _, tag := range []string{"blockquote", "ul><li", "table><tr><td", "pre", "a href=https://example.org/"} {
		in := strings.Repeat("<"+tag+">w ", 20_000)
		if got := htmlToText(in); len(got) > 3*len(in) || strings.Count(got, "w") < 20_000 {
			t.Errorf("%s: %d octets became %d", tag, len(in), len(got))
		}
	}
}

func FuzzHTMLToText(f *testing.F) {
	for _, s := range []string{"<p>a<table><tr><td>b<ul><li>c", "<a href=https://x>y</a>", "<pre>\n x", "<blockquote><br>x", "<svg>", "a<br/>b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, source string) {
		if len(source) > 4<<10 {
			return
		}
		if got := htmlToText(clean(source)); len(got) > 20*len(source)+100 || got != strings.TrimSpace(got) {
			t.Errorf("%q became %q", source, got)
		}
	})
}
