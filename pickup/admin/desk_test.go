package admin_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/cmd/testbed"
	"postern/pickup/account"
	"postern/pickup/admin"
	"postern/pickup/message"
	"postern/pickup/notify"
	"postern/store"
	"postern/store/seal"
)

var (
	must    = testbed.Must
	start   = time.Date(2026, 6, 9, 9, 42, 0, 0, time.UTC)
	alice   = store.Address{Local: "alice", Domain: "example.org"}
	bob     = store.Address{Local: "bob", Domain: "mail.example"}
	threads = seal.MACKey{2}
)

// desk is the service on a real store; what it hands on is noted.
type desk struct {
	*admin.Service
	bed   *testbed.Bed
	calls []string
	fail  error // what runner, users and messages answer
	id    uint32
	down  time.Time // until when the next hop counts as down

	logOns *account.Service
	clock  time.Time // zero: start
	began  time.Time // not zero: the clock goes on since then
	noted  []store.Event

	outcome account.Outcome  // of every invitation; "": invited
	stuck   map[string]error // why an address cannot be invited
	kept    bool             // the last invitation was to change nobody's class
}

// Now is the clock of the service; it stands still, unless it was set going.
func (d *desk) Now() time.Time {
	now := start
	if !d.clock.IsZero() {
		now = d.clock
	}
	if !d.began.IsZero() {
		now = now.Add(time.Since(d.began))
	}
	return now
}

func (d *desk) Record(e store.Event) { d.noted = append(d.noted, e) }

func (d *desk) LastSeen(_ store.SessionID, at time.Time) { d.note("seen %s", at.Format("15:04")) }

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{bed: testbed.New(t, func() time.Time { return start })}
	d.logOns = account.New(account.Config{Store: d.bed.Store, Keys: d.bed.Keys, Recorder: d, Organization: []string{"Example County Council"},
		PerMinute: 1000, Cores: 2, Now: d.Now, Log: d.bed.Logger()})
	letters, err := notify.New(notify.Config{Org: notify.Organization{Name: "Example County Council", Domains: []string{"example.org"}},
		From: store.Address{Local: "securemail", Domain: "example.org"}, Host: "gateway.example.org", SiteURL: "https://secure.example.org", Now: d.Now})
	must(t, err)
	d.Service = admin.New(admin.Config{Mails: letters, Outbox: d.bed.Outbox, Store: d.bed.Store, Keys: d.bed.Keys, Threads: threads, Messages: d, Users: d, Runner: d, Explain: d,
		LogOns: d.logOns, Internal: func(domain string) bool { return domain == "example.org" }, Recorder: d, ConsoleURL: "https://console.example.org/", Organization: "Example County Council", Log: d.bed.Logger(), Now: d.Now})
	return d
}

func (d *desk) note(format string, args ...any) error {
	d.calls = append(d.calls, fmt.Sprintf(format, args...))
	return d.fail
}

func (d *desk) Recall(_ context.Context, by message.Actor, k store.RcptKey) error {
	return d.note("recall %d by %s", k.N, by)
}

func (d *desk) RecallAll(_ context.Context, by message.Actor, _ store.MessageID) error {
	return d.note("recall all by %s", by)
}

func (d *desk) Renotify(_ context.Context, by message.Actor, k store.RcptKey) (message.Way, error) {
	return message.ByFirstMail, d.note("renotify %d by %s", k.N, by)
}

func (d *desk) Extend(_ context.Context, by message.Actor, k store.RcptKey, until time.Time) error {
	return d.note("extend %d by %s to %s", k.N, by, until.Format(time.DateOnly))
}

func (d *desk) ExtendAll(_ context.Context, by message.Actor, _ store.MessageID, until time.Time) (int, error) {
	return 2, d.note("extend all by %s to %s", by, until.Format(time.DateOnly))
}

func (d *desk) Invite(_ context.Context, in account.Invitation, list []account.Invitee) ([]account.Outcome, error) {
	outcomes := make([]account.Outcome, len(list))
	d.kept = in.Keep
	for _, x := range list {
		if err := d.stuck[x.Address.String()]; err != nil {
			return nil, err
		}
	}
	if in.From != nil {
		d.note("from %s", in.From)
	}
	for i, x := range list {
		if outcomes[i] = d.outcome; outcomes[i] == "" {
			outcomes[i] = account.Invited
		}
		d.note("invite %s %s %s by %s for %s", x.Address, x.Name, x.Class, in.By, in.Group)
	}
	if in.Note != nil && d.fail == nil {
		d.bed.Update(func(tx store.Tx) error { return in.Note(tx, outcomes) })
	}
	return outcomes, d.fail
}

