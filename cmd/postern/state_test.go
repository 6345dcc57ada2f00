package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	bbolt "go.etcd.io/bbolt"

	"postern/store"
)

// recordsOf is everything that a gateway's store holds, bucket by bucket, but for what fetches of links may change: their
// counters, the number of the record's version, and that of the last commit.
func recordsOf(t testing.TB, dir string) map[string]string {
	t.Helper()
	db, err := bbolt.Open(filepath.Join(dir, "data", "postern.db"), 0o600, &bbolt.Options{ReadOnly: true, Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	state := map[string]string{}
	err = db.View(func(tx *bbolt.Tx) error {
		return tx.ForEach(func(name []byte, b *bbolt.Bucket) error {
			return b.ForEach(func(k, v []byte) error {
				if string(name) != "meta" {
					state[fmt.Sprintf("%s %x", name, k)] = plainRecord(string(name), v)
				}
				return nil
			})
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return state
}

func plainRecord(bucket string, v []byte) string {
	var record map[string]any
	if bucket != "recipients" || json.Unmarshal(v[1:], &record) != nil {
		if i := bytes.IndexByte(v, '{'); i >= 0 {
			return string(v[i:])
		}
		return hex.EncodeToString(v)
	}
	delete(record, "v")
	delete(record, "fetched")
	text, err := json.Marshal(record)
	if err != nil {
		return hex.EncodeToString(v)
	}
	return string(text)
}

// changed lists how two states differ.
func changed(before, after map[string]string) (list []string) {
	for _, k := range slices.Sorted(maps.Keys(before)) {
		if now, ok := after[k]; !ok {
			list = append(list, fmt.Sprintf("%s is gone; it was %.300s", k, before[k]))
		} else if now != before[k] {
			list = append(list, fmt.Sprintf("%s was %.300s\n\tand is %.300s", k, before[k], now))
		}
	}
	for _, k := range slices.Sorted(maps.Keys(after)) {
		if _, ok := before[k]; !ok {
			list = append(list, fmt.Sprintf("%s is new: %.300s", k, after[k]))
		}
	}
	return list
}

// wantUnchanged fails for every record that differs from an earlier state. That somebody tried to sign in is on record
// and may be: it says what happened, and changes nothing.
func (tr *trial) wantUnchanged(before map[string]string, by string) {
	tr.t.Helper()
	after := recordsOf(tr.t, tr.freeze())
	for k, v := range after {
		if before[k] == "" && strings.HasPrefix(k, "audit ") && strings.Contains(v, `"account.sign-in-failed"`) {
			id := strings.TrimPrefix(k, "audit ")
			raw, err := hex.DecodeString(id)
			if err != nil {
				tr.t.Fatal(err)
			}
			for i := range raw {
				raw[i] = ^raw[i]
			}
			maps.DeleteFunc(after, func(k, _ string) bool {
				index := strings.HasPrefix(k, "a_account ") || strings.HasPrefix(k, "a_what ")
				return k == "audit "+id || index && strings.HasSuffix(k, hex.EncodeToString(raw))
			})
		}
	}
	for k := range after { // such events are counted by the day
		if strings.HasPrefix(k, "tally ") && strings.HasSuffix(k, hex.EncodeToString([]byte(store.EventSignInFail))) {
			delete(after, k)
			if count, ok := before[k]; ok {
				after[k] = count
			}
		}
	}
	for _, c := range changed(before, after) {
		tr.t.Errorf("%s changed a record: %s", by, c)
	}
}
