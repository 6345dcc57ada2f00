package mail

import (
	"bytes"
	"strconv"
	"strings"
)

// Limits of an index. What lies deeper is one opaque part, what comes later is not listed.
const (
	maxDepth  = 20
	maxParts  = 1000
	maxLine   = 4096     // octets of a line that are looked at as a whole
	maxFields = 64 << 10 // octets of Content-* fields of one part
)

// Part is one body part of a stored message.
type Part struct {
	// Path counts from 1 at each level: "2.1" is the first part of the second. The outermost multipart has none; a
	// message that is no multipart has the one part "1".
	Path string `json:"p"`
	// Type is the media type in lower case. A multipart/* is always a container, whose parts follow it; one that could
	// not be taken apart has another type.
	Type        string `json:"t"`
	Charset     string `json:"c,omitempty"`
	Disposition string `json:"d,omitempty"` // lower case
	Name        string `json:"n,omitempty"` // file name as sent, decoded: not safe as a path
	ContentID   string `json:"i,omitempty"` // without brackets
	Encoding    string `json:"e,omitempty"` // transfer encoding, lower case
	Offset      int64  `json:"o"`           // of the encoded body in the stored message
	Length      int64  `json:"l"`           // of the encoded body
	Size        int64  `json:"s"`           // of what DecodePart makes of it
	// Line is for base64 the characters of every line but the last, a multiple of 4, when each of these lines ends in
	// CRLF and nothing else is in the body; so the octet 3/4·Line·n stands at Offset + (Line+2)·n. Otherwise 0.
	Line  int `json:"w,omitempty"`
	Depth int `json:"y,omitempty"` // containers around it
}

// IsContainer reports whether the part only holds those that follow it.
func (p Part) IsContainer() bool { return strings.HasPrefix(p.Type, "multipart/") }

// Indexer finds the parts of a message that is written to it, header first. It needs memory for the index and one
// line, whatever the size of the message, and takes broken MIME for what a mail program would.
type Indexer struct {
	parts []Part
	stack []container
	state indexState
	leaf  leaf
	pos   int64  // offset of the line being read
	eol   int64  // octets of the line end before it
	cr    bool   // the octet before it is a CR
	line  []byte // the part of it that has come
	long  bool   // its beginning was dealt with, the rest is still to come

	header    []byte // Content-* fields read so far
	keep      bool   // the last field is one of them
	firstLine bool   // of a part's header
}

type indexState int

const (
	inHeader indexState = iota
	inLeaf
	between // before the first, after the last part of a multipart, or in a part that is not listed
)

// container is a multipart that has begun.
type container struct {
	boundary string
	part     int // in parts
	children int
	digest   bool
	closed   bool // its last boundary was met; what follows is no part
}

// NewIndexer begins an index.
func NewIndexer() *Indexer { return new(Indexer) }

// Write takes the next octets of the message. It never fails.
func (x *Indexer) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		piece := p[:lineEnd(p, 0)]
		piece = piece[:min(len(piece), maxLine-len(x.line))]
		x.take(piece)
		p = p[len(piece):]
	}
	return n, nil
}

// take deals with octets of one line, collecting until it is complete or maxLine octets of it have come.
func (x *Indexer) take(piece []byte) {
	complete := piece[len(piece)-1] == '\n'
	if x.long {
		x.rest(piece)
		x.long = !complete
		return
	}
	if len(x.line) > 0 || !complete && len(piece) < maxLine {
		x.line = append(x.line, piece...)
		piece = x.line
	}
	if complete || len(piece) == maxLine {
		x.begin(piece)
		x.line, x.long = x.line[:0], !complete
	}
}

// Close ends the message.
func (x *Indexer) Close() {
	if len(x.line) > 0 {
		x.begin(x.line)
		x.line = nil
	}
	if x.state == inHeader {
		x.startBody(x.pos)
	}
	x.endLeaf(x.pos, true)
	x.unwind(0, x.pos)
	x.state = between
}

// Parts is the index, in the order of the message, complete after Close.
func (x *Indexer) Parts() []Part { return x.parts }

// begin deals with a line, or with the first octets of one that is longer than maxLine.
func (x *Indexer) begin(line []byte) {
	if !x.boundary(line) {
		switch x.state {
		case inHeader:
			x.headerLine(line)
		case inLeaf:
			x.leaf.data(line)
		}
	}
	x.advance(line)
}

// rest deals with more octets of a long line.
func (x *Indexer) rest(piece []byte) {
	if x.state == inLeaf {
		x.leaf.data(piece)
	}
	x.advance(piece)
}

func (x *Indexer) advance(piece []byte) {
	x.pos += int64(len(piece))
	n := len(piece)
	switch {
	case piece[n-1] != '\n':
		x.eol = 0
	case n > 1 && piece[n-2] == '\r' || n == 1 && x.cr:
		x.eol = 2
	default:
		x.eol = 1
	}
	x.cr = piece[n-1] == '\r'
}

