package pickup

import (
	"errors"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"strings"
	"time"

	"postern/pickup/account"
	"postern/pickup/message"
	"postern/pickup/mime"
	"postern/pickup/web"
	"postern/store/mail"
)

// file is an attachment in a list.
type file struct {
	Name string
	Kind string // for the words of file-kind in _message.html
	Icon string
	Size int64
	URL  string
}

func fileOf(p mail.Part, base string) file {
	f := file{Name: mime.SafeName(p), Size: p.Size, URL: base + "/part/" + url.PathEscape(p.Path)}
	f.Kind, f.Icon = kindOf(mime.SafeType(p), strings.ToLower(path.Ext(f.Name)))
	return f
}

// kindOf says what a file is, in a word of the templates, and which picture stands for it.
func kindOf(mediaType, ext string) (kind, icon string) {
	switch ext {
	case ".pdf":
		return "pdf", "document"
	case ".doc", ".docx", ".odt", ".rtf":
		return "word", "document"
	case ".xls", ".xlsx", ".ods", ".csv":
		return "sheet", "document"
	case ".ppt", ".pptx", ".odp":
		return "slides", "document"
	case ".zip", ".7z", ".gz", ".tar", ".rar":
		return "archive", "file"
	case ".eml":
		return "mail", "document"
	case ".ics":
		return "calendar", "document"
	}
	main, _, _ := strings.Cut(mediaType, "/")
	switch main {
	case "image":
		return "picture", "picture"
	case "text":
		return "text", "document"
	case "audio":
		return "sound", "file"
	case "video":
		return "film", "file"
	case "message":
		return "mail", "document"
	}
	return "", "file"
}

func (s *Site) messagePart(w http.ResponseWriter, r *http.Request, who account.Signed) error {
	o, done, err := s.view(w, r, who)
	if done || err != nil {
		return err
	}
	defer o.Close()
	if err := servePart(w, r, o); err != nil {
		return err
	}
	s.downloaded(r, who, o, r.PathValue("path"))
	return nil
}

func (s *Site) messageRaw(w http.ResponseWriter, r *http.Request, who account.Signed) error {
	o, done, err := s.view(w, r, who)
	if done || err != nil {
		return err
	}
	defer o.Close()
	if err := serveRaw(w, r, o); err != nil {
		return err
	}
	s.downloaded(r, who, o, "eml")
	return nil
}

// downloaded leaves a record of a file that was fetched from its beginning; the later ranges belong to the same fetch.
func (s *Site) downloaded(r *http.Request, who account.Signed, o *message.Opened, part string) {
	if r.Method == http.MethodGet && (r.Header.Get("Range") == "" || strings.HasPrefix(r.Header.Get("Range"), "bytes=0-")) {
		s.Messages.Downloaded(who, o.Recipient.Key, part)
	}
}

// servePart streams one part of a message, whole or in ranges.
func servePart(w http.ResponseWriter, r *http.Request, o *message.Opened) error {
	parts, err := partsOf(o)
	if err != nil {
		return err
	}
	for _, p := range parts {
		if p.Path != r.PathValue("path") || p.IsContainer() {
			continue
		}
		content, err := mime.Open(o.Body, p)
		if err != nil {
			return err
		}
		return serveFile(w, r, mime.SafeName(p), mime.SafeType(p), content)
	}
	return errMissing
}

// serveRaw streams the message as it was sent.
func serveRaw(w http.ResponseWriter, r *http.Request, o *message.Opened) error {
	name := mime.SafeName(mail.Part{Name: strings.NewReplacer("/", "-", `\`, "-").Replace(o.Subject), Path: "1"})
	if o.Subject == "" {
		name = "message"
	}
	return serveFile(w, r, name+".eml", "message/rfc822", o.Body.Reader())
}

// serveFile sends a file to be saved. Its ETag is the address itself, for what lies there never changes; with it a
// broken download goes on where it stopped. A cutOff says that the file cannot be read to its end: too few octets went
// out, so the browser notices, and the log is to tell why.
func serveFile(w http.ResponseWriter, r *http.Request, name, mediaType string, content io.ReadSeeker) error {
	h := w.Header()
	web.FilePolicy().Set(h)
	h.Set("Content-Type", mediaType)
	h.Set("Content-Disposition", disposition(name))
	h.Set("ETag", `"`+url.PathEscape(r.PathValue("id")+"/"+r.PathValue("path"))+`"`)
	if strings.Contains(r.Header.Get("Range"), ",") { // each of them would be decoded from the beginning
		r.Header.Del("Range")
	}
	src := &attentive{ReadSeeker: content}
	http.ServeContent(web.Slide(w, r), r, "", time.Time{}, src)
	if src.err != nil {
		return cutOff{fmt.Errorf("file of a message: %w", src.err)}
	}
	return nil
}

// cutOff is trouble with a file whose answer has begun: no page can follow it.
type cutOff struct{ error }

func (c cutOff) Unwrap() error { return c.error }

// attentive remembers the error of a source whose reader keeps it to itself.
type attentive struct {
	io.ReadSeeker
	err error
}

func (a *attentive) Read(p []byte) (int, error) {
	n, err := a.ReadSeeker.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		a.err = err
	}
	return n, err
}

func (a *attentive) Seek(offset int64, whence int) (int64, error) {
	n, err := a.ReadSeeker.Seek(offset, whence)
	if err != nil {
		a.err = err
	}
	return n, err
}

// disposition is "attachment" with the file's name, twice: as ASCII for old browsers and in UTF-8 (RFC 6266, RFC 8187).
func disposition(name string) string {
	ascii := strings.Map(func(r rune) rune {
		switch {
		case r == '"' || r == '\\' || r == '%':
			return '_'
		case r < ' ' || r == 0x7f:
			return -1
		case r > 0x7f:
			return '_'
		}
		return r
	}, name)
	var b strings.Builder
	for _, c := range []byte(name) {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("!#$&+-.^_`|~", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		const hex = "0123456789ABCDEF"
		b.WriteByte('%')
		b.WriteByte(hex[c>>4])
		b.WriteByte(hex[c&15])
	}
	return `attachment; filename="` + ascii + `"; filename*=UTF-8''` + b.String()
}

// webAddress finds addresses in a text. What commonly ends a sentence does not belong to one.
var webAddress = regexp.MustCompile(`https?://[^\s<>"'` + "`" + `]*[^\s<>"'` + "`" + `.,;:!?)\]}]`)

// linked is a plain text with its web addresses made into links, everything else escaped.
func linked(text string) template.HTML {
	var b strings.Builder
	at := 0
	for _, m := range webAddress.FindAllStringIndex(text, -1) {
		b.WriteString(template.HTMLEscapeString(text[at:m[0]]))
		address := template.HTMLEscapeString(text[m[0]:m[1]])
		b.WriteString(`<a class="break" target="_blank" rel="noopener noreferrer" href="` + address + `">` + address + `</a>`)
		at = m[1]
	}
	b.WriteString(template.HTMLEscapeString(text[at:]))
	return template.HTML(b.String())
}
