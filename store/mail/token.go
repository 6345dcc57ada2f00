package mail

import (
	"crypto/sha256"
	"encoding/binary"
	"strings"

	"postern/store"
)

// A token of KEYS K2 is "1", 32 characters of secret and 4 of check.
const (
	tokenLength  = 37
	secretLength = 32
	tokenKinds   = "prvaswn"
)

// findTokens finds runs of letters and digits, tokens of every kind in a squeezed text, and what is left of one that was
// split and then cut off.
func findTokens(chars []char) []span {
	secret := make([]int, len(chars)) // number of the secret that a character belongs to, or 0
	n := 0
	mark := func(from, to int) {
		n++
		for i := from; i < to; i++ {
			secret[i] = n
		}
	}
	for from, to := 0, 0; from < len(chars); from = to {
		for to = from + 1; to < len(chars) && chars[to].gap == gapNone; {
			to++
		}
		if to-from >= minRun {
			mark(from, to)
		}
	}
	run := tokenRun(chars)
	for i := range chars {
		end := i + tokenLength
		if run[i] >= tokenLength && (secret[i] == 0 || secret[i] != secret[end-1]) && isToken(chars[i:end]) {
			mark(i, end)
		}
	}
	for i := range chars {
		end := i
		for end < i+min(run[i], tokenLength) && secret[end] == 0 {
			end++
		}
		if looksCut(chars[i:end]) {
			mark(i, end)
		}
	}
	return joinMarked(chars, secret)
}

// joinMarked makes one span of neighbours that belong to one secret.
func joinMarked(chars []char, secret []int) []span {
	var marks []span
	for i, c := range chars {
		switch {
		case secret[i] == 0:
		case i > 0 && secret[i-1] == secret[i]:
			marks[len(marks)-1].to = c.to
		default:
			marks = append(marks, span{c.from, c.to})
		}
	}
	return marks
}

// tokenRun says for each place how many characters from there on may belong to one token.
func tokenRun(chars []char) []int {
	run := make([]int, len(chars))
	for i := len(chars) - 1; i >= 0; i-- {
		if _, ok := tokenDigit(chars[i].c); !ok {
			continue
		}
		run[i] = 1
		if i+1 < len(chars) {
			run[i] += run[i+1]
		}
	}
	return run
}

// tokenDigit is the digit of base32 that a character is read as.
func tokenDigit(c byte) (byte, bool) {
	switch c {
	case 'o':
		return '0', true
	case 'i', 'l':
		return '1', true
	case 'u':
		return 0, false
	}
	return c, true
}

// isToken checks the last four characters. What stood between the characters does not matter: nothing else passes.
func isToken(chars []char) bool {
	if d, _ := tokenDigit(chars[0].c); d != '1' {
		return false
	}
	var text [tokenLength]byte
	for i, c := range chars {
		text[i], _ = tokenDigit(c.c)
	}
	secret, err := store.DecodeB32(string(text[1 : 1+secretLength]))
	if err != nil {
		return false
	}
	for i := range len(tokenKinds) {
		if tokenCheck(tokenKinds[i:i+1], secret) == string(text[1+secretLength:]) {
			return true
		}
	}
	return false
}

// tokenCheck is the check of KEYS K2: b32(SHA-256(C("token-check", kind, secret))), shortened; C is that of KEYS K1.
func tokenCheck(kind string, secret []byte) string {
	var c []byte
	for _, part := range []string{"postern/v1", "token-check", kind, string(secret)} {
		c = binary.BigEndian.AppendUint16(c, uint16(len(part)))
		c = append(c, part...)
	}
	sum := sha256.Sum256(c)
	return store.EncodeB32(sum[:5])[:tokenLength-1-secretLength]
}

// looksCut reports whether characters that are no whole token may be most of one: so many with digits among them,
// split into few pieces, are nothing that a person writes.
func looksCut(chars []char) bool {
	const maxPieces, minPiece, minDigits = 3, 6, 5
	if len(chars) < minRun || chars[0].gap == gapNone {
		return false
	}
	if d, _ := tokenDigit(chars[0].c); d != '1' {
		return false
	}
	pieces, length, digits := 1, 0, 0
	for _, c := range chars[:minRun] {
		if c.gap != gapNone && length > 0 {
			if c.gap == gapHard || length < minPiece {
				return false
			}
			pieces, length = pieces+1, 0
		}
		length++
		if strings.IndexByte("0123456789", c.c) >= 0 {
			digits++
		}
	}
	return pieces <= maxPieces && digits >= minDigits
}
