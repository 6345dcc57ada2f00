package notify

import (
	"slices"
	"strings"
	"time"

	"postern/store"
	"postern/store/mail"
)

// maxReferences is how many Message-IDs a reply refers to; the first and the last ones stay.
const maxReferences = 20

// ReplyLetter is a reply written on the site.
type ReplyLetter struct {
	Writer      mail.Mailbox
	To, Cc      []mail.Mailbox
	Subject     string   // of the message that is answered, as it was sent
	Tags        []string // policy.tags, cut from the subject
	KeepTag     bool     // pickup.reply_keep_tag (MAIL §12 T7)
	MessageID   string   // of the message that is answered
	References  []string // of that message
	At          time.Time
	Text        string
	Attachments func() (mail.Attachment, error) // as they come (mail.Letter.More); nil: none
	Lang        string
}

// ReplyMail is a reply ready for intake: the letter, and the envelope's side of its identity.
type ReplyMail struct {
	Letter  mail.Letter
	From    store.Address // MAIL FROM
	Ret     store.Ret
	Notify  store.Notify // of every recipient
	NeedTLS bool         // it holds what the sealed message held: TLS or a local address only (MAIL 6.6)
}

// Reply gives a reply its identity, the row "reply from the site to an internal address" of MAIL §6: From the
// notification address under the writer's name, answers to the writer. It is a person's mail and says nothing of being
// automatic (RFC 3834 §5).
func (c *Composer) Reply(r ReplyLetter) ReplyMail {
	w := c.write(r.Lang)
	l := mail.Letter{From: &mail.Mailbox{Name: w.viaBoth(r.Writer), Address: c.from}, ReplyTo: asciiMailbox(r.Writer),
		To: r.To, Cc: r.Cc, Subject: replySubject(r), MessageID: mail.NewMessageID(c.host), Date: r.At.In(c.zone),
		Fields: [][2]string{{"X-Postern-Kind", "reply"}}, Text: r.Text, More: r.Attachments}
	if id := messageID(r.MessageID); id != "" {
		l.InReplyTo = id
		l.References = references(r.References, id)
	}
	return ReplyMail{Letter: l, From: c.from, Ret: store.RetHdrs, Notify: store.NotifyFailure | store.NotifyDelay, NeedTLS: true}
}

// replySubject is "Re: " and the subject that was answered, without the tag that sealed it.
func replySubject(r ReplyLetter) string {
	s := strings.Join(strings.Fields(r.Subject), " ")
	if !r.KeepTag {
		s = strings.Join(strings.Fields(mail.CutTag(s, r.Tags)), " ")
	}
	if len(s) >= 3 && strings.EqualFold(s[:3], "re:") {
		return s
	}
	return strings.TrimSpace("Re: " + s)
}

// references is RFC 5322 §3.6.4: what the answered message referred to, then itself.
func references(before []string, id string) []string {
	var ids []string
	for _, ref := range before {
		if ref = messageID(ref); ref != "" && ref != id {
			ids = append(ids, ref)
		}
	}
	if over := len(ids) + 1 - maxReferences; over > 0 {
		ids = slices.Delete(ids, 1, 1+over)
	}
	return append(ids, id)
}
