package seal

import (
	"crypto/rand"
	"fmt"
	"strconv"
	"strings"

	"postern/store"
)

// Words that begin a line of a key file; they change with the format.
const (
	serverKeyWord = "postern-server-key-v1"
	queueKeyWord  = "postern-queue-key-v1"
)

const lineCheckBytes = 2

// KeyFileError is a key file that does not read.
type KeyFileError struct {
	Path   string
	Line   int // from 1; 0: the file as a whole
	Reason string
}

func (e *KeyFileError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("key file %s: %s", e.Path, e.Reason)
	}
	return fmt.Sprintf("key file %s, line %d: %s", e.Path, e.Line, e.Reason)
}

// keyLine is one key of a file.
type keyLine struct {
	id   store.KeyID
	hour int64 // ring only: Unix time of the hour that it was made in
	key  key
}

// lineFormat is what a server key file and a ring differ in.
type lineFormat struct {
	word  string
	check string // label of the check octets
	timed bool
}

func serverLines() lineFormat { return lineFormat{word: serverKeyWord, check: ctxServerKeyCheck} }

func queueLines() lineFormat {
	return lineFormat{word: queueKeyWord, check: ctxQueueKeyCheck, timed: true}
}

func newKeyLine() (l keyLine) {
	rand.Read(l.key[:])
	l.id = symmetricID(l.key)
	return l
}

func (f lineFormat) write(lines []keyLine) []byte {
	var out strings.Builder
	for _, l := range lines {
		out.WriteString(f.word + " " + string(l.id) + " ")
		if f.timed {
			out.WriteString(strconv.FormatInt(l.hour, 10) + " ")
		}
		out.WriteString(f.secret(l.key) + "\n")
	}
	return []byte(out.String())
}

// secret is the key's text with its check octets: a typing error shows before the key is used.
func (f lineFormat) secret(k key) string {
	check := sum(f.check, string(k[:]))
	return store.EncodeB32(append(k[:], check[:lineCheckBytes]...))
}

// parse reads a key file. Empty lines are skipped; anything else that is no key is a *KeyFileError, which never quotes
// the line.
func (f lineFormat) parse(path string, data []byte) ([]keyLine, error) {
	var lines []keyLine
	seen := make(map[store.KeyID]bool)
	for i, text := range strings.Split(string(data), "\n") {
		text = strings.TrimSuffix(text, "\r")
		if strings.TrimSpace(text) == "" {
			continue
		}
		l, reason := f.parseLine(text)
		if reason == "" && seen[l.id] {
			reason = "key " + string(l.id) + " is there twice"
		}
		if reason != "" {
			return nil, &KeyFileError{Path: path, Line: i + 1, Reason: reason}
		}
		seen[l.id] = true
		lines = append(lines, l)
	}
	return lines, nil
}

func (f lineFormat) parseLine(text string) (l keyLine, reason string) {
	fields := strings.Fields(text)
	want := 3
	if f.timed {
		want = 4
	}
	if fields[0] != f.word {
		return l, "does not begin with " + f.word
	}
	if len(fields) != want {
		return l, fmt.Sprintf("has %d fields, not %d", len(fields), want)
	}
	if f.timed {
		hour, err := strconv.ParseInt(fields[2], 10, 64)
		if err != nil || strconv.FormatInt(hour, 10) != fields[2] {
			return l, "time is not a number"
		}
		l.hour = hour
	}
	secret := fields[want-1]
	b, err := store.DecodeB32(secret)
	if err != nil || len(b) != len(l.key)+lineCheckBytes {
		return l, "key is not 55 characters of base32"
	}
	copy(l.key[:], b)
	if f.secret(l.key) != secret {
		return l, "key does not fit its check characters: a typing error or damage"
	}
	if l.id = symmetricID(l.key); string(l.id) != fields[1] {
		return l, "key does not belong to the id before it"
	}
	return l, ""
}
