package relay_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"postern/store"
)

// refuse answers every RCPT but those of the organisation, whose reports go through.
func refuse(answer string) *sink {
	return &sink{onRcpt: func(line string) string {
		if strings.Contains(line, "@example.org>") {
			return ""
		}
		return answer
	}}
}

func TestNotificationTaken(t *testing.T) {
	t.Parallel()
	e, s := newEnv(t), &sink{ext: []string{"DSN"}}
	about, item := e.putSealed("alice@example.org", store.Rcpt{Address: addr("bob@ext.example")}, nil)
	e.start(route(s.listen(t)))
	e.await("notified", func() bool { return e.state(about) == store.StateNotified })
	r := e.recipient(about)
	if r.Notified.IsZero() || len(r.Own) != 0 || len(r.Grants) != 1 {
		t.Errorf("recipient %+v", r)
	}
	if _, ok := e.item(item); ok {
		t.Error("the link secret is still in the queue")
	}
	if m := e.message(about.Message); m.Refs != 1 || m.Card == nil {
		t.Errorf("message %+v", m)
	}
	got := s.got()[0]
	if !strings.Contains(got.from, "MAIL FROM:<"+bounceAddress+">") || !strings.Contains(got.from, "RET=HDRS ENVID=") ||
		!strings.HasSuffix(got.rcpts[0], "NOTIFY=FAILURE,DELAY") {
		t.Errorf("envelope %+v", got)
	}
	if !strings.HasPrefix(got.body, "X-Postern-Origin: v1 notification ") {
		t.Errorf("body %q", got.body)
	}
	if fmt.Sprint(e.events(about.Message)) != "[message.notified]" || s.count() != 1 {
		t.Errorf("events %v, mails %d", e.events(about.Message), s.count())
	}
}

// TestNotificationRelayedReport: NOTIFY=SUCCESS on sealed mail is never answered "delivered" (MAIL §4).
func TestNotificationRelayedReport(t *testing.T) {
	t.Parallel()
	e, s := newEnv(t), &sink{ext: []string{"DSN"}}
	about, _ := e.putSealed("alice@example.org", store.Rcpt{Address: addr("bob@ext.example"), Notify: store.NotifySuccess}, nil)
	e.start(route(s.listen(t)))
	e.await("a report", func() bool { return s.count() == 2 && len(e.queue()) == 0 })
	contains(t, s.got()[1].body, "Action: relayed", "Final-Recipient: rfc822; bob@ext.example", "Original-Envelope-Id: env-1", "In-Reply-To: <m1@example.org>")
	if e.state(about) != store.StateNotified {
		t.Errorf("state %s", e.state(about))
	}
}

// TestNotificationRefused: the share ends in the transaction of the fact (KEYS K12), and the sender hears of it.
func TestNotificationRefused(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		sender  string
		subject bool
	}{{"alice@example.org", true}, {"list@lists.example", false}} {
		t.Run(tc.sender, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			s := &sink{onRcpt: func(line string) string {
				if strings.Contains(line, "bob@") {
					return "550 5.1.1 no such user"
				}
				return ""
			}}
			about, _ := e.putSealed(tc.sender, store.Rcpt{Address: addr("bob@ext.example"), ORcpt: "rfc822;Bob@ext.example"}, nil)
			e.start(route(s.listen(t)))
			e.await("a report", func() bool { return s.count() == 1 && len(e.queue()) == 0 })
			r, m := e.recipient(about), e.message(about.Message)
			if r.State != store.StateFailed || len(r.Grants) != 0 || len(r.Own) != 0 || r.Detail == "" {
				t.Errorf("recipient %+v", r)
			}
			if m.Refs != 0 || m.Card != nil || m.Grants != nil {
				t.Errorf("message %+v", m)
			}
			got := s.got()[0]
			if !strings.Contains(got.rcpts[0], tc.sender) {
				t.Errorf("report went to %q", got.rcpts)
			}
			contains(t, got.body, "Action: failed", "Status: 5.1.1", "Original-Recipient: rfc822; Bob@ext.example", "In-Reply-To: <m1@example.org>")
			if strings.Contains(got.body, "Salaries") != tc.subject {
				t.Errorf("subject shown: %v\n%s", !tc.subject, got.body)
			}
			if strings.Contains(got.body, "/p/") || strings.Contains(got.body, pickupToken) {
				t.Error("the report has the link")
			}
		})
	}
}

// TestNullSenderOfSealedMailIsNotTold: the state shows it all the same.
func TestNullSenderOfSealedMailIsNotTold(t *testing.T) {
	t.Parallel()
	e, s := newEnv(t), refuse("550 5.1.1 no such user")
	about, _ := e.putSealed("", store.Rcpt{Address: addr("bob@ext.example")}, nil)
	e.start(route(s.listen(t)))
	e.await("failed", func() bool { return e.state(about) == store.StateFailed })
	if items := e.queue(); len(items) != 0 {
		t.Errorf("queued: %+v", items)
	}
}

