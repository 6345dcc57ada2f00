package main

import (
	"bytes"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"postern/store"
	"postern/store/seal"
)

// attack is what somebody does who has copies of the data folder and some keys: open every server layer, and try all
// that comes out, and every part of it, as every kind of key on everything, again and again until nothing new opens.
// Its cryptography is written from store/seal/FORMAT.md, not shared with the program.
type attack struct {
	loot
	server, queue map[string][]byte // keys by id

	layers []layer // what lies under server layers
	dead   int     // live values with a known server key that do not open
	tried  map[string]bool
	todo   []guess

	fileKeys map[string][]byte // by message
	seeds    map[string][]byte // of accounts, by key id
	sessions int
	links    int
	notices  int
	plain    [][]byte // all content that was opened
}

// layer is what was under a server layer, with the context that it was bound to.
type layer struct {
	ctx   []string
	inner []byte
}

// guess is a string of 16, 20 or 32 octets that may be a key. A cheap one is tried only where that costs little.
type guess struct {
	octets []byte
	cheap  bool
}

func newAttack(l loot) *attack {
	return &attack{loot: l, server: map[string][]byte{}, queue: map[string][]byte{}, tried: map[string]bool{},
		fileKeys: map[string][]byte{}, seeds: map[string][]byte{}}
}

// run goes on until nothing new opens.
func (a *attack) run() *attack {
	for _, k := range a.server {
		a.guessAll(k, false)
		for _, label := range []string{"check", "browser", "server", "link", "card", "key-id", "lookup"} {
			a.guessAll(formatDerive(k, label), false)
		}
	}
	a.look(a.values)
	for _, id := range a.ids() {
		for _, octets := range [][]byte{id, []byte(store.EncodeB32(id))} {
			a.tryFileKey(guess{octets: octets})
			a.tryLink(guess{octets: octets})
			a.trySession(guess{octets: octets})
		}
	}
	return a.spend()
}

// look takes the server layer off values, and notes as guesses what lies under it and the values themselves.
func (a *attack) look(values [][]byte) {
	known := len(a.layers)
	a.openLayers(values)
	for _, l := range a.layers[known:] {
		a.guessAll(l.inner, false)
		for _, v := range coded(l.inner) {
			a.guessAll(v, false)
		}
	}
	for _, v := range values {
		a.guessAll(v, len(v) != 16 && len(v) != 20 && len(v) != 32)
	}
}

// deep is run that tries every octet of the newest store's file besides.
func (a *attack) deep() *attack {
	a.guessAll(a.store, true)
	return a.run()
}

// with is an attack by somebody who has the same and besides that something that opens; it begins with that alone.
func (a *attack) with(more func(*attack)) *attack {
	b := newAttack(a.loot)
	maps.Copy(b.server, a.server)
	maps.Copy(b.queue, a.queue)
	b.layers = slices.Clone(a.layers)
	more(b)
	return b.spend()
}

// spend tries all guesses, and what they lead to.
func (a *attack) spend() *attack {
	a.openQueue()
	for len(a.todo) > 0 {
		g := a.todo[0]
		a.todo = a.todo[1:]
		a.try(g)
	}
	return a
}

// guessAll notes every part of octets that can be a key. It sees whole files, so the race detector is told not to look.
//
//go:norace
func (a *attack) guessAll(octets []byte, cheap bool) {
	for _, n := range []int{16, 20, 32} {
		for i := 0; i+n <= len(octets); i++ {
			part := octets[i : i+n]
			if cheap && !likely(part) || a.tried[string(part)] {
				continue
			}
			a.tried[string(part)] = true
			a.todo = append(a.todo, guess{part, cheap})
		}
	}
}

// likely reports whether octets can be random: neither all text nor with many zeros. Of 2^31 random keys of 16 octets
// it passes over one.
//
//go:norace
func likely(part []byte) bool {
	zeros, letters := 0, 0
	for _, c := range part {
		if c == 0 {
			zeros++
		}
		if c >= ' ' && c < 0x7f {
			letters++
		}
	}
	return zeros < 6 && letters < len(part)
}

