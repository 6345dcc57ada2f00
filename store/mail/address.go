package mail

import (
	"errors"
	"strings"

	"postern/store"
)

var (
	// ErrNoAuthor: the message has no From field, or none with an address in it.
	ErrNoAuthor = errors.New("no From address")
	// ErrManyAuthors: the message has two From fields, or more than one address in it.
	ErrManyAuthors = errors.New("more than one From address")
	// ErrAddresses: something in an address list could not be read.
	ErrAddresses = errors.New("unreadable entry in an address list")
)

// Mailbox is an address with the name that stands beside it, decoded.
type Mailbox struct {
	Name    string        `json:"n,omitempty"`
	Address store.Address `json:"a"`
}

// String is the mailbox for people.
func (m Mailbox) String() string {
	if m.Name == "" {
		return m.Address.String()
	}
	return m.Name + " <" + m.Address.String() + ">"
}

// Addresses reads the address lists of all fields of that name. It is tolerant: groups are opened, comments dropped,
// `;` separates as `,` does, names may be encoded or contain commas. ErrAddresses when an entry could not be read; the
// others are returned with it.
func (h Header) Addresses(name string) ([]Mailbox, error) {
	var all []Mailbox
	var err error
	for _, value := range h.All(name) {
		list, e := parseList(value)
		all = append(all, list...)
		err = errors.Join(err, e)
	}
	if err != nil {
		err = ErrAddresses
	}
	return all, err
}

// Author is the one address of the one From field (MAIL 1.7): ErrNoAuthor or ErrManyAuthors when there is no such.
func (h Header) Author() (Mailbox, error) {
	list, err := h.Addresses("From")
	switch {
	case h.Count("From") > 1 || len(list) > 1:
		return Mailbox{}, ErrManyAuthors
	case len(list) == 0:
		return Mailbox{}, ErrNoAuthor
	case err != nil:
		return Mailbox{}, ErrManyAuthors
	}
	return list[0], nil
}

// maxPending bounds the text before commas that may belong to a name.
const maxPending = 200

// entry is one element of an address list, taken apart.
type entry struct {
	text    strings.Builder // what stands outside of brackets and comments, quotes kept
	comment string
	angles  []string // what stood in angle brackets
}

// parseList reads one address list.
func parseList(value string) ([]Mailbox, error) {
	var list []Mailbox
	var err error
	var pending string // text before a comma that was part of a name
	p := listParser{s: value}
	for {
		e, end := p.next()
		text := strings.TrimSpace(e.text.String())
		switch boxes, ok := e.mailboxes(pending); {
		case len(boxes) > 0:
			list = append(list, boxes...)
			pending = ""
			if !ok {
				err = ErrAddresses
			}
		case len(e.angles) > 0 && strings.TrimSpace(strings.Join(e.angles, "")) != "" || strings.Contains(text, "@"):
			err, pending = ErrAddresses, ""
		case text != "" && end == ',' && len(pending) < maxPending:
			pending += text + ", "
		case text != "" || pending != "" && end != ',':
			err, pending = ErrAddresses, ""
		}
		if end == 0 {
			return list, err
		}
	}
}

// mailboxes is what an entry names; ok is false when more stood in it.
func (e *entry) mailboxes(before string) (list []Mailbox, ok bool) {
	text := strings.TrimSpace(e.text.String())
	ok = true
	for _, angle := range e.angles {
		if a, err := parseSpec(angle); err == nil {
			list = append(list, Mailbox{Address: a})
		} else {
			ok = false
		}
	}
	switch {
	case len(list) > 0:
		list[0].Name = displayName(before+text, e.comment)
		return list, ok
	case len(e.angles) > 0:
		return nil, false
	}
	a, err := parseSpec(text)
	if err != nil {
		return nil, false
	}
	return []Mailbox{{Name: displayName("", e.comment), Address: a}}, before == ""
}

// parseSpec reads an address with blanks and a source route tolerated.
func parseSpec(s string) (store.Address, error) {
	if s = strings.TrimSpace(s); !strings.Contains(s, `"`) {
		s = removeBlanks(s)
	}
	if strings.HasPrefix(s, "@") { // RFC 5322 §4.4: @relay,@relay:user@host
		if _, last, found := strings.Cut(s, ":"); found {
			s = last
		}
	}
	if at := strings.LastIndexByte(s, '@'); at > 0 && strings.HasSuffix(s, ".") {
		s = s[:len(s)-1]
	}
	return store.ParseAddress(s)
}

func displayName(text, comment string) string {
	name := strings.TrimSpace(unquotePhrase(text))
	if name == "" {
		name = strings.TrimSpace(comment)
	}
	return clip(strings.Join(strings.Fields(Decode(name)), " "), maxName)
}

// unquotePhrase removes quotes and the backslashes inside them.
func unquotePhrase(s string) string {
	if !strings.Contains(s, `"`) {
		return s
	}
	var out strings.Builder
	quoted := false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
			quoted = !quoted
		case s[i] == '\\' && quoted && i+1 < len(s):
			i++
			out.WriteByte(s[i])
		default:
			out.WriteByte(s[i])
		}
	}
	return out.String()
}
