package pickup

import (
	"bufio"

	"postern/pickup/message"
	"postern/store/mail"
)

// people are the recipients in a message's head. Of a long list the first stand open, so that the message is not far
// below; the rest can be unfolded.
type people struct {
	First, Rest []person
	More        int // beyond what a page should hold; the message saved as a file names them
}

func peopleOf(list []mail.Mailbox) people {
	const few, open, most = 8, 5, 500
	var p people
	for i, m := range list {
		switch {
		case len(list) <= few || i < open:
			p.First = append(p.First, personOf(m))
		case i < most:
			p.Rest = append(p.Rest, personOf(m))
		default:
			p.More++
		}
	}
	return p
}

// recipients are To and Cc. Where the card had no room for all of them they are read from the message itself.
func recipients(o *message.Opened) (to, cc people, err error) {
	c := o.Card
	if c.Truncated {
		const longest = 2 << 20 // octets of a header; no mail comes in with a longer one
		h, _, err := mail.ReadHeader(bufio.NewReader(o.Body.Reader()), longest)
		if err != nil {
			return to, cc, err
		}
		c = mail.NewCard(h, nil)
	}
	return peopleOf(c.To), peopleOf(c.Cc), nil
}
