package mail

import (
	"errors"
	"strings"
	"testing"

	"postern/store"
)

func list(boxes []Mailbox) string {
	var out []string
	for _, m := range boxes {
		out = append(out, m.String())
	}
	return strings.Join(out, " | ")
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, in, want string
		bad            bool // something in it cannot be read
	}{
		{"bare", "a@x.example", "a@x.example", false},
		{"angle", "<a@x.example>", "a@x.example", false},
		{"name", "Al Bo <a@x.example>", "Al Bo <a@x.example>", false},
		{"quoted", `"Bo, Al \"B\"" <a@x.example>`, `Bo, Al "B" <a@x.example>`, false},
		{"list", "a@x.example, B <b@x.example>,c@x.example", "a@x.example | B <b@x.example> | c@x.example", false},
		{"semicolons", "a@x.example; B <b@x.example>;", "a@x.example | B <b@x.example>", false},
		{"stray separators", ", a@x.example,, b@x.example ,", "a@x.example | b@x.example", false},
		{"unquoted comma in a name", "Bo, Al <a@x.example>, C <c@x.example>", "Bo, Al <a@x.example> | C <c@x.example>", false},
		{"group", "Team: a@x.example, B <b@x.example>;, c@x.example", "a@x.example | B <b@x.example> | c@x.example", false},
		{"empty group", "undisclosed-recipients:;", "", false},
		{"group without end", "Team: a@x.example", "a@x.example", false},
		{"comment as name", "a@x.example (Al Bo)", "Al Bo <a@x.example>", false},
		{"nested comments", "Al (a (b) @c) <a@x.example>(d,e)", "Al <a@x.example>", false},
		{"encoded name", "=?utf-8?Q?J=C3=B6rg?= <a@x.example>", "Jörg <a@x.example>", false},
		{"encoded words", "=?utf-8?Q?J=C3=B6?= =?utf-8?Q?rg_X?= <a@x.example>", "Jörg X <a@x.example>", false},
		{"encoded in quotes", `"=?utf-8?Q?J=C3=B6rg?=" <a@x.example>`, "Jörg <a@x.example>", false},
		{"separators in an encoded word", "=?utf-8?Q?X,_Y:_Z;?= <a@x.example>", "X, Y: Z; <a@x.example>", false},
		{"raw Latin-1", "J\xf6rg <a@x.example>", "Jörg <a@x.example>", false},
		{"address as name", "b@y.example <a@x.example>", "b@y.example <a@x.example>", false},
		{"quoted local part", `"a"@x.example`, "a@x.example", false},
		{"quoted local part that needs quotes", `"a b"@x.example, c@x.example`, "c@x.example", true},
		{"literal", "a@[192.0.2.1], b@[IPv6:2001:db8::1]", "a@[192.0.2.1] | b@[IPv6:2001:db8::1]", false},
		{"route", "<@r.example,@s.example:a@x.example>", "a@x.example", false},
		{"blanks", "< a @ x.example >", "a@x.example", false},
		{"final dot", "a@x.example.", "a@x.example", false},
		{"no closing bracket", "Al <a@x.example, b@x.example", "Al <a@x.example> | b@x.example", false},
		{"no closing quote", `"Al <a@x.example>`, "Al <a@x.example>", false},
		{"no closing comment", "Al (B <a@x.example>", "Al B <a@x.example>", false},
		{"two brackets", "<a@x.example> <b@x.example>", "a@x.example | b@x.example", false},
		{"EAI", "ä@müller.example", "ä@müller.example", false},
		{"empty", "", "", false},
		{"empty brackets", "<>", "", false},
		{"no address", "nobody", "", true},
		{"two addresses without separator", "a@x.example b@x.example", "", true},
		{"control characters in a name", "\"=?utf-8?Q?a=0D=0Ab?=\" <a@x.example>", "a b <a@x.example>", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := header("To: " + tt.in).Addresses("to")
			if list(got) != tt.want || (err != nil) != tt.bad || err != nil && !errors.Is(err, ErrAddresses) {
				t.Errorf("%s: got %q, %v; want %q", tt.in, list(got), err, tt.want)
			}
		})
	}
}

