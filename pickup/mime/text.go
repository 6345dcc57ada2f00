package mime

import (
	"strings"

	"postern/store/mail"
)

// Text is the body as plain text, UTF-8 with LF line ends: the text/plain parts, or what reads best of HTML where there
// are none. It is empty for a message without any. At most MaxText octets are returned; TextCut tells beforehand.
func Text(b Body, parts []mail.Part) (string, error) {
	var out []string
	room := MaxText
	for _, p := range bodyParts(parts, typePlain) {
		text, err := partText(b, p)
		if err != nil {
			return "", err
		}
		text = strings.Trim(text, "\n")
		if len(text) > room {
			text = cutAtLine(text, room)
		}
		if text != "" {
			out = append(out, text)
			room -= len(text)
		}
	}
	return strings.Join(out, "\n\n"), nil
}

// TextCut reports whether Text returns less than the whole text, for a note on the page.
func TextCut(parts []mail.Part) bool {
	var n int64
	for _, p := range bodyParts(parts, typePlain) {
		n += p.Size
	}
	return n > MaxText
}

func partText(b Body, p mail.Part) (string, error) {
	if p.Type == typeHTML {
		html, err := readHTML(b, p, MaxText)
		return htmlToText(html), err
	}
	text, cut, err := readText(b, p, p.Charset, MaxText)
	if err != nil {
		return "", err
	}
	if cut {
		text = cutAtLine(text, len(text))
	}
	if params := contentType(b, p); params.is("format", "flowed") {
		return unflow(text, params.is("delsp", "yes")), nil
	}
	return text, nil
}

// clean gives LF line ends and drops NUL and the other control characters that no text has.
func clean(s string) string {
	if strings.Contains(s, "\r") {
		s = strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
	}
	if !strings.ContainsFunc(s, isControl) {
		return strings.ToValidUTF8(s, "\ufffd")
	}
	return strings.Map(func(r rune) rune {
		if isControl(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
}

func isControl(r rune) bool { return r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 }

// cutAtLine shortens s to at most n octets, at a line end where there is one.
func cutAtLine(s string, n int) string {
	if n <= 0 {
		return ""
	}
	head := strings.ToValidUTF8(s[:n], "")
	if i := strings.LastIndexByte(head, '\n'); i > 0 {
		head = head[:i]
	}
	return head
}

// unflow joins the lines of format=flowed (RFC 3676): a line that ends in a blank goes on in the next one of the same
// quote depth; with delSp that blank is not part of the text.
func unflow(s string, delSp bool) string {
	var b strings.Builder
	open, openDepth := false, 0
	for _, line := range strings.Split(s, "\n") {
		depth, text := quoteDepth(line)
		if open && (depth != openDepth || text == "-- ") {
			b.WriteByte('\n')
			open = false
		}
		if !open && depth > 0 {
			b.WriteString(strings.Repeat(">", depth) + " ")
		}
		open = strings.HasSuffix(text, " ") && text != "-- "
		openDepth = depth
		if open && delSp {
			text = text[:len(text)-1]
		}
		b.WriteString(text)
		if !open {
			b.WriteByte('\n')
		}
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// quoteDepth takes the quote marks and the blank of space-stuffing off a line.
func quoteDepth(line string) (depth int, text string) {
	text = strings.TrimLeft(line, ">")
	depth = len(line) - len(text)
	return depth, strings.TrimPrefix(text, " ")
}