// openLayers takes the server layer off values.
func (a *attack) openLayers(values [][]byte) {
	seen := map[string]bool{}
	contexts := a.contexts()
	for _, v := range values {
		if len(v) < 8 || a.server[string(v[:8])] == nil {
			continue
		}
		ctx, inner, ok := a.layerOf(v, contexts)
		switch {
		case ok && !seen[fmt.Sprint(ctx)+string(inner)]: // rotation leaves what is inside as it is
			seen[fmt.Sprint(ctx)+string(inner)] = true
			a.layers = append(a.layers, layer{ctx, inner})
		case !ok && a.inRecord(v):
			a.dead++
		}
	}
}

// inRecord reports whether a value stands as it is in a record that is in use.
func (a *attack) inRecord(v []byte) bool {
	text := base64.StdEncoding.EncodeToString(v)
	for record := range a.live {
		if strings.Contains(record, `"`+text+`"`) || record[1:] == string(v) {
			return true
		}
	}
	return false
}

func (a *attack) layerOf(v []byte, contexts [][]string) ([]string, []byte, bool) {
	id := string(v[:8])
	for _, ctx := range contexts {
		full := append([]string{"server", id}, ctx...)
		if inner, ok := formatBox(formatDerive(a.server[id], full...), v[8:], full...); ok {
			return ctx, inner, true
		}
	}
	return nil, nil, false
}

// openQueue opens queue items with the queue keys there are.
func (a *attack) openQueue() {
	for _, v := range a.values {
		if len(v) < 8 || a.queue[string(v[:8])] == nil {
			continue
		}
		id := string(v[:8])
		for r := range a.rcpts {
			ctx := []string{"queue", id, r.mid, r.n}
			if fk, ok := formatBox(formatDerive(a.queue[id], ctx...), v[8:], ctx...); ok {
				a.guessAll(fk, false)
			}
			ctx = []string{"notice", id, r.mid + "." + r.n}
			if text, ok := formatBox(formatDerive(a.queue[id], ctx...), v[8:], ctx...); ok {
				a.openNotice(text)
			}
		}
	}
}

var tokenText = regexp.MustCompile(`/p/([0-9a-z]{37})`)

// openNotice takes the links out of a mail.
func (a *attack) openNotice(text []byte) {
	var item struct{ Mail []byte }
	if json.Unmarshal(text, &item) != nil {
		return
	}
	a.notices++
	a.plain = append(a.plain, item.Mail)
	for _, m := range tokenText.FindAllSubmatch(item.Mail, -1) {
		if secret, err := seal.ParseToken(seal.TokenPickup, string(m[1])); err == nil {
			a.guessAll(secret[:], false)
		}
	}
}

// try uses a guess as every kind of key that has its length.
func (a *attack) try(g guess) {
	switch len(g.octets) {
	case 16:
		a.tryFileKey(g)
	case 20:
		a.tryLink(g)
	case 32:
		a.tryKey(g)
	}
}

func (a *attack) tryFileKey(g guess) {
	for mid, m := range a.messages {
		if a.fileKeys[mid] == nil && m.opens(mid, g.octets) {
			a.fileKeys[mid] = g.octets
			a.read(mid, m, g.octets)
		}
	}
	if g.cheap {
		return
	}
	for _, l := range a.layers {
		if l.ctx[0] != "parent" {
			continue
		}
		for parent := range a.messages {
			ctx := []string{"parent", parent, l.ctx[1]}
			if fk, ok := formatBox(formatDerive(g.octets, ctx...), l.inner, ctx...); ok {
				a.guessAll(fk, false)
			}
		}
	}
}

// opens reports whether a file key is that of the message: its card opens, or the MAC of its body's header is right.
func (m sealedMessage) opens(mid string, fk []byte) bool {
	if len(m.card) > 0 {
		_, ok := formatBox(formatDerive(fk, "card", mid), m.card, "card", mid)
		return ok
	}
	head, mac, ok := bytes.Cut(m.body, []byte("\n--- "))
	if !ok || len(mac) < 43 {
		return false
	}
	want, err := base64.RawStdEncoding.DecodeString(string(mac[:43]))
	if err != nil {
		return false
	}
	key, err := hkdf.Key(sha256.New, fk, nil, "header", 32)
	if err != nil {
		panic(err)
	}
	h := hmac.New(sha256.New, key)
	h.Write(append(bytes.Clone(head), "\n---"...))
	return hmac.Equal(h.Sum(nil), want)
}

