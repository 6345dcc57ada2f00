package admin_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"postern/cmd/testbed"
	"postern/pickup/admin"
	"postern/store"
	"postern/store/seal"
)

// vault is a store that holds a value of every kind that lies under the server key (KEYS K3).
type vault struct {
	*admin.Service
	bed *testbed.Bed

	message store.MessageID
	account store.AccountID
	session store.SessionID
	visit   store.SessionID
	token   store.TokenID
	code    store.TokenID
	mac     seal.MACKey
}

// newVault fills a store. first is the number of the message's only recipient: it is not 1 where the first one of the
// envelope was refused.
func newVault(t *testing.T, first uint32) *vault {
	t.Helper()
	v := &vault{bed: testbed.New(t, time.Now)}
	var err error
	v.mac, err = seal.LoadMACKey(t.Context(), v.bed.Store, v.bed.Keys, "threads")
	must(t, err)
	v.Service = admin.New(admin.Config{Store: v.bed.Store, Keys: v.bed.Keys, Threads: v.mac, Log: v.bed.Logger(), Now: time.Now})
	v.fill(first)
	return v
}

func (v *vault) fill(first uint32) {
	now, k := time.Now(), v.Keys
	v.message, v.account = store.NewMessageID(now), store.AccountID{1}
	key := store.RcptKey{Message: v.message, N: first}
	old, current, link := seal.NewSeed(), seal.NewSeed(), seal.NewSecret()
	box, err := k.SealBox("Blue lantern 42", v.account, current)
	must(v.bed.T, err)
	earlier := store.KeyVersion{ID: seal.PublicKeyID(old.Public()), Public: old.Public(), State: store.KeyChained, To: box.ID}
	earlier.Chain, err = k.SealChain(box.Public, v.account, box.ID, earlier.ID, old)
	must(v.bed.T, err)
	own, err := k.GrantAccount(box.Public, v.message, seal.FileKey{1})
	must(v.bed.T, err)
	bob := store.Address{Local: "bob", Domain: "mail.example"}
	pending, err := k.SealBox("Grey lantern 43", v.account, seal.NewSeed())
	must(v.bed.T, err)
	v.token, v.code, v.visit = store.TokenID{5}, store.TokenID{6}, store.SessionID{7}
	token := seal.NewSessionToken()
	v.session = token.ID()
	v.bed.Update(func(tx store.Tx) error {
		return errors.Join(
			tx.Accounts().Create(store.Account{ID: v.account, Address: bob, Status: store.StatusActive, Registered: true,
				Keys: []store.KeyVersion{earlier, box}, Reminder: k.SealReminder(v.account, "lamp")}),
			tx.Sessions().Put(store.Session{ID: v.session, Account: v.account, Kind: store.SessionFull, Created: now, Seen: now,
				Idle: time.Hour, Ends: now.Add(time.Hour), Sealed: k.SealSession(token, v.session, v.account, store.SessionFull, current[:])}),
			tx.Sessions().Put(store.Session{ID: v.visit, Address: bob, Kind: store.SessionCode, Created: now, Seen: now, Idle: time.Hour,
				Ends: now.Add(time.Hour), Sealed: k.SealVisit(token, v.visit, bob.Key(), store.SessionCode, []seal.LinkSecret{link})}),
			tx.Tokens().Put(store.Token{ID: v.code, Purpose: store.PurposeCode, Owner: string(bob.Key()), Created: now, Ends: now.Add(time.Hour),
				Sealed: k.SealCode(v.code.String(), "12345678")}, store.Keep{}),
			tx.Tokens().Put(store.Token{ID: v.token, Purpose: store.PurposeVerify, Owner: v.account.String(), Account: v.account, Created: now,
				Ends: now.Add(time.Hour), Key: &pending, Sealed: k.SealReminder(v.account, "lantern")}, store.Keep{Max: 3}),
			tx.Messages().Create(store.Message{ID: v.message, At: now, MsgID: k.SealMessageID(v.message, "<a@example.org>"), Refs: 1,
				Grants: []store.Grant{k.GrantParent(seal.FileKey{2}, store.MessageID{3}, v.message, seal.FileKey{1}), k.GrantSender(link, v.message, seal.FileKey{1})}},
				[]store.Recipient{{Key: key, Address: bob, Action: store.ActionSeal, State: store.StateNotified, Since: now, Expires: now.Add(time.Hour),
					Account: v.account, Grants: []store.Grant{k.GrantLink(link, key, seal.FileKey{1}), own}}}),
		)
	})
}

