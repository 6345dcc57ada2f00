package pickup_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/textproto"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"postern/cmd/browser"
	"postern/pickup"
	"postern/pickup/account"
	"postern/pickup/message"
	"postern/pickup/notify"
	"postern/pickup/web"
	"postern/store"
	"postern/store/blob"
	"postern/store/bolt"
	"postern/store/mail"
	"postern/store/outbox"
	"postern/store/seal"
)

const password = "Marigold kettle on 7 stairs"

var (
	joan  = store.Address{Local: "joan.hartley", Domain: "mail.example"}
	peter = store.Address{Local: "peter.osei", Domain: "mail.example"}
	ruth  = store.Address{Local: "ruth.adeyemi", Domain: "mail.example"}
	maria = mail.Mailbox{Name: "Maria Lindqvist", Address: store.Address{Local: "maria.lindqvist", Domain: "example.org"}}
)

// common is the browser in which tests look at pages.
var common browser.Common

func TestMain(m *testing.M) { os.Exit(common.Run(m)) }

// world is the site on real services and a real store, behind a real HTTP server. Only the gateway's intake is played
// by the test: plant stores a sealed message as it would, and AcceptReply takes replies.
type world struct {
	t        *testing.T
	now      atomic.Int64 // Unix ms
	store    store.Store
	keys     *seal.ServerKeys
	outbox   *outbox.Outbox
	accounts *account.Service
	messages *message.Service
	site     *pickup.Site
	server   *httptest.Server
	log      *safeBuffer
	dir      string // all that is stored
	recovery account.Recovery

	mu      sync.Mutex
	replies [][]byte
	refuse  error // what the next replies are answered with
}

type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// builtin is what the site says in all languages; reading it takes longer than most tests.
var builtin = sync.OnceValues(web.Builtin)

func newWorld(t *testing.T, change ...func(*pickup.Config)) *world {
	t.Helper()
	w := &world{t: t, log: &safeBuffer{}}
	london, err := time.LoadLocation("Europe/London")
	must(t, err)
	w.now.Store(time.Date(2026, 6, 12, 19, 4, 31, 0, london).UnixMilli())
	var handler http.Handler
	// The testing package keeps what cleanups hold until all tests have ended, so they are to hold little.
	t.Cleanup(func() { handler, w.site, w.accounts, w.messages, w.store, w.outbox = nil, nil, nil, nil, nil, nil })
	w.server = httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { handler.ServeHTTP(rw, r) }))
	address := "http://" + w.server.Listener.Addr().String()
	text, err := builtin()
	must(t, err)
	u, err := url.Parse(address)
	must(t, err)
	cfg := pickup.Config{URL: u, Organization: council(), Zone: london, ExpireAfter: 30 * 24 * time.Hour, KeepLoggedIn: true,
		Internal: func(d string) bool { return d == "example.org" }, Catalogue: text,
		Limits: pickup.Limits{Files: 3, Bytes: 1 << 20, Text: 64 << 10}, Now: w.Now, Log: w.logger()}
	for _, f := range change {
		f(&cfg)
	}
	w.recovery = cfg.Recovery
	w.build(address, london)
	cfg.Accounts, cfg.Messages = w.accounts, w.messages
	for _, f := range change { // again: some wrap the services, which are made by what the others chose
		f(&cfg)
	}
	w.site, err = pickup.New(cfg)
	must(t, err)
	handler = w.site.Handler()
	w.server.Start()
	t.Cleanup(w.server.Close)
	return w
}

func council() pickup.Organization {
	return pickup.Organization{Name: "Example County Council", Short: "the council",
		Postal: "County Hall, 1 Market Place, Exampleton ZZ99 1AA", Sender: "securemail@example.org",
		Support: pickup.Support{Desk: "ICT Customer Services Desk", Phone: "01632 960 626", Email: "ict.desk@example.org",
			Hours: "Monday to Friday, 8:30 to 17:00"}}
}

func (w *world) Now() time.Time { return time.UnixMilli(w.now.Load()).UTC() }

func (w *world) advance(d time.Duration) { w.now.Add(d.Milliseconds()) }

func (w *world) logger() *slog.Logger { return slog.New(slog.NewTextHandler(w.log, nil)) }

