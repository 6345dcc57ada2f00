package intake

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"postern/smtpd/policy"
	"postern/store"
)

const (
	bob   = "bob@ext.example"
	carol = "carol@ext.example"
	dave  = "dave@example.org"
)

func TestI6RelayedMailIsKeptAsSent(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	raw := letter("Subject: hello", "Bcc: dave@example.org", "X-Odd :  1") + "f\xc3\xbcr Bob\r\n"
	env := envelope("alice@example.org", bob)
	env.EnvID, env.Ret, env.Rcpts[0].ORcpt, env.Rcpts[0].Notify = "env", store.RetHdrs, "rfc822;b@x", store.NotifyNever
	r := g.take(env, raw)
	k := key(r, 1)
	if got := g.body(r.ID, g.relayed(k)); got != raw {
		t.Errorf("stored %q", got)
	}
	item, m := g.item(k), g.bed.Message(r.ID)
	if item.Kind != store.KindRelay || item.Domain != "ext.example" || *item.From != *env.From || item.EnvID != "env" || item.Ret != store.RetHdrs ||
		item.To != env.Rcpts[0] || !item.EightBit || item.NeedTLS || item.Size != int64(len(raw)+len(m.Received)) || !item.GiveUp.Equal(env.At.Add(g.GiveUp)) {
		t.Errorf("item %+v", item)
	}
	if m.Flagged || m.Card != nil || m.MsgID != nil || m.Refs != 1 || !m.EightBit || !m.Expires.IsZero() || !strings.Contains(m.Received, "for <bob@ext.example>") {
		t.Errorf("message %+v", m)
	}
	rc := g.bed.Rcpt(k)
	if rc.State != store.StateQueued || rc.Rule != policy.RuleDefault || len(rc.Grants) != 0 || rc.Sender != *env.From {
		t.Errorf("recipient %+v", rc)
	}
	if got := g.bed.Events(r.ID); !slices.Equal(got, []string{"accepted.0"}) {
		t.Errorf("events %v", got)
	}
}

// MAIL §4: blind copies are named in nobody's stored message, and are told that they are blind.
func TestSealedMailLosesBcc(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	r := g.send(tagged("To: Bob <bob@ext.example>", "Bcc: carol@ext.example,\r\n\tdave@example.org", "Resent-Bcc: x@y.example"), bob, carol, dave)
	for n := range uint32(2) {
		if got, want := g.body(r.ID, g.linked(key(r, n+1))), tagged("To: Bob <bob@ext.example>"); got != want {
			t.Errorf("recipient %d reads %q", n+1, got)
		}
	}
	if got := g.body(r.ID, g.relayed(key(r, 3))); strings.Contains(got, "Bcc") {
		t.Errorf("the relayed copy holds %q", got)
	}
	if g.bed.Rcpt(key(r, 1)).Blind || !g.bed.Rcpt(key(r, 2)).Blind || g.notices[0].Blind || !g.notices[1].Blind {
		t.Error("blind copies are not told apart")
	}
	m := g.bed.Message(r.ID)
	if !m.Flagged || m.Refs != 3 || strings.Contains(m.Received, "for <") || !m.Expires.Equal(m.At.Add(g.ExpireAfter)) {
		t.Errorf("message %+v", m)
	}
}

// MAIL 2.1: two RCPTs with one key make one grant and one notification.
func TestOneAddressTwiceIsSealedOnce(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	r := g.send(tagged("To: bob@ext.example"), bob, "BOB@Ext.Example")
	if list := g.bed.Recipients(r.ID); len(list) != 1 || g.bed.Message(r.ID).Refs != 1 {
		t.Errorf("%d recipients, %d need the body", len(list), g.bed.Message(r.ID).Refs)
	}
	if n := len(g.bed.Mails(store.KindNotification)); n != 1 {
		t.Errorf("%d notifications", n)
	}
	if len(r.Parts) != 2 || r.Parts[1].Action != store.ActionSeal {
		t.Errorf("the edge is told %+v", r.Parts)
	}
}

// TestEveryRecipientHasItsOwnFate: one is refused, one relayed, one sealed; the body is kept for those who need it.
func TestEveryRecipientHasItsOwnFate(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	g.disable(carol)
	r := g.send(tagged("To: x"), carol, dave, bob)
	var states []store.State
	for _, rc := range g.bed.Recipients(r.ID) {
		states = append(states, rc.State)
	}
	if !slices.Equal(states, []store.State{store.StateRefused, store.StateQueued, store.StateQueued}) || g.bed.Message(r.ID).Refs != 2 {
		t.Errorf("states %v, %d need the body", states, g.bed.Message(r.ID).Refs)
	}
	if len(g.refused) != 1 || g.refused[0].Rcpt.Address != addr(carol) || g.refused[0].Reply.Status() != "5.2.1" || len(g.bed.Mails(store.KindDSN)) != 1 {
		t.Errorf("reported %+v", g.refused)
	}
	if g.body(r.ID, g.relayed(key(r, 2))) != tagged("To: x") || g.body(r.ID, g.linked(key(r, 3))) != tagged("To: x") {
		t.Error("a body is not as sent")
	}
	if len(g.bed.Rcpt(key(r, 1)).Grants)+len(g.bed.Rcpt(key(r, 2)).Grants) != 0 || len(g.bed.Rcpt(key(r, 3)).Grants) != 1 {
		t.Error("grants are not the sealed recipient's alone")
	}
}

