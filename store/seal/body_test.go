package seal

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/iotest"

	"postern/store"
)

func openBody(id store.MessageID, fk FileKey, sealed []byte) (*Body, error) {
	return Open(bytes.NewReader(sealed), int64(len(sealed)), id, fk)
}

// readBody opens and reads all, as a page or a delivery would.
func readBody(id store.MessageID, fk FileKey, sealed []byte) ([]byte, error) {
	b, err := openBody(id, fk, sealed)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(b.Reader())
}

func TestBodyRoundTrip(t *testing.T) {
	t.Parallel()
	id := testRcpt(1).Message
	for _, n := range []int{0, 1, 4096, chunk - 1, chunk, chunk + 1, 2 * chunk, 5*chunk + 7} {
		plain := random(n)
		fk, sealed := sealBody(t, id, plain)
		b, err := openBody(id, fk, sealed)
		if err != nil {
			t.Fatalf("%d octets: %v", n, err)
		}
		if b.Size() != int64(n) {
			t.Errorf("%d octets: size is %d", n, b.Size())
		}
		if err := iotest.TestReader(b.Reader(), plain); err != nil {
			t.Errorf("%d octets: reader: %v", n, err)
		}
		if err := iotest.TestReader(io.NewSectionReader(b, 0, b.Size()), plain); err != nil {
			t.Errorf("%d octets: ReadAt: %v", n, err)
		}
		var out bytes.Buffer
		if m, err := io.Copy(&out, b.Reader()); err != nil || m != int64(n) || !bytes.Equal(out.Bytes(), plain) {
			t.Errorf("%d octets: WriteTo: %d, %v", n, m, err)
		}
	}
}

