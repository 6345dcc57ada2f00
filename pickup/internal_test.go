package pickup

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"postern/pickup/account"
	"postern/pickup/message"
	"postern/store"
)

func TestFailureOfEveryError(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		err    error
		status int
		kind   string
	}{
		{&account.BusyError{RetryAfter: 3 * time.Second}, 503, "busy"},
		{&http.MaxBytesError{Limit: 1}, 413, "large"},
		{errMissing, 404, "missing"}, {errInvalid, 400, "invalid"}, {errConsole, 403, "console"}, {errRefused, 403, "forbidden"},
		{store.ErrFull, 503, "full"}, {store.ErrUncertain, 503, "later"}, {store.ErrConflict, 503, "later"}, {store.ErrClosed, 503, "later"},
		{context.DeadlineExceeded, 503, "later"}, {context.Canceled, 503, "later"},
		{store.Reply(451, [3]int{4, 3, 0}, "later"), 503, "later"}, {store.Reply(550, [3]int{5, 7, 1}, "never"), 500, "fault"},
		{message.ErrDamaged, 500, "fault"}, {store.ErrCorrupt, 500, "fault"}, {errors.New("anything"), 500, "fault"},
	} {
		for _, err := range []error{test.err, fmt.Errorf("wrapped: %w", test.err)} {
			if got := failureOf(err); got.Status != test.status || got.Kind != test.kind {
				t.Errorf("%v is %d %s, want %d %s", err, got.Status, got.Kind, test.status, test.kind)
			}
		}
	}
}

func TestLocalTargets(t *testing.T) {
	t.Parallel()
	for to, want := range map[string]string{
		"/": "/", "/sent": "/sent", "/sent/abc": "/sent/abc", "/m/abc.1": "/m/abc.1", "/m/../sent": "/sent", "/help": "/help",
		"/m/a?x=1": "/m/a", "": "", "sent": "", "//evil.example": "", "/\\evil.example": "", "https://evil.example": "", "/p/abc": "", "/w/abc": "",
		"/static/x": "", "/sentinel": "", "/m/a\nb": "", "/%2f%2fevil.example": "", "/m/\xff": "", "/" + strings.Repeat("m/", 400): "",
	} {
		if got := localTarget(to); got != want {
			t.Errorf("target %q is %q, want %q", to, got, want)
		}
	}
	if got := localLink("/p/abc"); got != "/p/abc" {
		t.Errorf("link %q", got)
	}
}

func FuzzLocalTarget(f *testing.F) {
	for _, seed := range []string{"/", "//x", "/m/../../x", "/%2f", "/\\", "http:x"} {
		f.Add(seed)
	}
	base, err := url.Parse("https://secure-mail.example.org/sign-in")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, to string) {
		target := localLink(to)
		if target == "" {
			return
		}
		u, err := base.Parse(target)
		if err != nil || u.Host != base.Host || u.Scheme != base.Scheme || strings.ContainsAny(target, "\r\n\\") {
			t.Errorf("%q leads to %v (%v)", to, u, err)
		}
	})
}

func FuzzDisposition(f *testing.F) {
	for _, seed := range []string{"a.pdf", "Übersicht – 1.pdf", `a"; b="c`, "", "\r\nX: y", "100%"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		got := disposition(name)
		if strings.ContainsAny(got, "\r\n") {
			t.Fatalf("%q breaks the header: %q", name, got)
		}
		kind, params, err := mime.ParseMediaType(got)
		if err != nil || kind != "attachment" || params["filename"] != name {
			t.Errorf("%q reads back as %s %q (%v)", name, kind, params["filename"], err)
		}
	})
}

func FuzzUpload(f *testing.F) {
	f.Add("--x\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\nhello\r\n--x\r\nContent-Disposition: form-data; name=\"add\"; filename=\"a\"\r\n\r\nx\r\n--x--\r\n")
	f.Add("--x\r\nContent-Disposition: form-data; name=\"add\"\r\n\r\n--x--")
	limits := Limits{Files: 2, Bytes: 64, Text: 64}
	f.Fuzz(func(t *testing.T, body string) {
		r := httptest.NewRequest("POST", "/", strings.NewReader(body))
		r.Header.Set("Content-Type", "multipart/form-data; boundary=x")
		u, err := newUpload(r, limits)
		if err != nil {
			return
		}
		if int64(len(u.text)) > limits.Text {
			t.Fatalf("text of %d octets", len(u.text))
		}
		var total int64
		for files := 1; ; files++ {
			file, err := u.next()
			if err != nil {
				break
			}
			buf := make([]byte, 16)
			for {
				n, err := file.Body.Read(buf)
				total += int64(n)
				if err != nil {
					break
				}
			}
			if files > limits.Files || total > limits.Bytes {
				t.Fatalf("%d files, %d octets", files, total)
			}
		}
	})
}

func TestFrameHeightFollowsTheText(t *testing.T) {
	t.Parallel()
	for lines, want := range map[int]string{1: "short", 12: "short", 13: "medium", 25: "long", 100: "tall"} {
		if got := height(strings.TrimSuffix(strings.Repeat("x\n", lines), "\n")); got != want {
			t.Errorf("%d lines: %s, want %s", lines, got, want)
		}
	}
	if got := height(strings.Repeat("long line ", 400)); got != "tall" {
		t.Errorf("one long line: %s", got)
	}
}

func TestKindsOfFiles(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ mediaType, ext, kind string }{
		{"application/pdf", ".pdf", "pdf"}, {"application/octet-stream", ".docx", "word"}, {"image/png", ".png", "picture"}, {"text/plain", ".txt", "text"},
		{"message/rfc822", "", "mail"}, {"application/octet-stream", ".bin", ""}, {"audio/ogg", ".ogg", "sound"}, {"video/mp4", ".mp4", "film"},
	} {
		if kind, icon := kindOf(test.mediaType, test.ext); kind != test.kind || icon == "" {
			t.Errorf("%s %s is %q with icon %q", test.mediaType, test.ext, kind, icon)
		}
	}
}
