// Package blob keeps large sealed bodies as files of a folder.
//
// Flow: a body is written to incoming/X; Commit syncs the file, renames it to ab/ID (ab: the first two characters of
// the id) and syncs both folders, so that a blob whose id was handed out is whole and durable (I2). Only then does the
// caller commit the record that names it. A blob that no record names is an orphan, which package sweep removes.
//
// Duty: what lies here is ciphertext already (I1). Files are 0600, folders 0700. Room that runs out is store.ErrFull;
// every other failure is reported as it came, and what was half written goes with the next start.
package blob

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"postern/store"
)

// incoming is the folder of blobs that are still written.
const incoming = "incoming"

// Config says where blobs lie.
type Config struct {
	Dir string           // made if it is missing, 0700
	Now func() time.Time // stamps committed blobs; nil: time.Now
}

// Folder is an open folder of blobs.
type Folder struct {
	dir  string
	now  func() time.Time
	disk disk

	mu     sync.Mutex
	shards map[string]bool // ab folders that are known to be durable
}

var _ store.Blobs = (*Folder)(nil)

// In returns an opener of the folder dir, in the form that an engine takes: it calls it once it alone holds the data.
func In(dir string) func() (store.Blobs, error) {
	return func() (store.Blobs, error) { return Open(Config{Dir: dir}) }
}

// Open opens the folder and removes what an earlier process left half written. No other process may be using it: an
// engine opens its blobs while it holds its lock.
func Open(c Config) (*Folder, error) {
	return open(c, osDisk{})
}

func open(c Config, d disk) (*Folder, error) {
	if c.Dir == "" {
		return nil, errors.New("blob folder: no path given")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	f := &Folder{dir: c.Dir, now: c.Now, disk: d, shards: make(map[string]bool)}
	if err := os.MkdirAll(filepath.Join(c.Dir, incoming), 0o700); err != nil {
		return nil, fmt.Errorf("make blob folder: %w", full(err))
	}
	for _, dir := range []string{filepath.Dir(filepath.Clean(c.Dir)), c.Dir} {
		if err := d.Sync(dir); err != nil {
			return nil, fmt.Errorf("sync blob folder: %w", full(err))
		}
	}
	return f, f.empty()
}

// empty removes what lies in incoming.
func (f *Folder) empty() error {
	dir := filepath.Join(f.dir, incoming)
	left, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("read blob folder: %w", err)
	}
	for _, e := range left {
		if err := f.disk.Remove(filepath.Join(dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove unfinished blob: %w", err)
		}
	}
	return nil
}

// Create begins a blob.
func (f *Folder) Create(ctx context.Context) (store.BlobWriter, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var id store.BlobID
	rand.Read(id[:])
	path := filepath.Join(f.dir, incoming, id.String())
	file, err := f.disk.Create(path)
	if err != nil {
		return nil, fmt.Errorf("create blob: %w", full(err))
	}
	return &writer{folder: f, id: id, path: path, file: file}, nil
}

// Open opens a blob for reading. A blob deleted afterwards stays readable until it is closed. store.ErrNotFound says
// that it is gone for good: not so where the whole folder is away, as a volume is that was not mounted (I7).
func (f *Folder) Open(ctx context.Context, id store.BlobID) (store.Blob, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	path, err := f.path(id)
	if err != nil {
		return nil, err
	}
	file, err := f.disk.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		if _, gone := os.Stat(filepath.Join(f.dir, incoming)); gone != nil {
			return nil, fmt.Errorf("blob folder %s is not there: %v", f.dir, gone)
		}
		return nil, fmt.Errorf("open blob %s: %w", id, store.ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("open blob: %w", err)
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("it is no regular file: %w", store.ErrCorrupt)
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("open blob %s: %w", id, err)
	}
	return &reader{File: file, size: info.Size()}, nil
}

// Delete removes a blob. One that is not there is no error: a sweep that was cut off begins again.
func (f *Folder) Delete(ctx context.Context, id store.BlobID) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	path, err := f.path(id)
	if err != nil {
		return err
	}
	if err := f.disk.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("delete blob: %w", err)
	}
	return nil
}

// path is where a blob lies. The zero id names none.
func (f *Folder) path(id store.BlobID) (string, error) {
	if id.IsZero() {
		return "", fmt.Errorf("blob without id: %w", store.ErrNotFound)
	}
	name := id.String()
	return filepath.Join(f.dir, name[:2], name), nil
}

// shard makes the folder of path durable before the first blob goes there. The lock covers making and syncing: a
// second blob must not take the folder for durable while the first still syncs its entry.
func (f *Folder) shard(path string) error {
	dir := filepath.Dir(path)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.shards[dir] {
		return nil
	}
	if err := f.disk.Mkdir(dir); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make blob folder: %w", full(err))
	}
	if err := f.disk.Sync(f.dir); err != nil {
		return fmt.Errorf("sync blob folder: %w", full(err))
	}
	f.shards[dir] = true
	return nil
}

// full marks what means "no room".
func full(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: %w", store.ErrFull, err)
	}
	return err
}
