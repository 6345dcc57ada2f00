package bolt

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"postern/store"
)

func (q queue) Get(k store.RcptKey) (item store.QueueItem, err error) {
	value := q.t.get(queueB, rcptKey(k))
	if value == nil {
		return item, fmt.Errorf("queue item %s: %w", k, store.ErrNotFound)
	}
	if !decodeItem(value, &item) {
		return store.QueueItem{}, corrupt("queue item", k)
	}
	item.Key = k
	return item, nil
}

// listed reads an item that an index names: if it is missing the index is damaged.
func (q queue) listed(k store.RcptKey) (store.QueueItem, error) {
	item, err := q.Get(k)
	if errors.Is(err, store.ErrNotFound) {
		err = corrupt("entry of queue item", k)
	}
	return item, err
}

// Destinations seeks from domain to domain, however many items each has.
func (q queue) Destinations(after string, n int) ([]store.Destination, error) {
	var out []store.Destination
	c := q.t.bucket(dueB).Cursor()
	k, _ := c.Seek(behind(after))
	for k != nil && len(out) < n {
		domain, rest, ok := bytes.Cut(k, []byte{0})
		if !ok || len(rest) != msLen+rcptLen {
			q.t.report(fmt.Errorf("queue order: %w", store.ErrCorrupt))
			k, _ = c.Next()
			continue
		}
		out = append(out, store.Destination{Domain: string(domain), Due: msTime(rest)})
		k, _ = c.Seek(behind(string(domain)))
	}
	return out, nil
}

// behind is the first key after all those that begin with a text.
func behind(text string) []byte { return append([]byte(text), 1) }

// KeyIDs seeks from key to key, however many items each has sealed.
func (q queue) KeyIDs() (ids []store.KeyID, err error) {
	c := q.t.bucket(queueKeyB).Cursor()
	for k, _ := c.First(); k != nil; {
		id, _, _ := bytes.Cut(k, []byte{0})
		ids = append(ids, store.KeyID(id))
		k, _ = c.Seek(behind(string(id)))
	}
	return ids, nil
}

// ByKey passes over items that are claimed: those are sealed anew when they are given back.
func (q queue) ByKey(id store.KeyID, n int) (items []store.QueueItem, err error) {
	for k := range q.t.up(queueKeyB, text(id), nil) {
		if len(items) >= n {
			break
		}
		item, err := q.listed(toRcpt(tail(k, rcptLen)))
		if err != nil {
			q.t.report(err)
			continue
		}
		if item.Owner.IsZero() {
			items = append(items, item)
		}
	}
	return items, nil
}

func (q queue) List(domain string, c store.Cursor, n int) ([]store.QueueItem, store.Cursor, error) {
	var prefix []byte
	if domain != "" {
		prefix = text(domain)
	}
	l, err := q.t.from(dueB, prefix, c)
	if err != nil {
		return nil, "", err
	}
	return page(q.t, l, n, func(k, _ []byte) (store.QueueItem, error) {
		return q.listed(toRcpt(tail(k, rcptLen)))
	})
}

func (q queue) Count() (int64, error) { return q.t.count(itemCounter), nil }

func (q queue) Oldest() (time.Time, error) {
	for k := range q.t.up(firstB, nil, nil) {
		return msTime(k), nil
	}
	return time.Time{}, fmt.Errorf("oldest queue item: %w", store.ErrNotFound)
}
