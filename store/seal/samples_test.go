package seal

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/crypto/chacha20poly1305"

	"postern/store"
)

// samples is one sealed message with all that opens it. []byte is base64 in the file; secrets stand beside.
type samples struct {
	About         string        `json:"about"`
	ServerKeyFile string        `json:"server_key_file"`
	QueueRing     string        `json:"queue_ring"`
	Message       string        `json:"message"`
	Recipient     uint32        `json:"recipient"`
	FileKey       []byte        `json:"file_key"`
	Body          []byte        `json:"body"`
	Text          string        `json:"text"`
	Card          []byte        `json:"card"`
	CardText      string        `json:"card_text"`
	Link          linkSample    `json:"link"`
	Status        linkSample    `json:"status"`
	Account       accountSample `json:"account"`
	Older         accountSample `json:"older_version"`
	Parent        parentSample  `json:"parent"`
	Recovery      pubSample     `json:"recovery"`
	Session       sessionSample `json:"session"`
	Reminder      valueSample   `json:"reminder"`
	MessageID     valueSample   `json:"message_id"`
	MACKey        valueSample   `json:"mac_key"`
	Code          valueSample   `json:"code"`
	QueueCopy     queueSample   `json:"queue_copy"`
	OwnMail       queueSample   `json:"own_mail"`
	Large         largeSample   `json:"large"`
}

type (
	linkSample struct {
		Token string `json:"token"`
		Grant []byte `json:"grant"`
	}
	accountSample struct {
		ID       string `json:"id"`
		KID      string `json:"kid"`
		Public   []byte `json:"public"`
		Password string `json:"password"`
		Params   string `json:"params"`
		Box      []byte `json:"box"`
		Chain    []byte `json:"chain,omitempty"` // of the older version, to the other
		Seed     []byte `json:"seed"`
		Grant    []byte `json:"grant"`
	}
	parentSample struct {
		Message string `json:"message"`
		FileKey []byte `json:"file_key"`
		Grant   []byte `json:"grant"`
	}
	pubSample struct {
		Seed  []byte `json:"seed"`
		KID   string `json:"kid"`
		Grant []byte `json:"grant"`
	}
	sessionSample struct {
		Cookie  string `json:"cookie"`
		Kind    string `json:"kind"`
		Sealed  []byte `json:"sealed"`
		Payload []byte `json:"payload"`
	}
	valueSample struct {
		Name   string `json:"name,omitempty"`
		Sealed []byte `json:"sealed"`
		Value  []byte `json:"value"`
	}
	queueSample struct {
		KID    string `json:"kid"`
		Sealed []byte `json:"sealed"`
		Value  []byte `json:"value"`
	}
	largeSample struct {
		File    string `json:"file"`
		Message string `json:"message"`
		FileKey []byte `json:"file_key"`
		Size    int    `json:"size"`
		SHA256  []byte `json:"sha256"`
	}
)

// opener opens samples with the front door.
type opener struct {
	samples
	keys *ServerKeys
	ring *Ring
	k    store.RcptKey
	aid  store.AccountID
}