// TestEndedShareStaysEnded: whatever comes of a notification in flight, what ended meanwhile is not brought back.
func TestEndedShareStaysEnded(t *testing.T) {
	t.Parallel()
	for _, state := range []store.State{store.StateRecalled, store.StateExpired, store.StateOpened, store.StateDeclined} {
		for _, answer := range []string{"250 ok", "550 5.1.1 no such user"} {
			t.Run(string(state)+" "+answer[:3], func(t *testing.T) {
				t.Parallel()
				e := newEnv(t)
				reached, goOn := make(chan bool), make(chan bool)
				s := &sink{onRcpt: func(string) string {
					reached <- true
					<-goOn
					return answer
				}}
				about, item := e.putSealed("alice@example.org", store.Rcpt{Address: addr("bob@ext.example"), Notify: store.NotifySuccess | store.NotifyFailure}, nil)
				e.start(route(s.listen(t)))
				<-reached
				before := e.recipient(about)
				e.update(func(tx store.Tx) error {
					r, err := tx.Messages().Recipient(about)
					if err != nil {
						return err
					}
					r.State = state
					return tx.Messages().Set(r)
				})
				goOn <- true
				e.await("the end of the item", func() bool { _, ok := e.item(item); return !ok })
				r := e.recipient(about)
				if r.State != state || len(r.Grants) != len(before.Grants) {
					t.Errorf("recipient %+v", r)
				}
				if m := e.message(about.Message); m.Refs != 1 {
					t.Errorf("body needed by %d: taken off twice", m.Refs)
				}
				if items := e.queue(); len(items) != 0 {
					t.Errorf("a report was queued: %+v", items)
				}
			})
		}
	}
}

// TestRemovedItemIsLost: recall took the notification out of the queue while it was under way.
func TestRemovedItemIsLost(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	reached, goOn := make(chan bool), make(chan bool)
	s := &sink{onRcpt: func(string) string {
		reached <- true
		<-goOn
		return "550 5.1.1 no such user"
	}}
	about, item := e.putSealed("alice@example.org", store.Rcpt{Address: addr("bob@ext.example")}, nil)
	e.start(route(s.listen(t)))
	<-reached
	e.update(func(tx store.Tx) error {
		r, err := tx.Messages().Recipient(about)
		if err != nil {
			return err
		}
		r.State, r.Grants, r.Own = store.StateRecalled, nil, nil
		if err := tx.Messages().Set(r); err != nil {
			return err
		}
		return tx.Queue().Remove(item)
	})
	goOn <- true
	e.awaitLog("result=lost")
	if e.state(about) != store.StateRecalled || len(e.queue()) != 0 {
		t.Errorf("state %s, queue %+v", e.state(about), e.queue())
	}
}

func TestReminderRefusedEndsNothing(t *testing.T) {
	t.Parallel()
	e, s := newEnv(t), refuse("550 5.1.1 no such user")
	about, first := e.putSealed("alice@example.org", store.Rcpt{Address: addr("bob@ext.example")}, func(_ *store.Message, r *store.Recipient) {
		r.State = store.StateNotified
	})
	e.update(func(tx store.Tx) error { return tx.Queue().Remove(first) })
	own := e.putOwn(store.OwnMail{Kind: store.KindReminder, From: address(bounceAddress), To: store.Rcpt{Address: addr("bob@ext.example")}, About: about})
	e.start(route(s.listen(t)))
	e.await("the end of the item", func() bool { _, ok := e.item(own); return !ok })
	if r := e.recipient(about); r.State != store.StateNotified || len(r.Grants) != 1 || r.Detail == "" {
		t.Errorf("recipient %+v", r)
	}
	if len(e.queue()) != 0 {
		t.Errorf("queued: %+v", e.queue())
	}
}

// TestBounceBeforeNoticeStays: the bounce may come back before our own end of the delivery is written.
func TestBounceBeforeNoticeStays(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		since time.Duration
		want  store.State
	}{"bounce of this mail": {time.Second, store.StateBounced}, "older bounce": {-time.Hour, store.StateNotified}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, s := newEnv(t), &sink{}
			about, item := e.putSealed("alice@example.org", store.Rcpt{Address: addr("bob@ext.example")}, func(_ *store.Message, r *store.Recipient) {
				r.State, r.Since = store.StateBounced, time.Now().Add(tc.since)
			})
			e.start(route(s.listen(t)))
			e.await("the end of the item", func() bool { _, ok := e.item(item); return !ok })
			if got := e.state(about); got != tc.want {
				t.Errorf("state %s, want %s", got, tc.want)
			}
		})
	}
}