func (d *desk) Disable(_ context.Context, by string, _ store.AccountID) error {
	return d.note("disable by %s", by)
}

func (d *desk) Enable(_ context.Context, by string, _ store.AccountID) error {
	return d.note("enable by %s", by)
}

func (d *desk) ReleaseAlias(_ context.Context, by string, _ store.AccountID, address store.Address) error {
	return d.note("release %s by %s", address, by)
}

func (d *desk) Flush(domain string) { d.note("flush %s", domain) }

func (d *desk) Down(string) time.Time { return d.down }

func (d *desk) Drop(ctx context.Context, k store.RcptKey, reason string, by store.Event) error {
	if d.fail == nil && d.bed.Store.Update(ctx, func(tx store.Tx) error { return tx.Audit().Add(by) }) != nil {
		d.bed.T.Errorf("event %+v", by)
	}
	return d.note("drop %d: %s", k.N, reason)
}

func (d *desk) Explain(_ context.Context, env store.Envelope, header []byte) ([]admin.Verdict, error) {
	return []admin.Verdict{{To: env.Rcpts[0].Address.String()}}, d.note("explain %s", header)
}

func (d *desk) Known(_ context.Context, _ store.Envelope, header []byte) (admin.Known, error) {
	return admin.Known{Thread: true}, d.note("known %s", header)
}

// mail stores a message from alice to so many recipients, a minute after the last, and queues it.
func (d *desk) mail(rcpts int, to store.Address) store.Message {
	d.bed.T.Helper()
	d.id++
	at := start.Add(time.Duration(d.id) * time.Minute)
	m := store.Message{ID: store.NewMessageID(at), At: at, From: &alice, Author: &alice, Client: store.Client{IP: "192.0.2.1"}, Refs: rcpts,
		Thread: threads.Thread(fmt.Sprintf("<m%d@example.org>", d.id))}
	var rows []store.Recipient
	var items []store.QueueItem
	for n := range uint32(rcpts) {
		k := store.RcptKey{Message: m.ID, N: n + 1}
		rows = append(rows, store.Recipient{Key: k, Address: to, Sender: alice, Action: store.ActionSeal, Rule: "tag", Reason: "It carries the tag.",
			State: store.StateQueued, Since: at, Expires: at.Add(time.Hour)})
		items = append(items, store.QueueItem{Key: k, Kind: store.KindNotification, Domain: to.Domain, From: &alice, To: store.Rcpt{Address: to},
			KeyID: "key", Arrived: at, Due: at.Add(time.Hour), GiveUp: at.Add(2 * time.Hour)})
	}
	d.bed.Update(func(tx store.Tx) error {
		err := tx.Messages().Create(m, rows)
		for _, i := range items {
			err = errors.Join(err, tx.Queue().Put(i))
		}
		return errors.Join(err, tx.Audit().Add(store.Event{ID: store.NewEventID(at), What: store.EventAccepted, Message: m.ID, Actor: "system"}))
	})
	return m
}

// TestLongListsArePaged: everything comes once, in order.
func TestLongListsArePaged(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.mail(450, bob)
	for i := range 250 {
		d.bed.Person(store.Address{Local: fmt.Sprintf("p%03d", i), Domain: "mail.example"}, store.Provisional)
	}
	seen := map[string]bool{}
	pages := 0
	for c := store.Cursor(""); pages == 0 || c != ""; pages++ {
		p, err := d.QueueList(t.Context(), admin.Socket(), "mail.example", c)
		must(t, err)
		if p.All != 450 {
			t.Errorf("%d items in all", p.All)
		}
		for _, r := range p.Rows {
			seen[r.Item] = true
		}
		c = p.Next
	}
	if len(seen) != 450 || pages != 3 {
		t.Errorf("%d items on %d pages", len(seen), pages)
	}
	var users []string
	for c, more := store.Cursor(""), true; more; more = c != "" {
		p, err := d.UserList(t.Context(), admin.Socket(), admin.UserQuery{Status: store.StatusActive}, c)
		must(t, err)
		for _, u := range p.Rows {
			users = append(users, u.Address)
		}
		c = p.Next
	}
	if len(users) != 250 || !slices.IsSorted(users) {
		t.Errorf("%d users, sorted %t", len(users), slices.IsSorted(users))
	}
	found, err := d.MessageTrace(t.Context(), admin.Socket(), admin.TraceQuery{What: alice.String()})
	must(t, err)
	if len(found) != 1 || len(found[0].Recipients) != 450 {
		t.Errorf("%d messages of %d recipients", len(found), len(found[0].Recipients))
	}
	if n, err := d.MessageRecall(t.Context(), admin.Socket(), found[0].ID); err != nil || n != 450 {
		t.Errorf("%d shares are recalled, %v", n, err)
	}
}

