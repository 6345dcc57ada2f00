package notify

import (
	"fmt"
	"time"

	"postern/store"
)

// AliasMail is about another address for an account (KEYS K9 "Alias"); At and Browser are those of what was done on the
// site.
type AliasMail struct {
	AccountMail
	Account store.Address // the account's own address
	Alias   store.Address
	Until   time.Time // AliasAsked: when the link stops working
}

// AliasAsked composes the mail to an address that somebody wants to add to an account (B13). Its link does nothing
// without that account's session.
func (c *Composer) AliasAsked(a AliasMail) (store.OwnMail, error) {
	if err := c.checkLink(a.Link); err != nil {
		return store.OwnMail{}, fmt.Errorf("compose alias mail: %w", err)
	}
	w := c.write(a.Lang)
	w.subject = w.say(phraseAliasSubject, a.Account.String(), c.org.Name)
	w.para(phraseAlias, a.Account.String(), c.org.Name)
	w.aliasFacts(a)
	w.para(phraseAliasLink, a.Account.String())
	w.add(block{link: a.Link})
	w.asked(phraseAliasMeansLead, phraseAliasMeans, w.date(a.Until))
	w.asked(phraseAliasOtherLead, phraseAliasOther)
	w.asked(phraseNoLinkLead, phraseWelcomeNoLink, c.siteTip)
	w.para(phraseNeverAsk)
	end := w.close(phraseAliasReason, a.Account.String(), c.org.Name, a.Alias.String())
	m, _, err := c.compose(c.accountSheet(w, a.AccountMail, store.KindAccount, end))
	return m, err
}

// AliasAdded composes the mail to the account's own address after an address was added.
func (c *Composer) AliasAdded(a AliasMail) (store.OwnMail, error) {
	w := c.write(a.Lang)
	w.subject = w.say(phraseAddedSubject, a.Alias.String(), c.org.Name)
	w.para(phraseAdded, c.org.Name)
	w.aliasFacts(a)
	w.asked(phraseWasItYou, phraseAddedMine)
	w.asked(phraseWasItOther, phraseAddedOther, c.siteTip)
	w.para(phraseNeverAsk)
	return c.toAccount(w, a.AccountMail, store.KindAccount)
}

// AccountMerged composes the mail to an address whose own account became a part of another one: who was not the one to
// follow the link learns of it.
func (c *Composer) AccountMerged(a AliasMail) (store.OwnMail, error) {
	w := c.write(a.Lang)
	w.subject = w.say(phraseAliasSubject, a.Account.String(), c.org.Name)
	w.para(phraseMerged, c.org.Name)
	w.aliasFacts(a)
	w.asked(phraseWasItYou, phraseAddedMine)
	w.asked(phraseWasItOther, phraseMergedOther)
	w.para(phraseNeverAsk)
	end := w.close(phraseAliasReason, a.Account.String(), c.org.Name, a.Alias.String())
	m, _, err := c.compose(c.accountSheet(w, a.AccountMail, store.KindAccount, end))
	return m, err
}

// AliasRemoved composes the mail to the account's own address after an address was removed from it, by its owner or by
// the help desk.
func (c *Composer) AliasRemoved(a AliasMail) (store.OwnMail, error) {
	w := c.removed(a)
	w.para(phraseRemovedOwn)
	w.para(phraseRemovedOther)
	w.para(phraseNeverAsk)
	return c.toAccount(w, a.AccountMail, store.KindAccount)
}

// AddressFreed composes the mail to an address that was removed from an account and has a place of its own again.
func (c *Composer) AddressFreed(a AliasMail) (store.OwnMail, error) {
	w := c.removed(a)
	w.para(phraseRemovedFreed)
	w.para(phraseRemovedOther)
	w.para(phraseNeverAsk)
	end := w.close(phraseAliasReason, a.Account.String(), c.org.Name, a.Alias.String())
	m, _, err := c.compose(c.accountSheet(w, a.AccountMail, store.KindAccount, end))
	return m, err
}

// removed begins the mails about an address that left an account.
func (c *Composer) removed(a AliasMail) *writer {
	w := c.write(a.Lang)
	w.subject = w.say(phraseRemovedSubject, a.Alias.String(), c.org.Name)
	w.para(phraseRemoved, c.org.Name)
	w.addressFacts(phraseRemovedAddress, a)
	return w
}

func (w *writer) aliasFacts(a AliasMail) { w.addressFacts(phraseAliasNew, a) }

func (w *writer) addressFacts(label string, a AliasMail) {
	alias, account := w.fact(label, ""), w.fact(phraseAliasAccount, "")
	alias.address, account.address = a.Alias.String(), a.Account.String()
	facts := []fact{alias, account, w.fact(phraseTime, w.date(a.At))}
	if b := browserName(a.Browser); b != "" {
		facts = append(facts, w.fact(phraseBrowser, b))
	}
	w.add(block{facts: facts})
}
