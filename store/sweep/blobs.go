package sweep

import (
	"context"
	"errors"
	"fmt"

	"postern/store"
)

// released deletes the blobs that no message needs. The file goes first: if the note went first and the pass were cut
// off, only the search for orphans would find the file.
func (s *Sweeper) released(ctx context.Context) (total int, err error) {
	for {
		var ids []store.BlobID
		err := s.Store.View(ctx, func(tx store.Tx) (err error) {
			ids, err = tx.Bodies().Released(portion)
			return err
		})
		if err != nil || len(ids) == 0 {
			return total, err
		}
		gone, failed := s.delete(ctx, ids)
		err = s.Store.Update(ctx, func(tx store.Tx) (err error) {
			for _, id := range gone {
				err = errors.Join(err, tx.Bodies().Forget(id))
			}
			return err
		})
		if err != nil {
			return total, errors.Join(failed, err)
		}
		total += len(gone)
		if failed != nil || len(ids) < portion {
			return total, failed
		}
	}
}

// delete deletes blobs; one that cannot be deleted does not keep the others.
func (s *Sweeper) delete(ctx context.Context, ids []store.BlobID) (gone []store.BlobID, failed error) {
	var errs []error
	for _, id := range ids {
		if err := s.Store.Blobs().Delete(ctx, id); err != nil {
			errs = append(errs, fmt.Errorf("blob %s: %w", id, err))
			continue
		}
		gone = append(gone, id)
	}
	return gone, errors.Join(errs...)
}

// orphans deletes blobs that no record names: what a crash or a failed commit left.
func (s *Sweeper) orphans(ctx context.Context) (total int, err error) {
	var after store.BlobID
	var errs []error
	for {
		page, err := s.Store.Blobs().List(ctx, after, portion)
		if err != nil {
			return total, errors.Join(append(errs, err)...)
		}
		unknown, err := s.unknown(ctx, page)
		if err != nil {
			return total, errors.Join(append(errs, err)...)
		}
		gone, failed := s.delete(ctx, unknown)
		if total += len(gone); failed != nil {
			errs = append(errs, failed)
		}
		if len(page) < portion {
			return total, errors.Join(errs...)
		}
		after = page[len(page)-1].ID
	}
}

// unknown picks the old blobs that no record names. The age is looked at before the records: a blob that is old enough
// now was committed, if ever, before them.
func (s *Sweeper) unknown(ctx context.Context, page []store.BlobInfo) (ids []store.BlobID, err error) {
	old := s.Now().Add(-orphanAge)
	err = s.Store.View(ctx, func(tx store.Tx) error {
		ids = nil
		for _, b := range page {
			if b.Time.After(old) {
				continue
			}
			known, err := tx.Bodies().Known(b.ID)
			if err != nil {
				return err
			}
			if !known {
				ids = append(ids, b.ID)
			}
		}
		return nil
	})
	return ids, err
}
