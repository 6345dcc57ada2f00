package storetest

import (
	"fmt"
	"time"

	"postern/store"
)

func queueCases() []testCase {
	return []testCase{
		{"EveryFieldOfAQueueItemSurvives", everyFieldOfItem},
		{"DestinationsAreFoundOnce", destinations},
		{"KeyIDsFollowTheItems", keyIDs},
		{"ReplaceLeavesClaimedItems", replace},
		{"QueuePagesByDue", queuePages},
		{"CountAndOldestFollowTheItems", countAndOldest},
		{"QueueRefusesWhatCannotBeKept", queueRefuses},
		{"WakeNamesDomainsThatBecameDue", wakes},
	}
}

func everyFieldOfItem(b *bench) {
	i := filled[store.QueueItem]()
	b.put(i)
	get := func(tx store.Tx) (store.QueueItem, error) { return tx.Queue().Get(i.Key) }
	same(b, "item", read(b, get), cutTimes(i))
	b.fails(store.ErrExists, func(tx store.Tx) error { return tx.Queue().Put(i) })
	b.update(func(tx store.Tx) error { return tx.Queue().Remove(i.Key) })
	missing(b, store.ErrNotFound, get)
	b.fails(store.ErrNotFound, func(tx store.Tx) error { return tx.Queue().Remove(i.Key) })
}

func destinations(b *bench) {
	b.put(item("b.example", 5), item("b.example", 3), item("b.example", 9), item("a.example", 7), item("b.example.net", 1))
	of := func(after string, n int) []store.Destination {
		return read(b, func(tx store.Tx) ([]store.Destination, error) { return tx.Queue().Destinations(after, n) })
	}
	all := []store.Destination{{Domain: "a.example", Due: at(7)}, {Domain: "b.example", Due: at(3)}, {Domain: "b.example.net", Due: at(1)}}
	same(b, "destinations", of("", 9), all)
	same(b, "the first two", of("", 2), all[:2])
	same(b, "behind a name", of("a.example", 9), all[1:])
	same(b, "behind a name that is gone", of("b", 9), all[1:])
	same(b, "behind the last", len(of("b.example.net", 9)), 0)
}

func keyIDs(b *bench) {
	one, two, three := item("a.example", 0), item("a.example", 1), item("b.example", 2)
	two.KeyID, three.KeyID = "key00002", "key0000"
	b.put(one, two, three)
	ids := func(tx store.Tx) ([]store.KeyID, error) { return tx.Queue().KeyIDs() }
	byKey := func(k store.KeyID) []store.QueueItem {
		return read(b, func(tx store.Tx) ([]store.QueueItem, error) { return tx.Queue().ByKey(k, 9) })
	}
	same(b, "key ids", read(b, ids), []store.KeyID{"key0000", "key00001", "key00002"})
	same(b, "items of a key", byKey("key0000"), []store.QueueItem{three})
	three.KeyID, three.Wrap = "key00002", []byte("anew")
	b.update(func(tx store.Tx) error { return tx.Queue().Replace(three) })
	b.update(func(tx store.Tx) error { return tx.Queue().Remove(one.Key) })
	same(b, "key ids", read(b, ids), []store.KeyID{"key00002"})
	same(b, "items of a key that is gone", len(byKey("key00001")), 0)
	b.claim("a.example", 5)
	same(b, "unclaimed items of a key", byKey("key00002"), []store.QueueItem{three})
	same(b, "key ids, one claimed", read(b, ids), []store.KeyID{"key00002"})
}

func replace(b *bench) {
	i := item("a.example", 0)
	b.put(i)
	i.Last = "451 later"
	b.update(func(tx store.Tx) error { return tx.Queue().Replace(i) })
	same(b, "item", read(b, func(tx store.Tx) (store.QueueItem, error) { return tx.Queue().Get(i.Key) }), i)
	claimed := b.claim("a.example", 5)
	b.fails(store.ErrConflict, func(tx store.Tx) error { return tx.Queue().Replace(i) })
	b.fails(store.ErrConflict, func(tx store.Tx) error { return tx.Queue().Replace(claimed[0]) })
	b.fails(store.ErrNotFound, func(tx store.Tx) error { return tx.Queue().Replace(item("a.example", 0)) })
}

