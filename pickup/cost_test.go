package pickup_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/url"
	"strings"
	"testing"
	"time"

	"postern/cmd/testnet"
	"postern/pickup"
	"postern/pickup/account"
	"postern/pickup/message"
	"postern/pickup/web"
	"postern/store"
)

// Many ranges of one file in one request would each be decoded from the file's beginning: the whole file is the answer
// (RFC 9110 §14.2 allows that), as no browser asks for more than one.
func TestManyRangesGetTheWholeFile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, _, _ := w.account(joan)
	raw := []byte("From: maria.lindqvist@example.org\r\nTo: joan.hartley@mail.example\r\nSubject: x\r\nMIME-Version: 1.0\r\n" +
		"Content-Type: application/pdf; name=a.pdf\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" + strings.Repeat("0123456789=\r\n", 2000))
	path := w.opened(v, joan, letter{raw: raw})
	for _, file := range []string{"/part/1", "/message.eml"} {
		r := v.request("GET", path+file, nil)
		r.Header.Set("Range", "bytes=19999-19999,"+strings.TrimSuffix(strings.Repeat("15000-15000,10-10,", 500), ","))
		a := v.do(r)
		if a.status != http.StatusOK || len(a.body) < 20_000 {
			t.Errorf("%s: %d, %d octets of %s", file, a.status, len(a.body), a.header.Get("Content-Type"))
		}
	}
}

// slowMessages holds every view until the test lets it go, and counts how many are under way.
type slowMessages struct {
	pickup.Messages
	came  chan struct{}
	going chan struct{}
}

func (s *slowMessages) View(ctx context.Context, who account.Signed, k store.RcptKey) (*message.Opened, error) {
	s.came <- struct{}{}
	<-s.going
	return s.Messages.View(ctx, who, k)
}

// A page with an author's HTML holds its pictures in memory. One person asks for a few at one time, whatever the number
// of requests; the others wait, and are answered (I8).
func TestI8FewPagesWithPicturesAtOneTime(t *testing.T) {
	t.Parallel()
	slow := &slowMessages{came: make(chan struct{}, 10), going: make(chan struct{})}
	w := newWorld(t, func(c *pickup.Config) { slow.Messages, c.Messages = c.Messages, slow })
	v, _, _ := w.account(joan)
	path := w.opened(v, joan, letter{subject: "x", text: "x", html: "<p>x</p>"})
	const all, most = 6, 2
	answers := make(chan int)
	for i := range all {
		rest := []string{"/html", "/print"}[i%2]
		go func() {
			resp, err := v.http.Do(v.request("GET", path+rest, nil))
			if err != nil {
				answers <- 0
				return
			}
			resp.Body.Close()
			answers <- resp.StatusCode
		}()
	}
	for range most {
		<-slow.came
	}
	select {
	case <-slow.came:
		t.Errorf("more than %d pages of one person are under way", most)
	case <-time.After(300 * time.Millisecond):
	}
	close(slow.going)
	for range all {
		if status := <-answers; status != http.StatusOK {
			t.Errorf("answered %d", status)
		}
	}
}

// deadlines is an answer whose connection notes that its time limit was moved.
type deadlines struct {
	*httptest.ResponseRecorder
	moved int
}

func (d *deadlines) SetReadDeadline(time.Time) error  { d.moved++; return nil }
func (d *deadlines) SetWriteDeadline(time.Time) error { d.moved++; return nil }

const formHead = "--x\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\nThank you\r\n" +
	"--x\r\nContent-Disposition: form-data; name=\"add\"; filename=\"a.txt\"\r\n\r\n"

