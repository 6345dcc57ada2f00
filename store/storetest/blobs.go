package storetest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"time"

	"postern/store"
)

func blobCases() []testCase {
	return []testCase{
		{"BlobsAreReadAnywhere", blobRead},
		{"AbortedBlobsAreGone", blobAbort},
		{"DeletedBlobsAreGone", blobDelete},
		{"BlobsPageByID", blobPages},
		{"BlobsRefuseCancelledContexts", blobCancelled},
	}
}

func (b *bench) blob(content []byte) store.BlobID {
	b.Helper()
	w, err := b.Blobs().Create(b.ctx())
	if err != nil {
		b.Fatalf("create blob: %v", err)
	}
	if _, err := w.Write(content); err != nil {
		b.Fatalf("write blob: %v", err)
	}
	id, err := w.Commit()
	if err != nil {
		b.Fatalf("commit blob: %v", err)
	}
	w.Abort() // does nothing any more
	return id
}

func blobRead(b *bench) {
	content := bytes.Repeat([]byte("0123456789"), 30_000)
	r, err := b.Blobs().Open(b.ctx(), b.blob(content))
	if err != nil {
		b.Fatalf("open: %v", err)
	}
	defer r.Close()
	same(b, "size", r.Size(), int64(len(content)))
	got, err := io.ReadAll(io.NewSectionReader(r, 5, 1<<40))
	if err != nil || !bytes.Equal(got, content[5:]) {
		b.Fatalf("%d octets from the sixth on, %v", len(got), err)
	}
	if n, err := r.ReadAt(make([]byte, 10), int64(len(content))-3); n != 3 || !errors.Is(err, io.EOF) {
		b.Errorf("reading over the end: %d octets, %v", n, err)
	}
	empty, err := b.Blobs().Open(b.ctx(), b.blob(nil))
	if err != nil || empty.Size() != 0 {
		b.Fatalf("empty blob: %v", err)
	}
	empty.Close()
}

func blobAbort(b *bench) {
	w, err := b.Blobs().Create(b.ctx())
	if err != nil {
		b.Fatal(err)
	}
	if _, err := w.Write([]byte("x")); err != nil {
		b.Fatal(err)
	}
	w.Abort()
	w.Abort()
	if _, err := w.Write([]byte("y")); err == nil {
		b.Error("an aborted blob was written to")
	}
	if _, err := w.Commit(); err == nil {
		b.Error("an aborted blob was committed")
	}
	infos, err := b.Blobs().List(b.ctx(), store.BlobID{}, 9)
	if err != nil || len(infos) != 0 {
		b.Errorf("%d blobs, %v", len(infos), err)
	}
}

func blobDelete(b *bench) {
	id := b.blob([]byte("content"))
	r, err := b.Blobs().Open(b.ctx(), id)
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	for range 2 {
		if err := b.Blobs().Delete(b.ctx(), id); err != nil {
			b.Fatalf("delete: %v", err)
		}
	}
	got := make([]byte, 7)
	if _, err := r.ReadAt(got, 0); err != nil || string(got) != "content" {
		b.Errorf("an open blob after its deletion: %q, %v", got, err)
	}
	for _, id := range []store.BlobID{id, {}, {1}} {
		if _, err := b.Blobs().Open(b.ctx(), id); !errors.Is(err, store.ErrNotFound) {
			b.Errorf("open %s: %v", id, err)
		}
	}
}

func blobPages(b *bench) {
	before := time.Now().Add(-time.Minute)
	made := make(map[store.BlobID]bool)
	for range 60 {
		made[b.blob([]byte("x"))] = true
	}
	var last store.BlobID
	for seen := 0; ; {
		infos, err := b.Blobs().List(b.ctx(), last, 7)
		if err != nil || len(infos) > 7 {
			b.Fatalf("page of %d, %v", len(infos), err)
		}
		for _, i := range infos {
			if !made[i.ID] || bytes.Compare(i.ID[:], last[:]) <= 0 || i.Time.Before(before) {
				b.Errorf("%s of %s behind %s", i.ID, i.Time, last)
			}
			last = i.ID
		}
		if seen += len(infos); len(infos) < 7 {
			same(b, "blobs", seen, 60)
			return
		}
	}
}

func blobCancelled(b *bench) {
	ctx, cancel := context.WithCancel(b.ctx())
	cancel()
	_, createErr := b.Blobs().Create(ctx)
	_, openErr := b.Blobs().Open(ctx, store.BlobID{1})
	for name, err := range map[string]error{"Create": createErr, "Open": openErr, "Delete": b.Blobs().Delete(ctx, store.BlobID{1})} {
		if !errors.Is(err, context.Canceled) {
			b.Errorf("%s: %v", name, err)
		}
	}
}
