package pickup_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"postern/pickup"
	"postern/store"
	"postern/store/mail"
)

func mustFind(expression string) *regexp.Regexp { return regexp.MustCompile(expression) }

func aliased(c *pickup.Config) { c.Aliases = []string{"old-mail.example.org"} }

// opened plants a message for an account, opens it and returns its address.
func (w *world) opened(v *visitor, to store.Address, l letter) string {
	w.t.Helper()
	secret, key := w.plant(to, l)
	if a := v.post(linkOf(secret)); a.status != http.StatusSeeOther {
		w.t.Fatalf("open: %d %s", a.status, a.body)
	}
	return "/m/" + key.String()
}

func TestUnopenedMessageShowsOnlyItsButton(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, _, _ := w.account(joan)
	w.confirm(joan)
	_, key := w.plant(joan, letter{subject: "Sealed subject", text: "Sealed text"})
	path := "/m/" + key.String()
	for _, rest := range []string{"", "/text", "/print", "/message.eml", "/part/1", "/reply", "/html"} {
		if a := v.get(path + rest); strings.Contains(a.body, "Sealed subject") || strings.Contains(a.body, "Sealed text") {
			t.Errorf("%s shows an unopened message", rest)
		}
	}
	if a := v.get(path); !strings.Contains(a.body, `action="`+path+`/open"`) {
		t.Error("no button")
	}
	if a := v.get("/"); !strings.Contains(a.body, "Sealed subject") || !strings.Contains(a.body, "Unread") {
		t.Error("the inbox does not list it as unread")
	}
	if a := v.post(path + "/open"); a.to() != path {
		t.Fatalf("open: %d to %q", a.status, a.to())
	}
	if a := v.get(path); !strings.Contains(a.body, "Sealed text") {
		t.Errorf("afterwards: %d", a.status)
	}
}

func TestMessageShowsSubjectWithoutTagAndEscapesAll(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, _, _ := w.account(joan)
	path := w.opened(v, joan, letter{from: mail.Mailbox{Name: `<b>Eve</b>`, Address: maria.Address}, subject: `[secure] <script>alert(1)</script>`,
		text: "<img src=x onerror=alert(1)> see https://example.org/?a=b&c=\"><script>."})
	a := v.get(path)
	for _, banned := range []string{"<script>alert", "<img src=x", "<b>Eve", "[secure]"} {
		if strings.Contains(a.body, banned) {
			t.Errorf("the page holds %q", banned)
		}
	}
	if !strings.Contains(a.body, `href="https://example.org/?a=b&amp;c="`) || !strings.Contains(a.body, `rel="noopener noreferrer"`) {
		t.Error("the address in the text is no link")
	}
}

func TestHTMLIsCleanSandboxedAndFetchesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, _, _ := w.account(joan)
	path := w.opened(v, joan, letter{subject: "x", text: "Text view", html: `<style>h1{color:red}</style><h1 onclick="x()">Hi</h1>` +
		`<script>alert(1)</script><img src="https://track.example/x.gif"><form action="https://evil.example"><input name=a></form><a href="javascript:x()">a</a>`})
	a := v.get(path + "/html")
	for _, banned := range []string{"<script", "onclick", "track.example", "<form", "<input", "javascript:"} {
		if strings.Contains(a.body, banned) {
			t.Errorf("the document holds %q", banned)
		}
	}
	if !strings.Contains(a.body, "Hi</h1>") || !strings.Contains(a.header.Get("Content-Security-Policy"), "sandbox") ||
		strings.Contains(a.header.Get("Content-Security-Policy"), "allow-scripts") || strings.Contains(a.header.Get("Content-Security-Policy"), "allow-same-origin") {
		t.Errorf("document: %v\n%s", a.header, a.body)
	}
	page := v.get(path)
	if !strings.Contains(page.body, `<iframe class="short" src="`+path+`/html"`) || !strings.Contains(page.body, "sandbox=") {
		t.Error("the page has no sandboxed frame")
	}
	if text := v.get(path + "/text"); !strings.Contains(text.body, "Text view") || strings.Contains(text.body, "<iframe") {
		t.Error("the text view")
	}
	if printed := v.get(path + "/print"); !strings.Contains(printed.body, "@scope (.authored) {h1") || !strings.Contains(printed.body, "Hi</h1>") {
		t.Error("the print page does not keep the author's style to the message")
	}
}

