package guard

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/emersion/go-smtp"
)

// maxReply is the length of a reply line with CRLF (MAIL §5).
const maxReply = 300

// Reply is a reply of one line, or the last line of one with several.
type Reply struct {
	Verb   string // command that it answers, upper case; empty: the greeting, or none
	Code   int
	Status string // enhanced code such as "5.7.1" (RFC 2034); empty where there is none
	Text   string
}

// The guard's own replies (MAIL §5). Those that name host or size are methods.
var (
	timeout        = Reply{Code: 421, Status: "4.4.2", Text: "Timeout"}
	lost           = Reply{Code: 421, Status: "4.4.2", Text: "Connection lost"}
	brokenOff      = Reply{Code: 421, Status: "4.5.0", Text: "Message transfer broken off"}
	inputAfterTLS  = Reply{Code: 421, Status: "4.7.0", Text: "Input after STARTTLS"}
	tooManyErrors  = Reply{Code: 421, Status: "4.7.0", Text: "Too many errors"}
	lineTooLong    = Reply{Code: 500, Status: "5.5.2", Text: "Line too long"}
	badOctet       = Reply{Code: 500, Status: "5.5.2", Text: "Bare CR, bare LF or control character in command"}
	unknownCommand = Reply{Code: 500, Status: "5.5.2", Text: "Command not recognized"}
	badChunk       = Reply{Code: 501, Status: "5.5.4", Text: "Bad chunk size"}
	noTLS          = Reply{Code: 503, Status: "5.5.1", Text: "STARTTLS is not possible now"}
	noWeb          = Reply{Code: 521, Status: "5.7.0", Text: "This is not a web server"}
	bareOctet      = Reply{Code: 550, Status: "5.6.0", Text: "Bare CR, LF or NUL in message"}
)

func (g *Guard) closing() Reply {
	return Reply{Code: 421, Status: "4.3.2", Text: g.cfg.Host + " closing for maintenance"}
}

func (g *Guard) tooLarge() Reply {
	return Reply{Code: 552, Status: "5.3.4", Text: fmt.Sprintf("Message exceeds %d bytes", g.limits.Message)}
}

// smtpError is a reply as the error of a Read, for go-smtp and sessions to answer with.
func smtpError(r Reply) *smtp.SMTPError {
	e := &smtp.SMTPError{Code: r.Code, Message: r.Text}
	fmt.Sscanf(r.Status, "%d.%d.%d", &e.EnhancedCode[0], &e.EnhancedCode[1], &e.EnhancedCode[2])
	return e
}

func replyOf(e *smtp.SMTPError) Reply {
	return Reply{Code: e.Code, Status: fmt.Sprintf("%d.%d.%d", e.EnhancedCode[0], e.EnhancedCode[1], e.EnhancedCode[2]), Text: e.Message}
}

// withRef adds a reference, by which support finds the reply in the log.
func (r Reply) withRef(ref string) Reply {
	suffix := " (ref " + ref + ")"
	room := maxReply - len("550 \r\n") - len(r.Status) - 1 - len(suffix)
	r.Text = strings.TrimRight(r.Text[:min(len(r.Text), room)], " ") + suffix
	return r
}

// hasRef reports whether the session has put a reference of this connection into the reply.
func (c *Conn) hasRef(r Reply) bool { return strings.Contains(r.Text, " (ref "+c.id+"-") }

// line is the reply as it is sent.
func (r Reply) line() string {
	s := strconv.Itoa(r.Code)
	if r.Status != "" {
		s += " " + r.Status
	}
	return tidy(s + " " + r.Text)
}

// tidy keeps a line printable and short: texts may quote a client or come from far away.
func tidy(s string) string {
	b := []byte(s)[:min(len(s), maxReply-2)]
	for i, x := range b {
		if x < ' ' || x > '~' {
			b[i] = '?'
		}
	}
	return string(b) + "\r\n"
}

// parseReply reads a last line of go-smtp's, without CRLF.
func parseReply(verb, s string) Reply {
	r := Reply{Verb: verb}
	code, text, _ := strings.Cut(s, " ")
	r.Code, _ = strconv.Atoi(code)
	if status, rest, ok := strings.Cut(text, " "); ok && isStatus(status) {
		r.Status, text = status, rest
	}
	r.Text = text
	return r
}

func isStatus(s string) bool {
	var class, subject, detail int
	n, err := fmt.Sscanf(s, "%d.%d.%d", &class, &subject, &detail)
	return err == nil && n == 3 && s == fmt.Sprintf("%d.%d.%d", class, subject, detail)
}

