package pickup_test

import (
	"fmt"
	"strings"
	"testing"

	"postern/store"
	"postern/store/mail"
)

// crowd is a list of recipients.
func crowd(n int) []mail.Mailbox {
	var list []mail.Mailbox
	for i := range n {
		list = append(list, mail.Mailbox{Name: fmt.Sprintf("Person Number %d", i),
			Address: store.Address{Local: fmt.Sprintf("person%d", i), Domain: "a-rather-long-name-of-a-domain.example"}})
	}
	return list
}

// TestEveryRecipientIsNamed: of many recipients the first stand open and the rest can be unfolded; none is left out
// without a word, even where the stored card had no room for them.
func TestEveryRecipientIsNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, _, _ := w.account(joan)
	for _, test := range []struct {
		n          int
		want, lack string
	}{
		{8, "person7@", "more people"},
		{9, "<summary>4 more people</summary>", ".eml names"},
		{60, "<summary>55 more people</summary>", ".eml names"},
		{400, "<summary>395 more people</summary>", ".eml names"}, // beyond the card
		{502, "The message saved as .eml names 2 more.", "person500@"},
	} {
		path := w.opened(v, joan, letter{subject: "x", text: "x", to: crowd(test.n)})
		for _, rest := range []string{"", "/print"} {
			a, want := v.get(path+rest), test.want
			if rest == "/print" {
				want = strings.TrimPrefix(strings.TrimSuffix(want, "</summary>"), "<summary>")
				if test.n < 500 {
					want = fmt.Sprintf("person%d@", test.n-1)
				}
			}
			last := fmt.Sprintf("person%d@", min(test.n, 500)-1)
			if !strings.Contains(a.body, want) || strings.Contains(a.body, test.lack) || strings.Count(a.body, last) != 1 {
				t.Errorf("%d recipients%s: without %q or %q, or with %q", test.n, rest, want, last, test.lack)
			}
		}
	}
}
