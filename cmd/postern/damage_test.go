package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	bbolt "go.etcd.io/bbolt"

	"postern/store"
)

// damages are what a disk can do to what is stored of one message.
var damages = []struct {
	name  string
	large bool // in a blob of several chunks
	do    func(t testing.TB, c *stored)
	part  bool // only a file in the message is damaged
}{
	{name: "first chunk", large: true, do: func(t testing.TB, c *stored) { c.flip(t, 300) }},
	{name: "middle chunk", large: true, part: true, do: func(t testing.TB, c *stored) { c.flip(t, 150<<10) }},
	{name: "last chunk", large: true, do: func(t testing.TB, c *stored) { c.flip(t, c.size(t)-20) }},
	{name: "end is missing", large: true, do: func(t testing.TB, c *stored) { c.cut(t, 100<<10) }},
	{name: "file is gone", large: true, do: func(t testing.TB, c *stored) { c.remove(t) }},
	{name: "file is empty", large: true, do: func(t testing.TB, c *stored) { c.cut(t, 0) }},
	{name: "inline body", do: func(t testing.TB, c *stored) {
		c.alter(t, "bodies", func(v []byte) []byte { v[len(v)-20] ^= 1; return v })
	}},
}

// stored is one message in a data folder whose gateway has stopped.
type stored struct {
	data string
	id   store.MessageID
	blob string // path of its blob; empty: inline
}

