package pickup_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"postern/pickup"
	"postern/store"
	"postern/store/mail"
)

func TestReplyGoesToTheAuthorWithItsFiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, _, _ := w.account(joan)
	path := w.opened(v, joan, letter{subject: "[secure] The plan", text: "Original line"})
	form := v.get(path + "/reply")
	if !strings.Contains(form.body, "Re: The plan") || !strings.Contains(form.body, "maria.lindqvist@example.org") || !strings.Contains(form.body, "Up to 3 files, 1 MB together") {
		t.Errorf("form:\n%s", form.body)
	}
	a := v.upload(path+"/reply", field{"text", "", "My answer.\r\nSecond line."}, field{"quote", "", "yes"},
		field{"add", "a – b.txt", "first file"}, field{"add", "c.txt", strings.Repeat("y", 100_000)})
	if a.status != http.StatusSeeOther || !strings.HasPrefix(a.to(), "/sent/") {
		t.Fatalf("reply: %d %s", a.status, a.body)
	}
	sent := v.follow(a)
	for _, want := range []string{"Your reply has been sent", "My answer.", "&gt; Original line", "Re: The plan", "a – b.txt", "c.txt"} {
		if !strings.Contains(sent.body, want) {
			t.Errorf("the copy lacks %q", want)
		}
	}
	parts := mustFind(`href="(/sent/[0-9a-z]+/part/[0-9.]+)"`).FindAllStringSubmatch(sent.body, -1)
	if len(parts) != 2 {
		t.Fatalf("the copy lists %d files", len(parts))
	}
	if file := v.get(parts[0][1]); file.body != "first file" {
		t.Errorf("first file: %q", file.body)
	}
	if list := v.get("/sent"); !strings.Contains(list.body, "Re: The plan") || !strings.Contains(list.body, "2 attachments") {
		t.Error("the list of sent messages")
	}
	if inbox := v.get("/"); !strings.Contains(inbox.body, "You replied on") {
		t.Error("the inbox does not say that it was answered")
	}
	if len(w.replies) != 1 || !mustFind(`(?m)^To: .*<maria\.lindqvist@example\.org>`).Match(w.replies[0]) {
		t.Errorf("the gateway got %d letters: %.300s", len(w.replies), bytes.Join(w.replies, nil))
	}
}

func TestReplyKeepsTheTextWhenSomethingIsWrong(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, _, _ := w.account(joan)
	path := w.opened(v, joan, letter{subject: "x", text: "x"}) + "/reply"
	text, file := field{"text", "", "My text <stays>"}, field{"add", "a.txt", "x"}
	for _, test := range []struct {
		name   string
		fields []field
		status int
		want   string
	}{
		{"no text", []field{{"text", "", "  "}}, 422, "Write your message"},
		{"text too long", []field{{"text", "", strings.Repeat("long ", 20_000)}}, 422, "Your message is too long"},
		{"too many files", []field{text, file, file, file, file}, 422, "Too many files: at most 3"},
		{"files too large", []field{text, {"add", "a.bin", strings.Repeat("x", 1<<20+1)}}, 413, "The files are too large: at most 1 MB together"},
		{"together too large", []field{text, {"add", "a", strings.Repeat("x", 600_000)}, {"add", "b", strings.Repeat("x", 600_000)}}, 413, "too large"},
		{"far too large", []field{text, {"add", "a", strings.Repeat("x", 4<<20)}}, 413, "too large"},
		{"file before text", []field{file, text}, 400, "We could not read what you sent"},
		{"two texts", []field{text, text}, 400, "We could not read what you sent"},
		{"unknown field", []field{text, {"to", "", "someone@else.example"}}, 400, "We could not read what you sent"},
		{"field after files", []field{text, file, {"quote", "", "yes"}}, 400, "We could not read what you sent"},
		{"no UTF-8", []field{{"text", "", "a\xff\xfe"}}, 400, "We could not read what you sent"},
	} {
		a := v.upload(path, test.fields...)
		if a.status != test.status || !strings.Contains(a.body, test.want) {
			t.Errorf("%s: %d without %q", test.name, a.status, test.want)
		}
		if test.fields[0] == text && test.status != 400 && !strings.Contains(a.body, "My text &lt;stays&gt;</textarea>") {
			t.Errorf("%s: the text is gone", test.name)
		}
	}
	if len(w.replies) != 0 {
		t.Errorf("%d replies were sent", len(w.replies))
	}
}

