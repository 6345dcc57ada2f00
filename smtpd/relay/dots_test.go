package relay

import (
	"bufio"
	"bytes"
	"io"
	"net/textproto"
	"strings"
	"testing"
)

// stuffed writes text through a dotWriter in pieces and adds the end of data.
func stuffed(t testing.TB, text []byte, piece int) []byte {
	t.Helper()
	var out bytes.Buffer
	d := &dotWriter{w: &out}
	for len(text) > 0 {
		n := min(piece, len(text))
		if _, err := d.Write(text[:n]); err != nil {
			t.Fatal(err)
		}
		text = text[n:]
	}
	out.WriteString("\r\n.\r\n")
	return out.Bytes()
}

// FuzzDots compares with the standard library's writer and takes the dots off again, at every piece size.
func FuzzDots(f *testing.F) {
	for _, s := range []string{"", ".", "..\n.", "a\n.b\n", "\n\n.\n", ".\n", "x", "a\n.\n.\n", strings.Repeat(".\n", 50)} {
		f.Add(s, 1)
		f.Add(s, 3)
	}
	f.Fuzz(func(t *testing.T, s string, piece int) {
		if piece < 1 || strings.Contains(s, "\r") {
			return
		}
		s = strings.TrimSuffix(s, "\n")
		text := []byte(strings.ReplaceAll(s, "\n", "\r\n") + "\r\n") // what the guard lets in
		got := stuffed(t, text, piece)
		var std bytes.Buffer
		bw := bufio.NewWriter(&std)
		w := textproto.NewWriter(bw).DotWriter()
		w.Write(text)
		w.Close()
		if !bytes.Equal(got, std.Bytes()) {
			t.Fatalf("wrote %q, the library %q", got, std.Bytes())
		}
	})
}

// TestBareLineFeedCannotEndAMessage: the guard lets none in, and still a lax server must not see an end of data.
func TestBareLineFeedCannotEndAMessage(t *testing.T) {
	t.Parallel()
	for piece := 1; piece < 8; piece++ {
		if got := stuffed(t, []byte("a\n.\nMAIL FROM:<x@y>\r\n"), piece); bytes.Contains(got[:len(got)-5], []byte("\n.\n")) {
			t.Errorf("pieces of %d: %q", piece, got)
		}
	}
}

func BenchmarkDots(b *testing.B) {
	text := []byte(strings.Repeat("A line of ordinary length, as in most mail there is.\r\n", 80))
	b.Run("ours", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			d := &dotWriter{w: io.Discard}
			d.Write(text)
		}
	})
	b.Run("textproto", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		bw := bufio.NewWriter(io.Discard)
		for b.Loop() {
			w := textproto.NewWriter(bw).DotWriter()
			w.Write(text)
			w.Close()
		}
	})
}