func queuePages(b *bench) {
	var want []store.RcptKey
	for _, domain := range []string{"a.example", "b.example"} {
		for n := range 5 {
			i := item(domain, n)
			b.put(i)
			want = append(want, i.Key)
		}
	}
	of := func(domain string, size int) (out []store.RcptKey) {
		rows := walk(b, size, func(tx store.Tx, c store.Cursor, n int) ([]store.QueueItem, store.Cursor, error) {
			return tx.Queue().List(domain, c, n)
		})
		for _, i := range rows {
			out = append(out, i.Key)
		}
		return out
	}
	for _, n := range []int{1, 3, 100} {
		same(b, fmt.Sprintf("all in pages of %d", n), of("", n), want)
		same(b, fmt.Sprintf("a domain in pages of %d", n), of("b.example", n), want[5:])
	}
	same(b, "another domain", len(of("example", 5)), 0)
}

func countAndOldest(b *bench) {
	count := func(tx store.Tx) (int64, error) { return tx.Queue().Count() }
	oldest := func(tx store.Tx) (time.Time, error) { return tx.Queue().Oldest() }
	missing(b, store.ErrNotFound, oldest)
	one, two := item("a.example", 5), item("b.example", 3)
	b.put(one, two)
	same(b, "count", read(b, count), 2)
	same(b, "oldest", read(b, oldest), at(3))
	b.claim("b.example", 9)
	same(b, "count, one claimed", read(b, count), 2)
	b.update(func(tx store.Tx) error { return tx.Queue().Finish(two.Key, owner) })
	same(b, "count", read(b, count), 1)
	same(b, "oldest", read(b, oldest), at(5))
	b.update(func(tx store.Tx) error { return tx.Queue().Remove(one.Key) })
	same(b, "count", read(b, count), 0)
	missing(b, store.ErrNotFound, oldest)
}

func queueRefuses(b *bench) {
	for name, spoil := range map[string]func(i *store.QueueItem){
		"without id":                 func(i *store.QueueItem) { i.Key = store.RcptKey{} },
		"without domain":             func(i *store.QueueItem) { i.Domain = "" },
		"with a zero in its domain":  func(i *store.QueueItem) { i.Domain = "a\x00b" },
		"with a domain that is none": func(i *store.QueueItem) { i.Domain = "\xff" },
		"without key":                func(i *store.QueueItem) { i.KeyID = "" },
	} {
		i := item("a.example", 0)
		spoil(&i)
		if err := b.Update(b.ctx(), func(tx store.Tx) error { return tx.Queue().Put(i) }); err == nil {
			b.Errorf("an item %s was taken", name)
		}
	}
	same(b, "count", read(b, func(tx store.Tx) (int64, error) { return tx.Queue().Count() }), 0)
}

// wakes uses the real time of day: the engine's clock says what is due now.
func wakes(b *bench) {
	soon, later := item("soon.example", 0), item("later.example", 0)
	later.Due = time.Now().Add(time.Hour)
	b.put(soon, later, item("soon.example", 1))
	select {
	case <-b.Wake().C():
	case <-b.Context().Done():
		b.Fatal("no signal")
	}
	same(b, "woken", b.Wake().Take(), []string{"soon.example"})
	same(b, "woken again", len(b.Wake().Take()), 0)
	b.fails(nil, func(tx store.Tx) error {
		if err := tx.Queue().Put(item("never.example", 0)); err != nil {
			return err
		}
		return store.ErrConflict
	})
	b.claim("soon.example", 5)
	select {
	case <-b.Wake().C():
		b.Fatalf("woken by nothing due: %v", b.Wake().Take())
	default:
	}
	b.update(func(tx store.Tx) error {
		i, err := tx.Queue().Get(soon.Key)
		if err != nil {
			return err
		}
		i.Due = at(0)
		return tx.Queue().Retry(i)
	})
	<-b.Wake().C()
	same(b, "woken by a retry", b.Wake().Take(), []string{"soon.example"})
}
