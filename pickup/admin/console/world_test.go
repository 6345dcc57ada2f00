package console_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"postern/cmd/browser"
	"postern/cmd/testbed"
	"postern/pickup/account"
	"postern/pickup/admin"
	"postern/pickup/admin/console"
	"postern/pickup/message"
	"postern/pickup/notify"
	"postern/pickup/web"
	"postern/store"
	"postern/store/seal"
)

const password = "Marigold kettle on 7 stairs"

var (
	must    = testbed.Must
	dana    = store.Address{Local: "dana.okafor", Domain: "example.org"}
	priya   = store.Address{Local: "priya.nair", Domain: "example.org"}
	audrey  = store.Address{Local: "audrey.lane", Domain: "example.org"}
	maria   = store.Address{Local: "maria.lindqvist", Domain: "example.org"}
	joan    = store.Address{Local: "joan.hartley", Domain: "mail.example"}
	ruth    = store.Address{Local: "r.adeyemi", Domain: "riverside-day.example"}
	threads = seal.MACKey{2}
)

// common is the browser in which tests look at pages.
var common browser.Common

func TestMain(m *testing.M) { os.Exit(common.Run(m)) }

// world is the console on the real services and a real store, behind a real HTTP server. Only the queue's runner and
// the policy are played by the test.
type world struct {
	t        *testing.T
	bed      *testbed.Bed
	now      atomic.Int64 // Unix ms
	admin    *admin.Service
	accounts *account.Service
	messages *message.Service
	server   *httptest.Server
	runner   runner
	alarms   []admin.Alert
	n        int
}

// runner takes items out of the queue as the real one does, and notes what it was asked.
type runner struct {
	bed     *testbed.Bed
	flushed []string
	dropped []string // item and reason
}

func (r *runner) Flush(domain string) { r.flushed = append(r.flushed, domain) }

func (*runner) Down(string) time.Time { return time.Time{} }

func (r *runner) Drop(ctx context.Context, k store.RcptKey, reason string, by store.Event) error {
	r.dropped = append(r.dropped, k.String()+" "+reason)
	return r.bed.Store.Update(ctx, func(tx store.Tx) error { return errors.Join(tx.Queue().Remove(k), tx.Audit().Add(by)) })
}

// Known implements admin.Explainer; the console asks for judgements only.
func (w *world) Known(context.Context, store.Envelope, []byte) (admin.Known, error) {
	return admin.Known{}, nil
}

// Explain implements admin.Explainer: the first recipient is sealed, one at example.org relayed, others refused.
func (w *world) Explain(_ context.Context, env store.Envelope, header []byte) (out []admin.Verdict, err error) {
	if len(header) == 0 {
		w.t.Error("a dry run without header")
	}
	for i, r := range env.Rcpts {
		v := admin.Verdict{To: r.Address.String(), Action: "reject", Rule: "built-in: disabled", Reason: "This user is disabled.", Reply: "550 5.7.1 no"}
		switch {
		case r.Address.Domain == "example.org":
			v = admin.Verdict{To: r.Address.String(), Action: "relay", Rule: "built-in: internal", Reason: "example.org is one of the organisation's own domains."}
		case i == 0:
			v = admin.Verdict{To: r.Address.String(), Action: "seal", Rule: "subject-tag", Reason: "The subject begins with the tag."}
		}
		out = append(out, v)
	}
	return out, nil
}

func (w *world) Now() time.Time { return time.UnixMilli(w.now.Load()).UTC() }

func (w *world) advance(d time.Duration) { w.now.Add(d.Milliseconds()) }

func newWorld(t *testing.T, change ...func(*console.Config)) *world {
	t.Helper()
	w := &world{t: t}
	london, err := time.LoadLocation("Europe/London")
	must(t, err)
	w.now.Store(time.Date(2026, 6, 12, 14, 0, 0, 0, london).UnixMilli())
	w.bed = testbed.New(t, w.Now)
	w.runner.bed = w.bed
	var handler http.Handler
	// The testing package keeps what cleanups hold until all tests have ended, so they are to hold little.
	t.Cleanup(func() { handler, w.admin, w.accounts, w.messages = nil, nil, nil, nil })
	w.server = httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { handler.ServeHTTP(rw, r) }))
	address := "http://" + w.server.Listener.Addr().String()
	w.build(address, london)
	u, err := url.Parse(address)
	must(t, err)
	cfg := console.Config{URL: u, Zone: london, Admin: w.admin, Now: w.Now, Log: w.bed.Logger(),
		Organization: console.Organization{Name: "Example County Council", Short: "the council",
			Support: web.Support{Desk: "ICT Customer Services Desk", Phone: "01632 960 626"}}}
	for _, f := range change {
		f(&cfg)
	}
	c, err := console.New(cfg)
	must(t, err)
	handler = c.Handler()
	w.server.Start()
	t.Cleanup(w.server.Close)
	return w
}

