package intake

import (
	"time"

	"postern/store"
	"postern/store/mail"
)

// heading is what is read of a header once for all recipients. To look for a field may take as long as the header is,
// and both the header and the list of recipients are the sender's to make long.
type heading struct {
	author    mail.Mailbox
	authorErr error
	ids       []string                  // the Message-ID, and whatever else stands in its place
	named     map[store.AddressKey]bool // in To or Cc
}

// head reads the header.
func (j *job) head() *heading {
	if j.heading != nil {
		return j.heading
	}
	h := &heading{ids: j.header.MessageIDs("Message-ID"), named: map[store.AddressKey]bool{}}
	h.author, h.authorErr = j.header.Author()
	for _, name := range []string{"To", "Cc"} {
		boxes, _ := j.header.Addresses(name) // a list that does not parse names whom it names so far
		for _, m := range boxes {
			h.named[m.Address.Key()] = true
		}
	}
	j.heading = h
	return h
}

// original is what mails of ours may name of a message.
type original struct {
	excerpt store.Excerpt // for reports (MAIL 6.6)
	sent    time.Time
}

// original reads, once, what mails of ours may name.
func (j *job) original() original {
	if j.told == nil {
		j.told = &original{excerpt: excerpt(j.header), sent: sentAt(j.header, j.env.At)}
	}
	return *j.told
}
