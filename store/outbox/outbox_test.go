package outbox_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/store"
	"postern/store/outbox"
	"postern/store/seal"
)

var at = time.Date(2026, 3, 1, 10, 30, 0, 123456789, time.FixedZone("CET", 3600))

type fixture struct {
	*outbox.Outbox
	ring *seal.Ring
	dir  string
	now  time.Time
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{dir: t.TempDir(), now: at}
	var err error
	if f.ring, err = seal.OpenRing(f.dir, func() time.Time { return f.now }); err != nil {
		t.Fatal(err)
	}
	f.Outbox = outbox.New(outbox.Config{Ring: f.ring, Origin: seal.MACKey{1, 2, 3}})
	return f
}

const link = "https://mail.example.org/p/1000g40r40m30e209185gr38e1w8124gk9d90"

func ownMail() store.OwnMail {
	return store.OwnMail{
		ID:      store.NewMessageID(at),
		Kind:    store.KindNotification,
		From:    &store.Address{Local: "bounce+x", Domain: "b.example.org"},
		To:      store.Rcpt{Address: store.Address{Local: "Bob", Domain: "Bücher.example"}, Notify: store.NotifyFailure | store.NotifyDelay},
		Ret:     store.RetHdrs,
		EnvID:   "env",
		NeedTLS: true,
		About:   store.RcptKey{Message: store.NewMessageID(at), N: 2},
		At:      at,
		GiveUp:  at.Add(120 * time.Hour),
		Raw:     []byte("From: a@example.org\r\nMessage-ID: <x@example.org>\r\nSubject: x\r\n\r\n" + link + "\r\n"),
		Excerpt: store.Excerpt{Subject: "the subject", MessageID: "<o@example.org>"},
	}
}

func TestPrepareFillsTheItem(t *testing.T) {
	t.Parallel()
	f, m := newFixture(t), ownMail()
	p, err := f.Prepare(context.Background(), m)
	if err != nil {
		t.Fatal(err)
	}
	got := p.Item()
	raw, _, err := f.Open(got)
	if err != nil {
		t.Fatal(err)
	}
	when := time.Date(2026, 3, 1, 9, 30, 0, 123000000, time.UTC)
	want := store.QueueItem{
		Key: store.RcptKey{Message: m.ID}, Kind: m.Kind, Domain: "xn--bcher-kva.example", From: m.From, To: m.To, Ret: m.Ret,
		EnvID: m.EnvID, Size: int64(len(raw)), NeedTLS: true, About: m.About, KeyID: f.ring.Current(), Sealed: got.Sealed,
		Arrived: when, Due: when, GiveUp: when.Add(120 * time.Hour),
	}
	g, _ := json.Marshal(got)
	w, _ := json.Marshal(want)
	if !bytes.Equal(g, w) || got.Key != want.Key {
		t.Errorf("item is\n%s, want\n%s", g, w)
	}
}

func TestOpenGivesMailAndExcerpt(t *testing.T) {
	t.Parallel()
	f, m := newFixture(t), ownMail()
	m.Raw = append(m.Raw, "eight bits: \xff\xfe\r\n"...)
	p, err := f.Prepare(context.Background(), m)
	if err != nil {
		t.Fatal(err)
	}
	raw, x, err := f.Open(p.Item())
	if err != nil || x != m.Excerpt || !p.Item().EightBit {
		t.Fatalf("excerpt %v, eight bit %v: %v", x, p.Item().EightBit, err)
	}
	field, rest, _ := strings.Cut(string(raw), "\r\n")
	if rest != string(m.Raw) {
		t.Error("the mail changed behind its first field")
	}
	value, ok := strings.CutPrefix(field, "X-Postern-Origin: ")
	if !ok || len(field) > 78 {
		t.Fatalf("first field is %q", field)
	}
	mark, ok := f.VerifyOrigin(value, "<x@example.org>", []store.AddressKey{m.To.Address.Key()})
	if !ok || mark != (outbox.Mark{Kind: m.Kind, NeedTLS: m.NeedTLS}) {
		t.Errorf("origin mark says %+v, %v", mark, ok)
	}
}

