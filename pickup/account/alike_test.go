package account_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"postern/pickup/account"
	"postern/store"
)

// TestI9AliasFormDoesTheSameForEveryAddress: who asks for an address learns neither by the answer nor by the work that
// is done whether somebody has an account with it.
func TestI9AliasFormDoesTheSameForEveryAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		e := newEnv(t, func(c *account.Config) { c.Store = &countingStore{c.Store, &asked} })
		e.quick(bob)
		e.quick(store.Address{Local: "rob", Domain: "mail.example"})
		id, _ := e.quick(store.Address{Local: "kim", Domain: "mail.example"})
		e.bed.ChangeAccount(id, func(a *store.Account) { a.Status = store.StatusDisabled })
		who, err := e.SignIn(t.Context(), login("bob@mail.example", password))
		must(t, err)
		var first string
		for i, address := range []string{"rob@mail.example", "kim@mail.example", "sue@mail.example"} { // of one length: the mails are compared
			asked = 0
			mails := len(e.bed.Queue())
			err := e.AddAlias(t.Context(), who, account.AliasForm{Address: address, Password: password, Client: client})
			did := fmt.Sprintf("%v, asks the store %d times and mails %d of sizes %v", err, asked, len(e.bed.Queue())-mails, e.sizes())
			if i == 0 {
				first = did
			} else if did != first {
				t.Errorf("%s: %s\nanother: %s", address, did, first)
			}
			must(t, e.RemoveAlias(t.Context(), who, account.AliasForm{Address: address, Password: password, Client: client}))
		}
		if !strings.HasPrefix(first, "<nil>") || !strings.Contains(first, "mails 1 ") {
			t.Errorf("the form does %s", first)
		}
	})
}

// sizes are those of the mails to addresses at mail.example, without doubles.
func (e *env) sizes() (list []int) {
	for _, item := range e.bed.Queue() {
		raw, _, err := e.bed.Outbox.Open(item)
		must(e.t, err)
		list = append(list, len(raw))
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// TestI9CodeFormKeepsStep: where codes are mailed, the link of an address that may not sign in is refused as any failed
// log-on is: by one error, at a multiple of half a second, whatever the store takes.
func TestI9CodeFormKeepsStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t, func(c *account.Config) { c.Store = &slowStore{c.Store, rand.New(rand.NewPCG(1, 2))} })
		id, _ := e.quick(bob)
		e.bed.ChangeAccount(id, func(a *store.Account) { a.Status = store.StatusDisabled })
		secret, _ := e.sealed(bob)
		for range 5 {
			time.Sleep(time.Hour)
			start := time.Now()
			_, err := e.SendCode(t.Context(), account.CodeRequest{Secret: secret, Client: client})
			if took := time.Since(start); err != account.ErrSignIn || took != 500*time.Millisecond {
				t.Errorf("a code for a disabled account: %v after %s", err, took)
			}
		}
	})
}
