package seal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// maxKeyFile bounds what is read as a key file; a ring of a year of hours fits.
const maxKeyFile = 1 << 20

// Names beside a key file while it is replaced.
const (
	suffixNew = ".new" // the coming file; holds nothing that is in use yet
	suffixOld = ".old" // the file that was replaced, until it is overwritten
	suffixGo  = ".lock"
)

var (
	// ErrNoKeyFile: there is no server key file.
	ErrNoKeyFile = errors.New("no key file")
	// ErrKeyFileReadable: others than the owner have rights on a key file, which is refused.
	ErrKeyFileReadable = errors.New("key file has rights for group or others; it must have mode 0600 or 0400")
)

// disk does the file work for keys. step, where set, runs before every operation; tests end the work there, as a
// crash would.
type disk struct{ step func(op string) error }

func (d disk) do(op string, f func() error) error {
	if d.step != nil {
		if err := d.step(op); err != nil {
			return err
		}
	}
	return f()
}

// read returns a key file whole. ErrNoKeyFile, ErrKeyFileReadable.
func (d disk) read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", path, ErrNoKeyFile)
	}
	if err != nil {
		return nil, fmt.Errorf("open key file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, fmt.Errorf("open key file: %w", err)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s: not a regular file", path)
	case info.Mode().Perm()&0o077 != 0:
		return nil, fmt.Errorf("%s: %w", path, ErrKeyFileReadable)
	case info.Size() > maxKeyFile:
		return nil, fmt.Errorf("%s: too large for a key file", path)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxKeyFile))
	if err != nil {
		return nil, fmt.Errorf("read key file: %w", err)
	}
	return data, nil
}

// locked runs f while no other process changes the key file at path: what clean overwrites must not be a file that is
// just being renamed into place.
func (d disk) locked(path string, f func() error) error {
	lock, err := os.OpenFile(path+suffixGo, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("lock key file: %w", err)
	}
	defer lock.Close() // which unlocks
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("lock key file: %w", err)
	}
	return f()
}

// create makes a key file that must not exist, durable when it returns. The lock is held.
func (d disk) create(path string, data []byte) error {
	if err := d.clean(path); err != nil {
		return err
	}
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("create key file %s: %w", path, fs.ErrExist)
	}
	fresh := path + suffixNew
	if err := d.writeNew(fresh, data); err != nil {
		return err
	}
	if err := d.do("rename", func() error { return os.Rename(fresh, path) }); err != nil {
		return fmt.Errorf("create key file: %w", err)
	}
	return d.syncFolder(filepath.Dir(path))
}

// folder makes the folder of key files, and what lacks above it, for the owner alone; each level is durable.
func (d disk) folder(dir string) error {
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	parent := filepath.Dir(dir)
	if parent != dir {
		if err := d.folder(parent); err != nil {
			return err
		}
	}
	err := d.do("mkdir", func() error { return os.Mkdir(dir, 0o700) })
	if err != nil && !errors.Is(err, fs.ErrExist) { // another process may have been faster
		return fmt.Errorf("create key folder: %w", err)
	}
	return d.syncFolder(parent)
}

// replace puts data in the place of the file at path, durable when it returns, and overwrites the octets of the old
// file (KEYS K4). The old file keeps the name path.old until then, so that clean finishes the work after a crash; on a
// file system without links a crash in between leaves its octets in free blocks. The lock is held.
func (d disk) replace(path string, data []byte) error {
	if err := d.clean(path); err != nil {
		return err
	}
	old, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("open old key file: %w", err)
	}
	if old != nil {
		defer old.Close()
	}
	if err := d.writeNew(path+suffixNew, data); err != nil {
		return err
	}
	if old != nil {
		err := d.do("keep old", func() error {
			os.Link(path, path+suffixOld) // best effort, as said above
			return nil
		})
		if err != nil {
			return err
		}
	}
	if err := d.do("rename", func() error { return os.Rename(path+suffixNew, path) }); err != nil {
		return fmt.Errorf("replace key file: %w", err)
	}
	if err := d.syncFolder(filepath.Dir(path)); err != nil {
		return err
	}
	if old == nil {
		return nil
	}
	return d.destroy(old, path+suffixOld)
}

// hasLeftovers reports whether clean has something to do, unless a change is just under way.
func (d disk) hasLeftovers(path string) bool {
	for _, name := range []string{path + suffixNew, path + suffixOld} {
		if _, err := os.Lstat(name); err == nil {
			return true
		}
	}
	return false
}

// clean finishes what a crash left of replace. It never touches the octets of the file at path. The
// lock is held.
func (d disk) clean(path string) error {
	for _, name := range []string{path + suffixNew, path + suffixOld} {
		f, err := os.OpenFile(name, os.O_RDWR, 0)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("open leftover of a key file: %w", err)
		}
		err = d.cleanOne(path, name, f)
		f.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

func (d disk) cleanOne(path, name string, f *os.File) error {
	now, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) && name == path+suffixOld {
		return fmt.Errorf("%s is missing, but %s is there: put one in its place or remove it", path, name)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("look at key file: %w", err)
	}
	left, err := f.Stat()
	if err != nil {
		return fmt.Errorf("look at leftover of a key file: %w", err)
	}
	if now != nil && os.SameFile(now, left) { // the crash came between link and rename: a second name, no second copy
		if err := d.do("remove", func() error { return os.Remove(name) }); err != nil {
			return fmt.Errorf("remove leftover of a key file: %w", err)
		}
		return d.syncFolder(filepath.Dir(path))
	}
	return d.destroy(f, name)
}

// destroy overwrites an open file and removes its name, where it has one.
func (d disk) destroy(f *os.File, name string) error {
	info, err := f.Stat()
	if err == nil {
		err = d.do("overwrite", func() error {
			_, err := f.WriteAt(make([]byte, info.Size()), 0)
			return err
		})
	}
	if err == nil {
		err = d.do("sync", f.Sync)
	}
	if err != nil {
		return fmt.Errorf("overwrite old key file: %w", err)
	}
	err = d.do("remove", func() error { return os.Remove(name) })
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove old key file: %w", err)
	}
	return d.syncFolder(filepath.Dir(name))
}

func (d disk) writeNew(path string, data []byte) error {
	var f *os.File
	err := d.do("create", func() (err error) {
		f, err = os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		return err
	})
	if err != nil {
		return fmt.Errorf("create key file: %w", err)
	}
	err = d.do("write", func() error {
		_, err := f.Write(data)
		return err
	})
	if err == nil {
		err = d.do("sync", f.Sync)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write key file: %w", err)
	}
	return nil
}

func (d disk) syncFolder(dir string) error {
	return d.do("sync folder", func() error {
		f, err := os.Open(dir)
		if err != nil {
			return fmt.Errorf("sync key folder: %w", err)
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return fmt.Errorf("sync key folder: %w", err)
		}
		return nil
	})
}
