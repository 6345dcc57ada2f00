package mail

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func decode(t *testing.T, in, encoding string) string {
	t.Helper()
	whole, err := io.ReadAll(DecodePart(strings.NewReader(in), encoding))
	if err != nil {
		t.Fatal(err)
	}
	slow, err := io.ReadAll(iotest.OneByteReader(DecodePart(iotest.OneByteReader(strings.NewReader(in)), encoding)))
	if err != nil || !bytes.Equal(whole, slow) {
		t.Errorf("octet by octet: %q, %v", slow, err)
	}
	return string(whole)
}

func TestDecodePart(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, encoding, in, want string }{
		{"none", "", "=41 a", "=41 a"},
		{"7bit", "7bit", "=41 a", "=41 a"},
		{"unknown", "x-uuencode", "=41 a", "=41 a"},
		{"base64", "base64", "SGVs\r\nbG8=\r\n", "Hello"},
		{"upper case, comment", " BASE64 (x)", "SGVsbG8=", "Hello"},
		{"no padding", "base64", "SGVsbG8", "Hello"},
		{"no padding, two octets", "base64", "SGVsbA", "Hell"},
		{"odd character at the end", "base64", "SGVsbG8hI", "Hello!"},
		{"stray characters", "base64", "S G\tV*s.bG8=!", "Hello"},
		{"lines of odd length", "base64", "SGV\r\nsb\r\nG8=", "Hello"},
		{"padded pieces", "base64", "SGVsbG8=\r\nIHlvdQ==\r\n", "Hello you"},
		{"only padding", "base64", "====", ""},
		{"quoted-printable", "quoted-printable", "a=C3=A4=3d\r\nb", "aä=\r\nb"},
		{"soft break", "quoted-printable", "a=\r\nb=\nc= \t\r\nd", "abcd"},
		{"blanks at the end of a line", "quoted-printable", "a \t\r\nb \nc", "a\r\nb\nc"},
		{"blanks in a line", "quoted-printable", "a  b\tc", "a  b\tc"},
		{"bad escapes", "quoted-printable", "=ZZ =4 =4G ==41 =\rx =", "=ZZ =4 =4G =A =\rx ="},
		{"escape at the end of a line", "quoted-printable", "=4\r\nx", "=4\r\nx"},
		{"raw 8-bit", "quoted-printable", "\xe4=E4", "\xe4\xe4"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := decode(t, tt.in, tt.encoding); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestDecodePartKeepsBlankRunsBounded(t *testing.T) {
	t.Parallel()
	blanks := strings.Repeat(" ", 3*maxBlanks)
	if got := decode(t, blanks+"x", encQuoted); got != blanks+"x" {
		t.Errorf("%d octets", len(got))
	}
}

func TestDecodePartPassesErrorsOn(t *testing.T) {
	t.Parallel()
	want := errors.New("lost")
	r := DecodePart(io.MultiReader(strings.NewReader("SGVsbG8="), iotest.ErrReader(want)), "base64")
	got, err := io.ReadAll(r)
	if string(got) != "Hello" || !errors.Is(err, want) {
		t.Errorf("%q, %v", got, err)
	}
}

func TestDecodeCharset(t *testing.T) {
	t.Parallel()
	tests := []struct{ charset, in, want string }{
		{"utf-8", "Grüße", "Grüße"},
		{"", "Grüße", "Grüße"},
		{"UTF-8", "\xef\xbb\xbfmark", "mark"},
		{"utf-8", "Gr\xfc\xdfe und Grüße", "Grüße und Grüße"},
		{"us-ascii", "Gr\xfc\xdfe", "Grüße"},
		{"iso-8859-1", "Gr\xfc\xdfe \x80", "Grüße €"},
		{"x-none", "Gr\xfc\xdfe", "Grüße"},
		{"'iso-8859-2'", "\xb1", "ą"},
		{"utf-16", "\xff\xfea\x00b\x00", "ab"},
		{"utf-16le", "a\x00", "a"},
		{"gb2312", "\xd6\xd0", "中"},
		{"hz-gb-2312", "~{VP~}", "中"},
		{"iso-2022-jp", "\x1b$BF|\x1b(B", "日"},
		{"utf-7", "+ZeU- +- a+2D3eAA-", "日 + a😀"},
		{"ibm850", "\x84", "ä"},
	}
	for _, tt := range tests {
		got, err := io.ReadAll(iotest.OneByteReader(DecodeCharset(iotest.OneByteReader(strings.NewReader(tt.in)), tt.charset)))
		if err != nil || string(got) != tt.want {
			t.Errorf("%s: got %q, %v; want %q", tt.charset, got, err, tt.want)
		}
	}
}

func BenchmarkDecodeBase64(b *testing.B) {
	text := toCRLF([]byte(wrapped(base64.StdEncoding.EncodeToString(make([]byte, 1<<20)), 76)))
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := io.Copy(io.Discard, DecodePart(bytes.NewReader(text), "base64")); err != nil {
			b.Fatal(err)
		}
	}
}

// wrapped breaks a text into lines.
func wrapped(s string, n int) string {
	var out strings.Builder
	for len(s) > n {
		out.WriteString(s[:n] + "\n")
		s = s[n:]
	}
	return out.String() + s + "\n"
}
