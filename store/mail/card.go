package mail

import (
	"bytes"
	"encoding/json"
	"fmt"
	netmail "net/mail"
	"slices"
	"strings"
	"time"
)

// maxCard is the size of an encoded card in octets (KEYS K5).
const maxCard = 16 << 10

// Card is what lists and pages need of a sealed message without opening its body (KEYS K5). What does not fit into an
// encoded card is left out; Truncated then says that the body knows more.
type Card struct {
	From       []Mailbox `json:"f,omitempty"`
	ReplyTo    []Mailbox `json:"r,omitempty"`
	To         []Mailbox `json:"t,omitempty"`
	Cc         []Mailbox `json:"c,omitempty"`
	Subject    string    `json:"s,omitempty"` // as sent, decoded, tag kept
	Date       time.Time `json:"d,omitzero"`  // of the Date field, with its zone; zero when that cannot be read
	DateText   string    `json:"dt,omitempty"`
	MessageID  string    `json:"i,omitempty"`
	InReplyTo  string    `json:"ir,omitempty"`
	References []string  `json:"rf,omitempty"` // oldest first
	Parts      []Part    `json:"p,omitempty"`
	Truncated  bool      `json:"x,omitempty"`
}

// Longest texts of a card in octets. Even all of them together leave room.
const (
	maxSubject = 2000
	maxID      = 998
	maxDate    = 200
)

// NewCard makes the card of a message from its header and the index of its parts.
func NewCard(h Header, parts []Part) Card {
	c := Card{Parts: parts}
	for _, id := range h.MessageIDs("References") {
		c.References = append(c.References, cleanLine(validText(id)))
	}
	c.From, _ = h.Addresses("From")
	c.ReplyTo, _ = h.Addresses("Reply-To")
	c.To, _ = h.Addresses("To")
	c.Cc, _ = h.Addresses("Cc")
	c.Subject = c.clip(Decode(h.Get("Subject")), maxSubject)
	c.DateText = clip(Decode(h.Get("Date")), maxDate)
	c.Date = parseDate(h.Get("Date"))
	c.MessageID = c.first(h.MessageIDs("Message-ID"))
	c.InReplyTo = c.first(h.MessageIDs("In-Reply-To"))
	return c
}

func (c *Card) clip(s string, n int) string {
	c.Truncated = c.Truncated || len(s) > n
	return clip(s, n)
}

// first is the first id, unless it is too long to be one.
func (c *Card) first(ids []string) string {
	if len(ids) == 0 || len(ids[0]) > maxID {
		return ""
	}
	return cleanLine(validText(ids[0]))
}

func parseDate(s string) time.Time {
	t, err := netmail.ParseDate(strings.Join(strings.Fields(s), " "))
	if err != nil || t.Year() < 1 || t.Year() > 9999 {
		return time.Time{}
	}
	if _, offset := t.Zone(); offset%60 != 0 || offset <= -24*3600 || offset >= 24*3600 {
		return t.UTC() // what JSON cannot hold
	}
	return t
}

// Encode is the card as JSON, at most 16 KiB. Where it would be longer, the longest lists are halved until it fits: of
// References the newest stay, of others the first.
func (c Card) Encode() []byte {
	text := c.json()
	for len(text) > maxCard {
		c.Truncated = true
		c.shorten()
		text = c.json()
	}
	return text
}

func (c Card) json() []byte {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(c); err != nil {
		panic(fmt.Sprintf("mail: card does not encode: %v", err)) // plain fields and a checked date
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}

// shorten halves the longest list.
func (c *Card) shorten() {
	lists := []struct {
		size int
		half func()
	}{
		{sizeOf(c.Parts), func() { c.Parts = c.Parts[:len(c.Parts)/2] }},
		{sizeOf(c.References), func() { c.References = c.References[(len(c.References)+1)/2:] }},
		{sizeOf(c.To), func() { c.To = c.To[:len(c.To)/2] }},
		{sizeOf(c.Cc), func() { c.Cc = c.Cc[:len(c.Cc)/2] }},
		{sizeOf(c.ReplyTo), func() { c.ReplyTo = c.ReplyTo[:len(c.ReplyTo)/2] }},
		{sizeOf(c.From), func() { c.From = c.From[:len(c.From)/2] }},
		{len(c.Subject), func() { c.Subject = clip(c.Subject, len(c.Subject)/2) }},
	}
	longest := slices.MaxFunc(lists, func(a, b struct {
		size int
		half func()
	}) int {
		return a.size - b.size
	})
	longest.half()
}

func sizeOf(list any) int {
	text, err := json.Marshal(list)
	if err != nil {
		return 0
	}
	return len(text)
}

// DecodeCard reads an encoded card.
func DecodeCard(text []byte) (Card, error) {
	var c Card
	if err := json.Unmarshal(text, &c); err != nil {
		return Card{}, fmt.Errorf("read card: %w", err)
	}
	return c, nil
}