func TestAddressesOfAllFields(t *testing.T) {
	t.Parallel()
	got, err := header("To: a@x.example", "Cc: b@x.example", "To: c@x.example").Addresses("To")
	if list(got) != "a@x.example | c@x.example" || err != nil {
		t.Errorf("%q, %v", list(got), err)
	}
}

// TestAddressesBehindJunk: a megabyte of openings that nothing closes hides no address, and is read in one go. Reading
// it in quadratic time would take minutes.
func TestAddressesBehindJunk(t *testing.T) {
	t.Parallel()
	for _, junk := range []string{"=?a?q?x", "=?a?b?x ", "=?", "(", "[", "a:", "\\"} {
		got, _ := header("To: " + strings.Repeat(junk, 1<<20/len(junk)) + ", Al <a@x.example>").Addresses("To")
		if len(got) != 1 || got[0].Address.String() != "a@x.example" {
			t.Errorf("behind %q: %d addresses", junk, len(got))
		}
	}
}

// TestAuthor: exactly one From field with exactly one address (MAIL 1.7).
func TestAuthor(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		h    Header
		want error
	}{
		{"one", header("From: Al <a@x.example>"), nil},
		{"folded", header("From: Al\r\n <a@x.example>"), nil},
		{"blank before the colon", header("From : a@x.example"), nil},
		{"none", header("To: a@x.example"), ErrNoAuthor},
		{"empty", header("From:"), ErrNoAuthor},
		{"null", header("From: <>"), ErrNoAuthor},
		{"no address", header("From: Al"), ErrNoAuthor},
		{"two fields", header("From: a@x.example", "From: a@x.example"), ErrManyAuthors},
		{"second field hidden by a blank", header("From: a@x.example", "From : b@x.example"), ErrManyAuthors},
		{"second field empty", header("From: a@x.example", "From:"), ErrManyAuthors},
		{"two addresses", header("From: a@x.example, b@x.example"), ErrManyAuthors},
		{"two in brackets", header("From: <a@x.example> <b@x.example>"), ErrManyAuthors},
		{"group of two", header("From: G: a@x.example, b@x.example;"), ErrManyAuthors},
		{"one and something unreadable", header("From: a@x.example, <b b>"), ErrManyAuthors},
		{"bare address after a name", header("From: Al, a@x.example"), ErrManyAuthors},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m, err := tt.h.Author()
			if !errors.Is(err, tt.want) || err == nil && m.Address != (store.Address{Local: "a", Domain: "x.example"}) {
				t.Errorf("got %v, %v, want %v", m, err, tt.want)
			}
		})
	}
}

// TestHostileHeaders feeds long repetitions of what takes a careless reader the square of their length; what comes out
// is still text for one line.
func TestHostileHeaders(t *testing.T) {
	t.Parallel()
	for _, piece := range []string{
		`"`, `"\`, "(", "[", "<", "a,", "a@,", ":", "=?", "=?a?q? ", "=?a?b?", `"\"`, "a;", "<@,", "[x]", "(x)", "Re: ",
		"[secure]", "\u0301", "=?a?b?eA==?= ", "=?a?q?eA==?= ",
	} {
		h := header("To: x " + strings.Repeat(piece, 256<<10/len(piece)))
		boxes, _ := h.Addresses("To")
		for _, m := range boxes {
			if !oneLine(m.String()) {
				t.Errorf("%q: mailbox %q", piece, m)
			}
		}
		text := Decode(h.Get("To"))
		if shown := CutTag(text, tagWords); !oneLine(shown) {
			t.Errorf("%q: a text of %d octets is not one line", piece, len(shown))
		}
	}
}
