package mail

import (
	"bytes"
	"encoding/base64"
	"io"
	"slices"
	"strings"
)

// The transfer encodings that change octets.
const (
	encBase64 = "base64"
	encQuoted = "quoted-printable"
)

// DecodePart undoes a Content-Transfer-Encoding. It is tolerant: stray characters and missing padding in base64 and
// wrong escapes in quoted-printable are passed over, an unknown encoding is passed through. Its errors are r's.
func DecodePart(r io.Reader, encoding string) io.Reader {
	d := newDecoder(encoding)
	if d == nil {
		return r
	}
	return &decodeReader{r: r, d: d, in: make([]byte, 8<<10)}
}

// decoder is a tolerant transfer decoder that is fed piece by piece; it appends to dst what can be told already.
type decoder interface {
	push(dst, p []byte) []byte
	flush(dst []byte) []byte
}

// newDecoder returns nil for encodings that change nothing.
func newDecoder(encoding string) decoder {
	switch encodingName(encoding) {
	case encBase64:
		return new(base64Decoder)
	case encQuoted:
		return new(quotedDecoder)
	}
	return nil
}

func encodingName(s string) string {
	name, _, _ := strings.Cut(strings.ToLower(strings.Trim(s, " \t\"'")), ";")
	if fields := strings.Fields(name); len(fields) > 0 {
		name = fields[0]
	}
	switch name {
	case "b":
		return encBase64
	case "q", "quotedprintable", "quoted_printable":
		return encQuoted
	}
	return name
}

type decodeReader struct {
	r    io.Reader
	d    decoder
	in   []byte
	out  []byte // decoded, from pos on not yet read
	pos  int
	done error
}

func (r *decodeReader) Read(p []byte) (int, error) {
	for r.pos == len(r.out) {
		if r.done != nil {
			return 0, r.done
		}
		n, err := r.r.Read(r.in)
		r.pos, r.out = 0, r.d.push(r.out[:0], r.in[:n])
		if err == io.EOF {
			r.out = r.d.flush(r.out)
		}
		r.done = err
	}
	n := copy(p, r.out[r.pos:])
	r.pos += n
	return n, nil
}

// base64Value maps a character to its six bits, or to one of the marks below.
var base64Value = func() (t [256]byte) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	for i := range t {
		t[i] = b64Stray
	}
	for i := range len(alphabet) {
		t[alphabet[i]] = byte(i)
	}
	t['='], t['\r'], t['\n'] = b64Pad, b64Line, b64Line
	return t
}()

const (
	b64Stray = 0xff
	b64Pad   = 0xfe
	b64Line  = 0xfd
)

// base64Decoder reads base64. After padding it goes on: some programs encode a file in pieces.
type base64Decoder struct {
	bits   uint32
	n      int  // characters in bits
	padded bool // a '=' was met
	odd    bool // stray characters, or data after padding
}

func (d *base64Decoder) push(dst, p []byte) []byte {
	for len(p) > 0 {
		line := p[:lineEnd(p, 0)]
		p = p[len(line):]
		if d.n == 0 && !d.padded {
			dst, line = decodeGroups(dst, line)
		}
		dst = d.slow(dst, line)
	}
	return dst
}

// decodeGroups decodes what of a clean line is whole groups and returns the rest; of another line it decodes nothing.
func decodeGroups(dst, line []byte) (decoded, rest []byte) {
	n := len(bytes.TrimRight(line, "\r\n")) / 4 * 4
	dst = slices.Grow(dst, n/4*3)
	m, err := base64.StdEncoding.Decode(dst[len(dst):cap(dst)], line[:n])
	if err != nil || m != n/4*3 {
		return dst, line
	}
	return dst[:len(dst)+m], line[n:]
}

func (d *base64Decoder) slow(dst, p []byte) []byte {
	for _, c := range p {
		switch v := base64Value[c]; {
		case v < 64:
			d.odd = d.odd || d.padded
			d.bits, d.n = d.bits<<6|uint32(v), d.n+1
			if d.n == 4 {
				dst = append(dst, byte(d.bits>>16), byte(d.bits>>8), byte(d.bits))
				d.n = 0
			}
		case v == b64Pad:
			dst = d.flush(dst)
			d.padded = true
		case v == b64Stray:
			d.odd = true
		}
	}
	return dst
}

func (d *base64Decoder) flush(dst []byte) []byte {
	switch d.n {
	case 2:
		dst = append(dst, byte(d.bits>>4))
	case 3:
		dst = append(dst, byte(d.bits>>10), byte(d.bits>>2))
	}
	d.n = 0
	return dst
}

// maxBlanks is how many blanks quotedDecoder holds back to see whether they end a line; more are content.
const maxBlanks = 1024

// quotedDecoder reads quoted-printable. What is no escape is passed as it stands.
type quotedDecoder struct {
	held   []byte // blanks that vanish if the line ends, or an '=' with what followed it
	escape bool   // held begins with '='
}

func (d *quotedDecoder) push(dst, p []byte) []byte {
	for _, c := range p {
		dst = d.next(dst, c)
	}
	return dst
}

func (d *quotedDecoder) next(dst []byte, c byte) []byte {
	if d.escape {
		return d.inEscape(dst, c)
	}
	switch c {
	case '=':
		dst = d.flush(dst)
		d.held, d.escape = append(d.held, c), true
	case ' ', '\t':
		if len(d.held) >= maxBlanks {
			dst = d.flush(dst)
		}
		d.held = append(d.held, c)
	case '\r', '\n':
		d.held = d.held[:0]
		dst = append(dst, c)
	default:
		dst = append(d.flush(dst), c)
	}
	return dst
}

// inEscape goes on after an '=': two hexadecimal digits are an octet, blanks up to the line end are a soft break.
func (d *quotedDecoder) inEscape(dst []byte, c byte) []byte {
	last := d.held[len(d.held)-1]
	switch {
	case c == '\n' && unhex(last) > 15:
		d.held, d.escape = d.held[:0], false
		return dst
	case len(d.held) == 1 && unhex(c) < 16:
		d.held = append(d.held, c)
		return dst
	case len(d.held) == 2 && unhex(last) < 16 && unhex(c) < 16:
		d.held, d.escape = d.held[:0], false
		return append(dst, unhex(last)<<4|unhex(c))
	case (c == ' ' || c == '\t' || c == '\r') && unhex(last) > 15 && last != '\r' && len(d.held) < maxBlanks:
		d.held = append(d.held, c)
		return dst
	}
	dst = d.flush(dst)
	return d.next(dst, c)
}

func (d *quotedDecoder) flush(dst []byte) []byte {
	dst = append(dst, d.held...)
	d.held, d.escape = d.held[:0], false
	return dst
}

func unhex(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	}
	return 0xff
}