// TestReplyOverTheLimitKeepsTheText: who writes too many replies reads when the next one may be sent, and loses nothing.
func TestReplyOverTheLimitKeepsTheText(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, _, _ := w.account(joan)
	path := w.opened(v, joan, letter{subject: "x", text: "x"}) + "/reply"
	w.refuse = store.Reply(451, [3]int{4, 7, 1}, "Reply not accepted now: too many from this account")
	a := v.upload(path, field{"text", "", "My text <stays>"})
	if a.status != http.StatusTooManyRequests || !strings.Contains(a.body, "You have sent many replies") || !strings.Contains(a.body, "My text &lt;stays&gt;</textarea>") {
		t.Errorf("%d\n%s", a.status, a.body)
	}
}

// TestReplyFitsTheMailServer: the form offers what the mail server takes by what it named last, and holds to it.
func TestReplyFitsTheMailServer(t *testing.T) {
	t.Parallel()
	var takes atomic.Int64
	w := newWorld(t, func(c *pickup.Config) { c.Takes = takes.Load })
	v, _, _ := w.account(joan)
	path := w.opened(v, joan, letter{subject: "x", text: "x"}) + "/reply"
	text, file := field{"text", "", "My text"}, field{"add", "a.txt", strings.Repeat("x", 600<<10)}
	takes.Store(500 << 10)
	if form := v.get(path); !strings.Contains(form.body, `data-max-bytes="512000"`) {
		t.Errorf("the form does not know what the mail server takes:\n%s", form.body)
	}
	if a := v.upload(path, text, file); a.status != http.StatusRequestEntityTooLarge || !strings.Contains(a.body, "My text</textarea>") {
		t.Errorf("more than the mail server takes: %d\n%s", a.status, a.body)
	}
	for _, n := range []int64{0, 2 << 20} { // not known, and more than the gateway takes
		takes.Store(n)
		if form := v.get(path); !strings.Contains(form.body, `data-max-bytes="1048576"`) {
			t.Errorf("the mail server takes %d:\n%s", n, form.body)
		}
	}
	if a := v.upload(path, text, file); a.status != http.StatusSeeOther {
		t.Errorf("what the mail server takes: %d\n%s", a.status, a.body)
	}
}

