package main

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	random "math/rand/v2"
	"net/textproto"
	"regexp"
	"strings"
	"testing"

	"github.com/emersion/go-msgauth/dkim"
)

// talk is an SMTP client that says exactly what it is told.
type talk struct {
	t    testing.TB
	conn *textproto.Conn
}

func (tr *trial) talk(t testing.TB) *talk {
	t.Helper()
	conn, err := textproto.Dial("tcp", tr.smtp)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	c := &talk{t: t, conn: conn}
	c.expect(220)
	c.say(250, "EHLO mail.example.org")
	return c
}

// reply reads a reply, whatever it is.
func (c *talk) reply() (code int, text string) {
	c.t.Helper()
	code, text, err := c.conn.ReadResponse(0)
	if code == 0 {
		c.t.Fatalf("no reply: %v", err)
	}
	return code, text
}

func (c *talk) expect(want int) string {
	c.t.Helper()
	code, text := c.reply()
	if code != want {
		c.t.Fatalf("the gateway answered %d %s, want %d", code, text, want)
	}
	return text
}

// say sends a line and returns the text of the reply that is expected.
func (c *talk) say(want int, line string) string {
	c.t.Helper()
	c.put([]byte(line + "\r\n"))
	return c.expect(want)
}

func (c *talk) put(octets []byte) {
	c.t.Helper()
	c.conn.W.Write(octets)
	if err := c.conn.W.Flush(); err != nil {
		c.t.Fatal(err)
	}
}

// envelope begins a message. from and to may carry parameters behind the address.
func (c *talk) envelope(from string, to []string) {
	c.t.Helper()
	c.say(250, "MAIL FROM:"+path(from))
	for _, r := range to {
		c.say(250, "RCPT TO:"+path(r))
	}
}

// path puts an address into angle brackets; parameters follow it after a blank.
func path(s string) string {
	address, params, _ := strings.Cut(s, " ")
	return strings.TrimSpace("<" + address + "> " + params)
}

// mail sends a message by DATA and returns the text of the 250.
func (c *talk) mail(from string, to []string, raw []byte) string {
	c.t.Helper()
	c.envelope(from, to)
	return c.data(250, raw)
}

func (c *talk) data(want int, raw []byte) string {
	c.t.Helper()
	c.say(354, "DATA")
	stuffed := bytes.ReplaceAll(raw, []byte("\r\n."), []byte("\r\n.."))
	if bytes.HasPrefix(raw, []byte(".")) {
		stuffed = append([]byte("."), stuffed...)
	}
	c.put(append(stuffed, ".\r\n"...))
	return c.expect(want)
}

// chunks sends a message by BDAT, in pieces of so many octets.
func (c *talk) chunks(raw []byte, size int) string {
	c.t.Helper()
	for len(raw) > size {
		c.put(append(fmt.Appendf(nil, "BDAT %d\r\n", size), raw[:size]...))
		c.expect(250)
		raw = raw[size:]
	}
	c.put(append(fmt.Appendf(nil, "BDAT %d LAST\r\n", len(raw)), raw...))
	return c.expect(250)
}

func (c *talk) quit() {
	c.t.Helper()
	c.say(221, "QUIT")
	c.conn.Close()
}

// queuedAs is the id in the reply to a message.
func queuedAs(t testing.TB, text string) string {
	t.Helper()
	_, id, ok := strings.Cut(text, "queued as ")
	if !ok {
		t.Fatalf("no id in the reply %q", text)
	}
	return id
}

// received is the one field that the gateway puts before a message that passes through (MAIL 2.3).
var received = regexp.MustCompile(`^Received: from mail\.example\.org \([^\r\n]*\[127\.0\.0\.1\]\)\r\n\tby gateway\.example\.org \(Postern\) with (?:ESMTP|UTF8SMTP) id [0-9a-z]{26}(?:\r\n\tfor <[^<>\r\n]*>)?;\r\n\t[^\r\n]*\r\n`)