// TestRefusedCrowdTakesLittleRoom: of a message to very many, or to one again and again, a few recipients are kept.
func TestRefusedCrowdTakesLittleRoom(t *testing.T) {
	t.Parallel()
	var crowd []string
	for i := range 100 {
		crowd = append(crowd, fmt.Sprintf("p%d@ext.example", i))
	}
	for name, tt := range map[string]struct {
		to   []string
		kept int
	}{"very many": {crowd, 20}, "one again and again": {slices.Repeat([]string{bob}, 100), 1}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGate(t)
			env := envelope("alice@example.org", tt.to...)
			_, err := g.Accept(t.Context(), env, strings.NewReader(letter("Subject: [secure forever]")))
			isReply(t, err, 550, "unknown option")
			if got := len(g.bed.Recipients(env.ID)); got != tt.kept {
				t.Errorf("%d recipients kept, want %d", got, tt.kept)
			}
		})
	}
}

func TestRefusedAsAWhole(t *testing.T) {
	t.Parallel()
	byUs := strings.TrimSuffix(strings.Repeat("Received: from a by gw.example.org with SMTP; x\r\n", 4), "\r\n")
	for _, tt := range []struct {
		name, raw, from string
		to              []string
		code            int
		words           string
		sender          string // among whose mail it is found, beside the envelope's sender
		why             string // in words for administrators
	}{
		{"all, for their author", "From: bob@ext.example\r\nSubject: [secure] x\r\n\r\nx\r\n", "alice@example.org", []string{bob, carol}, 550, "From address is not of this organisation", bob, "its From address is not of this organisation"},
		{"one, and nobody could get a report", tagged(), "", []string{dave, bob, "x@[192.0.2.1]"}, 550, "cannot receive secure mail", "alice@example.org", "Another recipient was refused"},
		{"unknown option", letter("Subject: [secure forever]"), "alice@example.org", []string{bob}, 550, "unknown option", "alice@example.org", "has an option that is not known"},
		{"two authors", tagged("From: bob@ext.example"), "alice@example.org", []string{bob}, 550, "exactly one From address", "alice@example.org", "exactly one From address"},
		{"loop", letter(byUs), "alice@example.org", []string{bob}, 554, "Routing loop", "alice@example.org", "Routing loop"},
		{"header too large", "X: " + strings.Repeat("x", 1<<20) + "\r\n\r\n", "alice@example.org", []string{bob}, 554, "header too large", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g := newGate(t)
			env := envelope(tt.from, tt.to...)
			_, err := g.Accept(t.Context(), env, strings.NewReader(tt.raw))
			isReply(t, err, tt.code, tt.words)
			g.empty()
			if tt.sender == "" { // nothing of it was read
				return
			}
			if got := g.bed.Events(env.ID); !slices.Equal(got, []string{"refused.0"}) {
				t.Errorf("events %v", got)
			}
			for _, from := range []string{tt.sender, tt.from} {
				if from == "" {
					continue
				}
				if got := g.refusedOf(from, tt.to[0]); len(got) != 1 || got[0].Key.Message != env.ID || !strings.Contains(got[0].Reason, tt.why) {
					t.Errorf("among the refused mail of %s: %+v", from, got)
				}
			}
			if m := g.bed.Message(env.ID); m.Refs != 0 || m.Card != nil || len(m.Grants) != 0 || len(g.bed.Recipients(env.ID)) != len(tt.to) {
				t.Errorf("message %+v", m)
			}
		})
	}
}

// refusedOf finds what was refused from a sender to a recipient.
func (g *gate) refusedOf(from, to string) (rows []store.Recipient) {
	g.t.Helper()
	g.bed.View(func(tx store.Tx) (err error) {
		f := store.Filter{Sender: addr(from).Key(), Rcpt: addr(to).Key(), State: store.StateRefused, Action: store.ActionReject}
		rows, _, err = tx.Messages().List(f, "", 9)
		return err
	})
	return rows
}

// A null sender may have secure mail sealed (MAIL §4): it is only the report that it cannot get.
func TestNullSenderIsSealed(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	r := g.take(envelope("", bob), tagged())
	if rc := g.bed.Rcpt(key(r, 1)); rc.Action != store.ActionSeal || rc.Sender != addr("alice@example.org") {
		t.Errorf("%+v", rc)
	}
	if got := g.body(r.ID, g.linked(key(r, 1))); got != tagged() {
		t.Errorf("reads %q", got)
	}
}

