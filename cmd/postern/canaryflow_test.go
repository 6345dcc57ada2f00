package main

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"time"

	"postern/cmd/internal/demo"
	"postern/store/seal"
)

// canaryMail is a mail with a secret in every place that content can be in.
func (r *canaryRun) canaryMail(name, to, subject string, size int) []byte {
	file := strings.Repeat(r.secret(name+": content of the attachment")+"\r\n", max(1, size/40))
	var b bytes.Buffer
	fmt.Fprintf(&b, "From: %s <%s>\r\nTo: %s <%s>\r\nSubject: %s %s\r\n", r.plain(name+": name of the author"), r.from, r.plain(name+": name of the recipient"), to, subject, r.plain(name+": subject"))
	fmt.Fprintf(&b, "Message-ID: <%s@example.org>\r\nX-Project: %s\r\nDate: Mon, 2 Mar 2026 10:00:00 +0000\r\nMIME-Version: 1.0\r\n", r.plain(name+": Message-ID"), r.plain(name+": other field"))
	b.WriteString("Content-Type: multipart/mixed; boundary=outer\r\n\r\n--outer\r\nContent-Type: multipart/related; boundary=inner\r\n\r\n--inner\r\n")
	fmt.Fprintf(&b, "Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n%s\r\n", quotedPrintable("<p>"+r.secret(name+": text")+"</p><img src=\"cid:picture\">"))
	fmt.Fprintf(&b, "--inner\r\nContent-Type: image/png\r\nContent-ID: <picture>\r\nContent-Transfer-Encoding: base64\r\n\r\n%s\r\n--inner--\r\n", wrapped(r.secret(name+": picture")))
	fmt.Fprintf(&b, "--outer\r\nContent-Type: application/octet-stream; name=\"%[1]s.bin\"\r\nContent-Disposition: attachment; filename=\"%[1]s.bin\"\r\n", r.plain(name+": name of the attachment"))
	fmt.Fprintf(&b, "Content-Transfer-Encoding: base64\r\n\r\n%s\r\n--outer--\r\n", wrapped(file))
	return b.Bytes()
}

func wrapped(s string) string {
	var b strings.Builder
	for line := range slices.Chunk([]byte(base64.StdEncoding.EncodeToString([]byte(s))), 76) {
		b.Write(line)
		b.WriteString("\r\n")
	}
	return b.String()
}

// sendMails hands the gateway mail of every kind while nothing can be delivered, and waits until that was tried.
func (r *canaryRun) sendMails() {
	r.t.Helper()
	const inline, spilled = 200, 300 << 10
	send := func(name, to, subject string, size int) {
		r.t.Helper()
		r.tr.send(r.t, r.from, []string{to}, r.canaryMail(name, to, subject, size))
	}
	send("small ordinary mail", "dave@ext.example", "", inline)
	send("large ordinary mail", "dave@ext.example", "", spilled)
	send("small flagged mail", "bob@ext.example", "[secure]", inline)
	send("large flagged mail", "bob@ext.example", "[SECURE 2d]", spilled)
	send("nearly flagged mail", "erin@ext.example", "[secrue]", inline)
	send("ordinary mail to nobody", "nobody@ext.example", "", inline)
	send("flagged mail to nobody", "nobody@ext.example", "[secure]", inline)
	send("flagged mail that is quoted", "quoter@ext.example", "[secure]", inline)
	send("flagged mail that is put off", "busy@ext.example", "[secure]", inline)
	r.misbehave()
	waitUntil(r.t, "deliveries were tried", func() bool { return strings.Count(r.tr.log.String(), `"result":"deferred"`) > 5 })
}

