package notify

import (
	"fmt"
	"time"

	"postern/store"
)

// Reminder is a later mail about a message that was announced before (KEYS K11). Link is empty, or leads to the message
// itself ({pickup.url}/m/{mid}) for somebody who can sign in; a link with a new secret is a Notification again.
type Reminder struct {
	Notice
	First     string    // Message-ID of the notification
	FirstSent time.Time // when it went out
}

// Reminder composes a reminder. It holds no secret.
func (c *Composer) Reminder(r Reminder) (store.OwnMail, error) {
	w := c.write(r.Lang)
	w.subject = w.noticeSubject(r.Notice, phraseReminder, phraseReminderExternal)
	w.para(phraseReminderOpening, w.short())
	w.add(block{facts: w.reminderFacts(r.Notice)})
	if r.Link != "" {
		if err := c.checkLink(r.Link); err != nil {
			return store.OwnMail{}, fmt.Errorf("compose reminder: %w", err)
		}
		w.para(phraseReminderSignIn)
		w.add(block{link: r.Link})
		w.asked(phraseNoLinkLead, phraseReminderNoLink, c.siteTip)
	} else {
		w.para(phraseReminderFirst, w.date(r.FirstSent))
		w.para(phraseReminderLost, person(r.Author))
		w.asked(phraseNotMineLead, phraseReminderNotMine, person(r.Author))
	}
	w.para(phraseReminderAsks)
	w.answer(r.Notice)
	d := w.noticeDraft(r.Notice, store.KindReminder)
	d.thread = r.First
	m, _, err := c.compose(d)
	return m, err
}

func (w *writer) reminderFacts(n Notice) []fact {
	facts := w.noticeFacts(n)
	facts[0].only = both
	return facts
}