func (w *world) build(address string, zone *time.Location) {
	mails, err := notify.New(notify.Config{
		Org:  notify.Organization{Name: "Example County Council", Short: "the council", Domains: []string{"example.org"}, PostalAddress: "County Hall"},
		From: store.Address{Local: "securemail", Domain: "example.org"}, Host: "gateway.example.org", SiteURL: "https://secure.example.org", Zone: zone, Now: w.Now})
	must(w.t, err)
	rec := message.NewRecorder(w.bed.Store, w.bed.Logger(), w.Now)
	w.accounts = account.New(account.Config{Store: w.bed.Store, Keys: w.bed.Keys, Outbox: w.bed.Outbox, Mails: mails, Recorder: rec,
		SiteURL: "https://secure.example.org", Organization: []string{"Example County Council"}, KeepLoggedIn: true, PerMinute: 1000, Cores: 4,
		Now: w.Now, Log: w.bed.Logger()})
	w.messages = message.New(message.Config{Store: w.bed.Store, Keys: w.bed.Keys, Seeds: w.accounts, Outbox: w.bed.Outbox, Mails: mails,
		Recorder: rec, Internal: func(d string) bool { return d == "example.org" }, Now: w.Now, Log: w.bed.Logger()})
	w.admin = admin.New(admin.Config{Mails: mails, Outbox: w.bed.Outbox, Store: w.bed.Store, Keys: w.bed.Keys, Threads: threads, Messages: w.messages, Users: w.accounts,
		Runner: &w.runner, Explain: w, LogOns: w.accounts, Recorder: rec, Internal: func(d string) bool { return d == "example.org" }, Signs: func(d string) bool { return d == "example.org" }, ConsoleURL: address, Organization: "Example County Council",
		Settings: "hostname: \"gateway.example.org\"\n", Zone: zone, Alarms: func(context.Context) []admin.Alert { return w.alarms },
		Now: w.Now, Log: w.bed.Logger()})
}

