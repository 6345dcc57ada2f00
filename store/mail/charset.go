package mail

import (
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"
	"golang.org/x/text/transform"
)

// aliases are names that mail programs use and that no index knows, or knows as a trap for browsers.
var aliases = map[string]string{
	"cp932": "shift_jis", "ms932": "shift_jis", "windows-31j": "shift_jis", "sjis": "shift_jis",
	"cp949": "euc-kr", "ks_c_5601": "euc-kr", "ms949": "euc-kr", "uhc": "euc-kr",
	"cp936": "gbk", "cp950": "big5", "iso-2022-jp-1": "iso-2022-jp", "iso-2022-jp-2": "iso-2022-jp",
	"iso-2022-jp-ms": "iso-2022-jp", "cp1250": "windows-1250", "cp1251": "windows-1251", "cp1252": "windows-1252",
	"latin-1": "windows-1252", "iso8859-15": "iso-8859-15", "unicode": "utf-16", "utf16": "utf-16",
}

// DecodeCharset reads text in a charset and gives UTF-8. An unknown charset is read as Latin-1 (as Windows-1252, which
// contains it); where text said to be UTF-8 or ASCII is not, each wrong octet is. A byte order mark is not passed on.
func DecodeCharset(r io.Reader, charset string) io.Reader {
	return transform.NewReader(r, charsetDecoder(charset))
}

// decodeText is DecodeCharset on a short text.
func decodeText(b []byte, charset string) string {
	if isUTF8(charsetName(charset)) && utf8.Valid(b) {
		return string(b)
	}
	out, _, err := transform.Bytes(charsetDecoder(charset), b)
	if err != nil {
		return latin1(b)
	}
	return string(out)
}

func latin1(b []byte) string {
	out, err := charmap.Windows1252.NewDecoder().Bytes(b)
	if err != nil {
		return strings.ToValidUTF8(string(b), string(utf8.RuneError))
	}
	return string(out)
}

func charsetName(charset string) string {
	name := strings.ToLower(strings.Trim(charset, " \t\"'"))
	if to, ok := aliases[name]; ok {
		return to
	}
	return name
}

func isUTF8(name string) bool {
	switch name {
	case "", "utf-8", "utf8", "us-ascii", "ascii", "ansi_x3.4-1968", "utf-8-mac", "unicode-1-1-utf-8":
		return true
	}
	return false
}

func charsetDecoder(charset string) transform.Transformer {
	name := charsetName(charset)
	switch name {
	case "utf-7", "unicode-1-1-utf-7":
		return new(utf7)
	case "utf-16":
		return unicode.UTF16(unicode.BigEndian, unicode.UseBOM).NewDecoder()
	case "utf-32":
		return utf32.UTF32(utf32.BigEndian, utf32.UseBOM).NewDecoder()
	case "hz-gb-2312", "hz":
		return simplifiedchinese.HZGB2312.NewDecoder()
	}
	if isUTF8(name) {
		return &lenientUTF8{first: true}
	}
	return findEncoding(name).NewDecoder()
}

func findEncoding(name string) encoding.Encoding {
	if e, err := htmlindex.Get(name); err == nil && e != encoding.Replacement {
		return e
	}
	for _, index := range []*ianaindex.Index{ianaindex.MIME, ianaindex.IANA} {
		if e, err := index.Encoding(name); err == nil && e != nil {
			return e
		}
	}
	return charmap.Windows1252
}

// lenientUTF8 passes UTF-8 on and reads each octet that is none as Windows-1252.
type lenientUTF8 struct{ first bool }

// Reset makes the decoder ready for another text.
func (d *lenientUTF8) Reset() { d.first = true }

// Transform implements transform.Transformer.
func (d *lenientUTF8) Transform(dst, src []byte, atEOF bool) (nDst, nSrc int, err error) {
	for nSrc < len(src) {
		if !utf8.FullRune(src[nSrc:]) && !atEOF {
			return nDst, nSrc, transform.ErrShortSrc
		}
		r, size := utf8.DecodeRune(src[nSrc:])
		if r == utf8.RuneError && size == 1 {
			r = charmap.Windows1252.DecodeByte(src[nSrc])
		}
		if r == '\ufeff' && d.first {
			d.first, nSrc = false, nSrc+size
			continue
		}
		if nDst+utf8.RuneLen(r) > len(dst) {
			return nDst, nSrc, transform.ErrShortDst
		}
		nDst += utf8.EncodeRune(dst[nDst:], r)
		nSrc += size
		d.first = false
	}
	return nDst, nSrc, nil
}
