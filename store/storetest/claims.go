package storetest

import (
	"time"

	"postern/store"
)

func claimCases() []testCase {
	return []testCase{
		{"ClaimTakesWhatIsDue", claimDue},
		{"ClaimIsDurableBeforeTheDial", claimDurable},
		{"LeaseOutlastsTheBackoff", leaseLength},
		{"LeasesRunOut", leaseRunsOut},
		{"OnlyTheOwnerExtendsRetriesFinishes", ownerOnly},
		{"RetryGivesBackWithAllFields", retry},
		{"RecoverTakesBackFromOthers", recoverItems},
	}
}

var (
	owner    = id[store.Owner](1)
	stranger = id[store.Owner](2)
)

const lease = 15 * time.Minute

// claim claims up to nine items as owner, n minutes after start.
func (b *bench) claim(domain string, n int) []store.QueueItem {
	b.Helper()
	return b.claimFor(store.Claim{Domain: domain, Owner: owner, Now: at(n), Lease: lease, Max: 9})
}

func (b *bench) claimFor(c store.Claim) (items []store.QueueItem) {
	b.Helper()
	b.update(func(tx store.Tx) (err error) {
		items, err = tx.Queue().Claim(c)
		return err
	})
	return items
}

func (b *bench) item(k store.RcptKey) store.QueueItem {
	b.Helper()
	return read(b, func(tx store.Tx) (store.QueueItem, error) { return tx.Queue().Get(k) })
}

func claimDue(b *bench) {
	third, first, second, later := item("a.example", 3), item("a.example", 1), item("a.example", 2), item("a.example", 9)
	b.put(third, first, second, later, item("b.example", 1), item("a.example.net", 1))
	got := b.claimFor(store.Claim{Domain: "a.example", Owner: owner, Now: at(3), Lease: lease, Max: 2})
	if len(got) != 2 || got[0].Key != first.Key || got[1].Key != second.Key {
		b.Fatalf("first claim: %+v", got)
	}
	got = b.claim("a.example", 3)
	if len(got) != 1 || got[0].Key != third.Key {
		b.Fatalf("second claim: %+v", got)
	}
	same(b, "third claim", len(b.claim("a.example", 3)), 0)
	same(b, "claim of an unknown domain", len(b.claim("c.example", 3)), 0)
	same(b, "due", read(b, func(tx store.Tx) ([]store.Destination, error) { return tx.Queue().Destinations("", 1) }),
		[]store.Destination{{Domain: "a.example", Due: at(9)}})
}

func claimDurable(b *bench) {
	i := item("a.example", 0)
	i.Attempts = 4
	b.put(i)
	got := b.claim("a.example", 0)
	want := i
	want.Attempts, want.Owner, want.Due = 5, owner, at(0).Add(lease)
	same(b, "claimed", got, []store.QueueItem{want})
	same(b, "stored", b.item(i.Key), want)
}

func leaseLength(b *bench) {
	backoff := []time.Duration{5 * time.Minute, 20 * time.Minute, time.Hour}
	for attempts, want := range map[int]time.Duration{0: lease, 1: 20 * time.Minute, 2: time.Hour, 7: time.Hour} {
		i := item("a.example", 0)
		i.Attempts = attempts
		b.put(i)
		b.claimFor(store.Claim{Domain: "a.example", Owner: owner, Now: at(0), Lease: lease, Backoff: backoff, Max: 1})
		if got := b.item(i.Key).Due.Sub(at(0)); got != want {
			b.Errorf("lease after %d attempts is %s, want %s", attempts, got, want)
		}
	}
}

func leaseRunsOut(b *bench) {
	i := item("a.example", 0)
	b.put(i)
	b.claim("a.example", 0)
	again := store.Claim{Domain: "a.example", Owner: stranger, Now: at(15).Add(-time.Millisecond), Lease: lease, Max: 9}
	same(b, "claims inside the lease", len(b.claimFor(again)), 0)
	again.Now = at(15)
	got := b.claimFor(again)
	if len(got) != 1 || got[0].Attempts != 2 || got[0].Owner != stranger {
		b.Fatalf("claim after the lease: %+v", got)
	}
	b.fails(store.ErrConflict, func(tx store.Tx) error { return tx.Queue().Finish(i.Key, owner) })
	b.update(func(tx store.Tx) error { return tx.Queue().Finish(i.Key, stranger) })
}

func ownerOnly(b *bench) {
	i := item("a.example", 0)
	b.put(i)
	try := func(want error, who store.Owner) {
		b.Helper()
		b.fails(want, func(tx store.Tx) error { return tx.Queue().Extend(i.Key, who, at(60)) })
		b.fails(want, func(tx store.Tx) error { return tx.Queue().Finish(i.Key, who) })
		held := i
		held.Owner = who
		b.fails(want, func(tx store.Tx) error { return tx.Queue().Retry(held) })
	}
	try(store.ErrConflict, store.Owner{})
	try(store.ErrConflict, owner)
	b.claim("a.example", 0)
	try(store.ErrConflict, store.Owner{})
	try(store.ErrConflict, stranger)
	b.update(func(tx store.Tx) error { return tx.Queue().Extend(i.Key, owner, at(60)) })
	same(b, "extended lease", b.item(i.Key).Due, at(60))
	b.update(func(tx store.Tx) error { return tx.Queue().Finish(i.Key, owner) })
	try(store.ErrNotFound, owner)
}

func retry(b *bench) {
	i := item("a.example", 0)
	b.put(i)
	got := b.claim("a.example", 0)[0]
	got.Attempts--
	got.Due, got.KeyID, got.Wrap = at(7), "key00002", []byte("anew")
	got.LastAt, got.LastCode, got.Last, got.Delays = at(1), 451, "451 later", 1
	b.update(func(tx store.Tx) error { return tx.Queue().Retry(got) })
	want := got
	want.Owner = store.Owner{}
	same(b, "given back", b.item(i.Key), want)
	same(b, "keys", read(b, func(tx store.Tx) ([]store.KeyID, error) { return tx.Queue().KeyIDs() }), []store.KeyID{"key00002"})
	b.fails(store.ErrConflict, func(tx store.Tx) error { return tx.Queue().Retry(got) })
	same(b, "claims before it is due", len(b.claim("a.example", 6)), 0)
	same(b, "claims when it is due", len(b.claim("a.example", 7)), 1)
}

func recoverItems(b *bench) {
	mine, theirs, waiting := item("a.example", 0), item("b.example", 0), item("c.example", 30)
	b.put(mine, theirs, waiting)
	b.claim("a.example", 0)
	b.claimFor(store.Claim{Domain: "b.example", Owner: stranger, Now: at(0), Lease: lease, Max: 9})
	n := 0
	b.update(func(tx store.Tx) (err error) {
		n, err = tx.Queue().Recover(owner, at(2))
		return err
	})
	same(b, "recovered", n, 1)
	same(b, "own item", b.item(mine.Key).Owner, owner)
	back := b.item(theirs.Key)
	if !back.Owner.IsZero() || !back.Due.Equal(at(2)) || back.Attempts != 1 {
		b.Fatalf("recovered item: %+v", back)
	}
	same(b, "waiting item", b.item(waiting.Key), waiting)
	same(b, "claims after recovery", len(b.claim("b.example", 2)), 1)
}
