package guard

import (
	"bytes"

	"github.com/emersion/go-smtp"
)

// place is where in a line the reader of a message stands.
type place int

const (
	lineStart place = iota
	inLine
	afterCR
	afterDot   // a dot began the line
	afterDotCR // and CR followed
	ended      // and LF
)

// frame follows a message octet by octet: where its lines end, where it ends, what may not be in it. The rule is the
// strict one of RFC 5321 §2.3.8 and §4.1.1.4: whoever is laxer here lets one message be read as two by others.
type frame struct{ at place }

// scan returns how many octets at the beginning of b are without bare CR, bare LF and NUL. With dots, as in DATA, it
// stops behind CR LF dot CR LF, where the frame has ended.
func (f *frame) scan(b []byte, dots bool) int {
	n := 0
	for n < len(b) && f.at != ended {
		if f.at == inLine {
			run := plain(b[n:])
			if n += run; n == len(b) {
				break
			}
		}
		if !f.step(b[n], dots) {
			break
		}
		n++
	}
	return n
}

// plain is the length of the run without line ends and NUL that b begins with.
func plain(b []byte) int {
	if i := bytes.IndexByte(b, '\r'); i >= 0 {
		b = b[:i]
	}
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		b = b[:i]
	}
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return len(b)
}

// step takes one octet; false if it may not stand here.
func (f *frame) step(x byte, dots bool) bool {
	switch {
	case x == '\n' && f.at == afterCR:
		f.at = lineStart
	case x == '\n' && f.at == afterDotCR:
		f.at = ended
	case x == 0, x == '\n', f.at == afterCR, f.at == afterDotCR:
		return false
	case x == '\r' && f.at == afterDot:
		f.at = afterDotCR
	case x == '\r':
		f.at = afterCR
	case x == '.' && f.at == lineStart && dots:
		f.at = afterDot
	default:
		f.at = inLine
	}
	return true
}

// piece waits for input and returns, without consuming it, what is there: at most n octets and at most limit.
func (c *Conn) piece(n int, limit int64) ([]byte, *smtp.SMTPError) {
	if c.br.Buffered() == 0 {
		if err := c.bw.Flush(); err != nil {
			return nil, c.inMessage(err)
		}
		if _, err := c.br.Peek(1); err != nil {
			return nil, c.inMessage(err)
		}
	}
	n = min(n, c.br.Buffered())
	if int64(n) > limit {
		n = int(limit)
	}
	b, _ := c.br.Peek(n) // buffered, so without error
	return b, nil
}

// readData gives a piece of a DATA message, the dot that ends it included, and never an octet more.
func (c *Conn) readData(p []byte) (int, error) {
	b, err := c.piece(len(p), c.g.limits.wire()-c.got)
	if err != nil {
		return c.fail(err)
	}
	if len(b) == 0 {
		return c.fail(smtpError(c.g.tooLarge()))
	}
	n := c.frame.scan(b, true)
	if n == 0 {
		return c.fail(smtpError(bareOctet))
	}
	c.got += int64(n)
	if c.frame.at == ended {
		c.mode = command
	}
	return c.take(p, b[:n])
}

// readBdat gives a piece of a chunk. A chunk that has been refused is discarded by go-smtp, so anything may be in it.
func (c *Conn) readBdat(p []byte) (int, error) {
	b, err := c.piece(len(p), c.left)
	switch {
	case err != nil && c.answered:
		return c.end(replyOf(err))
	case err != nil:
		return c.fail(err)
	}
	n := len(b)
	if !c.answered {
		n = c.frame.scan(b, false)
	}
	if n == 0 {
		return c.fail(smtpError(bareOctet))
	}
	if c.left -= int64(n); c.left == 0 {
		c.mode = command
	}
	return c.take(p, b[:n])
}

// take copies what piece returned and consumes it.
func (c *Conn) take(p, b []byte) (int, error) {
	n := copy(p, b)
	c.br.Discard(n) // buffered, so without error
	return n, nil
}
