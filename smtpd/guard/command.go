package guard

import (
	"bytes"
	"errors"
	"os"
	"strconv"
	"strings"
)

// act is what becomes of a command line.
type act int

const (
	pass    act = iota // go-smtp answers it
	answer             // the guard has the answer
	hangUp             // the same, and the connection ends
	upgrade            // STARTTLS
)

// readCommand gives go-smtp the next command that is for it. Commands that the guard answers never arrive there.
func (c *Conn) readCommand(p []byte) (int, error) {
	for {
		if r, over := c.over(); over {
			return c.end(r)
		}
		line, err := c.readLine()
		if err != nil {
			return c.end(c.lineError(err))
		}
		if c.mode == authLine && clean(line) {
			c.mode = command
			return c.give(p, line)
		}
		c.mode = command
		r, do := c.examine(line)
		switch do {
		case pass:
			return c.give(p, c.g.cfg.Amend(line))
		case answer:
			c.emit(r)
		case hangUp:
			c.lingers = true
			return c.end(r)
		case upgrade:
			return c.startTLS()
		}
	}
}

// over reports whether the connection ends instead of taking another command, and with which reply.
func (c *Conn) over() (Reply, bool) {
	switch {
	case c.code == 421, c.code == 521, c.broke:
		c.lingers = true // pipelined commands may be on their way
		return Reply{}, true
	case c.class.Errors > 0 && c.errors >= c.class.Errors:
		c.lingers = true
		return tooManyErrors, true
	case c.g.draining.Load() && c.resting():
		return c.g.closing(), true
	}
	return Reply{}, false
}

var errLong = errors.New("line too long")

// readLine reads up to LF. Before it waits for the network it sends the replies held back.
func (c *Conn) readLine() ([]byte, error) {
	if b, _ := c.br.Peek(c.br.Buffered()); bytes.IndexByte(b, '\n') < 0 {
		if err := c.bw.Flush(); err != nil {
			return nil, err
		}
	}
	line, err := c.br.ReadSlice('\n')
	if len(line) > c.g.limits.AuthLine {
		return nil, errLong
	}
	return line, err
}

// lineError is the last reply to a client whose command could not be read.
func (c *Conn) lineError(err error) Reply {
	switch {
	case errors.Is(err, errLong):
		c.lingers = true
		return lineTooLong
	case errors.Is(err, os.ErrDeadlineExceeded) && c.g.draining.Load():
		return c.g.closing()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return timeout
	}
	return Reply{}
}

// clean reports whether a line ends with CRLF and has no control octet but TAB before it.
func clean(line []byte) bool {
	n := len(line) - 2
	if n < 0 || line[n] != '\r' {
		return false
	}
	for _, b := range line[:n] {
		if b < ' ' && b != '\t' || b == 0x7f {
			return false
		}
	}
	return true
}

// examine decides what becomes of a command line.
func (c *Conn) examine(line []byte) (Reply, act) {
	text := strings.TrimRight(string(line), "\r\n")
	verb, arg, _ := strings.Cut(strings.TrimRight(text, " "), " ")
	c.verb, c.code, c.text = strings.ToUpper(verb), 0, text
	switch {
	case !clean(line):
		return badOctet, hangUp
	case len(line) > c.g.limits.Command && c.verb != "AUTH":
		return lineTooLong, hangUp
	case !isASCII(verb): // go-smtp folds case beyond ASCII
		return unknownCommand, answer
	case c.chunks > 0 && c.verb != "BDAT" && c.verb != "NOOP" && c.verb != "QUIT":
		return brokenOff, hangUp
	}
	switch c.verb {
	case "MAIL":
		return c.checkSize(arg)
	case "BDAT":
		return c.beginChunk(arg)
	case "AUTH":
		c.text = "" // it holds a password
	case "GET", "POST", "PUT", "HEAD", "OPTIONS", "CONNECT":
		return noWeb, hangUp
	}
	if strings.HasPrefix(c.verb, "STARTTLS") {
		return c.checkTLS(arg)
	}
	return Reply{}, pass
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// checkSize answers a SIZE over 2^32-1, in which go-smtp would see a syntax error.
func (c *Conn) checkSize(arg string) (Reply, act) {
	for _, f := range strings.Fields(arg) {
		const key = "SIZE="
		if len(f) <= len(key) || !strings.EqualFold(f[:len(key)], key) {
			continue
		}
		_, err := strconv.ParseUint(f[len(key):], 10, 32)
		if errors.Is(err, strconv.ErrRange) {
			return c.g.tooLarge(), answer
		}
	}
	return Reply{}, pass
}

// checkTLS decides on STARTTLS. Input behind it was sent in clear and must not be taken for part of the TLS session.
func (c *Conn) checkTLS(arg string) (Reply, act) {
	switch {
	case c.verb != "STARTTLS" || arg != "" || c.tls != nil || c.g.cfg.TLS == nil:
		return noTLS, answer
	case c.br.Buffered() > 0:
		return inputAfterTLS, hangUp
	}
	return Reply{}, upgrade
}

// beginChunk checks a BDAT command. What go-smtp would misread ends the connection, because where the chunk ends is
// then unknown. The first octet is waited for here: go-smtp reads a chunk beside the session, which must not be ended
// before it has begun.
func (c *Conn) beginChunk(arg string) (Reply, act) {
	size, last, ok := chunkSize(arg)
	switch {
	case !ok, size == 0 && !last:
		return badChunk, hangUp
	case size > c.g.limits.wire():
		return c.g.tooLarge(), hangUp
	}
	if c.chunks == 0 {
		c.frame = frame{}
		c.broken.Store(nil)
	}
	c.left, c.last, c.answered = size, last, false
	if size == 0 {
		return Reply{}, pass
	}
	c.mode = bdat
	b, err := c.piece(inBuffer, 1)
	if err != nil {
		return replyOf(err), hangUp
	}
	if probe := c.frame; probe.scan(b, false) == 0 {
		return bareOctet, hangUp
	}
	return Reply{}, pass
}

// chunkSize reads the argument of BDAT: digits, and LAST or nothing (RFC 3030 §2).
func chunkSize(arg string) (size int64, last, ok bool) {
	f := strings.Fields(arg)
	if len(f) == 0 || len(f) > 2 || len(f) == 2 && !strings.EqualFold(f[1], "LAST") {
		return 0, false, false
	}
	n, err := strconv.ParseUint(f[0], 10, 32)
	return int64(n), len(f) == 2, err == nil
}
