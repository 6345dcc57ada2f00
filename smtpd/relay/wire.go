package relay

import (
	"bufio"
	"bytes"
	"errors"
	"net"
	"net/textproto"
	"slices"
	"time"
)

// maxReply bounds what a next hop may answer to one command (I8); go-smtp's client would read for ever.
const maxReply = 64 << 10

var (
	errReplyTooLong = errors.New("reply is too long")
	errTooMuch      = errors.New("next hop sent data behind its answer")
)

// wire lies between go-smtp's client and the network (or TLS). It gathers what is written until a reply is waited for,
// so that a small message and its final dot are one packet; it gives each block its own write deadline, because the
// client sets none while data is written; and it bounds replies and writes them as the client reads them. The client's
// own deadlines are those of reading.
type wire struct {
	net.Conn
	write  time.Duration // for one block
	out    []byte
	in     bytes.Reader  // what is read before the network: a greeting that was swallowed
	read   int           // octets since the last write
	raw    [1 << 10]byte // what was read last
	tidied []byte        // the same, tidied
	given  int           // octets of it that were passed on
	hello  bool          // EHLO was written last
	orcpt  string        // type of the original recipient of the next RCPT, where it is none that the client knows
	place  int           // octets of the reply line so far
	worded bool          // its keyword is over, or it is a refusal
}

// wireBlock is how much is gathered before it is written: one TLS record of the largest size, or two.
const wireBlock = 32 << 10

func newWire(conn net.Conn, write time.Duration, greeting string) *wire {
	w := &wire{Conn: conn, write: write}
	w.in.Reset([]byte(greeting))
	return w
}

func (w *wire) Write(p []byte) (int, error) {
	n := len(p)
	err := w.gather(w.typed(p))
	if err != nil {
		n = 0
	}
	return n, err
}

// typed names the type of an original recipient in RCPT (RFC 3461 §4.2), which the client wrote as one of mail.
func (w *wire) typed(p []byte) []byte {
	const written = " ORCPT=RFC822;"
	at := bytes.LastIndex(p, []byte(written))
	if w.orcpt == "" || at < 0 || !bytes.HasPrefix(p, []byte("RCPT TO:")) {
		return p
	}
	kind := w.orcpt
	w.orcpt = ""
	return slices.Concat(p[:at], []byte(" ORCPT="+kind+";"), p[at+len(written):])
}

func (w *wire) gather(p []byte) error {
	w.read, w.hello = 0, bytes.HasPrefix(p, []byte("EHLO "))
	if len(w.out)+len(p) > wireBlock {
		if err := w.flush(); err != nil {
			return err
		}
	}
	for rest := p; ; {
		if len(rest) <= wireBlock {
			w.out = append(w.out, rest...)
			return nil
		}
		if err := w.block(rest[:wireBlock]); err != nil {
			return err
		}
		rest = rest[wireBlock:]
	}
}

func (w *wire) flush() error {
	if len(w.out) == 0 {
		return nil
	}
	err := w.block(w.out)
	w.out = w.out[:0]
	return err
}

func (w *wire) block(p []byte) error {
	if err := w.Conn.SetWriteDeadline(time.Now().Add(w.write)); err != nil {
		return err
	}
	_, err := w.Conn.Write(p)
	return err
}

func (w *wire) Read(p []byte) (int, error) {
	if err := w.flush(); err != nil {
		return 0, err
	}
	if w.in.Len() > 0 {
		return w.in.Read(p)
	}
	if w.read > maxReply {
		return 0, errReplyTooLong
	}
	if w.given == len(w.tidied) {
		n, err := w.Conn.Read(w.raw[:])
		w.read += n
		if w.tidy(w.raw[:n]); n == 0 {
			return 0, err
		}
	}
	n := copy(p, w.tidied[w.given:])
	w.given += n
	return n, nil
}

// tidy takes what was read of a reply and writes it as the client understands it: with a blank behind a code that
// stands alone (RFC 5321 §4.2), and the keywords of EHLO, whose case means nothing (§2.4), in upper case.
func (w *wire) tidy(raw []byte) {
	w.tidied, w.given = w.tidied[:0], 0
	for _, c := range raw {
		switch {
		case (c == '\r' || c == '\n') && w.place == 3:
			w.tidied = append(w.tidied, ' ')
			w.place++
		case c == ' ' && w.place > 3, c != '2' && w.place == 0:
			w.worded = true
		case w.hello && !w.worded && w.place > 3 && c >= 'a' && c <= 'z':
			c -= 'a' - 'A'
		}
		w.tidied = append(w.tidied, c)
		if w.place++; c == '\n' {
			w.place, w.worded = 0, false
		}
	}
}

// ask sends a command past the client and demands an answer of one code.
func (w *wire) ask(line string, want int, limit time.Duration) error {
	if err := w.SetDeadline(time.Now().Add(limit)); err != nil {
		return err
	}
	if _, err := w.Write([]byte(line + "\r\n")); err != nil {
		return err
	}
	br := bufio.NewReader(w)
	if _, _, err := textproto.NewReader(br).ReadResponse(want); err != nil {
		return err
	}
	if br.Buffered() > 0 {
		return errTooMuch
	}
	return w.SetDeadline(time.Time{})
}

// SetDeadline sets the deadline of reading only.
func (w *wire) SetDeadline(t time.Time) error { return w.Conn.SetReadDeadline(t) }
