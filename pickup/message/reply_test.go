package message_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"postern/pickup/account"
	"postern/pickup/message"
	"postern/store"
	"postern/store/mail"
	"postern/store/seal"
)

// files yields attachments and then an error.
func files(end error, names ...string) func() (mail.Attachment, error) {
	return func() (mail.Attachment, error) {
		if len(names) == 0 {
			return mail.Attachment{}, end
		}
		name := names[0]
		names = names[1:]
		return mail.Attachment{Name: name, Type: "text/plain", Body: strings.NewReader("file " + name)}, nil
	}
}

// opened is a message that bob has opened.
func (e *env) opened(l letter) (account.Signed, sealed) {
	e.t.Helper()
	l.to = []store.Address{bob}
	s := e.deliver(l)[0]
	who := e.person(bob, store.Provisional)
	_, err := e.OpenLink(context.Background(), s.secret, who)
	must(e.t, err)
	return who, s
}

func TestP5ReplyGoesToTheAuthor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		ctx := t.Context()
		who, s := e.opened(letter{})
		time.Sleep(time.Hour)
		receipt, err := e.Reply(ctx, who, s.key, message.Draft{Text: "Thank you,\r\nBob", Attachments: files(io.EOF, "a.txt", "b.txt"), Client: client})
		must(t, err)
		env := e.sender.env
		if len(env.Rcpts) != 1 || env.Rcpts[0].Address != alice || env.From == nil || env.From.Domain != "example.org" {
			t.Errorf("envelope from %v to %v", env.From, env.Rcpts)
		}
		if env.Author != who.Account.ID || env.Parent != s.key || env.Client.Class != store.ClientSite || env.Client.IP != "192.0.2.7" ||
			env.Ret != store.RetHdrs || env.EnvID != env.ID.String() || env.Rcpts[0].Notify != store.NotifyFailure|store.NotifyDelay {
			t.Errorf("envelope %+v", env)
		}
		h := mail.ParseHeader([]byte(e.sender.read))
		want := map[string]string{"Subject": "Re: Your plan", "In-Reply-To": "<original@example.org>", "Reply-To": "bob@mail.example", "X-Postern-Kind": "reply"}
		for name, value := range want {
			if got := mail.Decode(h.Get(name)); !strings.Contains(got, value) {
				t.Errorf("%s: %q, want %q", name, got, value)
			}
		}
		if from := mail.Decode(h.Get("From")); !strings.Contains(from, "Bob Example") || strings.Contains(h.Get("Subject"), "secure") {
			t.Errorf("From %q, Subject %q", from, h.Get("Subject"))
		}
		if !strings.Contains(e.sender.read, "Thank you,") || strings.Count(e.sender.read, "filename=") != 2 {
			t.Errorf("letter:\n%s", e.sender.read)
		}
		p, err := e.Sent(ctx, who, "")
		must(t, err)
		if len(p.Items) != 1 || p.Items[0].ID != receipt.ID || p.Items[0].Subject != "Re: Your plan" || p.Items[0].Attachments != 2 ||
			p.Items[0].Answers != s.key.Message || len(p.Items[0].To) != 1 || len(p.Items[0].Recipients) != 1 {
			t.Errorf("sent: %+v", p.Items)
		}
		o, err := e.SentView(ctx, who, receipt.ID)
		if got := text(t, o, err); got != e.sender.read {
			t.Error("the copy differs from the letter")
		}
		if _, err := e.SentView(ctx, e.person(carol, store.Confirmed), receipt.ID); !errors.Is(err, message.ErrNotFound) {
			t.Errorf("another account views the reply: %v", err)
		}
	})
}

// After a reset the writer's own grant opens nothing, but the message that was answered does, once its link was used.
func TestK6SentReplyOpensThroughItsParent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		ctx := t.Context()
		who, s := e.opened(letter{})
		receipt, err := e.Reply(ctx, who, s.key, message.Draft{Text: "Thank you"})
		must(t, err)
		seed := seal.NewSeed()
		e.bed.ChangeAccount(who.Account.ID, func(a *store.Account) {
			a.Keys[0].State = store.KeyLocked
			a.Keys = append(a.Keys, store.KeyVersion{ID: seal.PublicKeyID(seed.Public()), Public: seed.Public(), State: store.KeyCurrent})
		})
		who.Seed, who.Session.ID = seed, seal.NewSessionToken().ID()
		who = e.again(who)
		if _, err := e.SentView(ctx, who, receipt.ID); !errors.Is(err, message.ErrNeedsLink) {
			t.Errorf("after the reset: %v, want ErrNeedsLink", err)
		}
		if p, err := e.Sent(ctx, who, ""); err != nil || len(p.Items) != 1 || !p.Items[0].Sealed || p.Items[0].Subject != "" {
			t.Errorf("sent after the reset: %+v, %v", p.Items, err)
		}
		_, err = e.OpenLink(ctx, s.secret, who)
		must(t, err)
		if n := len(e.bed.Rcpt(s.key).Grants); n != 2 {
			t.Errorf("%d grants, want link and one account grant: that of the locked key is replaced", n)
		}
		o, err := e.SentView(ctx, who, receipt.ID)
		if got := text(t, o, err); got != e.sender.read {
			t.Error("the copy differs from the letter")
		}
	})
}

