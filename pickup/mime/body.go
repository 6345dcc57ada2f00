package mime

import (
	"errors"
	"fmt"
	"io"

	"postern/store/mail"
)

// The limits of what is shown. Longer bodies are cut (text) or not shown as HTML; the whole is in the .eml.
const (
	MaxText   = 2 << 20  // octets of UTF-8 that Text returns
	MaxHTML   = 2 << 20  // octets of an HTML part that HTML accepts
	MaxImages = 10 << 20 // octets of images, decoded, in all uses of one body
)

// Body is an opened message: *seal.Body is one.
type Body interface {
	io.ReaderAt
	Size() int64
}

var errPart = errors.New("the part does not lie inside the message")

// Open reads the decoded content of a part. Seeking costs little in base64 with even lines and in content without
// encoding; in other encodings the way from the beginning is decoded again. Its end, which a seek from io.SeekEnd counts
// from, is p.Size.
func Open(b Body, p mail.Part) (io.ReadSeeker, error) {
	if p.Offset < 0 || p.Length < 0 || p.Offset > b.Size() || p.Length > b.Size()-p.Offset {
		return nil, fmt.Errorf("open part %s: %w", p.Path, errPart)
	}
	raw := &window{src: stream(b), base: p.Offset, size: p.Length}
	if decode := mail.DecodePart(raw, p.Encoding); decode == io.Reader(raw) {
		return raw, nil
	}
	return &decoded{raw: raw, part: p, size: p.Size}, nil
}

// stream is a reader of the whole body; a sealed one has its own, which reads ahead.
func stream(b Body) io.ReadSeeker {
	if s, ok := b.(interface{ Reader() io.ReadSeeker }); ok {
		return s.Reader()
	}
	return io.NewSectionReader(b, 0, b.Size())
}

var errSeek = errors.New("seek to before the beginning")

// place is where a seek leads to.
func place(pos, size, offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekStart:
	case io.SeekCurrent:
		offset += pos
	case io.SeekEnd:
		offset += size
	default:
		return pos, errors.New("seek: unknown whence")
	}
	if offset < 0 {
		return pos, errSeek
	}
	return offset, nil
}

// window is size octets of src from base on.
type window struct {
	src        io.ReadSeeker
	base, size int64
	pos        int64
	placed     bool // src stands at base+pos
}

func (w *window) Read(p []byte) (int, error) {
	if w.pos >= w.size {
		return 0, io.EOF
	}
	if !w.placed {
		if _, err := w.src.Seek(w.base+w.pos, io.SeekStart); err != nil {
			return 0, err
		}
		w.placed = true
	}
	n, err := w.src.Read(p[:min(int64(len(p)), w.size-w.pos)])
	w.pos += int64(n)
	if err == io.EOF && w.pos < w.size {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func (w *window) Seek(offset int64, whence int) (int64, error) {
	pos, err := place(w.pos, w.size, offset, whence)
	if err == nil && pos != w.pos {
		w.pos, w.placed = pos, false
	}
	return w.pos, err
}

// decoded undoes a transfer encoding. r stands at the decoded position at, while pos is where the caller wants to read:
// a seek moves pos only, since http.ServeContent seeks to the end and back before it reads anything.
type decoded struct {
	raw  *window
	part mail.Part
	size int64
	r    io.Reader
	at   int64
	pos  int64
}

func (d *decoded) Read(p []byte) (int, error) {
	if d.pos >= d.size || len(p) == 0 {
		return 0, eofIf(d.pos >= d.size)
	}
	if err := d.move(); err != nil {
		return 0, err
	}
	n, err := d.r.Read(p[:min(int64(len(p)), d.size-d.pos)])
	d.at += int64(n)
	d.pos = d.at
	return n, err
}

func eofIf(end bool) error {
	if end {
		return io.EOF
	}
	return nil
}

func (d *decoded) Seek(offset int64, whence int) (int64, error) {
	pos, err := place(d.pos, d.size, offset, whence)
	if err == nil {
		d.pos = pos
	}
	return d.pos, err
}

// move brings r to pos.
func (d *decoded) move() error {
	if d.r == nil || d.pos != d.at {
		rawPos, at := d.nearest()
		if d.r == nil || d.pos < d.at || at > d.at {
			if _, err := d.raw.Seek(rawPos, io.SeekStart); err != nil {
				return err
			}
			d.r, d.at = mail.DecodePart(d.raw, d.part.Encoding), at
		}
	}
	n, err := io.CopyN(io.Discard, d.r, d.pos-d.at)
	d.at += n
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// nearest is a raw position at or before pos from which decoding can begin, and the decoded position there: the line of
// base64 that holds it if all lines are equally long, else the beginning.
func (d *decoded) nearest() (rawPos, at int64) {
	const crlf = 2
	line := int64(d.part.Line)
	if line < 4 || line%4 != 0 {
		return 0, 0
	}
	n := d.pos / (line / 4 * 3)
	return n * (line + crlf), n * (line / 4 * 3)
}

// readText reads at most n octets of a part as UTF-8. cut says that there was more.
func readText(b Body, p mail.Part, charset string, n int64) (text string, cut bool, err error) {
	r, err := Open(b, p)
	if err != nil {
		return "", false, err
	}
	buf, err := io.ReadAll(io.LimitReader(mail.DecodeCharset(r, charset), n+1))
	if err != nil {
		return "", false, fmt.Errorf("read part %s: %w", p.Path, err)
	}
	if cut = int64(len(buf)) > n; cut {
		buf = buf[:n]
	}
	return clean(string(buf)), cut, nil
}