func openSamples(t *testing.T) *opener {
	t.Helper()
	o := &opener{samples: readSamples(t)}
	dir := t.TempDir()
	err := errors.Join(os.WriteFile(filepath.Join(dir, "server.key"), []byte(o.ServerKeyFile), 0o600),
		os.WriteFile(filepath.Join(dir, ringFile), []byte(o.QueueRing), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	if o.keys, err = OpenServerKeys(filepath.Join(dir, "server.key")); err != nil {
		t.Fatal(err)
	}
	o.ring = testRing(t, dir, newClock())
	id, err := store.ParseMessageID(o.Message)
	if err != nil {
		t.Fatal(err)
	}
	o.k = store.RcptKey{Message: id, N: o.Recipient}
	if err := o.aid.UnmarshalText([]byte(o.Account.ID)); err != nil {
		t.Fatal(err)
	}
	return o
}

// It is not parallel, so that -update is done before others read.
func TestSamplesOpenForEver(t *testing.T) {
	if _, err := os.Stat(samplesFile); errors.Is(err, fs.ErrNotExist) && *update {
		freezeSamples(t, samplesFile)
	}
	o := openSamples(t)
	fk := FileKey(o.FileKey)
	got, err := readBody(o.k.Message, fk, o.Body)
	if err != nil || string(got) != o.Text {
		t.Errorf("body: %v", err)
	}
	if got, err := fk.OpenCard(o.k.Message, o.Card); err != nil || string(got) != o.CardText {
		t.Errorf("card: %v", err)
	}
	for name, f := range map[string]func() (FileKey, error){
		"link": o.link, "sender": o.sender, "parent": o.parent, "recovery": o.recovery, "queue copy": o.queueCopy,
		"account": func() (FileKey, error) { return o.grant(o.Account) }, "older version": func() (FileKey, error) { return o.grant(o.Older) },
	} {
		if got, err := f(); err != nil || got != fk {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, v := range map[string]accountSample{"box": o.Account, "older box": o.Older} {
		kv := store.KeyVersion{ID: store.KeyID(v.KID), Public: v.Public, Params: v.Params, Box: v.Box}
		if seed, err := o.keys.OpenBox(v.Password, o.aid, kv); err != nil || seed != Seed(v.Seed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, v := range o.values() {
		if got, err := v.open(); err != nil || !bytes.Equal(got, v.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func (o *opener) link() (FileKey, error) {
	s, err := ParseToken(TokenPickup, o.Link.Token)
	if err != nil {
		return FileKey{}, err
	}
	return o.keys.OpenLink(s, o.k, store.Grant{Kind: store.GrantLink, Data: o.Link.Grant})
}

func (o *opener) sender() (FileKey, error) {
	s, err := ParseToken(TokenStatus, o.Status.Token)
	if err != nil {
		return FileKey{}, err
	}
	return o.keys.OpenSender(s, o.k.Message, store.Grant{Kind: store.GrantSender, Data: o.Status.Grant})
}

func (o *opener) parent() (FileKey, error) {
	id, err := store.ParseMessageID(o.Parent.Message)
	if err != nil {
		return FileKey{}, err
	}
	return o.keys.OpenParent(FileKey(o.Parent.FileKey), id, o.k.Message, store.Grant{Kind: store.GrantParent, Data: o.Parent.Grant})
}

func (o *opener) recovery() (FileKey, error) {
	return OpenRecovery(Seed(o.Recovery.Seed), o.k.Message,
		store.Grant{Kind: store.GrantRecovery, Key: store.KeyID(o.Recovery.KID), Data: o.Recovery.Grant})
}

func (o *opener) grant(a accountSample) (FileKey, error) {
	return o.keys.OpenAccount(Seed(a.Seed), o.k.Message, store.Grant{Kind: store.GrantAccount, Key: store.KeyID(a.KID), Data: a.Grant})
}

func (o *opener) queueCopy() (FileKey, error) {
	return o.ring.Unwrap(store.KeyID(o.QueueCopy.KID), o.k, o.QueueCopy.Sealed)
}

type openValue struct {
	open func() ([]byte, error)
	want []byte
}

func (o *opener) values() map[string]openValue {
	text := func(s string, err error) ([]byte, error) { return []byte(s), err }
	return map[string]openValue{
		"chain": {func() ([]byte, error) {
			return key32(o.keys.OpenChain(Seed(o.Account.Seed), o.aid, store.KeyID(o.Account.KID), store.KeyID(o.Older.KID), o.Older.Chain))
		}, o.Older.Seed},
		"session": {func() ([]byte, error) {
			tok, err := ParseSessionToken(o.Session.Cookie)
			if err != nil {
				return nil, err
			}
			return o.keys.OpenSession(tok, tok.ID(), o.aid, store.SessionKind(o.Session.Kind), o.Session.Sealed)
		}, o.Session.Payload},
		"reminder":   {func() ([]byte, error) { return text(o.keys.OpenReminder(o.aid, o.Reminder.Sealed)) }, o.Reminder.Value},
		"message id": {func() ([]byte, error) { return text(o.keys.OpenMessageID(o.k.Message, o.MessageID.Sealed)) }, o.MessageID.Value},
		"MAC key": {func() ([]byte, error) {
			k, err := o.keys.OpenMACKey(o.MACKey.Name, o.MACKey.Sealed)
			return k[:], err
		}, o.MACKey.Value},
		"code": {func() ([]byte, error) {
			ok, err := o.keys.CheckCode(o.Code.Name, string(o.Code.Value), o.Code.Sealed)
			if !ok {
				return nil, errors.Join(err, ErrSealed)
			}
			return o.Code.Value, err
		}, o.Code.Value},
		"own mail": {func() ([]byte, error) {
			return o.ring.OpenMail(store.KeyID(o.OwnMail.KID), store.RcptKey{Message: o.k.Message}, o.OwnMail.Sealed)
		}, o.OwnMail.Value},
		"large body": {o.large, o.Large.SHA256},
	}
}

func (o *opener) large() ([]byte, error) {
	file, err := os.ReadFile(filepath.Join("testdata", o.Large.File))
	if err != nil {
		return nil, err
	}
	id, err := store.ParseMessageID(o.Large.Message)
	if err != nil {
		return nil, err
	}
	got, err := readBody(id, FileKey(o.Large.FileKey), file)
	hash := sha256.Sum256(got)
	return hash[:], err
}

// TestSamplesReencode seals the opened samples again with the nonces of the frozen ones: the same octets come out, so
// the writer did not change either.
func TestSamplesReencode(t *testing.T) {
	t.Parallel()
	o := openSamples(t)
	mid := o.Message
	link, err := ParseToken(TokenPickup, o.Link.Token)
	if err != nil {
		t.Fatal(err)
	}
	ctx := linkContext(o.k)
	inner, err := o.keys.Open(ctx, o.Link.Grant)
	if err != nil {
		t.Fatal(err)
	}
	if got := reseal(t, deriveInfo(link[:], encode(ctx...)), encode(ctx...), inner, o.FileKey); !bytes.Equal(got, inner) {
		t.Error("link grant: the inner box differs")
	}
	l := o.keys.all()[0]
	layer := serverContext(l.id, ctx)
	got := append([]byte(l.id), reseal(t, deriveInfo(l.key[:], layer), layer, o.Link.Grant[8:], inner)...)
	if !bytes.Equal(got, o.Link.Grant) {
		t.Error("link grant: the server layer differs")
	}
	padded := append([]byte(o.CardText), bytes.Repeat([]byte(" "), 512-len(o.CardText))...)
	if got := reseal(t, derive(o.FileKey, ctxCard, mid), encode(ctxCard, mid), o.Card, padded); !bytes.Equal(got, o.Card) {
		t.Error("card differs")
	}
	if got := reencodeBody(t, o.Body, mid, o.FileKey, []byte(o.Text)); !bytes.Equal(got, o.Body) {
		t.Error("body differs")
	}
	ring, err := queueLines().parse("", []byte(o.QueueRing))
	if err != nil || string(queueLines().write(ring)) != o.QueueRing {
		t.Errorf("ring file differs: %v", err)
	}
	if got := serverLines().write(o.keys.all()); string(got) != o.ServerKeyFile {
		t.Error("server key file differs")
	}
}

// reseal is Box with the nonce of an older box.
func reseal(t *testing.T, k key, ctx, old, x []byte) []byte {
	t.Helper()
	block, err := aes.NewCipher(k[:])
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	return gcm.Seal(bytes.Clone(old[:12]), old[:12], x, ctx)
}

// reencodeBody writes the age file of a body of one chunk with the nonce of an older one.
func reencodeBody(t *testing.T, old []byte, mid string, fk, plain []byte) []byte {
	t.Helper()
	expand := func(salt []byte, info string) []byte {
		k, err := hkdf.Key(sha256.New, fk, salt, info, 32)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	head := "age-encryption.org/v1\n-> " + stanzaType + " " + mid + "\n\n---"
	mac := hmac.New(sha256.New, expand(nil, "header"))
	mac.Write([]byte(head))
	out := []byte(head + " " + base64.RawStdEncoding.EncodeToString(mac.Sum(nil)) + "\n")
	nonce := old[len(out) : len(out)+16]
	out = append(out, nonce...)
	aead, err := chacha20poly1305.New(expand(nonce, "payload"))
	if err != nil {
		t.Fatal(err)
	}
	last := binary.BigEndian.AppendUint32(make([]byte, 8, 12), 1) // chunk 0, and it is the last
	return aead.Seal(out, last, plain, nil)
}