func TestBodyHeaderNamesMessageAndHoldsNoKey(t *testing.T) {
	t.Parallel()
	id := testRcpt(1).Message
	_, sealed := sealBody(t, id, []byte("hello"))
	want := "age-encryption.org/v1\n-> postern-v1 " + id.String() + "\n\n--- "
	if !strings.HasPrefix(string(sealed), want) {
		t.Errorf("header begins %q", sealed[:len(want)])
	}
	var writes countWriter
	w, err := NewWriter(&writes, id)
	if err != nil || writes.n != 1 {
		t.Errorf("the header took %d writes: %v", writes.n, err)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
}

type countWriter struct{ n int }

func (c *countWriter) Write(p []byte) (int, error) { c.n++; return len(p), nil }

func TestBodyWithoutCloseDoesNotOpen(t *testing.T) {
	t.Parallel()
	id := testRcpt(1).Message
	var out bytes.Buffer
	w, err := NewWriter(&out, id)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(random(3 * chunk)); err != nil {
		t.Fatal(err)
	}
	if _, err := openBody(id, w.FileKey(), out.Bytes()); !errors.Is(err, ErrSealed) {
		t.Errorf("an unfinished body opens: %v", err)
	}
}

func TestBodyOfAnotherMessageOrKey(t *testing.T) {
	t.Parallel()
	a, b := store.MessageID{1}, store.MessageID{2}
	fkA, sealed := sealBody(t, a, []byte("hello"))
	fkB, _ := sealBody(t, b, []byte("hello"))
	if _, err := openBody(b, fkA, sealed); !errors.Is(err, ErrSealed) {
		t.Errorf("opens as another message: %v", err)
	}
	if _, err := openBody(a, fkB, sealed); !errors.Is(err, ErrSealed) {
		t.Errorf("opens with another key: %v", err)
	}
	moved := bytes.Replace(sealed, []byte(a.String()), []byte(b.String()), 1)
	if _, err := openBody(b, fkA, moved); !errors.Is(err, ErrSealed) {
		t.Errorf("opens with a rewritten stanza: %v", err)
	}
}

func TestBodyStanzas(t *testing.T) {
	t.Parallel()
	id := testRcpt(1).Message
	fk, sealed := sealBody(t, id, []byte("hello"))
	stanza := "-> postern-v1 " + id.String() + "\n\n"
	for name, other := range map[string]string{
		"none":        "",
		"two":         stanza + stanza,
		"another one": stanza + "-> X25519 abc\n\n",
		"with a body": "-> postern-v1 " + id.String() + "\nAAAA\n",
		"an argument": "-> postern-v1 " + id.String() + " 1\n\n",
		"no argument": "-> postern-v1\n\n",
		"other type":  "-> postern-v2 " + id.String() + "\n\n",
	} {
		file := bytes.Replace(sealed, []byte(stanza), []byte(other), 1)
		if _, err := openBody(id, fk, file); !errors.Is(err, ErrSealed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBodyBitFlip(t *testing.T) {
	t.Parallel()
	id := testRcpt(1).Message
	fk, sealed := sealBody(t, id, []byte("hello, this is a short body"))
	for i := range sealed {
		bad := bytes.Clone(sealed)
		bad[i] ^= 1 << (i % 8)
		if _, err := readBody(id, fk, bad); !errors.Is(err, ErrSealed) {
			t.Fatalf("octet %d: %v", i, err)
		}
	}
}

func TestBodyTruncatedIsRefusedAtOpen(t *testing.T) {
	t.Parallel()
	id := testRcpt(1).Message
	for _, n := range []int{0, 100, chunk, 3 * chunk} {
		fk, sealed := sealBody(t, id, random(n))
		for _, cut := range []int{1, 15, 16, 17, 100, chunk, chunk + 16, 2 * (chunk + 16)} {
			if cut > len(sealed) {
				continue
			}
			if _, err := openBody(id, fk, sealed[:len(sealed)-cut]); !errors.Is(err, ErrSealed) {
				t.Errorf("%d octets less %d: %v", n, cut, err)
			}
		}
		// The file says more than there is: a short blob.
		if _, err := Open(bytes.NewReader(sealed[:len(sealed)-1]), int64(len(sealed)), id, fk); !errors.Is(err, ErrSealed) {
			t.Errorf("%d octets, short source: %v", n, err)
		}
	}
}

func TestBodyTrailingDataIsRefusedAtOpen(t *testing.T) {
	t.Parallel()
	id := testRcpt(1).Message
	for _, n := range []int{0, 100, chunk, 2 * chunk} {
		fk, sealed := sealBody(t, id, random(n))
		_, other := sealBody(t, id, random(n))
		for _, more := range [][]byte{{0}, make([]byte, 16), make([]byte, chunk+16), other, sealed[len(sealed)-n-16:]} {
			if _, err := openBody(id, fk, append(bytes.Clone(sealed), more...)); !errors.Is(err, ErrSealed) {
				t.Errorf("%d octets and %d more: %v", n, len(more), err)
			}
		}
	}
}

func TestBodySwappedChunks(t *testing.T) {
	t.Parallel()
	id := testRcpt(1).Message
	plain := random(4 * chunk)
	fk, sealed := sealBody(t, id, plain)
	start := len(sealed) - 4*(chunk+16)
	first, second := sealed[start:start+chunk+16], sealed[start+chunk+16:start+2*(chunk+16)]
	bad := bytes.Join([][]byte{sealed[:start], second, first, sealed[start+2*(chunk+16):]}, nil)
	got, err := readBody(id, fk, bad)
	if !errors.Is(err, ErrSealed) || len(got) != 0 {
		t.Errorf("swapped chunks give %d octets: %v", len(got), err)
	}
}

func TestBodyDamageInTheMiddle(t *testing.T) {
	t.Parallel()
	id := testRcpt(1).Message
	plain := random(6 * chunk)
	fk, sealed := sealBody(t, id, plain)
	sealed[len(sealed)-2*(chunk+16)] ^= 1 // last octet of the 4th chunk from the front
	b, err := openBody(id, fk, sealed)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	_, err = io.Copy(&out, b.Reader())
	if !errors.Is(err, ErrSealed) || !bytes.HasPrefix(plain, out.Bytes()) {
		t.Errorf("reads %d octets: %v", out.Len(), err)
	}
	buf := make([]byte, 100)
	if _, err := b.ReadAt(buf, 4*chunk-50); !errors.Is(err, ErrSealed) {
		t.Errorf("small ReadAt over the damage: %v", err)
	}
	if n, err := b.ReadAt(buf, chunk); err != nil || !bytes.Equal(buf[:n], plain[chunk:chunk+100]) {
		t.Errorf("an undamaged chunk after a damaged one: %v", err)
	}
}

func TestBodyReadAtBounds(t *testing.T) {
	t.Parallel()
	id := testRcpt(1).Message
	plain := random(chunk + 10)
	fk, sealed := sealBody(t, id, plain)
	b, err := openBody(id, fk, sealed)
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{4, 2 * chunk} {
		buf := make([]byte, size)
		if _, err := b.ReadAt(buf, -1); err == nil || err == io.EOF {
			t.Errorf("%d at -1: %v", size, err)
		}
		if n, err := b.ReadAt(buf, chunk+10); n != 0 || err != io.EOF {
			t.Errorf("%d at the end: %d, %v", size, n, err)
		}
		if n, err := b.ReadAt(buf, chunk+8); n != 2 || err != io.EOF || !bytes.Equal(buf[:n], plain[chunk+8:]) {
			t.Errorf("%d near the end: %d, %v", size, n, err)
		}
	}
	r := b.Reader()
	if _, err := r.Seek(-1, io.SeekStart); err == nil {
		t.Error("seeks before the beginning")
	}
	if _, err := r.Seek(0, 9); err == nil {
		t.Error("seeks from nowhere")
	}
	if at, err := r.Seek(100, io.SeekEnd); err != nil || at != chunk+110 {
		t.Errorf("seek behind the end: %d, %v", at, err)
	}
	if n, err := r.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("read behind the end: %d, %v", n, err)
	}
}

func TestBodyConcurrentUse(t *testing.T) {
	t.Parallel()
	id := testRcpt(1).Message
	plain := random(4*chunk + 99)
	fk, sealed := sealBody(t, id, plain)
	b, err := openBody(id, fk, sealed)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			got, err := io.ReadAll(b.Reader())
			if err != nil || !bytes.Equal(got, plain) {
				t.Errorf("reader %d: %v", i, err)
			}
			buf := make([]byte, 1000)
			for off := int64(i * 777); off < b.Size(); off += 9001 {
				n, err := b.ReadAt(buf, off)
				if (err != nil && err != io.EOF) || !bytes.Equal(buf[:n], plain[off:off+int64(n)]) {
					t.Errorf("ReadAt %d: %v", off, err)
				}
			}
		})
	}
	wg.Wait()
}

