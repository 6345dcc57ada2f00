package relay_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"postern/store"
)

// TestDoubleBounce: a report that fails is told to the postmaster, and an alarm that fails to nobody.
func TestDoubleBounce(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	s := &sink{onRcpt: func(line string) string {
		if strings.Contains(line, "postmaster@") {
			return ""
		}
		return "550 5.1.1 no such user"
	}}
	id := e.put(letter{from: "gone@example.org", rcpts: to("bob@ext.example")})
	e.start(route(s.listen(t)))
	e.await("an alarm", func() bool { return s.count() == 1 && len(e.queue()) == 0 })
	if got := e.state(rcpt(id, 1)); got != store.StateFailed {
		t.Errorf("state %s", got)
	}
	got := s.got()[0]
	if !strings.HasPrefix(got.from, "MAIL FROM:<>") {
		t.Errorf("alarm from %q", got.from)
	}
	contains(t, got.body, "Auto-Submitted: auto-generated", "gone@example.org", "5.1.1", "About:  "+rcpt(id, 1).String())
	e.await("one double bounce to be counted", func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		return e.doubles == 1
	})
}

func TestFailedAlarmIsOnlyLogged(t *testing.T) {
	t.Parallel()
	e, s := newEnv(t), &sink{onRcpt: func(string) string { return "550 5.1.1 no" }}
	own := e.putOwn(store.OwnMail{Kind: store.KindAlarm, To: store.Rcpt{Address: addr("postmaster@example.org")}})
	e.start(route(s.listen(t)))
	e.await("the end", func() bool { _, ok := e.item(own); return !ok })
	e.awaitLog("kind=alarm")
	if len(e.queue()) != 0 {
		t.Errorf("queued: %+v", e.queue())
	}
}

func TestAccountMailFailsSilently(t *testing.T) {
	t.Parallel()
	e, s := newEnv(t), &sink{onRcpt: func(string) string { return "550 5.1.1 no" }}
	own := e.putOwn(store.OwnMail{Kind: store.KindAccount, From: address(bounceAddress), To: store.Rcpt{Address: addr("bob@ext.example")}})
	e.start(route(s.listen(t)))
	e.await("the end", func() bool { _, ok := e.item(own); return !ok })
	if len(e.queue()) != 0 {
		t.Errorf("queued: %+v", e.queue())
	}
}

// told is the Replies of a test.
type told struct {
	e     *env
	calls atomic.Int32
}

func (r *told) ReplyNotDelivered(_ context.Context, now time.Time, m store.Message, rc store.Recipient) (store.OwnMail, bool, error) {
	r.calls.Add(1)
	id := store.NewMessageID(now)
	return store.OwnMail{
		ID: id, Kind: store.KindAccount, From: address(bounceAddress), To: store.Rcpt{Address: addr("writer@ext.example")}, At: now, GiveUp: now.Add(time.Hour),
		About: rc.Key, Raw: []byte("Message-ID: <" + id.String() + "@x>\r\n\r\nNot delivered: " + rc.Address.String() + "\r\n"),
	}, true, nil
}

// TestFailedReplyIsToldToItsWriter, on either way: to the mail server, or to another outside recipient.
func TestFailedReplyIsToldToItsWriter(t *testing.T) {
	t.Parallel()
	start := func(t *testing.T) (*env, *sink, *told) {
		e := newEnv(t)
		r := &told{e: e}
		e.cfg.Replies = r
		return e, &sink{onRcpt: func(line string) string {
			if strings.Contains(line, "writer@") {
				return ""
			}
			return "550 5.1.1 no such user"
		}}, r
	}
	check := func(t *testing.T, e *env, s *sink, r *told) {
		e.await("word", func() bool { return s.count() == 1 && len(e.queue()) == 0 })
		contains(t, s.got()[0].body, "Not delivered: ")
		if n := r.calls.Load(); n != 1 {
			t.Errorf("composed %d times", n)
		}
	}
	t.Run("inside", func(t *testing.T) {
		t.Parallel()
		e, s, r := start(t)
		id := e.put(letter{from: bounceAddress, rcpts: to("alice@example.org"), kind: store.KindReply, writer: store.AccountID{7}})
		e.start(route(s.listen(t)))
		check(t, e, s, r)
		if e.state(rcpt(id, 1)) != store.StateFailed {
			t.Errorf("state %s", e.state(rcpt(id, 1)))
		}
	})
	t.Run("outside", func(t *testing.T) {
		t.Parallel()
		e, s, r := start(t)
		about, _ := e.putSealed("securemail@example.org", store.Rcpt{Address: addr("carol@ext.example")}, func(m *store.Message, _ *store.Recipient) {
			m.Writer = store.AccountID{7}
		})
		e.start(route(s.listen(t)))
		check(t, e, s, r)
		if e.state(about) != store.StateFailed {
			t.Errorf("state %s", e.state(about))
		}
	})
}

