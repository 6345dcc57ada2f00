package store

import (
	"context"
	"errors"
)

// The sentinels that engines return, bare or wrapped.
var (
	// ErrNotFound: no such row.
	ErrNotFound = errors.New("not found")
	// ErrExists: a row that must be new is there already.
	ErrExists = errors.New("exists already")
	// ErrConflict: the row changed since it was read; read again and repeat.
	ErrConflict = errors.New("changed meanwhile")
	// ErrLimit: one more live token would exceed what Keep allows.
	ErrLimit = errors.New("too many of them")
	// ErrUsed: the token was consumed before.
	ErrUsed = errors.New("used already")
	// ErrExpired: the token's time is over.
	ErrExpired = errors.New("expired")
	// ErrFull: no room on the disk; nothing was written.
	ErrFull = errors.New("no room on the disk")
	// ErrUncertain: the commit may or may not have happened.
	ErrUncertain = errors.New("commit uncertain")
	// ErrCorrupt: a stored value does not read back.
	ErrCorrupt = errors.New("stored value is damaged")
	// ErrCursor: the cursor is none that a list gave (a client made it up).
	ErrCursor = errors.New("not a valid cursor")
	// ErrClosed: the store is closed.
	ErrClosed = errors.New("store is closed")
)

// maxRetries bounds how often work begins again after ErrConflict.
const maxRetries = 5

// Retry calls f until it answers something else than ErrConflict, five times at most.
func Retry(ctx context.Context, f func() error) error {
	var err error
	for range maxRetries {
		if err = f(); !errors.Is(err, ErrConflict) || ctx.Err() != nil {
			return err
		}
	}
	return err
}
