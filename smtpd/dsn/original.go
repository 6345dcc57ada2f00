package dsn

import (
	"bytes"
	netmail "net/mail"
	"strings"

	"postern/store/mail"
)

// maxLine is the longest line, without CRLF, that a 7-bit part may have (RFC 5322 §2.1.1).
const maxLine = 998

// originalPart is what is returned of the message, and whether that shows a Subject of a sealed one.
func originalPart(r Report) (*part, bool) {
	o := r.Original
	switch {
	case o.Excerpt != nil:
		text, subject := excerptHeader(r)
		return r.encodedPart(text, maxLine), subject
	case len(o.Message) > 0 && len(o.Message) <= MaxReturned && fits(o.Message):
		return &part{kind: "message/rfc822", body: o.Message}, false
	case len(o.Message) > 0:
		return r.headerPart(headerOf(o.Message)), false
	case len(o.Header) > 0:
		return r.headerPart(o.Header), false
	}
	return nil, false
}

// headerPart returns a raw header: as it is where it fits, else quoted-printable (RFC 6522 §4).
func (r Report) headerPart(header []byte) *part {
	return r.encodedPart(append(bytes.TrimRight(header, "\r\n"), "\r\n"...), lineWidth)
}

func (r Report) encodedPart(header []byte, width int) *part {
	if plainLines(header, width) {
		return &part{kind: r.headersType(), body: header}
	}
	p := quotedPart(r.headersType(), "", string(header))
	return &p
}

func (r Report) headersType() string {
	if r.UTF8 {
		return "message/global-headers"
	}
	return "text/rfc822-headers"
}

// excerptHeader writes the fields that a report on a sealed message may return (MAIL 6.6).
func excerptHeader(r Report) ([]byte, bool) {
	var b bytes.Buffer
	e := r.Original.Excerpt
	shown := e.Subject != "" && !r.Original.Outside
	for _, f := range []struct{ name, value string }{
		{"From", mailboxes(e.From)},
		{"To", mailboxes(e.To)},
		{"Date", encodeWords(oneLine(e.Date))},
		{"Message-ID", encodeWords(oneLine(e.MessageID))},
	} {
		if f.value != "" {
			field(&b, f.name, f.value)
		}
	}
	if shown {
		field(&b, "Subject", reencode(oneLine(e.Subject)))
	}
	return b.Bytes(), shown
}

// reencode makes a header text ASCII. Raw octets beside encoded words are read together before they are encoded.
func reencode(s string) string {
	if isASCII(s) {
		return s
	}
	return encodeWords(mail.Decode(s))
}

// mailboxes makes an address list ASCII: names become encoded words; what is no list is encoded whole.
func mailboxes(s string) string {
	s = oneLine(s)
	if isASCII(s) {
		return s
	}
	list, err := netmail.ParseAddressList(s)
	if err != nil {
		return encodeWords(s)
	}
	var out []string
	for _, a := range list {
		if !isASCII(a.Address) {
			return encodeWords(s)
		}
		out = append(out, a.String())
	}
	return strings.Join(out, ", ")
}

// headerOf cuts the header off a message.
func headerOf(message []byte) []byte {
	if bytes.HasPrefix(message, []byte("\r\n")) {
		return nil
	}
	header, _, _ := bytes.Cut(message, []byte("\r\n\r\n"))
	return header
}

// fits reports whether a message can stand in a 7-bit mail as it is.
func fits(message []byte) bool { return plainLines(message, maxLine) }
