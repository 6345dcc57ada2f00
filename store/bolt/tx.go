package bolt

import (
	"bytes"
	"errors"
	"fmt"
	"iter"

	bbolt "go.etcd.io/bbolt"

	"postern/store"
)

// errReadOnly answers to writes in a View.
var errReadOnly = errors.New("transaction is read-only")

// batch is what the functions of one bbolt transaction share.
type batch struct {
	store   *Store
	b       *bbolt.Tx
	open    [bucketCount]*bbolt.Bucket
	written struct {
		any bool
		due []due
	}
}

// tx is the transaction as one function sees it.
type tx struct {
	*batch
	dirty  bool  // the function has written
	broken error // a write failed half way: the function counts as failed, whatever it answers
	done   bool  // the function has returned
}

var _ store.Tx = (*tx)(nil)

func newTx(s *Store, b *bbolt.Tx) *tx { return &tx{batch: &batch{store: s, b: b}} }

// fork is the same transaction for the next function.
func (t *tx) fork() *tx { return &tx{batch: t.batch} }

func (t *tx) Messages() store.Messages { return messages{t} }
func (t *tx) Bodies() store.Bodies     { return bodies{t} }
func (t *tx) Threads() store.Threads   { return threads{t} }
func (t *tx) Accounts() store.Accounts { return accounts{t} }
func (t *tx) Sessions() store.Sessions { return sessions{t} }

// Groups is the role of lists of people.
func (t *tx) Groups() store.Groups { return groups{t} }

// Administrators is the role of the console's people.
func (t *tx) Administrators() store.Administrators { return administrators{t} }
func (t *tx) Tokens() store.Tokens                 { return tokens{t} }
func (t *tx) Queue() store.Queue                   { return queue{t} }
func (t *tx) Audit() store.Audit                   { return audit{t} }
func (t *tx) Settings() store.Settings             { return settings{t} }

func (t *tx) bucket(b bucket) *bbolt.Bucket {
	if t.done {
		panic("bolt: role used after its transaction's function returned")
	}
	if t.open[b] == nil {
		found := t.b.Bucket([]byte(buckets[b]))
		if growing[b] && t.b.Writable() {
			found.FillPercent = 0.9
		}
		t.open[b] = found
	}
	return t.open[b]
}

// get answers the value of a key, valid for the transaction and not to be changed; nil: there is none.
func (t *tx) get(b bucket, key []byte) []byte { return t.bucket(b).Get(key) }

func (t *tx) has(b bucket, key []byte) bool { return t.get(b, key) != nil }

// put writes. value must not change until the commit.
func (t *tx) put(b bucket, key, value []byte) error {
	if !t.b.Writable() {
		return errReadOnly
	}
	t.dirty = true
	return t.check(b, t.bucket(b).Put(key, value))
}

func (t *tx) del(b bucket, key []byte) error {
	if !t.b.Writable() {
		return errReadOnly
	}
	t.dirty = true
	return t.check(b, t.bucket(b).Delete(key))
}

func (t *tx) check(b bucket, err error) error {
	if err != nil {
		t.broken = fmt.Errorf("write %s: %w", buckets[b], err)
	}
	return t.broken
}

// up yields the entries with a prefix whose keys are at or after prefix and from, in order. The bucket must not be
// written meanwhile.
func (t *tx) up(b bucket, prefix, from []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(k, v []byte) bool) {
		c := t.bucket(b).Cursor()
		for k, v := c.Seek(join(prefix, from)); k != nil && bytes.HasPrefix(k, prefix); k, v = c.Next() {
			if !yield(k, v) {
				return
			}
		}
	}
}

// down yields the entries of a bucket before a key, from the last; nil: all.
func (t *tx) down(b bucket, before []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(k, v []byte) bool) {
		c := t.bucket(b).Cursor()
		k, v := c.Last()
		if before != nil {
			if k, v = c.Seek(before); k == nil {
				k, v = c.Last()
			}
			for k != nil && bytes.Compare(k, before) >= 0 {
				k, v = c.Prev()
			}
		}
		for ; k != nil; k, v = c.Prev() {
			if !yield(k, v) {
				return
			}
		}
	}
}

// entry is one index entry of a record.
type entry struct {
	in       bucket
	key, val []byte
}

// move replaces the index entries of a record by others.
func (t *tx) move(old, now []entry) error {
	for _, e := range old {
		if find(now, e) == nil {
			if err := t.del(e.in, e.key); err != nil {
				return err
			}
		}
	}
	for _, e := range now {
		if same := find(old, e); same != nil && bytes.Equal(same.val, e.val) {
			continue
		}
		if err := t.put(e.in, e.key, e.val); err != nil {
			return err
		}
	}
	return nil
}

func find(entries []entry, e entry) *entry {
	for i := range entries {
		if entries[i].in == e.in && bytes.Equal(entries[i].key, e.key) {
			return &entries[i]
		}
	}
	return nil
}

// purge deletes the entries of some indexes whose keys end in an id. It reads these indexes whole: it is for records
// that do not read back any more and so cannot tell their entries.
func (t *tx) purge(id []byte, in ...bucket) error {
	for _, b := range in {
		var keys [][]byte
		for k := range t.up(b, nil, nil) {
			if bytes.HasSuffix(k, id) {
				keys = append(keys, bytes.Clone(k))
			}
		}
		for _, k := range keys {
			if err := t.del(b, k); err != nil {
				return err
			}
		}
	}
	return nil
}

// count reads a counter.
func (t *tx) count(name string) int64 { return int64(number(t.get(countersB, []byte(name)))) }

// add changes a counter.
func (t *tx) add(name string, n int64) error {
	if n == 0 {
		return nil
	}
	return t.put(countersB, []byte(name), be64(uint64(t.count(name)+n)))
}

// shift moves one from a counter to another; "" is none.
func (t *tx) shift(from, to string) error {
	if from == to {
		return nil
	}
	if from != "" {
		if err := t.add(from, -1); err != nil {
			return err
		}
	}
	if to != "" {
		return t.add(to, 1)
	}
	return nil
}

// report logs a row that a list passes over.
func (t *tx) report(err error) {
	t.store.log.Error("damaged row passed over", "err", err)
}
