package seal

import (
	"errors"
	"io"
)

// A reader reads ahead this much, growing while it is read in order: each ReadAt of age costs an allocation of one
// chunk whatever its length, so long runs go several chunks at a time and a seek costs one.
const (
	minWindow = chunk
	maxWindow = 4 * chunk
)

// Reader reads the body in order, with cheap small reads and seeks. Each Reader has its own place; one Reader is for
// one goroutine. It is also an io.WriterTo.
func (b *Body) Reader() io.ReadSeeker { return &reader{body: b} }

type reader struct {
	body *Body
	pos  int64
	at   int64  // offset of win
	win  []byte // clear octets at hand
	buf  []byte // backs win
}

var _ io.WriterTo = (*reader)(nil)

func (r *reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	rest, err := r.fill()
	if err != nil {
		return 0, err
	}
	n := copy(p, rest)
	r.pos += int64(n)
	return n, nil
}

func (r *reader) WriteTo(w io.Writer) (total int64, err error) {
	for {
		rest, err := r.fill()
		if err == io.EOF {
			return total, nil
		}
		if err != nil {
			return total, err
		}
		n, err := w.Write(rest)
		r.pos += int64(n)
		total += int64(n)
		if err != nil {
			return total, err
		}
		if n < len(rest) {
			return total, io.ErrShortWrite
		}
	}
}

func (r *reader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekStart:
	case io.SeekCurrent:
		offset += r.pos
	case io.SeekEnd:
		offset += r.body.size
	default:
		return 0, errors.New("seal: seek: invalid whence")
	}
	if offset < 0 {
		return 0, errors.New("seal: seek: negative position")
	}
	r.pos = offset
	return offset, nil
}

// fill returns what is at hand from pos on, never nothing.
func (r *reader) fill() ([]byte, error) {
	if r.pos >= r.body.size {
		return nil, io.EOF
	}
	if r.pos < r.at || r.pos >= r.at+int64(len(r.win)) {
		if err := r.load(); err != nil {
			return nil, err
		}
	}
	return r.win[r.pos-r.at:], nil
}

// load reads the window that holds pos, beginning at a chunk.
func (r *reader) load() error {
	window := int64(minWindow)
	if r.win != nil && r.pos == r.at+int64(len(r.win)) {
		window = maxWindow
	}
	at := r.pos - r.pos%chunk
	n := min(window, r.body.size-at)
	if int64(cap(r.buf)) < n {
		r.buf = make([]byte, n)
	}
	r.win = nil
	got, err := r.body.readAt(r.buf[:n], at)
	if int64(got) < n {
		if err == nil || err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	r.at, r.win = at, r.buf[:n]
	return nil
}
