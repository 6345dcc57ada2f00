package mime

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"postern/store"
	"postern/store/mail"
	"postern/store/seal"
)

// sealed stores a message as the gateway does and opens it again.
func sealed(t testing.TB, raw string) (*seal.Body, []mail.Part) {
	t.Helper()
	raw = strings.ReplaceAll(strings.ReplaceAll(raw, "\r\n", "\n"), "\n", "\r\n")
	var stored bytes.Buffer
	id := store.NewMessageID(time.Unix(1, 0))
	w, err := seal.NewWriter(&stored, id)
	if err != nil {
		t.Fatal(err)
	}
	x := mail.NewIndexer()
	if _, err := io.WriteString(io.MultiWriter(w, x), raw); err != nil {
		t.Fatal(err)
	}
	x.Close()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := seal.Open(bytes.NewReader(stored.Bytes()), int64(stored.Len()), id, w.FileKey())
	if err != nil {
		t.Fatal(err)
	}
	return b, x.Parts()
}

// multi writes a multipart body; each part begins with its own header fields.
func multi(subtype string, parts ...string) string {
	boundary := fmt.Sprintf("b-%x", sha256.Sum256([]byte(strings.Join(parts, "|"))))[:20]
	var b strings.Builder
	b.WriteString("Content-Type: multipart/" + subtype + "; boundary=\"" + boundary + "\"\n\n")
	for _, p := range parts {
		b.WriteString("--" + boundary + "\n" + p + "\n")
	}
	b.WriteString("--" + boundary + "--\n")
	return b.String()
}

func part(typ, content string) string {
	return "Content-Type: " + typ + "\n\n" + content
}

func file(typ, name, content string) string {
	return "Content-Type: " + typ + "\nContent-Disposition: attachment; filename=\"" + name + "\"\n\n" + content
}

func image(id string) string {
	return "Content-Type: image/png\nContent-ID: <" + id + ">\nContent-Transfer-Encoding: base64\nContent-Disposition: inline; filename=\"i.png\"\n\n" + pngPixel
}

const dataPixel = "data:image/png;base64," + pngPixel

func TestTheBodyIsChosenAsMailProgramsDo(t *testing.T) {
	t.Parallel()
	plain, html := part("text/plain", "plain words"), part("text/html", "<p>html words</p>")
	for _, tc := range []struct {
		name, raw, text, html string
		files                 string // names or types of attachments
	}{
		{"plain only", "Subject: x\n" + plain, "plain words", "", ""},
		{"html only", "Subject: x\n" + html, "html words", "<p>html words</p>", ""},
		{"no content type", "Subject: x\n\njust text\n", "just text", "", ""},
		{"alternative", multi("alternative", plain, html), "plain words", "<p>html words</p>", ""},
		{"alternative, order reversed", multi("alternative", html, plain), "plain words", "<p>html words</p>", ""},
		{"alternative with related", multi("alternative", plain, multi("related", part("text/html", "<img src=cid:a>x"), image("a"))), "plain words", `<img src="` + dataPixel + `">x`, ""},
		{"related with alternative", multi("related", multi("alternative", plain, part("text/html", "<img src='cid:A%40b'>x")), image("a@B")), "plain words", `<img src="` + dataPixel + `">x`, ""},
		{"mixed with file", multi("mixed", multi("alternative", plain, html), file("application/pdf", "a.pdf", "%PDF")), "plain words", "<p>html words</p>", "a.pdf"},
		{"text file attached", multi("mixed", plain, file("text/plain", "a.txt", "file")), "plain words", "", "a.txt"},
		{"text file inline with a name", multi("mixed", plain, "Content-Type: text/plain; name=a.txt\nContent-Disposition: inline; filename=a.txt\n\nfile"), "plain words", "", "a.txt"},
		{"html file attached", multi("mixed", plain, file("text/html", "a.html", "<b>file</b>")), "plain words", "", "a.html"},
		{"several texts", multi("mixed", part("text/plain", "one"), file("image/png", "i.png", "x"), part("text/plain", "two")), "one\n\ntwo", "", "i.png"},
		{"list footer", multi("mixed", multi("alternative", plain, html), part("text/plain", "footer <b>")), "plain words\n\nfooter <b>", `<p>html words</p><div style="white-space:pre-wrap">footer &lt;b&gt;</div>`, ""},
		{"signed", multi("signed", multi("mixed", plain, file("application/pdf", "a.pdf", "x")), file("application/pkcs7-signature", "smime.p7s", "x")), "plain words", "", "a.pdf"},
		{"forwarded message", multi("mixed", plain, "Content-Type: message/rfc822\n\nSubject: inner\nContent-Type: text/plain\n\ninner words"), "plain words", "", "message/rfc822"},
		{"report", multi("report", plain, part("message/delivery-status", "Action: failed"), part("message/rfc822", "Subject: x\n\ny")), "plain words", "", "message/delivery-status message/rfc822"},
		{"calendar in alternative", multi("alternative", plain, html, part("text/calendar", "BEGIN:VCALENDAR")), "plain words", "<p>html words</p>", "text/calendar"},
		{"amp", multi("alternative", plain, part("text/x-amp-html", "<html amp>"), html), "plain words", "<p>html words</p>", ""},
		{"only a file", "Content-Type: application/pdf; name=a.pdf\n\n%PDF", "", "", "a.pdf"},
		{"image beside text, with an id", multi("mixed", plain, image("x")), "plain words", "", "i.png"},
		{"related image without html", multi("related", plain, image("x")), "plain words", "", "i.png"},
		{"empty", "Subject: x\n\n", "", "", ""},
		{"empty html beside file", multi("mixed", part("text/html", ""), file("application/pdf", "a.pdf", "x")), "", "", "a.pdf"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b, parts := sealed(t, tc.raw)
			text, err := Text(b, parts)
			if err != nil || text != tc.text {
				t.Errorf("text %q, %v; want %q", text, err, tc.text)
			}
			page, found, err := HTML(b, parts)
			if err != nil || strings.TrimSpace(page) != tc.html || found != strings.Contains(tc.raw, "text/html") && tc.name != "html file attached" && found {
				t.Errorf("html %q, %v, %v; want %q", page, found, err, tc.html)
			}
			var files []string
			for _, p := range Attachments(parts) {
				files = append(files, firstOf(p.Name, p.Type))
			}
			if got := strings.Join(files, " "); got != tc.files {
				t.Errorf("attachments %q, want %q", got, tc.files)
			}
		})
	}
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func TestHTMLIsFoundOnlyWhereThereIsSome(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]bool{
		part("text/plain", "x"): false, part("text/html", "x"): true, multi("mixed", part("text/plain", "x"), file("text/html", "a.html", "y")): false,
		multi("alternative", part("text/plain", "x"), part("text/html", "")): true,
	} {
		b, parts := sealed(t, raw)
		if _, found, err := HTML(b, parts); found != want || HasHTML(parts) != want || err != nil {
			t.Errorf("%q: found %v, expected by the index %v, %v", raw, found, HasHTML(parts), err)
		}
	}
}

