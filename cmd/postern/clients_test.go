package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"html"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/cmd/internal/demo"
)

// shape is a mail as one kind of program writes it: testdata/mail/NAME.eml, whose line ends become CRLF, and in which
// @TAG@ stands where a sender writes the tag.
type shape struct {
	name    string
	tagged  string // for @TAG@; empty: "[secure] "
	plain   string // for @TAG@ in unflagged mail
	subject string // as the page shows it
	head    []string
	text    []string // in the plain text
	html    []string // in the HTML view; none: the mail has no HTML
	images  []string // SHA-256 of the images that the HTML view shows, in order
	files   []attached
	notes   []string // what the page says about the kind of mail
}

// attached is an entry of the list of attachments. What it holds was worked out by another MIME reader.
type attached struct {
	name, kind, sum string
}

const bobsAddress = "bob@ext.example"

// shapes are the mails of TestClients and of the exactness tests.
func shapes() []shape {
	return []shape{
		{name: "outlook-word", subject: "Care plan – first draft", head: []string{"Example, Alice", "alice@example.org"},
			text:   []string{"the plan’s first draft is attached. It costs € 1,250.00 – for now.", "• carers twice a day"},
			html:   []string{"the plan’s <b>first draft</b>", "<table", "Carers", `alt="County logo"`},
			images: []string{"bd28598e019bea08cdf1a929affc05f8adec76df05c7a0392864ee7b3a6046c5"},
			files: []attached{
				{"Care plan (draft).docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document", "f37842b612f0938dcfdc016e2d8050d09d3fd5466c055fb0d32d3eb179542098"},
				{"Kostenübersicht 2026.xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "8b7cd1ba818da4a2d9b09decf783cdb52d5dd92b6154a16312c9d8116ce9ee2a"},
			}},
		{name: "outlook-tnef", subject: "Minutes of Monday", text: []string{"The minutes are in the attachment."}, notes: []string{"winmail.dat"},
			files: []attached{{"winmail.dat", "application/octet-stream", "78b96540a491d48814526a352946373f5767d6025ca72f6f5ea57872d0b0d5fe"}}},
		{name: "apple-rich", subject: "Photo of the ramp", text: []string{"Here is the ramp’s photo:", "It is 1½ metres wide."},
			html: []string{"<b>ramp’s</b>", "1½ metres"}, images: []string{"18adcf77435ae59e1ad0c51539f9e31061525a6d4df9f9ca5b00aa86d7ad1f2e"}},
		{name: "apple-mixed", subject: "Two papers", text: []string{"The first paper is above this line.", "And this is the end.", "Sent from my iPad"},
			files: []attached{{"Bescheid für Bob.pdf", "application/pdf", "83a700b638cfe233c03bf66a284083b872efe7ba4ec7a0e5071a45b9ef9669f0"}}},
		{name: "gmail", subject: "Re: Invoice", head: []string{"Carol, at home", "carol@ext.example", "Dave Example"},
			text: []string{"Yes – please pay the lower line.", "https://www.example.org/pay?case=7&lang=en", "> Is the amount right?"},
			html: []string{"Yes – please pay the", `href="https://www.example.org/pay?case=7&amp;lang=en"`, "<blockquote", "Is the amount right?"},
			files: []attached{
				{"amounts.csv", "text/csv", "65a270eec926b5491bc3a4f5d5173687c22613e8307ec9739756c292d55a01c6"},
				{"receipt.jpg", "image/jpeg", "bf57ecdd4e0a9823e88a678d90e39ea6b06a636df7deedd516d4d563f5a7810a"},
			}},
		{name: "thunderbird", subject: "Flowing text", head: []string{"Alice Exämple"},
			text: []string{
				"Dieser Absatz ist länger als eine Zeile und wurde deshalb beim Senden weich umbrochen, er gehört aber zusammen.",
				"> Ein Zitat, das ebenfalls länger ist als eine Zeile und weich umbrochen wurde.", "\n>keine Zitatzeile", "\n-- \nAlice",
			},
			files: []attached{
				{"alice.vcf", "text/vcard", "dae3c11242388883468cb932dbd49ffd8f0a5ff53e3b0aebf0c670df8a485bb2"},
				{"Übersicht der sehr langen Liste aller Anlagen zum Bescheid vom zweiten März – Teil 1.odt", "application/vnd.oasis.opendocument.text", "217f30e3e83c15c2f22dfeb2ff67a60df58b7b11deaf9a1e139f4109736a2896"},
			}},
		{name: "scanner", subject: "Scanned from MFP-3050", text: []string{"Device Name: MFP-3050"},
			files: []attached{{"doc20260302140000.pdf", "application/pdf", sumOf(scannedPDF())}}},
		{name: "phone", subject: "🎂 Party at Bob’s place",
			tagged: "=?utf-8?B?W3NlYw==?=\r\n =?utf-8?B?dXJlXSDwnw==?=\r\n =?utf-8?B?joIgUGFydHkg?=\r\n =?utf-8?B?YXQgQm9i4oCZcyBwbGFjZQ==?=",
			plain:  "=?utf-8?B?8J8=?=\r\n =?utf-8?B?joIgUGFydHkg?=\r\n =?utf-8?B?YXQgQm9i4oCZcyBwbGFjZQ==?=",
			text:   []string{"Happy birthday 🎂👩‍👩‍👧 and all the best – Łódź, Ωμέγα, שלום"},
			files:  []attached{{"🎂.HEIC", "image/heic", "8b3512a51ea3f6e49d1a98f5e933e3720d4994e89df09a6fca41e4df23dd6af2"}}},
		{name: "iso-2022-jp", subject: "予算の件", head: []string{"山田アリス"}, text: []string{"ボブ様", "予算の資料をお送りします。"},
			files: []attached{{"予算.pdf", "application/pdf", "b88f4ac0723b31921b6d3a0d560ec67fa6fb29d4e19053f7bb3659b24715d385"}}},
		{name: "windows-1252", subject: "Café’s price is € 3,50", text: []string{"The café’s price is € 3,50 – “fair”."}, html: []string{"The café’s price is € 3,50 – “fair”."}},
		{name: "calendar", subject: "Case conference", text: []string{"We talk about the plan."}, html: []string{"<i>plan</i>"},
			notes: []string{"Case conference", "County Hall, room 4", "10 July 2026", "10:00", "11:30", "Alice Example"},
			files: []attached{{"", "text/calendar", "c42707eacea6c7283c42a7925a76a411d2769aeb8d8a97dce5df92fb962efa2b"}}},
		{name: "smime-signed", subject: "Signed words", text: []string{"The signed words of Alice."},
			files: []attached{{"signed.pdf", "application/pdf", "d2e416a721e7ad1b5a17e4dfc32ca561ba3fc4b73bb799052e069be56fe76ce6"}}},
		{name: "smime-encrypted", subject: "Sealed twice", notes: []string{"S/MIME", "encrypted this message once more"},
			files: []attached{{"smime.p7m", "application/pkcs7-mime", "589aa558acf799b5da9a2f8932015da9f74e4461363437a1df52706760ad4b71"}}},
		{name: "pgp-mime", subject: "...", notes: []string{"PGP", "encrypted this message once more"},
			files: []attached{{"encrypted.asc", "", "d57d5be7689ee8113f17c31b3b3fe8bd4116c3dbabe64906b4fc48177c56e945"}}},
		{name: "bcc", subject: "For Carol, and quietly for Bob", head: []string{"carol@ext.example", "blind copy"}, text: []string{"Carol shall not know who else reads this."}},
		{name: "mailing-list", subject: "[Carers] New rota", head: []string{"Carers", "carers@lists.example.org"}, text: []string{"The new rota begins in April.", "Carers mailing list"}},
		{name: "empty-body", subject: "Nothing inside", notes: []string{"This message has no text."}},
		{name: "header-only", subject: "Only a header", notes: []string{"This message has no text."}},
		{name: "undeclared-8bit", subject: "Grüße", head: []string{"Alice Exämple"}, text: []string{"Schöne Grüße aus Köln, ohne jede Angabe."}},
		{name: "forward", subject: "Fwd: Bericht", text: []string{"See the attached mail, which came yesterday."},
			files: []attached{{"Bericht.eml", "", sumOf(between(eml("forward"), "Content-Transfer-Encoding: 7bit\r\n\r\nFrom: Carol", "\r\n--outer--", "From: Carol"))}}},
	}
}

// flagged is the mail with the tag, raw without.
func (s shape) flagged() []byte {
	if s.tagged != "" {
		return s.fill(s.tagged)
	}
	return s.fill("[secure] ")
}

func (s shape) raw() []byte { return s.fill(s.plain) }

func (s shape) fill(tag string) []byte {
	raw := bytes.ReplaceAll(eml(s.name), []byte("@TAG@"), []byte(tag))
	// The scanner writes a file of 2 MiB as one line.
	return bytes.Replace(raw, []byte("@PDF@"), []byte(base64.StdEncoding.EncodeToString(scannedPDF())), 1)
}

func eml(name string) []byte {
	raw, err := os.ReadFile(filepath.Join("testdata", "mail", name+".eml"))
	if err != nil {
		panic(err)
	}
	return bytes.ReplaceAll(raw, []byte("\n"), []byte("\r\n"))
}

// between is what stands behind the first mark and before the next end mark; keep is the part of the first mark that
// belongs to it.
func between(raw []byte, mark, end, keep string) []byte {
	at := bytes.Index(raw, []byte(mark))
	rest := raw[at+len(mark)-len(keep):]
	return rest[:bytes.Index(rest, []byte(end))]
}

func scannedPDF() []byte {
	const size = 2 << 20
	data := make([]byte, 0, size)
	data = append(data, "%PDF-1.4\n"...)
	for n := uint32(1); len(data) < size; {
		n = n*1664525 + 1013904223
		data = append(data, byte(n>>24))
	}
	return data
}

func sumOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// TestClients sends mails as real programs write them, flagged, and reads each on the site: what the page shows, every
// attachment octet by octet, whole and in ranges, and the message as it was sent.
func TestClients(t *testing.T) {
	t.Parallel()
	tr := startTrial(t, "")
	byID := map[string]shape{}
	for _, s := range shapes() {
		to := []string{bobsAddress}
		if s.name == "bcc" {
			to = []string{"carol@ext.example", bobsAddress}
		}
		c := tr.talk(t)
		byID[queuedAs(t, c.mail("alice@example.org", to, s.flagged()))] = s
		c.quit()
	}
	tr.await("carol@ext.example", "X-Postern-Origin: v1 notification")
	bob := tr.person()
	for i, note := range tr.awaitAll(len(byID), bobsAddress, "X-Postern-Origin: v1 notification") {
		if i == 0 {
			bob.register(tr.link(note))
		}
		// Each notification's link leads to its message; which one it is, tells the address of the page.
		got := bob.wantStatus(http.StatusOK, bob.post(tr.link(note)))
		id := got.url[strings.LastIndex(got.url, "/")+1:]
		message, _, _ := strings.Cut(id, ".")
		s, ok := byID[message]
		if !ok {
			t.Fatalf("the link led to %s, which is none of the messages", got.url)
		}
		t.Run(s.name, func(t *testing.T) { s.check(t, &person{t: t, http: bob.http, site: bob.site}, "/m/"+id) })
	}
}

// check reads a shape's message at the address base.
func (s shape) check(t *testing.T, p *person, base string) {
	page := p.wantStatus(http.StatusOK, p.get(base))
	s.checkHead(t, page)
	s.checkText(t, p, base)
	s.checkHTML(t, p, page, base)
	s.checkFiles(t, p, page)
	raw := p.wantStatus(http.StatusOK, p.get(base+"/message.eml"))
	if want := s.stored(); raw.body != string(want) {
		t.Errorf("message.eml has %d octets that differ from the %d sent, first at %d", len(raw.body), len(want), firstDifference(raw.body, string(want)))
	}
	if d := raw.header.Get("Content-Disposition"); !strings.HasPrefix(d, "attachment; ") || !strings.HasSuffix(d, ".eml") {
		t.Errorf("message.eml has Content-Disposition %q", d)
	}
	checkRanges(t, p, base+"/message.eml", raw.body)
}

// stored is what the site keeps: the mail as sent but for its Bcc fields.
func (s shape) stored() []byte {
	raw := s.flagged()
	for _, field := range []string{"BCC: bob@ext.example,\r\n\terin@ext.example\r\n", "bcc : Frank <frank@ext.example>\r\n", "Resent-Bcc: grace@ext.example\r\n"} {
		raw = bytes.Replace(raw, []byte(field), nil, 1)
	}
	return raw
}

func (s shape) checkHead(t *testing.T, page page) {
	t.Helper()
	shown := visible(page.body)
	head := visible(between([]byte(page.body), `<div class="msg-head">`, "</dl>", ""))
	for _, want := range append([]string{s.subject}, s.head...) {
		if !strings.Contains(head, want) {
			t.Errorf("the head of the page lacks %q:\n%s", want, head)
		}
	}
	for _, want := range s.notes {
		if !strings.Contains(shown, want) {
			t.Errorf("the page lacks %q:\n%s", want, shown)
		}
	}
	for _, never := range []string{"[secure]", "erin@", "frank@", "grace@", "tracker.invalid"} {
		if strings.Contains(page.body, never) {
			t.Errorf("the page holds %q", never)
		}
	}
}

func (s shape) checkText(t *testing.T, p *person, base string) {
	t.Helper()
	page := p.wantStatus(http.StatusOK, p.get(base+"/text"))
	text := visible(between([]byte(page.body), `<div class="plain" dir="auto">`, "</div>", ""))
	for _, want := range s.text {
		if !strings.Contains(text, want) {
			t.Errorf("the text lacks %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "\uFFFD") {
		t.Errorf("the text has characters that were not understood:\n%s", text)
	}
}

var (
	dataImages = regexp.MustCompile(`src="data:image/(?:png|jpeg|gif);base64,([A-Za-z0-9+/=]*)"`)
	remote     = regexp.MustCompile(`(?i)(src|background|poster|srcset|action|formaction)\s*=\s*["']?\s*(https?:|//|cid:)|url\(\s*["']?(https?:|//)|<script|<iframe|<form|<link|\son[a-z]+\s*=|@import`)
)

// checkHTML reads the document of the frame: sandboxed, with its images inside, and nothing of elsewhere.
func (s shape) checkHTML(t *testing.T, p *person, page page, base string) {
	t.Helper()
	if len(s.html) == 0 {
		page.without(t, "<iframe")
		if got := p.get(base + "/html"); got.status != http.StatusNotFound {
			t.Errorf("the HTML of a mail without HTML answers %d", got.status)
		}
		return
	}
	page.want(t, `<iframe class="`, `src="`+base+`/html"`, `sandbox="`).without(t, "allow-scripts", "allow-same-origin")
	doc := p.wantStatus(http.StatusOK, p.get(base+"/html"))
	policy := doc.header.Get("Content-Security-Policy")
	if !strings.HasPrefix(policy, "sandbox") || !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "allow-scripts") || strings.Contains(policy, "allow-same-origin") {
		t.Errorf("the policy of the HTML is %q", policy)
	}
	body := html.UnescapeString(doc.body)
	for _, want := range s.html {
		if !strings.Contains(doc.body, want) && !strings.Contains(body, want) {
			t.Errorf("the HTML lacks %q:\n%s", want, doc.body)
		}
	}
	if found := remote.FindAllString(doc.body, -1); found != nil || strings.Contains(doc.body, "tracker.invalid") {
		t.Errorf("the HTML can fetch or run something: %q\n%s", found, doc.body)
	}
	var images []string
	for _, m := range dataImages.FindAllStringSubmatch(doc.body, -1) {
		data, err := base64.StdEncoding.DecodeString(html.UnescapeString(m[1]))
		if err != nil {
			t.Errorf("an image in the HTML: %v", err)
		}
		images = append(images, sumOf(data))
	}
	if fmt.Sprint(images) != fmt.Sprint(s.images) {
		t.Errorf("the HTML shows the images %q, want %q", images, s.images)
	}
}

var fileEntries = regexp.MustCompile(`(?s)<li class="file">.*?<bdi>(.*?)</bdi>.*?href="([^"]*)"`)

// checkFiles compares the list of attachments, and downloads each.
func (s shape) checkFiles(t *testing.T, p *person, page page) {
	t.Helper()
	entries := fileEntries.FindAllStringSubmatch(page.body, -1)
	if len(entries) != len(s.files) {
		t.Fatalf("the page lists %d attachments, want %d: %q", len(entries), len(s.files), entries)
	}
	for i, want := range s.files {
		name := html.UnescapeString(entries[i][1])
		if want.name != "" && name != want.name {
			t.Errorf("attachment %d is called %q, want %q", i+1, name, want.name)
		}
		link := html.UnescapeString(entries[i][2])
		got := p.wantStatus(http.StatusOK, p.get(link))
		if sumOf([]byte(got.body)) != want.sum {
			t.Errorf("%s: the %d octets of the download are not those of the file", name, len(got.body))
		}
		if kind := got.header.Get("Content-Type"); want.kind != "" && kind != want.kind {
			t.Errorf("%s is of type %q, want %q", name, kind, want.kind)
		}
		s.checkFileHeader(t, got, name)
		checkRanges(t, p, link, got.body)
	}
}

func (s shape) checkFileHeader(t *testing.T, got page, name string) {
	t.Helper()
	if d := got.header.Get("Content-Disposition"); !strings.HasPrefix(d, "attachment; ") || !strings.Contains(d, "filename*=UTF-8''"+percent(name)) {
		t.Errorf("%s has Content-Disposition %q", name, d)
	}
	if policy := got.header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "sandbox") || got.header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%s is served with policy %q and X-Content-Type-Options %q", name, policy, got.header.Get("X-Content-Type-Options"))
	}
	if n := got.header.Get("Content-Length"); n != fmt.Sprint(len(got.body)) {
		t.Errorf("%s says that it has %s octets of %d", name, n, len(got.body))
	}
}

