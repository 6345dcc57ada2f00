package sweep

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"postern/store"
)

// queueKeys seals what waits under the keys of closed hours under the newest key, and then has every key destroyed that
// no item names (KEYS K4). Items that are claimed are sealed anew when they are given back.
func (s *Sweeper) queueKeys(ctx context.Context) (total int, err error) {
	live, err := s.keyIDs(ctx)
	if err != nil {
		return 0, err
	}
	current := s.Ring.Current()
	var errs []error
	for _, id := range live {
		if id == current {
			continue
		}
		n, err := s.reseal(ctx, id)
		if total += n; err != nil {
			errs = append(errs, err)
		}
	}
	if live, err = s.keyIDs(ctx); err == nil {
		err = s.Ring.Retire(live)
	}
	return total, errors.Join(append(errs, err)...)
}

func (s *Sweeper) keyIDs(ctx context.Context) (ids []store.KeyID, err error) {
	err = s.Store.View(ctx, func(tx store.Tx) (err error) {
		ids, err = tx.Queue().KeyIDs()
		return err
	})
	return ids, err
}

// reseal seals all unclaimed items of a key anew. Items that fail stay at the head of the list, so the next page is that
// much longer; a page that fails altogether ends it: the key is gone, which the runner reports item by item.
func (s *Sweeper) reseal(ctx context.Context, id store.KeyID) (total int, err error) {
	failed := make(map[store.RcptKey]bool)
	var first error
	for {
		items, err := s.unclaimed(ctx, id, failed)
		if err != nil || len(items) == 0 {
			return total, errors.Join(summary(id, len(failed), first), err)
		}
		var olds, news []store.QueueItem
		for _, item := range items {
			fresh, err := s.Ring.Reseal(item)
			if err != nil {
				first = cmp.Or(first, err)
				failed[item.Key] = true
				continue
			}
			olds, news = append(olds, item), append(news, fresh)
		}
		n, err := s.replace(ctx, olds, news)
		if total += n; n == 0 || err != nil {
			return total, errors.Join(summary(id, len(failed), first), err)
		}
	}
}

// summary is one error for all items of a key that failed; nil for none.
func summary(id store.KeyID, n int, first error) error {
	if n == 0 {
		return nil
	}
	return fmt.Errorf("seal %d items of key %s anew: %w", n, id, first)
}

// unclaimed reads a page of a key's items less those that failed.
func (s *Sweeper) unclaimed(ctx context.Context, id store.KeyID, failed map[store.RcptKey]bool) (left []store.QueueItem, err error) {
	err = s.Store.View(ctx, func(tx store.Tx) error {
		items, err := tx.Queue().ByKey(id, len(failed)+portion)
		left = slices.DeleteFunc(items, func(i store.QueueItem) bool { return failed[i.Key] })
		return err
	})
	return left, err
}

// replace writes new seals over the old ones. An item that was claimed, finished or sealed anew since it was read is
// left alone; of the others nothing but the seal changes.
func (s *Sweeper) replace(ctx context.Context, olds, news []store.QueueItem) (n int, err error) {
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		n = 0
		for i, old := range olds {
			item, err := tx.Queue().Get(old.Key)
			if errors.Is(err, store.ErrNotFound) {
				continue
			}
			if err != nil {
				return err
			}
			if !item.Owner.IsZero() || !sameSeal(item, old) {
				continue
			}
			item.KeyID, item.Wrap, item.Sealed = news[i].KeyID, news[i].Wrap, news[i].Sealed
			if err := tx.Queue().Replace(item); err != nil {
				return err
			}
			n++
		}
		return nil
	})
	return n, err
}

func sameSeal(a, b store.QueueItem) bool {
	return a.KeyID == b.KeyID && bytes.Equal(a.Wrap, b.Wrap) && bytes.Equal(a.Sealed, b.Sealed)
}