func TestAttachmentsAreSavedSafely(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, _, _ := w.account(joan)
	content := bytes.Repeat([]byte("0123456789abcdef"), 20_000)
	path := w.opened(v, joan, letter{subject: "x", text: "x", files: []mail.Attachment{
		{Name: "Bericht – Übersicht.pdf", Type: "application/pdf", Body: bytes.NewReader(content)},
		{Name: `..\..\evil"; x="y.html`, Type: "text/html", Body: strings.NewReader("<script>alert(1)</script>")},
	}})
	a := v.get(path + "/part/2")
	if a.body != string(content) || a.header.Get("Content-Type") != "application/pdf" {
		t.Errorf("attachment: %d octets of %s", len(a.body), a.header.Get("Content-Type"))
	}
	if got, want := a.header.Get("Content-Disposition"), `attachment; filename="Bericht _ _bersicht.pdf"; filename*=UTF-8''Bericht%20%E2%80%93%20%C3%9Cbersicht.pdf`; got != want {
		t.Errorf("disposition %q, want %q", got, want)
	}
	html := v.get(path + "/part/3")
	if strings.HasPrefix(html.header.Get("Content-Type"), "text/html") || !strings.HasPrefix(html.header.Get("Content-Disposition"), "attachment;") ||
		strings.Contains(html.header.Get("Content-Disposition"), "..") || !strings.HasPrefix(html.header.Get("Content-Security-Policy"), "sandbox") {
		t.Errorf("HTML attachment: %v", html.header)
	}
	for _, part := range []string{"0", "99", "1.1.1", "../2", "2%00"} {
		if a := v.get(path + "/part/" + part); a.status == http.StatusOK {
			t.Errorf("part %s: %d", part, a.status)
		}
	}
}

func TestDownloadsGoOnWhereTheyStopped(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, _, _ := w.account(joan)
	content := make([]byte, 300_000)
	for i := range content {
		content[i] = byte(i * 7)
	}
	path := w.opened(v, joan, letter{subject: "x", text: "x", files: []mail.Attachment{{Name: "a.bin", Type: "application/octet-stream", Body: bytes.NewReader(content)}}})
	whole := v.get(path + "/part/2")
	if whole.header.Get("Accept-Ranges") != "bytes" || whole.header.Get("ETag") == "" {
		t.Fatalf("download: %v", whole.header)
	}
	for _, test := range []struct {
		spec       string
		status     int
		begin, end int
	}{{"bytes=100000-", 206, 100_000, 300_000}, {"bytes=0-0", 206, 0, 1}, {"bytes=-5", 206, 299_995, 300_000}, {"bytes=400000-", 416, 0, 0}, {"bytes=x", 416, 0, 0}} {
		r := v.request("GET", path+"/part/2", nil)
		r.Header.Set("Range", test.spec)
		r.Header.Set("If-Range", whole.header.Get("ETag"))
		a := v.do(r)
		if a.status != test.status || test.status == 206 && a.body != string(content[test.begin:test.end]) {
			t.Errorf("%s: %d, %d octets", test.spec, a.status, len(a.body))
		}
	}
}

func TestEmlIsTheMessageAsSent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, _, _ := w.account(joan)
	raw := []byte("From: maria.lindqvist@example.org\r\nTo: joan.hartley@mail.example\r\nSubject: [secure] Plan 7/8\r\nX-Odd:   kept  as it is\r\n\r\nBody with a tab\t.\r\n")
	path := w.opened(v, joan, letter{raw: raw})
	a := v.get(path + "/message.eml")
	if a.body != string(raw) || a.header.Get("Content-Type") != "message/rfc822" || !strings.Contains(a.header.Get("Content-Disposition"), `filename="Plan 7-8.eml"`) {
		t.Errorf("eml: %v\n%q", a.header, a.body)
	}
}

func TestMessagesOfAllShapesAreShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, _, _ := w.account(joan)
	head := "From: maria.lindqvist@example.org\r\nTo: joan.hartley@mail.example\r\n"
	for name, raw := range map[string]string{
		"no body":        head + "Subject: a\r\n\r\n",
		"no subject":     head + "\r\nbody\r\n",
		"no text at all": head + "Subject: a\r\nContent-Type: application/pdf; name=a.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\nJVBERi0=\r\n",
		"broken parts":   head + "Subject: a\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: text/html\r\n\r\n<p>open",
		"PGP":            head + "Subject: a\r\n\r\n-----BEGIN PGP MESSAGE-----\r\n\r\nabc\r\n-----END PGP MESSAGE-----\r\n",
		"winmail":        head + "Subject: a\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\ntext\r\n--x\r\nContent-Type: application/ms-tnef; name=winmail.dat\r\nContent-Transfer-Encoding: base64\r\n\r\neJ8+Ig==\r\n--x--\r\n",
		"many parts":     head + "Subject: a\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n" + manyParts(400) + "--x--\r\n",
	} {
		path := w.opened(v, joan, letter{raw: []byte(raw)})
		for _, rest := range []string{"", "/text", "/print", "/message.eml", "/reply"} {
			if a := v.get(path + rest); a.status != http.StatusOK {
				t.Errorf("%s%s: %d\n%s", name, rest, a.status, w.log)
			}
		}
	}
}

