package console_test

import (
	"bytes"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"

	"postern/pickup/admin"
)

// dryRun uploads a message with a list of recipients; without a name no file was chosen.
func (v *visitor) dryRun(name, eml, rcpts string, more ...string) answer {
	v.w.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("eml", name)
	must(v.w.t, err)
	_, err = io.WriteString(part, eml)
	must(v.w.t, err)
	must(v.w.t, form.WriteField("rcpts", rcpts))
	for i := 0; i < len(more); i += 2 {
		must(v.w.t, form.WriteField(more[i], more[i+1]))
	}
	must(v.w.t, form.Close())
	r := v.request("POST", "/policy", &body)
	r.Header.Set("Content-Type", form.FormDataContentType())
	return v.do(r)
}

// TestConsoleDryRun: decision, rule and reason per recipient; nothing of the mail but its file's name and its addresses
// is shown, and nothing is kept.
func TestConsoleDryRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.signedIn(priya, admin.RoleHelpDesk)
	before := w.fingerprint()
	const eml = "From: Maria <maria@example.org>\r\nTo: joan@mail.example\r\nCc: care@example.org\r\nSubject: [secure] CANARY-SUBJECT\r\n\r\nCANARY-TEXT"
	a := v.dryRun("june.eml", eml, "")
	for _, text := range []string{"june.eml: sealed for 1, relayed for 1, refused for 0", "From maria@example.org", "joan@mail.example Sealed subject-tag", "care@example.org Relayed"} {
		if !a.says(text) {
			t.Errorf("the answer does not say %q: %s", text, plain(a.body))
		}
	}
	if strings.Contains(a.body, "CANARY") || strings.Contains(w.bed.Log.String(), "CANARY") {
		t.Error("the mail shows")
	}
	if a := v.dryRun("june.eml", eml, " a@x.example \n\nb@x.example\n"); !a.says("sealed for 1, relayed for 0, refused for 1") || !a.says("The sender is told: 550 5.7.1 no") {
		t.Errorf("typed recipients: %s", plain(a.body))
	}
	for name, tt := range map[string]struct {
		a    answer
		says string
	}{
		"no file":      {v.dryRun("", "", "a@x.example"), "Choose a mail that was saved as a file"},
		"bad address":  {v.dryRun("x.eml", eml, "a@x.example\n\nnot an address"), "Line 3: not an address is not a complete address"},
		"bad sender":   {v.dryRun("x.eml", eml, "", "from", "nobody"), "nobody is not a complete address"},
		"nobody":       {v.dryRun("x.eml", "Subject: x\r\n\r\n", ""), "The file names no recipient"},
		"endless head": {v.dryRun("x.eml", strings.Repeat("X: y\r\n", 200_000), "a@x.example"), "longer than the 1 MB"},
		"a crowd":      {v.dryRun("x.eml", eml, crowd(501)), "Leave at most 500 recipients"},
	} {
		if tt.a.status != http.StatusUnprocessableEntity || !tt.a.says(tt.says) {
			t.Errorf("%s: %d %s", name, tt.a.status, plain(tt.a.body))
		}
	}
	for name, a := range map[string]answer{"doubled": v.dryRun("x.eml", eml, "a@x.example", "rcpts", "b@x.example"), "long field": v.dryRun("x.eml", eml, strings.Repeat("x", 70<<10)),
		"not text": v.dryRun("x.eml", eml, "\xff\xfe"), "no upload": v.post("/policy", "rcpts", "a@x.example")} {
		if a.status != http.StatusBadRequest || !a.says("The form could not be read") {
			t.Errorf("%s: %d", name, a.status)
		}
	}
	if after := w.fingerprint(); len(after) != len(before) {
		t.Error("a dry run was kept")
	}
}

func crowd(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "a%d@x.example\n", i)
	}
	return b.String()
}