// checkExact holds a delivered message to what was sent: one Received, and then every octet.
func checkExact(t *testing.T, what string, got, sent []byte) {
	t.Helper()
	head := received.Find(got)
	if head == nil {
		t.Errorf("%s begins without Received:\n%.300q", what, got)
		return
	}
	if rest := got[len(head):]; !bytes.Equal(rest, sent) {
		at := firstDifference(string(rest), string(sent))
		t.Errorf("%s: %d octets arrived, %d were sent; they differ from %d on: %.60q instead of %.60q", what, len(rest), len(sent), at, rest[at:], sent[at:])
	}
}

// wireShape is a message that is hard to hand on unchanged.
type wireShape struct {
	name string
	from string // with parameters of MAIL
	body []byte
}

func wireShapes() []wireShape {
	head := func(more string) string {
		return "From: alice@example.org\r\nTo: bob@ext.example\r\nSubject: Exact\r\n" + more + "\r\n"
	}
	long := strings.Repeat("0123456789", 10_000)
	eightBit := "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"
	return []wireShape{
		{name: "long lines", body: []byte(head("X-Long: "+long+"\r\n") + long + "\r\n" + strings.Repeat(".", 100_000) + "\r\nend\r\n")},
		{name: "dots", body: []byte(head("") + ".\r\n..\r\n...\r\n.a\r\n. \r\n\r\n.\r\n\r\n.\t.\r\n.\r\n")},
		{name: "a dot begins the header", body: []byte(".odd\r\n" + head("") + ".\r\n")},
		{name: "empty lines at the end", body: []byte(head("") + "a\r\n\r\n\r\n\r\n")},
		{name: "blanks", body: []byte(head("X-Blanks:  \t \r\n\t \r\nX-Empty:\r\nx-LOWER : a\r\n") + " \r\n\t\r\na \r\nb\t\r\n")},
		{name: "no header", body: []byte("\r\nOnly a body.\r\n")},
		{name: "no fields", body: []byte("This is no field\r\nneither is this\r\n\r\nbody\r\n")},
		{name: "eight bits", from: "alice@example.org BODY=8BITMIME", body: []byte(head(eightBit) + "Grüße 🎂 \x80\xfe\xff\r\n")},
		{name: "controls", body: []byte(head("") + "\x01\x02\x07\x08\x0b\x0c\x1a\x1b\x7f\r\n\x1a\r\n")},
		{name: "mime without end", body: []byte(head("MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n") + "--x\r\n\r\nnever closed\r\n--x\r\nContent-Type: text/plain\r\n")},
		{name: "random", from: "alice@example.org BODY=8BITMIME", body: append([]byte(head("")), randomLines(300_000)...)},
	}
}

// randomLines are lines of what goes wrong most easily.
func randomLines(size int) []byte {
	rnd := random.New(random.NewPCG(6, 12))
	words := []string{".", ".", "..", "\r\n", "\r\n", "\r\n.", "\r\n..\r\n", " ", "\t", "=", "--", "From ", "a", "\xff", "\xc3\xa9", "\x00"[:0], "0123456789abcdef"}
	var b bytes.Buffer
	for b.Len() < size {
		b.WriteString(words[rnd.IntN(len(words))])
	}
	b.WriteString("\r\n")
	return b.Bytes()
}

