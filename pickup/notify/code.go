package notify

import (
	"errors"
	"fmt"
	"time"

	"postern/store"
	"postern/store/mail"
)

// CodeMail carries a code that was asked for on the page of a link (KEYS K8 "code"). At and Browser are those of the
// request; it has no link.
type CodeMail struct {
	AccountMail
	Code   string
	Mark   string       // letters that the page shows too, to tell this mail from those before
	Author mail.Mailbox // of the message
	Ends   time.Time    // of the code; the mail is not tried for longer
}

var errNoCode = errors.New("the mail has no code")

// Code composes the mail with a code.
func (c *Composer) Code(m CodeMail) (store.OwnMail, error) {
	if m.Code == "" {
		return store.OwnMail{}, fmt.Errorf("compose code: %w", errNoCode)
	}
	w := c.write(m.Lang)
	w.subject = w.say(phraseCodeSubject, c.org.Name)
	w.title = w.sentence(phraseCodeTitle, person(m.Author))
	w.para(phraseCode)
	w.add(block{code: m.Code})
	w.para(phraseCodeMark, m.Mark)
	asked := w.fact(phraseFor, "")
	asked.address = m.To.String()
	until := w.fact(phraseCodeUntil, w.date(m.Ends))
	until.strong = true
	facts := []fact{asked, w.fact(phraseTime, w.date(m.At)), until}
	if b := browserName(m.Browser); b != "" {
		facts = append(facts, w.fact(phraseBrowser, b))
	}
	w.add(block{facts: facts})
	w.asked(phraseCodeOtherLead, phraseCodeOther)
	w.para(phraseNeverAsk)
	d := c.accountDraft(w, m.AccountMail, store.KindCode)
	d.sheet.reason = w.sentence(phraseCodeReason, m.To.String(), c.org.Name)
	d.giveUp = m.Ends
	own, _, err := c.compose(d)
	return own, err
}
