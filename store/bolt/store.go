package bolt

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	bbolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"postern/store"
)

// Config says where the data lie.
type Config struct {
	Dir string // data folder; made if it is missing
	// Blobs opens the store of large bodies. It is called after the data folder has been locked, so that its start
	// pass disturbs no other process.
	Blobs func() (store.Blobs, error)
	Now   func() time.Time // tells which queue items a commit made due; nil: time.Now
	Log   *slog.Logger     // damaged rows that lists pass over; nil: none
}

// Store is an open data folder.
type Store struct {
	db     *bbolt.DB
	blobs  store.Blobs
	log    *slog.Logger
	commit *committer
	wake   *wake
	steps  int // bound of the search for one page of a filtered list
}

var _ store.Store = (*Store)(nil)

// Open opens or makes a data folder. *InUseError when another process has it, *FormatError when a newer Postern wrote
// it. Whoever opens it closes it.
func Open(c Config) (*Store, error) {
	if c.Dir == "" || c.Blobs == nil {
		return nil, errors.New("open data folder: Config.Dir and Config.Blobs are needed")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	db, last, err := openFile(c.Dir)
	if err != nil {
		return nil, err
	}
	blobs, err := c.Blobs()
	if err != nil {
		db.Close()
		return nil, fmt.Errorf("open blobs: %w", err)
	}
	s := &Store{db: db, blobs: blobs, log: c.Log, wake: newWake(c.Now), steps: maxSteps}
	s.commit = startCommitter(db, last, s)
	return s, nil
}

// View runs f on a snapshot of the last commit. It must be short: while it runs, pages that commits free are not used
// again. Roles called in it refuse to write.
func (s *Store) View(ctx context.Context, f func(store.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b, err := s.db.Begin(false)
	if err != nil {
		return closed(err)
	}
	t := newTx(s, b)
	defer func() {
		t.done = true
		b.Rollback()
	}()
	return f(t)
}

// Update runs f in the calling goroutine, alone or as one of several functions of a commit, and waits for that commit.
// It must not be called inside View or Update.
func (s *Store) Update(ctx context.Context, f func(store.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.commit.do(f)
}

// Wake tells of queue items that commits made due.
func (s *Store) Wake() store.Wake { return s.wake }

// Blobs is the store of large bodies that Config named.
func (s *Store) Blobs() store.Blobs { return s.blobs }

// Check answers the error that keeps the engine from writing. After a commit that failed it tries one, so that room
// which has returned is noticed.
func (s *Store) Check(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !s.commit.doubtful() {
		return nil
	}
	return s.commit.do(func(t store.Tx) error {
		t.(*tx).dirty = true
		return nil
	})
}

// Close lets queued commits finish, waits for Views and closes the file. Later calls answer ErrClosed.
func (s *Store) Close() error {
	if err := s.commit.close(); err != nil {
		return err
	}
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("close data file: %w", err)
	}
	return nil
}

func closed(err error) error {
	if errors.Is(err, berrors.ErrDatabaseNotOpen) {
		return store.ErrClosed
	}
	return fmt.Errorf("begin: %w", err)
}
