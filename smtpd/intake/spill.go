package intake

import (
	"context"

	"postern/store"
)

// maxInline is how much ciphertext is kept inside the store; more goes into a blob.
const maxInline = 64 << 10

// spill takes a sealed body: in memory while it is small, else in a blob. Only ciphertext comes here.
type spill struct {
	ctx    context.Context
	blobs  store.Blobs
	inline []byte
	blob   store.BlobWriter
	id     store.BlobID
	n      int64
}

func (s *spill) Write(p []byte) (int, error) {
	s.n += int64(len(p))
	if s.blob == nil {
		if len(s.inline)+len(p) <= maxInline {
			s.inline = append(s.inline, p...)
			return len(p), nil
		}
		if err := s.overflow(); err != nil {
			return 0, err
		}
	}
	return s.blob.Write(p)
}

func (s *spill) overflow() error {
	w, err := s.blobs.Create(s.ctx)
	if err != nil {
		return err
	}
	s.blob = w
	_, err = w.Write(s.inline)
	s.inline = nil
	return err
}

// finish makes a blob durable; it must come before the commit that names it.
func (s *spill) finish() (err error) {
	if s.blob != nil {
		s.id, err = s.blob.Commit()
	}
	return err
}

// abort drops an unfinished blob. One that is durable is not touched any more: a commit names it, or failed in a way
// that may stand for a commit, which the sweeper finds out.
func (s *spill) abort() {
	if s.blob != nil {
		s.blob.Abort()
	}
}