func TestCharsets(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, raw, want string }{
		{"utf-8", part("text/plain; charset=utf-8", "Grüße"), "Grüße"},
		{"latin-1", part("text/plain; charset=ISO-8859-1", "Gr\xfc\xdfe \x80"), "Grüße €"},
		{"undeclared utf-8", part("text/plain", "Grüße"), "Grüße"},
		{"undeclared latin-1", part("text/plain", "Gr\xfc\xdfe"), "Grüße"},
		{"shift-jis by another name", part("text/plain; charset=cp932", "\x93\xfa\x96\x7b"), "日本"},
		{"iso-2022-jp", part("text/plain; charset=iso-2022-jp", "\x1b$BF|K\\\x1b(B"), "日本"},
		{"utf-7", part("text/plain; charset=utf-7", "+AOQ-"), "ä"},
		{"unknown", part("text/plain; charset=x-none", "\xe4"), "ä"},
		{"html by its meta element", part("text/html", "<meta charset=\"windows-1251\"><p>\xcf\xf0\xe8\xe2\xe5\xf2"), "Привет"},
		{"html by the older meta element", part("text/html", "<META http-equiv=Content-Type content='text/html; charset=koi8-r'><p>\xf0\xd2\xc9\xd7\xc5\xd4"), "Привет"},
		{"html whose part says otherwise", part("text/html; charset=utf-8", "<meta charset=\"windows-1251\"><p>Привет"), "Привет"},
		{"html that calls itself utf-16", part("text/html", "<meta charset=utf-16><p>Grüße"), "Grüße"},
		{"quoted-printable", "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\nGr=C3=BC=C3=\n=9Fe", "Grüße"},
		{"control characters", part("text/plain; charset=utf-8", "a\x00b\x1b[31mc\u0085d\te"), "ab[31mcd\te"},
	} {
		b, parts := sealed(t, tc.raw)
		if text, err := Text(b, parts); err != nil || text != tc.want {
			t.Errorf("%s: %q, %v; want %q", tc.name, text, err, tc.want)
		}
	}
}

