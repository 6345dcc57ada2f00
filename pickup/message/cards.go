package message

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"postern/store"
	"postern/store/mail"
)

const (
	maxShelves   = 256 // sessions
	maxCards     = 1000
	maxShelf     = 512 << 10        // octets of one session's cards; what finds no room is opened anew each time
	shelfLife    = 30 * time.Minute // unused
	maxSearched  = 4 << 10          // octets of a card that search looks at
	maxShownTo   = 10               // recipients of a card that lists may name
	attachedOnly = "attachment"
)

// summary is what lists show of a card.
type summary struct {
	author      mail.Mailbox
	to          []mail.Mailbox
	subject     string // without tag
	attachments int
	text        string // lower case, for search
}

func summarize(m store.Message, card mail.Card, tags []string) summary {
	s := summary{author: author(m, card), to: slices.Clone(card.To[:min(len(card.To), maxShownTo)]), subject: mail.CutTag(card.Subject, tags)}
	words := []string{s.subject, s.author.Name, s.author.Address.String()}
	for _, box := range append(card.To[:len(card.To):len(card.To)], card.Cc...) {
		words = append(words, box.Name, box.Address.String())
	}
	for _, p := range card.Parts {
		if p.Disposition == attachedOnly || p.Name != "" && p.ContentID == "" {
			s.attachments++
		}
		words = append(words, p.Name)
	}
	s.text = strings.ToLower(strings.ToValidUTF8(strings.Join(words, "\n"), ""))
	s.text = strings.Clone(s.text[:min(len(s.text), maxSearched)])
	return s
}

// octets is about what a summary takes in memory.
func (s summary) octets() int {
	const fields = 300 // of the structs and their headers
	n := fields + len(s.text) + len(s.subject) + len(s.author.Name)
	for _, box := range s.to {
		n += len(box.Name) + len(box.Address.Local) + len(box.Address.Domain)
	}
	return n
}

// shelves keeps opened cards in memory, apart for each session, so that lists and search do not open every grant anew
// (KEYS K5). It is bounded, and a session's shelf goes when it is unused for half an hour.
type shelves struct {
	mu  sync.Mutex
	all map[store.SessionID]*shelf
}

type shelf struct {
	cards map[store.MessageID]summary
	size  int // octets of the cards
	used  time.Time
}

func newShelves() *shelves { return &shelves{all: make(map[store.SessionID]*shelf)} }

func (c *shelves) get(id store.SessionID, m store.MessageID, now time.Time) (summary, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	sh, ok := c.all[id]
	if !ok {
		return summary{}, false
	}
	sh.used = now
	s, ok := sh.cards[m]
	return s, ok
}

func (c *shelves) put(id store.SessionID, m store.MessageID, s summary, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	sh, ok := c.all[id]
	if !ok {
		c.makeRoom(now)
		sh = &shelf{cards: make(map[store.MessageID]summary)}
		c.all[id] = sh
	}
	sh.used = now
	if _, kept := sh.cards[m]; !kept && len(sh.cards) < maxCards && sh.size < maxShelf {
		sh.cards[m] = s
		sh.size += s.octets()
	}
}

// tidy drops unused shelves: nobody's subjects stay in memory because nobody else signs in.
func (c *shelves) tidy(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.all, func(_ store.SessionID, sh *shelf) bool { return now.Sub(sh.used) > shelfLife })
}

// makeRoom drops unused shelves, and the one that was unused for longest when that is not enough.
func (c *shelves) makeRoom(now time.Time) {
	var oldest store.SessionID
	for id, sh := range c.all {
		if now.Sub(sh.used) > shelfLife {
			delete(c.all, id)
		} else if o, ok := c.all[oldest]; !ok || sh.used.Before(o.used) {
			oldest = id
		}
	}
	if len(c.all) >= maxShelves {
		delete(c.all, oldest)
	}
}

func (c *shelves) drop(id store.SessionID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.all, id)
}

// Forget drops the cards that were opened for a session; call it when the session ends.
func (s *Service) Forget(id store.SessionID) { s.cards.drop(id) }
