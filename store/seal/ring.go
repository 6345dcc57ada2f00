package seal

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"postern/store"
)

// ErrQueueKeyGone: the ring has no key of that id any more. The item ends with a report "please send again"
// (KEYS K4).
var ErrQueueKeyGone = errors.New("queue key is gone")

var errRingClosed = errors.New("queue ring is closed")

const (
	ringFile = "queue.ring"
	ringHour = time.Hour
	// ringGrace is how long a key is kept after its last use though no item names it: the transaction that puts the
	// item may still be under way.
	ringGrace = 15 * time.Minute
)

// Ring holds the queue keys: a random one for each hour, destroyed when no queue item names it (KEYS K4). What waits in
// the queue is sealed under the newest, never under the server key: so deleted items in freed pages, logs and backups
// open with nothing. Methods may be called from several goroutines.
type Ring struct {
	path string
	now  func() time.Time
	disk disk

	mu   sync.RWMutex
	keys []keyLine // the last one is the newest
	used map[store.KeyID]time.Time
	shut bool
}

// OpenRing opens dir/queue.ring; a missing file is an empty ring. It finishes what a crash left of a change. dir is
// made where it is missing. ErrKeyFileReadable, *KeyFileError.
func OpenRing(dir string, now func() time.Time) (*Ring, error) { return openRing(dir, now, disk{}) }