func (c *stored) size(t testing.TB) int64 {
	t.Helper()
	info, err := os.Stat(c.blob)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

func (c *stored) flip(t testing.TB, at int64) {
	t.Helper()
	data, err := os.ReadFile(c.blob)
	if err != nil {
		t.Fatal(err)
	}
	data[at] ^= 1
	if err := os.WriteFile(c.blob, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func (c *stored) cut(t testing.TB, to int64) {
	t.Helper()
	if err := os.Truncate(c.blob, to); err != nil {
		t.Fatal(err)
	}
}

func (c *stored) remove(t testing.TB) {
	t.Helper()
	if err := os.Remove(c.blob); err != nil {
		t.Fatal(err)
	}
}

// alter changes the message's value in a bucket of the store.
func (c *stored) alter(t testing.TB, bucket string, change func([]byte) []byte) {
	t.Helper()
	db, err := bbolt.Open(filepath.Join(c.data, "postern.db"), 0o600, &bbolt.Options{Timeout: time.Second, NoFreelistSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte(bucket))
		v := b.Get(c.id[:])
		if v == nil {
			return fmt.Errorf("message %s has nothing in %s", c.id, bucket)
		}
		return b.Put(c.id[:], change(bytes.Clone(v)))
	})
	if err != nil {
		t.Fatal(err)
	}
}

// storedAt finds a message of a stopped gateway.
func (tr *trial) storedAt(id store.MessageID) *stored {
	tr.t.Helper()
	c := &stored{data: filepath.Join(tr.dir, "data"), id: id}
	files, err := filepath.Glob(filepath.Join(c.data, "blobs", "*", "*"))
	if err != nil {
		tr.t.Fatal(err)
	}
	for _, path := range files {
		head, err := os.ReadFile(path)
		if err != nil {
			tr.t.Fatal(err)
		}
		if bytes.Contains(head[:min(len(head), 100)], []byte("postern-v1 "+id.String())) {
			c.blob = path
		}
	}
	return c
}

// damageMail is a mail whose text stands at its beginning and whose file fills several chunks, if it is to be large.
func damageMail(to, subject string, large bool) []byte {
	raw := letterText("Alice <alice@example.org>", to, subject, "<"+strings.ReplaceAll(subject, " ", ".")+"@example.org>", "")
	if !large {
		return raw
	}
	raw = bytes.Replace(raw, []byte("Content-Type: text/plain; charset=utf-8\r\n\r\n"), []byte("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n"), 1)
	raw = append(raw, "--b\r\nContent-Type: application/octet-stream\r\nContent-Disposition: attachment; filename=file.bin\r\nContent-Transfer-Encoding: base64\r\n\r\n"...)
	raw = append(raw, wrapped(strings.Repeat("octets of the file, ", 15000))...)
	return append(raw, "--b--\r\n"...)
}

// TestI7DamageIsOneMessagesOwn damages stored bodies in every way. The page of such a message says that something went
// wrong, with a reference that stands in the log beside the cause; all other messages, the inbox and the gateway go on.
func TestI7DamageIsOneMessagesOwn(t *testing.T) {
	t.Parallel()
	tr := startTrial(t, "")
	send := func(subject string, large bool) {
		tr.send(t, "alice@example.org", []string{"bob@ext.example"}, damageMail("bob@ext.example", "[secure] "+subject, large))
	}
	send("healthy", true)
	bob := tr.person()
	bob.register(tr.link(tr.notes("bob@ext.example", 1)[0])).want(t, "healthy")
	tr.confirm(bob, "bob@ext.example")
	ids := map[string]store.RcptKey{"healthy": tr.newest(t, "bob@ext.example")}
	for _, d := range damages {
		send(d.name, d.large)
		ids[d.name] = tr.newest(t, "bob@ext.example")
		bob.wantStatus(http.StatusOK, bob.post("/m/"+ids[d.name].String()+"/open")).want(t, d.name)
	}
	if err := tr.stop(); err != nil {
		t.Fatal(err)
	}
	for _, d := range damages {
		d.do(t, tr.storedAt(ids[d.name].Message))
	}
	tr.start()
	for _, d := range damages {
		base := "/m/" + ids[d.name].String()
		if d.part {
			page := bob.wantStatus(http.StatusOK, bob.get(base)).want(t, d.name, "A few words.")
			bob.wantBroken(tr, page.href(t, "/part/2"))
			bob.wantBroken(tr, base+"/message.eml")
			continue
		}
		for _, path := range []string{base, base + "/text", base + "/print"} {
			bob.wantFault(tr, path)
		}
		bob.wantBroken(tr, base+"/part/1")
		bob.wantBroken(tr, base+"/message.eml")
		bob.get("/").want(t, d.name, "healthy")
	}
	page := bob.wantStatus(http.StatusOK, bob.get("/m/"+ids["healthy"].String())).want(t, "healthy", "A few words.")
	file := bob.wantStatus(http.StatusOK, bob.get(page.href(t, "/part/2")))
	if file.body != strings.Repeat("octets of the file, ", 15000) {
		t.Errorf("the file of the healthy message has %d octets that differ", len(file.body))
	}
}

// newest is the item of the newest message to an address.
func (tr *trial) newest(t testing.TB, address string) store.RcptKey {
	t.Helper()
	key, err := store.ParseRcptKey(tr.itemTo(address))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

var reference = regexp.MustCompile(`\b[A-Z2-7]{4}-[A-Z2-7]{4}\b`)

// wantFault wants a page that says that something is wrong on our side, with a reference that the log explains.
func (p *person) wantFault(tr *trial, path string) {
	p.t.Helper()
	page := p.wantStatus(http.StatusInternalServerError, p.get(path)).want(p.t, "Something went wrong on our side").without(p.t, "A few words")
	ref := reference.FindString(page.body)
	if ref == "" {
		p.t.Fatalf("%s names no reference:\n%s", path, page.body)
	}
	tr.wantLogged(ref)
}

// wantLogged wants an error in the log under a reference.
func (tr *trial) wantLogged(ref string) {
	tr.t.Helper()
	waitUntil(tr.t, "the log says what reference "+ref+" is about", func() bool {
		return tr.logged(`"ref":"`+ref+`"`, `"level":"ERROR"`, `"error":`) > 0
	})
}

// wantBroken wants a download that says so or breaks off, so that nobody takes what came for the file, and its cause in
// the log.
func (p *person) wantBroken(tr *trial, path string) {
	p.t.Helper()
	before := tr.faults()
	res, err := p.http.Do(p.request(http.MethodGet, path, nil))
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	n, err := io.Copy(io.Discard, res.Body)
	if err == nil && res.StatusCode < 500 {
		p.t.Errorf("%s ended with status %d after %d octets as if it were whole", path, res.StatusCode, n)
	}
	waitUntil(p.t, "the log tells of the damaged download "+path, func() bool { return tr.faults() > before })
}

// faults counts the requests that failed for a cause that the log names with a reference.
func (tr *trial) faults() int { return tr.logged(`"level":"ERROR"`, `"ref":"`, `"error":`) }

// TestI7DamagedRelayCopyEndsWithReport: a copy that waited in the queue and was damaged there is not sent, not even in
// part; its sender gets a report that asks to send it again, and the log says what is wrong. Others pass.
func TestI7DamagedRelayCopyEndsWithReport(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, "")
	tr.retry = "300ms"
	hop := tr.behind()
	tr.start()
	ids := map[string]store.MessageID{}
	for i, d := range damages {
		to := fmt.Sprintf("damaged%d@ext.example", i)
		tr.send(t, "alice@example.org", []string{to}, damageMail(to, d.name, d.large))
		ids[d.name] = tr.newest(t, to).Message
	}
	tr.send(t, "alice@example.org", []string{"healthy@ext.example"}, damageMail("healthy@ext.example", "healthy", true))
	if err := tr.stop(); err != nil {
		t.Fatal(err)
	}
	for _, d := range damages {
		d.do(t, tr.storedAt(ids[d.name]))
	}
	hop.shut.Store(false)
	tr.start()
	if m := tr.await("healthy@ext.example", "Subject: healthy"); !bytes.HasSuffix(m.Raw, damageMail("healthy@ext.example", "healthy", true)) {
		t.Error("the healthy message did not arrive as it was sent")
	}
	for i, d := range damages {
		report := tr.await("alice@example.org", "message/delivery-status", fmt.Sprintf("damaged%d@ext.example", i))
		if !strings.Contains(report.View().Text, "Please send it") || !bytes.Contains(report.Raw, []byte("Status: 5.3.0")) {
			t.Errorf("%s: the report does not ask to send the message again:\n%s", d.name, report.Raw)
		}
		tr.wantAttemptError(ids[d.name])
	}
	tr.waitForEmptyQueue(t)
	if n := len(tr.capture.Mails()); n != len(damages)+1 {
		t.Errorf("%d mails arrived, want %d reports and the healthy one", n, len(damages))
	}
}

// wantAttemptError wants the log to tell of a delivery that ended for a fault of ours.
func (tr *trial) wantAttemptError(id store.MessageID) {
	tr.t.Helper()
	waitUntil(tr.t, "the log says why message "+id.String()+" was not sent", func() bool {
		return tr.attempted(id, `"level":"ERROR"`, `"error":`)
	})
}

// attempted reports whether the log tells of a delivery of the message with every part.
func (tr *trial) attempted(id store.MessageID, parts ...string) bool {
	return tr.logged(append(parts, `"event":"attempt"`, id.String())...) > 0
}

// logged counts the lines of the log that hold every part.
func (tr *trial) logged(parts ...string) (n int) {
	for line := range strings.Lines(tr.log.String()) {
		if !slices.ContainsFunc(parts, func(p string) bool { return !strings.Contains(line, p) }) {
			n++
		}
	}
	return n
}

// TestI7MissingFolderIsNoProof: bodies that cannot be reached because their whole folder is away, as a volume is that
// was not mounted, are not lost. Deliveries wait, pages say that something is wrong, and all goes on afterwards.
func TestI7MissingFolderIsNoProof(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, "")
	tr.retry = "300ms"
	hop := tr.behind()
	hop.shut.Store(false)
	tr.start()
	tr.send(t, "alice@example.org", []string{"bob@ext.example"}, damageMail("bob@ext.example", "[secure] letter", true))
	bob := tr.person()
	page := bob.register(tr.link(tr.notes("bob@ext.example", 1)[0])).want(t, "letter")
	hop.shut.Store(true)
	tr.send(t, "alice@example.org", []string{"dave@ext.example"}, damageMail("dave@ext.example", "waits", true))
	id := tr.newest(t, "dave@ext.example").Message
	waitUntil(t, "the mail is put off", func() bool { return tr.attempted(id, `"result":"deferred"`) })

	blobs := filepath.Join(tr.dir, "data", "blobs")
	if err := os.Rename(blobs, blobs+".away"); err != nil {
		t.Fatal(err)
	}
	hop.shut.Store(false)
	waitUntil(t, "an attempt fails for the missing folder", func() bool { return tr.attempted(id, `"level":"ERROR"`) })
	if got := bob.get(page.url); got.status < 500 {
		t.Errorf("the message page answers %d without its body", got.status)
	}
	if err := os.Rename(blobs+".away", blobs); err != nil {
		t.Fatal(err)
	}
	tr.await("dave@ext.example", "Subject: waits")
	bob.wantStatus(http.StatusOK, bob.get(page.url)).want(t, "letter", "A few words.")
	for _, m := range tr.capture.Mails() {
		if bytes.Contains(m.Raw, []byte("message/delivery-status")) {
			t.Errorf("a message was reported as lost:\n%s", m.Raw)
		}
	}
}
