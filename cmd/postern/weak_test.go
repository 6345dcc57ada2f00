package main

import (
	"encoding/json"
	"maps"
	"path/filepath"
	"slices"
	"testing"
	"time"

	bbolt "go.etcd.io/bbolt"

	"postern/store/seal"
)

// weakness is something that a careless program would leave in one record of the store.
type weakness struct {
	name   string
	record any      // is written as JSON
	opens  []string // the messages that it gives away
}

// checkWeak puts one careless record at a time into a copy that is otherwise as it was. The same attack that opened
// nothing must succeed then, with no more than what is found beyond before: TestI3Blindness fails when a program is as
// careless as that.
func (b *blindRun) checkWeak(copied string, blind *attack) {
	b.t.Helper()
	before := map[string]bool{}
	for _, v := range blind.values {
		before[string(v)] = true
	}
	for _, w := range b.weaknesses(copied, blind) {
		dir := b.t.TempDir()
		copyFolder(b.t, copied, dir)
		putRecord(b.t, filepath.Join(dir, "data", "postern.db"), w.record)
		found := slices.DeleteFunc(lootOf(b.t, dir).values, func(v []byte) bool { return before[string(v)] })
		b.wantOpen("carelessness: "+w.name, blind.with(func(a *attack) { a.look(found) }), w.opens...)
	}
}

// weaknesses lists them, made of what the recipient's password opens.
func (b *blindRun) weaknesses(copied string, blind *attack) []weakness {
	b.t.Helper()
	known := blind.with(func(a *attack) { a.tryPassword(b.t, goodPassword) })
	link, err := seal.ParseToken(seal.TokenPickup, b.link)
	if err != nil {
		b.t.Fatal(err)
	}
	cookie, err := seal.ParseSessionToken(b.cookie)
	if err != nil {
		b.t.Fatal(err)
	}
	mid := b.midOf(known, b.first)
	kid := slices.Collect(maps.Keys(known.seeds))[0]
	all := []string{"small", "large", "confirmed", "reply", "aliased", "merged"}
	type rec = map[string]any
	return []weakness{
		{"none", rec{"Note": "nothing of use to anybody"}, nil},
		{"a file key in clear", rec{"Key": known.fileKeys[mid]}, []string{b.first, "reply"}},
		{"an account's grant under the server layer alone", rec{"Grant": b.serverLayer(copied, known.fileKeys[mid], "account", mid, kid)}, []string{b.first, "reply"}},
		{"a link's secret in octets", rec{"Secret": link[:]}, []string{b.first, "reply"}},
		{"a link as text", rec{"Link": b.link}, []string{b.first, "reply"}},
		{"a link under the server layer", rec{"Link": b.serverLayer(copied, []byte(b.link), "message-id", mid)}, []string{b.first, "reply"}},
		{"an account's seed in octets", rec{"Seed": known.seeds[kid]}, all},
		{"an account's box without the password", rec{"Box": b.serverLayer(copied, known.seeds[kid], "box", b.aid(known), kid)}, all},
		{"a session's token in octets", rec{"Token": cookie[:]}, all},
		{"a cookie as text", rec{"Cookie": b.cookie}, all},
	}
}

// midOf is the id of the message that holds a text.
func (b *blindRun) midOf(a *attack, name string) string {
	b.t.Helper()
	for mid, fk := range a.fileKeys {
		one := a.with(func(a *attack) { a.guessAll(fk, false) })
		if one.found(b.text[name]) && !one.found(b.text["confirmed"]) && len(one.fileKeys) > 1 { // with its reply
			return mid
		}
	}
	b.t.Fatalf("no message holds the text of %s", name)
	return ""
}

// aid is the id of the one account.
func (b *blindRun) aid(a *attack) string {
	b.t.Helper()
	for _, box := range a.boxes {
		return box.aid
	}
	b.t.Fatal("there is no account")
	return ""
}

// serverLayer seals as FORMAT.md says, with the newest server key of a copy.
func (b *blindRun) serverLayer(copied string, x []byte, ctx ...string) []byte {
	b.t.Helper()
	for id, key := range readKeys(b.t, copied, "server.key") {
		full := append([]string{"server", id}, ctx...)
		return append([]byte(id), formatSeal(formatDerive(key, full...), x, full...)...)
	}
	b.t.Fatal("the copy has no server key")
	return nil
}

// putRecord adds a record to the settings of a store.
func putRecord(t testing.TB, path string, record any) {
	t.Helper()
	text, err := json.Marshal(record)
	if err != nil {
		t.Fatal(err)
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.Update(func(tx *bbolt.Tx) error { return tx.Bucket([]byte("settings")).Put([]byte("careless"), text) })
	if err != nil {
		t.Fatal(err)
	}
}
