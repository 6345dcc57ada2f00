package admin_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"postern/pickup/admin"
	"postern/store"
)

// TestAlertsTellWhatNeedsAHand: what waits for too long, muted accounts, mail that was not meant for its reader, and what
// the machine says; urgent things first, and nothing when all is well.
func TestAlertsTellWhatNeedsAHand(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	list := func() string {
		t.Helper()
		alerts, err := d.AlertList(t.Context(), admin.Socket())
		must(t, err)
		var kinds []string
		for _, a := range alerts {
			kinds = append(kinds, string(a.Kind))
		}
		return strings.Join(kinds, " ")
	}
	if got := list(); got != "" {
		t.Errorf("an empty store: %q", got)
	}
	m := d.mail(1, bob)
	d.bed.Update(func(tx store.Tx) error {
		it, err := tx.Queue().Get(store.RcptKey{Message: m.ID, N: 1})
		if err != nil {
			return err
		}
		if err := tx.Queue().Remove(it.Key); err != nil {
			return err
		}
		it.Arrived = start.Add(-59 * time.Minute)
		return tx.Queue().Put(it)
	})
	if got := list(); got != "" {
		t.Errorf("a delivery of 59 minutes: %q", got)
	}
	old := d.mail(1, bob)
	acc, _ := d.bed.Person(bob, store.Confirmed)
	d.bed.ChangeAccount(acc.ID, func(a *store.Account) { a.Muted = true })
	d.bed.Update(func(tx store.Tx) error {
		k := store.RcptKey{Message: old.ID, N: 1}
		it, err := tx.Queue().Get(k)
		if err != nil {
			return err
		}
		it.Arrived = start.Add(-time.Hour)
		if err := tx.Queue().Remove(k); err != nil {
			return err
		}
		if err := tx.Queue().Put(it); err != nil {
			return err
		}
		for _, e := range []store.Event{{What: store.EventMuted, Account: acc.ID}, {What: store.EventMuted, Account: acc.ID}, {What: store.EventDeclined, Message: old.ID, N: 1}} {
			e.ID = store.NewEventID(start)
			if err := tx.Audit().Add(e); err != nil {
				return err
			}
		}
		return nil
	})
	d.Alarms = func(context.Context) []admin.Alert { return []admin.Alert{{Kind: admin.AlertDisk}} }
	if got := list(); got != "queue muted disk declined" {
		t.Errorf("alerts are %q", got)
	}
	d.bed.ChangeAccount(acc.ID, func(a *store.Account) { a.Muted = false })
	if got := list(); got != "queue disk declined" {
		t.Errorf("after the account is in order: %q", got)
	}
}

// TestAlertsCountWhole: what happened more often than a list is long is counted to its end: users with a changed key
// beyond those who are named, and messages that were not meant for their readers.
func TestAlertsCountWhole(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	m := d.mail(1, bob)
	d.bed.Update(func(tx store.Tx) error {
		for i := range 25 {
			acc := store.Account{ID: store.AccountID{1, byte(i)}, Address: store.Address{Local: fmt.Sprintf("u%02d", i), Domain: "ext.example"}, Muted: i != 3,
				Status: store.StatusActive}
			if err := tx.Accounts().Create(acc); err != nil {
				return err
			}
			at := start.Add(time.Duration(i-30) * time.Hour)
			for _, e := range []store.Event{{What: store.EventMuted, Account: acc.ID}, {What: store.EventMuted, Account: acc.ID},
				{What: store.EventDeclined, Message: m.ID, N: 1}} {
				e.ID = store.NewEventID(at)
				if err := tx.Audit().Add(e); err != nil {
					return err
				}
			}
		}
		return nil
	})
	alerts, err := d.AlertList(t.Context(), admin.Socket())
	must(t, err)
	if len(alerts) != 22 {
		t.Fatalf("%d alerts: %+v", len(alerts), alerts)
	}
	if first := alerts[0]; first.Kind != admin.AlertMuted || first.Subject != "u24@ext.example" || first.N != 0 {
		t.Errorf("the newest is %+v", first)
	}
	if more := alerts[20]; more.Kind != admin.AlertMuted || more.Subject != "" || more.N != 4 || !more.Urgent {
		t.Errorf("the others are %+v", more)
	}
	if declined := alerts[21]; declined.Kind != admin.AlertDeclined || declined.N != 25 {
		t.Errorf("%+v", declined)
	}
}
