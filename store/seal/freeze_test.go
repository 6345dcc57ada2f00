package seal

import (
	"crypto/sha256"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"postern/store"
)

const samplesFile = "testdata/samples.json"

// freezeSamples makes the samples once. They are random: made again, they would prove nothing about the past.
func freezeSamples(t *testing.T, path string) {
	t.Helper()
	f := freezer{t: t, keys: testKeys(t), k: testRcpt(1), aid: [16]byte(random(16))}
	s := samples{
		About:     "Sealed values that must open for ever; see FORMAT.md. The secrets that open them stand beside.",
		Message:   f.k.Message.String(),
		Recipient: f.k.N,
		Text:      "Subject: sample\r\n\r\nThe body of a sealed message.\r\n",
		CardText:  `{"subject":"sample"}`,
	}
	var fk FileKey
	fk, s.Body = sealBody(t, f.k.Message, []byte(s.Text))
	f.fk, s.FileKey = fk, fk[:]
	s.Card = fk.SealCard(f.k.Message, []byte(s.CardText))
	f.grants(&s)
	f.values(&s)
	f.queue(&s)
	f.large(&s)
	server, err := os.ReadFile(f.keys.path)
	if err != nil {
		t.Fatal(err)
	}
	s.ServerKeyFile = string(server)
	data, err := json.MarshalIndent(s, "", " ")
	if err == nil {
		err = os.WriteFile(path, append(data, '\n'), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

type freezer struct {
	t    *testing.T
	keys *ServerKeys
	k    store.RcptKey
	aid  [16]byte
	fk   FileKey
}

func (f *freezer) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *freezer) grants(s *samples) {
	link, status, parent, aid := NewSecret(), NewSecret(), FileKey(random(16)), store.AccountID(f.aid)
	parentID := store.NewMessageID(time.UnixMilli(1_600_000_000_000))
	s.Link = linkSample{link.Token(TokenPickup), f.keys.GrantLink(link, f.k, f.fk).Data}
	s.Status = linkSample{status.Token(TokenStatus), f.keys.GrantSender(status, f.k.Message, f.fk).Data}
	s.Parent = parentSample{parentID.String(), parent[:], f.keys.GrantParent(parent, parentID, f.k.Message, f.fk).Data}
	seed, old, recovery := NewSeed(), NewSeed(), NewSeed()
	v, err := f.keys.SealBox("correct horse", aid, seed)
	f.must(err)
	s.Account = f.account("correct horse", v, seed)
	w := weakBox(f.keys, "battery staple", aid, old)
	s.Older = f.account("battery staple", w, old)
	s.Older.Chain, err = f.keys.SealChain(v.Public, aid, v.ID, w.ID, old)
	f.must(err)
	g, err := GrantRecovery(recovery.Public(), f.k.Message, f.fk)
	f.must(err)
	s.Recovery = pubSample{recovery[:], string(g.Key), g.Data}
}

func (f *freezer) account(password string, v store.KeyVersion, seed Seed) accountSample {
	g, err := f.keys.GrantAccount(v.Public, f.k.Message, f.fk)
	f.must(err)
	return accountSample{ID: store.AccountID(f.aid).String(), KID: string(v.ID), Public: v.Public, Password: password,
		Params: v.Params, Box: v.Box, Seed: seed[:], Grant: g.Data}
}

func (f *freezer) values(s *samples) {
	aid, tok, mac := store.AccountID(f.aid), NewSessionToken(), MACKey(random(32))
	sealed := f.keys.SealSession(tok, tok.ID(), aid, store.SessionFull, s.Account.Seed)
	s.Session = sessionSample{tok.String(), string(store.SessionFull), sealed, s.Account.Seed}
	s.Reminder = valueSample{"", f.keys.SealReminder(aid, "my phrase"), []byte("my phrase")}
	s.MessageID = valueSample{"", f.keys.SealMessageID(f.k.Message, "<a@example.org>"), []byte("<a@example.org>")}
	s.MACKey = valueSample{"thread", f.keys.SealMACKey("thread", mac), mac[:]}
	s.Code = valueSample{"flow", f.keys.SealCode("flow", "12345678"), []byte("12345678")}
}

func (f *freezer) queue(s *samples) {
	dir := f.t.TempDir()
	r := testRing(f.t, dir, newClock())
	id, wrap, err := r.Wrap(f.k, f.fk)
	f.must(err)
	s.QueueCopy = queueSample{string(id), wrap, f.fk[:]}
	plain := []byte(`{"mail":"U3ViamVjdDogeA0KDQo=","excerpt":{}}`)
	id, sealed, err := r.SealMail(store.RcptKey{Message: f.k.Message}, plain)
	f.must(err)
	s.OwnMail = queueSample{string(id), sealed, plain}
	data, err := os.ReadFile(filepath.Join(dir, ringFile))
	f.must(err)
	s.QueueRing = string(data)
}

func (f *freezer) large(s *samples) {
	id := store.NewMessageID(time.UnixMilli(1_650_000_000_000))
	plain := count(0, chunk+1000)
	fk, sealed := sealBody(f.t, id, plain)
	hash := sha256.Sum256(plain)
	s.Large = largeSample{"large.age", id.String(), fk[:], len(plain), hash[:]}
	f.must(os.WriteFile(filepath.Join("testdata", s.Large.File), sealed, 0o644))
}
