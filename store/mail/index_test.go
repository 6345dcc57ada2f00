package mail

import (
	"bytes"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
)

func indexOf(b []byte, chunk int) []Part {
	x := NewIndexer()
	for chunk > 0 && len(b) > chunk {
		_, _ = x.Write(b[:chunk])
		b = b[chunk:]
	}
	_, _ = x.Write(b)
	x.Close()
	return x.Parts()
}

// TestIndexer writes the index of each message in testdata/mime as a person would check it.
func TestIndexer(t *testing.T) {
	t.Parallel()
	for _, path := range files(t, "mime/*.eml") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			raw := message(t, path)
			parts := indexOf(raw, 0)
			checkIndex(t, raw, parts)
			golden(t, strings.TrimSuffix(path, ".eml")+".index", describeParts(raw, parts))
			for chunk := 1; chunk < 80; chunk++ {
				if got := indexOf(raw, chunk); fmt.Sprint(got) != fmt.Sprint(parts) {
					t.Fatalf("written in pieces of %d: %v", chunk, got)
				}
			}
		})
	}
}

func describeParts(raw []byte, parts []Part) string {
	var out strings.Builder
	for _, p := range parts {
		fmt.Fprintf(&out, "%s%q %s", strings.Repeat("  ", p.Depth), p.Path, p.Type)
		for _, f := range [][2]string{{"charset", p.Charset}, {"disposition", p.Disposition}, {"name", p.Name}, {"id", p.ContentID}, {"encoding", p.Encoding}} {
			if f[1] != "" {
				fmt.Fprintf(&out, " %s=%q", f[0], f[1])
			}
		}
		fmt.Fprintf(&out, " offset=%d length=%d size=%d", p.Offset, p.Length, p.Size)
		if p.Line > 0 {
			fmt.Fprintf(&out, " line=%d", p.Line)
		}
		if !p.IsContainer() {
			text, _ := io.ReadAll(DecodePart(bytes.NewReader(raw[p.Offset:p.Offset+p.Length]), p.Encoding))
			fmt.Fprintf(&out, "\n%s  %q…%q", strings.Repeat("  ", p.Depth), text[:min(12, len(text))], text[max(0, len(text)-8):])
		}
		out.WriteString("\n")
	}
	return out.String()
}

// checkIndex holds what is true of every index: each part lies inside the message and its container, decoding it again
// gives Size, and Line tells where octets stand.
func checkIndex(t *testing.T, raw []byte, parts []Part) {
	t.Helper()
	if len(parts) == 0 || len(parts) > maxParts {
		t.Fatalf("%d parts", len(parts))
	}
	seen := map[string]Part{}
	for _, p := range parts {
		if _, twice := seen[p.Path]; twice {
			t.Errorf("part %q twice", p.Path)
		}
		if parent, ok := seen[parentPath(p.Path)]; ok && parent.IsContainer() {
			if p.Offset < parent.Offset || p.Offset+p.Length > parent.Offset+parent.Length || p.Depth != parent.Depth+1 {
				t.Errorf("part %+v is not inside of %+v", p, parent)
			}
		} else if p.Depth != 0 {
			t.Errorf("part %+v has no container", p)
		}
		seen[p.Path] = p
		if p.Offset < 0 || p.Length < 0 || p.Offset+p.Length > int64(len(raw)) || p.Depth > maxDepth {
			t.Fatalf("part %+v is not inside of the message of %d octets", p, len(raw))
		}
		body := raw[p.Offset : p.Offset+p.Length]
		encoding := p.Encoding
		if p.IsContainer() {
			encoding = ""
		}
		decoded, err := io.ReadAll(DecodePart(bytes.NewReader(body), encoding))
		if err != nil || int64(len(decoded)) != p.Size {
			t.Errorf("part %+v decodes to %d octets, %v", p, len(decoded), err)
		}
		if p.Line > 0 {
			checkLine(t, p, body, decoded)
		}
	}
}

func parentPath(path string) string {
	if dot := strings.LastIndexByte(path, '.'); dot >= 0 {
		return path[:dot]
	}
	return ""
}

