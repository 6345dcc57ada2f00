package mail

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"mime/quotedprintable"
	"strings"
	"time"

	"postern/store"
)

// Letter is a mail of ours before it is rendered (MAIL 6.1).
type Letter struct {
	From, ReplyTo *Mailbox
	To, Cc        []Mailbox
	Subject       string
	MessageID     string // with brackets
	InReplyTo     string
	References    []string
	Date          time.Time // written with its zone's offset
	Fields        [][2]string
	Text          string // lines end in LF or CRLF
	HTML          string // empty: none
	Attachments   []Attachment
	// More gives further attachments as they come from somewhere, until io.EOF. The one before has been read then.
	More func() (Attachment, error)
}

// Attachment is a file that goes with a letter. Body is read once.
type Attachment struct {
	Name string
	Type string // media type; what is none, or cannot be encoded, becomes application/octet-stream
	Body io.Reader
}

// Render writes the whole message: CRLF lines of at most 76 characters, unless an address or id is longer, and ASCII
// only, unless an address needs SMTPUTF8.
// Attachments are streamed. Errors are those of w, of an attachment or of More.
func (l Letter) Render(w io.Writer) error {
	out := &letterWriter{w: w}
	l.writeHeader(out)
	if len(l.Attachments) == 0 && l.More == nil {
		l.writeBody(out)
		return out.err
	}
	boundary := newBoundary()
	out.field("Content-Type", `multipart/mixed; boundary="`+boundary+`"`)
	out.line("")
	out.line("--" + boundary)
	l.writeBody(out)
	if err := l.eachAttachment(func(a Attachment) error {
		out.line("--" + boundary)
		return out.attachment(a)
	}); err != nil {
		return err
	}
	out.line("--" + boundary + "--")
	return out.err
}

func (l Letter) eachAttachment(f func(Attachment) error) error {
	for _, a := range l.Attachments {
		if err := f(a); err != nil {
			return err
		}
	}
	for l.More != nil {
		a, err := l.More()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("next attachment: %w", err)
		}
		if err := f(a); err != nil {
			return err
		}
	}
	return nil
}

func (l Letter) writeHeader(out *letterWriter) {
	out.field("Date", l.Date.Format("Mon, 2 Jan 2006 15:04:05 -0700"))
	if l.From != nil {
		out.mailboxes("From", []Mailbox{*l.From})
	}
	if l.ReplyTo != nil {
		out.mailboxes("Reply-To", []Mailbox{*l.ReplyTo})
	}
	out.mailboxes("To", l.To)
	out.mailboxes("Cc", l.Cc)
	out.text("Subject", l.Subject)
	out.tokens("Message-ID", l.MessageID)
	out.tokens("In-Reply-To", l.InReplyTo)
	out.tokens("References", l.References...)
	for _, f := range l.Fields {
		out.text(f[0], f[1])
	}
	out.field("MIME-Version", "1.0")
}

// writeBody writes the Content-* fields and the text, as alternatives when there is HTML.
func (l Letter) writeBody(out *letterWriter) {
	if l.HTML == "" {
		out.textPart(l.Text)
		return
	}
	boundary := newBoundary()
	out.field("Content-Type", `multipart/alternative; boundary="`+boundary+`"`)
	out.line("")
	out.line("--" + boundary)
	out.textPart(l.Text)
	out.line("--" + boundary)
	out.quotedPart("text/html", l.HTML)
	out.line("--" + boundary + "--")
}

func newBoundary() string {
	var random [15]byte
	rand.Read(random[:])
	return "=_" + store.EncodeB32(random[:])
}

// letterWriter writes pieces of a letter and keeps the first error.
type letterWriter struct {
	w   io.Writer
	err error
}

func (o *letterWriter) Write(p []byte) (int, error) {
	if o.err != nil {
		return 0, o.err
	}
	n, err := o.w.Write(p)
	o.err = err
	return n, err
}

func (o *letterWriter) line(s string) {
	_, _ = io.WriteString(o, s+"\r\n") // the error is kept
}

// textPart writes plain text as it is if it may travel so: then no link in it is ever broken.
func (o *letterWriter) textPart(text string) {
	text = crlf(text)
	if !isPlain(text) {
		o.quotedPart("text/plain", text)
		return
	}
	o.field("Content-Type", "text/plain; charset=us-ascii")
	o.field("Content-Transfer-Encoding", "7bit")
	o.line("")
	o.block(text)
}

func (o *letterWriter) quotedPart(media, text string) {
	o.field("Content-Type", media+"; charset=utf-8")
	o.field("Content-Transfer-Encoding", "quoted-printable")
	o.line("")
	var encoded strings.Builder
	q := quotedprintable.NewWriter(&encoded)
	_, _ = io.WriteString(q, strings.ToValidUTF8(crlf(text), string(utf8Error))) // a Builder never fails
	_ = q.Close()
	o.block(protectFrom(encoded.String()))
}

// block writes lines; the last one ends like the others.
func (o *letterWriter) block(s string) {
	_, _ = io.WriteString(o, s) // the error is kept
	if !strings.HasSuffix(s, "\n") {
		o.line("")
	}
}

// attachment writes one part of a multipart with its header.
func (o *letterWriter) attachment(a Attachment) error {
	o.field("Content-Type", attachmentType(a.Type))
	o.field("Content-Transfer-Encoding", encBase64)
	o.field("Content-Disposition", "attachment"+fileName(a.Name))
	o.line("")
	b := newBase64Lines(o)
	body := a.Body
	if body == nil {
		body = strings.NewReader("")
	}
	if _, err := io.Copy(b, body); err != nil {
		if o.err != nil {
			return o.err
		}
		return fmt.Errorf("read attachment: %w", err)
	}
	b.Close()
	return o.err
}

// crlf gives every line the line end of mail. A lone CR is one too.
func crlf(s string) string {
	s = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(s)
	return strings.ReplaceAll(s, "\n", "\r\n")
}

// isPlain reports whether a text may travel without encoding.
func isPlain(s string) bool {
	for line := range strings.SplitSeq(s, "\r\n") {
		if len(line) > maxLineOut || strings.HasPrefix(line, "From ") {
			return false
		}
		for i := range len(line) {
			if line[i] != '\t' && (line[i] < ' ' || line[i] > '~') {
				return false
			}
		}
	}
	return true
}

// protectFrom encodes "From " at the beginning of a line, which old mailboxes quote.
func protectFrom(s string) string {
	s = strings.ReplaceAll(s, "\r\nFrom ", "\r\n=46rom ")
	if strings.HasPrefix(s, "From ") {
		s = "=46" + s[1:]
	}
	return s
}
