package blob

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"postern/store"
)

// errDone answers to writes after the end.
var errDone = errors.New("blob: written to after Commit or Abort")

// writer is a blob in incoming. It is used by one goroutine.
type writer struct {
	folder *Folder
	id     store.BlobID
	path   string
	file   file
	err    error // of the first write that failed
	done   bool
}

// Write appends to the blob. After a failure it answers that failure again, and so does Commit.
func (w *writer) Write(p []byte) (int, error) {
	if w.done {
		return 0, errDone
	}
	if w.err != nil {
		return 0, w.err
	}
	n, err := w.file.Write(p)
	if err != nil {
		w.err = fmt.Errorf("write blob: %w", full(err))
	}
	return n, w.err
}

// Commit makes the blob durable and names it. When it fails after the rename the blob is left as an orphan.
func (w *writer) Commit() (store.BlobID, error) {
	if w.done {
		return store.BlobID{}, errDone
	}
	err := w.finish()
	if err == nil {
		err = w.publish()
	}
	if err != nil {
		w.Abort()
		return store.BlobID{}, err
	}
	w.done = true
	return w.id, nil
}

// finish makes the content durable. The stamp is the time of the folder entry that List tells: a body that was slow to
// arrive must not look old.
func (w *writer) finish() error {
	if w.err != nil {
		return w.err
	}
	if err := w.file.Stamp(w.folder.now()); err != nil {
		return fmt.Errorf("stamp blob: %w", full(err))
	}
	if err := w.file.Sync(); err != nil {
		return fmt.Errorf("sync blob: %w", full(err))
	}
	if err := w.file.Close(); err != nil {
		return fmt.Errorf("close blob: %w", full(err))
	}
	return nil
}

// publish moves the blob to its place, durably.
func (w *writer) publish() error {
	path, err := w.folder.path(w.id)
	if err != nil {
		return err
	}
	if err := w.folder.shard(path); err != nil {
		return err
	}
	if err := w.folder.disk.Rename(w.path, path); err != nil {
		return fmt.Errorf("publish blob: %w", full(err))
	}
	for _, dir := range []string{filepath.Dir(path), filepath.Dir(w.path)} {
		if err := w.folder.disk.Sync(dir); err != nil {
			return fmt.Errorf("sync blob folder: %w", full(err))
		}
	}
	return nil
}

// Abort drops the blob. What cannot be removed now goes at the next start.
func (w *writer) Abort() {
	if w.done {
		return
	}
	w.done = true
	w.file.Close()
	w.folder.disk.Remove(w.path)
}

// reader is an open blob.
type reader struct {
	*os.File
	size int64
}

func (r *reader) Size() int64 { return r.size }
