package main

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/textproto"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// person is a recipient with a browser that runs no scripts: a cookie jar, and forms posted by hand.
type person struct {
	t    testing.TB
	http *http.Client
	site string
}

// page is an answer of the site.
type page struct {
	url    string // after redirects
	status int
	header http.Header
	body   string
}

func (tr *trial) person() *person {
	tr.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		tr.t.Fatal(err)
	}
	return &person{t: tr.t, http: &http.Client{Jar: jar}, site: "http://" + tr.site}
}

func (p *person) do(req *http.Request) page {
	p.t.Helper()
	req.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
	res, err := p.http.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return page{url: res.Request.URL.String(), status: res.StatusCode, header: res.Header, body: string(body)}
}

func (p *person) request(method, link string, body io.Reader) *http.Request {
	p.t.Helper()
	if strings.HasPrefix(link, "/") {
		link = p.site + link
	}
	req, err := http.NewRequest(method, link, body)
	if err != nil {
		p.t.Fatal(err)
	}
	return req
}

func (p *person) get(link string) page {
	p.t.Helper()
	return p.do(p.request(http.MethodGet, link, nil))
}

// post sends a form: name, value, name, value…
func (p *person) post(link string, fields ...string) page {
	p.t.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	req := p.request(http.MethodPost, link, strings.NewReader(form.Encode()))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", p.site)
	return p.do(req)
}

// upload is a file in a form.
type upload struct {
	name, kind string
	data       []byte
}

// postFiles sends a multipart form: the fields, then the files under the name add.
func (p *person) postFiles(link string, fields [][2]string, files ...upload) page {
	p.t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, f := range fields {
		if err := w.WriteField(f[0], f[1]); err != nil {
			p.t.Fatal(err)
		}
	}
	for _, f := range files {
		h := textproto.MIMEHeader{}
		h.Set("Content-Disposition", multipart.FileContentDisposition("add", f.name))
		h.Set("Content-Type", f.kind)
		part, err := w.CreatePart(h)
		if err != nil {
			p.t.Fatal(err)
		}
		part.Write(f.data)
	}
	w.Close()
	req := p.request(http.MethodPost, link, &b)
	req.Header.Set("Content-Type", w.FormDataContentType())
	req.Header.Set("Origin", p.site)
	return p.do(req)
}

const goodPassword = "seven quiet otters under the bridge"

// register follows a notification's link for the first time and chooses a password. It ends on the message.
func (p *person) register(link string) page {
	p.t.Helper()
	return p.wantStatus(http.StatusOK, p.post(link, "step", "register", "password", goodPassword, "password2", goodPassword, "reminder", "animals"))
}

// signIn signs in at the front door.
func (p *person) signIn(address, password string) page {
	p.t.Helper()
	return p.post("/sign-in", "email", address, "password", password)
}

func (p *person) wantStatus(status int, got page) page {
	p.t.Helper()
	if got.status != status {
		p.t.Fatalf("%s answered %d, want %d:\n%s", got.url, got.status, status, got.body)
	}
	return got
}

// want fails unless the page holds every text.
func (p page) want(t testing.TB, texts ...string) page {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(p.body, text) {
			t.Fatalf("%s (%d) lacks %q:\n%s", p.url, p.status, text, p.body)
		}
	}
	return p
}

// without fails if the page holds one of the texts.
func (p page) without(t testing.TB, texts ...string) page {
	t.Helper()
	for _, text := range texts {
		if strings.Contains(p.body, text) {
			t.Fatalf("%s (%d) holds %q:\n%s", p.url, p.status, text, p.body)
		}
	}
	return p
}

var hrefs = regexp.MustCompile(`(?:href|src|action)="([^"]*)"`)

// href is the first link on the page that matches.
func (p page) href(t testing.TB, pattern string) string {
	t.Helper()
	want := regexp.MustCompile(pattern)
	for _, m := range hrefs.FindAllStringSubmatch(p.body, -1) {
		if want.MatchString(m[1]) {
			return strings.ReplaceAll(m[1], "&amp;", "&")
		}
	}
	t.Fatalf("no link like %s on %s:\n%s", pattern, p.url, p.body)
	return ""
}

// confirm follows the welcome mail, signed in, and says that it was this person: from then on new messages are in the
// inbox (KEYS K8).
func (tr *trial) confirm(p *person, address string) {
	tr.t.Helper()
	prefix := p.site + "/w/"
	link := linkIn(tr.await(address, prefix).View().Text, prefix)
	p.wantStatus(http.StatusOK, p.get(link))
	p.wantStatus(http.StatusOK, p.post(link, "answer", "me"))
}