// misbehave talks to the gateway as broken clients do: content arrives where commands are expected, a password at a
// door that takes none, a message that breaks off.
func (r *canaryRun) misbehave() {
	r.t.Helper()
	password := r.plain("password of a log-on")
	auth := base64.StdEncoding.EncodeToString([]byte("\x00user\x00" + password))
	word := r.plain("content as a command")
	for _, lines := range [][]string{
		{"EHLO mail.example.org", "AUTH PLAIN " + auth, "QUIT"},
		{"EHLO mail.example.org", "AUTH LOGIN", base64.StdEncoding.EncodeToString([]byte(password)), "QUIT"},
		{"EHLO mail.example.org", "DATA", "Subject: " + word, word + " " + word, word, "MAIL " + word, "RCPT TO:" + word, "NOOP " + word, "VRFY " + word, "BDAT " + word, "."},
		{"EHLO mail.example.org", "MAIL FROM:<" + r.from + ">", "RCPT TO:<dave@ext.example>", "DATA", "Subject: " + r.plain("subject that breaks off"), "", r.plain("text that breaks off")},
		{"EHLO mail.example.org", "MAIL FROM:<" + r.from + ">", "RCPT TO:<dave@ext.example>", "DATA", r.plain("no header field"), "", "a\rb " + r.plain("text with a bare CR"), "."},
	} {
		conn, err := net.Dial("tcp", r.tr.smtp)
		if err != nil {
			r.t.Fatal(err)
		}
		conn.SetDeadline(time.Now().Add(10 * time.Second))
		for _, line := range lines {
			if _, err := conn.Write([]byte(line + "\r\n")); err != nil {
				break // it has hung up on us, as it may
			}
			time.Sleep(20 * time.Millisecond) // not pipelined: what is not read is not said
		}
		conn.(*net.TCPConn).CloseWrite()
		io.Copy(io.Discard, conn)
		conn.Close()
	}
}

// readMails follows what was delivered: a recipient registers, reads, answers.
func (r *canaryRun) readMails() {
	r.t.Helper()
	notes := r.notes("bob@ext.example", 2)
	dsn := "message/delivery-status"
	r.tr.await(r.from, dsn, "nobody@ext.example")
	r.tr.await(r.from, dsn, "quoter@ext.example")
	link := r.tr.link(notes[0])
	bob := r.tr.person()
	r.strayLinks(link)
	message := r.register(bob, link)
	r.tr.confirm(bob, "bob@ext.example")
	r.link(seal.TokenWelcome, linkIn(r.tr.await("bob@ext.example", bob.site+"/w/").View().Text, bob.site+"/w/"))
	other := bob.wantStatus(http.StatusOK, bob.post(r.tr.link(notes[1])))
	for _, page := range []page{message, other} {
		r.read(bob, page)
	}
	bob.get("/?" + url.Values{"search": {r.secret("words searched for")}}.Encode())
	r.reply(bob, message)
	r.signInWrongly(bob)
}

// notes waits for the notifications to an address and makes their links known.
func (r *canaryRun) notes(to string, n int) []demo.Mail {
	r.t.Helper()
	list := r.tr.notes(to, n)
	for _, m := range list {
		r.link(seal.TokenPickup, r.tr.link(m))
	}
	return list
}

// strayLinks asks for the link as programs and mail clients do that damaged it, and in ways that end in errors.
func (r *canaryRun) strayLinks(link string) {
	r.t.Helper()
	p := r.tr.person()
	for _, l := range []string{link, link + "?x=1", link[:len(link)-3], link + "x", link + "/nothing", strings.ToUpper(link[len(p.site):]), link + "/not-for-me"} {
		p.get(l)
		p.do(p.request(http.MethodHead, l, nil))
		p.do(p.request("BREW", l, nil))
	}
	p.post("/p/", "link", "look: "+link)
	p.post(link, "step", "register", "step", "register")
	p.postFiles(link, [][2]string{{"password", r.plain("password in a wrong form")}})
	foreign := p.request(http.MethodPost, link, strings.NewReader("password="+r.words["password in a wrong form"]))
	foreign.Header.Set("Origin", "http://elsewhere.example")
	p.do(foreign)
}

