package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"regexp"
	"strings"
	"sync/atomic"

	"postern/store"
	"postern/store/seal"
)

// hider spells addresses in the log with their local part hashed under a key of the data folder (log.addresses:
// hashed): lines about one person can be joined but not read. It looks at every text of a line, because next hops quote
// addresses in their answers, and errors do.
type hider struct{ key atomic.Pointer[[32]byte] }

// hiddenMark leads what stands for a local part.
const hiddenMark = "h-"

// addressLike is whatever might be an address, also in a URL. It takes too much rather than too little.
var addressLike = regexp.MustCompile(`("[^"]*"|[^\s"<>()\[\],;:\\@]+)(?:@|%40)([^\s"<>()\],;:\\@]+)`)

// use sets the key; before that, local parts are left out.
func (h *hider) use(key seal.MACKey) {
	sum := key.Sum("log-address")
	h.key.Store(&sum)
}

// text hides every address in a text. One that is hidden already stays as it is.
func (h *hider) text(s string) string {
	if !strings.Contains(s, "@") && !strings.Contains(s, "%40") {
		return s
	}
	return addressLike.ReplaceAllStringFunc(s, func(found string) string {
		m := addressLike.FindStringSubmatch(found)
		if isHidden(m[1]) {
			return found
		}
		return h.spell(m[1], m[2])
	})
}

// address spells an address.
func (h *hider) address(a store.Address) string {
	return h.spell(a.Local, store.DomainKey(a.Domain))
}

func (h *hider) spell(local, domain string) string {
	key := h.key.Load()
	if key == nil {
		return hiddenMark + "@" + domain
	}
	name := strings.ToLower(local + "@" + domain)
	if a, err := store.ParseAddress(local + "@" + domain); err == nil {
		name = string(a.Key())
	}
	mac := hmac.New(sha256.New, key[:])
	mac.Write([]byte(name))
	return hiddenMark + store.EncodeB32(mac.Sum(nil)[:hiddenOctets]) + "@" + domain
}

// hiddenOctets is how much of a hash is written.
const hiddenOctets = 10

func isHidden(local string) bool {
	hash, ok := strings.CutPrefix(local, hiddenMark)
	return ok && (hash == "" || len(hash) == hiddenOctets*8/5 && strings.Trim(hash, "0123456789abcdefghjkmnpqrstvwxyz") == "")
}