// boundary reports whether the line is a boundary of an open multipart, the innermost first, and acts on it.
func (x *Indexer) boundary(line []byte) bool {
	if !bytes.HasPrefix(line, []byte("--")) {
		return false
	}
	for level := len(x.stack) - 1; level >= 0; level-- {
		c := &x.stack[level]
		if c.closed {
			continue
		}
		rest, ok := bytes.CutPrefix(line[2:], []byte(c.boundary))
		if !ok {
			continue
		}
		switch rest = bytes.TrimRight(rest, " \t\r\n"); string(rest) {
		case "":
			x.cut(level)
			x.startHeader()
		case "--":
			x.cut(level)
			x.stack[level].closed = true
		default:
			continue
		}
		return true
	}
	return false
}

// cut ends what is open inside of a level at the line end before the present line.
func (x *Indexer) cut(level int) {
	if x.state == inHeader {
		x.startBody(x.pos)
	}
	x.endLeaf(x.pos-x.eol, false)
	x.unwind(level+1, x.pos-x.eol)
	x.state = between
}

func (x *Indexer) startHeader() {
	x.state, x.header, x.keep, x.firstLine = inHeader, x.header[:0], false, true
}

// headerLine keeps Content-* fields. A part that begins with something else than a field has no header.
func (x *Indexer) headerLine(line []byte) {
	if isEmptyLine(line) {
		x.startBody(x.pos + int64(len(line)))
		return
	}
	folded := line[0] == ' ' || line[0] == '\t'
	name := ""
	if !folded {
		name = fieldName(line)
		x.keep = len(name) > 8 && strings.EqualFold(name[:8], "content-")
	}
	if x.firstLine && name == "" && len(x.stack) > 0 {
		x.startBody(x.pos)
		if x.state == inLeaf {
			x.leaf.data(line)
		}
		return
	}
	x.firstLine = false
	if x.keep && len(x.header) < maxFields {
		x.header = append(x.header, line[:min(len(line), maxFields)]...)
		if line[len(line)-1] != '\n' {
			x.header = append(x.header, '\n')
		}
	}
}

// startBody decides by the header what the body that begins at offset is.
func (x *Indexer) startBody(offset int64) {
	fallback := "text/plain"
	path := ""
	depth := len(x.stack)
	if depth > 0 {
		top := &x.stack[depth-1]
		top.children++
		path = childPath(x.parts[top.part].Path, top.children)
		if top.digest {
			fallback = "message/rfc822"
		}
	}
	e := readEntity(ParseHeader(x.header), fallback)
	x.state = between
	if len(x.parts) >= maxParts {
		return
	}
	part := Part{
		Path: path, Type: e.media, Charset: e.charset, Disposition: e.disposition, Name: e.name,
		ContentID: e.contentID, Encoding: e.encoding, Offset: offset, Depth: depth,
	}
	switch {
	case part.IsContainer() && e.boundary != "" && depth < maxDepth:
		part.Encoding = ""
		x.stack = append(x.stack, container{boundary: e.boundary, part: len(x.parts), digest: e.media == "multipart/digest"})
	case part.IsContainer():
		x.startLeaf(opaque(part, depth >= maxDepth))
		return
	default:
		x.startLeaf(part)
		return
	}
	x.parts = append(x.parts, part)
}

func childPath(parent string, n int) string {
	if parent == "" {
		return strconv.Itoa(n)
	}
	return parent + "." + strconv.Itoa(n)
}

// opaque makes a multipart that is not taken apart a part of its own: text to look at, or a file when it is too deep.
func opaque(p Part, deep bool) Part {
	p.Type, p.Encoding = "text/plain", ""
	if deep {
		p.Type = "application/octet-stream"
	}
	return p
}

func (x *Indexer) startLeaf(p Part) {
	if p.Path == "" {
		p.Path = "1"
	}
	x.state = inLeaf
	x.leaf = leaf{part: len(x.parts), decoder: newDecoder(p.Encoding), scratch: x.leaf.scratch[:0]}
	x.parts = append(x.parts, p)
}

// endLeaf ends the part being read. At the end of the message the last line end belongs to it.
func (x *Indexer) endLeaf(end int64, atEnd bool) {
	if x.state != inLeaf {
		return
	}
	p := &x.parts[x.leaf.part]
	p.endAt(end)
	p.Size, p.Line = x.leaf.finish(p.Length, atEnd)
}

// endAt sets where the body ends. An empty one may have begun behind the line end that belongs to the boundary after it.
func (p *Part) endAt(end int64) {
	p.Offset = min(p.Offset, end)
	p.Length = end - p.Offset
}

// unwind ends the multiparts from a level on. One in which no boundary was found is a text.
func (x *Indexer) unwind(level int, end int64) {
	for _, c := range x.stack[level:] {
		p := &x.parts[c.part]
		p.endAt(end)
		p.Size = p.Length
		if c.children == 0 {
			*p = opaque(*p, false)
			if p.Path == "" {
				p.Path = "1"
			}
		}
	}
	x.stack = x.stack[:level]
}
