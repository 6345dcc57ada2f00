package notify

import (
	"fmt"
	"time"

	"postern/store"
	"postern/store/mail"
)

// InvitationMail invites somebody to secure mail (B3). From is the member in whose name it goes out (B10); nil: the
// organisation itself.
type InvitationMail struct {
	AccountMail
	From   *mail.Mailbox
	Until  time.Time // when the link stops working
	Member bool      // may send, too
}

// Invitation composes the row "invitation" of MAIL §6.
func (c *Composer) Invitation(m InvitationMail) (store.OwnMail, error) {
	if err := c.checkLink(m.Link); err != nil {
		return store.OwnMail{}, fmt.Errorf("compose invitation: %w", err)
	}
	w := c.write(m.Lang)
	w.subject = w.say(phraseInviteSubject, c.org.Name)
	if m.From != nil {
		w.para(phraseInviteBy, person(*m.From), c.org.Name)
	} else {
		w.para(phraseInvite, c.org.Name)
	}
	switch {
	case m.Member && c.tag != "":
		w.para(phraseInviteMemberTag, c.org.Name, c.tag)
	case m.Member:
		w.para(phraseInviteMember, c.org.Name)
	default:
		w.para(phraseInviteGuest, c.org.Name)
	}
	address := w.fact(phraseFor, "")
	address.address = m.To.String()
	w.add(block{facts: []fact{address, w.fact(phraseOpenUntil, w.date(m.Until))}})
	w.para(phraseInviteLink)
	w.add(block{link: m.Link})
	w.asked(phraseNoLinkLead, phraseWelcomeNoLink, c.siteTip)
	w.asked(phraseInviteNotLead, phraseInviteNot)
	w.para(phraseNeverAsk)
	d := c.accountSheet(w, m.AccountMail, store.KindAccount, w.close(phraseInviteReason, m.To.String(), c.org.Name))
	d.replyTo = nil
	if m.From != nil {
		if from := asciiMailbox(mail.Mailbox{Name: personName(*m.From), Address: m.From.Address}); from != nil {
			d.from = from
		}
	}
	own, _, err := c.compose(d)
	return own, err
}
