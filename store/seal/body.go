package seal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"

	"filippo.io/age"

	"postern/store"
)

// chunk is age's unit of authentication.
const chunk = 64 << 10

// Writer seals the body of one message as an age file (KEYS K5).
type Writer struct {
	w   io.WriteCloser
	key FileKey
}

// NewWriter starts the body of message id; the header goes to dst at once, in one Write. The body is complete only
// after Close, which does not close dst.
func NewWriter(dst io.Writer, id store.MessageID) (*Writer, error) {
	d := detached{id: id.String()}
	head := &header{dst: dst}
	w, err := age.Encrypt(head, &d)
	if err == nil {
		err = head.flush()
	}
	if err != nil {
		return nil, fmt.Errorf("begin sealed body: %w", err)
	}
	return &Writer{w: w, key: d.key}, nil
}

// Write seals p. Nothing of it may have reached dst yet.
func (w *Writer) Write(p []byte) (int, error) { return w.w.Write(p) }

// Close ends the body; without it the body does not open.
func (w *Writer) Close() error { return w.w.Close() }

// FileKey is the key that the body opens with. It is not in the file.
func (w *Writer) FileKey() FileKey { return w.key }

// header gathers the many small writes of an age header.
type header struct {
	dst  io.Writer
	buf  bytes.Buffer
	past bool
}

func (h *header) Write(p []byte) (int, error) {
	if h.past {
		return h.dst.Write(p)
	}
	return h.buf.Write(p)
}

func (h *header) flush() error {
	h.past = true
	_, err := h.buf.WriteTo(h.dst)
	return err
}

// detached is the one recipient and the one identity of a body: its stanza names the message and holds no key.
type detached struct {
	id  string
	key FileKey
}

var (
	_ age.Recipient = (*detached)(nil)
	_ age.Identity  = (*detached)(nil)
)

func (d *detached) Wrap(fileKey []byte) ([]*age.Stanza, error) {
	d.key = FileKey(fileKey)
	return []*age.Stanza{{Type: stanzaType, Args: []string{d.id}}}, nil
}

// Unwrap hands out the key for the stanza of this very message; age then checks the header's MAC under it.
func (d *detached) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	if len(stanzas) != 1 {
		return nil, ErrSealed
	}
	s := stanzas[0]
	if s.Type != stanzaType || len(s.Args) != 1 || s.Args[0] != d.id || len(s.Body) != 0 {
		return nil, ErrSealed
	}
	return d.key[:], nil
}

// Body is an opened body. Its methods may be called from several goroutines.
type Body struct {
	plain io.ReaderAt
	size  int64

	mu   sync.Mutex // guards the chunk last read by small ReadAts
	at   int64
	last []byte
}

// Open opens the sealed body of message id, whose size is that of the whole file. It checks stanza, header MAC and the
// last chunk, so a body that was cut or has something behind it is refused here: ErrSealed. Chunks are authenticated as they are
// read. A failure of src comes back wrapped, never as ErrSealed.
func Open(src io.ReaderAt, size int64, id store.MessageID, k FileKey) (*Body, error) {
	plain, n, err := age.DecryptReaderAt(source{src}, size, &detached{id: id.String(), key: k})
	if err != nil {
		return nil, fmt.Errorf("open body of %s: %w", id, cause(err))
	}
	return &Body{plain: plain, size: n}, nil
}

// Size is the number of octets in clear.
func (b *Body) Size() int64 { return b.size }

// ReadAt reads octets in clear. Reads of less than 64 KiB share one decrypted chunk; for many small reads in a row,
// Reader is better.
func (b *Body) ReadAt(p []byte, off int64) (int, error) {
	switch {
	case off < 0:
		return 0, errors.New("seal: negative offset")
	case off >= b.size:
		return 0, io.EOF
	case len(p) >= chunk:
		return b.readAt(p, off)
	}
	return b.readSmall(p, off)
}

func (b *Body) readAt(p []byte, off int64) (int, error) {
	n, err := b.plain.ReadAt(p, off)
	if err != nil && err != io.EOF {
		err = fmt.Errorf("read sealed body: %w", cause(err))
	}
	return n, err
}

func (b *Body) readSmall(p []byte, off int64) (n int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for n < len(p) && off < b.size {
		if err := b.load(off - off%chunk); err != nil {
			return n, err
		}
		m := copy(p[n:], b.last[off-b.at:])
		n += m
		off += int64(m)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// load makes last the chunk at offset at.
func (b *Body) load(at int64) error {
	if b.last != nil && b.at == at {
		return nil
	}
	buf := b.last
	b.last = nil
	if n := int(min(chunk, b.size-at)); cap(buf) < n {
		buf = make([]byte, n)
	} else {
		buf = buf[:n]
	}
	if n, err := b.readAt(buf, at); n < len(buf) {
		return err
	}
	b.at, b.last = at, buf
	return nil
}

// source marks errors of the storage below, so that they are not taken for a damaged body.
type source struct{ io.ReaderAt }

func (s source) ReadAt(p []byte, off int64) (int, error) {
	n, err := s.ReaderAt.ReadAt(p, off)
	if err != nil && err != io.EOF {
		err = &sourceError{err}
	}
	return n, err
}

type sourceError struct{ error }

func (e *sourceError) Unwrap() error { return e.error }

// cause is the storage's error where there is one, and ErrSealed otherwise: age's own texts quote the file.
func cause(err error) error {
	if s, ok := errors.AsType[*sourceError](err); ok {
		return s.error
	}
	return ErrSealed
}
