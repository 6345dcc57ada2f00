package main

import (
	"fmt"
	"sync"
	"syscall"
	"time"

	"postern/cmd/internal/config"
	"postern/store"
)

// room answers whether the disk has room for more mail (MAIL 9.2). Deliveries, reports and expiry go on from the
// reserve that it keeps.
type room struct {
	dir     string
	minimum int64 // 0: a tenth of the disk, maxReserve at most

	mu   sync.Mutex
	at   time.Time
	free int64
	err  error
}

const (
	maxReserve = 1 << 30
	// roomAge is how old a reading of the file system may be; what was announced since is added by the caller.
	roomAge = time.Second
)

func newRoom(cfg config.Config) *room {
	return &room{dir: cfg.DataDir, minimum: int64(cfg.Store.MinFree)}
}

// check answers store.ErrFull when octets more would go into the reserve.
func (r *room) check(octets int64) error {
	free, err := r.spare()
	if err != nil {
		return err
	}
	if free < octets {
		return store.ErrFull
	}
	return nil
}

// spare is how many octets are free above the reserve; below 0 when that is touched.
func (r *room) spare() (int64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := time.Now(); now.Sub(r.at) > roomAge {
		r.free, r.err = spare(r.dir, r.minimum)
		r.at = now
	}
	return r.free, r.err
}

// spare is how many octets are free above the reserve.
func spare(dir string, minimum int64) (int64, error) {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		return 0, fmt.Errorf("free space of %s: %w", dir, err)
	}
	block := int64(fs.Bsize)
	if minimum == 0 {
		minimum = min(maxReserve, int64(fs.Blocks)*block/10)
	}
	return int64(fs.Bavail)*block - minimum, nil
}
