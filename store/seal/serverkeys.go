package seal

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"postern/store"
)

// ErrServerLayer: no server key opens the value. That is a fault of the installation, never a wrong password
// (KEYS K3).
var ErrServerLayer = errors.New("server layer does not open")

// KeyCheckError: the key file does not fit the store.
type KeyCheckError struct {
	ID      store.KeyID
	Path    string
	Missing bool // false: a key of that id is there, but is another one
}

func (e *KeyCheckError) Error() string {
	if e.Missing {
		return fmt.Sprintf("key file %s lacks server key %s, which the store needs", e.Path, e.ID)
	}
	return fmt.Sprintf("server key %s in key file %s is not the one that the store was written with", e.ID, e.Path)
}

// ServerKeys are the keys of a server key file: the first seals, all open (KEYS K3). Methods may be called from
// several goroutines.
type ServerKeys struct {
	path  string
	disk  disk
	edit  sync.Mutex // one change of the file at a time
	lines atomic.Pointer[[]keyLine]
}

// OpenServerKeys reads a server key file: ErrNoKeyFile, ErrKeyFileReadable, *KeyFileError. It finishes what a crash left
// of a change: a key that was removed lies nowhere any more.
func OpenServerKeys(path string) (*ServerKeys, error) {
	s, err := openServerKeys(path, disk{})
	if err != nil || !s.disk.hasLeftovers(s.path) {
		return s, err
	}
	if err := s.disk.locked(s.path, func() error { return s.disk.clean(s.path) }); err != nil {
		return nil, err
	}
	return s, nil
}

func openServerKeys(path string, d disk) (*ServerKeys, error) {
	real, err := filepath.EvalSymlinks(path) // so that a change replaces the file, not a link to it
	if err != nil {
		real = path
	}
	data, err := d.read(real)
	if err != nil {
		return nil, err
	}
	lines, err := serverLines().parse(path, data)
	if err != nil {
		return nil, err
	}
	if len(lines) == 0 {
		return nil, &KeyFileError{Path: path, Reason: "holds no key"}
	}
	s := &ServerKeys{path: real, disk: d}
	s.lines.Store(&lines)
	return s, nil
}

// CreateServerKeys makes a server key file with one new key, mode 0600, durable when it returns. An existing file is
// never replaced (fs.ErrExist). The caller does so only for an empty store.
func CreateServerKeys(path string) (*ServerKeys, error) { return createServerKeys(path, disk{}) }

func createServerKeys(path string, d disk) (*ServerKeys, error) {
	if err := d.folder(filepath.Dir(path)); err != nil {
		return nil, err
	}
	data := serverLines().write([]keyLine{newKeyLine()})
	if err := d.locked(path, func() error { return d.create(path, data) }); err != nil {
		return nil, err
	}
	return openServerKeys(path, d)
}

func (s *ServerKeys) all() []keyLine { return *s.lines.Load() }

// Current is the key that seals.
func (s *ServerKeys) Current() store.KeyID { return s.all()[0].id }

// IDs lists the keys in the order of the file.
func (s *ServerKeys) IDs() []store.KeyID {
	var ids []store.KeyID
	for _, l := range s.all() {
		ids = append(ids, l.id)
	}
	return ids
}

// Checks are the values that the store keeps per key, to notice a wrong or older file. They lead to no key.
func (s *ServerKeys) Checks() map[store.KeyID][]byte {
	checks := make(map[store.KeyID][]byte)
	for _, l := range s.all() {
		c := derive(l.key[:], ctxServerCheck)
		checks[l.id] = c[:16]
	}
	return checks
}

// VerifyChecks compares the file with the check values of the keys that the store uses; *KeyCheckError.
func (s *ServerKeys) VerifyChecks(want map[store.KeyID][]byte) error {
	have := s.Checks()
	for _, id := range slices.Sorted(maps.Keys(want)) {
		c, ok := have[id]
		if !ok {
			return &KeyCheckError{ID: id, Path: s.path, Missing: true}
		}
		if subtle.ConstantTimeCompare(c, want[id]) != 1 {
			return &KeyCheckError{ID: id, Path: s.path}
		}
	}
	return nil
}