// sealed lists the key of every value under the server layer, by a name.
func (v *vault) sealed() map[string]store.KeyID {
	v.bed.T.Helper()
	all := map[string]store.KeyID{}
	note := func(name string, value []byte) {
		id, ok := seal.KeyOf(value)
		if !ok {
			v.bed.T.Errorf("%s is not sealed", name)
		}
		all[name] = id
	}
	v.bed.View(func(tx store.Tx) error {
		m, err1 := tx.Messages().Get(v.message)
		rcpts, _, err2 := tx.Messages().Recipients(v.message, "", 10)
		a, err3 := tx.Accounts().Get(v.account)
		ses, err4 := tx.Sessions().Get(v.session)
		mac, err5 := tx.Settings().Get(seal.MACKeyPrefix + "threads")
		note("Message-ID", m.MsgID)
		for _, g := range m.Grants {
			note("grant "+string(g.Kind), g.Data)
		}
		for _, r := range rcpts {
			for _, g := range r.Grants {
				note("grant "+string(g.Kind), g.Data)
			}
		}
		note("reminder", a.Reminder)
		note("chain", a.Keys[0].Chain)
		note("box", a.Keys[1].Box)
		note("session", ses.Sealed)
		note("MAC key", mac)
		pending, err6 := tx.Tokens().Peek(v.token, store.PurposeVerify, time.Now())
		note("pending reminder", pending.Sealed)
		note("pending box", pending.Key.Box)
		visit, err7 := tx.Sessions().Get(v.visit)
		note("session without account", visit.Sealed)
		code, err8 := tx.Tokens().Peek(v.code, store.PurposeCode, time.Now())
		note("code", code.Sealed)
		return errors.Join(err1, err2, err3, err4, err5, err6, err7, err8)
	})
	return all
}

// Rotation seals everything anew, so that the old key can be destroyed and older copies of the store with it.
func TestK3RotationLeavesNothingUnderTheOldKey(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]uint32{"whole message": 1, "first recipient was refused": 2} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newVault(t, first)
			old := v.Keys.Current()
			if err := v.KeyRetire(t.Context(), admin.Socket(), old, true); err == nil {
				t.Error("the key that seals was retired")
			}
			row, err := v.KeyRotate(t.Context(), admin.Socket())
			must(t, err)
			all := v.sealed()
			for name, id := range all {
				if id != row.ID || id == old {
					t.Errorf("%s lies under %s, want %s", name, id, row.ID)
				}
			}
			if row.Rows != len(all) {
				t.Errorf("%d values counted, want %d", row.Rows, len(all))
			}
			v.bed.View(func(tx store.Tx) error {
				for _, what := range []store.What{store.EventKeyAdded, store.EventKeyRotated} {
					events, _, err := tx.Audit().List(store.EventFilter{What: what}, "", 2)
					if err != nil || len(events) != 1 || events[0].Facts["key"] != string(row.ID) {
						t.Errorf("%s is on record as %+v, %v", what, events, err)
					}
				}
				return nil
			})
			if err := v.KeyRetire(t.Context(), admin.Socket(), old, false); err == nil || !strings.Contains(err.Error(), "--now") {
				t.Errorf("right after the rotation: %v", err)
			}
			must(t, v.KeyRetire(t.Context(), admin.Socket(), old, true))
			v.reopen()
		})
	}
}

