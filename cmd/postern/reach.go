package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"postern/cmd/internal/config"
	"postern/cmd/internal/control"
)

// reach finds whom a command speaks to: the running server's socket, or the same methods over the store in this
// process when none runs. done ends what it opened.
func reach(ctx context.Context, cfg config.Config) (c control.Caller, done func() error, err error) {
	client, err := control.Dial(ctx, cfg.DataDir)
	if err == nil {
		return client, func() error { return nil }, nil
	}
	if !errors.Is(err, control.ErrNoServer) {
		return nil, nil, err
	}
	if !storeExists(cfg.DataDir) {
		return nil, nil, setupError{fmt.Errorf("the data folder %s holds no Postern store; is data_dir right?", cfg.DataDir)}
	}
	db, err := openStore(cfg, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		return nil, nil, err
	}
	g, err := newGateway(ctx, cfg, db, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	g.admin.Runner = nil // nothing delivers in this process
	return methods(g.admin), func() error { return errors.Join(g.ring.Close(), db.Close()) }, nil
}
