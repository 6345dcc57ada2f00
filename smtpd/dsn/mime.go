package dsn

import (
	"bytes"
	"fmt"
	"mime/quotedprintable"
	"strings"

	"postern/store"
)

// lineWidth is the longest line that Compose writes, without CRLF (MAIL 6.1).
const lineWidth = 76

// part is one body part; body is what goes out, CRLF lines, already encoded.
type part struct {
	kind, params, encoding string
	body                   []byte
}

// textPart is text as 7bit where it can be, else quoted-printable. text has LF or CRLF lines.
func textPart(kind, params, text string) part {
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\n", "\r\n")
	if kind == "text/plain" && params == "" {
		params = "; charset=utf-8"
		if isASCII(text) {
			params = "; charset=us-ascii"
		}
	}
	if plainLines([]byte(text), lineWidth) {
		return part{kind: kind, params: params, body: []byte(text)}
	}
	return quotedPart(kind, params, text)
}

func quotedPart(kind, params, text string) part {
	var b bytes.Buffer
	w := quotedprintable.NewWriter(&b)
	fmt.Fprint(w, text)
	w.Close()
	return part{kind: kind, params: params, encoding: "quoted-printable", body: b.Bytes()}
}

func writeParts(b *bytes.Buffer, boundary string, parts []part) {
	for _, p := range parts {
		fmt.Fprintf(b, "--%s\r\n", boundary)
		field(b, "Content-Type", p.kind+p.params)
		if p.encoding != "" {
			field(b, "Content-Transfer-Encoding", p.encoding)
		}
		b.WriteString("\r\n")
		b.Write(p.body)
		if !bytes.HasSuffix(p.body, []byte("\r\n")) {
			b.WriteString("\r\n")
		}
		b.WriteString("\r\n") // belongs to the boundary (RFC 2046 §5.1.1)
	}
	fmt.Fprintf(b, "--%s--\r\n", boundary)
}

// field writes a header field, folded at blanks to lineWidth where there are any. A first word that does not fit
// begins on the next line.
func field(b *bytes.Buffer, name, value string) {
	line := name + ":"
	for _, word := range strings.Fields(value) {
		if len(line)+1+len(word) > lineWidth && strings.TrimSpace(line) != "" {
			b.WriteString(line + "\r\n")
			line = ""
		}
		line += " " + word
	}
	b.WriteString(line + "\r\n")
}

// breakWords puts blanks into words that are longer than a line, so that they can be folded: text for people only.
func breakWords(s string) string {
	const most = 70
	var out []string
	for _, w := range strings.Fields(s) {
		for ; len(w) > most; w = w[most:] {
			out = append(out, w[:most])
		}
		out = append(out, w)
	}
	return strings.Join(out, " ")
}

// oneLine makes a value safe for a field: control characters become blanks.
func oneLine(s string) string {
	return strings.TrimSpace(strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f {
			return ' '
		}
		return c
	}, s))
}

// plainLines reports whether text is ASCII without control characters but CRLF and tab, in lines of at most width.
func plainLines(text []byte, width int) bool {
	for line := range bytes.SplitSeq(text, []byte("\r\n")) {
		if len(line) > width {
			return false
		}
		for _, c := range line {
			if c >= 0x7f || c < ' ' && c != '\t' {
				return false
			}
		}
	}
	return true
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// asciiDomain is a domain as it is sent without SMTPUTF8.
func asciiDomain(domain string) string {
	if isASCII(domain) {
		return domain
	}
	return store.DomainKey(domain)
}
