package intake

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"postern/smtpd/policy"
	"postern/store"
	"postern/store/mail"
)

// KEYS K8: only a confirmed account gets messages by itself; one that is muted waits for their links.
func TestK8AccountGrants(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name           string
		change         func(*store.Account)
		inbox, granted bool
	}{
		{"confirmed", func(*store.Account) {}, true, true},
		{"provisional", func(a *store.Account) { a.Standing = store.Provisional }, false, false},
		{"not registered any more", func(a *store.Account) { a.Registered = false }, false, false},
		{"muted", func(a *store.Account) { a.Muted = true }, true, false},
		{"without usable key", func(a *store.Account) { a.Keys[0].State = store.KeyLocked }, true, false},
		{"provisional, by an alias", func(a *store.Account) {
			a.Aliases, a.Address, a.Standing = []store.Address{a.Address}, addr(carol), store.Provisional
		}, true, true},
		{"by an alias", func(a *store.Account) { a.Aliases, a.Address = []store.Address{a.Address}, addr(carol) }, true, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g := newGate(t)
			a, seed := g.bed.Person(addr(bob), store.Confirmed)
			g.bed.ChangeAccount(a.ID, tt.change)
			r := g.send(tagged(), bob)
			rc := g.bed.Rcpt(key(r, 1))
			grant, ok := rc.Grant(store.GrantAccount)
			if (rc.Account == a.ID) != tt.inbox || ok != tt.granted {
				t.Fatalf("in the inbox: %t, granted: %t", rc.Account == a.ID, ok)
			}
			if told := g.notices[0].InInbox; told != tt.granted {
				t.Errorf("the notification says that the password opens the message: %t", told)
			}
			if !ok {
				return
			}
			fk, err := g.Keys.OpenAccount(seed, r.ID, grant)
			must(t, err)
			if g.body(r.ID, fk) != tagged() {
				t.Error("the grant opens something else")
			}
		})
	}
}

// TestAccountsAreLookedAtWhenTheDataIsThere: an upload may take long.
func TestAccountsAreLookedAtWhenTheDataIsThere(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	raw := tagged() + strings.Repeat("x\r\n", 50_000)
	env := envelope("alice@example.org", bob)
	var a store.Account
	_, err := g.Accept(t.Context(), env, slowly(raw, func() { a, _ = g.bed.Person(addr(bob), store.Confirmed) }))
	must(t, err)
	if _, ok := g.bed.Rcpt(store.RcptKey{Message: env.ID, N: 1}).Grant(store.GrantAccount); !ok {
		t.Error("an account that was made during the upload got no grant")
	}
	env = envelope("alice@example.org", bob)
	_, err = g.Accept(t.Context(), env, slowly(raw, func() {
		g.bed.ChangeAccount(a.ID, func(a *store.Account) { a.Status = store.StatusDisabled })
	}))
	isReply(t, err, 451, "Temporary local problem")
	if len(g.bed.Recipients(env.ID)) != 0 {
		t.Error("a message for a recipient disabled meanwhile is stored")
	}
}

// TestAccountsAreComparedInTheTransaction: the grants are made anew for what it finds.
func TestAccountsAreComparedInTheTransaction(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	updates := 0
	f := &faulty{Store: g.Store}
	g.Store = f
	var a store.Account
	f.before = func() error {
		if updates++; updates == 1 {
			a, _ = g.bed.Person(addr(bob), store.Confirmed)
		}
		return nil
	}
	r := g.send(tagged(), bob)
	if _, ok := g.bed.Rcpt(key(r, 1)).Grant(store.GrantAccount); !ok || updates != 2 {
		t.Errorf("granted: %t after %d transactions", ok, updates)
	}
	if n := len(g.bed.Mails(store.KindNotification)); n != 1 {
		t.Errorf("%d notifications", n)
	}
	updates = 0
	f.before = func() error { // somebody changes it before every attempt
		updates++
		g.bed.ChangeAccount(a.ID, func(a *store.Account) { a.Muted = !a.Muted })
		return nil
	}
	if _, err := g.Accept(t.Context(), envelope("alice@example.org", bob), strings.NewReader(tagged())); !errors.Is(err, store.ErrConflict) || updates != 5 {
		t.Errorf("%v after %d transactions", err, updates)
	}
}

// MAIL 3.6: what answers a sealed message or its notification is sealed, new recipients included, until thread_memory
// is over.
func TestThreadsAreRemembered(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	r := g.send(tagged("Message-ID: <m1@example.org>"), bob)
	notice := g.bed.Rcpt(key(r, 1)).NoticeID
	for _, tt := range []struct {
		name, answer, to string
		action           store.Action
		rule             string
	}{
		{"the message", "In-Reply-To: <m1@example.org>", carol, store.ActionSeal, policy.RuleThread},
		{"further back", "References: <m1@example.org>\r\n <m2@example.org>", carol, store.ActionSeal, policy.RuleThread},
		{"its notification", "In-Reply-To: " + notice, carol, store.ActionSeal, policy.RuleThread},
		{"inside", "In-Reply-To: <m1@example.org>", dave, store.ActionRelay, policy.RuleInternal},
		{"another message", "In-Reply-To: <m3@example.org>", carol, store.ActionRelay, policy.RuleDefault},
	} {
		if got := g.send(letter(tt.answer), tt.to).Parts[0]; got.Action != tt.action || got.Rule != tt.rule {
			t.Errorf("answer to %s: %s by %s", tt.name, got.Action, got.Rule)
		}
	}
	g.bed.Update(func(tx store.Tx) error {
		_, err := tx.Threads().Sweep(time.Now().Add(g.ThreadMemory+time.Hour), 100)
		return err
	})
	if got := g.send(letter("In-Reply-To: <m1@example.org>"), carol).Parts[0]; got.Action != store.ActionRelay {
		t.Errorf("after thread_memory: %s by %s", got.Action, got.Rule)
	}
}

