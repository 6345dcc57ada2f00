package pickup_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/pickup/account"
	"postern/store"
)

// TestK9HelpDeskUndoesAHostileMerger: who reads joan's mailbox for a while makes her address an alias of his account,
// which takes her own account over. The help desk takes it off: her address is hers again, with her messages and keys, and
// what he has seen of her links makes him no account of hers.
func TestK9HelpDeskUndoesAHostileMerger(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	hers, first, firstKey := w.account(joan)
	w.confirm(joan)
	hers.upload("/m/"+firstKey.String()+"/reply", field{"text", "", "Her answer."})
	w.update(func(tx store.Tx) error {
		a, err := tx.Accounts().ByAddress(joan.Key())
		a.Member = true
		return errors.Join(err, tx.Accounts().Set(a))
	})
	joanID, oldKey := w.lookup(joan).ID, w.lookup(joan).Keys[0].ID
	his, _, _ := w.account(peter)
	w.confirm(peter)
	his.alias(joan)
	w.advance(time.Minute)
	stolen, second := w.plant(joan, letter{subject: "Sealed for him", text: "Second text."})
	his.post("/m/" + second.String() + "/open")
	lacks(t, "before", his.get("/"), 200, "Sealed for him")
	peterID := w.lookup(peter).ID
	if a := w.lookup(peter); !a.Member || len(a.Keys) != 2 || w.recipient(firstKey).Account != peterID {
		t.Fatalf("the merger: %+v", a)
	}

	w.advance(time.Minute)
	must(t, w.accounts.ReleaseAlias(t.Context(), "priya", peterID, joan))
	row, a := w.lookup(joan), w.lookup(peter)
	if row.ID != joanID || row.Status != store.StatusActive || row.Registered || !row.Member || !row.Into.IsZero() ||
		len(row.Keys) != 1 || row.Keys[0].ID != oldKey || row.Keys[0].State != store.KeyLocked || !row.Keys[0].Of.IsZero() {
		t.Errorf("her row: %+v", row)
	}
	if a.Member || len(a.Keys) != 1 || len(a.Aliases)+len(a.Adopts)+len(a.Returns) != 0 {
		t.Errorf("his row: %+v", a)
	}
	for _, to := range []store.Address{joan, peter} {
		told := w.mails(store.KindAccount)
		if last := told[len(told)-2] + told[len(told)-1]; !strings.Contains(last, "To: "+to.String()) || !strings.Contains(last, "was removed from an account") {
			t.Errorf("%s is not told", to)
		}
	}
	lacks(t, "his session", his.get("/"), 303)
	his = w.signIn(peter.String(), password)
	if got := his.get("/").body; strings.Contains(got, "Sealed for him") || strings.Contains(got, "Waiting for its link") {
		t.Error("his inbox still tells of her messages")
	}
	for _, key := range []store.RcptKey{firstKey, second} {
		if got := his.get("/m/" + key.String()); got.status == 200 {
			t.Errorf("he opens %s", key)
		}
	}
	lacks(t, "her link in his account", his.post(linkOf(stolen)), 403, refusal)
	lacks(t, "her address and his password", w.visitor().post("/sign-in", "email", joan.String(), "password", password), 403, refusal)
	if got := his.post(linkOf(stolen), "step", "register", "password", password, "password2", password); got.status == 303 || w.lookup(joan).Registered {
		t.Error("a link from before registers")
	}

	w.advance(time.Minute)
	fresh, _ := w.plant(joan, letter{subject: "Afterwards", text: "Third text."})
	back := w.visitor()
	back.register(fresh)
	lacks(t, "an older link", back.follow(back.post(linkOf(stolen))), 200, "Second text.")
	lacks(t, "the first link", back.follow(back.post(linkOf(first))), 200, "The text of the first message.")
	if now := w.lookup(joan); now.ID != joanID || len(now.Keys) != 2 || w.recipient(firstKey).Account != joanID {
		t.Errorf("her row in the end: %+v", now)
	}
	lacks(t, "what she wrote", back.get("/sent"), 200, "First")
	lacks(t, "what he sees", his.get("/sent"), 200, "")
	if strings.Contains(his.get("/sent").body, "First") {
		t.Error("he has her answer")
	}
}