// Write takes replies from go-smtp. They are sent when the client has to be waited for, see readLine and piece.
func (c *Conn) Write(p []byte) (int, error) {
	if c.shaking {
		if err := c.handshake(); err != nil {
			return 0, err
		}
	}
	for rest := p; len(rest) > 0; {
		end := bytes.IndexByte(rest, '\n') + 1
		if end == 0 {
			c.out = append(c.out, rest...)
			break
		}
		c.out = append(c.out, rest[:end]...)
		c.replyLine(strings.TrimRight(string(c.out), "\r\n"))
		c.out, rest = c.out[:0], rest[end:]
	}
	return len(p), nil
}

// replyLine passes a line of go-smtp's on.
func (c *Conn) replyLine(s string) {
	if more := len(s) > 3 && s[3] == '-'; more {
		if !c.swallow {
			c.send(tidy(c.ehloLine(s)))
		}
		return
	}
	r := parseReply(c.verb, s)
	if c.swallow {
		c.swallow = false
		return
	}
	if c.verb == "EHLO" && r.Code == 250 {
		c.book(r.Code)
		c.send(tidy(c.ehloLine(s)))
		return
	}
	if c.g.cfg.Rewrite != nil && !c.hasRef(r) {
		r = c.g.cfg.Rewrite(c, r)
	}
	c.book(r.Code)
	c.emit(r)
}

// ehloLine corrects a line of the answer to EHLO: the first names us and not the client (RFC 5321 §4.1.1.1), SIZE is
// our limit, which go-smtp was told one octet higher.
func (c *Conn) ehloLine(s string) string {
	if c.verb != "EHLO" || len(s) < 4 {
		return s
	}
	switch {
	case strings.HasPrefix(s[4:], "Hello "):
		return s[:4] + c.g.cfg.Host + " at your service"
	case strings.HasPrefix(s[4:], "SIZE "):
		return s[:4] + "SIZE " + strconv.FormatInt(c.g.limits.Message, 10)
	}
	return s
}

// emit sends a reply, with a reference and word to the hook if it is a refusal that the session did not word.
func (c *Conn) emit(r Reply) {
	if r.Code >= 400 {
		c.errors++
		if !c.hasRef(r) {
			ref := c.Ref()
			if c.g.cfg.Hooks.Refused != nil {
				c.g.cfg.Hooks.Refused(c, r, ref)
			}
			r = r.withRef(ref)
		}
	}
	c.send(r.line())
	if r.Code == 354 { // the client waits for it, and the session may take its time before it reads
		c.flush()
	}
}

// send holds a line back. A client that does not take it loses the connection.
func (c *Conn) send(line string) {
	if _, err := c.bw.WriteString(line); err != nil && c.fault == nil {
		c.fault = io.EOF
	}
}

func (c *Conn) flush() {
	if err := c.bw.Flush(); err != nil && c.fault == nil {
		c.fault = io.EOF
	}
}

// book notes what a final reply of go-smtp's changes.
func (c *Conn) book(code int) {
	c.code = code
	switch {
	case c.fault != nil:
		c.fault = io.EOF // it has had its reply
	case c.mode == data:
		c.fault = io.EOF // go-smtp left the message before its end: what follows must not become commands
	}
	switch c.verb {
	case "MAIL":
		c.open = c.open || code < 300
	case "RSET", "EHLO", "HELO":
		c.endTransaction(code)
	case "DATA":
		c.endData(code)
	case "BDAT":
		c.endChunk(code)
	}
}

func (c *Conn) endTransaction(code int) {
	if code >= 300 {
		return
	}
	c.open = false
	if c.verb != "RSET" {
		c.esmtp = c.verb == "EHLO"
	}
}

func (c *Conn) endData(code int) {
	if code == 354 || !c.inData {
		return
	}
	c.open, c.inData = false, false
	if code < 300 {
		c.errors = 0
	}
}

// endChunk books the reply to a BDAT. After the refusal of a later chunk go-smtp may mix up the results of this message
// and the next, so the connection must end.
func (c *Conn) endChunk(code int) {
	if c.answered {
		return
	}
	c.answered = true
	c.broke = code >= 400 && c.chunks > 0
	if c.last && code < 300 {
		c.errors = 0
	}
	if c.last || code >= 400 {
		c.chunks, c.open = 0, false
		return
	}
	c.chunks++
}