func TestLargeBodiesLieInBlobs(t *testing.T) {
	t.Parallel()
	for size, files := range map[int]int{60 << 10: 0, 64 << 10: 1, 300 << 10: 1} {
		g := newGate(t)
		raw := tagged() + strings.Repeat("0123456789abcd\r\n", size/16)
		r := g.send(raw, bob, dave)
		if m := g.bed.Message(r.ID); m.Blob.IsZero() != (files == 0) || len(g.blobs()) != files {
			t.Errorf("%d octets: blob %s of %d files", size, m.Blob, len(g.blobs()))
		}
		if g.body(r.ID, g.linked(key(r, 1))) != raw || g.body(r.ID, g.relayed(key(r, 2))) != raw {
			t.Errorf("%d octets do not read back", size)
		}
	}
}

// TestReadErrorsComeBackUnchanged: what the guard found in the data is the edge's to answer, and nothing of the message
// stays.
func TestReadErrorsComeBackUnchanged(t *testing.T) {
	t.Parallel()
	whole := tagged() + strings.Repeat("0123456789abcd\r\n", 20_000)
	for _, size := range []int{0, 10, 1000, len(whole)} {
		g := newGate(t)
		cut := store.Reply(550, [3]int{5, 6, 0}, "Bare CR, LF or NUL in message")
		_, err := g.Accept(t.Context(), envelope("alice@example.org", bob), io.MultiReader(strings.NewReader(whole[:size]), iotest.ErrReader(cut)))
		if !errors.Is(err, cut) {
			t.Errorf("after %d octets: %v", size, err)
		}
		g.empty()
	}
}

// TestI2TroubleWithTheStoreIsTemporary: nothing is promised, a full disk is told from other trouble, and the blob is
// left: the commit may have happened.
func TestI2TroubleWithTheStoreIsTemporary(t *testing.T) {
	t.Parallel()
	for _, want := range []error{store.ErrFull, store.ErrUncertain} {
		g := newGate(t)
		g.Store = &faulty{g.Store, func() error { return want }}
		_, err := g.Accept(t.Context(), envelope("alice@example.org", bob), strings.NewReader(tagged()+strings.Repeat("x\r\n", 100_000)))
		var reply *store.ReplyError
		if !errors.Is(err, want) || errors.As(err, &reply) || len(g.blobs()) != 1 {
			t.Errorf("%v: got %v, %d blobs", want, err, len(g.blobs()))
		}
	}
}

// TestTagDecidesExpiryAndReply: also how long the notification is tried (MAIL §7).
func TestTagDecidesExpiryAndReply(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	r := g.send(letter("Subject: [secure 12h noreply] x"), bob)
	rc, m := g.bed.Rcpt(key(r, 1)), g.bed.Message(r.ID)
	end := m.At.Add(12 * time.Hour)
	if !rc.Expires.Equal(end) || !m.Expires.Equal(end) || !rc.NoReply || !g.notices[0].NoReply || !g.notices[0].Expires.Equal(end) {
		t.Errorf("recipient %+v", rc)
	}
	if item := g.item(rc.Own[0]); !item.GiveUp.Equal(end) || item.About != rc.Key {
		t.Errorf("the notification is tried until %s", item.GiveUp)
	}
}

// TestCardsAreBounded: whatever header and parts are, the card fits and says that it is cut.
func TestCardsAreBounded(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	var to, parts strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&to, "person %d <p%d@ext.example>,\r\n ", i, i)
	}
	for i := range 1500 {
		fmt.Fprintf(&parts, "--b\r\nContent-Type: application/pdf; name=\"%d.pdf\"\r\n\r\nx\r\n", i)
	}
	raw := tagged("To: "+to.String()+bob, "Content-Type: multipart/mixed; boundary=b") + parts.String() + "--b--\r\n"
	r := g.send(raw, bob)
	fk := g.linked(key(r, 1))
	if n := len(g.bed.Message(r.ID).Card); n > 17<<10 {
		t.Errorf("card of %d octets", n)
	}
	c := g.card(r.ID, fk)
	if !c.Truncated || c.Subject != "[secure] Your plan" || len(c.From) != 1 || len(c.To) == 0 || len(c.Parts) == 0 {
		t.Errorf("card: truncated %t, subject %q, %d parts", c.Truncated, c.Subject, len(c.Parts))
	}
	if g.bed.Rcpt(key(r, 1)).Blind {
		t.Error("the last of 2001 addresses in To counts as blind")
	}
	if g.body(r.ID, fk) != raw {
		t.Error("the body is not as sent")
	}
}

// TestI1LogHoldsNoContent: decisions are logged by address, rule and reason.
func TestI1LogHoldsNoContent(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	g.send(tagged("X: canary"), bob)
	if text := g.bed.Log.String(); strings.Contains(text, "Your plan") || strings.Contains(text, "canary") || !strings.Contains(text, "rule=tag") {
		t.Errorf("log:\n%s", text)
	}
}