// checkLine seeks to each line as a reader of ranges does.
func checkLine(t *testing.T, p Part, body, decoded []byte) {
	t.Helper()
	if p.Line%4 != 0 {
		t.Errorf("part %q: line of %d characters", p.Path, p.Line)
	}
	per := p.Line / 4 * 3
	for n := 0; n*per < len(decoded); n++ {
		at := n * (p.Line + 2)
		if at > len(body) {
			t.Errorf("part %q: line %d is outside", p.Path, n)
			return
		}
		got, _ := io.ReadAll(DecodePart(bytes.NewReader(body[at:]), encBase64))
		if !bytes.Equal(got, decoded[n*per:]) {
			t.Errorf("part %q: line %d is not at %d", p.Path, n, at)
			return
		}
	}
}

// TestIndexerLimits: depth, number of parts and memory do not grow with the message.
func TestIndexerLimits(t *testing.T) {
	t.Parallel()
	var deep, wide bytes.Buffer
	for i := range 100 {
		fmt.Fprintf(&deep, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i)
	}
	deep.WriteString("\r\ntext\r\n")
	parts := indexOf(deep.Bytes(), 0)
	checkIndex(t, deep.Bytes(), parts)
	if last := parts[len(parts)-1]; len(parts) != maxDepth+1 || last.Type != "application/octet-stream" {
		t.Errorf("%d parts, last %+v", len(parts), last)
	}
	wide.WriteString("Content-Type: multipart/mixed; boundary=b\r\n\r\n")
	for range 5000 {
		wide.WriteString("--b\r\n\r\nx\r\n")
	}
	wide.WriteString("--b--\r\n")
	parts = indexOf(wide.Bytes(), 0)
	checkIndex(t, wide.Bytes(), parts)
	if len(parts) != maxParts || parts[0].Length != int64(wide.Len()-len("Content-Type: multipart/mixed; boundary=b\r\n\r\n")) {
		t.Errorf("%d parts, first %+v", len(parts), parts[0])
	}
}

func TestIndexerBoundsLinesAndHeaders(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 1<<20)
	raw := []byte("Subject: " + long + "\r\nContent-Type: multipart/mixed; boundary=b; x=" + long + "\r\n\r\n--b\r\nContent-Type: text/" +
		long + "\r\nContent-Transfer-Encoding: base64\r\n\r\n" + long + "\r\n" + long + "\r\n--b" + strings.Repeat(" ", 5000) + "\r\n\r\nlast\r\n--b--")
	x := NewIndexer()
	_, _ = x.Write(raw)
	x.Close()
	checkIndex(t, raw, x.Parts())
	if n := cap(x.line) + cap(x.header) + cap(x.leaf.scratch); n > 256<<10 {
		t.Errorf("%d octets are kept", n)
	}
	var types []string
	for _, p := range x.Parts() {
		types = append(types, p.Type)
	}
	if got := strings.Join(types, " "); got != "multipart/mixed text/plain text/plain" {
		t.Errorf("parts %s", got)
	}
}

func TestIndexerWithoutBody(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{"", "Subject: x\r\n", "Subject: x\r\n\r\n", "Subject", "Content-Type: multipart/mixed; boundary=b\r\n", "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b"} {
		parts := indexOf([]byte(raw), 0)
		checkIndex(t, []byte(raw), parts)
		if p := parts[len(parts)-1]; p.Size != 0 && p.Path != "1" {
			t.Errorf("%q: %+v", raw, parts)
		}
	}
}

func BenchmarkIndexer(b *testing.B) {
	var raw bytes.Buffer
	l := Letter{Text: "x", Attachments: []Attachment{{Name: "a.bin", Body: bytes.NewReader(make([]byte, 4<<20))}}}
	if err := l.Render(&raw); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(raw.Len()))
	for b.Loop() {
		if parts := indexOf(raw.Bytes(), 32<<10); len(parts) != 3 {
			b.Fatal(parts)
		}
	}
}