func TestK12SentCopyEndsWithItsParent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		ctx := t.Context()
		who, s := e.opened(letter{life: time.Hour})
		first, err := e.Reply(ctx, who, s.key, message.Draft{Text: "one"})
		must(t, err)
		other := e.deliver(letter{to: []store.Address{bob}})[0]
		_, err = e.OpenLink(ctx, other.secret, who)
		must(t, err)
		second, err := e.Reply(ctx, who, other.key, message.Draft{Text: "two"})
		must(t, err)
		time.Sleep(time.Hour)
		n, err := e.Expire(ctx, time.Now(), 10)
		if n != 1 || err != nil {
			t.Fatalf("expired %d, %v", n, err)
		}
		m := e.bed.Message(first.ID)
		if len(m.Card) != 0 || len(m.Grants) != 0 || m.Refs != 1 {
			t.Errorf("copy after the end: card of %d octets, %d grants, needed by %d (the relay still needs it)", len(m.Card), len(m.Grants), m.Refs)
		}
		if p, err := e.Sent(ctx, who, ""); err != nil || len(p.Items) != 1 || p.Items[0].ID != second.ID {
			t.Errorf("sent: %+v, %v", p.Items, err)
		}
		ended := new(message.EndedError)
		if _, err := e.SentView(ctx, who, first.ID); !errors.As(err, &ended) || ended.State != store.StateExpired {
			t.Errorf("view of the ended copy: %v", err)
		}
	})
}

// A page of replies that have all ended is not shown empty.
func TestSentPassesOverEndedReplies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		ctx := t.Context()
		who, s := e.opened(letter{})
		kept, err := e.Reply(ctx, who, s.key, message.Draft{Text: "kept"})
		must(t, err)
		other := e.deliver(letter{to: []store.Address{bob}})[0]
		_, err = e.OpenLink(ctx, other.secret, who)
		must(t, err)
		for range 120 {
			time.Sleep(time.Second)
			_, err := e.Reply(ctx, who, other.key, message.Draft{Text: "x"})
			must(t, err)
		}
		must(t, e.Recall(ctx, message.Actor("sender"), other.key))
		p, err := e.Sent(ctx, who, "")
		if err != nil || len(p.Items) != 1 || p.Items[0].ID != kept.ID || p.Next != "" {
			t.Errorf("%d replies, next %q, %v; want the one that is left", len(p.Items), p.Next, err)
		}
	})
}

func TestReplyIsRefused(t *testing.T) {
	external := `"Eve" <eve@elsewhere.example>`
	tests := []struct {
		name string
		l    letter
		do   func(*env, account.Signed, sealed)
		want error
		to   string
	}{
		{name: "noreply", l: letter{noReply: true}, want: message.ErrNoReply},
		{name: "B8: the account is disabled", want: account.ErrNoSession, do: func(e *env, who account.Signed, _ sealed) {
			e.bed.ChangeAccount(who.Account.ID, func(a *store.Account) { a.Status = store.StatusDisabled })
		}},
		{name: "expired", l: letter{life: time.Hour}, want: message.ErrEnded, do: func(*env, account.Signed, sealed) { time.Sleep(time.Hour) }},
		{name: "not opened", want: message.ErrNotOpened, do: func(e *env, _ account.Signed, s sealed) {
			e.bed.ChangeRcpt(s.key, func(r *store.Recipient) { r.State = store.StateNotified })
		}},
		{name: "Reply-To of the organisation", l: letter{replyTo: "team@example.org"}, to: "team@example.org"},
		{name: "Reply-To outside", l: letter{replyTo: external}, to: "alice@example.org"},
		{name: "several Reply-To", l: letter{replyTo: "team@example.org, two@example.org"}, to: "alice@example.org"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := newEnv(t)
				who, s := e.opened(tt.l)
				if tt.do != nil {
					tt.do(e, who, s)
				}
				_, err := e.Reply(t.Context(), who, s.key, message.Draft{Text: "x"})
				if !errors.Is(err, tt.want) {
					t.Fatalf("%v, want %v", err, tt.want)
				}
				if tt.want != nil && len(e.sender.env.Rcpts) != 0 {
					t.Error("the reply was sent")
				}
				if tt.to != "" && e.sender.env.Rcpts[0].Address.String() != tt.to {
					t.Errorf("sent to %v, want %s", e.sender.env.Rcpts[0].Address, tt.to)
				}
			})
		})
	}
}

func TestReplyPassesOnWhatStoppedIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		ctx := t.Context()
		who, s := e.opened(letter{})
		tooLarge := errors.New("form is too large")
		_, err := e.Reply(ctx, who, s.key, message.Draft{Text: "x", Attachments: files(tooLarge, "a.txt")})
		if !errors.Is(err, tooLarge) {
			t.Errorf("reading failed: %v, want its error", err)
		}
		refused := store.Reply(552, [3]int{5, 3, 4}, "Message exceeds 10 bytes")
		e.sender.err = refused
		reply := new(store.ReplyError)
		_, err = e.Reply(ctx, who, s.key, message.Draft{Text: "x", Attachments: files(io.EOF, "a.txt")})
		if !errors.As(err, &reply) || reply.Code != 552 {
			t.Errorf("refused: %v, want the refusal", err)
		}
		if p, err := e.Sent(ctx, who, ""); err != nil || len(p.Items) != 0 {
			t.Errorf("sent: %+v, %v", p.Items, err)
		}
	})
}