// MAIL 10.2: by message id, item id, Message-ID with and without brackets, and by the addresses of both sides.
func TestTraceFindsMessages(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	var all []store.Message
	for n := range 30 {
		all = append(all, d.mail([]int{1, 60, 300}[n%3], bob))
	}
	carol := store.Address{Local: "carol", Domain: "mail.example"}
	last := d.mail(1, carol)
	ids := func(of []store.Message) (out []string) {
		for _, m := range slices.Backward(of) {
			out = append(out, m.ID.String())
		}
		return out
	}
	for _, tt := range []struct {
		query string
		want  []string
	}{
		{all[1].ID.String(), ids(all[1:2])},
		{" " + strings.ToUpper(all[1].ID.String()) + " ", ids(all[1:2])},
		{store.RcptKey{Message: all[1].ID, N: 7}.String(), ids(all[1:2])},
		{all[1].ID.End().String(), ids(all[1:2])},
		{" " + strings.ToUpper(strings.Replace(all[1].ID.End().String(), "-", "", 1)) + ".7 ", ids(all[1:2])},
		{"<m3@example.org>", ids(all[2:3])},
		{"m3@example.org", ids(all[2:3])},
		{"BOB@mail.example", ids(all[10:])},
		{"alice@example.org", ids(append(all[11:30:30], last))},
		{"carol@mail.example", ids([]store.Message{last})},
	} {
		found, err := d.MessageTrace(t.Context(), admin.Socket(), admin.TraceQuery{What: tt.query})
		var got []string
		for _, v := range found {
			got = append(got, v.ID)
		}
		if err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%q finds %d messages, want %d (%v)", tt.query, len(got), len(tt.want), err)
		}
	}
	for _, unknown := range []string{"", "x", "nobody@mail.example", "<none@example.org>", store.NewMessageID(start).String()} {
		if _, err := d.MessageTrace(t.Context(), admin.Socket(), admin.TraceQuery{What: unknown}); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%q: %v", unknown, err)
		}
	}
}

// TestTraceByReferenceAndSince: a refusal is found by what its reply quoted, and old mail can be left out.
func TestTraceByReferenceAndSince(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	first, second := d.mail(1, bob), d.mail(1, bob)
	refused := store.NewMessageID(start.Add(time.Hour))
	mallory, eve := store.Address{Local: "mallory", Domain: "mail.example"}, store.Address{Local: "eve", Domain: "mail.example"}
	d.bed.Update(func(tx store.Tx) error {
		return tx.Messages().Refuse(store.Message{ID: refused, At: refused.Time(), From: &mallory}, []store.Recipient{{
			Key: store.RcptKey{Message: refused, N: 1}, Address: eve, Sender: mallory, Action: store.ActionReject, State: store.StateRefused,
		}}, store.Event{ID: store.NewEventID(refused.Time()), What: store.EventRefused, Message: refused, Actor: "system",
			Facts: map[string]string{"conn": "3emn2pd02w", "code": "550"}}, store.RefusedRoom{Recipients: 9, Hourly: 9})
	})
	for _, what := range []string{"3emn2pd02w-1", " (ref 3EMN2PD02W-1) ", refused.String(), "Mallory@mail.example", "eve@mail.example"} {
		found, err := d.MessageTrace(t.Context(), admin.Socket(), admin.TraceQuery{What: what})
		if err != nil || len(found) != 1 || !found[0].Refused || len(found[0].Events) != 1 || found[0].Events[0].Facts["code"] != "550" {
			t.Errorf("%q finds %+v, %v", what, found, err)
		}
	}
	for _, what := range []string{"3emn2pd02x-1", "3emn2pd02w", "-1", "x-"} {
		if found, err := d.MessageTrace(t.Context(), admin.Socket(), admin.TraceQuery{What: what}); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%q finds %+v, %v", what, found, err)
		}
	}
	for since, n := range map[time.Time]int{{}: 2, first.At: 2, second.At: 1} {
		if found, err := d.MessageTrace(t.Context(), admin.Socket(), admin.TraceQuery{What: bob.String(), Since: since}); err != nil || len(found) != n {
			t.Errorf("since %s: %d, %v", since, len(found), err)
		}
	}
	if _, err := d.MessageTrace(t.Context(), admin.Socket(), admin.TraceQuery{What: first.ID.String(), Since: second.At}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("an older message: %v", err)
	}
}

