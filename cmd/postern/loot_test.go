package main

import (
	"bytes"
	"encoding/base64"
	bits "encoding/binary"
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	bbolt "go.etcd.io/bbolt"
	"golang.org/x/crypto/argon2"

	"postern/store"
)

// loot is what copies of a data folder hold: all records, and all octets of all files, freed pages included.
type loot struct {
	raw      map[string]bool // pieces of all files, each once
	elements map[string]bool // values in leaves of the store's tree, those of freed pages included
	store    []byte          // the store's whole file, of the last copy
	values   [][]byte        // all that can be sealed: base64 decoded, and what begins with the id of a key
	live     map[string]bool // those that a record of some copy holds
	messages map[string]sealedMessage
	rcpts    map[rcptID]bool
	aids     map[string]bool
	sids     map[string]bool
	tids     map[string]bool
	visitors map[string]bool // addresses that have sessions without account, in their compared form
	keyIDs   map[string]bool // of accounts
	symIDs   map[string]bool // of server and queue keys
	lookups  map[string]bool
	macNames map[string]bool
	boxes    []box
}

type rcptID struct{ mid, n string }

// sealedMessage is what opens with a file key.
type sealedMessage struct{ card, body []byte }

// box is an account's key version.
type box struct{ aid, kid, params string }

// lootOf gathers from copies that freeze made.
func lootOf(t testing.TB, dirs ...string) loot {
	t.Helper()
	l := loot{raw: map[string]bool{}, elements: map[string]bool{}, live: map[string]bool{}, messages: map[string]sealedMessage{}, rcpts: map[rcptID]bool{},
		aids: map[string]bool{}, sids: map[string]bool{}, tids: map[string]bool{}, visitors: map[string]bool{}, keyIDs: map[string]bool{}, symIDs: map[string]bool{}, lookups: map[string]bool{}, macNames: map[string]bool{}}
	for _, dir := range dirs {
		l.readFiles(t, filepath.Join(dir, "data"))
		l.readRecords(t, filepath.Join(dir, "data", "postern.db"))
		for _, name := range []string{"server.key", "queue.ring"} {
			for id := range readKeys(t, dir, name) { // ids are no secrets
				l.symIDs[id] = true
			}
		}
	}
	seen := map[string]bool{}
	for _, from := range []map[string]bool{l.raw, l.elements} {
		for text := range from {
			for _, v := range l.sealedIn([]byte(text), len(text) < piece) {
				if !seen[string(v)] {
					seen[string(v)] = true
					l.values = append(l.values, v)
				}
			}
		}
	}
	for v := range l.live {
		if !l.elements[v] { // the search of the raw file must see whatever a record holds
			t.Fatalf("a record of %d octets is not found in the raw file", len(v))
		}
	}
	return l
}

// piece is how much of a file is looked at as one.
const piece = 64 << 10

// sealedIn lists what can be sealed in an octet string: base64, decoded, and with tails also whatever begins with the
// id of a key and goes on to the end.
func (l *loot) sealedIn(text []byte, tails bool) [][]byte {
	values := coded(text)
	if !tails {
		return values
	}
	for id := range l.symIDs {
		for at := 0; ; at++ {
			i := bytes.Index(text[at:], []byte(id))
			if i < 0 {
				break
			}
			at += i
			values = append(values, text[at:])
		}
	}
	return values
}

// codedText is base64 as records hold it, or as cookies do; tokenLike is base32 as ids, links and key files are written.
var (
	codedText = regexp.MustCompile(`[A-Za-z0-9+/_-]{20,}`)
	tokenLike = regexp.MustCompile(`[0-9a-hjkmnp-tv-z]{26,80}`)
)

// coded lists what is written as text: base64 as a whole, and each part of base32 that has a key's length, since tokens
// have a version before and a check behind.
func coded(text []byte) (values [][]byte) {
	for _, m := range codedText.FindAll(text, -1) {
		if v, err := base64.RawURLEncoding.DecodeString(strings.NewReplacer("+", "-", "/", "_").Replace(string(m))); err == nil {
			values = append(values, v)
		}
	}
	for _, m := range tokenLike.FindAll(text, -1) {
		for _, n := range []int{26, 32, 52} { // 16, 20 and 32 octets
			for i := 0; i+n <= len(m); i++ {
				if v, err := store.DecodeB32(string(m[i : i+n])); err == nil {
					values = append(values, v)
				}
			}
		}
	}
	return values
}

