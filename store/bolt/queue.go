package bolt

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"postern/store"
)

// queue implements store.Queue. What it answers without changing an item is in waiting.go.
type queue struct{ t *tx }

// itemCounter counts all items.
const itemCounter = "queue"

func (q queue) Put(item store.QueueItem) error {
	if q.t.has(queueB, rcptKey(item.Key)) {
		return fmt.Errorf("queue item %s: %w", item.Key, store.ErrExists)
	}
	if err := q.write(nil, item); err != nil {
		return err
	}
	return q.t.add(itemCounter, 1)
}

// write stores an item over its old record, if there is one, and notes its domain for Wake.
func (q queue) write(old *store.QueueItem, item store.QueueItem) error {
	cut(&item.Arrived, &item.Due, &item.GiveUp, &item.LastAt)
	value, err := encodeItem(item)
	if err != nil {
		return err
	}
	if item.Key.Message.IsZero() {
		return errors.New("queue item has no id")
	}
	if err := errors.Join(checkText("domain", item.Domain), checkText("queue key", item.KeyID)); err != nil {
		return fmt.Errorf("queue item %s: %w", item.Key, err)
	}
	var was []entry
	if old != nil {
		was = itemEntries(*old)
	}
	if err := q.t.move(was, itemEntries(item)); err != nil {
		return err
	}
	if item.Owner.IsZero() {
		q.t.written.due = append(q.t.written.due, due{domain: item.Domain, at: item.Due})
	}
	return q.t.put(queueB, rcptKey(item.Key), value)
}

// itemEntries are the index entries of a queue item.
func itemEntries(i store.QueueItem) []entry {
	key := rcptKey(i.Key)
	out := []entry{
		{in: dueB, key: join(text(i.Domain), msKey(i.Due), key)},
		{in: queueKeyB, key: join(text(i.KeyID), key)},
		{in: firstB, key: join(msKey(i.Arrived), key)},
	}
	if !i.Owner.IsZero() {
		out = append(out, entry{in: ownerB, key: join(i.Owner[:], key)})
	}
	return out
}

// Claim takes due items of a domain in the order of Due. Attempt and lease are durable before anybody dials.
func (q queue) Claim(c store.Claim) ([]store.QueueItem, error) {
	var items []store.QueueItem
	var damaged [][]byte
	prefix := text(c.Domain)
	limit := join(prefix, afterMs(c.Now))
	for k := range q.t.up(dueB, prefix, nil) {
		if len(items) >= c.Max || bytes.Compare(k, limit) >= 0 {
			break
		}
		item, err := q.listed(toRcpt(tail(k, rcptLen)))
		if err != nil {
			q.t.report(err)
			damaged = append(damaged, bytes.Clone(k))
			continue
		}
		items = append(items, item)
	}
	if err := q.postpone(damaged, c.Until(1)); err != nil {
		return nil, err
	}
	for i := range items {
		old := items[i]
		items[i].Attempts++
		items[i].Owner = c.Owner
		items[i].Due = c.Until(items[i].Attempts)
		cut(&items[i].Due)
		if err := q.write(&old, items[i]); err != nil {
			return nil, err
		}
	}
	return items, nil
}

// postpone moves entries that lead to no readable item, so that their domain does not stay due for ever. The item
// itself is left to the operator.
func (q queue) postpone(damaged [][]byte, until time.Time) error {
	for _, k := range damaged {
		if err := q.t.del(dueB, k); err != nil {
			return err
		}
		key := tail(k, rcptLen)
		if !q.t.has(queueB, key) {
			continue
		}
		domain, _, _ := bytes.Cut(k, []byte{0})
		if err := q.t.put(dueB, join(text(domain), msKey(until), key), nil); err != nil {
			return err
		}
	}
	return nil
}

// held reads an item and demands that owner has claimed it.
func (q queue) held(k store.RcptKey, owner store.Owner) (store.QueueItem, error) {
	item, err := q.Get(k)
	if err == nil && (owner.IsZero() || item.Owner != owner) {
		err = fmt.Errorf("queue item %s: %w", k, store.ErrConflict)
	}
	return item, err
}

func (q queue) Extend(k store.RcptKey, owner store.Owner, until time.Time) error {
	old, err := q.held(k, owner)
	if err != nil {
		return err
	}
	item := old
	item.Due = until
	return q.write(&old, item)
}

func (q queue) Retry(item store.QueueItem) error {
	old, err := q.held(item.Key, item.Owner)
	if err != nil {
		return err
	}
	item.Owner = store.Owner{}
	return q.write(&old, item)
}

func (q queue) Finish(k store.RcptKey, owner store.Owner) error {
	item, err := q.held(k, owner)
	if err != nil {
		return err
	}
	return q.drop(k, q.t.move(itemEntries(item), nil))
}

// drop deletes an item whose index entries were deleted with the result err.
func (q queue) drop(k store.RcptKey, err error) error {
	if err != nil {
		return err
	}
	if err := q.t.del(queueB, rcptKey(k)); err != nil {
		return err
	}
	return q.t.add(itemCounter, -1)
}

// Remove deletes an item, also one that does not read back.
func (q queue) Remove(k store.RcptKey) error {
	item, err := q.Get(k)
	if errors.Is(err, store.ErrCorrupt) {
		return q.drop(k, q.t.purge(rcptKey(k), dueB, queueKeyB, firstB, ownerB))
	}
	if err != nil {
		return err
	}
	return q.drop(k, q.t.move(itemEntries(item), nil))
}

func (q queue) Replace(item store.QueueItem) error {
	old, err := q.Get(item.Key)
	if err != nil {
		return err
	}
	if !old.Owner.IsZero() || !item.Owner.IsZero() {
		return fmt.Errorf("queue item %s: %w", item.Key, store.ErrConflict)
	}
	return q.write(&old, item)
}

// Recover finds claimed items by their owners and passes over those of owner.
func (q queue) Recover(owner store.Owner, at time.Time) (int, error) {
	var found []store.RcptKey
	for k := range q.t.up(ownerB, nil, nil) {
		if !bytes.HasPrefix(k, owner[:]) {
			found = append(found, toRcpt(tail(k, rcptLen)))
		}
	}
	n := 0
	for _, k := range found {
		old, err := q.listed(k)
		if errors.Is(err, store.ErrCorrupt) {
			q.t.report(err)
			continue
		}
		if err != nil {
			return 0, err
		}
		item := old
		item.Owner, item.Due = store.Owner{}, at
		if err := q.write(&old, item); err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}