// TestFlaggedMailIsReportedInFiveFields: internal recipients get it in clear, a report may not show more all the same.
func TestFlaggedMailIsReportedInFiveFields(t *testing.T) {
	t.Parallel()
	e, s := newEnv(t), &sink{onRcpt: func(line string) string {
		if strings.Contains(line, "nobody@") {
			return "550 5.1.1 no such user"
		}
		return ""
	}}
	raw := "X-Internal: project falcon\r\n" + plainMail
	e.put(letter{from: "alice@example.org", rcpts: to("nobody@example.org"), raw: raw, flagged: true, needTLS: true, ret: store.RetFull})
	e.start(route(s.listen(t)))
	e.await("a report", func() bool { return s.count() == 1 })
	body := s.got()[0].body
	contains(t, body, "Subject: Figures", "From: alice@example.org")
	for _, leak := range []string{"falcon", "Hello"} {
		if strings.Contains(body, leak) {
			t.Errorf("report shows %q", leak)
		}
	}
}

func TestRetFullReturnsSmallMailWhole(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		raw  string
		want bool
	}{"small": {plainMail, true}, "large": {plainMail + strings.Repeat("line\r\n", 10_000), false}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, s := newEnv(t), refuse("550 5.1.1 no")
			e.put(letter{from: "alice@example.org", rcpts: to("bob@ext.example"), ret: store.RetFull, raw: tc.raw})
			e.start(route(s.listen(t)))
			e.await("a report", func() bool { return s.count() == 1 })
			if got := strings.Contains(s.got()[0].body, "Hello"); got != tc.want {
				t.Errorf("returned whole: %v, want %v", got, tc.want)
			}
		})
	}
}

// TestScrubCanary feeds a next hop that quotes the pickup link: it must show nowhere (MAIL 6.5).
func TestScrubCanary(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"550 5.7.1", "451 4.7.1"} {
		t.Run(code[:3], func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			s := &sink{onBody: func(body string) string {
				if strings.Contains(body, pickupToken) {
					return code + " URL https://mail.example.org/p/" + pickupToken + " is listed"
				}
				return ""
			}}
			about, item := e.putSealed("alice@example.org", store.Rcpt{Address: addr("bob@ext.example")}, nil)
			e.start(route(s.listen(t)))
			e.await("an attempt", func() bool { return len(e.events(about.Message)) > 0 })
			e.awaitLog("[removed]")
			it, _ := e.item(item)
			var facts strings.Builder
			e.view(func(tx store.Tx) error {
				events, _, err := tx.Audit().OfMessage(about.Message, "", 100)
				fmt.Fprint(&facts, events)
				return err
			})
			reports := strings.Join(e.reports(store.KindDSN), "")
			for _, m := range s.got() {
				reports += m.body
			}
			secret := pickupToken[1:20]
			for where, text := range map[string]string{
				"log": e.log.String(), "item": it.Last, "recipient": e.recipient(about).Detail, "audit": facts.String(), "report": reports,
			} {
				if strings.Contains(text, secret) {
					t.Errorf("%s has the token: %s", where, text)
				}
			}
		})
	}
}