// TestTraceOfARefusalWhoseRowsAreGone: newer refusals push the rows of older ones out; what the audit log has of those is
// still found by what their replies quoted.
func TestTraceOfARefusalWhoseRowsAreGone(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	mallory, eve := store.Address{Local: "mallory", Domain: "mail.example"}, store.Address{Local: "eve", Domain: "mail.example"}
	var ids []store.MessageID
	for i := range 3 {
		id := store.NewMessageID(start.Add(time.Duration(i) * time.Minute))
		ids = append(ids, id)
		d.bed.Update(func(tx store.Tx) error {
			return tx.Messages().Refuse(store.Message{ID: id, At: id.Time(), From: &mallory}, []store.Recipient{{
				Key: store.RcptKey{Message: id, N: 1}, Address: eve, Sender: mallory, Action: store.ActionReject, State: store.StateRefused,
			}}, store.Event{ID: store.NewEventID(id.Time()), What: store.EventRefused, Message: id, Actor: "system", Facts: map[string]string{
				"conn": fmt.Sprintf("conn%d", i), "code": "550", "client": "192.0.2.7", "from": mallory.String(), "recipients": "1", "reason": "Not here.",
			}}, store.RefusedRoom{Recipients: 1, Hourly: 9})
		})
	}
	for _, what := range []string{"conn0-1", ids[0].String(), ids[0].String() + ".1"} {
		found, err := d.MessageTrace(t.Context(), admin.Socket(), admin.TraceQuery{What: what})
		if err != nil || len(found) != 1 {
			t.Fatalf("%q finds %+v, %v", what, found, err)
		}
		v := found[0]
		if v.ID != ids[0].String() || !v.Refused || len(v.Recipients) != 0 || v.From != mallory.String() || v.Client != "192.0.2.7" || !v.At.Equal(start) {
			t.Errorf("%q: %+v", what, v)
		}
		if len(v.Events) != 1 || v.Events[0].Facts["reason"] != "Not here." || v.Events[0].Facts["recipients"] != "1" {
			t.Errorf("%q: %+v", what, v.Events)
		}
	}
	if found, err := d.MessageTrace(t.Context(), admin.Socket(), admin.TraceQuery{What: eve.String()}); err != nil || len(found) != 1 || found[0].ID != ids[2].String() {
		t.Errorf("by address: %+v, %v", found, err)
	}
	if _, err := d.MessageTrace(t.Context(), admin.Socket(), admin.TraceQuery{What: "nobody0001-1"}); err == nil || !strings.Contains(err.Error(), "stands in the log") {
		t.Errorf("a reference of which nothing is kept: %v", err)
	}
	if n, err := d.MessageRecall(t.Context(), admin.Socket(), ids[0].String()); !errors.Is(err, store.ErrConflict) || n != 0 {
		t.Errorf("recall: %d, %v", n, err)
	}
}

func TestTraceTellsTheStory(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	m := d.mail(2, bob)
	found, err := d.MessageTrace(t.Context(), admin.Socket(), admin.TraceQuery{What: m.ID.String()})
	must(t, err)
	v := found[0]
	if v.From != "alice@example.org" || v.Author != "alice@example.org" || v.Client != "192.0.2.1" || v.ReplyTo != "" {
		t.Errorf("message %+v", v)
	}
	if len(v.Recipients) != 2 || v.Recipients[1].Item != m.ID.String()+".2" || v.Recipients[1].Rule != "tag" || v.Recipients[1].State != "queued" {
		t.Errorf("recipients %+v", v.Recipients)
	}
	if len(v.Events) != 1 || v.Events[0].What != "message.accepted" || !v.Events[0].At.Equal(m.At) {
		t.Errorf("events %+v", v.Events)
	}
}

