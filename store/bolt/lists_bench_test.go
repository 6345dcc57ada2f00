package bolt

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"postern/store"
)

// What an installation of some years holds.
const (
	manyUsers    = 100_000
	manyMessages = 1_000_000
	atOnce       = 5_000
)

// fullOf is a store with n rows that f writes.
func fullOf(b *testing.B, n int, f func(tx store.Tx, n int) error) *Store {
	b.Helper()
	s := open(b)
	for from := 0; from < n; from += atOnce {
		err := s.Update(context.Background(), func(tx store.Tx) error {
			for n := from; n < from+atOnce; n++ {
				if err := f(tx, n); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	return s
}

func createMany(tx store.Tx, n int) error { return tx.Accounts().Create(manyAccount(n)) }

func manyAccount(n int) store.Account {
	a := store.Account{Address: store.Address{Local: fmt.Sprintf("user%05d", n*7919%manyUsers), Domain: "example.org"}, Name: fmt.Sprintf("Person%d Family%d", n%1000, n%777),
		Status: []store.Status{store.StatusActive, store.StatusActive, store.StatusActive, store.StatusInvited, store.StatusDisabled}[n%5],
		Member: n%10 != 0, Standing: store.Confirmed, Created: testTime, LastSignIn: testTime.Add(time.Duration(n) * time.Second),
		Keys: []store.KeyVersion{{ID: "k", Public: make([]byte, 1216), State: store.KeyCurrent, Box: make([]byte, 80)}}}
	copy(a.ID[:], fmt.Sprintf("%016d", n))
	return a
}

// manyMail is mail of two years: a twentieth is sealed, to a thousand people in turn.
func manyMail(tx store.Tx, n int) error {
	m, r := sample(n * 60_000) // a minute apart: two years
	m.Refs, r.State, r.Rule = 0, store.StateDelivered, "default"
	what, actor := store.EventDelivered, "system"
	if n%20 == 0 {
		r.Action, r.Rule, r.Expires = store.ActionSeal, "tag", m.At.Add(30*24*time.Hour)
		r.Address.Local = fmt.Sprintf("bob%d", n/20%1000)
		r.State = []store.State{store.StateOpened, store.StateNotified, store.StateExpired, store.StateRecalled}[n/20%4]
		what = store.EventOpened
	}
	if n%1000 == 0 {
		what, actor = store.EventRecalled, "ann@example.org"
	}
	e := store.Event{ID: store.NewEventID(m.At), What: what, Message: m.ID, Actor: actor}
	if n%20 == 0 {
		e.Account = manyAccount(n / 20 % 1000).ID
	}
	return errors.Join(tx.Messages().Create(m, []store.Recipient{r}), tx.Audit().Add(e))
}

// listing is one list of the console. want is its rows; -1: any.
type listing struct {
	name string
	want int
	read func(store.Tx) (int, error)
}

// pageRows is a page of the console.
const pageRows = 50

// BenchmarkUserLists reads pages of users, on 100,000 of them. Each must stay under 100 ms, also where a filter finds
// nothing.
func BenchmarkUserLists(b *testing.B) {
	users := func(f store.AccountFilter) func(store.Tx) (int, error) {
		return func(tx store.Tx) (int, error) {
			all, _, err := tx.Accounts().List(f, "", pageRows)
			return len(all), err
		}
	}
	benchLists(b, fullOf(b, manyUsers, createMany), []listing{
		{"by address", pageRows, users(store.AccountFilter{})},
		{"beginning of an address", pageRows, users(store.AccountFilter{Search: "user12"})},
		{"word of a name", pageRows, users(store.AccountFilter{Search: "family5"})},
		{"two words and a status", -1, users(store.AccountFilter{Search: "person1 family77", Status: store.StatusDisabled})},
		{"a word that all have and one that none has", 0, users(store.AccountFilter{Search: "example.org zz"})},
		{"two words that many have, seldom together", -1, users(store.AccountFilter{Search: "person1 family77", Status: store.StatusInvited})},
		{"nobody", 0, users(store.AccountFilter{Search: "zz"})},
		{"active guests", pageRows, users(store.AccountFilter{Status: store.StatusActive, Class: store.ClassGuest})},
		{"last sign-in", pageRows, users(store.AccountFilter{Recent: true})},
		{"counts", 5, func(tx store.Tx) (n int, err error) {
			for ; n < 5 && err == nil; n++ {
				_, err = tx.Accounts().Count(store.StatusActive, store.ClassMember)
			}
			return n, err
		}},
	})
}

// BenchmarkMessageLists does so on 1,000,000 messages.
func BenchmarkMessageLists(b *testing.B) {
	mails := func(f store.Filter) func(store.Tx) (int, error) {
		return func(tx store.Tx) (int, error) {
			all, _, err := tx.Messages().List(f, "", pageRows)
			return len(all), err
		}
	}
	events := func(f store.EventFilter) func(store.Tx) (int, error) {
		return func(tx store.Tx) (int, error) { all, _, err := tx.Audit().List(f, "", pageRows); return len(all), err }
	}
	benchLists(b, fullOf(b, manyMessages, manyMail), []listing{
		{"messages/all", pageRows, mails(store.Filter{})},
		{"messages/sealed", pageRows, mails(store.Filter{Action: store.ActionSeal})},
		{"messages/recalled", pageRows, mails(store.Filter{State: store.StateRecalled})},
		{"messages/recipient", pageRows, mails(store.Filter{Rcpt: "bob500@example.net"})},
		{"messages/recipient and state", -1, mails(store.Filter{Rcpt: "bob501@example.net", State: store.StateNotified})},
		{"messages/sender and rule, nothing found", 0, mails(store.Filter{Sender: "alice@example.org", Rule: "none"})},
		{"messages/a day two years ago", pageRows, mails(store.Filter{Action: store.ActionSeal, From: testTime.AddDate(0, 0, 9), To: testTime.AddDate(0, 0, 19)})},
		{"messages/end of an id that none has", 0, func(tx store.Tx) (int, error) {
			all, err := tx.Messages().ByEnd(store.IDEnd{0xff, 0xee})
			return len(all), err
		}},
		{"messages/what two filters never share", -1, mails(store.Filter{State: store.StateDelivered, Rule: "tag"})},
		{"events/all", pageRows, events(store.EventFilter{})},
		{"events/actor", pageRows, events(store.EventFilter{Actor: "ann@example.org"})},
		{"events/what", pageRows, events(store.EventFilter{What: store.EventRecalled})},
		{"events/user", -1, events(store.EventFilter{Account: manyAccount(7).ID})},
		{"events/family that is not there", -1, events(store.EventFilter{What: "queue."})},
		{"tally of 90 days", -1, func(tx store.Tx) (int, error) {
			all, err := tx.Audit().Tally(testTime.AddDate(0, 0, 100), testTime.AddDate(0, 0, 190))
			return len(all), err
		}},
		{"expiring, 10,000 at most", 10_000, func(tx store.Tx) (int, error) {
			return tx.Messages().CountExpiring(testTime.AddDate(9, 0, 0), 10_000)
		}},
	})
}

func benchLists(b *testing.B, s *Store, pages []listing) {
	for _, bm := range pages {
		b.Run(bm.name, func(b *testing.B) {
			for b.Loop() {
				err := s.View(context.Background(), func(tx store.Tx) error {
					n, err := bm.read(tx)
					if err == nil && bm.want >= 0 && n != bm.want {
						err = fmt.Errorf("%d rows, want %d", n, bm.want)
					}
					return err
				})
				if err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/page")
		})
	}
}
