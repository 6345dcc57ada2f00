package blob

import (
	"io"
	"os"
	"syscall"
	"time"
)

// disk is what blobs need of a file system. It exists so that tests can fail each step.
type disk interface {
	Create(path string) (file, error) // must not exist yet; 0600
	Open(path string) (*os.File, error)
	Mkdir(path string) error // 0700
	Rename(from, to string) error
	Remove(path string) error
	Sync(dir string) error // makes the entries of a folder durable
}

// file is a blob being written.
type file interface {
	io.WriteCloser
	Sync() error
	Stamp(t time.Time) error // sets the time that List tells
}

type osDisk struct{}

func (osDisk) Create(path string) (file, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

// Open does not follow a link: nothing but our own files is served as a body.
func (osDisk) Open(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
}

func (osDisk) Mkdir(path string) error      { return os.Mkdir(path, 0o700) }
func (osDisk) Rename(from, to string) error { return os.Rename(from, to) }
func (osDisk) Remove(path string) error     { return os.Remove(path) }

func (osDisk) Sync(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if closeErr := d.Close(); err == nil {
		err = closeErr
	}
	return err
}

type osFile struct{ *os.File }

func (f osFile) Stamp(t time.Time) error { return os.Chtimes(f.Name(), t, t) }
