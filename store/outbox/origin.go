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
	overTLS       = "+tls"
)

// Mark is what the origin mark says of a mail of ours that comes back through the listener.
type Mark struct {
	Kind    store.Kind
	NeedTLS bool // it holds something of a sealed message: over TLS or to a local address only (MAIL 6.6)
}

// word is the mark's KIND, "reply+tls" for a reply that needs TLS.
func (m Mark) word() string {
	if m.NeedTLS {
		return string(m.Kind) + overTLS
	}
	return string(m.Kind)
}

func parseMark(word string) Mark {
	kind, needTLS := strings.CutSuffix(word, overTLS)
	return Mark{Kind: store.Kind(kind), NeedTLS: needTLS}
}

// OriginField is the value of X-Postern-Origin for a mail of ours: "v1 KIND MAC" (MAIL 6.2), "+tls" behind the kind
// where the mail needs TLS. messageID may come with or without its angle brackets; rcpts are the envelope's recipients in
// any order.
func (o *Outbox) OriginField(m Mark, messageID string, rcpts []store.AddressKey) string {
	return originVersion + " " + m.word() + " " + o.originMAC(m.word(), messageID, rcpts)
}

func (o *Outbox) originMAC(word, messageID string, rcpts []store.AddressKey) string {
	parts := []string{bareID(messageID), word}
	sorted := slices.Clone(rcpts)
	slices.Sort(sorted)
	for _, r := range slices.Compact(sorted) {
		parts = append(parts, string(r))
	}
	mac := o.origin.Sum(parts...)
	return store.EncodeB32(mac[:originBytes])
}

// VerifyOrigin reports whether value is the origin mark of a mail of ours with that Message-ID and exactly those
// envelope recipients, and what the mark says.
func (o *Outbox) VerifyOrigin(value, messageID string, rcpts []store.AddressKey) (Mark, bool) {
	fields := strings.Fields(value)
	if len(fields) != 3 || fields[0] != originVersion || bareID(messageID) == "" || len(rcpts) == 0 {
		return Mark{}, false
	}
	want := o.originMAC(fields[1], messageID, rcpts)
	if subtle.ConstantTimeCompare([]byte(want), []byte(fields[2])) != 1 {
		return Mark{}, false
	}
	return parseMark(fields[1]), true
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