// reopen reads with what is left of the key file.
func (v *vault) reopen() {
	v.bed.T.Helper()
	keys, err := seal.OpenServerKeys(filepath.Join(v.bed.Dir, "keys", "server.key"))
	must(v.bed.T, err)
	if mac, err := seal.LoadMACKey(v.bed.T.Context(), v.Store, keys, "threads"); err != nil || mac != v.mac {
		v.bed.T.Errorf("MAC key: changed %v, %v", mac != v.mac, err)
	}
	v.bed.View(func(tx store.Tx) error {
		m, err1 := tx.Messages().Get(v.message)
		a, err2 := tx.Accounts().Get(v.account)
		if id, err := keys.OpenMessageID(m.ID, m.MsgID); err != nil || id != "<a@example.org>" {
			v.bed.T.Errorf("Message-ID: %v", err)
		}
		if text, err := keys.OpenReminder(a.ID, a.Reminder); err != nil || text != "lamp" {
			v.bed.T.Errorf("reminder: %v", err)
		}
		if _, err := keys.OpenBox("Blue lantern 42", a.ID, a.Keys[1]); err != nil {
			v.bed.T.Errorf("box: %v", err)
		}
		pending, err3 := tx.Tokens().Peek(v.token, store.PurposeVerify, time.Now())
		if _, err := keys.OpenBox("Grey lantern 43", a.ID, *pending.Key); err != nil {
			v.bed.T.Errorf("pending box: %v", err)
		}
		if text, err := keys.OpenReminder(a.ID, pending.Sealed); err != nil || text != "lantern" {
			v.bed.T.Errorf("pending reminder: %v", err)
		}
		return errors.Join(err1, err2, err3)
	})
}

// TestI8KeysAreCountedOncePerMinute: a count reads the whole store, so a page that is loaded again and again shows the
// last one. A rotation makes it out of date.
func TestI8KeysAreCountedOncePerMinute(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	rows := func() (n int) {
		list, err := d.KeyList(t.Context(), admin.Socket())
		must(t, err)
		for _, k := range list {
			n += k.Rows
		}
		return n
	}
	add := func(name string) {
		_, err := seal.LoadMACKey(t.Context(), d.Store, d.Keys, name)
		must(t, err)
	}
	before := rows()
	add("one")
	if n := rows(); n != before {
		t.Errorf("%d rows within the minute, want the %d that were counted", n, before)
	}
	d.later(time.Minute)
	after := rows()
	if after <= before {
		t.Errorf("%d rows after a minute, want more than %d", after, before)
	}
	add("two")
	_, err := d.KeyRotate(t.Context(), admin.Socket())
	must(t, err)
	if n := rows(); n <= after {
		t.Errorf("%d rows after the rotation, want more than %d", n, after)
	}
}

// A key that a row still names is not destroyed.
func TestK3KeyInUseIsNotRetired(t *testing.T) {
	t.Parallel()
	v := newVault(t, 2)
	old := v.Keys.Current()
	id, err := v.Keys.Add()
	must(t, err)
	must(t, v.Keys.Promote(id))
	if err := v.KeyRetire(t.Context(), admin.Socket(), old, true); err == nil || !strings.Contains(err.Error(), "rows name key") {
		t.Errorf("retired: %v", err)
	}
	if err := v.KeyRetire(t.Context(), admin.Actor{Role: admin.RoleHelpDesk}, old, false); !errors.Is(err, admin.ErrForbidden) {
		t.Errorf("by the help desk: %v", err)
	}
}

// TestK3RetireWaitsAfterRotation: for a quarter of an hour, by the clock of the service.
func TestK3RetireWaitsAfterRotation(t *testing.T) {
	t.Parallel()
	v := newVault(t, 1)
	now := time.Now()
	v.Now = func() time.Time { return now }
	old := v.Keys.Current()
	_, err := v.KeyRotate(t.Context(), admin.Socket())
	must(t, err)
	now = now.Add(14 * time.Minute)
	if err := v.KeyRetire(t.Context(), admin.Socket(), old, false); err == nil || !strings.Contains(err.Error(), "1m0s") {
		t.Errorf("after 14 minutes: %v", err)
	}
	now = now.Add(time.Minute)
	must(t, v.KeyRetire(t.Context(), admin.Socket(), old, false))
}
