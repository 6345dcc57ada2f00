package admin_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/pickup/admin"
	"postern/store"
)

// preview reads a list as a member of the desk would.
func (d *desk) preview(t *testing.T, list string) admin.Preview {
	t.Helper()
	p, err := d.InvitePreview(t.Context(), admin.Socket(), strings.NewReader(list), store.ClassMember)
	must(t, err)
	return p
}

// TestB03ListsInEveryForm: what people paste and what spreadsheets write.
func TestB03ListsInEveryForm(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ list, good, bad string }{
		"one a line":         {"ann@example.org\nbob@example.org\r\n\n", "ann@example.org||member bob@example.org||member", ""},
		"on one line":        {"ann@example.org, bob@example.org;carl@example.org", "ann@example.org||member bob@example.org||member carl@example.org||member", ""},
		"with semicolons":    {"ann@example.org;bob@example.org", "ann@example.org||member bob@example.org||member", ""},
		"as mail programs":   {"Ann Archer <ann@example.org>\n\"Baker, Bob\" <bob@example.org>", "ann@example.org|Ann Archer|member bob@example.org|Baker, Bob|member", ""},
		"columns":            {"Ann Archer,ann@example.org,guest\nbob@example.org,Bob", "ann@example.org|Ann Archer|guest bob@example.org|Bob|member", ""},
		"headings":           {"\ufeffName;Class;E-Mail\nArcher, Ann;MEMBER;ann@example.org\n;guest;guest@mail.example", "ann@example.org|Archer, Ann|member guest@mail.example||guest", ""},
		"tabs":               {"address\tname\nann@example.org\tAnn\tmore", "ann@example.org|Ann|member", ""},
		"quoted line end":    {"address,name\nann@example.org,\"Ann\nArcher\"\nx", "ann@example.org|Ann Archer|member", "4"},
		"Windows characters": {"address,name\nann@example.org,Ann K\xf6nig", "ann@example.org|Ann König|member", ""},
		"bad ones":           {"ann@example.org\nnobody\n@\nANN@example.org\nann@mail.example\nx@example.org,X,king\n", "ann@example.org||member x@example.org|X|member", "2 3 4 5"},
		"bad class":          {"address,class\nann@example.org,king", "", "2"},
		"control characters": {"address,name\nann@example.org,A\x01n\x00n\x1b[31m", "ann@example.org|A nn [31m|member", ""},
		"hostile quotes":     {"\"\"\"\nann@example.org\n", "ann@example.org||member", "1"},
		"unknown column":     {"Name;E-Mail;Klasse\nGast;gast@example.org;guest", "gast@example.org|Gast|member", "1"},
		"long line":          {strings.Repeat("x", 200_000) + "\nann@example.org", "ann@example.org||member", "1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			p := d.preview(t, tt.list)
			var good, bad []string
			for _, c := range p.Sample {
				good = append(good, fmt.Sprintf("%s|%s|%s", c.Address, c.Name, c.Class))
			}
			for _, b := range p.Bad {
				bad = append(bad, fmt.Sprint(b.Row))
			}
			if got := strings.Join(good, " "); got != tt.good && name != "hostile quotes" {
				t.Errorf("good %q, want %q", got, tt.good)
			}
			if got := strings.Join(bad, " "); got != tt.bad && name != "hostile quotes" {
				t.Errorf("bad %q, want %q (%v)", got, tt.bad, p.Bad)
			}
			if len(d.calls) != 0 {
				t.Errorf("a preview does %v", d.calls)
			}
		})
	}
}

