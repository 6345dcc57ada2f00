package store

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestParseAddress(t *testing.T) {
	long := strings.Repeat("a", 128)
	tests := []struct{ name, in, local, domain string }{
		{"plain", "bob@ext.example", "bob", "ext.example"},
		{"atext of RFC 5321", "b!#$%&'*+-/=?^_`{|}~o.b@ext.example", "b!#$%&'*+-/=?^_`{|}~o.b", "ext.example"},
		{"percent and bang mean nothing", "a%b!c@ext.example", "a%b!c", "ext.example"},
		{"case is kept", "Bob.X@Ext.Example", "Bob.X", "Ext.Example"},
		{"quoted dot-atom is unquoted", `"bob"@ext.example`, "bob", "ext.example"},
		{"VERP and SRS of 128 octets", long + "@ext.example", long, "ext.example"},
		{"UTF-8 local part", "jörg@ext.example", "jörg", "ext.example"},
		{"U-label", "bob@bücher.example", "bob", "bücher.example"},
		{"underscore in a host", "bob@a_b.example", "bob", "a_b.example"},
		{"IPv4 literal", "bob@[192.0.2.1]", "bob", "[192.0.2.1]"},
		{"IPv6 literal", "bob@[IPv6:2001:db8::1]", "bob", "[IPv6:2001:db8::1]"},
		{"single label", "root@localhost", "root", "localhost"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, err := ParseAddress(tt.in)
			if err != nil || a.Local != tt.local || a.Domain != tt.domain {
				t.Errorf("%q: %+v, %v", tt.in, a, err)
			}
		})
	}
}

// TestAddressFillsAPath: a path of 256 octets holds the longest address and its brackets.
func TestAddressFillsAPath(t *testing.T) {
	longest := "bob@" + strings.Repeat("ninechars.", 24) + "ten-octets"
	if _, err := ParseAddress(longest); err != nil || len("<"+longest+">") != 256 {
		t.Errorf("%d octets: %v", len(longest), err)
	}
	if _, err := ParseAddress("x" + longest); err == nil {
		t.Error("a longer one was taken")
	}
}

func TestParseAddressRefuses(t *testing.T) {
	for _, in := range []string{
		"", "@", "bob", "bob@", "@ext.example", ".bob@ext.example", "bob.@ext.example", "b..b@ext.example", `"b ob"@ext.example`,
		`"victim@other.test> NOTIFY=NEVER x"@allowed.test`, `""@ext.example`, "b ob@ext.example", "bob@ext .example", "bob@ext.example\r\nX",
		"bob\x00@ext.example", "bob@-ext.example", "bob@ext-.example", "bob@ext..example", "bob@.ext.example", "bob@ext.example.",
		"bob@[192.0.2]", "bob@[192.0.2.1", "bob@[IPv6:fe80::1%eth0]", "bob@[2001:db8::1]", "bob@" + strings.Repeat("a", 64) + ".example",
		strings.Repeat("a", 129) + "@ext.example", "bob\u202e@ext.example", "bob\u200b@ext.example", "bob@ext.exa\xffmple", "a@b@ext.example",
	} {
		if a, err := ParseAddress(in); err == nil {
			t.Errorf("%q was read as %+v", in, a)
		}
	}
}

func TestAddressKey(t *testing.T) {
	same := [][2]string{
		{"Bob@Ext.Example", "bob@ext.example"},
		{"bob@BÜCHER.example", "bob@xn--bcher-kva.example"},
		{"JO\u0308RG@ext.example", "j\u00f6rg@ext.example"}, // combining form and NFC
	}
	for _, pair := range same {
		if a, b := key(t, pair[0]), key(t, pair[1]); a != b {
			t.Errorf("%q and %q differ: %q, %q", pair[0], pair[1], a, b)
		}
	}
	if key(t, "bob+x@ext.example") == key(t, "bob@ext.example") {
		t.Error("bob+x and bob are different people (MAIL 2.1)")
	}
	if d := key(t, "bob@BÜCHER.example").Domain(); d != "xn--bcher-kva.example" {
		t.Errorf("domain of the key is %q", d)
	}
}

func key(t *testing.T, s string) AddressKey {
	t.Helper()
	a, err := ParseAddress(s)
	if err != nil {
		t.Fatalf("%q: %v", s, err)
	}
	return a.Key()
}

func FuzzParseAddress(f *testing.F) {
	for _, s := range []string{"bob@ext.example", `"b"@x.example`, "j\u00f6rg@b\u00fccher.example", "a@[192.0.2.1]", "a@[IPv6:::1]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := ParseAddress(s)
		if err != nil {
			return
		}
		if strings.ContainsAny(a.String(), " \t\r\n\x00<>\"(),;:\\") && !a.IsLiteral() {
			t.Fatalf("%q reads as %q, which holds what SMTP would take for syntax", s, a)
		}
		if !utf8.ValidString(string(a.Key())) {
			t.Fatalf("key of %q is not UTF-8", s)
		}
		again, err := ParseAddress(a.String())
		if err != nil || again != a {
			t.Fatalf("%q does not read back: %+v, %v", a, again, err)
		}
	})
}
