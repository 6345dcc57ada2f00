package bolt

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"testing"

	bbolt "go.etcd.io/bbolt"

	"postern/store"
)

// derived are the buckets that follow from records.
var derived = []bucket{
	linkB, inboxB, sentB, replyB, unclaimedB, expiryB, senderB, rcptB, stateB, msgidB, blobsB, threadEndB, countersB, addressB,
	peopleB, wordB, recentB, adminAddressB, groupNameB, groupWaitB, ruleB, refusedB, auditWhatB, auditActorB, sessionOfB, visitsB, sessionEndB, tokenEndB, tokenHoldB, dueB, ownerB, queueKeyB, firstB, auditMessageB, auditAccountB,
}

// expected collects what the derived buckets must hold.
type expected map[bucket]map[string]string

func (e expected) add(entries ...entry) {
	for _, x := range entries {
		if e[x.in] == nil {
			e[x.in] = make(map[string]string)
		}
		e[x.in][string(x.key)] = string(x.val)
	}
}

func (e expected) count(name string) {
	n := number([]byte(e[countersB][name]))
	e.add(entry{in: countersB, key: []byte(name), val: be64(n + 1)})
}

// verify recomputes every index entry and counter from the records and compares them with what is stored: nothing may
// be missing, left behind or wrong.
func verify(t testing.TB, s *Store) {
	t.Helper()
	err := s.db.View(func(b *bbolt.Tx) error {
		tx := newTx(s, b)
		want := make(expected)
		want.messages(t, tx)
		want.people(t, tx)
		want.queue(t, tx)
		for _, in := range derived {
			compare(t, tx, in, want[in])
		}
		for k := range tx.up(tokenOfB, nil, nil) { // ended tokens leave this list without being written
			if !tx.has(tokensB, tail(k, idLen)) {
				t.Errorf("i_token_of names a token that is gone: %x", k)
			}
		}
		for problem := range b.Check() {
			t.Errorf("data file: %v", problem)
		}
		return nil
	})
	if err != nil {
		t.Errorf("verify: %v", err)
	}
}

func (e expected) messages(t testing.TB, tx *tx) {
	for k := range tx.up(messagesB, nil, nil) {
		m, err := messages{tx}.Get(toID[store.MessageID](k))
		if err != nil {
			t.Errorf("verify: %v", err)
		}
		e.add(messageEntries(m)...)
		if !m.Blob.IsZero() && m.Refs > 0 {
			e.add(entry{in: blobsB, key: m.Blob[:], val: k})
		}
		for range tx.up(recipientsB, k, nil) {
			if m.Refused {
				e.count(refusedCounter)
			}
		}
		if m.Refs == 0 && tx.has(bodiesB, k) {
			t.Errorf("message %s has a body that nobody needs", m.ID)
		}
	}
	for k := range tx.up(recipientsB, nil, nil) {
		r, err := messages{tx}.row(k)
		if err != nil {
			t.Errorf("verify: %v", err)
		}
		entries, err := rcptEntries(r)
		if err != nil {
			t.Errorf("verify: %v", err)
		}
		e.add(entries...)
		e.count(stateCounter(r.State))
		if c := sealedCounter(r); c != "" {
			e.count(c)
		}
	}
	for k, v := range tx.up(threadsB, nil, nil) {
		e.add(entry{in: threadEndB, key: join(tail(v, msLen), k)})
	}
}

func (e expected) people(t testing.TB, tx *tx) {
	for k := range tx.up(accountsB, nil, nil) {
		a, err := accounts{tx}.Get(toID[store.AccountID](k))
		if err != nil {
			t.Errorf("verify: %v", err)
		}
		entries, err := accountEntries(a)
		if err != nil {
			t.Errorf("verify: %v", err)
		}
		e.add(entries...)
		for _, g := range groupsOf(a) {
			e.count(groupCounter(g))
		}
	}
	for k := range tx.up(groupsB, nil, nil) {
		g, err := groups{tx}.Get(toID[store.GroupID](k))
		if err != nil {
			t.Errorf("verify: %v", err)
		}
		e.add(groupEntries(g)...)
	}
	for k := range tx.up(groupPersonB, nil, nil) {
		p, err := groups{tx}.person(k)
		if err != nil {
			t.Errorf("verify: %v", err)
		}
		e.add(personEntries(p)...)
		e.count(personCounter(p))
	}
	for k := range tx.up(adminsB, nil, nil) {
		a, err := administrators{tx}.Get(toID[store.AccountID](k))
		if err != nil {
			t.Errorf("verify: %v", err)
		}
		e.add(administratorEntries(a)...)
	}
	for k := range tx.up(sessionsB, nil, nil) {
		s, err := sessions{tx}.Get(toID[store.SessionID](k))
		if err != nil {
			t.Errorf("verify: %v", err)
		}
		e.add(sessionEntries(s)...)
	}
	for k := range tx.up(tokensB, nil, nil) {
		tok, err := tokens{tx}.get(toID[store.TokenID](k))
		if err != nil {
			t.Errorf("verify: %v", err)
		}
		e.add(tokenEntries(tok)...)
	}
}

func (e expected) queue(t testing.TB, tx *tx) {
	for k := range tx.up(queueB, nil, nil) {
		i, err := queue{tx}.Get(toRcpt(k))
		if err != nil {
			t.Errorf("verify: %v", err)
		}
		e.add(itemEntries(i)...)
		e.count(itemCounter)
	}
	for k := range tx.up(auditB, nil, nil) {
		ev, err := audit{tx}.read(k)
		if err != nil {
			t.Errorf("verify: %v", err)
		}
		e.add(eventEntries(ev)...)
	}
}

func compare(t testing.TB, tx *tx, in bucket, want map[string]string) {
	t.Helper()
	found := make(map[string]bool)
	for k, v := range tx.up(in, nil, nil) {
		found[string(k)] = true
		w, ok := want[string(k)]
		if !ok && in == countersB && bytes.Equal(v, be64(0)) {
			continue
		}
		if !ok || w != string(v) {
			t.Errorf("%s holds %s, expected is %s", buckets[in], show(k, v), show(k, []byte(w)))
		}
	}
	for k, v := range want {
		if !found[k] {
			t.Errorf("%s lacks %s", buckets[in], show([]byte(k), []byte(v)))
		}
	}
}

func show(k, v []byte) string {
	return fmt.Sprintf("%s -> %s", hex.EncodeToString(k), hex.EncodeToString(v))
}
