package intake

import (
	"context"
	"errors"
	"testing"
	"time"

	"postern/store"
	"postern/store/seal"
)

// replier is an account that may answer a message.
type replier struct {
	*gate
	account store.Account
	share   store.RcptKey
	fk      seal.FileKey
}

func newReplier(t *testing.T) *replier {
	t.Helper()
	r := &replier{gate: newGate(t)}
	r.plant()
	return r
}

// plant makes an account and a message that it has opened.
func (r *replier) plant() {
	now := time.Now()
	pub := seal.NewSeed().Public()
	bob := store.Address{Local: "bob", Domain: "mail.example"}
	r.account = store.Account{ID: store.AccountID{1}, Address: bob, Status: store.StatusActive, Registered: true, Standing: store.Provisional,
		Keys: []store.KeyVersion{{ID: seal.PublicKeyID(pub), Public: pub, State: store.KeyCurrent}}}
	id := store.NewMessageID(now)
	r.share = store.RcptKey{Message: id, N: 1}
	m := store.Message{ID: id, At: now, Card: []byte("card"), Flagged: true, Expires: now.Add(time.Hour), Refs: 1}
	rcpt := store.Recipient{Key: r.share, Address: bob, Account: r.account.ID, Action: store.ActionSeal, State: store.StateOpened,
		Since: now, Opened: now, Expires: m.Expires}
	r.bed.Update(func(tx store.Tx) error {
		return errors.Join(tx.Accounts().Create(r.account), tx.Messages().Create(m, []store.Recipient{rcpt}), tx.Bodies().Put(id, []byte("body")))
	})
}

// reply sends an answer; meanwhile runs while its body is on its way.
func (r *replier) reply(meanwhile func()) (store.Receipt, error) {
	now := time.Now()
	alice, site := store.Address{Local: "alice", Domain: "example.org"}, store.Address{Local: "securemail", Domain: "example.org"}
	env := store.Envelope{ID: store.NewMessageID(now), At: now, From: &site, Rcpts: []store.Rcpt{{Address: alice}},
		Client: store.Client{Class: store.ClientSite}, Author: r.account.ID, Parent: r.share}
	head := "From: securemail@example.org\r\nTo: alice@example.org\r\nSubject: Re: x\r\nMessage-ID: <reply@example.org>\r\n\r\n"
	return r.AcceptReply(context.Background(), env, r.fk, slowly(head+"Thank you.\r\n", meanwhile))
}

func (r *replier) sent() (list []store.Message) {
	r.t.Helper()
	must(r.t, r.Store.View(context.Background(), func(tx store.Tx) (err error) {
		list, _, err = tx.Messages().Sent(r.account.ID, "", 10)
		return err
	}))
	return list
}

func TestP5ReplyIsTaken(t *testing.T) {
	t.Parallel()
	r := newReplier(t)
	if _, err := r.reply(func() {}); err != nil {
		t.Fatal(err)
	}
	list := r.sent()
	if len(list) != 1 || len(list[0].Grants) != 2 || list[0].Refs != 2 || list[0].Parent != r.share {
		t.Fatalf("copies: %+v", list)
	}
	must(t, r.Store.View(t.Context(), func(tx store.Tx) error {
		share, err := tx.Messages().Recipient(r.share)
		events, _, eventsErr := tx.Audit().OfMessage(r.share.Message, "", 10)
		if !share.Replied.Equal(list[0].At) {
			t.Errorf("the share is marked as answered at %s", share.Replied)
		}
		if len(events) != 1 || events[0].What != store.EventReplied || events[0].N != 1 || events[0].Facts["reply"] != list[0].ID.String() {
			t.Errorf("events %+v", events)
		}
		return errors.Join(err, eventsErr)
	}))
}

// A reply takes as long as its upload. When the share of what it answers ends in that time, its copy would outlive it
// with grants and body for ever (KEYS K12); and who was disabled or disowned in that time sends nothing (KEYS K9).
func TestK12ReplyEndsWithWhatItAnswers(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(store.Tx, *store.Account, *store.Recipient){
		"recalled": func(_ store.Tx, _ *store.Account, s *store.Recipient) {
			s.Ended, s.EndedAt = store.StateRecalled, time.Now()
		},
		"expired":                  func(_ store.Tx, _ *store.Account, s *store.Recipient) { s.Expires = time.Now().Add(-time.Second) },
		"another account's by now": func(_ store.Tx, _ *store.Account, s *store.Recipient) { s.Account = store.AccountID{7} },
		"disabled":                 func(_ store.Tx, a *store.Account, _ *store.Recipient) { a.Status = store.StatusDisabled },
		"disowned": func(_ store.Tx, a *store.Account, _ *store.Recipient) {
			a.Registered, a.Keys[0].State = false, store.KeyLocked
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newReplier(t)
			_, err := r.reply(func() {
				r.bed.Update(func(tx store.Tx) error {
					a, errA := tx.Accounts().Get(r.account.ID)
					s, errS := tx.Messages().Recipient(r.share)
					change(tx, &a, &s)
					return errors.Join(errA, errS, tx.Accounts().Set(a), tx.Messages().Set(s))
				})
			})
			refusal := new(store.ReplyError)
			if !errors.As(err, &refusal) || refusal.Temporary() {
				t.Errorf("answered %v, want a refusal for good", err)
			}
			if list := r.sent(); len(list) != 0 {
				t.Errorf("%d copies were kept", len(list))
			}
		})
	}
}

// TestRepliesPerAccount: a stolen session does not become a way to flood the organisation. The account is what counts, not
// the sender address, which all replies share; what was not taken does not count.
func TestRepliesPerAccount(t *testing.T) {
	t.Parallel()
	r := newReplier(t)
	r.replies = newLimiter(2, 3, errTooManyReplies)
	now := time.Now()
	r.Now = func() time.Time { return now }
	want := func(step, words string) {
		t.Helper()
		_, err := r.reply(func() {})
		if words == "" && err != nil {
			t.Errorf("%s: %v", step, err)
		} else if words != "" {
			isReply(t, err, 451, words)
		}
	}
	want("first", "")
	want("second", "")
	want("third within the hour", "too many from this account")
	r.replies.give(store.AddressKey(r.account.ID.String()), 1, now)
	want("in place of one that was not taken", "")
	now = now.Add(61 * time.Minute)
	r.bed.ChangeRcpt(r.share, func(s *store.Recipient) { s.Expires = now.Add(time.Hour) })
	want("an hour later", "")
	now = now.Add(61 * time.Minute)
	r.bed.ChangeRcpt(r.share, func(s *store.Recipient) { s.Expires = now.Add(time.Hour) })
	want("over the day's number", "too many from this account")
	if n := len(r.sent()); n != 4 {
		t.Errorf("%d replies were taken", n)
	}
}
