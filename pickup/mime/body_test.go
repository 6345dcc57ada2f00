package mime

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"math/rand/v2"
	"mime/quotedprintable"
	"strings"
	"testing"

	"postern/store/mail"
)

func wrapBase64(data []byte, line int) string {
	s := base64.StdEncoding.EncodeToString(data)
	var b strings.Builder
	for len(s) > line {
		b.WriteString(s[:line] + "\n")
		s = s[line:]
	}
	return b.String() + s
}

// encodings of the same octets, in all the ways that Open must read.
func encodings(data []byte) map[string]string {
	var qp bytes.Buffer
	w := quotedprintable.NewWriter(&qp)
	w.Binary = true
	_, _ = w.Write(data)
	_ = w.Close()
	uneven := wrapBase64(data, 76)
	uneven = strings.Replace(uneven, "\n", "\n \n", 1)
	return map[string]string{
		"base64 76":     "base64\n\n" + wrapBase64(data, 76),
		"base64 60":     "base64\n\n" + wrapBase64(data, 60),
		"base64 line":   "base64\n\n" + wrapBase64(data, 1<<30),
		"base64 odd":    "base64\n\n" + wrapBase64(data, 75),
		"base64 blanks": "base64\n\n" + uneven,
		"quoted":        "quoted-printable\n\n" + strings.ReplaceAll(qp.String(), "\r\n", "\n"),
	}
}

func testData(n int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(r.Uint32())
	}
	return data
}

func TestOpenReadsAndSeeks(t *testing.T) {
	t.Parallel()
	data := testData(200_001)
	for name, encoded := range encodings(data) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, parts := sealed(t, multi("mixed", part("text/plain", "x"), "Content-Type: application/pdf\nContent-Transfer-Encoding: "+encoded, part("text/plain", "y")))
			checkReads(t, b, parts[2], data)
		})
	}
	t.Run("8bit", func(t *testing.T) {
		t.Parallel()
		lines := []byte(strings.Repeat("Zeile ü\r\n", 20_000))
		b, parts := sealed(t, multi("mixed", part("text/plain", "x"), "Content-Type: text/csv\nContent-Transfer-Encoding: 8bit\n\n"+string(lines[:len(lines)-2])))
		checkReads(t, b, parts[2], lines[:len(lines)-2])
	})
}

// checkReads reads all of a part, and ranges of it in no order, as http.ServeContent does.
func checkReads(t *testing.T, b Body, p mail.Part, want []byte) {
	t.Helper()
	r, err := Open(b, p)
	if err != nil {
		t.Fatal(err)
	}
	if size, err := r.Seek(0, io.SeekEnd); err != nil || size != int64(len(want)) {
		t.Fatalf("size %d, %v; want %d (line %d)", size, err, len(want), p.Line)
	}
	if n, err := r.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("read at the end: %d, %v", n, err)
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("read %d octets, %v; want %d", len(got), err, len(want))
	}
	random := rand.New(rand.NewPCG(3, 4))
	for range 60 {
		from := random.IntN(len(want))
		n := min(random.IntN(5000), len(want)-from)
		if _, err := r.Seek(int64(from), io.SeekStart); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, n)
		if _, err := io.ReadFull(r, got); err != nil || !bytes.Equal(got, want[from:from+n]) {
			t.Fatalf("range %d+%d is wrong, %v", from, n, err)
		}
	}
	if _, err := r.Seek(-1, io.SeekStart); err == nil {
		t.Error("a seek to before the beginning is accepted")
	}
	if pos, err := r.Seek(int64(len(want))+10, io.SeekStart); err != nil || pos != int64(len(want))+10 {
		t.Errorf("a seek behind the end: %d, %v", pos, err)
	}
	if _, err := r.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("read behind the end: %v", err)
	}
}

// counted counts the octets that are read from it.
type counted struct {
	*bytes.Reader
	n int64
}

func (c *counted) ReadAt(p []byte, off int64) (int, error) {
	n, err := c.Reader.ReadAt(p, off)
	c.n += int64(n)
	return n, err
}

func TestSeekingInEvenBase64ReadsLittle(t *testing.T) {
	t.Parallel()
	data := testData(3 << 20)
	raw := strings.ReplaceAll("Content-Type: video/mp4\nContent-Transfer-Encoding: base64\n\n"+wrapBase64(data, 76), "\n", "\r\n")
	x := mail.NewIndexer()
	_, _ = io.WriteString(x, raw)
	x.Close()
	body := &counted{Reader: bytes.NewReader([]byte(raw))}
	r, err := Open(body, x.Parts()[0])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Seek(-1000, io.SeekEnd); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(got, data[len(data)-1000:]) {
		t.Fatalf("%d octets, %v", len(got), err)
	}
	if body.n > 64<<10 {
		t.Errorf("%d octets were read for the last 1000", body.n)
	}
}

func TestPartsOutsideTheMessageAreRefused(t *testing.T) {
	t.Parallel()
	b := bytes.NewReader([]byte("short"))
	for _, p := range []mail.Part{{Offset: -1}, {Length: -1}, {Offset: 6}, {Offset: 3, Length: 3}, {Offset: 1, Length: 1<<63 - 1}} {
		if _, err := Open(b, p); !errors.Is(err, errPart) {
			t.Errorf("%+v: %v", p, err)
		}
	}
}