// register chooses a password at the second attempt.
func (r *canaryRun) register(p *person, link string) page {
	r.t.Helper()
	password, other, weak := r.secret("password"), r.secret("password mistyped"), r.plain("weak password")
	reminder := r.secret("reminder")
	p.wantStatus(http.StatusUnprocessableEntity, p.post(link, "step", "register", "password", password, "password2", other, "reminder", reminder))
	p.wantStatus(http.StatusUnprocessableEntity, p.post(link, "step", "register", "password", weak[:6], "password2", weak[:6], "reminder", reminder))
	p.wantStatus(http.StatusUnprocessableEntity, p.post(link, "step", "register", "password", password, "password2", password, "reminder", "it is "+password))
	message := p.wantStatus(http.StatusOK, p.post(link, "step", "register", "password", password, "password2", password, "reminder", reminder))
	r.cookies(p)
	return message
}

// cookies makes the values of a person's cookies known to the search.
func (r *canaryRun) cookies(p *person) {
	r.t.Helper()
	site, err := url.Parse(p.site)
	if err != nil {
		r.t.Fatal(err)
	}
	var names []string
	for _, c := range p.http.Jar.Cookies(site) {
		value := c.Value[strings.LastIndexByte(c.Value, '.')+1:] // the id of the key in front is no secret
		r.secrets.add("cookie "+c.Name, value)
		if token, err := seal.ParseSessionToken(c.Value); err == nil {
			r.secrets.addOctets("cookie "+c.Name, token[:])
			names = append(names, c.Name)
		}
	}
	if !slices.Contains(names, "postern") {
		r.t.Fatalf("no session among the cookies %v", names)
	}
}

// read looks at a message in every way there is.
func (r *canaryRun) read(p *person, message page) {
	r.t.Helper()
	base := strings.TrimPrefix(message.url, p.site)
	base, _, _ = strings.Cut(base, "?")
	for _, path := range []string{"", "/text", "/html", "/print", "/message.eml", "/reply"} {
		p.wantStatus(http.StatusOK, p.get(base+path))
	}
	part := message.href(r.t, "/part/")
	p.wantStatus(http.StatusOK, p.get(part))
	ranged := p.request(http.MethodGet, part, nil)
	ranged.Header.Set("Range", "bytes=10-99")
	p.wantStatus(http.StatusPartialContent, p.do(ranged))
	p.get(base + "/part/99")
}

// reply answers with a file of several MiB, stopping half-way to copy the folder; and once so that it breaks off.
func (r *canaryRun) reply(p *person, message page) {
	r.t.Helper()
	path := strings.TrimPrefix(message.url, p.site)
	path, _, _ = strings.Cut(path, "?")
	path += "/reply"
	text, name, content := r.secret("text of the reply"), r.plain("name of the upload"), r.secret("content of the upload")
	sent := p.wantStatus(http.StatusOK, r.upload(p, path, [3]string{text, name, content}, func() error { r.keep("an upload is half done"); return nil }))
	r.tr.await(r.from, "X-Postern-Kind: reply", name)
	for _, link := range []string{"/sent", sent.href(r.t, "/sent/[^/]+/part/"), sent.href(r.t, "/sent/[^/]+/print"), sent.url} {
		p.wantStatus(http.StatusOK, p.get(link))
	}
	broken := [3]string{r.secret("text of a reply that breaks off"), r.plain("name of an upload that breaks off"), r.secret("content of an upload that breaks off")}
	r.upload(p, path, broken, func() error { return errors.New("the line is cut") })
	p.post(path, "text", broken[0])
	p.postFiles(path, [][2]string{{"text", " "}, {broken[0], broken[0]}}, upload{broken[1], "text/plain", []byte(broken[2])})
}

