package mail

import (
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/transform"
)

// utf7 decodes UTF-7 (RFC 2152), which old mail programs still write. Octets over 127 are read as Latin-1.
type utf7 struct {
	shifted   bool
	started   bool // something followed the '+'
	bits      uint32
	n         uint
	surrogate rune
}

// Reset makes the decoder ready for another text.
func (d *utf7) Reset() { *d = utf7{} }

// Transform implements transform.Transformer.
func (d *utf7) Transform(dst, src []byte, _ bool) (nDst, nSrc int, err error) {
	for _, c := range src {
		if nDst+utf8.UTFMax > len(dst) {
			return nDst, nSrc, transform.ErrShortDst
		}
		if r, ok := d.next(c); ok {
			nDst += utf8.EncodeRune(dst[nDst:], r)
		}
		nSrc++
	}
	return nDst, nSrc, nil
}

func (d *utf7) next(c byte) (rune, bool) {
	if !d.shifted {
		if c == '+' {
			*d = utf7{shifted: true}
			return 0, false
		}
		return rune(c), true
	}
	v := base64Value[c]
	if v > 63 {
		started := d.started
		*d = utf7{}
		if c == '-' {
			return '+', !started // "+-" is a plus sign
		}
		return rune(c), true
	}
	d.started = true
	d.bits, d.n = d.bits<<6|uint32(v), d.n+6
	if d.n < 16 {
		return 0, false
	}
	d.n -= 16
	return d.unit(rune(d.bits >> d.n & 0xffff))
}

func (d *utf7) unit(u rune) (rune, bool) {
	if d.surrogate != 0 {
		high := d.surrogate
		d.surrogate = 0
		return utf16.DecodeRune(high, u), true
	}
	if u >= 0xd800 && u < 0xdc00 {
		d.surrogate = u
		return 0, false
	}
	return u, true
}
