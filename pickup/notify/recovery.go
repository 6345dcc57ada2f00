package notify

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"postern/store"
)

// RecoveryMail goes to an account's stored address because somebody, perhaps a stranger, asked for it on the site; At
// and Browser are those of the request (KEYS K9 "Forgotten").
type RecoveryMail struct {
	AccountMail
	Until  time.Time // when link or temporary password stop working
	Secret string    // PasswordReminder: the phrase, may be empty; TemporaryPassword: the password
}

// maxPhrase bounds a reminder phrase in a mail, in characters.
const maxPhrase = 200

// PasswordReminder composes the mail with the reminder phrase (A2), or with the word that there is none.
func (c *Composer) PasswordReminder(r RecoveryMail) (store.OwnMail, error) {
	w := c.write(r.Lang)
	w.subject = w.say(phraseHintSubject, c.org.Name)
	w.para(phraseHint, c.org.Name)
	w.accountFacts(r.AccountMail)
	if phrase := harmless(r.Secret); phrase != "" {
		w.asked(phraseHintLead, phraseHintText, phrase)
	} else {
		w.asked(phraseHintLead, phraseHintNone)
	}
	w.asked(phraseHintNextLead, phraseHintNext, c.siteTip)
	w.asked(phraseNotAskedLead, phraseHintNotAsked)
	w.para(phraseNeverAsk)
	return c.toAccount(w, r.AccountMail, store.KindAccount)
}

// ActivatePassword composes the mail that lets a new password be activated or declined (A5).
func (c *Composer) ActivatePassword(r RecoveryMail) (store.OwnMail, error) {
	w := c.write(r.Lang)
	w.subject = w.say(phraseActivateSubject, c.org.Name)
	w.para(phraseActivate, c.org.Name)
	w.accountFacts(r.AccountMail)
	w.para(phraseActivateLink, w.date(r.Until))
	return c.withLink(w, r, func() {
		w.asked(phraseWasItYou, phraseActivateYes)
		w.asked(phraseWasItOther, phraseActivateNo)
		w.para(phraseActivatePrice)
	})
}

// ResetPassword composes the mail with a link to choose a new password (C10).
func (c *Composer) ResetPassword(r RecoveryMail) (store.OwnMail, error) {
	w := c.write(r.Lang)
	w.subject = w.say(phraseResetSubject, c.org.Name)
	w.para(phraseReset, c.org.Name)
	w.accountFacts(r.AccountMail)
	w.para(phraseResetLink, w.date(r.Until))
	return c.withLink(w, r, func() {
		w.para(phraseResetPrice)
		w.asked(phraseNotAskedLead, phraseResetNotAsked)
	})
}

// withLink adds the link of a mail, what is to be said of it, and the way without it.
func (c *Composer) withLink(w *writer, r RecoveryMail, say func()) (store.OwnMail, error) {
	if err := c.checkLink(r.Link); err != nil {
		return store.OwnMail{}, fmt.Errorf("compose mail with a link: %w", err)
	}
	w.add(block{link: r.Link})
	say()
	w.asked(phraseNoLinkLead, phraseWelcomeNoLink, c.siteTip)
	w.para(phraseNeverAsk)
	return c.toAccount(w, r.AccountMail, store.KindAccount)
}

// TemporaryPassword composes the mail with a password that leads to a change of password and nowhere else (C9).
func (c *Composer) TemporaryPassword(r RecoveryMail) (store.OwnMail, error) {
	w := c.write(r.Lang)
	w.subject = w.say(phraseTemporarySubject, c.org.Name)
	w.para(phraseReset, c.org.Name)
	w.accountFacts(r.AccountMail)
	w.para(phraseTemporary, c.siteTip)
	w.add(block{facts: []fact{w.fact(phraseTemporaryLabel, r.Secret), w.fact(phraseTemporaryUntil, w.date(r.Until))}})
	w.para(phraseTemporaryOnce)
	w.para(phraseResetPrice)
	w.asked(phraseNotAskedLead, phraseTemporaryNotAsked)
	w.para(phraseNeverAsk)
	return c.toAccount(w, r.AccountMail, store.KindAccount)
}

// harmless is a reminder phrase as it may stand in a mail. Whoever registered chose it, and that may have been somebody
// with a forwarded link, so nothing in it may look like an address or a link, or be markup.
func harmless(phrase string) string {
	rs := []rune(oneLine(norm.NFKC.String(phrase[:min(len(phrase), maxRawName)])))
	var b strings.Builder
	for i, r := range rs {
		switch {
		case strings.ContainsRune(`@\<>`, r):
			b.WriteByte(' ')
		case r == ':' && i > 0 && unicode.IsLetter(rs[i-1]) && i+1 < len(rs) && rs[i+1] != ' ':
			b.WriteString(" : ")
		case r == '/' && i > 0 && rs[i-1] == '/':
			b.WriteString(" /")
		case r == '.' && i > 2 && strings.EqualFold(string(rs[i-3:i]), "www"):
			b.WriteByte(' ')
		default:
			b.WriteRune(r)
		}
	}
	return cut(oneLine(spaceDots(b.String())), maxPhrase)
}
