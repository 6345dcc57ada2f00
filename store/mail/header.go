package mail

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
)

// ErrHeaderTooLarge is ReadHeader's answer to a header over the limit.
var ErrHeaderTooLarge = errors.New("message header too large")

// Field is one field of a header.
type Field struct {
	Name string // as written, without blanks around it
	Raw  []byte // the whole field with its name, folding and line ends
}

// Value is the unfolded, undecoded content.
func (f Field) Value() string {
	colon := bytes.IndexByte(f.Raw, ':')
	if colon < 0 {
		return ""
	}
	return unfold(f.Raw[colon+1:])
}

// Header is the header block of a message or of a part. Lines that are no fields are in no Field.
type Header struct{ Fields []Field }

// ReadHeader reads up to and including the empty line, or the end of the message, which then has no body. raw is
// exactly what was read. ErrHeaderTooLarge when there is no end within max octets; errors of br are returned as they
// are.
func ReadHeader(br *bufio.Reader, max int) (h Header, raw []byte, err error) {
	start := 0 // of the line being read
	for {
		piece, err := br.ReadSlice('\n')
		raw = append(raw, piece...)
		switch {
		case len(raw) > max:
			return Header{}, raw, ErrHeaderTooLarge
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF):
			return ParseHeader(raw), raw, nil
		case err != nil:
			return Header{}, raw, err
		}
		if isEmptyLine(raw[start:]) {
			return ParseHeader(raw), raw, nil
		}
		start = len(raw)
	}
}

// ParseHeader reads the fields of raw up to the first empty line. The fields point into raw.
func ParseHeader(raw []byte) (h Header) {
	scan(raw, func(name string, field []byte) {
		if name != "" {
			h.Fields = append(h.Fields, Field{Name: name, Raw: field})
		}
	})
	return h
}

// Get is the value of the first field of that name in any case, unfolded, not decoded; "" when there is none.
func (h Header) Get(name string) string {
	for _, f := range h.Fields {
		if strings.EqualFold(f.Name, name) {
			return f.Value()
		}
	}
	return ""
}

// All is the values of all fields of that name, as Get gives them.
func (h Header) All(name string) []string {
	var values []string
	for _, f := range h.Fields {
		if strings.EqualFold(f.Name, name) {
			values = append(values, f.Value())
		}
	}
	return values
}

// Has reports whether there is a field of that name.
func (h Header) Has(name string) bool { return h.Count(name) > 0 }

// Count is the number of fields of that name.
func (h Header) Count(name string) int {
	n := 0
	for _, f := range h.Fields {
		if strings.EqualFold(f.Name, name) {
			n++
		}
	}
	return n
}

// Strip is raw, as ReadHeader returns it, less the fields of these names in any case; every other octet is as received.
func Strip(raw []byte, names ...string) []byte {
	kept := make([]byte, 0, len(raw))
	end := scan(raw, func(name string, field []byte) {
		for _, n := range names {
			if strings.EqualFold(name, n) {
				return
			}
		}
		kept = append(kept, field...)
	})
	return append(kept, raw[end:]...)
}

// scan calls f for each field with its continuation lines, and with an empty name for other lines. It stops at the
// first empty line and says where that begins.
func scan(raw []byte, f func(name string, field []byte)) int {
	pos := 0
	for pos < len(raw) {
		end := lineEnd(raw, pos)
		if isEmptyLine(raw[pos:end]) {
			return pos
		}
		for end < len(raw) && (raw[end] == ' ' || raw[end] == '\t') {
			end = lineEnd(raw, end)
		}
		line := raw[pos:end]
		if pos == 0 {
			line = bytes.TrimPrefix(line, []byte("\ufeff")) // files saved by editors
		}
		f(fieldName(line), raw[pos:end])
		pos = end
	}
	return pos
}

func lineEnd(b []byte, from int) int {
	if i := bytes.IndexByte(b[from:], '\n'); i >= 0 {
		return from + i + 1
	}
	return len(b)
}

func isEmptyLine(line []byte) bool {
	return len(line) == 1 && line[0] == '\n' || len(line) == 2 && line[0] == '\r' && line[1] == '\n'
}

// fieldName is the name of a field, or "" when the line is none. Blanks before the colon are the obsolete form that
// many programs write (RFC 5322 §4.5); some read past a folding there, too.
func fieldName(line []byte) string {
	colon := bytes.IndexByte(line, ':')
	if colon < 1 {
		return ""
	}
	name := bytes.TrimRight(line[:colon], " \t\r\n")
	for _, c := range name {
		if c <= ' ' || c > '~' {
			return ""
		}
	}
	return string(name)
}

// unfold removes line ends and the blanks around the value.
func unfold(b []byte) string {
	b = bytes.Trim(b, " \t\r\n")
	if bytes.IndexByte(b, '\n') < 0 {
		return string(b)
	}
	out := make([]byte, 0, len(b))
	for i, c := range b {
		if c == '\n' || c == '\r' && i+1 < len(b) && b[i+1] == '\n' {
			continue
		}
		out = append(out, c)
	}
	return string(out)
}
