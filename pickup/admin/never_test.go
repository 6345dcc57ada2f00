package admin_test

import (
	"reflect"
	"strings"
	"testing"

	"postern/pickup/account"
	"postern/pickup/admin"
	"postern/store"
)

// TestB04UsersAreNeverDeleted: neither the store nor a service has a way to delete a user, an administrator or a
// person of a group; whatever is done to a user leaves the row, with its events.
func TestB04UsersAreNeverDeleted(t *testing.T) {
	t.Parallel()
	for _, of := range []reflect.Type{
		reflect.TypeFor[store.Accounts](), reflect.TypeFor[store.Administrators](), reflect.TypeFor[store.Groups](), reflect.TypeFor[*admin.Service](), reflect.TypeFor[*account.Service](),
	} {
		if of.NumMethod() < 5 {
			t.Fatalf("%s has %d methods", of, of.NumMethod())
		}
		for i := range of.NumMethod() {
			name := strings.ToLower(of.Method(i).Name)
			for _, word := range []string{"delete", "erase", "purge", "forget", "removeuser", "removeaccount"} {
				if strings.Contains(name, word) {
					t.Errorf("%s has %s", of, of.Method(i).Name)
				}
			}
		}
	}
	d := newDesk(t)
	d.Users = d.logOns
	d.users(store.StatusActive, "ann@example.org")
	before := d.bed.Account(d.id1("ann"))
	must(t, d.UserChange(t.Context(), admin.Socket(), "ann@example.org", admin.UserEdit{Name: "Ann", Class: store.ClassGuest}))
	must(t, d.UserSwitch(t.Context(), admin.Socket(), "ann@example.org", store.StatusDisabled))
	after := d.bed.Account(d.id1("ann"))
	if after.Address != before.Address || !after.Created.Equal(before.Created) || after.Status != store.StatusDisabled {
		t.Errorf("row %+v", after)
	}
	list, err := d.UserList(t.Context(), admin.Socket(), admin.UserQuery{}, "")
	if err != nil || len(list.Rows) != 1 {
		t.Errorf("%d users are listed, %v", len(list.Rows), err)
	}
}
