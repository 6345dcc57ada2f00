package store

import (
	"errors"
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

// MaxAddress is how many octets an address has at most: a path has 256 with its angle brackets (RFC 5321 §4.5.3.1.3).
const MaxAddress = 254

// maxLocal bounds a local part, in octets. RFC 5321 §4.5.3.1.1 says 64, which BATV, SRS and VERP exceed (MAIL 2.2).
const maxLocal = 128

// ErrAddress is what ParseAddress answers to anything that is no plain address.
var ErrAddress = errors.New("not a valid address")

// Address is a mailbox as it was written. It is compared and indexed by Key only.
type Address struct {
	Local  string `json:"l"`
	Domain string `json:"d"`
}

// AddressKey is the one form in which addresses are compared: local part in NFC and lower case, domain as lower-case
// A-label (MAIL 2.1).
type AddressKey string

// String is the spelling received, for delivery and for people.
func (a Address) String() string { return a.Local + "@" + a.Domain }

// IsZero reports whether the address is unset.
func (a Address) IsZero() bool { return a == Address{} }

// IsLiteral reports whether the domain is an address literal such as [192.0.2.1].
func (a Address) IsLiteral() bool { return strings.HasPrefix(a.Domain, "[") }

// ASCII reports whether the address needs no SMTPUTF8: a U-label domain is sent as its A-label.
func (a Address) ASCII() bool { return isASCII(a.Local) }

// Key is the form to compare and index by.
func (a Address) Key() AddressKey {
	local := norm.NFC.String(strings.ToLower(norm.NFC.String(a.Local)))
	return AddressKey(local + "@" + DomainKey(a.Domain))
}

// Domain is the domain of a key.
func (k AddressKey) Domain() string { return string(k[strings.LastIndexByte(string(k), '@')+1:]) }

// DomainKey is a domain as lower-case A-label (IDNA 2008, non-transitional); what is no valid name is only lowered.
func DomainKey(domain string) string {
	if isASCII(domain) {
		return strings.ToLower(domain)
	}
	if ascii, err := idna.Lookup.ToASCII(norm.NFC.String(domain)); err == nil {
		return strings.ToLower(ascii)
	}
	return strings.ToLower(domain)
}

// ParseAddress reads local@domain: a dot-atom (UTF-8 allowed, RFC 6531) and a domain name or an address literal. A
// quoted local part is read when its content is a dot-atom (RFC 5321 §4.1.2). Everything else is ErrAddress.
func ParseAddress(s string) (Address, error) {
	at := strings.LastIndexByte(s, '@')
	if at < 1 || len(s) > MaxAddress || !utf8.ValidString(s) {
		return Address{}, ErrAddress
	}
	a := Address{Local: unquote(s[:at]), Domain: s[at+1:]}
	if len(a.Local) > maxLocal || !isDotAtom(a.Local) || !isDomain(a.Domain) {
		return Address{}, ErrAddress
	}
	return a, nil
}

func unquote(local string) string {
	if len(local) > 2 && local[0] == '"' && local[len(local)-1] == '"' {
		return local[1 : len(local)-1]
	}
	return local
}

func isDotAtom(s string) bool {
	if s == "" {
		return false
	}
	for _, atom := range strings.Split(s, ".") {
		if atom == "" || strings.IndexFunc(atom, notAtext) >= 0 {
			return false
		}
	}
	return true
}

// notAtext is RFC 5321 atext with the UTF-8 of RFC 6531, less what cannot be seen or turns the text around.
func notAtext(r rune) bool {
	switch {
	case r < 0x80:
		alnum := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		return !alnum && !strings.ContainsRune("!#$%&'*+-/=?^_`{|}~", r)
	default:
		return !unicode.IsPrint(r)
	}
}

func isDomain(s string) bool {
	if strings.HasPrefix(s, "[") {
		return isLiteral(s)
	}
	name := s
	if !isASCII(s) {
		ascii, err := idna.Lookup.ToASCII(norm.NFC.String(s))
		if err != nil {
			return false
		}
		name = ascii
	}
	if len(name) > 253 {
		return false
	}
	for _, label := range strings.Split(name, ".") {
		if !isLabel(label) {
			return false
		}
	}
	return true
}

func isLabel(s string) bool {
	if s == "" || len(s) > 63 || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for _, r := range s {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_') {
			return false
		}
	}
	return true
}

func isLiteral(s string) bool {
	inner, ok := strings.CutSuffix(s[1:], "]")
	if !ok {
		return false
	}
	if v6, ok := strings.CutPrefix(strings.ToLower(inner), "ipv6:"); ok {
		ip, err := netip.ParseAddr(v6)
		return err == nil && ip.Is6() && ip.Zone() == ""
	}
	ip, err := netip.ParseAddr(inner)
	return err == nil && ip.Is4()
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
