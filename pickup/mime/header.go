package mime

import (
	"bytes"
	"strings"

	"postern/store/mail"
)

// headerWindow is how far before a part's content its own header is looked for.
const headerWindow = 64 << 10

// params are the parameters of a Content-Type field by their names in lower case.
type params map[string]string

// contentType reads the Content-Type field of a part again, for parameters that the index does not carry. Errors mean
// that there are none: they only tell how a text is best shown.
func contentType(b Body, p mail.Part) params {
	n := min(p.Offset, headerWindow, b.Size())
	if n <= 0 {
		return nil
	}
	buf := make([]byte, n)
	if got, _ := b.ReadAt(buf, p.Offset-n); int64(got) < n {
		return nil
	}
	_, ps := mail.ParseMedia(mail.ParseHeader(lastHeader(buf)).Get("Content-Type"))
	return ps
}

// lastHeader is the header block that raw ends with: what follows the last empty line or boundary in it.
func lastHeader(raw []byte) []byte {
	raw = bytes.TrimSuffix(raw, []byte("\r\n"))
	if i := bytes.LastIndex(raw, []byte("\r\n\r\n")); i >= 0 {
		raw = raw[i+4:]
	}
	if i := bytes.LastIndex(raw, []byte("\n--")); i >= 0 {
		raw = raw[i+1:]
	}
	return raw
}

func (ps params) is(name, value string) bool { return strings.EqualFold(ps[name], value) }