// MAIL 6.2: own mail that comes back is relayed, whatever stands in it and whatever rules say. On another mail or for
// other recipients the mark is worth nothing.
func TestOwnMailIsRelayed(t *testing.T) {
	t.Parallel()
	g := newGate(t, policy.Rule{Name: "all", Match: policy.Match{To: []string{"*"}}, Action: "seal"})
	m, id := own(store.NewMessageID(time.Now()), store.KindNotification, store.Rcpt{Address: addr(bob)}, store.RcptKey{}, "link")
	m.Raw = append([]byte("From: alice@example.org\r\nSubject: [secure] x\r\n"), m.Raw...)
	p, err := g.Outbox.Prepare(t.Context(), m)
	must(t, err)
	sent, _, err := g.Outbox.Open(p.Item())
	must(t, err)
	raw := string(sent)
	mark, _, _ := strings.Cut(raw, "\r\n")
	for _, tt := range []struct {
		name, raw string
		to        []string
		rule      string
	}{
		{"as it went out", raw, []string{bob}, policy.RuleOwn},
		{"to somebody else", raw, []string{carol}, "all"},
		{"to one more", raw, []string{bob, carol}, "all"},
		{"mark on another mail", mark + "\r\n" + letter("Message-ID: <other@gw.example.org>"), []string{bob}, "all"},
		{"two marks", mark + "\r\n" + raw, []string{bob}, "all"},
		{"no mark", letter("Message-ID: " + id), []string{bob}, "all"},
	} {
		if got := g.send(tt.raw, tt.to...).Parts[0].Rule; got != tt.rule {
			t.Errorf("%s: rule %s, want %s", tt.name, got, tt.rule)
		}
	}
}

// TestOwnMailKeepsItsNeedOfTLS: a report that quotes the subject of a sealed message goes over TLS only, also when its way
// to the mailbox leads through the gateway once more (MAIL 6.6). A mark that says less than it did is worth nothing.
func TestOwnMailKeepsItsNeedOfTLS(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	for _, needs := range []bool{true, false} {
		m, _ := own(store.NewMessageID(time.Now()), store.KindDSN, store.Rcpt{Address: addr("alice@example.org")}, store.RcptKey{}, "[secure] Salaries")
		m.NeedTLS = needs
		p, err := g.Outbox.Prepare(t.Context(), m)
		must(t, err)
		raw, _, err := g.Outbox.Open(p.Item())
		must(t, err)
		r := g.take(envelope("", "alice@example.org"), string(raw))
		if item := g.item(key(r, 1)); item.NeedTLS != needs || r.Parts[0].Rule != policy.RuleOwn {
			t.Errorf("by %s: needs TLS %v, want %v", r.Parts[0].Rule, item.NeedTLS, needs)
		}
		if needs {
			r = g.take(envelope("", "alice@example.org"), strings.Replace(string(raw), "dsn+tls", "dsn", 1))
			if r.Parts[0].Rule == policy.RuleOwn {
				t.Error("the mark was cut and counts all the same")
			}
		}
	}
}

// MAIL 9.1: so many sealed recipients an hour. What was not accepted does not count.
func TestSealedRecipientsPerHour(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	g.limits = newLimiter(3, 100, errTooMany)
	now := time.Now()
	g.Now = func() time.Time { return now }
	broken := tagged() + strings.Repeat("x\r\n", 20_000)
	for range 5 {
		r := io.MultiReader(strings.NewReader(broken), iotest.ErrReader(io.ErrUnexpectedEOF))
		if _, err := g.Accept(t.Context(), envelope("alice@example.org", bob, carol), r); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("half a message: %v", err)
		}
	}
	g.send(tagged(), bob, carol)
	_, err := g.Accept(t.Context(), envelope("alice@example.org", bob, carol), strings.NewReader(tagged()))
	isReply(t, err, 451, "too many")
	g.send(letter("Subject: x"), bob, carol)
	now = now.Add(time.Hour)
	g.send(tagged(), bob, carol)
}

// P6: a dry run says what would happen, and nothing happens.
func TestP6ExplainHasNoEffect(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	g.disable(carol)
	decisions, err := g.Explain(t.Context(), envelope("alice@example.org", bob, carol, dave), mail.ParseHeader([]byte(tagged())))
	must(t, err)
	for i, want := range []store.Action{store.ActionSeal, store.ActionReject, store.ActionRelay} {
		if decisions[i].Action != want || decisions[i].Reason == "" {
			t.Errorf("recipient %d: %+v", i, decisions[i])
		}
	}
	g.empty()
	if len(g.notices) != 0 {
		t.Error("a notification was composed")
	}
}

func TestNobodyLogsOn(t *testing.T) {
	t.Parallel()
	isReply(t, newGate(t).Authenticate(t.Context(), store.Client{}, "alice", "x"), 535, "Authentication credentials invalid")
}