// TestI6MailThatPassesThroughIsExact compares what the mail server gets with what was sent, octet by octet, for mails of
// real programs and for lines that are easily broken, by DATA and by BDAT in pieces of many sizes.
func TestI6MailThatPassesThroughIsExact(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, "")
	behind := tr.server("8BITMIME", "SMTPUTF8", "DSN", "SIZE 52428800")
	tr.start()
	c := tr.talk(t)
	var checks []func()
	try := func(s wireShape, size int) {
		from := s.from
		if from == "" {
			from = "alice@example.org"
		}
		to := fmt.Sprintf("%s.%d@ext.example", strings.ReplaceAll(s.name, " ", "-"), size)
		c.envelope(from, []string{to})
		if size == 0 {
			c.data(250, s.body)
		} else {
			c.chunks(s.body, size)
		}
		checks = append(checks, func() {
			got := behind.await(t, to)
			checkExact(t, fmt.Sprintf("%s, chunks of %d", s.name, size), got.raw, s.body)
			if bytes.ContainsFunc(s.body, func(r rune) bool { return r >= 0x80 }) && !strings.Contains(got.mail, "BODY=8BITMIME") {
				t.Errorf("%s goes on as MAIL FROM:%s", s.name, got.mail)
			}
		})
	}
	for _, s := range shapes() {
		try(wireShape{name: s.name, body: s.raw()}, 0)
		try(wireShape{name: s.name, body: s.raw()}, 4095)
	}
	for _, s := range wireShapes() {
		for _, size := range []int{0, 4095, 65536} {
			try(s, size)
		}
		if len(s.body) < 1000 { // a chunk for each octet of a long message shows nothing more
			try(s, 1)
			try(s, 7)
		}
	}
	for _, check := range checks {
		check()
	}
}

// TestI6AddressesBeyondASCII: SMTPUTF8 mail goes on as such, with the addresses as they came, and a sealed one notifies.
func TestI6AddressesBeyondASCII(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, "")
	behind := tr.server("8BITMIME", "SMTPUTF8")
	tr.start()
	raw := []byte("From: Jörg <jörg@example.org>\r\nTo: Žofie <žofie@éxämple.example>\r\nSubject: Grüße\r\nMessage-ID: <utf8.1@example.org>\r\n\r\nHällo.\r\n")
	c := tr.talk(t)
	c.mail("jörg@example.org SMTPUTF8 BODY=8BITMIME", []string{"žofie@éxämple.example"}, raw)
	got := behind.await(t, "žofie@éxämple.example")
	checkExact(t, "SMTPUTF8", got.raw, raw)
	if !strings.Contains(got.mail, "<jörg@example.org>") || !strings.Contains(got.mail, "SMTPUTF8") {
		t.Errorf("it goes on as MAIL FROM:%s", got.mail)
	}
	sealed := bytes.Replace(raw, []byte("Subject: "), []byte("Subject: [secure] "), 1)
	c.mail("jörg@example.org SMTPUTF8 BODY=8BITMIME", []string{"žofie@éxämple.example"}, sealed)
	note := behind.await(t, "žofie@éxämple.example", "X-Postern-Origin: v1 notification")
	if !strings.Contains(note.mail, "SMTPUTF8") {
		t.Errorf("the notification to an address beyond ASCII goes as MAIL FROM:%s", note.mail)
	}
	person := tr.person()
	message := person.register(tr.link(note.captured())).want(t, "Grüße", "žofie@éxämple.example")
	if got := person.get(message.href(t, `message\.eml$`)); got.body != string(sealed) {
		t.Errorf("message.eml differs from what was sent from octet %d on", firstDifference(got.body, string(sealed)))
	}
}

// TestI6FlaggedMailToColleaguesIsExact: an internal recipient of a flagged mail gets it in clear with its tag (MAIL 3.2).
// A mail that is also sealed for somebody loses its Bcc fields, one that is not keeps them (MAIL 6.12).
func TestI6FlaggedMailToColleaguesIsExact(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, "")
	behind := tr.server("8BITMIME")
	tr.start()
	c := tr.talk(t)
	for _, s := range shapes() {
		c.mail("alice@example.org", []string{"only." + s.name + "@example.org"}, s.flagged())
		c.mail("alice@example.org", []string{"both." + s.name + "@example.org", s.name + "@ext.example"}, s.flagged())
	}
	for _, s := range shapes() {
		checkExact(t, s.name+" to a colleague", behind.await(t, "only."+s.name+"@example.org").raw, s.flagged())
		checkExact(t, s.name+" to a colleague and somebody outside", behind.await(t, "both."+s.name+"@example.org").raw, s.stored())
		behind.await(t, s.name+"@ext.example")
	}
	for _, d := range behind.all() {
		if strings.HasSuffix(d.to()[0], "@ext.example") && !holds(d.raw, []string{"X-Postern-Origin: v1 notification"}) {
			t.Errorf("a flagged mail left in clear to %s", d.rcpts)
		}
	}
}

