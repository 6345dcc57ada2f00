package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"postern/cmd/internal/config"
	"postern/pickup/admin"
	"postern/store"
	"postern/store/blob"
	"postern/store/bolt"
	"postern/store/seal"
)

// openStore opens the engine of a data folder. Nothing is created where a folder holds another program's or a newer
// Postern's data.
func openStore(cfg config.Config, log *slog.Logger) (store.Store, error) {
	if err := os.MkdirAll(cfg.DataDir, 0o700); err != nil {
		return nil, setupError{fmt.Errorf("data_dir: %w", err)}
	}
	db, err := bolt.Open(bolt.Config{
		Dir: cfg.DataDir, Blobs: blob.In(filepath.Join(cfg.DataDir, "blobs")), Now: time.Now, Log: log,
	})
	if err != nil {
		return nil, setupError{err}
	}
	return db, nil
}

// openKeys opens the server key file and compares it with the store. A file is made only for a store that never had a
// key; every other doubt ends the start and changes nothing (KEYS K3).
func openKeys(ctx context.Context, db store.Store, path string) (*seal.ServerKeys, error) {
	want, err := readChecks(ctx, db)
	if err != nil {
		return nil, err
	}
	keys, err := seal.OpenServerKeys(path)
	if errors.Is(err, seal.ErrNoKeyFile) && len(want) == 0 {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return nil, setupError{fmt.Errorf("server key: %w", err)}
		}
		keys, err = seal.CreateServerKeys(path)
	}
	if err != nil {
		return nil, setupError{keyTrouble(path, want, err)}
	}
	if err := keys.VerifyChecks(want); err != nil {
		return nil, setupError{fmt.Errorf("wrong server key: %w. Put the right file back; nothing was changed", err)}
	}
	return keys, writeChecks(ctx, db, keys, want)
}

func keyTrouble(path string, want map[store.KeyID][]byte, err error) error {
	if !errors.Is(err, seal.ErrNoKeyFile) && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("server key file %s: %w", path, err)
	}
	var ids []string
	for id := range want {
		ids = append(ids, string(id))
	}
	return fmt.Errorf("the server key file %s is missing, and the store is sealed under key %s. Put the file back from its backup; nothing was changed",
		path, strings.Join(ids, ", "))
}

func readChecks(ctx context.Context, db store.Store) (map[store.KeyID][]byte, error) {
	want := map[store.KeyID][]byte{}
	err := db.View(ctx, func(tx store.Tx) error {
		clear(want)
		names, err := tx.Settings().Names(admin.CheckPrefix)
		if err != nil {
			return err
		}
		for _, name := range names {
			value, err := tx.Settings().Get(name)
			if err != nil {
				return err
			}
			want[store.KeyID(strings.TrimPrefix(name, admin.CheckPrefix))] = value
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read key checks: %w", err)
	}
	return want, nil
}

// writeChecks remembers keys that the store has no check value of.
func writeChecks(ctx context.Context, db store.Store, keys *seal.ServerKeys, have map[store.KeyID][]byte) error {
	missing := map[store.KeyID][]byte{}
	for id, check := range keys.Checks() {
		if _, ok := have[id]; !ok {
			missing[id] = check
		}
	}
	if len(missing) == 0 {
		return nil
	}
	err := db.Update(ctx, func(tx store.Tx) error {
		for id, check := range missing {
			if err := tx.Settings().Set(admin.CheckPrefix+string(id), check); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("write key checks: %w", err)
	}
	return nil
}

// macKeys are the random keys of indexes and marks; rotation of the server key never changes them.
type macKeys struct{ threads, origin seal.MACKey }

func openMACKeys(ctx context.Context, db store.Store, keys *seal.ServerKeys) (m macKeys, err error) {
	if m.threads, err = seal.LoadMACKey(ctx, db, keys, "threads"); err != nil {
		return m, fmt.Errorf("thread key: %w", err)
	}
	if m.origin, err = seal.LoadMACKey(ctx, db, keys, "origin"); err != nil {
		return m, fmt.Errorf("origin key: %w", err)
	}
	return m, nil
}
