package blob

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"postern/store"
)

// List pages through blobs in the order of their ids, from the first one after a given id; the zero id begins. A page
// short of n is the last. Files that carry no id of ours are passed over.
func (f *Folder) List(ctx context.Context, after store.BlobID, n int) ([]store.BlobInfo, error) {
	shards, err := os.ReadDir(f.dir)
	if err != nil {
		return nil, fmt.Errorf("list blobs: %w", err)
	}
	var page []store.BlobInfo
	for _, shard := range shards {
		if len(page) >= n {
			return page, nil
		}
		if !shard.IsDir() || len(shard.Name()) != 2 || shard.Name() < after.String()[:2] {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if page, err = f.listShard(page, shard.Name(), after, n); err != nil {
			return nil, err
		}
	}
	return page, nil
}

func (f *Folder) listShard(page []store.BlobInfo, shard string, after store.BlobID, n int) ([]store.BlobInfo, error) {
	entries, err := os.ReadDir(filepath.Join(f.dir, shard))
	if err != nil {
		return nil, fmt.Errorf("list blobs: %w", err)
	}
	for _, e := range entries {
		if len(page) >= n {
			break
		}
		if !ours(shard, e) || !after.IsZero() && e.Name() <= after.String() {
			continue
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) { // deleted meanwhile
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("list blobs: %w", err)
		}
		var id store.BlobID
		if id.UnmarshalText([]byte(e.Name())) == nil {
			page = append(page, store.BlobInfo{ID: id, Time: info.ModTime()})
		}
	}
	return page, nil
}

// ours tells a blob from other files: a regular file, named by the one spelling of an id, in the folder where it
// belongs.
func ours(shard string, e os.DirEntry) bool {
	var id store.BlobID
	return e.Type().IsRegular() && e.Name()[:min(2, len(e.Name()))] == shard &&
		id.UnmarshalText([]byte(e.Name())) == nil && id.String() == e.Name()
}
