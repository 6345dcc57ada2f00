package relay_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"postern/smtpd/relay"
	"postern/store"
)

// signs is a Config.Sign that writes down what it read.
type signs struct {
	mu     sync.Mutex
	read   []string
	answer error
}

func (s *signs) sign(domain string, rewind func() (io.Reader, error)) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range 2 { // as with two keys
		r, err := rewind()
		if err != nil {
			return nil, err
		}
		text, err := io.ReadAll(r)
		if err != nil {
			return nil, err
		}
		s.read = append(s.read, string(text))
	}
	if s.answer != nil {
		return nil, s.answer
	}
	return fmt.Appendf(nil, "DKIM-Signature: d=%s\r\n", domain), nil
}

// TestWhatIsSigned: mail of ours always, mail that passes through where the route says so and its one author is of the
// organisation. The signature goes before the message and covers it as it is stored; the announced SIZE counts it.
func TestWhatIsSigned(t *testing.T) {
	t.Parallel()
	const outside = "From: eve@ext.example\r\nTo: bob@ext.example\r\n\r\nHello\r\n"
	for name, tc := range map[string]struct {
		raw    string
		author string
		kind   store.Kind
		route  bool
		want   string
	}{
		"passes through":                   {plainMail, "alice@example.org", "", true, "d=example.org"},
		"passes through, in capitals":      {plainMail, "alice@EXAMPLE.org", "", true, "d=EXAMPLE.org"},
		"passes through another route":     {plainMail, "alice@example.org", "", false, ""},
		"author outside":                   {outside, "eve@ext.example", "", true, ""},
		"no author, or several":            {plainMail, "", "", true, ""},
		"a reply, whatever the route says": {plainMail, "securemail@example.org", store.KindReply, false, "d=example.org"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, s, dkim := newEnv(t), &sink{ext: []string{"SIZE 100000"}}, &signs{}
			e.cfg.Sign = dkim.sign
			e.cfg.Internal = func(d string) bool { return store.DomainKey(d) == "example.org" }
			id := e.put(letter{from: "alice@example.org", rcpts: to("bob@ext.example", "carol@ext.example"), raw: tc.raw, kind: tc.kind, author: address(tc.author)})
			r := route(s.listen(t))
			r.Sign, r.Stamp = tc.route, "X-Processed: STAMP"
			e.start(r)
			e.await("delivery", func() bool { return e.state(rcpt(id, 2)) == store.StateDelivered })
			field := ""
			if tc.want != "" {
				field = "DKIM-Signature: " + tc.want + "\r\n"
			}
			want := "X-Processed: STAMP\r\n" + field + e.message(id).Received + tc.raw
			got := s.got()[0]
			if got.body != want {
				t.Errorf("sent\n%s\nwant\n%s", got.body, want)
			}
			if size := fmt.Sprintf(" SIZE=%d", len(want)); !strings.Contains(got.from, size) {
				t.Errorf("%s, want %s", got.from, size)
			}
			for _, text := range dkim.read {
				if text != tc.raw {
					t.Errorf("signed:\n%s", text)
				}
			}
		})
	}
}

// TestStrangersLettersAreNotSigned: anybody may write to the postmaster in anybody's name, and no signature of the
// organisation's vouches for it, whatever the route says.
func TestStrangersLettersAreNotSigned(t *testing.T) {
	t.Parallel()
	e, s, dkim := newEnv(t), &sink{}, &signs{}
	e.cfg.Sign = dkim.sign
	e.cfg.Internal = func(d string) bool { return store.DomainKey(d) == "example.org" }
	id := e.put(letter{from: "alice@example.org", rcpts: to("postmaster@example.org"), author: address("alice@example.org"), client: store.ClientStranger})
	r := route(s.listen(t))
	r.Sign = true
	e.start(r)
	e.await("delivery", func() bool { return e.state(rcpt(id, 1)) == store.StateDelivered })
	if got := s.got()[0].body; got != e.message(id).Received+plainMail {
		t.Errorf("sent\n%s", got)
	}
}

func TestOwnMailIsSigned(t *testing.T) {
	t.Parallel()
	e, s, dkim := newEnv(t), &sink{}, &signs{}
	var told []string
	e.cfg.Sign = dkim.sign
	e.cfg.Hooks.Signed = func(domain string, err error) { told = append(told, fmt.Sprint(domain, " ", err)) }
	about, _ := e.putSealed("alice@example.org", store.Rcpt{Address: addr("bob@ext.example")}, nil)
	run := e.start(route(s.listen(t)))
	e.await("delivery", func() bool { return e.state(about) == store.StateNotified })
	run.stop()
	if got := s.got()[0].body; !strings.HasPrefix(got, "DKIM-Signature: d=example.org\r\nX-Postern-Origin: v1 notification ") {
		t.Errorf("sent\n%s", got)
	}
	if fmt.Sprint(told) != "[example.org <nil>]" {
		t.Errorf("told %v", told)
	}
}

// TestMailWithoutSignature: what has no signature goes without one, and the log says so; trouble of ours holds the mail
// back, because unsigned it might be taken for forged.
func TestMailWithoutSignature(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		answer error
		goes   bool
		log    string
	}{
		"unsignable": {errors.Join(relay.ErrUnsigned, errors.New("no empty line")), true, "mail goes out without signature"},
		"trouble":    {errors.New("the key does not sign"), false, "the key does not sign"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, s := newEnv(t), &sink{}
			e.cfg.Sign = (&signs{answer: tc.answer}).sign
			about, item := e.putSealed("alice@example.org", store.Rcpt{Address: addr("bob@ext.example")}, nil)
			e.start(route(s.listen(t)))
			if tc.goes {
				e.await("delivery", func() bool { return e.state(about) == store.StateNotified })
				if got := s.got()[0].body; !strings.HasPrefix(got, "X-Postern-Origin: ") {
					t.Errorf("sent\n%s", got)
				}
			} else {
				e.await("an attempt", func() bool { i, ok := e.item(item); return ok && i.Last != "" && i.Owner.IsZero() })
				if i, _ := e.item(item); i.Last != "local trouble" || s.count() != 0 {
					t.Errorf("%q, %d mails sent", i.Last, s.count())
				}
			}
			e.awaitLog(tc.log)
		})
	}
}