// TestK9RemovedMergedAliasGetsItsAccountBack: the same when the account's own person removes the address.
func TestK9RemovedMergedAliasGetsItsAccountBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account(family)
	w.confirm(family)
	id := w.lookup(family).ID
	v, _, _ := w.account(joan)
	w.confirm(joan)
	link := v.ask(family)
	if a := v.post(link, "do", "add", "password", password); a.to() != "/settings?done=alias-added" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	_, key := w.plant(family, letter{subject: "While it was one", text: "x"})
	lacks(t, "inbox", v.get("/"), 200, "While it was one")
	w.advance(time.Minute)
	lacks(t, "remove", v.follow(v.post("/settings/address", "do", "remove", "alias", family.String(), "old", password)), 200, "The address has been removed")
	if strings.Contains(v.get("/").body, "While it was one") || w.recipient(key).Account != id {
		t.Error("its messages stay")
	}
	w.advance(time.Minute)
	fresh, _ := w.plant(family, letter{subject: "Afterwards", text: "Fresh text."})
	back := w.visitor()
	back.register(fresh)
	row := w.lookup(family)
	if row.ID != id || row.Keys[0].State != store.KeyLocked || row.Keys[0].Chain != nil || len(w.lookup(joan).Keys) != 1 {
		t.Errorf("the row: %+v", row)
	}
}

// TestK7KeysThatOpenNothingGo: after a reset the locked key stays as long as a message needs it, and goes once the last of
// these has ended. A key that another one hangs on stays with it.
func TestK7KeysThatOpenNothingGo(t *testing.T) {
	t.Parallel()
	w := way(t, account.RecoverLink)
	v, _, _ := w.account(joan)
	w.confirm(joan)
	w.plant(joan, letter{subject: "For the first password", text: "x", life: 5 * 24 * time.Hour})
	states := func() (all []store.KeyState) {
		for _, k := range w.lookup(joan).Keys {
			all = append(all, k.State)
		}
		return all
	}
	tidy := func(what string, want ...store.KeyState) {
		t.Helper()
		if _, next, err := w.accounts.DropKeys(t.Context(), ""); err != nil || next != "" || !slices.Equal(states(), want) {
			t.Errorf("%s: keys %v, %v, want %v", what, states(), err, want)
		}
	}
	tidy("one key", store.KeyCurrent)
	const second, third = "Copper thimble 19 west", "Velvet harbour 23 moon"
	if a := v.post("/settings/password", "old", password, "password", second, "password2", second); a.status != 303 {
		t.Fatalf("the change answers %d", a.status)
	}
	w.advance(25 * time.Hour)
	tidy("chained, with a message of its own", store.KeyChained, store.KeyCurrent)
	other := w.visitor()
	other.post("/change-password", "email", joan.String())
	if a := other.post("/r/"+w.mailed(resetLink), "password", third, "password2", third); a.status != 303 {
		t.Fatalf("the reset answers %d: %s", a.status, a.body)
	}
	tidy("just now", store.KeyChained, store.KeyLocked, store.KeyCurrent)
	w.advance(25 * time.Hour)
	tidy("the first needs the second", store.KeyChained, store.KeyLocked, store.KeyCurrent)
	_, late := w.plant(joan, letter{subject: "For the third", text: "Third text.", life: 60 * 24 * time.Hour})
	w.advance(28 * 24 * time.Hour)
	if _, err := w.messages.Expire(t.Context(), w.Now(), 10); err != nil {
		t.Fatal(err)
	}
	tidy("the last message of the old ones has ended", store.KeyCurrent)
	v = w.signIn(joan.String(), third)
	v.post("/m/" + late.String() + "/open")
	lacks(t, "what is sealed for the new key", v.get("/m/"+late.String()), 200, "Third text.")
	lacks(t, "an earlier password", v.get("/settings"), 200, "")
}
