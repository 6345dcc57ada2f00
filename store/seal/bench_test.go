package seal

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"testing"
	"time"

	"golang.org/x/crypto/chacha20poly1305"

	"postern/store"
)

func benchBody(b *testing.B, n int) []byte {
	b.Helper()
	p := make([]byte, n)
	rand.Read(p)
	b.SetBytes(int64(n))
	b.ReportAllocs()
	return p
}

func benchmarkSeal(b *testing.B, n int) {
	p := benchBody(b, n)
	id := store.NewMessageID(time.UnixMilli(1))
	for b.Loop() {
		w, err := NewWriter(io.Discard, id)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := w.Write(p); err != nil {
			b.Fatal(err)
		}
		if err := w.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSeal4KiB(b *testing.B)  { benchmarkSeal(b, 4<<10) }
func BenchmarkSeal64KiB(b *testing.B) { benchmarkSeal(b, 64<<10) }
func BenchmarkSeal1MiB(b *testing.B)  { benchmarkSeal(b, 1<<20) }
func BenchmarkSeal25MiB(b *testing.B) { benchmarkSeal(b, 25<<20) }

// BenchmarkSeal1MiBPieces writes as io.Copy does.
func BenchmarkSeal1MiBPieces(b *testing.B) {
	p := benchBody(b, 1<<20)
	id := store.NewMessageID(time.UnixMilli(1))
	buf := make([]byte, 32<<10)
	for b.Loop() {
		w, err := NewWriter(io.Discard, id)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{bytes.NewReader(p)}, buf); err != nil {
			b.Fatal(err)
		}
		if err := w.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRawChaCha1MiB is the cipher alone, what BenchmarkSeal1MiB is measured against.
func BenchmarkRawChaCha1MiB(b *testing.B) {
	p := benchBody(b, 1<<20)
	aead, err := chacha20poly1305.New(make([]byte, 32))
	if err != nil {
		b.Fatal(err)
	}
	dst := make([]byte, 0, len(p)+aead.Overhead())
	nonce := make([]byte, aead.NonceSize())
	for b.Loop() {
		aead.Seal(dst, nonce, p, nil)
	}
}

// BenchmarkBodyReader opens a body and reads it in small steps.
func BenchmarkBodyReader(b *testing.B) {
	for _, n := range []int{4 << 10, 64 << 10, 1 << 20, 25 << 20} {
		for _, step := range []int{512, 4 << 10, 64 << 10} {
			b.Run(fmt.Sprintf("%dKiB/step%d", n>>10, step), func(b *testing.B) {
				p := benchBody(b, n)
				id := store.NewMessageID(time.UnixMilli(1))
				fk, sealed := sealBody(b, id, p)
				buf := make([]byte, step)
				for b.Loop() {
					body, err := Open(bytes.NewReader(sealed), int64(len(sealed)), id, fk)
					if err != nil {
						b.Fatal(err)
					}
					if _, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{body.Reader()}, buf); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkBodyReadAt reads 4 KiB at a time, in order, through ReadAt.
func BenchmarkBodyReadAt(b *testing.B) {
	p := benchBody(b, 1<<20)
	id := store.NewMessageID(time.UnixMilli(1))
	fk, sealed := sealBody(b, id, p)
	body, err := Open(bytes.NewReader(sealed), int64(len(sealed)), id, fk)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := io.Copy(io.Discard, struct{ io.Reader }{io.NewSectionReader(body, 0, body.Size())}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGrants(b *testing.B) {
	keys := testKeys(b)
	link, k, fk, seed := NewSecret(), testRcpt(1), FileKey{1}, NewSeed()
	pub := seed.Public()
	lg := keys.GrantLink(link, k, fk)
	ag, err := keys.GrantAccount(pub, k.Message, fk)
	if err != nil {
		b.Fatal(err)
	}
	ring, err := OpenRing(b.TempDir(), time.Now)
	if err != nil {
		b.Fatal(err)
	}
	qid, wrap, err := ring.Wrap(k, fk)
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name string
		run  func() error
	}{
		{"link/seal", func() error { keys.GrantLink(link, k, fk); return nil }},
		{"link/open", func() error { _, err := keys.OpenLink(link, k, lg); return err }},
		{"account/seal", func() error { _, err := keys.GrantAccount(pub, k.Message, fk); return err }},
		{"account/open", func() error { _, err := keys.OpenAccount(seed, k.Message, ag); return err }},
		{"rewrap", func() error { keys.Seal(linkContext(k), lg.Data); return nil }},
		{"queue/wrap", func() error { _, _, err := ring.Wrap(k, fk); return err }},
		{"queue/unwrap", func() error { _, err := ring.Unwrap(qid, k, wrap); return err }},
		{"token/parse", func() error { _, err := ParseToken(TokenPickup, testToken); return err }},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := c.run(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkBox is one Argon2id with its box.
func BenchmarkBox(b *testing.B) {
	keys := testKeys(b)
	v, err := keys.SealBox("correct horse", store.AccountID{1}, NewSeed())
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := keys.OpenBox("correct horse", store.AccountID{1}, v); err != nil {
			b.Fatal(err)
		}
	}
}
