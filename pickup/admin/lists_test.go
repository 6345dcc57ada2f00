package admin_test

import (
	"encoding/csv"
	"encoding/json"
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

// users makes accounts of a status.
func (d *desk) users(status store.Status, addresses ...string) {
	d.bed.T.Helper()
	for _, a := range addresses {
		addr, err := store.ParseAddress(a)
		must(d.bed.T, err)
		acc := store.Account{Address: addr, Status: status, Created: start, Member: addr.Domain == "example.org"}
		copy(acc.ID[:], fmt.Sprintf("%-16s", addr.Local))
		d.bed.Update(func(tx store.Tx) error { return tx.Accounts().Create(acc) })
	}
}

// TestB07DisabledUsersAreNotActive: disabled users are not in the count of active users.
func TestB07DisabledUsersAreNotActive(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.users(store.StatusActive, "ann@example.org", "bob@mail.example", "carl@mail.example")
	d.users(store.StatusInvited, "zoe@example.org")
	count := func() admin.UserCounts {
		o, err := d.OverviewShow(t.Context(), admin.Socket(), 1)
		must(t, err)
		return o.Users
	}
	if got, want := count(), (admin.UserCounts{Active: 3, Invited: 1, Members: 2, Guests: 2}); got != want {
		t.Errorf("before: %+v", got)
	}
	d.bed.ChangeAccount(d.id1("bob"), func(a *store.Account) { a.Status = store.StatusDisabled })
	if got, want := count(), (admin.UserCounts{Active: 2, Invited: 1, Disabled: 1, Members: 2, Guests: 2}); got != want {
		t.Errorf("after: %+v", got)
	}
}

func (d *desk) id1(local string) (id store.AccountID) {
	copy(id[:], fmt.Sprintf("%-16s", local))
	return id
}

func TestOverviewCountsByDay(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	berlin, err := time.LoadLocation("Europe/Berlin")
	must(t, err)
	d.Zone = berlin
	add := func(at time.Time, what store.What) {
		d.bed.Update(func(tx store.Tx) error {
			return tx.Audit().Add(store.Event{ID: store.NewEventID(at), What: what, Actor: "system"})
		})
	}
	midnight := time.Date(2026, 6, 8, 22, 0, 0, 0, time.UTC) // of 9 June in Berlin
	for at, what := range map[time.Duration]store.What{
		-time.Minute: store.EventOpened, 0: store.EventOpened, time.Hour: store.EventOpened, 2 * time.Hour: store.EventSignedIn,
		-25 * time.Hour: store.EventExpired, -72 * time.Hour: store.EventOpened,
	} {
		add(midnight.Add(at), what)
	}
	m := d.mail(2, bob) // its two shares end within the hour
	d.bed.ChangeRcpt(store.RcptKey{Message: m.ID, N: 1}, func(r *store.Recipient) { r.State = store.StateOpened })
	o, err := d.OverviewShow(t.Context(), admin.Socket(), 3)
	must(t, err)
	var got []string
	for _, day := range o.Days {
		got = append(got, fmt.Sprintf("%s opened %d expired %d sealed %d accepted %d sign-ins %d", day.Day.Format("2 Jan 15:04"), day.Opened, day.Expired, day.Sealed, day.Accepted, day.SignIns))
	}
	want := []string{"7 Jun 00:00 opened 0 expired 1 sealed 0 accepted 0 sign-ins 0", "8 Jun 00:00 opened 1 expired 0 sealed 0 accepted 0 sign-ins 0",
		"9 Jun 00:00 opened 2 expired 0 sealed 2 accepted 1 sign-ins 1"}
	if !slices.Equal(got, want) {
		t.Errorf("days\n%s", strings.Join(got, "\n"))
	}
	if o.Messages != (admin.SealedCounts{Sealed: 2, Waiting: 1, Opened: 1, Expiring: 2}) {
		t.Errorf("messages %+v", o.Messages)
	}
	if o.Queue.Waiting != 2 || !o.Queue.Oldest.Equal(m.At) {
		t.Errorf("queue %+v", o.Queue)
	}
	for _, n := range []int{-5, 0, 1, 100_000} {
		o, err := d.OverviewShow(t.Context(), admin.Socket(), n)
		if err != nil || len(o.Days) < 1 || len(o.Days) > 366 || o.Days[len(o.Days)-1].Day.Day() != 9 {
			t.Errorf("%d days: %d, %v", n, len(o.Days), err)
		}
	}
}

func TestAuditIsFilteredAndExported(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	a, _ := d.bed.Person(bob, store.Confirmed)
	link, err := d.AdminCreate(t.Context(), admin.Socket(), admin.Proof{}, ann.String(), admin.RoleAuditor)
	must(t, err)
	for n := range 450 {
		e := store.Event{ID: store.NewEventID(start.Add(time.Duration(n) * time.Second)), What: store.EventSignedIn, Account: a.ID, Actor: "recipient",
			Facts: map[string]string{"browser": `=cmd|'/c calc'!A1, "x"; =1+1`}}
		d.bed.Update(func(tx store.Tx) error { return tx.Audit().Add(e) })
	}
	list := func(q admin.AuditQuery) (rows []admin.AuditRow) {
		for c, more := store.Cursor(""), true; more; more = c != "" {
			p, err := d.AuditList(t.Context(), admin.Actor{Role: admin.RoleAuditor}, q, c)
			must(t, err)
			rows, c = append(rows, p.Rows...), p.Next
		}
		return rows
	}
	if rows := list(admin.AuditQuery{User: " BOB@mail.example "}); len(rows) != 450 || rows[0].User != bob.String() || !rows[0].At.After(rows[449].At) {
		t.Errorf("%d events of a user", len(rows))
	}
	if rows := list(admin.AuditQuery{User: ann.String()}); len(rows) != 1 || rows[0].Actor != "socket" || rows[0].User != ann.String() {
		t.Errorf("of an administrator: %+v", rows)
	}
	if rows := list(admin.AuditQuery{Actor: "socket", What: "admin."}); len(rows) != 1 {
		t.Errorf("by the socket: %+v", rows)
	}
	if _, err := d.AuditList(t.Context(), admin.Socket(), admin.AuditQuery{User: "nobody@mail.example"}, ""); err == nil {
		t.Error("nobody's events")
	}
	var out strings.Builder
	must(t, d.AuditExport(t.Context(), admin.Socket(), admin.AuditQuery{}, admin.FormatCSV, &out))
	cells, err := csv.NewReader(strings.NewReader(out.String())).ReadAll()
	must(t, err)
	if len(cells) != 452 || cells[0][0] != "time" || cells[1][1] != string(store.EventSignedIn) || cells[1][7] != `browser==cmd|'/c calc'!A1, "x"; '=1+1` {
		t.Errorf("CSV of %d lines: %q", len(cells), cells[1])
	}
	if strings.Contains(out.String(), link.Link) {
		t.Error("a link is in the audit log")
	}
	out.Reset()
	must(t, d.AuditExport(t.Context(), admin.Socket(), admin.AuditQuery{What: store.EventAdmin}, admin.FormatJSON, &out))
	var row admin.AuditRow
	must(t, json.Unmarshal([]byte(out.String()), &row))
	if row.What != store.EventAdmin || row.Facts["role"] != "auditor" || strings.Count(out.String(), "\n") != 1 {
		t.Errorf("JSON %s", out.String())
	}
	if err := d.AuditExport(t.Context(), admin.Socket(), admin.AuditQuery{}, "pdf", &out); err == nil {
		t.Error("a format that does not exist")
	}
}

func TestMessagesAreListedByMetadata(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	carol := store.Address{Local: "carol", Domain: "mail.example"}
	first, second := d.mail(2, bob), d.mail(1, carol)
	d.bed.ChangeRcpt(store.RcptKey{Message: first.ID, N: 2}, func(r *store.Recipient) { r.State = store.StateOpened })
	for _, tt := range []struct {
		q    admin.MessageQuery
		want []string
	}{
		{admin.MessageQuery{}, []string{second.ID.String() + ".1", first.ID.String() + ".1", first.ID.String() + ".2"}},
		{admin.MessageQuery{To: " Carol@Mail.Example "}, []string{second.ID.String() + ".1"}},
		{admin.MessageQuery{From: alice.String(), State: store.StateOpened}, []string{first.ID.String() + ".2"}},
		{admin.MessageQuery{Rule: "tag", Action: store.ActionSeal, Before: second.At}, []string{first.ID.String() + ".1", first.ID.String() + ".2"}},
		{admin.MessageQuery{After: second.At}, []string{second.ID.String() + ".1"}},
		{admin.MessageQuery{Rule: "none"}, nil},
	} {
		tt.q.Limit = 2
		var got []string
		for c, more := store.Cursor(""), true; more; more = c != "" {
			p, err := d.MessageList(t.Context(), admin.Socket(), tt.q, c)
			must(t, err)
			for _, r := range p.Rows {
				got = append(got, r.Item)
			}
			c = p.Next
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%+v finds %v", tt.q, got)
		}
	}
	if _, err := d.MessageList(t.Context(), admin.Socket(), admin.MessageQuery{To: "nobody"}, ""); err == nil {
		t.Error("no address")
	}
	v, err := d.MessageShow(t.Context(), admin.Socket(), strings.ToUpper(first.ID.String())+".2")
	if err != nil || v.ID != first.ID.String() || len(v.Recipients) != 2 || len(v.Events) != 1 {
		t.Errorf("shown %+v, %v", v, err)
	}
	for _, bad := range []string{"", "x", store.NewMessageID(start).String()} {
		if _, err := d.MessageShow(t.Context(), admin.Socket(), bad); err == nil {
			t.Errorf("%q is shown", bad)
		}
	}
}

// TestB03OneInvitation: the class must fit the address, and what cannot be invited is said.
func TestB03OneInvitation(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		role    admin.Role
		form    admin.InviteForm
		outcome account.Outcome
		bad     string
	}{
		"member":    {admin.RoleAdmin, admin.InviteForm{Address: " new@example.org ", Name: "New", Class: store.ClassMember}, "", ""},
		"guest":     {admin.RoleAdmin, admin.InviteForm{Address: "new@mail.example", Class: store.ClassGuest}, "", ""},
		"known":     {admin.RoleAdmin, admin.InviteForm{Address: "new@example.org", Class: store.ClassMember}, account.Known, ""},
		"outsider":  {admin.RoleAdmin, admin.InviteForm{Address: "new@mail.example", Class: store.ClassMember}, "", "no domain of the organisation"},
		"no class":  {admin.RoleAdmin, admin.InviteForm{Address: "new@example.org"}, "", "neither member nor guest"},
		"no one":    {admin.RoleAdmin, admin.InviteForm{Address: "new", Class: store.ClassGuest}, "", `"new"`},
		"disabled":  {admin.RoleAdmin, admin.InviteForm{Address: "new@example.org", Class: store.ClassMember}, account.NotNow, "disabled"},
		"an alias":  {admin.RoleAdmin, admin.InviteForm{Address: "new@example.org", Class: store.ClassMember}, account.Alias, "alias of another"},
		"by a desk": {admin.RoleHelpDesk, admin.InviteForm{Address: "new@example.org", Class: store.ClassGuest}, account.Again, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			d.outcome = tt.outcome
			_, err := d.UserInvite(t.Context(), admin.Actor{Role: tt.role, Name: "ann"}, tt.form)
			if (err != nil) != (tt.bad != "") || err != nil && (!strings.Contains(err.Error(), tt.bad) || !errors.As(err, new(*admin.InputError))) {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestMergedUsersAreNotSwitched: the other user is the one to switch, and the sentence says so.
func TestMergedUsersAreNotSwitched(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.users(store.StatusActive, "bob@example.org")
	d.fail = account.ErrMerged
	for _, to := range []store.Status{store.StatusDisabled, store.StatusActive} {
		typed := new(admin.InputError)
		if err := d.UserSwitch(t.Context(), admin.Socket(), "bob@example.org", to); !errors.As(err, &typed) || !strings.Contains(err.Error(), "bob@example.org was merged") {
			t.Errorf("to %s: %v", to, err)
		}
	}
}

// TestB18MembersAndGuests: members are of the organisation; either may be found by it.
func TestB18MembersAndGuests(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.users(store.StatusActive, "ann@example.org", "bob@mail.example")
	if err := d.UserChange(t.Context(), admin.Socket(), "bob@mail.example", admin.UserEdit{Class: store.ClassMember}); err == nil || !strings.Contains(err.Error(), "no domain of the organisation") {
		t.Errorf("an outsider becomes a member: %v", err)
	}
	if err := d.UserChange(t.Context(), admin.Socket(), "ann@example.org", admin.UserEdit{Class: "king"}); err == nil {
		t.Error("a class that does not exist")
	}
	must(t, d.UserChange(t.Context(), admin.Socket(), d.id1("bob").String(), admin.UserEdit{Name: "Bob\x00 \r\nBaker", Class: store.ClassGuest}))
	must(t, d.UserChange(t.Context(), admin.Socket(), "ann@example.org", admin.UserEdit{Class: store.ClassGuest}))
	p, err := d.UserList(t.Context(), admin.Socket(), admin.UserQuery{Search: "bak", Class: store.ClassGuest}, "")
	if err != nil || len(p.Rows) != 1 || p.Rows[0].Name != "Bob Baker" {
		t.Errorf("found %+v, %v", p.Rows, err)
	}
	if p, err = d.UserList(t.Context(), admin.Socket(), admin.UserQuery{Class: store.ClassMember}, ""); err != nil || len(p.Rows) != 0 {
		t.Errorf("members %+v, %v", p.Rows, err)
	}
	must(t, d.UserChange(t.Context(), admin.Socket(), "ann@example.org", admin.UserEdit{Class: store.ClassMember}))
	var facts []string
	d.bed.View(func(tx store.Tx) error {
		events, _, err := tx.Audit().List(store.EventFilter{What: store.EventChanged}, "", 9)
		for _, e := range events {
			facts = append(facts, fmt.Sprint(e.Facts))
		}
		return err
	})
	if !slices.Contains(facts, "map[name:changed]") || !slices.Contains(facts, "map[class:guest]") || len(facts) != 3 {
		t.Errorf("events %v", facts)
	}
}
