package storetest

import (
	"bytes"

	"postern/store"
)

func bodyCases() []testCase {
	return []testCase{
		{"InlineBodyGoesWithItsLastReference", inlineBody},
		{"BlobIsReleasedWithItsLastReference", blobBody},
		{"BodyNeedsItsMessage", bodyNeedsMessage},
		{"ReleasedComesInPortions", releasedPortions},
	}
}

func body(id store.MessageID) func(tx store.Tx) ([]byte, error) {
	return func(tx store.Tx) ([]byte, error) { return tx.Bodies().Get(id) }
}

func (b *bench) unref(id store.MessageID) {
	b.Helper()
	b.update(func(tx store.Tx) error { return tx.Bodies().Unref(id) })
}

func inlineBody(b *bench) {
	m := message(0)
	m.Refs = 2
	text := bytes.Repeat([]byte{0, 1, 0xff}, 22_000)
	b.update(func(tx store.Tx) error {
		if err := tx.Messages().Create(m, nil); err != nil {
			return err
		}
		return tx.Bodies().Put(m.ID, text)
	})
	b.unref(m.ID)
	if got := read(b, body(m.ID)); !bytes.Equal(got, text) {
		b.Fatalf("%d octets come back of %d", len(got), len(text))
	}
	b.unref(m.ID)
	missing(b, store.ErrNotFound, body(m.ID))
	b.fails(store.ErrNotFound, func(tx store.Tx) error { return tx.Bodies().Unref(m.ID) })
	got := read(b, func(tx store.Tx) (store.Message, error) { return tx.Messages().Get(m.ID) })
	same(b, "refs", got.Refs, 0)
}

func blobBody(b *bench) {
	m := message(0)
	m.Refs, m.Blob = 2, id[store.BlobID](1)
	b.create(m)
	known := func(tx store.Tx) (bool, error) { return tx.Bodies().Known(m.Blob) }
	released := func(tx store.Tx) ([]store.BlobID, error) { return tx.Bodies().Released(store.BlobID{}, 9) }
	b.unref(m.ID)
	same(b, "known", read(b, known), true)
	same(b, "released", len(read(b, released)), 0)
	b.unref(m.ID)
	same(b, "known, released", read(b, known), true)
	same(b, "released", read(b, released), []store.BlobID{m.Blob})
	b.update(func(tx store.Tx) error { return tx.Bodies().Forget(m.Blob) })
	same(b, "known, forgotten", read(b, known), false)
	same(b, "released", len(read(b, released)), 0)
	b.update(func(tx store.Tx) error { return tx.Bodies().Forget(m.Blob) })
}

func bodyNeedsMessage(b *bench) {
	m := message(0)
	m.Blob = id[store.BlobID](1)
	b.create(m)
	b.fails(nil, func(tx store.Tx) error { return tx.Bodies().Put(m.ID, []byte("beside the blob")) })
	b.fails(store.ErrNotFound, func(tx store.Tx) error { return tx.Bodies().Put(message(1).ID, []byte("of no message")) })
	b.fails(store.ErrNotFound, func(tx store.Tx) error { return tx.Bodies().Unref(message(1).ID) })
	missing(b, store.ErrNotFound, body(m.ID))
}

func releasedPortions(b *bench) {
	for n := range byte(5) {
		m := message(int(n))
		m.Blob = id[store.BlobID](n + 1)
		b.create(m)
		b.unref(m.ID)
	}
	behind := func(after store.BlobID) []store.BlobID {
		return read(b, func(tx store.Tx) ([]store.BlobID, error) { return tx.Bodies().Released(after, 3) })
	}
	same(b, "portion", behind(store.BlobID{}), []store.BlobID{id[store.BlobID](1), id[store.BlobID](2), id[store.BlobID](3)})
	same(b, "the rest", behind(id[store.BlobID](3)), []store.BlobID{id[store.BlobID](4), id[store.BlobID](5)})
	same(b, "behind the last", len(behind(id[store.BlobID](5))), 0)
}
