package notify

import (
	"time"

	"postern/store"
)

// Event is something that became of a sealed message and that its sender is told of. It carries no subject: at that time
// none is known any more (KEYS K4); the mail stands in the thread of the original by MessageID.
type Event struct {
	ID        store.MessageID // of the mail
	About     store.RcptKey
	To        store.Address // envelope sender of the original
	Recipient store.Address
	MessageID string // of the original, "<…>"; may be empty
	Sent, At  time.Time
	Lang      string
}

// NotForMe composes the notice that a recipient closed the message as not meant for them.
func (c *Composer) NotForMe(e Event) (store.OwnMail, error) {
	w := c.write(e.Lang)
	w.subject = w.say(phraseNotForMeSubject, e.Recipient.String())
	w.para(phraseNotForMe, e.Recipient.String())
	w.eventFacts(e, phraseClosed)
	w.para(phraseNotForMeKept)
	w.para(phraseNotForMeNextOne)
	w.para(phraseNotForMeNextTwo)
	return c.toSender(w, e, store.KindNotForMe)
}

// ExpiredUnread composes the notice that nobody opened the message until it expired, at e.At.
func (c *Composer) ExpiredUnread(e Event) (store.OwnMail, error) {
	w := c.write(e.Lang)
	w.subject = w.say(phraseExpiredSubject, e.Recipient.String())
	w.para(phraseExpired)
	w.eventFacts(e, phraseWasUntil)
	w.para(phraseExpiredGone, e.Recipient.String())
	w.para(phraseExpiredNext)
	return c.toSender(w, e, store.KindExpired)
}

func (w *writer) eventFacts(e Event, atLabel string) {
	to := w.fact(phraseSentTo, "")
	to.address = e.Recipient.String()
	w.add(block{facts: []fact{to, w.fact(phraseSent, w.date(e.Sent)), w.fact(atLabel, w.date(e.At))}})
}

// toSender is the row "confirmation; not picked up; expired unread; not for me" of MAIL §6: null sender, since an answer
// to our answer would loop.
func (c *Composer) toSender(w *writer, e Event, kind store.Kind) (store.OwnMail, error) {
	d := draft{id: e.ID, kind: kind, to: store.Rcpt{Address: e.To}, about: e.About, from: w.fromOrg(),
		thread: e.MessageID, auto: autoReplied, suppress: suppressAll, sheet: w.close(phraseSenderReason, c.org.Name)}
	m, _, err := c.compose(d)
	return m, err
}
