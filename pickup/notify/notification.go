package notify

import (
	"fmt"
	"strings"
	"time"

	"postern/store"
	"postern/store/mail"
)

// Notice is what a notification tells, and about whom. Nothing of it is content of the message: Original is carried for
// the report of a failed delivery only (KEYS K4) and never rendered.
type Notice struct {
	ID       store.MessageID // of the notification itself
	About    store.RcptKey   // whose share of the message it announces
	To       store.Rcpt
	Author   mail.Mailbox
	Sender   *store.Address // envelope sender of the original, where bounces go (MAIL 6.3); nil: null
	Link     string         // {pickup.url}/p/{token}
	Sent     time.Time
	Expires  time.Time // zero: says nothing of it
	GiveUp   time.Time // zero: five days from now
	Blind    bool      // not named in To or Cc
	External bool      // the author is not of the organisation: a reply to all from the site
	NoReply  bool      // the site takes no reply
	InInbox  bool      // the reader's password opens it: nothing is said of a first time
	Original store.Excerpt
	Lang     string // of the recipient; empty: the organisation's
}

// Notification composes the mail that tells a recipient of a sealed message, and returns its Message-ID beside it.
func (c *Composer) Notification(n Notice) (store.OwnMail, string, error) {
	if err := c.checkLink(n.Link); err != nil {
		return store.OwnMail{}, "", fmt.Errorf("compose notification: %w", err)
	}
	w := c.write(n.Lang)
	w.subject = w.noticeSubject(n, phraseSubject, phraseSubjectExternal)
	w.title = w.sentence(phraseSubjectExternal, person(n.Author))
	w.openNotice(n)
	w.add(block{link: n.Link})
	w.add(block{facts: w.noticeFacts(n)})
	w.circumstances(n)
	w.access(n.InInbox)
	w.asked(phraseNotMineLead, phraseNotMine, person(n.Author))
	w.answer(n)
	return c.compose(w.noticeDraft(n, store.KindNotification))
}

// access says how the way to a message goes, the first time unless it is in the reader's inbox, and how it goes without
// following a link.
func (w *writer) access(inInbox bool) {
	if inInbox {
		w.para(phraseInInbox)
		w.para(phraseReminderAsks)
		w.asked(phraseNoLinkLead, phraseReminderNoLink, w.c.siteTip)
		return
	}
	if w.c.first == store.AccessCode {
		w.para(phraseFirstTimeCode)
		w.asked(phraseNoLinkLead, phraseNoLinkCode, w.c.siteTip)
		return
	}
	if w.c.first == store.AccessTemporary {
		w.para(phraseFirstTimeTemporary)
	} else {
		w.para(phraseFirstTime)
	}
	w.asked(phraseNoLinkLead, phraseNoLink, w.c.siteTip)
}

// shared says what it means that several people read the mail of an address.
func (w *writer) shared(address string) {
	if w.c.first == store.AccessCode {
		w.para(phraseSharedCode, address)
		return
	}
	w.para(phraseShared, address)
}

// openNotice says who has written: in the text part in words, in the HTML part by title and facts.
func (w *writer) openNotice(n Notice) {
	name, address, org, short := personName(n.Author), n.Author.Address.String(), w.c.org.Name, w.short()
	var opening string
	switch {
	case n.External && name == "":
		opening = w.sentence(phraseOpeningOutsider, address, org, short)
	case n.External:
		opening = w.sentence(phraseOpeningExternal, name, address, org, short)
	case name == "":
		opening = w.sentence(phraseOpeningNameless, address, org, short)
	default:
		opening = w.sentence(phraseOpening, name, address, org, short)
	}
	w.add(block{only: textOnly, text: opening})
	w.add(block{only: htmlOnly, text: w.sentence(phraseOpeningShort, short)})
}

func (w *writer) noticeFacts(n Notice) []fact {
	by := w.fact(phraseWrittenBy, personName(n.Author))
	by.address, by.only = n.Author.Address.String(), htmlOnly
	facts := []fact{by, w.fact(phraseSent, w.date(n.Sent))}
	if !n.Expires.IsZero() {
		until := w.fact(phraseOpenUntil, w.date(n.Expires))
		until.strong = true
		facts = append(facts, until)
	}
	return facts
}

// circumstances says what is unusual about this recipient.
func (w *writer) circumstances(n Notice) {
	if n.Blind {
		w.para(phraseBlind)
	}
	if roleAddress(n.To.Address) {
		w.shared(n.To.Address.String())
	}
}

// answer says where answers go. One to the mail itself reaches only an author whom its Reply-To names.
func (w *writer) answer(n Notice) {
	who := person(n.Author)
	reached := !n.External && asciiMailbox(n.Author) != nil
	switch {
	case n.NoReply && !reached:
		w.para(phraseAnswerNothing, who)
	case n.NoReply:
		w.para(phraseAnswerNone, who)
	case !reached:
		w.para(phraseAnswerExternal, who)
	case n.Blind:
		w.para(phraseAnswerBlind, who)
	default:
		w.para(phraseAnswer, who)
	}
}

func (w *writer) noticeSubject(n Notice, internal, external string) string {
	if n.External {
		return w.say(external, person(n.Author))
	}
	return w.say(internal, person(n.Author), w.c.org.Name)
}

// noticeDraft is the row "notification, reminder, re-notify" of MAIL §6.
func (w *writer) noticeDraft(n Notice, kind store.Kind) draft {
	reason := phraseReason
	if n.External {
		reason = phraseReasonExternal
	}
	to := n.To
	to.Notify = store.NotifyFailure | store.NotifyDelay
	d := draft{id: n.ID, kind: kind, mailFrom: w.c.bounceTo(n.Sender), to: to, ret: store.RetHdrs, envID: n.About.Message.String(),
		about: n.About, giveUp: n.GiveUp, excerpt: n.Original, auto: autoGenerated, suppress: suppressNotice,
		from: &mail.Mailbox{Name: w.via(person(n.Author)), Address: w.c.from}}
	if !n.External {
		d.replyTo = asciiMailbox(n.Author)
	}
	d.sheet = w.close(reason, person(n.Author), w.c.org.Name, n.To.Address.String())
	return d
}

// roleAddress reports whether an address is by its name likely to be read by several people: the names of RFC 2142 and
// their everyday kin.
func roleAddress(a store.Address) bool {
	local := strings.ToLower(a.Local)
	switch local {
	case "info", "marketing", "sales", "support", "abuse", "noc", "security", "postmaster", "hostmaster", "webmaster",
		"office", "contact", "team", "staff", "reception", "accounts", "billing", "list", "everyone", "all":
		return true
	}
	return strings.HasSuffix(local, "-list") || strings.HasSuffix(local, "-team") || strings.HasPrefix(local, "list-")
}
