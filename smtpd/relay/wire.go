package relay

import (
	"bytes"
	"errors"
	"net"
	"time"
)

// maxReply bounds what a next hop may answer to one command (I8); go-smtp's client would read for ever.
const maxReply = 64 << 10

var errReplyTooLong = errors.New("reply is too long")

// wire lies between go-smtp's client and the network (or TLS). It gathers what is written until a reply is waited for,
// so that a small message and its final dot are one packet; it gives each block its own write deadline, because the
// client sets none while data is written; and it bounds replies. The client's own deadlines are those of reading.
type wire struct {
	net.Conn
	write time.Duration // for one block
	out   []byte
	in    bytes.Reader // what is read before the network: a greeting that was swallowed
	read  int          // octets since the last write
}

// wireBlock is how much is gathered before it is written: one TLS record of the largest size, or two.
const wireBlock = 32 << 10

func newWire(conn net.Conn, write time.Duration, greeting string) *wire {
	w := &wire{Conn: conn, write: write}
	w.in.Reset([]byte(greeting))
	return w
}

func (w *wire) Write(p []byte) (int, error) {
	w.read = 0
	if len(w.out)+len(p) > wireBlock {
		if err := w.flush(); err != nil {
			return 0, err
		}
	}
	for rest := p; ; {
		if len(rest) <= wireBlock {
			w.out = append(w.out, rest...)
			return len(p), nil
		}
		if err := w.block(rest[:wireBlock]); err != nil {
			return 0, err
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
	n, err := w.Conn.Read(p)
	w.read += n
	return n, err
}

// SetDeadline sets the deadline of reading only.
func (w *wire) SetDeadline(t time.Time) error { return w.Conn.SetReadDeadline(t) }