// TestGoneQueueKeyEndsThatItemAlone: after a restore from a backup (KEYS K4).
func TestGoneQueueKeyEndsThatItemAlone(t *testing.T) {
	t.Parallel()
	e, s := newEnv(t), &sink{}
	id := e.put(letter{from: "alice@example.org", rcpts: to("a@ext.example", "b@ext.example")})
	e.update(func(tx store.Tx) error {
		item, err := tx.Queue().Get(rcpt(id, 1))
		if err != nil {
			return err
		}
		item.KeyID = "00000000"
		return tx.Queue().Replace(item)
	})
	about, own := e.putSealed("alice@example.org", store.Rcpt{Address: addr("c@ext.example")}, nil)
	e.update(func(tx store.Tx) error {
		item, err := tx.Queue().Get(own)
		if err != nil {
			return err
		}
		item.KeyID = "00000000"
		return tx.Queue().Replace(item)
	})
	e.start(route(s.listen(t)))
	e.await("reports", func() bool { return s.count() == 3 && len(e.queue()) == 0 })
	for k, want := range map[store.RcptKey]store.State{rcpt(id, 1): store.StateFailed, rcpt(id, 2): store.StateDelivered, about: store.StateFailed} {
		if got := e.state(k); got != want {
			t.Errorf("%s is %s, want %s", k, got, want)
		}
	}
	again := 0
	for _, m := range s.got() {
		if strings.Contains(strings.Join(strings.Fields(m.body), " "), "Please send it again.") && strings.Contains(m.body, "Status: 5.3.0") {
			again++
		}
	}
	if again != 2 {
		t.Errorf("%d reports ask to send again", again)
	}
	e.awaitLog("level=ERROR msg=attempt")
}

// TestDamagedBodyEndsThatItemAlone: missing, cut or altered.
func TestDamagedBodyEndsThatItemAlone(t *testing.T) {
	t.Parallel()
	long := plainMail + strings.Repeat("0123456789abcdef\r\n", 10_000)
	for name, spoil := range map[string]func(e *env, id store.MessageID, body []byte) []byte{
		"missing":       func(*env, store.MessageID, []byte) []byte { return nil },
		"cut":           func(_ *env, _ store.MessageID, b []byte) []byte { return b[:len(b)-5] },
		"altered early": func(_ *env, _ store.MessageID, b []byte) []byte { b[len(b)/4] ^= 1; return b },
		"altered late":  func(_ *env, _ store.MessageID, b []byte) []byte { b[len(b)*3/4] ^= 1; return b },
		"another's": func(e *env, _ store.MessageID, _ []byte) []byte {
			b, _ := e.seal(store.MessageID{9}, "x\r\n")
			return b
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, s := newEnv(t), &sink{}
			bad := e.put(letter{from: "alice@example.org", rcpts: to("bob@ext.example"), raw: long})
			e.update(func(tx store.Tx) error {
				body, err := tx.Bodies().Get(bad)
				if err != nil {
					return err
				}
				if body = spoil(e, bad, body); body != nil {
					return tx.Bodies().Put(bad, body)
				}
				if err := tx.Bodies().Unref(bad); err != nil { // takes the body away
					return err
				}
				return nil
			})
			good := e.put(letter{from: "alice@example.org", rcpts: to("bob@ext.example")})
			e.start(route(s.listen(t)))
			e.await("the good one", func() bool { return e.state(rcpt(good, 1)) == store.StateDelivered })
			e.await("the bad one", func() bool { return e.state(rcpt(bad, 1)) == store.StateFailed })
			e.await("a report", func() bool { return s.count() == 2 && len(e.queue()) == 0 })
			found := ""
			for _, m := range s.got() {
				if strings.HasPrefix(m.from, "MAIL FROM:<>") {
					found = m.body
				} else if m.body != e.message(good).Received+plainMail {
					t.Errorf("a damaged message was taken: %d octets", len(m.body))
				}
			}
			contains(t, found, "Status: 5.3.0", "The message can no longer be read")
		})
	}
}