func (w *world) build(address string, zone *time.Location) {
	t, dir := w.t, w.t.TempDir()
	w.dir = dir
	st, err := bolt.Open(bolt.Config{Dir: dir, Blobs: blob.In(filepath.Join(dir, "blobs")), Now: w.Now})
	must(t, err)
	t.Cleanup(func() { st.Close() })
	w.store = st
	w.keys, err = seal.CreateServerKeys(filepath.Join(dir, "keys", "server.key"))
	must(t, err)
	ring, err := seal.OpenRing(filepath.Join(dir, "keys"), w.Now)
	must(t, err)
	t.Cleanup(func() { ring.Close() })
	w.outbox = outbox.New(outbox.Config{Ring: ring})
	mails, err := notify.New(notify.Config{
		Org:  notify.Organization{Name: "Example County Council", Short: "the council", Domains: []string{"example.org"}, PostalAddress: "County Hall"},
		From: store.Address{Local: "securemail", Domain: "example.org"}, Host: "gateway.example.org", SiteURL: address, Zone: zone, Now: w.Now})
	must(t, err)
	rec := message.NewRecorder(w.store, w.logger(), w.Now)
	w.accounts = account.New(account.Config{Store: w.store, Keys: w.keys, Outbox: w.outbox, Mails: mails, Recorder: rec, SiteURL: address,
		Organization: []string{"Example County Council"}, KeepLoggedIn: true, Recovery: w.recovery, PerMinute: 1000, Cores: 4,
		Later: func(job func(context.Context)) bool { job(context.Background()); return true }, Now: w.Now, Log: w.logger()})
	w.messages = message.New(message.Config{Store: w.store, Keys: w.keys, Seeds: w.accounts, Outbox: w.outbox, Mails: mails, Sender: w,
		Recorder: rec, Internal: func(d string) bool { return d == "example.org" }, Tags: []string{"secure"}, Now: w.Now, Log: w.logger()})
}

// letter is a message to plant.
type letter struct {
	from    mail.Mailbox
	to      []mail.Mailbox
	cc      []mail.Mailbox
	subject string
	text    string
	html    string
	files   []mail.Attachment
	noReply bool
	raw     []byte // instead of what is above
	life    time.Duration
}

// plant stores a sealed message for an address and returns its link.
func (w *world) plant(to store.Address, l letter) (seal.LinkSecret, store.RcptKey) {
	w.t.Helper()
	raw := l.raw
	if l.from.Address.IsZero() {
		l.from = maria
	}
	if l.to == nil {
		l.to = []mail.Mailbox{{Address: to}}
	}
	if raw == nil {
		var out bytes.Buffer
		must(w.t, mail.Letter{From: &l.from, To: l.to, Cc: l.cc, Subject: l.subject, MessageID: mail.NewMessageID("example.org"), Date: w.Now(),
			Text: l.text, HTML: l.html, Attachments: l.files}.Render(&out))
		raw = out.Bytes()
	}
	if l.life == 0 {
		l.life = 27*24*time.Hour + 5*time.Hour
	}
	id := store.NewMessageID(w.Now())
	m, fk := w.sealed(id, raw)
	m.Author, m.From, m.Flagged, m.Expires = &l.from.Address, &l.from.Address, true, w.Now().Add(l.life)
	secret, key := seal.NewSecret(), store.RcptKey{Message: id, N: 1}
	r := store.Recipient{Key: key, Address: to, Sender: l.from.Address, Action: store.ActionSeal, State: store.StateNotified,
		Since: w.Now(), Expires: m.Expires, NoReply: l.noReply}
	g := w.keys.GrantLink(secret, key, fk)
	g.Made = w.Now()
	r.Grants, r.Links = append(r.Grants, g), append(r.Links, g.Link)
	w.grantAccount(&r, to, fk)
	w.update(func(tx store.Tx) error {
		if err := tx.Messages().Create(m.Message, []store.Recipient{r}); err != nil {
			return err
		}
		return tx.Bodies().Put(id, m.body)
	})
	return secret, key
}

// grantAccount gives a confirmed account its grant, as the intake does at sealing (KEYS K8).
func (w *world) grantAccount(r *store.Recipient, to store.Address, fk seal.FileKey) {
	must(w.t, w.store.View(context.Background(), func(tx store.Tx) error {
		a, err := tx.Accounts().ByAddress(to.Key())
		if err != nil || a.Standing != store.Confirmed {
			return nil
		}
		k, _ := a.Current()
		g, err := w.keys.GrantAccount(k.Public, r.Key.Message, fk)
		r.Grants, r.Account = append(r.Grants, g), a.ID
		return err
	}))
}

type sealedMessage struct {
	store.Message
	body []byte
}

func (w *world) sealed(id store.MessageID, raw []byte) (sealedMessage, seal.FileKey) {
	var out bytes.Buffer
	sw, err := seal.NewWriter(&out, id)
	must(w.t, err)
	x := mail.NewIndexer()
	_, err = io.MultiWriter(sw, x).Write(raw)
	must(w.t, err)
	must(w.t, sw.Close())
	x.Close()
	card := mail.NewCard(mail.ParseHeader(raw), x.Parts())
	return sealedMessage{body: out.Bytes(), Message: store.Message{ID: id, At: w.Now(), Size: int64(len(raw)), Stored: int64(out.Len()),
		Card: sw.FileKey().SealCard(id, card.Encode()), Refs: 1}}, sw.FileKey()
}

