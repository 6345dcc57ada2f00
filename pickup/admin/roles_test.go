package admin_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"postern/pickup/admin"
	"postern/store"
)

// methodsOf are the methods of the service that an actor calls, with the place of the actor among the arguments.
func methodsOf(t *testing.T) map[string]reflect.Method {
	t.Helper()
	actor := reflect.TypeFor[admin.Actor]()
	found := map[string]reflect.Method{}
	for i := range reflect.TypeFor[*admin.Service]().NumMethod() {
		m := reflect.TypeFor[*admin.Service]().Method(i)
		if m.Type.NumIn() > 2 && m.Type.In(2) == actor {
			found[m.Name] = m
		}
	}
	if len(found) < 15 {
		t.Fatalf("only %d methods take an actor", len(found))
	}
	return found
}

// open are the methods without an actor; the package's comment says why each needs none.
var open = []string{"SignIn", "Resume", "SignOut", "Enrolment", "CheckCode", "Setup", "ChangePassword", "Criteria", "OwnWords", "Sessions", "EndSession", "EndOthers", "Work", "Run"}

// TestA07RolesAreHeld walks every method with every role, and with roles that are none: what the table does not allow
// answers ErrForbidden and does nothing; what it allows is never answered so. A method that the table forgot is open to
// nobody, so each must be open to the role admin.
func TestA07RolesAreHeld(t *testing.T) {
	t.Parallel()
	all := methodsOf(t)
	for i := range reflect.TypeFor[*admin.Service]().NumMethod() {
		name := reflect.TypeFor[*admin.Service]().Method(i).Name
		if _, ok := all[name]; !ok && !strings.Contains(" "+strings.Join(open, " ")+" ", " "+name+" ") {
			t.Errorf("%s takes no actor", name)
		}
	}
	for _, role := range append(admin.Roles(), "", "guest", "socket") {
		d := newDesk(t)
		for name, m := range all {
			if !admin.May(admin.RoleAdmin, admin.Method(name)) {
				t.Errorf("%s is not in the table", name)
			}
			d.calls = nil
			err := call(t, d, m, admin.Actor{Role: role, Name: "ann"})
			switch may := admin.May(role, admin.Method(name)); {
			case may && errors.Is(err, admin.ErrForbidden):
				t.Errorf("%s: %q may not", name, role)
			case !may && (!errors.Is(err, admin.ErrForbidden) || len(d.calls) != 0):
				t.Errorf("%s: %q may: %v, %v", name, role, err, d.calls)
			}
		}
	}
}

// TestA07HelpDeskAndAuditor holds the spirit of the table against a slip in it: who only looks changes nothing, and
// nobody but the role admin touches keys, mail under way or other administrators.
func TestA07HelpDeskAndAuditor(t *testing.T) {
	t.Parallel()
	for name := range methodsOf(t) {
		look := strings.HasSuffix(name, "List") || strings.HasSuffix(name, "Show") || strings.HasSuffix(name, "Trace") ||
			strings.HasSuffix(name, "Export") || strings.HasSuffix(name, "Explain") || strings.HasSuffix(name, "Count") || strings.HasSuffix(name, "Preview")
		if !look && admin.May(admin.RoleAuditor, admin.Method(name)) {
			t.Errorf("an auditor may call %s", name)
		}
		for _, prefix := range []string{"Key", "Admin"} {
			if strings.HasPrefix(name, prefix) && admin.May(admin.RoleHelpDesk, admin.Method(name)) {
				t.Errorf("the help desk may call %s", name)
			}
		}
		if strings.HasPrefix(name, "Queue") && !look && admin.May(admin.RoleHelpDesk, admin.Method(name)) {
			t.Errorf("the help desk may call %s", name)
		}
	}
}

// TestB18HelpDeskInvitesGuests: whoever may not change users makes no members, neither new ones nor of guests who are
// there; who was a member is invited again as what he is.
func TestB18HelpDeskInvitesGuests(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.users(store.StatusInvited, "guest@example.org", "member@example.org")
	d.bed.ChangeAccount(d.id1("guest"), func(a *store.Account) { a.Member = false })
	invite := func(role admin.Role, address string, class store.Class) (string, error) {
		d.calls, d.kept = nil, false
		_, err := d.UserInvite(t.Context(), admin.Actor{Role: role, Name: "ann"}, admin.InviteForm{Address: address, Class: class})
		return strings.Join(d.calls, ";"), err
	}
	for _, tt := range []struct {
		address     string
		class       store.Class
		call, wrong string
	}{
		{"new@example.org", store.ClassGuest, "invite new@example.org  guest by ann for ", ""},
		{"new@example.org", store.ClassMember, "", "your role invites guests"},
		{"guest@example.org", store.ClassMember, "", "your role invites guests"},
		{"guest@example.org", store.ClassGuest, "invite guest@example.org  guest by ann for ", ""},
		{"member@example.org", store.ClassGuest, "invite member@example.org  member by ann for ", ""},
		{"member@example.org", store.ClassMember, "invite member@example.org  member by ann for ", ""},
	} {
		call, err := invite(admin.RoleHelpDesk, tt.address, tt.class)
		if call != tt.call || (err != nil) != (tt.wrong != "") || err != nil && !strings.Contains(err.Error(), tt.wrong) || err == nil && !d.kept {
			t.Errorf("help desk, %s as %s: %q, kept %t, %v", tt.address, tt.class, call, d.kept, err)
		}
	}
	if call, err := invite(admin.RoleAdmin, "guest@example.org", store.ClassMember); err != nil || d.kept || !strings.Contains(call, "guest@example.org  member") {
		t.Errorf("admin: %q, kept %t, %v", call, d.kept, err)
	}
}

// call calls a method with an actor and with zero values for everything else.
func call(t *testing.T, d *desk, m reflect.Method, a admin.Actor) error {
	t.Helper()
	args := []reflect.Value{reflect.ValueOf(d.Service), reflect.ValueOf(t.Context()), reflect.ValueOf(a)}
	for i := 3; i < m.Type.NumIn(); i++ {
		args = append(args, zero(m.Type.In(i)))
	}
	out := m.Func.Call(args)
	err, _ := out[len(out)-1].Interface().(error)
	return err
}

// zero is a value that a method can work with: no nil function, reader or writer.
func zero(t reflect.Type) reflect.Value {
	if r := reflect.ValueOf(new(strings.Builder)); r.Type().AssignableTo(t) {
		return r
	}
	if r := reflect.ValueOf(strings.NewReader("")); r.Type().AssignableTo(t) {
		return r
	}
	return reflect.Zero(t)
}
