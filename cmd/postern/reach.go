package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"postern/cmd/internal/config"
	"postern/cmd/internal/control"
	"postern/store"
)

// errNoStore: neither a server runs nor a store exists.
var errNoStore = errors.New("holds no Postern store; is data_dir right?")

// reach finds whom a command speaks to: the running server's socket, or the same methods over the store in this
// process when none runs. done ends what it opened. errNoStore: there is nothing to speak of; nothing was created.
func reach(ctx context.Context, cfg config.Config) (c control.Caller, done func() error, err error) {
	client, err := control.Dial(ctx, cfg.DataDir)
	if err == nil {
		return client, func() error { return nil }, nil
	}
	if !errors.Is(err, control.ErrNoServer) {
		return nil, nil, setupError{rightUser(err)}
	}
	if err := findStore(cfg.DataDir); err != nil {
		return nil, nil, setupError{fmt.Errorf("the data folder %s %w", cfg.DataDir, err)}
	}
	silent := slog.New(slog.DiscardHandler)
	db, err := openStore(cfg, silent)
	if err != nil {
		return nil, nil, rightUser(err)
	}
	g, err := newGateway(ctx, cfg, db, silent)
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	done = func() error { return errors.Join(g.ring.Close(), db.Close()) }
	if err := release(ctx, db); err != nil {
		return nil, nil, errors.Join(err, done())
	}
	g.admin.Runner = resting{g.runner}
	return methods(g.admin), done, nil
}

// findStore answers nil when a data folder has been used before.
func findStore(dir string) error {
	_, err := os.Stat(filepath.Join(dir, "postern.db"))
	if errors.Is(err, fs.ErrNotExist) {
		return errNoStore
	}
	if err != nil {
		return rightUser(fmt.Errorf("cannot be looked at: %w", err))
	}
	return nil
}

// rightUser says who may, where somebody may not.
func rightUser(err error) error {
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return fmt.Errorf("%w. Run the command as root or as the service's user: sudo -u postern postern …", err)
}

// release takes back what a server that was killed still held: with the store open here, nobody delivers it.
func release(ctx context.Context, db store.Store) error {
	now := time.Now()
	err := db.Update(ctx, func(tx store.Tx) error {
		_, err := tx.Queue().Recover(store.Owner{}, now)
		return err
	})
	if err != nil {
		return fmt.Errorf("take back what was under way: %w", err)
	}
	return nil
}
