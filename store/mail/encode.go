package mail

import (
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"postern/store"
)

// maxLineOut is the length of the lines that we write, without their end (MAIL 6.1).
const maxLineOut = 76

// field writes a field whose value is ASCII and ours, folded at blanks.
func (o *letterWriter) field(name, value string) { o.folded(name, strings.Split(value, " ")) }

// folded writes words with blanks between them on lines that are as long as allowed.
func (o *letterWriter) folded(name string, words []string) {
	line := name + ":"
	for _, w := range words {
		if len(line)+1+len(w) > maxLineOut && len(w) < maxLineOut {
			o.line(line)
			line = ""
		}
		line += " " + w
	}
	o.line(line)
}

// tokens writes ids; nothing when there is none.
func (o *letterWriter) tokens(name string, ids ...string) {
	var words []string
	for _, id := range ids {
		if id = strings.Join(strings.Fields(cleanLine(validText(id))), ""); id != "" {
			words = append(words, id)
		}
	}
	if len(words) > 0 {
		o.folded(name, words)
	}
}

// text writes unstructured text, encoded when it must be.
func (o *letterWriter) text(name, value string) {
	value = strings.TrimSpace(cleanLine(strings.ToValidUTF8(value, string(utf8Error))))
	words := strings.Split(value, " ")
	if needsEncoding(value, words) {
		words = encodeWords(value)
	}
	o.folded(name, words)
}

// needsEncoding reports whether a text would not survive: it is not ASCII, looks encoded, or cannot be folded.
func needsEncoding(value string, words []string) bool {
	if !isASCII(value) || strings.Contains(value, "=?") {
		return true
	}
	for _, w := range words {
		if w == "" || len(w) > maxLineOut-1 { // a line of blanks is no continuation
			return value != ""
		}
	}
	return false
}

// maxEncoded is what fits into an encoded word of 60 characters, so that it still fits behind a field's name.
const maxEncoded = 60

// encodeWords writes a text as encoded words (RFC 2047), Q when most of it is ASCII.
func encodeWords(s string) []string {
	encode := base64Word
	if plain := strings.Count(quotedText(s), "="); plain*3 < len(s) {
		encode = quotedWord
	}
	var words []string
	from := 0
	for i := 0; i < len(s); {
		_, size := utf8.DecodeRuneInString(s[i:])
		if i > from && len(encode(s[from:i+size])) > maxEncoded {
			words = append(words, encode(s[from:i]))
			from = i
		}
		i += size
	}
	return append(words, encode(s[from:]))
}

func base64Word(s string) string {
	return "=?utf-8?B?" + base64.StdEncoding.EncodeToString([]byte(s)) + "?="
}

func quotedWord(s string) string { return "=?utf-8?Q?" + quotedText(s) + "?=" }

// quotedText is the Q encoding with the letters that are allowed in a display name (RFC 2047 §5 (3)).
func quotedText(s string) string {
	var out strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case c == ' ':
			out.WriteByte('_')
		case isAlnum(c) || strings.IndexByte("!*+-/", c) >= 0:
			out.WriteByte(c)
		default:
			fmt.Fprintf(&out, "=%02X", c)
		}
	}
	return out.String()
}

func isAlnum(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// mailboxes writes an address list; nothing when it is empty. Names are cleaned.
func (o *letterWriter) mailboxes(name string, list []Mailbox) {
	var words []string
	for i, m := range list {
		comma := ""
		if i < len(list)-1 {
			comma = ","
		}
		words = append(words, mailboxWords(m, comma)...)
	}
	if len(words) > 0 {
		o.folded(name, words)
	}
}

func mailboxWords(m Mailbox, comma string) []string {
	address := wireAddress(m.Address)
	name := CleanDisplayName(m.Name)
	if name == "" {
		return []string{address + comma}
	}
	words := []string{`"` + name + `"`}
	if !isASCII(name) || strings.Contains(name, "=?") {
		words = encodeWords(name)
	}
	return append(words, "<"+address+">"+comma)
}

// wireAddress is an address in ASCII where it can be.
func wireAddress(a store.Address) string {
	if isASCII(a.Domain) {
		return a.String()
	}
	return a.Local + "@" + store.DomainKey(a.Domain)
}

// fileName is the filename parameter of a Content-Disposition, each on a line of its own (RFC 2231).
func fileName(name string) string {
	name = cleanLine(strings.ToValidUTF8(name, string(utf8Error)))
	if name == "" {
		return ""
	}
	if isASCII(name) && len(name) < 50 && !strings.ContainsAny(name, "\"\\%") && !strings.Contains(name, "  ") {
		return `; filename="` + name + `"`
	}
	var out, piece strings.Builder
	n := 0
	flush := func() {
		fmt.Fprintf(&out, "; filename*%d*=%s", n, piece.String())
		piece.Reset()
		n++
	}
	piece.WriteString("utf-8''")
	for _, r := range name {
		if piece.Len() > 40 {
			flush()
		}
		for _, c := range []byte(string(r)) {
			if isAlnum(c) || c == '.' || c == '-' || c == '_' {
				piece.WriteByte(c)
			} else {
				fmt.Fprintf(&piece, "%%%02X", c)
			}
		}
	}
	if n == 0 {
		return "; filename*=" + piece.String()
	}
	flush()
	return out.String()
}

// attachmentType is a type that may be sent in base64 (RFC 2046 §5.2.1 forbids it for messages and multiparts).
func attachmentType(s string) string {
	media, _ := ParseMedia(s)
	media = mediaType(media, true)
	if strings.HasPrefix(media, "multipart/") || strings.HasPrefix(media, "message/") || len(media) > 60 {
		return "application/octet-stream"
	}
	return media
}

// base64Lines encodes what is written to it in lines.
type base64Lines struct {
	w   io.Writer
	in  []byte
	out []byte
}

// lineOctets are encoded on one line of 76 characters.
const lineOctets = maxLineOut / 4 * 3

func newBase64Lines(w io.Writer) *base64Lines {
	return &base64Lines{w: w, in: make([]byte, 0, lineOctets)}
}

// Write takes octets of the file.
func (b *base64Lines) Write(p []byte) (int, error) {
	n := len(p)
	b.out = b.out[:0]
	for len(p) > 0 {
		take := min(len(p), lineOctets-len(b.in))
		b.in = append(b.in, p[:take]...)
		p = p[take:]
		if len(b.in) == lineOctets {
			b.encode()
		}
	}
	_, err := b.w.Write(b.out)
	return n, err
}

func (b *base64Lines) encode() {
	b.out = base64.StdEncoding.AppendEncode(b.out, b.in)
	b.out = append(b.out, "\r\n"...)
	b.in = b.in[:0]
}

// Close writes the last line.
func (b *base64Lines) Close() {
	b.out = b.out[:0]
	if len(b.in) > 0 {
		b.encode()
		_, _ = b.w.Write(b.out) // a letterWriter keeps the error
	}
}
