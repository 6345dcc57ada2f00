package notify

import (
	"fmt"
	"time"

	"postern/store"
	"postern/store/mail"
)

// FirstPasswordMail carries a temporary password for an address without account (KEYS K8 "temporary-password"), apart
// from the notification that has the link. It has no link.
type FirstPasswordMail struct {
	ID       store.MessageID // of the mail
	To       store.Address
	Author   mail.Mailbox // of the message
	Password string
	Until    time.Time
	GiveUp   time.Time // zero: five days from now
	Lang     string
}

// FirstPassword composes that mail.
func (c *Composer) FirstPassword(m FirstPasswordMail) (store.OwnMail, error) {
	if m.Password == "" {
		return store.OwnMail{}, fmt.Errorf("compose temporary password: %w", errNoCode)
	}
	w := c.write(m.Lang)
	w.subject = w.say(phraseTemporarySubject, c.org.Name)
	w.para(phraseFirstSecret, c.org.Name, person(m.Author))
	w.add(block{code: m.Password})
	until := w.fact(phraseTemporaryUntil, w.date(m.Until))
	until.strong = true
	address := w.fact(phraseFor, "")
	address.address = m.To.String()
	w.add(block{facts: []fact{address, until}})
	w.para(phraseFirstHow)
	w.asked(phraseNoLinkLead, phraseTemporary, c.siteTip)
	w.para(phraseNeverAsk)
	d := c.accountDraft(w, AccountMail{ID: m.ID, To: m.To, Lang: m.Lang}, store.KindAccount)
	d.sheet.reason = w.sentence(phraseFirstReason, m.To.String(), c.org.Name)
	d.giveUp = m.GiveUp
	own, _, err := c.compose(d)
	return own, err
}

// PasswordChosen composes the mail after somebody chose the first password of an address by a temporary one, or by an
// invitation.
func (c *Composer) PasswordChosen(a AccountMail) (store.OwnMail, error) {
	w := c.write(a.Lang)
	w.subject = w.say(phraseWelcomeSubject, a.To.String(), c.org.Name)
	w.para(phraseWelcome, c.org.Name)
	w.accountFacts(a)
	w.asked(phraseWasItYou, phraseChosenMine)
	w.asked(phraseWasItOther, phraseChangedOther)
	w.para(phraseNeverAsk)
	return c.toAccount(w, a, store.KindAccount)
}
