package main

import (
	"fmt"
	"net/http"
	"time"

	"postern/cmd/browser"
)

// robotHeaders are how programs fetch links that nobody has followed: scanners, previews, browsers ahead of the click.
var robotHeaders = []http.Header{
	{},
	{"User-Agent": {"Mozilla/5.0 (compatible; LinkScanner/2.0)"}, "Accept": {"*/*"}},
	{"Purpose": {"prefetch"}, "Sec-Purpose": {"prefetch;prerender"}, "X-Purpose": {"preview"}, "X-Moz": {"prefetch"}},
	{"Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Site": {"cross-site"}, "Sec-Fetch-User": {"?1"}, "Sec-Fetch-Dest": {"document"}},
	{"Range": {"bytes=0-0"}, "If-None-Match": {"*"}},
}

// scan fetches a link in every such way, with GET, HEAD and OPTIONS, as nobody or with a person's cookies.
func (p *person) scan(link string) {
	p.t.Helper()
	for _, header := range robotHeaders {
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodOptions} {
			req := p.request(method, link, nil)
			req.Header = header.Clone()
			res, err := p.http.Do(req)
			if err != nil {
				p.t.Fatal(err)
			}
			res.Body.Close()
		}
	}
}

// messagePages are all addresses below a message.
func messagePages(item string) (paths []string) {
	for _, tail := range []string{"", "/text", "/html", "/print", "/part/1", "/part/1.1", "/part/2", "/message.eml", "/reply", "/open"} {
		paths = append(paths, "/m/"+item+tail)
	}
	return paths
}

// sitePages are addresses of the site that belong to no message.
func sitePages() []string {
	return []string{"/", "/sent", "/sign-in", "/sign-out", "/sign-out?to=/", "/language?lang=en", "/help", "/cookies", "/p/"}
}

// robot is a browser that runs scripts and presses whatever can be pressed, but ticks and types nothing.
type robot struct {
	tr  *trial
	tab *browser.Tab
}

func (tr *trial) robot(b *browser.Browser) *robot { return &robot{tr: tr, tab: b.Tab(tr.t)} }

const (
	openDetails = `document.querySelectorAll("details").forEach(d => d.open = true), true`
	pressables  = `[...document.querySelectorAll("button, input[type=submit], input[type=button], input[type=image], [role=button], summary")]`
)

// pressAll loads a page again and again, each time pressing another button, or sending another form as scripts can:
// without the browser's check of its fields.
func (r *robot) pressAll(link string) {
	r.tr.t.Helper()
	r.tab.Go(link)
	buttons := browser.Eval[int](r.tab, pressables+".length")
	forms := browser.Eval[int](r.tab, "document.forms.length")
	for i := range buttons {
		r.tab.Go(link)
		r.tab.Eval(openDetails)
		leads := browser.Eval[bool](r.tab, fmt.Sprintf(`(b => !!b.form && (b.form.noValidate || b.form.checkValidity()))(%s[%d])`, pressables, i))
		r.act(fmt.Sprintf(`setTimeout(() => %s[%d].click()), true`, pressables, i), leads)
	}
	for i := range forms {
		r.tab.Go(link)
		r.act(fmt.Sprintf(`setTimeout(() => HTMLFormElement.prototype.submit.call(document.forms[%d])), true`, i), true)
	}
}

// act does something in the page and, where that sends a request, waits until the browser shows the answer: leaving the
// page before would take it back.
func (r *robot) act(js string, sends bool) {
	r.tr.t.Helper()
	if sends {
		r.tab.Travel("press", func() { r.tab.Eval(js) })
		return
	}
	r.tab.Eval(js)
	const moment = 20 * time.Millisecond // for scripts that a press sets off
	time.Sleep(moment)
}
