package mail

// leaf measures the body of one part while it passes.
type leaf struct {
	part    int
	decoder decoder // nil when nothing is to be decoded
	scratch []byte
	size    int64
	held    lineBreak // may belong to the boundary after it
	lines   lineShape
}

type lineBreak int

const (
	noBreak lineBreak = iota
	cr
	lf
	crLF
)

var breaks = [...][]byte{noBreak: nil, cr: []byte("\r"), lf: []byte("\n"), crLF: []byte("\r\n")}

// data takes a piece of the body that holds at most one line end, as its last octets.
func (l *leaf) data(b []byte) {
	if l.decoder == nil {
		return
	}
	if l.held == cr && string(b) == "\n" {
		l.held = crLF
		return
	}
	l.release()
	n, held := len(b), noBreak
	if n > 0 && b[n-1] == '\n' {
		n, held = n-1, lf
	}
	if n > 0 && b[n-1] == '\r' {
		n, held = n-1, held+cr
	}
	l.push(b[:n])
	l.held = held
}

// release passes a held line end on.
func (l *leaf) release() {
	switch l.held {
	case noBreak:
		return
	case cr:
		l.lines.odd = true
	default:
		l.lines.end(l.held == crLF)
	}
	l.count(breaks[l.held])
	l.held = noBreak
}

func (l *leaf) push(b []byte) {
	l.lines.length += len(b)
	l.count(b)
}

func (l *leaf) count(b []byte) {
	l.scratch = l.decoder.push(l.scratch[:0], b)
	l.size += int64(len(l.scratch))
}

// finish is the decoded size of a body of length octets, and its Line.
func (l *leaf) finish(length int64, atEnd bool) (size int64, line int) {
	if l.decoder == nil {
		return length, 0
	}
	if atEnd {
		l.release()
	}
	l.lines.end(true)
	l.size += int64(len(l.decoder.flush(l.scratch[:0])))
	d, ok := l.decoder.(*base64Decoder)
	if !ok || d.odd || l.lines.odd || l.lines.full%4 != 0 {
		return l.size, 0
	}
	return l.size, l.lines.full
}

// lineShape watches whether all lines but the last are equally long.
type lineShape struct {
	full   int  // length of the first line
	length int  // of the present line
	last   bool // a short or empty line was met: no other may follow
	odd    bool
}

// end ends a line.
func (s *lineShape) end(crlf bool) {
	switch {
	case s.length == 0:
		s.last = true
	case s.last || s.full != 0 && s.length > s.full:
		s.odd = true
	case s.full == 0:
		s.full = s.length
	case s.length < s.full:
		s.last = true
	}
	s.odd = s.odd || !crlf
	s.length = 0
}
