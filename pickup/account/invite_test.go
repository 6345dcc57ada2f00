package account_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"postern/cmd/testbed"
	"postern/pickup/account"
	"postern/store"
	"postern/store/mail"
)

func at(s string) store.Address {
	a, err := store.ParseAddress(s)
	if err != nil {
		panic(err)
	}
	return a
}

// TestB03InvitationsByWhatIsThere: a new address gets a row and a mail, an invited one a new link; who has an account
// gets no mail, but may become a member; a disabled user and an alias stay as they are.
func TestB03InvitationsByWhatIsThere(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	row := func(n byte, a store.Account) {
		a.ID = store.AccountID{n}
		e.bed.Update(func(tx store.Tx) error { return tx.Accounts().Create(a) })
	}
	row(1, store.Account{Address: at("has@example.org"), Status: store.StatusActive, Registered: true})
	row(2, store.Account{Address: at("off@example.org"), Status: store.StatusDisabled, Registered: true})
	row(3, store.Account{Address: at("main@example.org"), Aliases: []store.Address{at("alias@example.org")}, Status: store.StatusActive, Registered: true})
	row(4, store.Account{Address: at("member@example.org"), Status: store.StatusActive, Registered: true, Member: true})
	row(5, store.Account{Address: at("disowned@example.org"), Status: store.StatusActive})
	list := []account.Invitee{
		{Address: at("New@example.org"), Name: " New\nPerson ", Class: store.ClassMember}, {Address: at("guest@mail.example"), Class: store.ClassGuest},
		{Address: at("has@example.org"), Class: store.ClassMember}, {Address: at("off@example.org"), Class: store.ClassMember},
		{Address: at("alias@example.org"), Class: store.ClassMember}, {Address: at("member@example.org"), Class: store.ClassGuest},
		{Address: at("disowned@example.org"), Class: store.ClassMember}, {Address: at("new@example.org"), Class: store.ClassMember},
	}
	got, err := e.Invite(t.Context(), account.Invitation{By: "ann@example.org", Group: "Finance"}, list)
	must(t, err)
	want := []account.Outcome{account.Invited, account.Invited, account.MadeClass, account.NotNow, account.Alias, account.Known, account.Again, account.Again}
	if !slices.Equal(got, want) {
		t.Errorf("outcomes %q", got)
	}
	mails := e.bed.Mails(store.KindAccount)
	if len(mails) != 4 {
		t.Errorf("%d mails", len(mails))
	}
	for _, m := range mails {
		if !strings.Contains(m, "/n/") || !strings.Contains(m, "securemail@example.org") {
			t.Errorf("mail\n%s", m)
		}
	}
	var a store.Account
	e.bed.View(func(tx store.Tx) (err error) { a, err = tx.Accounts().ByAddress("new@example.org"); return err })
	if a.Status != store.StatusInvited || !a.Member || a.Name != "New Person" || a.Registered || a.Standing != store.Provisional {
		t.Errorf("row %+v", a)
	}
	for n, member := range map[byte]bool{1: true, 2: false, 3: false, 4: true, 5: true} {
		if a := e.bed.Account(store.AccountID{n}); a.Member != member {
			t.Errorf("%s is a member: %t", a.Address, a.Member)
		}
	}
	e.bed.View(func(tx store.Tx) error {
		live, err := tx.Tokens().Of(store.PurposeSetup, a.ID.String(), time.Now())
		if len(live) != 1 {
			t.Errorf("%d live links", len(live))
		}
		events, _, _ := tx.Audit().OfAccount(a.ID, "", 9)
		if len(events) != 2 || events[0].Actor != "ann@example.org" || events[0].Facts["group"] != "Finance" {
			t.Errorf("events %+v", events)
		}
		return err
	})
}

// TestB18InvitationThatKeepsTheClass: a guest who is invited as a member stays a guest, whoever has signed up or not.
func TestB18InvitationThatKeepsTheClass(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	for n, a := range []store.Account{{Address: at("has@example.org"), Registered: true}, {Address: at("fresh@example.org")}} {
		a.ID, a.Status = store.AccountID{byte(n + 1)}, store.StatusActive
		e.bed.Update(func(tx store.Tx) error { return tx.Accounts().Create(a) })
	}
	got, err := e.Invite(t.Context(), account.Invitation{By: "priya", Keep: true}, []account.Invitee{
		{Address: at("has@example.org"), Class: store.ClassMember}, {Address: at("fresh@example.org"), Class: store.ClassMember}})
	if err != nil || !slices.Equal(got, []account.Outcome{account.Known, account.Again}) {
		t.Errorf("%q, %v", got, err)
	}
	if e.bed.Account(store.AccountID{1}).Member || e.bed.Account(store.AccountID{2}).Member {
		t.Error("a guest became a member")
	}
}

// TestI5DamagedInviteeIsNamed: the error tells whose record it is, and nobody of the list was invited.
func TestI5DamagedInviteeIsNamed(t *testing.T) {
	t.Parallel()
	e := newEnv(t, func(c *account.Config) {
		c.Store = &testbed.Damaged{Store: c.Store, Address: at("bad@example.org").Key()}
	})
	list := []account.Invitee{{Address: at("good@example.org"), Class: store.ClassGuest}, {Address: at("bad@example.org"), Class: store.ClassGuest}}
	_, err := e.Invite(t.Context(), account.Invitation{By: "socket"}, list)
	if never := new(account.InviteeError); !errors.As(err, &never) || never.Address != list[1].Address || !strings.Contains(never.Reason, "damaged") {
		t.Errorf("%v", err)
	}
	if n := len(e.bed.Mails(store.KindAccount)); n != 0 {
		t.Errorf("%d mails", n)
	}
	if _, err := e.Invite(t.Context(), account.Invitation{By: "socket"}, list[:1]); err != nil || len(e.bed.Mails(store.KindAccount)) != 1 {
		t.Errorf("the other alone: %v", err)
	}
}

// TestB10InvitationInAMembersName: From is the member, and a bounce still comes to us.
func TestB10InvitationInAMembersName(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	maria := mail.Mailbox{Name: "Maria Lindqvist", Address: at("maria@example.org")}
	_, err := e.Invite(t.Context(), account.Invitation{By: "socket", From: &maria}, []account.Invitee{{Address: at("new@example.org"), Class: store.ClassMember}})
	must(t, err)
	m := e.bed.Mails(store.KindAccount)[0]
	if !strings.Contains(m, "From: \"Maria Lindqvist\" <maria@example.org>") || e.bed.Queue()[0].From.String() != "securemail@example.org" {
		t.Errorf("mail\n%s", m)
	}
}

func TestB03AcceptedTwiceAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		_, err := e.Invite(t.Context(), account.Invitation{By: "socket"}, []account.Invitee{{Address: at("new@example.org"), Class: store.ClassMember}})
		must(t, err)
		_, rest, _ := strings.Cut(e.bed.Mails(store.KindAccount)[0], "/n/")
		token := rest[:37]
		results := make(chan error, 2)
		for range 2 {
			go func() {
				_, err := e.Accept(t.Context(), token, account.Acceptance{Password: password, Client: client})
				results <- err
			}()
		}
		first, second := <-results, <-results
		if first != nil {
			first, second = second, first
		}
		if first != nil || !errors.Is(second, store.ErrUsed) && !errors.Is(second, account.ErrHasAccount) {
			t.Errorf("%v, %v", first, second)
		}
		if link, err := e.InvitationLink(t.Context(), token); err != nil || link.Used.IsZero() {
			t.Errorf("link %+v, %v", link, err)
		}
	})
}
