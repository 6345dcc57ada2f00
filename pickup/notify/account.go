package notify

import (
	"fmt"
	"time"

	"postern/store"
	"postern/store/mail"
)

// AccountMail tells the owner of an address what happened to the account of that address.
type AccountMail struct {
	ID      store.MessageID // of the mail
	To      store.Address   // the account's stored address, never a typed spelling (KEYS K9)
	Link    string          // Welcome: {pickup.url}/w/{token}; the other mails have none
	Browser string          // short label of the browser that did it
	At      time.Time
	Lang    string
}

// ReplyFailure tells the writer of a reply that the mail server of its reader did not take it.
type ReplyFailure struct {
	ID        store.MessageID
	About     store.RcptKey // the reply's recipient
	To        store.Address // the writer's account
	Recipient mail.Mailbox  // whom the reply was for
	Written   time.Time
	At        time.Time // when the delivery failed for good
	Visit     bool      // it was written without an account, with a mailed code
	Lang      string
}

// Welcome composes the mail after a registration (KEYS K8): time and browser, and a link to say who it was.
func (c *Composer) Welcome(a AccountMail) (store.OwnMail, error) {
	if err := c.checkLink(a.Link); err != nil {
		return store.OwnMail{}, fmt.Errorf("compose welcome: %w", err)
	}
	w := c.write(a.Lang)
	w.subject = w.say(phraseWelcomeSubject, a.To.String(), c.org.Name)
	w.para(phraseWelcome, c.org.Name)
	w.accountFacts(a)
	w.para(phraseWelcomeLink)
	w.add(block{link: a.Link})
	w.asked(phraseWasItYou, phraseWelcomeYes)
	w.asked(phraseWasItOther, phraseWelcomeNo)
	w.para(phraseWelcomeNothing)
	w.asked(phraseNoLinkLead, phraseWelcomeNoLink, c.siteTip)
	w.para(phraseNeverAsk)
	return c.toAccount(w, a, store.KindWelcome)
}

// PasswordChanged composes the mail after a change of password.
func (c *Composer) PasswordChanged(a AccountMail) (store.OwnMail, error) {
	w := c.write(a.Lang)
	w.subject = w.say(phraseChangedSubject, c.org.Name)
	w.para(phraseChanged, c.org.Name)
	w.accountFacts(a)
	w.asked(phraseWasItYou, phraseChangedMine)
	w.asked(phraseWasItOther, phraseChangedOther)
	w.para(phraseNeverAsk)
	return c.toAccount(w, a, store.KindAccount)
}

// AccountShut composes the mail to somebody whose account an administrator disabled (KEYS K9 "Disabled"). It names nobody.
func (c *Composer) AccountShut(a AccountMail) (store.OwnMail, error) {
	w := c.write(a.Lang)
	w.subject = w.say(phraseShutSubject, c.org.Name)
	w.para(phraseShut, c.org.Name)
	w.accountFacts(a)
	w.para(phraseShutMeans)
	w.para(phraseRemovedOther)
	w.para(phraseNeverAsk)
	return c.toAccount(w, a, store.KindAccount)
}

// Disowned composes the answer to "it was not me" of a welcome mail; At and Browser are those of that answer.
func (c *Composer) Disowned(a AccountMail) (store.OwnMail, error) {
	w := c.write(a.Lang)
	w.subject = w.say(phraseDisownedSubject, a.To.String(), c.org.Name)
	w.para(phraseDisowned)
	w.accountFacts(a)
	w.para(phraseDisownedNext)
	w.asked(phraseDisownedLead, phraseDisownedOther)
	w.para(phraseNeverAsk)
	return c.toAccount(w, a, store.KindAccount)
}

// ReplyNotDelivered composes the mail to the writer of a reply that failed (MAIL §7).
func (c *Composer) ReplyNotDelivered(r ReplyFailure) (store.OwnMail, error) {
	w := c.write(r.Lang)
	w.subject = w.say(phraseFailedSubject, person(r.Recipient))
	w.para(phraseFailed, c.org.Name)
	to := w.fact(phraseFor, personName(r.Recipient))
	to.address = r.Recipient.Address.String()
	w.add(block{facts: []fact{to, w.fact(phraseWritten, w.date(r.Written))}})
	reason := phraseAccountReason
	if r.Visit {
		w.para(phraseFailedVisit)
		reason = phraseFailedReason
	} else {
		w.para(phraseFailedKept)
		w.para(phraseFailedNext, c.siteTip)
	}
	a := AccountMail{ID: r.ID, To: r.To, Lang: r.Lang}
	d := c.accountDraft(w, a, store.KindAccount)
	d.sheet.reason = w.sentence(reason, r.To.String(), c.org.Name)
	d.about = r.About
	m, _, err := c.compose(d)
	return m, err
}

func (w *writer) accountFacts(a AccountMail) {
	address := w.fact(phraseFor, "")
	address.address = a.To.String()
	facts := []fact{address, w.fact(phraseTime, w.date(a.At))}
	if b := browserName(a.Browser); b != "" {
		facts = append(facts, w.fact(phraseBrowser, b))
	}
	w.add(block{facts: facts})
}

// browserName is what a browser says of itself, which anybody can make up.
func browserName(s string) string {
	return cut(personName(mail.Mailbox{Name: s}), maxBrowser)
}

func (c *Composer) toAccount(w *writer, a AccountMail, kind store.Kind) (store.OwnMail, error) {
	m, _, err := c.compose(c.accountDraft(w, a, kind))
	return m, err
}

// accountDraft is the row "account mails" of MAIL §6.
func (c *Composer) accountDraft(w *writer, a AccountMail, kind store.Kind) draft {
	return c.accountSheet(w, a, kind, w.close(phraseAccountReason, a.To.String(), c.org.Name))
}

// accountSheet is accountDraft with another end.
func (c *Composer) accountSheet(w *writer, a AccountMail, kind store.Kind, sheet sheet) draft {
	return draft{id: a.ID, kind: kind, mailFrom: &c.from, to: store.Rcpt{Address: a.To}, envID: a.ID.String(),
		from: w.fromOrg(), replyTo: c.support, auto: autoGenerated, suppress: suppressAll, sheet: sheet}
}