func openRing(dir string, now func() time.Time, d disk) (*Ring, error) {
	r := &Ring{path: filepath.Join(dir, ringFile), now: now, disk: d, used: make(map[store.KeyID]time.Time)}
	if err := d.folder(dir); err != nil {
		return nil, err
	}
	err := d.locked(r.path, func() (err error) {
		if err := d.clean(r.path); err != nil {
			return err
		}
		r.keys, err = r.stored()
		return err
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

// stored reads the file as it is.
func (r *Ring) stored() ([]keyLine, error) {
	data, err := r.disk.read(r.path)
	if errors.Is(err, ErrNoKeyFile) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return queueLines().parse(r.path, data)
}

// Close forgets the keys.
func (r *Ring) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.keys)
	r.keys, r.shut = nil, true
	return nil
}

// Current is the id of the newest key, which is made first where the hour has none yet. It is empty only when there is
// no key and none can be written.
func (r *Ring) Current() store.KeyID {
	if l, err := r.newest(); err == nil {
		return l.id
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	if n := len(r.keys); n > 0 {
		return r.keys[n-1].id
	}
	return ""
}

// newest returns the key of this hour and notes its use.
func (r *Ring) newest() (keyLine, error) {
	now := r.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.shut {
		return keyLine{}, errRingClosed
	}
	hour := now.Truncate(ringHour)
	if n := len(r.keys); n == 0 || r.keys[n-1].hour != hour.Unix() {
		l := newKeyLine()
		l.hour = hour.Unix()
		if err := r.change(func(keys []keyLine) []keyLine { return append(keys, l) }); err != nil {
			return keyLine{}, fmt.Errorf("new queue key: %w", err)
		}
	}
	l := r.keys[len(r.keys)-1]
	r.used[l.id] = now
	return l, nil
}

// change edits the keys, makes them durable and takes them over. It begins with all that the file and r hold, so a key
// written by another process, or by a change that failed half-way, is not dropped.
func (r *Ring) change(edit func([]keyLine) []keyLine) error {
	return r.disk.locked(r.path, func() error {
		keys, err := r.stored()
		if err != nil {
			return err
		}
		for _, l := range r.keys {
			if !hasKey(keys, l.id) {
				keys = append(keys, l)
			}
		}
		keys = edit(keys)
		if err := r.disk.replace(r.path, queueLines().write(keys)); err != nil {
			return err
		}
		r.keys = keys
		return nil
	})
}

func hasKey(keys []keyLine, id store.KeyID) bool {
	return slices.ContainsFunc(keys, func(l keyLine) bool { return l.id == id })
}

func (r *Ring) find(id store.KeyID) (keyLine, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.shut {
		return keyLine{}, errRingClosed
	}
	for _, l := range r.keys {
		if l.id == id {
			return l, nil
		}
	}
	if !isSymmetricID(string(id)) {
		return keyLine{}, ErrQueueKeyGone
	}
	return keyLine{}, fmt.Errorf("queue key %s: %w", id, ErrQueueKeyGone)
}

// Retire destroys the keys of earlier hours that live does not name. live is what Queue.KeyIDs answered just before;
// a key that sealed something in the last 15 minutes stays, since its item may not be committed yet.
func (r *Ring) Retire(live []store.KeyID) error {
	now := r.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.shut {
		return errRingClosed
	}
	hour := now.Truncate(ringHour).Unix()
	dead := func(l keyLine) bool {
		used, known := r.used[l.id]
		fresh := known && now.Sub(used) < ringGrace
		return l.hour != hour && !fresh && !slices.Contains(live, l.id)
	}
	if !slices.ContainsFunc(r.keys, dead) {
		return nil
	}
	if err := r.change(func(keys []keyLine) []keyLine { return slices.DeleteFunc(keys, dead) }); err != nil {
		return fmt.Errorf("retire queue keys: %w", err)
	}
	maps.DeleteFunc(r.used, func(id store.KeyID, _ time.Time) bool { return !hasKey(r.keys, id) })
	return nil
}

func wrapContext(id store.KeyID, k store.RcptKey) []byte {
	return encode(ctxQueue, string(id), k.Message.String(), strconv.FormatUint(uint64(k.N), 10))
}

func noticeContext(id store.KeyID, k store.RcptKey) []byte {
	return encode(ctxNotice, string(id), k.String())
}

// Wrap seals the file key of a relay copy for its queue item.
func (r *Ring) Wrap(k store.RcptKey, fk FileKey) (store.KeyID, []byte, error) {
	l, err := r.newest()
	if err != nil {
		return "", nil, err
	}
	return l.id, sealBound([]byte(l.id), l.key[:], wrapContext(l.id, k), fk[:]), nil
}

// Unwrap undoes Wrap: ErrQueueKeyGone, ErrSealed.
func (r *Ring) Unwrap(id store.KeyID, k store.RcptKey, wrap []byte) (FileKey, error) {
	fk, err := r.open(id, wrapContext(id, k), wrap)
	if err != nil {
		return FileKey{}, err
	}
	return fileKey(fk)
}

// SealMail seals a mail of our own for its queue item.
func (r *Ring) SealMail(k store.RcptKey, plain []byte) (store.KeyID, []byte, error) {
	l, err := r.newest()
	if err != nil {
		return "", nil, err
	}
	return l.id, sealBound([]byte(l.id), l.key[:], noticeContext(l.id, k), plain), nil
}

// OpenMail undoes SealMail: ErrQueueKeyGone, ErrSealed.
func (r *Ring) OpenMail(id store.KeyID, k store.RcptKey, sealed []byte) ([]byte, error) {
	return r.open(id, noticeContext(id, k), sealed)
}

func (r *Ring) open(id store.KeyID, ctx, sealed []byte) ([]byte, error) {
	l, err := r.find(id)
	if err != nil {
		return nil, err
	}
	if named, ok := KeyOf(sealed); !ok || named != id {
		return nil, ErrSealed
	}
	return openBound(l.key[:], ctx, sealed[symmetricIDLen:])
}

// Reseal seals what an item holds anew under the newest key; the item comes back unchanged if it is already.
// ErrQueueKeyGone, ErrSealed.
func (r *Ring) Reseal(item store.QueueItem) (store.QueueItem, error) {
	newest, err := r.newest()
	if err != nil || item.KeyID == newest.id {
		return item, err
	}
	if item.Sealed != nil {
		return r.resealMail(item)
	}
	fk, err := r.Unwrap(item.KeyID, item.Key, item.Wrap)
	if err != nil {
		return item, err
	}
	id, wrap, err := r.Wrap(item.Key, fk)
	if err != nil {
		return item, err
	}
	item.KeyID, item.Wrap = id, wrap
	return item, nil
}

func (r *Ring) resealMail(item store.QueueItem) (store.QueueItem, error) {
	plain, err := r.OpenMail(item.KeyID, item.Key, item.Sealed)
	if err != nil {
		return item, err
	}
	id, sealed, err := r.SealMail(item.Key, plain)
	if err != nil {
		return item, err
	}
	item.KeyID, item.Sealed = id, sealed
	return item, nil
}