func TestReplyRefusesOtherForms(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, _, _ := w.account(joan)
	path := w.opened(v, joan, letter{subject: "x", text: "x"}) + "/reply"
	const text = "--x\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\nMy text <stays>\r\n"
	const file = "--x\r\nContent-Disposition: form-data; name=\"add\"; filename=\"a\"\r\n"
	smallFile := file + "\r\n" + strings.Repeat("z", 100_000) + "\r\n"
	longFile := file + "X: " + strings.Repeat("y", 100_000) + "\r\n\r\nz\r\n--x--\r\n"
	for name, test := range map[string]struct{ kind, body string }{
		"plain form":             {"application/x-www-form-urlencoded", "text=hello"},
		"no boundary":            {"multipart/form-data", "--x\r\n"},
		"broken off":             {"multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\nhel"},
		"empty":                  {"multipart/form-data; boundary=x", ""},
		"no fields":              {"multipart/form-data; boundary=x", "--x--\r\n"},
		"header too long":        {"multipart/form-data; boundary=x", "--x\r\nX: " + strings.Repeat("y", 100_000)},
		"too much before it":     {"multipart/form-data; boundary=x", strings.Repeat("y\r\n", 30_000) + text},
		"header of a file":       {"multipart/form-data; boundary=x", text + longFile},
		"header of a later file": {"multipart/form-data; boundary=x", text + smallFile + longFile},
		"many lines in a header": {"multipart/form-data; boundary=x", text + smallFile + "--x\r\n" + strings.Repeat("X: y\r\n", 20_000)},
	} {
		r := v.request("POST", path, strings.NewReader(test.body))
		r.Header.Set("Content-Type", test.kind)
		a := v.do(r)
		if a.status != http.StatusBadRequest && a.status != http.StatusUnprocessableEntity || len(w.replies) > 0 {
			t.Errorf("%s: %d, %d replies", name, a.status, len(w.replies))
		}
		if strings.Contains(name, "header of") || strings.Contains(name, "lines") {
			if a.status != http.StatusBadRequest || !strings.Contains(a.body, "We could not read what you sent") || !strings.Contains(a.body, "My text &lt;stays&gt;") {
				t.Errorf("%s: %d, without the text or what is wrong", name, a.status)
			}
		}
	}
}

func TestReplyIsRefusedWhereTheSenderWantsNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, _, _ := w.account(joan)
	outside := mail.Mailbox{Name: "Eve", Address: store.Address{Local: "eve", Domain: "elsewhere.example"}}
	for name, l := range map[string]letter{"switched off": {subject: "x", text: "x", noReply: true}, "author outside": {subject: "x", text: "x", from: outside}} {
		path := w.opened(v, joan, l)
		if a := v.get(path); strings.Contains(a.body, path+"/reply") {
			t.Errorf("%s: the page offers a reply", name)
		}
		if a := v.get(path + "/reply"); a.to() != path {
			t.Errorf("%s: the form answers %d", name, a.status)
		}
		if a := v.upload(path+"/reply", field{"text", "", "hello"}); a.status != http.StatusForbidden || len(w.replies) > 0 {
			t.Errorf("%s: a posted reply answers %d", name, a.status)
		}
	}
}

func TestReplyThatTheGatewayRefusesSaysWhy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, _, _ := w.account(joan)
	path := w.opened(v, joan, letter{subject: "x", text: "x"}) + "/reply"
	for _, test := range []struct {
		err    error
		status int
		want   string
	}{
		{store.Reply(550, [3]int{5, 7, 1}, "This person may not receive sealed mail"), 422, "This person may not receive sealed mail"},
		{store.Reply(451, [3]int{4, 3, 0}, "Temporary local problem"), 503, "It cannot be sent at the moment"},
		{store.ErrFull, 503, "There is no room left on our disk"},
		{store.ErrUncertain, 503, "It may or may not have been done"},
		{io.ErrClosedPipe, 500, "Something went wrong on our side"},
	} {
		w.refuse = test.err
		a := v.upload(path, field{"text", "", "My text"})
		if a.status != test.status || !strings.Contains(a.body, test.want) {
			t.Errorf("%v: %d without %q", test.err, a.status, test.want)
		}
		if test.status == 503 && !strings.Contains(test.want, "cannot be sent") && a.header.Get("Retry-After") == "" {
			t.Errorf("%v: no Retry-After", test.err)
		}
	}
}

func TestSentMessagesBelongToTheirWriter(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, _, key := w.account(joan)
	a := v.upload("/m/"+key.String()+"/reply", field{"text", "", "Joan's own words"})
	other, _, _ := w.account(peter)
	path, _, _ := strings.Cut(a.to(), "?")
	for _, rest := range []string{"", "/print", "/message.eml", "/part/1"} {
		if got := other.get(path + rest); got.status != http.StatusNotFound || strings.Contains(got.body, "own words") {
			t.Errorf("%s by another account: %d", rest, got.status)
		}
	}
}