func TestRecallNamesWhatItMeans(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	m := d.mail(2, bob)
	for _, tt := range []struct {
		query, call string
		n           int
		bad         string
	}{
		{m.ID.String() + ".2", "recall 2 by ann", 1, ""},
		{m.ID.String(), "recall all by ann", 2, ""},
		{"<m1@example.org>", "recall all by ann", 2, ""},
		{bob.String(), "", 0, "is an address"},
		{"<none@example.org>", "", 0, "names 0 messages"},
	} {
		d.calls = nil
		n, err := d.MessageRecall(t.Context(), admin.Actor{Role: admin.RoleAdmin, Name: "ann"}, tt.query)
		if n != tt.n || strings.Join(d.calls, ";") != tt.call || (err != nil) != (tt.bad != "") || err != nil && !strings.Contains(err.Error(), tt.bad) {
			t.Errorf("%q: %d, %v, %v", tt.query, n, d.calls, err)
		}
	}
	d.calls = nil
	if _, err := d.MessageRecall(t.Context(), admin.Socket(), m.ID.End().String()); err == nil || len(d.calls) != 0 {
		t.Errorf("recalled by the end of an id: %v, %v", err, d.calls)
	}
	for n := range uint32(2) {
		d.bed.ChangeRcpt(store.RcptKey{Message: m.ID, N: n + 1}, func(r *store.Recipient) { r.State = store.StateExpired })
	}
	if _, err := d.MessageRecall(t.Context(), admin.Socket(), m.ID.String()); err == nil || !strings.Contains(err.Error(), "no share left") {
		t.Errorf("a message that has ended: %v", err)
	}
}

func TestExtendNamesWhatItMeans(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	m := d.mail(2, bob)
	until := start.AddDate(0, 1, 0)
	for _, tt := range []struct {
		query, call string
		n           int
		bad         string
	}{
		{" " + m.ID.String() + ".2", "extend 2 by ann to 2026-07-09", 1, ""},
		{m.ID.String(), "extend all by ann to 2026-07-09", 2, ""},
		{"<m1@example.org>", "extend all by ann to 2026-07-09", 2, ""},
		{bob.String(), "", 0, "is an address"},
	} {
		d.calls = nil
		n, err := d.MessageExtend(t.Context(), admin.Actor{Role: admin.RoleAdmin, Name: "ann"}, tt.query, until)
		if n != tt.n || strings.Join(d.calls, ";") != tt.call || (err != nil) != (tt.bad != "") || err != nil && !strings.Contains(err.Error(), tt.bad) {
			t.Errorf("%q: %d, %v, %v", tt.query, n, d.calls, err)
		}
	}
	for n := range uint32(2) {
		d.bed.ChangeRcpt(store.RcptKey{Message: m.ID, N: n + 1}, func(r *store.Recipient) { r.State = store.StateExpired })
	}
	if _, err := d.MessageExtend(t.Context(), admin.Socket(), m.ID.String(), until); !errors.Is(err, store.ErrConflict) {
		t.Errorf("a message that has ended: %v", err)
	}
}

func TestQueueItemsAreRetriedAndDropped(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	m := d.mail(2, bob)
	k := store.RcptKey{Message: m.ID, N: 1}
	ann := admin.Actor{Role: admin.RoleAdmin, Name: "ann"}
	must(t, d.QueueRetry(t.Context(), ann, k))
	row, err := d.QueueShow(t.Context(), ann, k)
	must(t, err)
	if !row.Due.Equal(start) || row.Why != "waits for its first attempt" || row.From != "alice@example.org" || row.Running {
		t.Errorf("row %+v", row)
	}
	d.down = start.Add(time.Minute)
	if row, err = d.QueueShow(t.Context(), ann, k); err != nil || !row.Due.Equal(d.down) || row.Why != "its next hop does not answer" {
		t.Errorf("while the next hop is down: %+v, %v", row, err)
	}
	must(t, d.QueueDrop(t.Context(), ann, store.RcptKey{Message: m.ID, N: 2}, " spam\n"))
	if !slices.Equal(d.calls, []string{"flush mail.example", "drop 2: spam"}) {
		t.Errorf("calls %v", d.calls)
	}
	d.bed.View(func(tx store.Tx) error {
		events, _, err := tx.Audit().OfMessage(m.ID, "", 10)
		for _, e := range events[:2] { // the clock of the test stands before the message
			if e.Actor != "ann" || e.What != store.EventQueueRetry && e.What != store.EventQueueDrop {
				t.Errorf("event %+v", e)
			}
			if reason := e.Facts["reason"]; (reason == "spam") != (e.What == store.EventQueueDrop) || e.Facts["to"] != bob.String() || e.Facts["kind"] != "notification" {
				t.Errorf("facts of %s: %v", e.What, e.Facts)
			}
		}
		return err
	})
	d.bed.Update(func(tx store.Tx) error {
		_, err := tx.Queue().Claim(store.Claim{Domain: "mail.example", Owner: store.Owner{1}, Now: start, Lease: time.Hour, Max: 9})
		return err
	})
	if err := d.QueueRetry(t.Context(), ann, k); !errors.Is(err, store.ErrConflict) || !strings.Contains(err.Error(), "being delivered") {
		t.Errorf("of a claimed item: %v", err)
	}
	none := store.RcptKey{Message: m.ID, N: 9}
	d.fail = store.ErrNotFound
	_, showErr := d.QueueShow(t.Context(), ann, none)
	for _, err := range []error{d.QueueRetry(t.Context(), ann, none), d.QueueDrop(t.Context(), ann, none, ""), showErr} {
		if !errors.Is(err, store.ErrNotFound) || !strings.Contains(err.Error(), "not in the queue") {
			t.Errorf("of no item: %v", err)
		}
	}
}

