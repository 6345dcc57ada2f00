package message

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"postern/store"
	"postern/store/mail"
)

// Cards may have long lists of recipients and long subjects: what a session keeps of them in memory is bounded (I8).
func TestI8OpenedCardsTakeBoundedMemory(t *testing.T) {
	t.Parallel()
	card := mail.Card{Subject: strings.Repeat("long ", 1000)}
	for i := range 400 {
		card.To = append(card.To, mail.Mailbox{Name: strings.Repeat("name ", 6), Address: store.Address{Local: fmt.Sprint("a", i), Domain: "mail.example"}})
	}
	s := summarize(store.Message{}, card, nil)
	if n := s.octets(); n > 12<<10 {
		t.Errorf("%d octets of one card", n)
	}
	shelves, now := newShelves(), time.Now()
	for i := range maxCards {
		shelves.put(store.SessionID{1}, store.MessageID{byte(i), byte(i >> 8)}, s, now)
	}
	sh := shelves.all[store.SessionID{1}]
	if sum := len(sh.cards) * s.octets(); len(sh.cards) == 0 || sum > maxShelf+s.octets() {
		t.Errorf("%d cards, %d octets", len(sh.cards), sum)
	}
	if _, ok := shelves.get(store.SessionID{1}, store.MessageID{0}, now); !ok {
		t.Error("the first card is not kept")
	}
}

// What a session opened is gone from memory half an hour later, also when nobody else comes by.
func TestK5OpenedCardsAreForgotten(t *testing.T) {
	t.Parallel()
	shelves, now := newShelves(), time.Now()
	shelves.put(store.SessionID{1}, store.MessageID{1}, summary{subject: "a"}, now)
	shelves.put(store.SessionID{2}, store.MessageID{1}, summary{subject: "b"}, now.Add(20*time.Minute))
	shelves.tidy(now.Add(40 * time.Minute))
	if _, ok := shelves.all[store.SessionID{1}]; ok || len(shelves.all) != 1 {
		t.Errorf("%d shelves are kept", len(shelves.all))
	}
}
