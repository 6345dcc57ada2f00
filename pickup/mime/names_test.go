package mime

import (
	"mime"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"postern/store/mail"
)

func TestSafeName(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, typ, want string }{
		{"report.pdf", "application/pdf", "report.pdf"},
		{"Grüße & Pläne (1).docx", "", "Grüße & Pläne (1).docx"},
		{"/etc/passwd", "", "passwd"},
		{`C:\Users\x\..\evil.exe`, "", "evil.exe"},
		{"../../.ssh/authorized_keys", "", "authorized_keys"},
		{"..", "application/pdf", "attachment-2.pdf"},
		{"a/", "application/pdf", "attachment-2.pdf"},
		{".htaccess", "", "htaccess"},
		{"...  .profile", "", "profile"},
		{"name.txt. . .", "", "name.txt"},
		{"a\x00b\r\nc\td.txt", "", "ab c d.txt"},
		{"photo\u202egpj.exe", "", "photogpj.exe"},
		{"zero\u200bwidth\ufeff.pdf", "", "zerowidth.pdf"},
		{`a<b>c:d"e|f?g*h.txt`, "", "a_b_c_d_e_f_g_h.txt"},
		{"con", "", "_con"}, {"NUL.txt", "", "_NUL.txt"}, {"com1", "", "_com1"}, {"LPT9.tar.gz", "", "_LPT9.tar.gz"}, {"COM²", "", "_COM²"},
		{"comet.txt", "", "comet.txt"}, {"lpt.txt", "", "lpt.txt"},
		{"", "application/pdf", "attachment-2.pdf"},
		{"\u202e", "image/jpeg", "attachment-2.jpg"},
		{"", "message/rfc822", "attachment-2.eml"},
		{"", "text/html", "attachment-2.html"},
		{"", "application/x-unknown", "attachment-2.bin"},
		{"invoice.pdf          .exe", "", "invoice.pdf .exe"},
		{"e\u0301.txt", "", "é.txt"},
		{"\xff\xfe.txt", "", "txt"},
		{strings.Repeat("n", 300) + ".pdf", "", strings.Repeat("n", 146) + ".pdf"},
		{strings.Repeat("日", 100) + ".xlsx", "", strings.Repeat("日", 48) + ".xlsx"},
		{"a." + strings.Repeat("x", 300), "", "a." + strings.Repeat("x", 148)},
	} {
		if got := SafeName(mail.Part{Path: "2", Name: tc.name, Type: tc.typ}); got != tc.want {
			t.Errorf("%q: %q, want %q", tc.name, got, tc.want)
		}
	}
	if got := SafeName(mail.Part{Path: "2.1", Type: "image/png"}); got != "attachment-2-1.png" {
		t.Errorf("a part inside another is called %q", got)
	}
	if got := SafeName(mail.Part{}); got != "attachment-1.bin" {
		t.Errorf("a part of nothing is called %q", got)
	}
}

func TestSafeType(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ typ, name, want string }{
		{"application/pdf", "", "application/pdf"}, {"image/png", "", "image/png"}, {"text/plain", "", "text/plain"},
		{"application/octet-stream", "a.PDF", "application/pdf"}, {"", "photo.jpeg", "image/jpeg"}, {"application/octet-stream", "a.html", octetStream},
		{"application/octet-stream", "a", octetStream}, {"application/octet-stream", "a.svg", octetStream},
		{"text/html", "a.pdf", octetStream}, {"image/svg+xml", "a.png", octetStream}, {"application/xhtml+xml", "", octetStream},
		{"text/xml", "", octetStream}, {"application/xml", "", octetStream}, {"application/javascript", "", octetStream}, {"text/javascript", "", octetStream},
		{"application/x-shockwave-flash", "", octetStream}, {"message/rfc822", "", octetStream}, {"multipart/related", "", octetStream},
		{"text/css", "", octetStream}, {"application/pdf; x=y", "", octetStream}, {"application/pdf\r\nX: y", "", octetStream},
	} {
		got := SafeType(mail.Part{Path: "1", Type: tc.typ, Name: tc.name})
		if got != tc.want {
			t.Errorf("%q %q: %q, want %q", tc.typ, tc.name, got, tc.want)
		}
		if _, _, err := mime.ParseMediaType(got); err != nil {
			t.Errorf("%q is no media type: %v", got, err)
		}
	}
}

func FuzzSafeName(f *testing.F) {
	for _, s := range []string{"a.pdf", "../x", "\u202ea", "con.txt", strings.Repeat("é", 100), ". . .", "a\\b/c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		got := SafeName(mail.Part{Path: "3", Name: name, Type: "image/gif"})
		switch {
		case got == "" || len(got) > maxFileName || !utf8.ValidString(got):
		case strings.HasPrefix(got, ".") || strings.HasSuffix(got, ".") || strings.TrimSpace(got) != got:
		case strings.ContainsAny(got, `/\<>:"|?*`) || strings.ContainsFunc(got, func(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Cf) }):
		case isDevice(got):
		case got != SafeName(mail.Part{Path: "3", Name: got, Type: "image/gif"}):
		default:
			return
		}
		t.Errorf("%q became %q", name, got)
	})
}