func TestUsersAreSwitchedByAddress(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	a, _ := d.bed.Person(bob, store.Confirmed)
	ann := admin.Actor{Role: admin.RoleHelpDesk, Name: "ann"}
	u, err := d.UserShow(t.Context(), ann, "BOB@Mail.Example")
	must(t, err)
	if u.ID != a.ID.String() || u.Address != bob.String() || !u.Password || u.Standing != "confirmed" {
		t.Errorf("user %+v", u)
	}
	must(t, d.UserSwitch(t.Context(), ann, bob.String(), store.StatusDisabled))
	must(t, d.UserSwitch(t.Context(), ann, bob.String(), store.StatusActive))
	if !slices.Equal(d.calls, []string{"disable by ann", "enable by ann"}) {
		t.Errorf("calls %v", d.calls)
	}
	if err := d.UserSwitch(t.Context(), ann, "carol@mail.example", store.StatusDisabled); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("nobody: %v", err)
	}
	if _, err := d.UserShow(t.Context(), ann, "not an address"); !errors.Is(err, store.ErrAddress) {
		t.Errorf("no address: %v", err)
	}
}

func TestP6ExplainNeedsRecipients(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	got, err := d.PolicyExplain(t.Context(), admin.Socket(), admin.DryRun{From: alice.String(), To: []string{bob.String()}, Header: []byte("Subject: x")})
	if err != nil || len(got) != 1 || got[0].To != bob.String() || d.calls[0] != "explain Subject: x" {
		t.Errorf("%+v, %v", got, err)
	}
	for _, bad := range []admin.DryRun{{}, {To: []string{"x"}}, {From: "x", To: []string{bob.String()}}} {
		if _, err := d.PolicyExplain(t.Context(), admin.Socket(), bad); err == nil {
			t.Errorf("%+v is judged", bad)
		}
	}
}

// TestDroppedMailOfOursIsInTheStoryOfItsMessage: a notification has an id of its own, but who gave it up and why is looked
// for at the message that it tells of.
func TestDroppedMailOfOursIsInTheStoryOfItsMessage(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	m := d.mail(1, bob)
	own := store.QueueItem{Key: store.RcptKey{Message: store.NewMessageID(start.Add(time.Hour))}, Kind: store.KindNotification, Domain: "mail.example",
		To: store.Rcpt{Address: bob}, About: store.RcptKey{Message: m.ID, N: 1}, KeyID: "key", Arrived: start, Due: start, GiveUp: start.Add(time.Hour)}
	d.bed.Update(func(tx store.Tx) error { return tx.Queue().Put(own) })
	must(t, d.QueueDrop(t.Context(), admin.Actor{Role: admin.RoleAdmin, Name: "ann"}, own.Key, "typo"))
	v, err := d.MessageShow(t.Context(), admin.Socket(), m.ID.String())
	must(t, err)
	for _, e := range v.Events {
		if e.What == string(store.EventQueueDrop) && e.N == 1 && e.Actor == "ann" && e.Facts["reason"] == "typo" && e.Facts["item"] == own.Key.String() {
			return
		}
	}
	t.Errorf("events %+v", v.Events)
}
