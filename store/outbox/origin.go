package outbox

import (
	"bytes"
	"crypto/subtle"
	"errors"
	"slices"
	"strings"

	"postern/store"
)

const (
	originField   = "X-Postern-Origin"
	originVersion = "v1"
	originBytes   = 20 // of the MAC, so that the field is one line of at most 78 characters
)

// OriginField is the value of X-Postern-Origin for a mail of ours: "v1 KIND MAC" (MAIL 6.2). messageID may come with
// or without its angle brackets; rcpts are the envelope's recipients in any order.
func (o *Outbox) OriginField(kind store.Kind, messageID string, rcpts []store.AddressKey) string {
	return originVersion + " " + string(kind) + " " + o.originMAC(kind, messageID, rcpts)
}

func (o *Outbox) originMAC(kind store.Kind, messageID string, rcpts []store.AddressKey) string {
	parts := []string{bareID(messageID), string(kind)}
	sorted := slices.Clone(rcpts)
	slices.Sort(sorted)
	for _, r := range slices.Compact(sorted) {
		parts = append(parts, string(r))
	}
	mac := o.origin.Sum(parts...)
	return store.EncodeB32(mac[:originBytes])
}

// VerifyOrigin reports whether value is the origin mark of a mail of ours with that Message-ID and exactly those
// envelope recipients, and of which kind it is.
func (o *Outbox) VerifyOrigin(value, messageID string, rcpts []store.AddressKey) (store.Kind, bool) {
	fields := strings.Fields(value)
	if len(fields) != 3 || fields[0] != originVersion || bareID(messageID) == "" || len(rcpts) == 0 {
		return "", false
	}
	kind := store.Kind(fields[1])
	want := o.originMAC(kind, messageID, rcpts)
	if subtle.ConstantTimeCompare([]byte(want), []byte(fields[2])) != 1 {
		return "", false
	}
	return kind, true
}

func bareID(id string) string {
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(id), "<"), ">")
}

// headerMessageID finds the one Message-ID of a rendered mail and refuses a mail that cannot be marked.
func headerMessageID(raw []byte) (string, error) {
	var found []string
	for name, value := range fields(raw) {
		switch {
		case strings.EqualFold(name, originField):
			return "", errors.New("it has an origin mark already")
		case strings.EqualFold(name, "Message-ID"):
			found = append(found, strings.TrimSpace(value))
		}
	}
	if len(found) != 1 {
		return "", errors.New("it has not exactly one Message-ID")
	}
	id := found[0]
	if len(id) < 3 || id[0] != '<' || id[len(id)-1] != '>' || strings.ContainsAny(id[1:len(id)-1], " \t\r\n<>") {
		return "", errors.New("its Message-ID is malformed")
	}
	return id, nil
}

// fields walks through the header of a rendered mail; folded lines belong to the field before them.
func fields(raw []byte) func(yield func(name, value string) bool) {
	return func(yield func(name, value string) bool) {
		name, value := "", ""
		for line := range bytes.Lines(raw) {
			text := strings.TrimRight(string(line), "\r\n")
			if text != "" && (text[0] == ' ' || text[0] == '\t') {
				value += text
				continue
			}
			if name != "" && !yield(name, value) {
				return
			}
			if text == "" {
				return
			}
			name, value, _ = strings.Cut(text, ":")
			name = strings.TrimSpace(name)
		}
		if name != "" {
			yield(name, value)
		}
	}
}