// read keeps what a message says.
func (a *attack) read(mid string, m sealedMessage, fk []byte) {
	if card, ok := formatBox(formatDerive(fk, "card", mid), m.card, "card", mid); ok {
		a.plain = append(a.plain, card)
	}
	id, err := store.ParseMessageID(mid)
	if err != nil || len(fk) != len(seal.FileKey{}) {
		return
	}
	body, err := seal.Open(bytes.NewReader(m.body), int64(len(m.body)), id, seal.FileKey(fk))
	if err != nil {
		return
	}
	text := make([]byte, body.Size())
	if _, err := body.ReadAt(text, 0); err == nil {
		a.plain = append(a.plain, text)
	}
}

func (a *attack) tryLink(g guess) {
	lookup := store.EncodeB32(formatDerive(g.octets, "lookup", "p")[:16])
	if a.lookups[lookup] {
		a.links++
	} else if g.cheap {
		return
	}
	for _, l := range a.layers {
		if l.ctx[0] != "link" && l.ctx[0] != "sender" {
			continue
		}
		if fk, ok := formatBox(formatDerive(g.octets, l.ctx...), l.inner, l.ctx...); ok {
			a.guessAll(fk, false)
		}
	}
}

// tryKey uses 32 octets as a server key, a queue key, a session's token and a seed.
func (a *attack) tryKey(g guess) {
	id := keyID(g.octets)
	if a.symIDs[id] && a.queue[id] == nil && a.server[id] == nil {
		a.queue[id] = g.octets
		a.openQueue()
	}
	a.trySession(g)
	if g.cheap {
		return
	}
	seed := seal.Seed(g.octets)
	if kid := string(seal.PublicKeyID(seed.Public())); a.keyIDs[kid] && a.seeds[kid] == nil {
		a.seeds[kid] = g.octets
		a.useSeed(seed, kid)
	}
}

func (a *attack) trySession(g guess) {
	if sid := store.EncodeB32(formatDerive(g.octets, "session-id")[:16]); !a.sids[sid] && g.cheap {
		return
	}
	for _, l := range a.layers {
		if l.ctx[0] != "session" {
			continue
		}
		key := formatDerive(g.octets, "session", l.ctx[1])
		for address := range a.visitors {
			if links, ok := formatBox(key, l.inner, "session", l.ctx[1], address, "code"); ok {
				a.sessions++
				a.guessAll(links, false)
			}
		}
		for aid := range a.aids {
			if seed, ok := formatBox(key, l.inner, "session", l.ctx[1], aid, "full"); ok {
				a.sessions++
				a.guessAll(seed, false)
			}
		}
	}
}

// useSeed opens account grants and chains; HPKE is the library's.
func (a *attack) useSeed(seed seal.Seed, kid string) {
	for _, l := range a.layers {
		if l.ctx[0] == "account" && l.ctx[2] == kid {
			if fk, err := openHPKE(seed, l.inner, formatC("account", kid, l.ctx[1])); err == nil {
				a.guessAll(fk, false)
			}
		}
		if l.ctx[0] == "chain" && l.ctx[2] == kid {
			if old, err := openHPKE(seed, l.inner, formatC(l.ctx...)); err == nil {
				a.guessAll(old, false)
			}
		}
	}
}

// found reports whether a text stands in what was opened.
func (a *attack) found(text string) bool {
	for _, p := range a.plain {
		if bytes.Contains(p, []byte(text)) {
			return true
		}
	}
	return false
}

// gains lists what opened, in one line.
func (a *attack) gains() string {
	var out []string
	for name, n := range map[string]int{"message": len(a.fileKeys), "account": len(a.seeds), "session": a.sessions, "link": a.links, "notice": a.notices, "text": len(a.plain)} {
		if n > 0 {
			out = append(out, fmt.Sprintf("%d %s", n, name))
		}
	}
	return strings.Join(out, ", ")
}