// Seal is S(ctx; x) of KEYS K3: the key's id, then a box under the first key. The context names kind and place of the
// value; a part over 65,535 octets panics.
func (s *ServerKeys) Seal(ctx []string, x []byte) []byte {
	l := s.all()[0]
	return sealBound([]byte(l.id), l.key[:], serverContext(l.id, ctx), x)
}

func serverContext(id store.KeyID, ctx []string) []byte {
	return encode(append([]string{ctxServer, string(id)}, ctx...)...)
}

// Open undoes Seal with the key that the value names; ErrServerLayer.
func (s *ServerKeys) Open(ctx []string, sealed []byte) ([]byte, error) {
	id, ok := KeyOf(sealed)
	if !ok {
		return nil, ErrServerLayer
	}
	for _, l := range s.all() {
		if l.id != id {
			continue
		}
		x, err := openBound(l.key[:], serverContext(id, ctx), sealed[symmetricIDLen:])
		if err != nil {
			return nil, fmt.Errorf("server key %s: %w", id, ErrServerLayer)
		}
		return x, nil
	}
	return nil, fmt.Errorf("no server key %s: %w", id, ErrServerLayer)
}

// KeyOf is the id of the key that a value is sealed under, of ServerKeys or Ring.
func KeyOf(sealed []byte) (store.KeyID, bool) {
	if len(sealed) < symmetricIDLen {
		return "", false
	}
	id := string(sealed[:symmetricIDLen])
	return store.KeyID(id), isSymmetricID(id)
}

// Rewrap seals a value anew under the current key, unless it is already; ErrServerLayer. What is inside stays as it
// is.
func (s *ServerKeys) Rewrap(ctx []string, sealed []byte) (out []byte, changed bool, err error) {
	if id, ok := KeyOf(sealed); ok && id == s.Current() {
		return sealed, false, nil
	}
	x, err := s.Open(ctx, sealed)
	if err != nil {
		return nil, false, err
	}
	return s.Seal(ctx, x), true, nil
}

// Add puts a new key below the others, where it opens but does not seal yet.
func (s *ServerKeys) Add() (store.KeyID, error) {
	l := newKeyLine()
	return l.id, s.change(func(lines []keyLine) ([]keyLine, error) { return append(lines, l), nil })
}

// Promote makes a key the first, which seals.
func (s *ServerKeys) Promote(id store.KeyID) error {
	return s.change(func(lines []keyLine) ([]keyLine, error) {
		i := slices.IndexFunc(lines, func(l keyLine) bool { return l.id == id })
		if i < 0 {
			return nil, fmt.Errorf("promote server key %s: %w", id, store.ErrNotFound)
		}
		l := lines[i]
		return append([]keyLine{l}, slices.Delete(lines, i, i+1)...), nil
	})
}

// Remove destroys a key. Whatever names it is lost, older copies of the store included: the caller has made sure that
// no row does. The first key is not removed.
func (s *ServerKeys) Remove(id store.KeyID) error {
	return s.change(func(lines []keyLine) ([]keyLine, error) {
		i := slices.IndexFunc(lines, func(l keyLine) bool { return l.id == id })
		switch {
		case i < 0:
			return nil, fmt.Errorf("remove server key %s: %w", id, store.ErrNotFound)
		case i == 0:
			return nil, fmt.Errorf("remove server key %s: it is the one that seals", id)
		}
		return slices.Delete(lines, i, i+1), nil
	})
}

// change edits the file as it is on the disk now, which an operator may have edited too, and takes it over.
func (s *ServerKeys) change(edit func([]keyLine) ([]keyLine, error)) error {
	s.edit.Lock()
	defer s.edit.Unlock()
	return s.disk.locked(s.path, func() error {
		now, err := openServerKeys(s.path, s.disk)
		if err != nil {
			return err
		}
		lines, err := edit(now.all())
		if err != nil {
			return err
		}
		if err := s.disk.replace(s.path, serverLines().write(lines)); err != nil {
			return err
		}
		s.lines.Store(&lines)
		return nil
	})
}

// Reload takes over a file that was edited; on any error the keys stay as they were.
func (s *ServerKeys) Reload() error {
	s.edit.Lock()
	defer s.edit.Unlock()
	now, err := openServerKeys(s.path, s.disk)
	if err != nil {
		return err
	}
	s.lines.Store(now.lines.Load())
	return nil
}
