package mime

import (
	"html"
	"regexp"
	"strings"

	"postern/store/mail"
)

// HTML is the body as HTML for a sandboxed page of its own: a <style> element where the author wrote one, then the
// content of the body. found is false when the message has no HTML part, or a longer one than MaxHTML (HTMLTooLong);
// Text then has it all.
func HTML(b Body, parts []mail.Part) (page string, found bool, err error) {
	if !HasHTML(parts) {
		return "", false, nil
	}
	body := bodyParts(parts, typeHTML)
	images := newImages(b, parts)
	var out strings.Builder
	for _, p := range body {
		piece, err := htmlPiece(b, p, images)
		if err != nil {
			return "", false, err
		}
		out.WriteString(piece)
	}
	return out.String(), true, images.err
}

// HasHTML reports, from the index alone, whether HTML finds something.
func HasHTML(parts []mail.Part) bool {
	return hasType(bodyParts(parts, typeHTML), typeHTML) && !HTMLTooLong(parts)
}

// HTMLTooLong reports whether HTML leaves out what the message has, for a note on the page.
func HTMLTooLong(parts []mail.Part) bool {
	var n int64
	for _, p := range bodyParts(parts, typeHTML) {
		n += p.Size
	}
	return n > MaxHTML
}

// htmlPiece is one part of the body; text between HTML parts, such as a list's footer, stays text.
func htmlPiece(b Body, p mail.Part, images *images) (string, error) {
	if p.Type == typeHTML {
		source, err := readHTML(b, p, 4*MaxHTML)
		return sanitise(source, images), err
	}
	text, err := partText(b, p)
	return `<div style="white-space:pre-wrap">` + html.EscapeString(text) + "</div>", err
}

// sanitise makes hostile HTML harmless. The result is well-formed: every element is closed, none is nested deeper than
// maxNesting.
func sanitise(source string, images *images) string {
	css := styleSheets(source)
	rw := &rewriter{images: images, opened: map[string]int{}, skipped: map[string]int{}}
	rw.run(policy().Sanitize(source))
	if css == "" {
		return rw.out.String()
	}
	return "<style>" + css + "</style>" + rw.out.String()
}

// metaWindow is how far into an HTML part its own word on the charset is looked for, as browsers do.
const metaWindow = 2 << 10

var metaCharset = regexp.MustCompile(`(?i)<meta[^>]{0,200}charset\s*=\s*["']?([A-Za-z0-9_:.-]{2,40})`)

// readHTML reads at most n octets of an HTML part as UTF-8. The charset is that of the part, else that of its meta
// element.
func readHTML(b Body, p mail.Part, n int64) (string, error) {
	charset := p.Charset
	if charset == "" {
		head, _, err := readText(b, p, "", metaWindow)
		if err != nil {
			return "", err
		}
		if m := metaCharset.FindStringSubmatch(head); m != nil && !strings.HasPrefix(strings.ToLower(m[1]), "utf-16") {
			charset = m[1]
		}
	}
	text, _, err := readText(b, p, charset, n)
	return text, err
}