// TestI3NotificationIsSealedByTheRingAlone: a copy of item and everything else is worth nothing without the ring's key.
func TestI3NotificationIsSealedByTheRingAlone(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	p, err := f.Prepare(context.Background(), ownMail())
	if err != nil {
		t.Fatal(err)
	}
	item := p.Item()
	data, err := json.Marshal(item)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{link[30:], "the subject", "example.org>"} {
		if bytes.Contains(data, []byte(text)) || bytes.Contains(item.Sealed, []byte(text)) {
			t.Errorf("the item shows %q", text)
		}
	}
	f.now = f.now.Add(time.Hour)
	moved, err := f.ring.Reseal(item)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.ring.Retire([]store.KeyID{moved.KeyID}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := f.Open(item); !errors.Is(err, seal.ErrQueueKeyGone) {
		t.Errorf("an old copy of the item: %v", err)
	}
	if _, _, err := f.Open(moved); err != nil {
		t.Errorf("the item itself: %v", err)
	}
	if err := os.Remove(filepath.Join(f.dir, "queue.ring")); err != nil {
		t.Fatal(err)
	}
	g, err := seal.OpenRing(f.dir, func() time.Time { return f.now })
	if err != nil {
		t.Fatal(err)
	}
	restored := outbox.New(outbox.Config{Ring: g, Origin: seal.MACKey{1, 2, 3}})
	if _, _, err := restored.Open(moved); !errors.Is(err, seal.ErrQueueKeyGone) {
		t.Errorf("after a restore without keys: %v", err)
	}
}

func TestOpenRefusesAnotherItem(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	p, err := f.Prepare(context.Background(), ownMail())
	if err != nil {
		t.Fatal(err)
	}
	item := p.Item()
	item.Key.Message = store.NewMessageID(at)
	if _, _, err := f.Open(item); !errors.Is(err, seal.ErrSealed) {
		t.Errorf("a moved item: %v", err)
	}
	item = p.Item()
	if item.KeyID, item.Sealed, err = f.ring.SealMail(item.Key, []byte("no JSON")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := f.Open(item); !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("an item of other content: %v", err)
	}
}

func TestPrepareRefusesBadMail(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	header := func(s string) func(*store.OwnMail) {
		return func(m *store.OwnMail) { m.Raw = []byte(s + "\r\n\r\nbody with\r\nMessage-ID: <b@b>\r\n") }
	}
	for name, change := range map[string]func(*store.OwnMail){
		"no id":              func(m *store.OwnMail) { m.ID = store.MessageID{} },
		"no kind":            func(m *store.OwnMail) { m.Kind = "" },
		"relay":              func(m *store.OwnMail) { m.Kind = store.KindRelay },
		"no recipient":       func(m *store.OwnMail) { m.To = store.Rcpt{} },
		"no time":            func(m *store.OwnMail) { m.At = time.Time{} },
		"no give up":         func(m *store.OwnMail) { m.GiveUp = time.Time{} },
		"gives up at once":   func(m *store.OwnMail) { m.GiveUp = m.At },
		"empty":              func(m *store.OwnMail) { m.Raw = nil },
		"no Message-ID":      header("Subject: x"),
		"no header":          header(""),
		"empty Message-ID":   header("Message-ID:"),
		"bare Message-ID":    header("Message-ID: a@b"),
		"two in one":         header("Message-ID: <a@b> <c@d>"),
		"two fields":         header("Message-ID: <a@b>\r\nmessage-id: <a@b>"),
		"other field":        header("X-Message-ID: <a@b>"),
		"has a mark already": header("Message-ID: <a@b>\r\nx-postern-origin: v1 dsn x"),
	} {
		m := ownMail()
		change(&m)
		_, err := f.Prepare(context.Background(), m)
		if err == nil {
			t.Errorf("%s: prepared", name)
		} else if strings.Contains(err.Error(), "1000g40r40m30e") {
			t.Errorf("%s: the error quotes the mail", name)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := f.Prepare(ctx, ownMail()); !errors.Is(err, context.Canceled) {
		t.Errorf("after cancel: %v", err)
	}
}

func TestPrepareReadsFoldedMessageID(t *testing.T) {
	t.Parallel()
	f, m := newFixture(t), ownMail()
	m.Raw = []byte("Subject: a\r\n b\r\nMESSAGE-ID :\r\n\t<x@example.org>\r\n")
	p, err := f.Prepare(context.Background(), m)
	if err != nil {
		t.Fatal(err)
	}
	raw, _, err := f.Open(p.Item())
	if err != nil {
		t.Fatal(err)
	}
	want := f.OriginField(outbox.Mark{Kind: m.Kind, NeedTLS: m.NeedTLS}, "<x@example.org>", []store.AddressKey{m.To.Address.Key()})
	if !strings.HasPrefix(string(raw), "X-Postern-Origin: "+want+"\r\nSubject: a\r\n") {
		t.Errorf("mail begins %.120q", raw)
	}
}

func TestOriginMark(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	const id = "<x@example.org>"
	rcpts := []store.AddressKey{"b@example.org", "a@example.org"}
	value := f.OriginField(outbox.Mark{Kind: store.KindReply}, id, rcpts)
	if f2 := strings.Fields(value); len(f2) != 3 || f2[0] != "v1" || f2[1] != "reply" || f2[2] != strings.ToLower(f2[2]) {
		t.Errorf("field is %q", value)
	}
	for name, ok := range map[string]bool{
		"itself":           verify(f.Outbox, value, id, rcpts...),
		"other order":      verify(f.Outbox, value, id, rcpts[1], rcpts[0]),
		"recipient twice":  verify(f.Outbox, value, id, rcpts[1], rcpts[0], rcpts[1]),
		"no brackets":      verify(f.Outbox, value, " x@example.org", rcpts...),
		"folded":           verify(f.Outbox, strings.ReplaceAll(value, " ", "\r\n "), id, rcpts...),
		"same on restart":  verify(newFixture(t).Outbox, value, id, rcpts...),
		"its clone's mark": verify(f.Outbox, newFixture(t).OriginField(outbox.Mark{Kind: store.KindReply}, id, rcpts), id, rcpts...),
	} {
		if !ok {
			t.Errorf("%s: refused", name)
		}
	}
	other := outbox.New(outbox.Config{Ring: f.ring, Origin: seal.MACKey{9}})
	for name, ok := range map[string]bool{
		"other Message-ID":   verify(f.Outbox, value, "<y@example.org>", rcpts...),
		"no Message-ID":      verify(f.Outbox, f.OriginField(outbox.Mark{Kind: store.KindReply}, "", rcpts), "", rcpts...),
		"fewer recipients":   verify(f.Outbox, value, id, rcpts[0]),
		"more recipients":    verify(f.Outbox, value, id, append(rcpts, "c@example.org")...),
		"no recipients":      verify(f.Outbox, f.OriginField(outbox.Mark{Kind: store.KindReply}, id, nil), id),
		"need of TLS added":  verify(f.Outbox, strings.Replace(value, "reply", "reply+tls", 1), id, rcpts...),
		"need of TLS cut":    verify(f.Outbox, strings.Replace(f.OriginField(outbox.Mark{Kind: store.KindReply, NeedTLS: true}, id, rcpts), "+tls", "", 1), id, rcpts...),
		"other kind":         verify(f.Outbox, strings.Replace(value, "reply", "dsn", 1), id, rcpts...),
		"other version":      verify(f.Outbox, strings.Replace(value, "v1", "v2", 1), id, rcpts...),
		"other key":          verify(other, value, id, rcpts...),
		"cut":                verify(f.Outbox, value[:len(value)-1], id, rcpts...),
		"more":               verify(f.Outbox, value+" x", id, rcpts...),
		"empty":              verify(f.Outbox, "", id, rcpts...),
		"joined recipients":  verify(f.Outbox, value, id, rcpts[1]+rcpts[0]),
		"capitals in MAC":    verify(f.Outbox, value[:9]+strings.ToUpper(value[9:]), id, rcpts...),
		"kind as recipients": verify(f.Outbox, value, id, "reply"),
	} {
		if ok {
			t.Errorf("%s: accepted", name)
		}
	}
}

func verify(o *outbox.Outbox, value, id string, rcpts ...store.AddressKey) bool {
	mark, ok := o.VerifyOrigin(value, id, rcpts)
	return ok && mark.Kind == store.KindReply
}

func TestOutboxHidesItsKey(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, verb := range []string{"%v", "%+v", "%#v", "%x"} {
		text := fmt.Sprintf(verb, f.Outbox)
		if strings.Contains(text, "1 2 3 0") || strings.Contains(text, "0x1, 0x2, 0x3") || strings.Contains(text, "010203") {
			t.Errorf("%s shows the key", verb)
		}
	}
}

// queueTx is a transaction that has a queue and nothing else: any other role panics.
type queueTx struct {
	store.Tx
	put []store.QueueItem
	err error
}

func (q *queueTx) Queue() store.Queue { return queueRole{tx: q} }

type queueRole struct {
	store.Queue
	tx *queueTx
}

func (r queueRole) Put(item store.QueueItem) error {
	if r.tx.err == nil {
		r.tx.put = append(r.tx.put, item)
	}
	return r.tx.err
}

func TestPutPutsTheItemAndNothingElse(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	p, err := f.Prepare(context.Background(), ownMail())
	if err != nil {
		t.Fatal(err)
	}
	tx := &queueTx{}
	if err := p.Put(tx); err != nil || len(tx.put) != 1 || tx.put[0].Key != p.Item().Key {
		t.Errorf("put %d items: %v", len(tx.put), err)
	}
	tx.err = store.ErrExists
	if err := p.Put(tx); !errors.Is(err, store.ErrExists) {
		t.Errorf("put: %v", err)
	}
}

func TestOutboxConcurrentUse(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			p, err := f.Prepare(context.Background(), ownMail())
			if err == nil {
				_, _, err = f.Open(p.Item())
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func FuzzVerifyOrigin(f *testing.F) {
	ring, err := seal.OpenRing(f.TempDir(), func() time.Time { return at })
	if err != nil {
		f.Fatal(err)
	}
	o := outbox.New(outbox.Config{Ring: ring, Origin: seal.MACKey{1}})
	rcpts := []store.AddressKey{"a@example.org"}
	value := o.OriginField(outbox.Mark{Kind: store.KindDSN, NeedTLS: true}, "<x@example.org>", rcpts)
	f.Add(value)
	f.Add("v1 dsn ")
	f.Fuzz(func(t *testing.T, s string) {
		if _, ok := o.VerifyOrigin(s, "<x@example.org>", rcpts); ok && strings.Join(strings.Fields(s), " ") != value {
			t.Errorf("%q is accepted", s)
		}
	})
}

func FuzzPrepareHeader(f *testing.F) {
	ring, err := seal.OpenRing(f.TempDir(), func() time.Time { return at })
	if err != nil {
		f.Fatal(err)
	}
	o := outbox.New(outbox.Config{Ring: ring})
	f.Add([]byte("Message-ID: <a@b>\r\n\r\nbody"))
	f.Add([]byte("A: b\n c\nMESSAGE-id:<a>\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m := ownMail()
		m.Raw = raw
		p, err := o.Prepare(context.Background(), m)
		if err != nil {
			return
		}
		sent, _, err := o.Open(p.Item())
		if err != nil || !bytes.HasSuffix(sent, raw) || !strings.Contains(strings.ToLower(string(raw)), "message-id") {
			t.Errorf("prepared %q: %v", raw, err)
		}
	})
}
