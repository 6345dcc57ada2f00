package admin_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/pickup/account"
	"postern/pickup/admin"
	"postern/store"
)

// enabled makes a group of p000 to p119 and enables it.
func (d *desk) enabled(t *testing.T) {
	t.Helper()
	_, err := d.GroupCreate(t.Context(), admin.Socket(), "Finance")
	must(t, err)
	var many strings.Builder
	for n := range 120 {
		fmt.Fprintf(&many, "p%03d@example.org\n", n)
	}
	_, err = d.GroupFill(t.Context(), admin.Socket(), "Finance", d.preview(t, many.String()).Draft)
	must(t, err)
	_, err = d.GroupEnable(t.Context(), admin.Socket(), "Finance")
	must(t, err)
}

// waiting is how many people of the group wait.
func (d *desk) waiting(t *testing.T) int {
	t.Helper()
	g, err := d.GroupShow(t.Context(), admin.Socket(), "Finance")
	must(t, err)
	return int(g.Waiting)
}

// rounds lets the service work until it has nothing to do that is due.
func (d *desk) rounds(t *testing.T) (dealt int) {
	t.Helper()
	for range 20 {
		n, err := d.Work(t.Context())
		must(t, err)
		if dealt += n; n == 0 {
			return dealt
		}
	}
	t.Fatal("it goes on for ever")
	return 0
}

// TestI5OneInvitationHoldsUpNoOther: who can never be invited is noted with the reason, who cannot be now is tried again,
// and everybody else gets the mail meanwhile.
func TestI5OneInvitationHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.clock = start
	d.enabled(t)
	never := &account.InviteeError{Reason: "the record of the user is damaged", Err: store.ErrCorrupt}
	d.stuck = map[string]error{"p003@example.org": never, "p004@example.org": errors.New("out of sorts"), "p077@example.org": never}
	if n := d.rounds(t); n != 119 || d.waiting(t) != 1 {
		t.Errorf("%d dealt with, %d wait", n, d.waiting(t))
	}
	invited := map[string]int{}
	for _, c := range d.calls {
		invited[strings.Fields(c)[1]]++
	}
	if len(invited) != 117 {
		t.Errorf("%d people are invited", len(invited))
	}
	for who, n := range invited {
		if n != 1 {
			t.Errorf("%s is invited %d times", who, n)
		}
	}
	if g, err := d.GroupShow(t.Context(), admin.Socket(), "Finance"); err != nil || g.Sent != 117 || g.Unsent != 2 || g.Waiting != 1 {
		t.Errorf("counted %+v, %v", g, err)
	}
	page, err := d.GroupPeopleList(t.Context(), admin.Socket(), "Finance", "")
	must(t, err)
	if p := page.Rows[3]; p.Outcome != "not possible: the record of the user is damaged" || p.Done.IsZero() || page.Rows[4].Outcome != "" {
		t.Errorf("noted %+v, %+v", p, page.Rows[4])
	}
	log, err := d.AuditList(t.Context(), admin.Socket(), admin.AuditQuery{What: store.EventNotInvited}, "")
	must(t, err)
	third := func(r admin.AuditRow) bool { return r.Facts["address"] == "p003@example.org" } // events of one time have no order
	if len(log.Rows) != 2 || !slices.ContainsFunc(log.Rows, third) || log.Rows[1].Facts["reason"] != never.Reason || log.Rows[1].Actor != "socket" {
		t.Errorf("on record: %+v", log.Rows)
	}
	d.stuck = nil
	if n := d.rounds(t); n != 0 {
		t.Errorf("%d tried again at once", n)
	}
	d.clock = start.Add(time.Minute)
	if n := d.rounds(t); n != 1 || d.waiting(t) != 0 {
		t.Errorf("%d dealt with later, %d wait", n, d.waiting(t))
	}
	if n, err := d.GroupFill(t.Context(), admin.Socket(), "Finance", d.preview(t, "p003@example.org\np005@example.org").Draft); n != 1 || err != nil || d.rounds(t) != 1 || d.waiting(t) != 0 {
		t.Errorf("put into the group again: %d, %v, %d wait", n, err, d.waiting(t))
	}
}

// TestI5FullBatchOfTroubleHoldsUpNoOther: people behind fifty others who cannot be invited now get their turn; what the
// store itself cannot do puts nobody off.
func TestI5FullBatchOfTroubleHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.clock = start
	d.enabled(t)
	d.fail = fmt.Errorf("invite: %w", store.ErrFull)
	if n, err := d.Work(t.Context()); n != 0 || !errors.Is(err, store.ErrFull) {
		t.Errorf("no room: %d, %v", n, err)
	}
	d.fail, d.calls, d.stuck = nil, nil, map[string]error{}
	for n := range 60 {
		d.stuck[fmt.Sprintf("p%03d@example.org", n)] = store.ErrConflict
	}
	if n, err := d.Work(t.Context()); n != 0 || !errors.Is(err, store.ErrConflict) {
		t.Errorf("the first fifty: %d, %v", n, err)
	}
	if n := d.rounds(t); n != 60 || d.waiting(t) != 60 {
		t.Errorf("%d dealt with, %d wait", n, d.waiting(t))
	}
	d.clock, d.stuck = start.Add(time.Minute), nil
	if n := d.rounds(t); n != 60 || d.waiting(t) != 0 {
		t.Errorf("%d dealt with after the trouble, %d wait", n, d.waiting(t))
	}
}
