package sweep

import (
	"bytes"
	"context"
	"errors"
	"fmt"

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

// reseal seals all unclaimed items of a key anew. Those that fail (their key is gone: the runner reports that) stay at
// the head of the list, so each round asks for that many more.
func (s *Sweeper) reseal(ctx context.Context, id store.KeyID) (total int, err error) {
	tried := make(map[store.RcptKey]bool)
	var errs []error
	for {
		items, err := s.untried(ctx, id, tried)
		if err != nil || len(items) == 0 {
			return total, errors.Join(append(errs, err)...)
		}
		var olds, news []store.QueueItem
		for _, item := range items {
			tried[item.Key] = true
			fresh, err := s.Ring.Reseal(item)
			if err != nil {
				errs = append(errs, fmt.Errorf("item %s: %w", item.Key, err))
				continue
			}
			olds, news = append(olds, item), append(news, fresh)
		}
		n, err := s.replace(ctx, olds, news)
		if total += n; err != nil {
			return total, errors.Join(append(errs, err)...)
		}
	}
}

func (s *Sweeper) untried(ctx context.Context, id store.KeyID, tried map[store.RcptKey]bool) (left []store.QueueItem, err error) {
	err = s.Store.View(ctx, func(tx store.Tx) error {
		left = nil
		items, err := tx.Queue().ByKey(id, len(tried)+portion)
		for _, item := range items {
			if !tried[item.Key] {
				left = append(left, item)
			}
		}
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