// upload posts a reply of text, name and content, 4 MiB of it; halfway is called in the middle. The zero page is the
// answer to a form that broke off.
func (r *canaryRun) upload(p *person, path string, what [3]string, halfway func() error) page {
	r.t.Helper()
	pr, pw := io.Pipe()
	form := multipart.NewWriter(pw)
	go func() {
		form.WriteField("text", what[0])
		form.WriteField("quote", "yes")
		h := textproto.MIMEHeader{"Content-Disposition": {multipart.FileContentDisposition("add", what[1]+".txt")}, "Content-Type": {"text/plain"}}
		part, err := form.CreatePart(h)
		half := strings.Repeat(what[2]+"\n", (2<<20)/(len(what[2])+1))
		io.WriteString(part, half)
		if err == nil {
			err = halfway()
		}
		io.WriteString(part, half)
		if err == nil {
			err = form.Close()
		}
		pw.CloseWithError(err)
	}()
	req := p.request(http.MethodPost, path, pr)
	req.Header.Set("Content-Type", form.FormDataContentType())
	req.Header.Set("Origin", p.site)
	res, err := p.http.Do(req)
	if err != nil {
		return page{}
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return page{url: res.Request.URL.String(), status: res.StatusCode, header: res.Header, body: string(body)}
}

// signInWrongly signs out, tries wrong passwords, and signs in again.
func (r *canaryRun) signInWrongly(p *person) {
	r.t.Helper()
	p.post("/sign-out")
	p.wantStatus(http.StatusForbidden, p.signIn("bob@ext.example", r.secret("wrong password")))
	p.wantStatus(http.StatusForbidden, p.signIn(r.plain("what was typed as an address"), r.secret("password for an unknown address")))
	p.wantStatus(http.StatusOK, p.signIn("bob@ext.example", r.words["password"]))
	r.cookies(p)
}

// otherEnds brings messages to other ends: not for me, taken back, refused.
func (r *canaryRun) otherEnds() {
	r.t.Helper()
	r.tr.send(r.t, r.from, []string{"carol@ext.example"}, r.canaryMail("mail for somebody else", "carol@ext.example", "[secure]", 100))
	carol := r.tr.person()
	link := r.tr.link(r.notes("carol@ext.example", 1)[0])
	carol.wantStatus(http.StatusOK, carol.post(link+"/not-for-me", "sure", "yes"))
	r.tr.await(r.from, "X-Postern-Origin: v1 not-for-me")
	carol.get(link)

	r.tr.send(r.t, r.from, []string{"frank@ext.example"}, r.canaryMail("mail taken back", "frank@ext.example", "[secure]", 100<<10))
	link = r.tr.link(r.notes("frank@ext.example", 1)[0])
	id := r.messageTo("frank@ext.example")
	r.command("message", "recall", id, "--yes")
	r.tr.person().wantStatus(http.StatusGone, r.tr.person().get(link))
}

// messageTo is the id of the newest message to an address.
func (r *canaryRun) messageTo(address string) string {
	r.t.Helper()
	_, rest, _ := strings.Cut(r.command("message", "trace", address), "Message")
	if fields := strings.Fields(rest); len(fields) > 0 {
		return fields[0]
	}
	r.t.Fatalf("no message to %s", address)
	return ""
}

// command runs a command line, which must succeed, and keeps what it shows for the search.
func (r *canaryRun) command(args ...string) string {
	r.t.Helper()
	out := r.tr.cli(args...)
	r.shown["postern "+strings.Join(args, " ")] = out
	return out
}

// showEverything asks the command line and the metrics for all they tell.
func (r *canaryRun) showEverything() {
	r.t.Helper()
	for _, a := range []string{"bob", "dave", "nobody", "quoter", "busy", "carol", "frank"} {
		r.command("message", "trace", a+"@ext.example")
	}
	r.command("message", "trace", r.from)
	r.command("user", "list")
	r.command("user", "show", "bob@ext.example")
	r.command("queue", "list")
	r.command("key", "list")
	r.command("config", "show")
	r.shown["metrics"] = r.tr.metrics(r.t)
}
