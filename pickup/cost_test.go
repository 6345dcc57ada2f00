package pickup_test

import (
	"net/http"
	"strings"
	"testing"
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