// opaque is a message whose content is wrapped in its S/MIME signature, as Outlook sends it unless told otherwise.
func opaque() letter {
	return letter{raw: []byte("From: maria.lindqvist@example.org\r\nTo: joan.hartley@mail.example\r\nSubject: Signed plan\r\nMIME-Version: 1.0\r\n" +
		"Content-Type: application/pkcs7-mime; smime-type=signed-data; name=smime.p7m\r\nContent-Transfer-Encoding: base64\r\n\r\nMIAGCSqGSIb3DQEHAqCA\r\n")}
}

// TestPageSaysWhatOnlyMailProgramsShow: a message that is encrypted or wrapped once more does not look empty or broken.
func TestPageSaysWhatOnlyMailProgramsShow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, _, _ := w.account(joan)
	const encrypted, signed = "encrypted this message once more", "signed this message in a form that only mail programs show"
	pgp := "From: maria.lindqvist@example.org\r\nSubject: a\r\n\r\n-----BEGIN PGP MESSAGE-----\r\n\r\nabc\r\n-----END PGP MESSAGE-----\r\n"
	for name, tt := range map[string]struct {
		l         letter
		say, hush string
	}{
		"opaque signature": {opaque(), signed, encrypted},
		"nor an empty box": {opaque(), signed, "This message has no text"},
		"PGP":              {letter{raw: []byte(pgp)}, encrypted, signed},
	} {
		page := v.get(w.opened(v, joan, tt.l)).body
		if !strings.Contains(page, tt.say) || strings.Contains(page, tt.hush) || !strings.Contains(page, "/message.eml") {
			t.Errorf("%s:\n%s", name, page)
		}
	}
}

// manyParts are more parts with longer names than a card has room for.
func manyParts(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "--x\r\nContent-Type: application/pdf; name=\"%s-%d.pdf\"\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment\r\n\r\n%s\r\n",
			strings.Repeat("n", 60), i, base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "part %d", i)))
	}
	return b.String()
}

func TestLastOfManyAttachmentsIsFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, _, _ := w.account(joan)
	head := "From: maria.lindqvist@example.org\r\nSubject: a\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n"
	path := w.opened(v, joan, letter{raw: []byte(head + manyParts(400) + "--x--\r\n")})
	if a := v.get(path + "/part/400"); a.status != http.StatusOK || a.body != "part 399" {
		t.Errorf("part 400: %d %q", a.status, a.body)
	}
}

func TestInboxSearchesAndPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, _, _ := w.account(joan)
	w.confirm(joan)
	for i := range 55 {
		w.plant(joan, letter{subject: fmt.Sprintf("Letter number %d", i), text: "x"})
		w.advance(time.Second) // of two in the same moment either is the newer one
	}
	first := v.get("/")
	next := first.find(t, `<a class="back" href="(/\?after=[^"]+)">`)
	second := v.get(strings.ReplaceAll(next, "&amp;", "&"))
	if second.status != http.StatusOK || !strings.Contains(second.body, "Newest messages") || strings.Contains(second.body, "Letter number 54") {
		t.Errorf("second page: %d", second.status)
	}
	found := v.get("/?q=number+54")
	if !strings.Contains(found.body, "Letter number 54") || strings.Contains(found.body, "Letter number 12") || !strings.Contains(found.body, "1 message on this page matches") {
		t.Error("search")
	}
	if none := v.get("/?q=%3Cscript%3E"); !strings.Contains(none.body, "No message matches “&lt;script&gt;”") {
		t.Error("search for nothing")
	}
}

func TestWaitingMessagesAreListedApart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	early, _ := w.plant(joan, letter{subject: "Early", text: "x"})
	v, _, _ := w.account(joan)
	if a := v.get("/"); strings.Contains(a.body, "Waiting for") {
		t.Error("a provisional account sees what waits for others' links")
	}
	w.confirm(joan)
	a := v.get("/")
	if !strings.Contains(a.body, "This message opens through its own notification mail") || !strings.Contains(a.body, "Subject still sealed") || strings.Contains(a.body, "Early") {
		t.Errorf("inbox: %s", a.body)
	}
	v.post(linkOf(early))
	if a := v.get("/"); !strings.Contains(a.body, "Early") || strings.Contains(a.body, "Waiting for") {
		t.Error("the opened message is not in the list")
	}
}