// TestI6DKIMSignaturesHold: what the mail server signed before Postern verifies behind it, of mail that passes through
// and of the .eml that a recipient saves from the site (MAIL 3.5, 6.10).
func TestI6DKIMSignaturesHold(t *testing.T) {
	t.Parallel()
	signer := newDKIMSigner(t)
	tr := newTrial(t, "")
	behind := tr.server("8BITMIME")
	tr.start()
	c := tr.talk(t)
	var signed []shape
	for _, s := range shapes() {
		if s.name == "header-only" {
			continue // DKIM has no rule for a message without an empty line
		}
		signed = append(signed, s)
		c.mail("alice@example.org", []string{"plain." + s.name + "@ext.example"}, signer.sign(t, s.raw()))
		c.mail("alice@example.org", []string{"sealed." + s.name + "@ext.example"}, signer.sign(t, s.flagged()))
	}
	var notes []delivery
	for _, s := range signed {
		signer.verify(t, s.name+", passed through", behind.await(t, "plain."+s.name+"@ext.example").raw)
		notes = append(notes, behind.await(t, "sealed."+s.name+"@ext.example"))
	}
	for i, s := range signed[:3] { // a registration takes seconds; what is stored does not depend on the reader
		p := tr.person()
		page := p.register(tr.link(notes[i].captured()))
		signer.verify(t, s.name+", saved from the site", []byte(p.get(page.href(t, `message\.eml$`)).body))
	}
}

type dkimSigner struct {
	keys    map[string]crypto.Signer // by selector
	records map[string][]string
}

func newDKIMSigner(t *testing.T) dkimSigner {
	t.Helper()
	long, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&long.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	shortPublic, short, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return dkimSigner{
		keys: map[string]crypto.Signer{"rsa": long, "ed": short},
		records: map[string][]string{
			"rsa._domainkey.example.org": {"v=DKIM1; k=rsa; p=" + base64.StdEncoding.EncodeToString(public)},
			"ed._domainkey.example.org":  {"v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(shortPublic)},
		},
	}
}

// sign signs strictly and leniently, with all fields that mail servers sign, and those that are missing as well.
func (d dkimSigner) sign(t *testing.T, raw []byte) []byte {
	t.Helper()
	for selector, c := range map[string]dkim.Canonicalization{"rsa": dkim.CanonicalizationSimple, "ed": dkim.CanonicalizationRelaxed} {
		var b bytes.Buffer
		err := dkim.Sign(&b, bytes.NewReader(raw), &dkim.SignOptions{
			Domain: "example.org", Selector: selector, Signer: d.keys[selector], HeaderCanonicalization: c, BodyCanonicalization: c,
			HeaderKeys: []string{"From", "From", "To", "Cc", "Subject", "Subject", "Date", "Message-ID", "Reply-To", "MIME-Version", "Content-Type"},
		})
		if err != nil {
			t.Fatal(err)
		}
		raw = b.Bytes()
	}
	return raw
}

func (d dkimSigner) verify(t *testing.T, what string, raw []byte) {
	t.Helper()
	found, err := dkim.VerifyWithOptions(bytes.NewReader(raw), &dkim.VerifyOptions{
		LookupTXT: func(name string) ([]string, error) { return d.records[name], nil },
	})
	if err != nil {
		t.Errorf("%s: %v", what, err)
	}
	good := 0
	for _, v := range found {
		if v.Domain != "example.org" {
			continue // a list's, which the sample only pretends
		}
		if v.Err != nil {
			t.Errorf("%s: %v", what, v.Err)
			continue
		}
		good++
	}
	if good != len(d.keys) {
		t.Errorf("%s: %d signatures verify, want %d", what, good, len(d.keys))
	}
}