// visitor is a browser without eyes: it keeps cookies and does not follow redirects by itself.
type visitor struct {
	w    *world
	http *http.Client
	key  string // of the authenticator app
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

// says reports whether a page holds a text, whatever its markup.
func (a answer) says(text string) bool { return strings.Contains(plain(a.body), text) }

var tags = regexp.MustCompile(`<[^>]*>`)

func plain(body string) string {
	text := strings.NewReplacer("&amp;", "&", "&#39;", "'", "&#34;", `"`, "&lt;", "<", "&gt;", ">", "<wbr>", "", "&#43;", "+").Replace(tags.ReplaceAllStringFunc(body, func(tag string) string {
		if tag == "<wbr>" || strings.HasPrefix(tag, "<bdi") || tag == "</bdi>" || strings.HasPrefix(tag, "<strong") || tag == "</strong>" || strings.HasPrefix(tag, "<code") || tag == "</code>" {
			return ""
		}
		return " "
	}))
	return strings.Join(strings.Fields(text), " ")
}

func (v *visitor) request(method, path string, body io.Reader) *http.Request {
	v.w.t.Helper()
	r, err := http.NewRequest(method, v.w.server.URL+path, body)
	must(v.w.t, err)
	r.Header.Set("User-Agent", "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:151.0) Gecko/20100101 Firefox/151.0")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return r
}

func (v *visitor) do(r *http.Request) answer {
	v.w.t.Helper()
	resp, err := v.http.Do(r)
	must(v.w.t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(v.w.t, err)
	return answer{resp.StatusCode, resp.Header, string(body)}
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

// setUpLink makes an administrator and returns the path of the set-up link.
func (w *world) setUpLink(address store.Address, role admin.Role) string {
	w.t.Helper()
	link, err := w.admin.AdminCreate(w.t.Context(), admin.Socket(), admin.Proof{}, address.String(), role)
	must(w.t, err)
	return strings.TrimPrefix(link.Link, w.server.URL)
}

// signedIn is a browser of a new administrator who has just set the access up.
func (w *world) signedIn(address store.Address, role admin.Role) *visitor {
	w.t.Helper()
	return w.enrolled(w.setUpLink(address, role))
}

// enrolled is a browser of an administrator who has followed a set-up link.
func (w *world) enrolled(link string) *visitor {
	w.t.Helper()
	v := w.visitor()
	v.key = keyOn(v.get(link))
	if a := v.post(link, "password", password, "password2", password, "code", v.code()); a.status != http.StatusSeeOther {
		w.t.Fatalf("set-up answered %d: %s", a.status, plain(a.body))
	}
	return v
}

var keyLine = regexp.MustCompile(`>((?:[A-Z2-7]{4} ){7}[A-Z2-7]{4})<`)

// keyOn reads the key of the second factor off the set-up page.
func keyOn(a answer) string {
	if m := keyLine.FindStringSubmatch(a.body); m != nil {
		return m[1]
	}
	return ""
}

// code is what the app shows now (RFC 6238).
func (v *visitor) code() string { return totp(v.w.t, v.key, v.w.Now()) }

func totp(t *testing.T, key string, at time.Time) string {
	t.Helper()
	secret, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.ReplaceAll(key, " ", ""))
	must(t, err)
	mac := hmac.New(sha1.New, secret)
	mac.Write(binary.BigEndian.AppendUint64(nil, uint64(at.Unix()/30)))
	sum := mac.Sum(nil)
	off := sum[len(sum)-1] & 15
	return fmt.Sprintf("%06d", (binary.BigEndian.Uint32(sum[off:])&0x7fffffff)%1_000_000)
}

// mail stores a sealed message from maria to each of the recipients; each has been notified.
func (w *world) mail(to ...store.Address) store.Message {
	w.t.Helper()
	w.n++
	at := w.Now()
	m := store.Message{ID: store.NewMessageID(at), At: at, From: &maria, Author: &maria, Client: store.Client{IP: "192.0.2.14"}, Refs: len(to),
		Size: 846_000, Flagged: true, Expires: at.Add(27 * 24 * time.Hour), Thread: threads.Thread(fmt.Sprintf("<m%d@example.org>", w.n))}
	var rows []store.Recipient
	for i, a := range to {
		rows = append(rows, store.Recipient{Key: store.RcptKey{Message: m.ID, N: uint32(i + 1)}, Address: a, Sender: maria, Action: store.ActionSeal,
			Rule: "subject-tag", Reason: "The subject begins with the tag.", State: store.StateNotified, Since: at, Notified: at, Expires: m.Expires})
	}
	w.bed.Update(func(tx store.Tx) error {
		if err := tx.Messages().Create(m, rows); err != nil {
			return err
		}
		if err := tx.Bodies().Put(m.ID, []byte("sealed")); err != nil {
			return err
		}
		return tx.Audit().Add(store.Event{ID: store.NewEventID(at), What: store.EventAccepted, Message: m.ID, Actor: "system"})
	})
	return m
}

// waits puts a relayed message into the queue.
func (w *world) waits(to store.Address, last string) store.RcptKey {
	w.t.Helper()
	at := w.Now()
	m := store.Message{ID: store.NewMessageID(at), At: at, From: &maria, Refs: 1, Size: 12_000}
	k := store.RcptKey{Message: m.ID, N: 1}
	w.bed.Update(func(tx store.Tx) error {
		if err := tx.Messages().Create(m, []store.Recipient{{Key: k, Address: to, Sender: maria, Action: store.ActionRelay, Rule: "default", Reason: "No rule matches.",
			State: store.StateQueued, Since: at}}); err != nil {
			return err
		}
		return tx.Queue().Put(store.QueueItem{Key: k, Kind: store.KindRelay, Domain: to.Domain, From: &maria, To: store.Rcpt{Address: to}, KeyID: "key",
			Arrived: at, Due: at.Add(22 * time.Minute), GiveUp: at.Add(120 * time.Hour), Attempts: 6, Last: last, Size: 12_000})
	})
	return k
}

// event adds an event of now.
func (w *world) event(e store.Event) {
	w.t.Helper()
	e.ID = store.NewEventID(w.Now())
	w.bed.Update(func(tx store.Tx) error { return tx.Audit().Add(e) })
}

// person makes a user with a session, and returns the id.
func (w *world) person(address, name string) string {
	w.t.Helper()
	addr, err := store.ParseAddress(address)
	must(w.t, err)
	a := store.Account{Address: addr, Name: name, Status: store.StatusActive, Standing: store.Confirmed, Registered: true, Created: w.Now(), LastSignIn: w.Now()}
	w.n++
	binary.BigEndian.PutUint32(a.ID[:], uint32(w.n))
	s := store.Session{Account: a.ID, Kind: store.SessionFull, Created: w.Now(), Seen: w.Now(), Idle: time.Hour, Ends: w.Now().Add(12 * time.Hour), Browser: "Safari on iPhone"}
	binary.BigEndian.PutUint32(s.ID[:], uint32(w.n))
	w.bed.Update(func(tx store.Tx) error {
		if err := tx.Accounts().Create(a); err != nil {
			return err
		}
		return tx.Sessions().Put(s)
	})
	w.event(store.Event{What: store.EventRegistered, Account: a.ID, Actor: "recipient"})
	return a.ID.String()
}

// aliases gives a user further addresses.
func (w *world) aliases(user string, all ...store.Address) {
	w.t.Helper()
	var id store.AccountID
	must(w.t, id.UnmarshalText([]byte(user)))
	w.bed.ChangeAccount(id, func(a *store.Account) { a.Aliases = all })
}

// sessions counts the live sessions of a user.
func (w *world) sessions(id string) int {
	w.t.Helper()
	v, err := w.admin.UserShow(w.t.Context(), admin.Socket(), id)
	must(w.t, err)
	return len(v.Sessions)
}