func TestB03ListsThatAreRefused(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for name, list := range map[string]string{
		"empty": "", "blanks": " \n\n,,,\n", "headings alone": "address,name\n",
		"too many rows": strings.Repeat("x\n", admin.MaxInvitees+2), "too many in a row": strings.Repeat(strings.Repeat("x@example.org ", 4000)+"\n", 13),
		"too large": strings.Repeat(strings.Repeat("y", 1000)+"\n", 17<<10),
	} {
		if _, err := d.InvitePreview(t.Context(), admin.Socket(), strings.NewReader(list), store.ClassMember); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

// TestB03FiftyThousandRows: bad rows are named by number and reason, good ones are shown first, and taken with one word.
func TestB03FiftyThousandRows(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.users(store.StatusDisabled, "p7@example.org")
	d.users(store.StatusActive, "p8@example.org")
	var list strings.Builder
	list.WriteString("address,name\n")
	for n := range admin.MaxInvitees {
		switch {
		case n%10_000 == 4:
			fmt.Fprintf(&list, "nobody,Person %d\n", n)
		case n == 9:
			list.WriteString("p8@example.org,Again\n")
		default:
			fmt.Fprintf(&list, "p%d@example.org,Person %d\n", n, n)
		}
	}
	p := d.preview(t, list.String())
	reasons := map[int]string{6: "no e-mail address", 9: "disabled", 11: "stands in row 10", 10_006: "no e-mail", 20_006: "no e-mail", 30_006: "no e-mail", 40_006: "no e-mail"}
	if p.Good != admin.MaxInvitees-len(reasons) || p.AllBad != len(reasons) || len(p.Sample) != 100 || p.Members != p.Good {
		t.Errorf("%d good, %d bad, %d shown", p.Good, p.AllBad, len(p.Sample))
	}
	for _, b := range p.Bad {
		if want, ok := reasons[b.Row]; !ok || !strings.Contains(b.Reason, want) {
			t.Errorf("row %d: %s", b.Row, b.Reason)
		}
	}
	_, err := d.GroupCreate(t.Context(), admin.Socket(), "Everybody")
	must(t, err)
	added, err := d.GroupFill(t.Context(), admin.Socket(), "everybody", p.Draft)
	if err != nil || added != p.Good {
		t.Errorf("%d added, %v", added, err)
	}
	g, err := d.GroupShow(t.Context(), admin.Socket(), "Everybody")
	if err != nil || g.Waiting != int64(p.Good) || g.Sent != 0 || g.Sending() {
		t.Errorf("group %+v, %v", g, err)
	}
}

// TestB02GroupAfterGroup: people of a group are invited when it is enabled and not before; whoever is added later is
// invited then; nobody twice.
func TestB02GroupAfterGroup(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	lead := admin.Actor{Role: admin.RoleAdmin, Name: "ann@example.org"}
	fill := func(group, list string) int {
		p, err := d.InvitePreview(t.Context(), lead, strings.NewReader(list), store.ClassMember)
		must(t, err)
		n, err := d.GroupFill(t.Context(), lead, group, p.Draft)
		must(t, err)
		return n
	}
	work := func() (all int) {
		for {
			n, err := d.Work(t.Context())
			must(t, err)
			if all += n; n == 0 {
				return all
			}
		}
	}
	for _, name := range []string{"Finance", "Adult care"} {
		_, err := d.GroupCreate(t.Context(), lead, name)
		must(t, err)
	}
	var many strings.Builder
	for n := range 120 {
		fmt.Fprintf(&many, "p%03d@example.org\n", n)
	}
	if n := fill("Finance", many.String()); n != 120 {
		t.Errorf("%d added", n)
	}
	fill("Adult care", "carla@example.org")
	if n := work(); n != 0 || len(d.calls) != 0 {
		t.Errorf("%d invited before anything was enabled: %v", n, d.calls)
	}
	_, err := d.GroupEnable(t.Context(), lead, "finance")
	must(t, err)
	if n := work(); n != 120 || len(d.calls) != 120 || d.calls[0] != "invite p000@example.org  member by ann@example.org for Finance" {
		t.Errorf("%d invited, %q", n, d.calls[:1])
	}
	if n := fill("Finance", "p001@example.org\nlate@example.org"); n != 1 {
		t.Errorf("%d added later", n)
	}
	d.calls = nil
	if n := work(); n != 1 || !slices.Equal(d.calls, []string{"invite late@example.org  member by ann@example.org for Finance"}) {
		t.Errorf("%d invited later: %v", n, d.calls)
	}
	_, err = d.GroupEnable(t.Context(), lead, "Finance")
	must(t, err)
	if n := work(); n != 0 {
		t.Errorf("%d invited twice", n)
	}
	page, err := d.GroupPeopleList(t.Context(), lead, "Adult care", "")
	if err != nil || len(page.Rows) != 1 || page.Rows[0].Outcome != "" || page.Rows[0].Status != "" {
		t.Errorf("the other group %+v, %v", page.Rows, err)
	}
	all, err := d.GroupList(t.Context(), lead, "")
	if err != nil || len(all.Rows) != 2 || all.Rows[1].Name != "Finance" || all.Rows[1].Sent != 121 || all.Rows[1].Unsent != 0 || all.Rows[1].Waiting != 0 || all.Rows[0].Waiting != 1 {
		t.Errorf("groups %+v, %v", all.Rows, err)
	}
	d.fail = store.ErrFull
	_, err = d.GroupEnable(t.Context(), lead, "Adult care")
	must(t, err)
	if _, err := d.Work(t.Context()); !errors.Is(err, d.fail) {
		t.Errorf("a failing store: %v", err)
	}
	d.fail = nil
	if n := work(); n != 1 {
		t.Errorf("%d invited after the fault", n)
	}
}

func TestB02GroupsHaveNamesAndDraftsAnEnd(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	_, err := d.GroupCreate(t.Context(), admin.Socket(), " Finance\n")
	must(t, err)
	for _, bad := range []string{"", " \x00 ", "FINANCE"} {
		if _, err := d.GroupCreate(t.Context(), admin.Socket(), bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	if _, err := d.GroupEnable(t.Context(), admin.Socket(), "none"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("no group: %v", err)
	}
	p := d.preview(t, "ann@example.org")
	if _, err := d.GroupFill(t.Context(), admin.Socket(), "none", p.Draft); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("into no group: %v", err)
	}
	for name, try := range map[string]func() error{
		"another's": func() error {
			_, err := d.GroupFill(t.Context(), admin.Actor{Role: admin.RoleAdmin, Name: "eve"}, "Finance", p.Draft)
			return err
		},
		"made up": func() error { _, err := d.GroupFill(t.Context(), admin.Socket(), "Finance", "x"); return err },
		"too old": func() error {
			d.clock = start.Add(31 * time.Minute)
			_, err := d.GroupFill(t.Context(), admin.Socket(), "Finance", p.Draft)
			return err
		},
	} {
		d.clock = start
		if err := try(); !errors.Is(err, admin.ErrDraft) {
			t.Errorf("%s draft: %v", name, err)
		}
	}
	d.clock = start
	if n, err := d.GroupFill(t.Context(), admin.Socket(), "Finance", p.Draft); n != 1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if _, err := d.GroupFill(t.Context(), admin.Socket(), "Finance", p.Draft); !errors.Is(err, admin.ErrDraft) {
		t.Errorf("the form sent twice: %v", err)
	}
}

// TestB03EveryPartOfAListIsOnRecord: a long list goes in by parts, each with the event that says so.
func TestB03EveryPartOfAListIsOnRecord(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	_, err := d.GroupCreate(t.Context(), admin.Socket(), "Finance")
	must(t, err)
	var many strings.Builder
	for n := range 2100 {
		fmt.Fprintf(&many, "p%04d@example.org\n", n)
	}
	for _, list := range []string{many.String(), "p0001@example.org"} { // the second adds nobody
		_, err = d.GroupFill(t.Context(), admin.Socket(), "Finance", d.preview(t, list).Draft)
		must(t, err)
	}
	log, err := d.AuditList(t.Context(), admin.Socket(), admin.AuditQuery{What: store.EventGroupFilled}, "")
	must(t, err)
	parts := map[string]int{}
	for _, e := range log.Rows {
		parts[e.Facts["group"]+" "+e.Facts["people"]+" by "+e.Actor]++
	}
	if len(log.Rows) != 3 || parts["Finance 1000 by socket"] != 2 || parts["Finance 100 by socket"] != 1 {
		t.Errorf("on record: %v", parts)
	}
}

// TestB10InvitationSender: only the address of a registered member is accepted, of a domain whose mail is signed; a
// member who is disabled later no longer stands on invitations.
func TestB10InvitationSender(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.Signs = func(domain string) bool { return domain == "example.org" }
	add := func(addr string, change func(*store.Account)) {
		d.users(store.StatusActive, addr)
		local, _, _ := strings.Cut(addr, "@")
		d.bed.ChangeAccount(d.id1(local), func(a *store.Account) { a.Registered, a.Member = true, true; change(a) })
	}
	add("maria@example.org", func(a *store.Account) { a.Name = "Maria Lindqvist" })
	add("guest@example.org", func(a *store.Account) { a.Member = false })
	add("fresh@example.org", func(a *store.Account) { a.Registered, a.Status = false, store.StatusInvited })
	add("off@example.org", func(a *store.Account) { a.Status = store.StatusDisabled })
	add("other@unsigned.example", func(*store.Account) {})
	for address, why := range map[string]string{
		"guest@example.org": "guest", "fresh@example.org": "signed up", "off@example.org": "disabled", "other@unsigned.example": "dkim key of unsigned.example",
		"nobody@example.org": "no user has the address", "nobody": "nobody",
	} {
		if err := d.InviterSet(t.Context(), admin.Socket(), address); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v", address, err)
		}
	}
	invite := func() string {
		d.calls = nil
		_, err := d.UserInvite(t.Context(), admin.Socket(), admin.InviteForm{Address: "new@example.org", Class: store.ClassMember})
		must(t, err)
		return d.calls[0]
	}
	if got := invite(); strings.HasPrefix(got, "from") {
		t.Errorf("before: %s", got)
	}
	must(t, d.InviterSet(t.Context(), admin.Socket(), " Maria@example.org"))
	if address, err := d.InviterShow(t.Context(), admin.Socket()); err != nil || address != "maria@example.org" {
		t.Errorf("set to %q, %v", address, err)
	}
	if got := invite(); !strings.Contains(got, "Maria Lindqvist") || !strings.Contains(got, "maria@example.org") {
		t.Errorf("in her name: %s", got)
	}
	d.bed.ChangeAccount(d.id1("maria"), func(a *store.Account) { a.Status = store.StatusDisabled })
	if got := invite(); strings.HasPrefix(got, "from") {
		t.Errorf("in the name of a disabled member: %s", got)
	}
	must(t, d.InviterSet(t.Context(), admin.Socket(), ""))
	if address, err := d.InviterShow(t.Context(), admin.Socket()); err != nil || address != "" {
		t.Errorf("reset to %q, %v", address, err)
	}
	d.Signs = nil
	d.bed.ChangeAccount(d.id1("maria"), func(a *store.Account) { a.Status = store.StatusActive })
	if err := d.InviterSet(t.Context(), admin.Socket(), "maria@example.org"); err == nil {
		t.Error("without any key")
	}
}
