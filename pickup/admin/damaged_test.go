package admin_test

import (
	"strings"
	"testing"

	"postern/cmd/testbed"
	"postern/pickup/admin"
	"postern/store"
)

// TestI5OneDamagedRecordHidesNoOther: lists of messages, alerts, lists of people and the rotation of
// the server key go on around it.
func TestI5OneDamagedRecordHidesNoOther(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	bad := d.mail(1, bob)
	d.mail(1, bob)
	acc, _ := d.bed.Person(bob, store.Confirmed)
	d.bed.Update(func(tx store.Tx) error {
		return tx.Audit().Add(store.Event{ID: store.NewEventID(start), What: store.EventMuted, Account: acc.ID, Actor: "system"})
	})
	_, err := d.GroupCreate(t.Context(), admin.Socket(), "Finance")
	must(t, err)
	p, err := d.InvitePreview(t.Context(), admin.Socket(), strings.NewReader(bob.String()+"\ncarla@mail.example\n"), store.ClassGuest)
	must(t, err)
	_, err = d.GroupFill(t.Context(), admin.Socket(), "Finance", p.Draft)
	must(t, err)

	d.Store = &testbed.Damaged{Store: d.Store, Message: bad.ID, Account: acc.ID, Address: acc.Address.Key()}
	list, err := d.MessageList(t.Context(), admin.Socket(), admin.MessageQuery{}, "")
	if err != nil || len(list.Rows) != 2 {
		t.Fatalf("%d messages, %v", len(list.Rows), err)
	}
	for _, r := range list.Rows {
		if hurt := r.ID == bad.ID.String(); r.To != bob.String() || hurt != (r.From == "") || r.At.IsZero() {
			t.Errorf("listed %+v", r)
		}
	}
	if _, err := d.AlertList(t.Context(), admin.Socket()); err != nil {
		t.Errorf("alerts: %v", err)
	}
	people, err := d.GroupPeopleList(t.Context(), admin.Socket(), "Finance", "")
	if err != nil || len(people.Rows) != 2 {
		t.Errorf("%d people, %v", len(people.Rows), err)
	}
	p, err = d.InvitePreview(t.Context(), admin.Socket(), strings.NewReader(bob.String()+"\ncarla@mail.example\n"), store.ClassGuest)
	if err != nil || p.Good != 1 || len(p.Bad) != 1 || p.Bad[0].Row != 1 || !strings.Contains(p.Bad[0].Reason, "damaged") {
		t.Errorf("preview %+v, %v", p, err)
	}
	was, err := d.KeyList(t.Context(), admin.Socket())
	must(t, err)
	if _, err := d.KeyRotate(t.Context(), admin.Socket()); err != nil {
		t.Fatalf("rotation: %v", err)
	}
	now, err := d.KeyList(t.Context(), admin.Socket())
	if err != nil || len(now) != len(was)+1 {
		t.Errorf("keys %+v, %v", now, err)
	}
	for _, k := range now {
		if k.Rows > 0 && !k.Current {
			t.Errorf("%d rows still name %s", k.Rows, k.ID)
		}
	}
}