// percent is RFC 8187's spelling of a name.
func percent(name string) string {
	var b strings.Builder
	for _, c := range []byte(name) {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("!#$&+-.^_`|~", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// checkRanges asks for pieces of a file, as a browser does that goes on with a broken download.
func checkRanges(t *testing.T, p *person, link, whole string) {
	t.Helper()
	n := len(whole)
	if n < 2 {
		return
	}
	for _, r := range [][2]int{{0, 0}, {0, n - 1}, {n / 3, n/3 + n/4}, {n / 2, n - 1}, {n - 1, n - 1}} {
		req := p.request(http.MethodGet, link, nil)
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", r[0], r[1]))
		got := p.wantStatus(http.StatusPartialContent, p.do(req))
		if got.body != whole[r[0]:r[1]+1] {
			t.Errorf("%s: octets %d to %d are not those of the file", link, r[0], r[1])
		}
		if c := got.header.Get("Content-Range"); c != fmt.Sprintf("bytes %d-%d/%d", r[0], r[1], n) {
			t.Errorf("%s: Content-Range %q", link, c)
		}
	}
	req := p.request(http.MethodGet, link, nil)
	req.Header.Set("Range", "bytes=-2")
	if got := p.wantStatus(http.StatusPartialContent, p.do(req)); got.body != whole[n-2:] {
		t.Errorf("%s: the last two octets are not those of the file", link)
	}
	req = p.request(http.MethodGet, link, nil)
	req.Header.Set("Range", fmt.Sprintf("bytes=%d-", n))
	p.wantStatus(http.StatusRequestedRangeNotSatisfiable, p.do(req))
}

var markup = regexp.MustCompile(`<[^>]*>`)

// visible is the text of markup.
func visible[T string | []byte](page T) string {
	return html.UnescapeString(markup.ReplaceAllString(string(page), ""))
}

func firstDifference(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// awaitAll returns the first n mails to an address whose raw text holds every part.
func (tr *trial) awaitAll(n int, to string, parts ...string) (all []demo.Mail) {
	tr.t.Helper()
	ctx, cancel := context.WithTimeout(tr.t.Context(), 60*time.Second)
	defer cancel()
	_, err := tr.capture.Await(ctx, func(m demo.Mail) bool {
		if slices.ContainsFunc(all, func(have demo.Mail) bool { return have.N == m.N }) || len(m.To) != 1 || m.To[0] != to {
			return false
		}
		for _, p := range parts {
			if !bytes.Contains(m.Raw, []byte(p)) {
				return false
			}
		}
		all = append(all, m)
		return len(all) == n
	})
	if err != nil {
		tr.t.Fatalf("%d mails to %s with %q arrived, want %d: %v", len(all), to, parts, n, err)
	}
	return all
}
