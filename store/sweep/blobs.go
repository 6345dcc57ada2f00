package sweep

import (
	"context"
	"errors"
	"fmt"

	"postern/store"
)

// released deletes the blobs that no message needs. The file goes first: if the note went first and the pass were cut
// off, only the search for orphans would find the file. What cannot be deleted is passed over: the next pass tries again.
func (s *Sweeper) released(ctx context.Context) (total int, err error) {
	var after store.BlobID
	var t trouble
	for {
		var ids []store.BlobID
		err := s.Store.View(ctx, func(tx store.Tx) (err error) {
			ids, err = tx.Bodies().Released(after, portion)
			return err
		})
		if err != nil || len(ids) == 0 {
			return total, t.with(err)
		}
		gone := s.delete(ctx, ids, &t)
		if err := s.forget(ctx, gone); err != nil {
			return total, t.with(err)
		}
		total += len(gone)
		if len(ids) < portion {
			return total, t.with(nil)
		}
		after = ids[len(ids)-1]
	}
}

func (s *Sweeper) forget(ctx context.Context, gone []store.BlobID) error {
	if len(gone) == 0 {
		return nil
	}
	return s.Store.Update(ctx, func(tx store.Tx) (err error) {
		for _, id := range gone {
			err = errors.Join(err, tx.Bodies().Forget(id))
		}
		return err
	})
}

// delete deletes blobs; one that cannot be deleted does not keep the others.
func (s *Sweeper) delete(ctx context.Context, ids []store.BlobID, t *trouble) (gone []store.BlobID) {
	for _, id := range ids {
		if err := s.Store.Blobs().Delete(ctx, id); err != nil {
			t.add(fmt.Errorf("blob %s: %w", id, err))
			continue
		}
		gone = append(gone, id)
	}
	return gone
}

// orphans deletes blobs that no record names: what a crash or a failed commit left.
func (s *Sweeper) orphans(ctx context.Context) (total int, err error) {
	var after store.BlobID
	var t trouble
	for {
		page, err := s.Store.Blobs().List(ctx, after, portion)
		if err != nil {
			return total, t.with(err)
		}
		unknown, err := s.unknown(ctx, page)
		if err != nil {
			return total, t.with(err)
		}
		total += len(s.delete(ctx, unknown, &t))
		if len(page) < portion {
			return total, t.with(nil)
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