// faulty is storage that fails from an offset on.
type faulty struct {
	io.ReaderAt
	from int64
}

func (f faulty) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > f.from {
		return 0, &os.PathError{Op: "read", Path: "blob", Err: syscall.EIO}
	}
	return f.ReaderAt.ReadAt(p, off)
}

func TestBodyStorageFaultIsNoDamage(t *testing.T) {
	t.Parallel()
	id := testRcpt(1).Message
	fk, sealed := sealBody(t, id, random(3*chunk))
	for _, from := range []int64{0, 200, chunk} {
		_, err := Open(faulty{bytes.NewReader(sealed), from}, int64(len(sealed)), id, fk)
		if !errors.Is(err, syscall.EIO) || errors.Is(err, ErrSealed) {
			t.Errorf("from %d: %v", from, err)
		}
	}
	src := &failLater{ReaderAt: bytes.NewReader(sealed)}
	b, err := Open(src, int64(len(sealed)), id, fk)
	if err != nil {
		t.Fatal(err)
	}
	src.fail = true
	if _, err := b.Reader().Read(make([]byte, 1)); !errors.Is(err, syscall.EIO) || errors.Is(err, ErrSealed) {
		t.Errorf("while reading: %v", err)
	}
	src.fail = false
	if _, err := b.ReadAt(make([]byte, 10), 0); err != nil {
		t.Errorf("after the fault: %v", err)
	}
}

type failLater struct {
	io.ReaderAt
	fail bool
}

func (f *failLater) ReadAt(p []byte, off int64) (int, error) {
	if f.fail {
		return 0, syscall.EIO
	}
	return f.ReaderAt.ReadAt(p, off)
}

func TestWriterReportsFullDisk(t *testing.T) {
	t.Parallel()
	id := testRcpt(1).Message
	full := errors.New("no room")
	if _, err := NewWriter(iotestErrWriter{full}, id); !errors.Is(err, full) {
		t.Errorf("header: %v", err)
	}
	w, err := NewWriter(&limitWriter{room: 300, err: full}, id)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Write(random(3 * chunk))
	if err = errors.Join(err, w.Close()); !errors.Is(err, full) {
		t.Errorf("body: %v", err)
	}
}

type iotestErrWriter struct{ err error }

func (w iotestErrWriter) Write([]byte) (int, error) { return 0, w.err }

type limitWriter struct {
	room int
	err  error
}

func (w *limitWriter) Write(p []byte) (int, error) {
	if w.room -= len(p); w.room < 0 {
		return 0, w.err
	}
	return len(p), nil
}

// TestBodySmallReadsAreCheap counts how often the storage is asked: a reader in order asks for each octet once.
func TestBodySmallReadsAreCheap(t *testing.T) {
	t.Parallel()
	id := testRcpt(1).Message
	fk, sealed := sealBody(t, id, random(8*chunk))
	src := &countReads{ReaderAt: bytes.NewReader(sealed)}
	b, err := Open(src, int64(len(sealed)), id, fk)
	if err != nil {
		t.Fatal(err)
	}
	src.n = 0
	if _, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{b.Reader()}, make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	if src.n > len(sealed) {
		t.Errorf("read %d octets of a file of %d", src.n, len(sealed))
	}
}

type countReads struct {
	io.ReaderAt
	n int
}

func (c *countReads) ReadAt(p []byte, off int64) (int, error) {
	c.n += len(p)
	return c.ReaderAt.ReadAt(p, off)
}
