package bolt

import (
	"bytes"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	bbolt "go.etcd.io/bbolt"

	"postern/store"
	"postern/store/blob"
)

// secretText stands in a damaged value: no error or log may show it.
const secretText = "confidential"

// damage opens a store whose log it answers, after one row of a bucket was damaged.
func damage(t *testing.T, dir string, in bucket, key []byte) (*Store, *bytes.Buffer) {
	t.Helper()
	edit(t, dir, func(b *bbolt.Tx) error {
		return b.Bucket([]byte(buckets[in])).Put(key, []byte("\x01{\"addr\":\""+secretText))
	})
	log := new(bytes.Buffer)
	s, err := Open(Config{Dir: dir, Blobs: blob.In(filepath.Join(dir, "blobs")), Log: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, log
}

func update(t *testing.T, s *Store, f func(tx store.Tx) error) {
	t.Helper()
	if err := s.Update(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

func named(t *testing.T, what string, err error, id string) {
	t.Helper()
	if !errors.Is(err, store.ErrCorrupt) || !strings.Contains(err.Error(), id) || strings.Contains(err.Error(), secretText) {
		t.Errorf("%s: %v; want ErrCorrupt that names %s and nothing of the value", what, err, id)
	}
}

func TestADamagedRecipientDoesNotBreakLists(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openIn(t, dir)
	account := store.AccountID{1}
	var keys []store.RcptKey
	update(t, s, func(tx store.Tx) error {
		for n := range 5 {
			m, r := sample(n)
			r.Action, r.Account = store.ActionSeal, account
			keys = append(keys, r.Key)
			if err := tx.Messages().Create(m, []store.Recipient{r}); err != nil {
				return err
			}
		}
		return nil
	})
	s.Close()
	s, log := damage(t, dir, recipientsB, rcptKey(keys[2]))
	err := s.View(t.Context(), func(tx store.Tx) error {
		_, err := tx.Messages().Recipient(keys[2])
		named(t, "recipient", err, keys[2].String())
		inbox, _, err := tx.Messages().Inbox(account, "", 4)
		if err != nil || len(inbox) != 4 || inbox[1].Key != keys[3] || inbox[2].Key != keys[1] {
			t.Errorf("inbox of %d rows, %v", len(inbox), err)
		}
		all, _, err := tx.Messages().List(store.Filter{Sender: "alice@example.org"}, "", 9)
		if err != nil || len(all) != 4 {
			t.Errorf("list of %d rows, %v", len(all), err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), keys[2].String()) || strings.Contains(log.String(), secretText) {
		t.Errorf("log: %s", log)
	}
}

// TestI5ADamagedQueueItemHoldsUpNobody: the items behind it go out, its domain does not stay due, and it can be removed.
func TestI5ADamagedQueueItemHoldsUpNobody(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openIn(t, dir)
	var keys []store.RcptKey
	update(t, s, func(tx store.Tx) error {
		for n := range 3 {
			m, r := sample(n)
			keys = append(keys, r.Key)
			if err := accept(tx, m, r, nil); err != nil {
				return err
			}
		}
		return nil
	})
	s.Close()
	s, log := damage(t, dir, queueB, rcptKey(keys[0]))
	now := testTime.Add(time.Hour)
	update(t, s, func(tx store.Tx) error {
		items, err := tx.Queue().Claim(store.Claim{Domain: "example.net", Owner: store.Owner{1}, Now: now, Lease: time.Hour, Max: 2})
		if err != nil || len(items) != 2 || items[0].Key != keys[1] {
			t.Errorf("claimed %+v, %v", items, err)
		}
		_, err = tx.Queue().Get(keys[0])
		named(t, "item", err, keys[0].String())
		return nil
	})
	if !strings.Contains(log.String(), keys[0].String()) {
		t.Errorf("log: %s", log)
	}
	update(t, s, func(tx store.Tx) error {
		d, err := tx.Queue().Destinations("", 9)
		if err != nil || len(d) != 1 || !d[0].Due.After(now) {
			t.Errorf("destinations after the claim: %+v, %v", d, err)
		}
		if _, err := tx.Queue().Recover(store.Owner{2}, now); err != nil {
			return err
		}
		return tx.Queue().Remove(keys[0])
	})
	verify(t, s)
}

func TestDamagedRowsCanBeSwept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openIn(t, dir)
	id := [16]byte{7}
	update(t, s, func(tx store.Tx) error {
		return errors.Join(
			tx.Sessions().Put(store.Session{ID: id, Account: store.AccountID{1}, Seen: testTime, Ends: testTime}),
			tx.Sessions().Put(store.Session{ID: [16]byte{8}, Account: store.AccountID{1}, Seen: testTime, Ends: testTime}),
			tx.Tokens().Put(store.Token{ID: id, Purpose: store.PurposeReset, Owner: "o", Created: testTime, Ends: testTime.Add(1e9)}, store.Keep{}))
	})
	s.Close()
	edit(t, dir, func(b *bbolt.Tx) error { return b.Bucket([]byte("sessions")).Put(id[:], []byte("\x09{}")) })
	s, log := damage(t, dir, tokensB, id[:])
	update(t, s, func(tx store.Tx) error {
		_, err := tx.Sessions().Get(id)
		named(t, "session", err, store.SessionID(id).String())
		left, err := tx.Sessions().Of(store.AccountID{1})
		if err != nil || len(left) != 1 {
			t.Errorf("sessions of the account: %+v, %v", left, err)
		}
		live, err := tx.Tokens().Of(store.PurposeReset, "o", testTime)
		if err != nil || len(live) != 0 {
			t.Errorf("tokens of the owner: %+v, %v", live, err)
		}
		return errors.Join(tx.Sessions().Delete(id), tx.Tokens().Delete(id))
	})
	if strings.Contains(log.String(), secretText) {
		t.Errorf("log: %s", log)
	}
	verify(t, s)
}

func TestDamagedRecordsAreNamed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openIn(t, dir)
	m, r := sample(0)
	account := store.Account{ID: store.AccountID{3}, Address: r.Address, Status: store.StatusActive}
	event := store.Event{ID: store.NewEventID(testTime), What: store.EventOpened, Message: m.ID}
	update(t, s, func(tx store.Tx) error {
		return errors.Join(accept(tx, m, r, []byte("body")), tx.Accounts().Create(account), tx.Audit().Add(event),
			tx.Settings().Set("name", []byte("x")))
	})
	s.Close()
	edit(t, dir, func(b *bbolt.Tx) error {
		return errors.Join(
			b.Bucket([]byte("bodies")).Put(m.ID[:], []byte("\x02"+secretText)),
			b.Bucket([]byte("accounts")).Put(account.ID[:], []byte("\x01{"+secretText)),
			b.Bucket([]byte("audit")).Put(event.ID[:], []byte("\x01"+secretText)),
			b.Bucket([]byte("settings")).Put([]byte("name"), []byte("\x02"+secretText)))
	})
	s, log := damage(t, dir, messagesB, m.ID[:])
	err := s.View(t.Context(), func(tx store.Tx) error {
		_, msgErr := tx.Messages().Get(m.ID)
		_, bodyErr := tx.Bodies().Get(m.ID)
		_, accErr := tx.Accounts().ByAddress(r.Address.Key())
		_, setErr := tx.Settings().Get("name")
		named(t, "message", msgErr, m.ID.String())
		named(t, "body", bodyErr, m.ID.String())
		named(t, "account", accErr, account.ID.String())
		named(t, "setting", setErr, "name")
		events, _, err := tx.Audit().OfMessage(m.ID, "", 9)
		if err != nil || len(events) != 1 {
			t.Errorf("events: %+v, %v", events, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(log.String(), secretText) || !strings.Contains(log.String(), event.ID.String()) {
		t.Errorf("log: %s", log)
	}
}

// TestDamagedRefusalsMakeRoom: rows of refused messages that do not read back go like others, with their entries and
// their share of the count; the events of them stay.
func TestDamagedRefusalsMakeRoom(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]bucket{"message": messagesB, "recipient": recipientsB} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := openIn(t, dir)
			refuse := func(n int) store.RcptKey {
				m, r := sample(n)
				m.Refs, m.Thread, r.Action, r.State, r.Rule = 0, store.ThreadID{byte(n)}, store.ActionReject, store.StateRefused, "tag"
				e := store.Event{ID: store.NewEventID(m.At), What: store.EventRefused, Message: m.ID, Actor: "system"}
				update(t, s, func(tx store.Tx) error {
					return tx.Messages().Refuse(m, []store.Recipient{r}, e, store.RefusedRoom{Recipients: 2, Hourly: 9})
				})
				return r.Key
			}
			keys := []store.RcptKey{refuse(0), refuse(1)}
			s.Close()
			damaged := rcptKey(keys[0])
			if in == messagesB {
				damaged = keys[0].Message[:]
			}
			s, _ = damage(t, dir, in, damaged)
			keys = append(keys, refuse(2))
			verify(t, s)
			for i, want := range []int{0, 1, 1} {
				err := s.View(t.Context(), func(tx store.Tx) error {
					rows, _, err := tx.Messages().Recipients(keys[i].Message, "", 9)
					events, _, eventsErr := tx.Audit().OfMessage(keys[i].Message, "", 9)
					if len(rows) != want || len(events) != 1 {
						t.Errorf("message %d: %d rows, %d events", i, len(rows), len(events))
					}
					return errors.Join(err, eventsErr)
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
}
