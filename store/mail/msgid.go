package mail

import (
	"crypto/rand"
	"strings"

	"postern/store"
)

// maxMessageIDs bounds what is looked at of a References field (MAIL 3.6).
const maxMessageIDs = 200

// NewMessageID draws the Message-ID of a mail of ours: 128 random bits at host (MAIL 6.1).
func NewMessageID(host string) string {
	var id [16]byte
	rand.Read(id[:])
	return "<" + store.EncodeB32(id[:]) + "@" + host + ">"
}

// MessageIDs is every <...> in the fields of that name, in order, brackets kept, blanks inside removed; the last 200
// when there are more. A field without brackets counts word by word, where a word has an @.
func (h Header) MessageIDs(name string) []string {
	var ids []string
	for _, value := range h.All(name) {
		ids = append(ids, messageIDs(value)...)
	}
	return ids[max(0, len(ids)-maxMessageIDs):]
}

func messageIDs(value string) []string {
	var ids []string
	if !strings.Contains(value, "<") {
		for _, word := range strings.Fields(value) {
			if strings.Contains(word, "@") {
				ids = append(ids, "<"+word+">")
			}
		}
		return ids
	}
	for {
		_, rest, found := strings.Cut(value, "<")
		if !found {
			return ids
		}
		id, after, closed := strings.Cut(rest, ">")
		if !closed {
			return ids
		}
		if again := strings.LastIndexByte(id, '<'); again >= 0 {
			id = id[again+1:] // an earlier bracket was never closed
		}
		if id = removeBlanks(id); id != "" {
			ids = append(ids, "<"+id+">")
		}
		value = after
	}
}

func removeBlanks(s string) string {
	if !strings.ContainsAny(s, " \t\r\n") {
		return s
	}
	return strings.Join(strings.Fields(s), "")
}