func TestFormatFlowed(t *testing.T) {
	t.Parallel()
	flowed := "Hello, \nthis is one \nparagraph.\n\n> quoted \n> on\n>> deeper\n From\n-- \nname \ngoes on\n"
	want := "Hello, this is one paragraph.\n\n> quoted on\n>> deeper\nFrom\n-- \nname goes on"
	b, parts := sealed(t, "Subject: x\n"+part("text/plain; charset=us-ascii; format=flowed", flowed))
	if text, err := Text(b, parts); err != nil || text != want {
		t.Errorf("%q, %v\nwant %q", text, err, want)
	}
	b, parts = sealed(t, multi("mixed", part("text/plain; format=Flowed; delsp=yes", "日 \n本\n"), part("text/plain", "not \nflowed")))
	if text, err := Text(b, parts); err != nil || text != "日本\n\nnot \nflowed" {
		t.Errorf("%q, %v", text, err)
	}
}

func TestLongBodiesAreCutOrNotShown(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("one line of text\n", MaxText/17+100)
	b, parts := sealed(t, part("text/plain", long))
	text, err := Text(b, parts)
	if err != nil || len(text) > MaxText || len(text) < MaxText*9/10 || !strings.HasSuffix(text, "line of text") || !TextCut(parts) {
		t.Errorf("%d octets, cut %v, %v", len(text), TextCut(parts), err)
	}
	b, parts = sealed(t, part("text/html", "<p>"+strings.Repeat("<b>word</b>\n", MaxHTML/12+100)))
	page, found, err := HTML(b, parts)
	if page != "" || found || err != nil || !HTMLTooLong(parts) {
		t.Errorf("%d octets, found %v, too long %v, %v", len(page), found, HTMLTooLong(parts), err)
	}
	if text, err := Text(b, parts); err != nil || !strings.HasPrefix(text, "word") {
		t.Errorf("the text of a long HTML part: %.20q, %v", text, err)
	}
	b, parts = sealed(t, part("text/plain", "short"))
	if _, err := Text(b, parts); err != nil || TextCut(parts) || HTMLTooLong(parts) {
		t.Errorf("a short text counts as long, %v", err)
	}
}

func TestInlineImagesThatAreTooManyAreAttachments(t *testing.T) {
	t.Parallel()
	big := "\x89PNG\r\n\x1a\n" + strings.Repeat("x", MaxImages*2/3)
	encoded := wrapBase64([]byte(big), 76)
	pic := func(id string) string {
		return "Content-Type: image/png; name=" + id + ".png\nContent-ID: <" + id + ">\nContent-Transfer-Encoding: base64\n\n" + encoded
	}
	b, parts := sealed(t, multi("related", part("text/html", "<img src=cid:one alt=ONE><img src=cid:two alt=TWO>"), pic("one"), pic("two")))
	if got := len(Attachments(parts)); got != 2 {
		t.Errorf("%d attachments", got)
	}
	page, _, err := HTML(b, parts)
	if err != nil || strings.Count(page, "data:image/png") != 1 || !strings.HasSuffix(page, "TWO") {
		t.Errorf("%d octets of page, %v", len(page), err)
	}
	_, parts = sealed(t, multi("related", part("text/html", "<img src=cid:one>"), pic("one")))
	if got := len(Attachments(parts)); got != 0 {
		t.Errorf("%d attachments for one image inside the page", got)
	}
}

func TestImagesOfTheMessageAreSniffed(t *testing.T) {
	t.Parallel()
	svg := "Content-Type: image/png\nContent-ID: <s>\n\n<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"
	b, parts := sealed(t, multi("related", part("text/html", "<p><img src=cid:s alt=drawing><img src=cid:none alt=nothing></p>"), svg))
	page, _, err := HTML(b, parts)
	if err != nil || page != "<p>drawingnothing</p>" {
		t.Errorf("%q, %v", page, err)
	}
}

// failing is a body whose storage is broken.
type failing struct{ *bytes.Reader }

var errDisk = errors.New("disk on fire")

func (failing) ReadAt([]byte, int64) (int, error) { return 0, errDisk }

func TestErrorsOfTheStorageAreReturned(t *testing.T) {
	t.Parallel()
	raw := []byte(strings.ReplaceAll(multi("related", part("text/html", "<img src=cid:a>"), image("a"), part("text/calendar", "BEGIN:VEVENT")), "\n", "\r\n"))
	x := mail.NewIndexer()
	_, _ = x.Write(raw)
	x.Close()
	b := failing{bytes.NewReader(raw)}
	if _, err := Text(b, x.Parts()); !errors.Is(err, errDisk) {
		t.Errorf("Text: %v", err)
	}
	if _, _, err := HTML(b, x.Parts()); !errors.Is(err, errDisk) {
		t.Errorf("HTML: %v", err)
	}
	if _, _, err := Calendar(b, x.Parts()); !errors.Is(err, errDisk) {
		t.Errorf("Calendar: %v", err)
	}
	im := newImages(b, x.Parts())
	if uri := im.find("cid:a"); uri != "" || !errors.Is(im.err, errDisk) {
		t.Errorf("image: %q, %v", uri, im.err)
	}
}