// A reply may take long to upload; that is for people who are signed in. A stranger's form is read within the limits of
// any other form: in time, and in memory (I8).
func TestI8StrangersDoNotUpload(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, _, key := w.account(joan)
	ask := func(body string, cookies ...*http.Cookie) *deadlines {
		r := httptest.NewRequest("POST", "/m/"+key.String()+"/reply", strings.NewReader(body))
		r.Header.Set("Content-Type", "multipart/form-data; boundary=x")
		for _, c := range cookies {
			r.AddCookie(c)
		}
		d := &deadlines{ResponseRecorder: httptest.NewRecorder()}
		w.site.Handler().ServeHTTP(d, r)
		return d
	}
	u, err := url.Parse(w.server.URL)
	must(t, err)
	if d := ask(formHead+"file\r\n--x--\r\n", v.http.Jar.Cookies(u)...); d.moved == 0 || d.Code != http.StatusSeeOther {
		t.Errorf("signed in: %d, limits moved %d times", d.Code, d.moved)
	}
	if d := ask(formHead + "file\r\n--x--\r\n"); d.moved != 0 || d.Code != http.StatusForbidden || !strings.Contains(d.Body.String(), "Thank you") {
		t.Errorf("signed out: %d, limits moved %d times", d.Code, d.moved)
	}
}

// One person sends a few replies at one time. More would fill the disk before anybody looks at it: what arrives is
// stored while it arrives.
func TestUploadsOfOnePersonAreFew(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, _, key := w.account(joan)
	const most = 2
	answers := make(chan answer)
	var ends []*io.PipeWriter
	for range most {
		body, end := io.Pipe()
		ends = append(ends, end)
		r := v.request("POST", "/m/"+key.String()+"/reply", body)
		r.Header.Set("Content-Type", "multipart/form-data; boundary=x")
		r.Header.Set("Expect", "100-continue") // the site says so as soon as it reads, and it reads when it has let somebody in
		reads := make(chan struct{})
		r = r.WithContext(httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got100Continue: func() { close(reads) }}))
		go func() { answers <- v.do(r) }()
		_, err := io.WriteString(end, formHead)
		must(t, err)
		<-reads
	}
	a := v.upload("/m/"+key.String()+"/reply", field{"text", "", "One too many"}, field{"add", "b.txt", "b"})
	if a.status != http.StatusServiceUnavailable || !strings.Contains(a.body, "One too many") {
		t.Errorf("another upload at the same time: %d", a.status)
	}
	for _, end := range ends {
		_, err := io.WriteString(end, "\r\n--x--\r\n")
		must(t, err)
		must(t, end.Close())
		if a := <-answers; a.status != http.StatusSeeOther {
			t.Errorf("an upload: %d", a.status)
		}
	}
	if a := v.upload("/m/"+key.String()+"/reply", field{"text", "", "Now"}); a.status != http.StatusSeeOther {
		t.Errorf("afterwards: %d", a.status)
	}
}

// forgetful notes whose cards are forgotten.
type forgetful struct {
	pickup.Messages
	forgotten int
}

func (f *forgetful) Forget(id store.SessionID) { f.forgotten++; f.Messages.Forget(id) }

// What the site keeps in memory of a session's messages goes when the session does (KEYS K5).
func TestK5SignOutForgetsOpenedCards(t *testing.T) {
	t.Parallel()
	f := &forgetful{}
	w := newWorld(t, func(c *pickup.Config) { f.Messages, c.Messages = c.Messages, f })
	v, _, _ := w.account(joan)
	if a := v.post("/sign-out"); a.status != http.StatusSeeOther || f.forgotten != 1 {
		t.Errorf("%d, forgotten %d times", a.status, f.forgotten)
	}
}

// TestCrowdedSiteSaysSo: who comes when all connections are taken gets a page that says what to do.
func TestCrowdedSiteSaysSo(t *testing.T) {
	t.Parallel()
	a := newWorld(t).crowded()
	if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") != "10" {
		t.Errorf("%d, Retry-After %q", a.status, a.header.Get("Retry-After"))
	}
	for _, want := range []string{"Very many connections", "Wait 10 seconds", "01632 960 626"} {
		if !strings.Contains(a.body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

// crowded is what a visitor gets while the site's only connection is taken by somebody else's request.
func (w *world) crowded() answer {
	w.t.Helper()
	res, body := testnet.Crowd(w.t, web.NewConns(web.Bounds{All: 1}).Guard(web.Server(w.server.Config.Handler)), "/help")
	return answer{res.StatusCode, res.Header, body}
}