// readFiles takes every file in pieces that overlap, so that nothing is cut where it would count. Key files are left
// out: which of them an attacker has is said by the test.
func (l *loot) readFiles(t testing.TB, dir string) {
	t.Helper()
	const overlap = piece / 2
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Base(filepath.Dir(path)) == "keys" {
			return err
		}
		data, err := os.ReadFile(path)
		if d.Name() == "postern.db" {
			l.store = data
		}
		for at := 0; at < len(data); at += piece {
			l.raw[string(data[at:min(len(data), at+piece+overlap)])] = true
		}
		if bytes.HasPrefix(data, []byte("age-encryption.org/v1\n-> postern-v1 ")) {
			l.body(data)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (l *loot) body(data []byte) {
	mid := string(data[len("age-encryption.org/v1\n-> postern-v1 "):][:26])
	m := l.messages[mid]
	m.body = bytes.Clone(data)
	l.messages[mid] = m
}

// readRecords walks all buckets of the store, and then all pages of its file.
func (l *loot) readRecords(t testing.TB, path string) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.View(func(tx *bbolt.Tx) error {
		return tx.ForEach(func(name []byte, b *bbolt.Bucket) error {
			return b.ForEach(func(k, v []byte) error {
				if len(v) > 0 {
					l.live[string(v)] = true
				}
				l.record(string(name), k, v)
				return nil
			})
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	for at := 0; at < len(l.store); at += db.Info().PageSize {
		l.leaf(l.store[at:])
	}
}

// leaf notes the values of a page of bbolt's file, whether it is in use or freed: a head of 16 octets (flags 2: a leaf),
// heads of 16 octets for the elements, keys and values. A small bucket lies within its element.
func (l *loot) leaf(page []byte) {
	const head, leafFlag, bucketFlag = 16, 2, 1
	if len(page) < head || bits.LittleEndian.Uint16(page[8:]) != leafFlag {
		return
	}
	for i := range int(bits.LittleEndian.Uint16(page[10:])) {
		at := head + head*i
		if at+head > len(page) {
			return
		}
		e := page[at:]
		from := int(bits.LittleEndian.Uint32(e[4:])) + int(bits.LittleEndian.Uint32(e[8:]))
		to := from + int(bits.LittleEndian.Uint32(e[12:]))
		if to > len(e) || from > to {
			return // overwritten since
		}
		if v := e[from:to]; bits.LittleEndian.Uint32(e)&bucketFlag == 0 {
			l.elements[string(v)] = true
		} else if len(v) > head {
			l.leaf(v[head:])
		}
	}
}

// record notes what an attacker needs to know of a record: ids, mostly.
func (l *loot) record(bucket string, k, v []byte) {
	var x struct {
		Card []byte
		Keys []struct{ ID, Params string }
		Key  string
		Addr store.Address
	}
	if i := bytes.IndexByte(v, '{'); i >= 0 && bucket != "bodies" {
		_ = json.NewDecoder(bytes.NewReader(v[i:])).Decode(&x) // what is no record has nothing to note
	}
	switch bucket {
	case "messages":
		m := l.messages[store.EncodeB32(k)]
		if len(x.Card) > 0 {
			m.card = x.Card
		}
		l.messages[store.EncodeB32(k)] = m
	case "bodies":
		l.body(v[1:])
	case "recipients", "queue":
		l.rcpts[rcptID{store.EncodeB32(k[:16]), strconv.Itoa(int(bits.BigEndian.Uint32(k[16:])))}] = true
		if bucket == "queue" {
			l.symIDs[x.Key] = true
		}
	case "i_link":
		l.lookups[store.EncodeB32(k)] = true
	case "accounts":
		aid := store.EncodeB32(k)
		l.aids[aid] = true
		for _, key := range x.Keys {
			l.keyIDs[key.ID] = true
			l.boxes = append(l.boxes, box{aid, key.ID, key.Params})
		}
	case "tokens":
		l.tids[store.EncodeB32(k)] = true
		var t struct { // that of a change of password that waits to be activated holds a key
			Acct string
			Key  struct{ ID, Params string }
		}
		if i := bytes.IndexByte(v, '{'); i >= 0 && json.Unmarshal(v[i:], &t) == nil && t.Key.ID != "" {
			l.keyIDs[t.Key.ID] = true
			l.boxes = append(l.boxes, box{t.Acct, t.Key.ID, t.Key.Params})
		}
	case "sessions":
		l.sids[store.EncodeB32(k)] = true
		if !x.Addr.IsZero() {
			l.visitors[string(x.Addr.Key())] = true
		}
	case "settings":
		if name, ok := strings.CutPrefix(string(k), "mac-key/"); ok {
			l.macNames[name] = true
		}
	}
}

// ids lists what is no secret, and must not work as one.
func (l *loot) ids() (list [][]byte) {
	add := func(text string) {
		if id, err := store.DecodeB32(text); err == nil {
			list = append(list, id)
		}
	}
	for mid := range l.messages {
		add(mid)
	}
	for _, set := range []map[string]bool{l.aids, l.sids, l.keyIDs, l.symIDs, l.lookups} {
		for id := range set {
			add(id)
		}
	}
	return list
}

// contexts lists every context that a server layer can have.
func (l *loot) contexts() (list [][]string) {
	for r := range l.rcpts {
		list = append(list, []string{"link", r.mid, r.n})
	}
	for mid := range l.messages {
		list = append(list, []string{"parent", mid}, []string{"sender", mid}, []string{"message-id", mid})
		for kid := range l.keyIDs {
			list = append(list, []string{"account", mid, kid})
		}
	}
	for aid := range l.aids {
		list = append(list, []string{"reminder", aid})
		for kid := range l.keyIDs {
			list = append(list, []string{"box", aid, kid})
			for older := range l.keyIDs {
				list = append(list, []string{"chain", aid, kid, older})
			}
		}
	}
	for sid := range l.sids {
		list = append(list, []string{"session", sid})
	}
	for tid := range l.tids {
		list = append(list, []string{"code", tid})
	}
	for name := range l.macNames {
		list = append(list, []string{"mac-key", name})
	}
	return list
}

// takeKeys takes a key file of either kind; the octets of the whole file are guesses, too.
func (a *attack) takeKeys(t testing.TB, dir, name string) *attack {
	t.Helper()
	maps.Copy(map[string]map[string][]byte{"server.key": a.server, "queue.ring": a.queue}[name], readKeys(t, dir, name))
	text, err := os.ReadFile(filepath.Join(dir, "data", "keys", name))
	if err != nil {
		t.Fatal(err)
	}
	a.guessAll(text, false)
	return a
}

// readKeys reads a key file: keys by their ids.
func readKeys(t testing.TB, dir, name string) map[string][]byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "data", "keys", name))
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string][]byte{}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		secret, err := store.DecodeB32(fields[len(fields)-1])
		if err != nil || len(secret) != 34 || keyID(secret[:32]) != fields[1] {
			t.Fatalf("%s has a line that is not as FORMAT.md says", name)
		}
		keys[fields[1]] = secret[:32]
	}
	return keys
}

// tryPassword opens the boxes of accounts with a password; each costs an Argon2id.
func (a *attack) tryPassword(t testing.TB, password string) *attack {
	t.Helper()
	for _, b := range a.boxes {
		_, salted, _ := strings.Cut(b.params, "salt=")
		salt, err := store.DecodeB32(salted)
		if err != nil || !strings.HasPrefix(b.params, "argon2id,t=3,m=65536,p=4,") {
			t.Fatalf("parameters %q are not as FORMAT.md says", b.params)
		}
		stretched := argon2.IDKey([]byte(password), salt, 3, 64<<10, 4, 32)
		key := formatDerive(stretched, "password", b.aid, b.kid)
		for _, l := range a.layers {
			if l.ctx[0] != "box" {
				continue
			}
			if seed, ok := formatBox(key, l.inner, "password", b.aid, b.kid, b.params); ok {
				a.guessAll(seed, false)
			}
		}
	}
	return a
}