// AcceptReply takes a reply as the intake does: relayed to its recipient, with a copy for its writer.
func (w *world) AcceptReply(_ context.Context, env store.Envelope, parent seal.FileKey, body io.Reader) (store.Receipt, error) {
	raw, err := io.ReadAll(body)
	if err != nil {
		return store.Receipt{}, err
	}
	if w.refuse != nil {
		return store.Receipt{}, w.refuse
	}
	m, fk := w.sealed(env.ID, raw)
	m.Writer, m.Parent, m.From, m.Expires = env.Author, env.Parent, env.From, w.Now().Add(20*24*time.Hour)
	m.Grants = []store.Grant{w.keys.GrantParent(parent, env.Parent.Message, env.ID, fk)}
	var rcpts []store.Recipient
	for i, r := range env.Rcpts {
		rcpts = append(rcpts, store.Recipient{Key: store.RcptKey{Message: env.ID, N: uint32(i + 1)}, Address: r.Address,
			Action: store.ActionRelay, State: store.StateDelivered, Since: w.Now()})
	}
	w.update(func(tx store.Tx) error {
		share, err := tx.Messages().Recipient(env.Parent)
		if err != nil {
			return err
		}
		share.Replied = env.At
		if err := tx.Messages().Set(share); err != nil {
			return err
		}
		if err := tx.Messages().Create(m.Message, rcpts); err != nil {
			return err
		}
		return tx.Bodies().Put(env.ID, m.body)
	})
	w.mu.Lock()
	w.replies = append(w.replies, raw)
	w.mu.Unlock()
	return store.Receipt{ID: env.ID, Size: int64(len(raw))}, nil
}

func (w *world) update(f func(store.Tx) error) {
	w.t.Helper()
	must(w.t, w.store.Update(context.Background(), f))
}

func (w *world) recipient(k store.RcptKey) (r store.Recipient) {
	w.t.Helper()
	must(w.t, w.store.View(context.Background(), func(tx store.Tx) (err error) {
		r, err = tx.Messages().Recipient(k)
		return err
	}))
	return r
}

func linkOf(s seal.LinkSecret) string { return "/p/" + s.Token(seal.TokenPickup) }

// visitor is a browser without eyes: it keeps cookies and does not follow redirects by itself.
type visitor struct {
	w    *world
	http *http.Client
}

func (w *world) visitor() *visitor {
	jar, err := cookiejar.New(nil)
	must(w.t, err)
	return &visitor{w: w, http: &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) to() string { return a.header.Get("Location") }

func (v *visitor) do(r *http.Request) answer {
	v.w.t.Helper()
	resp, err := v.http.Do(r)
	must(v.w.t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(v.w.t, err)
	return answer{resp.StatusCode, resp.Header, string(body)}
}

func (v *visitor) request(method, path string, body io.Reader) *http.Request {
	v.w.t.Helper()
	r, err := http.NewRequest(method, v.w.server.URL+path, body)
	must(v.w.t, err)
	r.Header.Set("User-Agent", "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:151.0) Gecko/20100101 Firefox/151.0")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return r
}

func (v *visitor) get(path string) answer {
	v.w.t.Helper()
	return v.do(v.request("GET", path, nil))
}

// post sends a form: name, value, name, value ….
func (v *visitor) post(path string, pairs ...string) answer {
	v.w.t.Helper()
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	r := v.request("POST", path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return v.do(r)
}

// field is one part of an upload; with a file name it is a file.
type field struct{ name, file, value string }

// upload sends a form as browsers send one with files.
func (v *visitor) upload(path string, fields ...field) answer {
	v.w.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for _, f := range fields {
		h := textproto.MIMEHeader{"Content-Disposition": {fmt.Sprintf("form-data; name=%q", f.name)}}
		if f.file != "" {
			h.Set("Content-Disposition", fmt.Sprintf("form-data; name=%q; filename=%q", f.name, f.file))
			h.Set("Content-Type", "text/plain")
		}
		part, err := form.CreatePart(h)
		must(v.w.t, err)
		_, err = io.WriteString(part, f.value)
		must(v.w.t, err)
	}
	must(v.w.t, form.Close())
	r := v.request("POST", path, &body)
	r.Header.Set("Content-Type", form.FormDataContentType())
	return v.do(r)
}

// follow goes where an answer leads, until it leads no further.
func (v *visitor) follow(a answer) answer {
	v.w.t.Helper()
	for range 10 {
		if a.to() == "" {
			return a
		}
		a = v.get(a.to())
	}
	v.w.t.Fatal("the redirects go round")
	return a
}

// register makes the account of a link and returns the answer.
func (v *visitor) register(secret seal.LinkSecret) answer {
	v.w.t.Helper()
	a := v.post(linkOf(secret), "step", "register", "password", password, "password2", password, "reminder", "What stood on the windowsill")
	if a.status != http.StatusSeeOther {
		v.w.t.Fatalf("registration answered %d: %s", a.status, a.body)
	}
	return a
}
