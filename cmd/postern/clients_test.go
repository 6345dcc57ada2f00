package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"html"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/cmd/internal/demo"
)

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

func (s shape) checkHead(t *testing.T, page page) {
	t.Helper()
	shown := visible(page.body)
	head := visible(between([]byte(page.body), `<div class="msg-head">`, "</dl>", ""))
	for _, want := range append([]string{s.subject}, s.head...) {
		if !strings.Contains(head, want) {
			t.Errorf("the head of the page lacks %q:\n%s", want, head)
		}
	}
	if strings.Contains(head, bobsAddress+" "+bobsAddress) {
		t.Errorf("the head of the page says an address twice:\n%s", head)
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
	text := visible(between([]byte(page.body), `<div class="plain" dir="auto" lang="">`, "</div>", ""))
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

var fileEntries = regexp.MustCompile(`(?s)<li class="file">.*?<bdi[^>]*>(.*?)</bdi>.*?href="([^"]*)"`)

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
