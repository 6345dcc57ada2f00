package dsn

import (
	"bytes"
	"fmt"
	"mime"
	"strings"
	"time"

	"postern/store"
	"postern/store/mail"
)

// giveUp is how long a report is tried when the caller does not say.
const giveUp = 5 * 24 * time.Hour

// Compose renders a report (MAIL §6, row DSN). The mail has a null sender; its address form is that of r.To. A text
// with a Subject of a sealed message is marked NeedTLS (MAIL 6.6). The only error is ErrReport.
func Compose(r Report, p Phrases) (store.OwnMail, error) {
	if err := r.check(); err != nil {
		return store.OwnMail{}, err
	}
	if r.Item.IsZero() {
		r.Item = store.NewMessageID(r.Now)
	}
	if r.GiveUp.IsZero() {
		r.GiveUp = r.Now.Add(giveUp)
	}
	if r.MessageID == "" {
		r.MessageID = mail.NewMessageID(r.Host)
	}
	parts := []part{humanPart(r, p), statusPart(r)}
	returned, subject := originalPart(r)
	if returned != nil {
		parts = append(parts, *returned)
	}
	var b bytes.Buffer
	writeHeader(&b, r, p)
	writeParts(&b, boundary(r.Item), parts)
	return store.OwnMail{
		ID:      r.Item,
		Kind:    store.KindDSN,
		To:      store.Rcpt{Address: r.To, Notify: store.NotifyNever},
		UTF8:    r.UTF8,
		NeedTLS: r.NeedTLS || subject,
		About:   r.About,
		At:      r.Now,
		GiveUp:  r.GiveUp,
		Raw:     b.Bytes(),
	}, nil
}

func writeHeader(b *bytes.Buffer, r Report, p Phrases) {
	reportType := "delivery-status"
	if r.UTF8 {
		reportType = "global-delivery-status"
	}
	field(b, "From", `"Mail Delivery System" <`+r.address(r.Postmaster)+">")
	field(b, "To", "<"+r.address(r.To)+">")
	field(b, "Subject", encodeWords(p.subject(r.Kind)))
	field(b, "Date", r.Now.In(r.zone()).Format(time.RFC1123Z))
	field(b, "Message-ID", r.MessageID)
	if id := r.originalID(); id != "" {
		field(b, "In-Reply-To", id)
		field(b, "References", id)
	}
	field(b, "Auto-Submitted", "auto-replied")
	field(b, "X-Postern-ID", r.ID.String())
	field(b, "MIME-Version", "1.0")
	field(b, "Content-Type", fmt.Sprintf("multipart/report; report-type=%s; boundary=%q", reportType, boundary(r.Item)))
	b.WriteString("\r\n")
}

// address is the spelling for a header: as written with SMTPUTF8, else with the domain as A-label.
func (r Report) address(a store.Address) string {
	if r.UTF8 {
		return a.String()
	}
	return a.Local + "@" + asciiDomain(a.Domain)
}

// originalID is the Message-ID of the original, brackets included, or nothing when it is not plain ASCII that fits a
// line.
func (r Report) originalID() string {
	var id string
	switch o := r.Original; {
	case o.Excerpt != nil:
		id = strings.TrimSpace(o.Excerpt.MessageID)
	case len(o.Message) > 0:
		id = firstID(mail.ParseHeader(headerOf(o.Message)))
	default:
		id = firstID(mail.ParseHeader(o.Header))
	}
	if len(id) > maxLine-len("References: ") || strings.IndexFunc(id, func(c rune) bool { return c <= ' ' || c > '~' }) >= 0 {
		return ""
	}
	return id
}

func firstID(h mail.Header) string {
	if ids := h.MessageIDs("Message-ID"); len(ids) > 0 {
		return ids[0]
	}
	return ""
}

func (p Phrases) subject(k Kind) string {
	switch k {
	case Failed:
		return p.SubjectFailed
	case Delayed:
		return p.SubjectDelayed
	}
	return p.SubjectRelayed
}

// encodeWords encodes a header text by RFC 2047 where it is not ASCII.
func encodeWords(s string) string { return mime.QEncoding.Encode("utf-8", s) }

// boundary is made of the item's id, which is random: no line of a part can be it but by intent of someone who cannot
// know it.
func boundary(id store.MessageID) string { return "=_postern_" + id.String() }
