package notify

// The sentences of all mails, as ids of the catalogue. Each is whole; what stands in for a verb is a name, an address, a
// date or a host, never a piece of a sentence. The organisation is "we", the reader "you"; nobody's gender is guessed, a
// name is repeated instead. Words that scams live on are not used; a test holds the list.
const (
	// Display names. 1: person or address, 2: organisation.
	phraseVia     = "%[1]s via %[2]s"
	phraseOrgMail = "%[1]s Secure Mail"
	phraseService = "Secure mail"

	// Dates. 1: weekday, 2: day, 3: month, 4: year, 5: clock, 6: zone. phraseFirst is the first day of a month, which some
	// languages write as an ordinal.
	phraseDate  = "%[1]s %[2]s %[3]s %[4]d, %[5]s %[6]s"
	phraseClock = "%02[1]d:%02[2]d"
	phraseFirst = "1"

	// Labels of facts; phraseLabel is how one stands in plain text.
	phraseLabel     = "%[1]s:"
	phraseWrittenBy = "Written by"
	phraseSent      = "Sent"
	phraseSentTo    = "Sent to"
	phraseOpenUntil = "Open until"
	phraseWasUntil  = "Was open until"
	phraseClosed    = "Closed"
	phraseTime      = "Time"
	phraseBrowser   = "Browser"
	phraseFor       = "For"
	phraseWritten   = "Written"

	phraseHelp = "Help: %[1]s"
)

// The notification. 1: author, 2: author's address or organisation, 3: organisation, last: short name, as the phrase
// shows.
const (
	phraseSubject         = "%[1]s of %[2]s has written to you"
	phraseSubjectExternal = "%[1]s has written to you"

	phraseOpening         = "%[1]s (%[2]s) of %[3]s has written to you. The message is private, so it does not travel by ordinary email. It is kept sealed for you on %[4]s's own site:"
	phraseOpeningNameless = "%[1]s of %[2]s has written to you. The message is private, so it does not travel by ordinary email. It is kept sealed for you on %[3]s's own site:"
	phraseOpeningExternal = "%[1]s (%[2]s) has written to you in answer to a message from %[3]s. The answer is private, so it does not travel by ordinary email. It is kept sealed for you on %[4]s's own site:"
	phraseOpeningOutsider = "%[1]s has written to you in answer to a message from %[2]s. The answer is private, so it does not travel by ordinary email. It is kept sealed for you on %[3]s's own site:"
	phraseOpeningShort    = "The message is private, so it does not travel by ordinary email. It is kept sealed for you on %[1]s's own site:"

	phraseBlind  = "You receive this message as a blind copy: the others who got it do not see your address."
	phraseShared = "Do several people read the mail of %[1]s? Then they share this message: the site has one password for that address."

	phraseSharedCode = "Do several people read the mail of %[1]s? Then they share this message: each of them can ask the site for a code."

	phraseFirstTimeTemporary = "The first time, the site asks for the temporary password that we mail you apart from this, and then for a password of your own. It never asks for the password of your email, for bank details or for a payment."

	phraseFirstTimeCode = "Unless you have a password for the site, it mails you a code when you follow the link. It never asks for the password of your email, for bank details or for a payment."
	phraseFirstTime     = "The first time, the site asks you to choose a password for it. It never asks for the password of your email, for bank details or for a payment."

	phraseInInbox = "You have a password for the site already: it opens the message."

	phraseNoLinkLead = "You would rather not follow a link?"
	phraseNoLinkCode = "Type %[1]s into your browser instead. There you can paste the link, or sign in if you have a password."
	phraseNoLink     = "Type %[1]s into your browser instead. There you can paste the link, or sign in if you have a password: new messages are in your inbox there once you have answered our welcome mail."

	phraseNotMineLead = "Not meant for you?"
	phraseNotMine     = "The page behind the link lets you close the message unopened. %[1]s is then told."

	phraseAnswer         = "To answer in private, reply on the site. An answer to this mail reaches %[1]s too, but as ordinary email."
	phraseAnswerBlind    = "To answer %[1]s in private, reply on the site. An answer to this mail reaches %[1]s too, but as ordinary email."
	phraseAnswerExternal = "To answer, reply on the site. An answer to this mail does not reach %[1]s."
	phraseAnswerNone     = "The site takes no reply to this message. An answer to this mail reaches %[1]s as ordinary email."
	phraseAnswerNothing  = "The site takes no reply to this message, and an answer to this mail does not reach %[1]s."

	phraseReason         = "You get this mail because %[1]s at %[2]s sent a private message to %[3]s."
	phraseReasonExternal = "You get this mail because %[1]s sent a private message to %[3]s through the site of %[2]s."
)

// The reminder. It holds no secret: it leads to the first mail, or to the sign-in of somebody who has a password.
const (
	phraseReminder         = "A message from %[1]s of %[2]s is waiting for you"
	phraseReminderExternal = "A message from %[1]s is waiting for you"

	phraseReminderOpening = "The message is private, so it is kept sealed for you on %[1]s's own site. It has not been opened yet."
	phraseReminderFirst   = "The link to it is in the mail that we sent you on %[1]s. Look for that mail and follow its link."
	phraseReminderSignIn  = "You have a password for the site already. Sign in there to read the message:"
	phraseReminderNoLink  = "Type %[1]s into your browser and sign in: the message is in your inbox."
	phraseReminderLost    = "That mail is gone? Then ask %[1]s to send the message again."
	phraseReminderNotMine = "The page behind the link in that mail lets you close the message unopened. %[1]s is then told."
	phraseReminderAsks    = "The site never asks for the password of your email, for bank details or for a payment."
)

// The notices to senders. 1: recipient's address, 2: date or organisation.
const (
	phraseNotForMeSubject = "Your message to %[1]s was closed: they say that it is not meant for them"
	phraseNotForMe        = "Somebody who has the link for %[1]s tells us that your message is not meant for them, and has closed it unopened:"
	phraseNotForMeKept    = "The message stays closed until it expires; then it is destroyed."
	phraseNotForMeNextOne = "Was it the wrong address? Send the message again to the right one."
	phraseNotForMeNextTwo = "Was it the right address? Then speak to the person before you send the message again."

	phraseExpiredSubject = "Your message to %[1]s was not opened in time"
	phraseExpired        = "Nobody opened your message while it was open:"
	phraseExpiredGone    = "%[1]s can no longer open it, and nobody can bring it back."
	phraseExpiredNext    = "If it still matters, send it again. That makes a new message, with a new notification mail and a new link."

	phraseSenderReason = "You get this mail because you sent a private message through %[1]s Secure Mail."
)

// The mails about an account. 1: address, 2: organisation, unless the phrase shows otherwise.
const (
	phraseWelcomeSubject = "A password was chosen for %[1]s at %[2]s Secure Mail"
	phraseWelcome        = "On the site where %[1]s keeps private messages, a password was chosen for your address:"
	phraseWelcomeLink    = "This page lets you say whether it was you:"
	phraseWasItYou       = "Was it you?"
	phraseWelcomeYes     = "Sign in on that page and say so. From then on, every new message waits in your inbox on the site."
	phraseWasItOther     = "Was it somebody else?"
	phraseWelcomeNo      = "Say so on that page. The password then stops working, and whoever chose it is signed out."
	phraseWelcomeNothing = "Until you say that it was you, the password opens only messages whose own link is used with it. Opening one that was sent after this mail counts as a yes."
	phraseWelcomeNoLink  = "Type %[1]s into your browser instead, and paste the link there."

	phraseChangedSubject = "Your password for %[1]s Secure Mail was changed"
	phraseChanged        = "On the site where %[1]s keeps private messages for you, the password of your address was changed:"
	phraseChangedMine    = "Then there is nothing left to do. Other browsers that were signed in have been signed out."
	phraseChangedOther   = "Then please tell the help desk named below. It can lock that person out."

	phraseShutSubject = "Your account with %[1]s Secure Mail was shut"
	phraseShut        = "On the site where %[1]s keeps private messages for you, the account of your address was shut:"
	phraseShutMeans   = "You can no longer sign in there, and no private messages can be sent to you. Ordinary mail reaches you as before. If the account is opened again, all messages are there that have not expired by then."

	phraseDisownedSubject = "The password for %[1]s at %[2]s Secure Mail no longer works"
	phraseDisowned        = "You told us that it was somebody else who chose a password for your address. That password no longer works, and whoever chose it has been signed out:"
	phraseDisownedNext    = "Messages for you are still sealed. When the next one comes, follow the link in the mail in which we tell you of it: the site then asks you to choose a password of your own. Links from before today open their messages only after that. To read one sooner, ask its sender to send it again."
	phraseDisownedLead    = "You did not tell us that?"
	phraseDisownedOther   = "Then please tell the help desk named below."

	phraseCodeSubject   = "Your code for %[1]s Secure Mail"
	phraseCodeTitle     = "Your code for the message from %[1]s"
	phraseCode          = "Type this code on the page where you asked for it:"
	phraseCodeMark      = "The page should show the letters %[1]s. If it shows others, a newer mail has the code for it."
	phraseCodeUntil     = "Can be used until"
	phraseCodeOtherLead = "You asked for no code?"
	phraseCodeOther     = "Then somebody else has followed the link that we mailed you, or a scanner of your mail provider has. Nothing opens without this code: tell it to nobody, and there is nothing else to do."
	phraseCodeReason    = "You get this mail because somebody asked for a code for %[1]s on the site of %[2]s Secure Mail."

	phraseFirstSecret = "On the site where %[1]s keeps private messages, one from %[2]s is waiting for you. The link to it comes in a mail of its own. To open it for the first time, you need this temporary password:"
	phraseFirstHow    = "Follow that link and type the temporary password there. The site then asks you to choose a password of your own, and the temporary one ends."
	phraseFirstReason = "You get this mail because a private message was sent to %[1]s through %[2]s Secure Mail."
	phraseChosenMine  = "Then there is nothing left to do. New messages are in your inbox on the site from now on."

	phraseFailedSubject = "Your answer to %[1]s was not delivered"
	phraseFailed        = "An answer that you wrote on the site of %[1]s has not reached its reader:"
	phraseFailedKept    = "It is still among your sent messages on the site, marked as not delivered."
	phraseFailedNext    = "To read it again, type %[1]s into your browser and sign in. The help desk named below can tell you more."

	phraseFailedVisit  = "Please reach the person in another way, or follow the link in the mail about the message again and answer once more. The help desk named below can tell you more."
	phraseFailedReason = "You get this mail because a message to %[1]s was answered on the site of %[2]s Secure Mail."

	phraseHintSubject  = "Your password reminder for %[1]s Secure Mail"
	phraseHint         = "On the site where %[1]s keeps private messages for you, somebody asked for the password reminder of your address:"
	phraseHintLead     = "Your reminder:"
	phraseHintText     = `"%[1]s"`
	phraseHintNone     = "You have chosen none."
	phraseHintNextLead = "It does not help?"
	phraseHintNext     = "Type %[1]s into your browser and choose Change your password there."
	phraseHintNotAsked = "Then there is nothing to do: nothing has changed."
	phraseNotAskedLead = "You did not ask for this?"

	phraseActivateSubject = "Activate your new password for %[1]s Secure Mail"
	phraseActivate        = "On the site where %[1]s keeps private messages for you, a new password was entered for your address:"
	phraseActivateLink    = "It does not count yet. Until %[1]s, this page lets you activate it or throw it away:"
	phraseActivateYes     = "Type the new password once more on that page and choose Activate. From then on it is the only one that works."
	phraseActivateNo      = "Choose Decline on that page. If you do nothing, nothing changes either."
	phraseActivatePrice   = "With a new password, the messages that you have now wait until you follow the link in the notification mail of each, or type your earlier password on the site. Nobody else can open them for you."

	phraseResetSubject  = "A new password for %[1]s Secure Mail"
	phraseReset         = "On the site where %[1]s keeps private messages for you, somebody asked for a new password for your address:"
	phraseResetLink     = "Until %[1]s, this page lets you choose one. It works once:"
	phraseResetPrice    = "With a new password, the messages that you have now wait until you follow the link in the notification mail of each, or type your earlier password on the site. If you still know your password, keep it."
	phraseResetNotAsked = "Then there is nothing to do. Your password stays as it is as long as nobody uses that page, so keep this mail to yourself."

	phraseTemporarySubject  = "A temporary password for %[1]s Secure Mail"
	phraseTemporary         = "Type %[1]s into your browser and sign in with your email address and this temporary password. The site then asks you to choose a password of your own."
	phraseTemporaryLabel    = "Temporary password"
	phraseTemporaryUntil    = "Works until"
	phraseTemporaryOnce     = "It ends when you have chosen a password of your own, or when you ask for another one. Until then your password works too."
	phraseTemporaryNotAsked = "Then there is nothing to do. Your password stays as it is as long as nobody uses the temporary one, so keep this mail to yourself."

	phraseNeverAsk        = "We never ask by mail for a password, for bank details or for a payment."
	phraseInviteSubject   = "Your invitation to %[1]s Secure Mail"
	phraseInvite          = "%[1]s invites you to its secure mail."
	phraseInviteBy        = "%[1]s of %[2]s invites you to secure mail."
	phraseInviteMember    = "With it you send private messages from your usual mail program: put the word that your help desk names into the subject, and the message is kept sealed on %[1]s's own site until its reader picks it up. What people answer there you find in your usual mailbox."
	phraseInviteMemberTag = "With it you send private messages from your usual mail program: begin the subject with %[2]s, and the message is kept sealed on %[1]s's own site until its reader picks it up. What people answer there you find in your usual mailbox."
	phraseInviteGuest     = "On %[1]s's own site you read private messages that are not sent by ordinary email, and answer them."
	phraseInviteLink      = "Choose a password for that site here. The link works once:"
	phraseInviteNotLead   = "You would rather not take part?"
	phraseInviteNot       = "Then leave this mail alone. Nothing happens without you."
	phraseInviteReason    = "You get this mail because somebody at %[2]s entered %[1]s to be invited."

	phraseAccountReason = "You get this mail because %[1]s is registered with %[2]s Secure Mail."
)

// The mails about another address for an account. 1: the account's address, 2: organisation, 3: the new address, unless
// the phrase shows otherwise.
const (
	phraseAliasNew       = "New address"
	phraseAliasAccount   = "Account"
	phraseAliasSubject   = "Another address for %[1]s at %[2]s Secure Mail"
	phraseAlias          = "Somebody who is signed in as %[1]s on the site where %[2]s keeps private messages wants messages to this address to arrive in the same inbox:"
	phraseAliasLink      = "Was that you? Then follow this link, sign in as %[1]s, and say yes on the page:"
	phraseAliasMeansLead = "What does that do?"
	phraseAliasMeans     = "From then on, new private messages to this address are sealed for that account. The link works until %[1]s."
	phraseAliasOtherLead = "Was it not you?"
	phraseAliasOther     = "Then do nothing: without your answer nothing changes. Whoever asked has no use of your address."
	phraseAliasReason    = "You get this mail because %[1]s asked %[2]s Secure Mail to add the address %[3]s."

	phraseAddedSubject = "%[1]s was added to your account at %[2]s Secure Mail"
	phraseAdded        = "On the site where %[1]s keeps private messages for you, another address was added to your account:"
	phraseAddedMine    = "Then there is nothing left to do. New messages to that address arrive in your inbox on the site, and you can sign in with it too."
	phraseAddedOther   = "Then somebody knows your password. Type %[1]s into your browser, sign in, change the password and remove the address under Settings, and tell the help desk named below."

	phraseMerged      = "The account that this address had on the site where %[1]s keeps private messages is now part of another account. Its password no longer works, and new messages to this address arrive in the inbox of that account:"
	phraseMergedOther = "Then that person used the link that we mailed to this address. Tell the help desk named below at once, and change the password of your mailbox."

	phraseRemovedSubject = "%[1]s was removed from an account at %[2]s Secure Mail"
	phraseRemoved        = "On the site where %[1]s keeps private messages, an address no longer belongs to an account:"
	phraseRemovedAddress = "Removed address"
	phraseRemovedOwn     = "New messages to that address no longer arrive in the inbox of your account, and you can no longer sign in with it."
	phraseRemovedFreed   = "New messages to this address no longer arrive in that account: each comes with a mail and a link of its own, as for any address without an account. Links that were mailed before may work only after a newer one."
	phraseRemovedOther   = "If you did not expect this, tell the help desk named below."
)

// Phrases lists every id that this package hands to its Catalogue, for the completeness test of translations.
func Phrases() []string {
	list := []string{
		phraseVia, phraseOrgMail, phraseService, phraseDate, phraseFirst, phraseClock, phraseLabel, phraseWrittenBy, phraseSent, phraseSentTo,
		phraseOpenUntil, phraseWasUntil, phraseClosed, phraseTime, phraseBrowser, phraseFor, phraseWritten, phraseHelp,
		phraseSubject, phraseSubjectExternal, phraseOpening, phraseOpeningNameless, phraseOpeningExternal,
		phraseOpeningOutsider, phraseOpeningShort, phraseBlind, phraseShared, phraseSharedCode, phraseFirstTime, phraseFirstTimeCode, phraseInInbox, phraseNoLinkLead,
		phraseNoLink, phraseNoLinkCode, phraseNotMineLead, phraseNotMine, phraseAnswer, phraseAnswerBlind, phraseAnswerExternal, phraseAnswerNone,
		phraseAnswerNothing, phraseReason, phraseReasonExternal,
		phraseReminder, phraseReminderExternal, phraseReminderOpening, phraseReminderFirst, phraseReminderSignIn,
		phraseReminderNoLink, phraseReminderLost, phraseReminderNotMine, phraseReminderAsks,
		phraseNotForMeSubject, phraseNotForMe, phraseNotForMeKept, phraseNotForMeNextOne, phraseNotForMeNextTwo,
		phraseExpiredSubject, phraseExpired, phraseExpiredGone, phraseExpiredNext, phraseSenderReason,
		phraseWelcomeSubject, phraseWelcome, phraseWelcomeLink, phraseWasItYou, phraseWelcomeYes, phraseWasItOther,
		phraseWelcomeNo, phraseWelcomeNothing, phraseWelcomeNoLink, phraseChangedSubject, phraseChanged, phraseChangedMine,
		phraseChangedOther, phraseShutSubject, phraseShut, phraseShutMeans, phraseDisownedSubject, phraseDisowned, phraseDisownedNext, phraseDisownedLead, phraseDisownedOther,
		phraseHintSubject, phraseHint, phraseHintLead, phraseHintText, phraseHintNone, phraseHintNextLead, phraseHintNext, phraseHintNotAsked, phraseNotAskedLead,
		phraseActivateSubject, phraseActivate, phraseActivateLink, phraseActivateYes, phraseActivateNo, phraseActivatePrice,
		phraseResetSubject, phraseReset, phraseResetLink, phraseResetPrice, phraseResetNotAsked,
		phraseTemporarySubject, phraseTemporary, phraseTemporaryLabel, phraseTemporaryUntil, phraseTemporaryOnce, phraseTemporaryNotAsked,
		phraseFirstSecret, phraseFirstHow, phraseFirstReason, phraseChosenMine, phraseFirstTimeTemporary,
		phraseCodeSubject, phraseCodeTitle, phraseCode, phraseCodeMark, phraseCodeUntil, phraseCodeOtherLead, phraseCodeOther, phraseCodeReason,
		phraseFailedSubject, phraseFailed, phraseFailedKept, phraseFailedNext, phraseFailedVisit, phraseFailedReason, phraseNeverAsk, phraseAccountReason,
		phraseInviteSubject, phraseInvite, phraseInviteBy, phraseInviteMember, phraseInviteMemberTag, phraseInviteGuest, phraseInviteLink, phraseInviteNotLead,
		phraseInviteNot, phraseInviteReason,
		phraseAliasNew, phraseAliasAccount, phraseAliasSubject, phraseAlias, phraseAliasLink, phraseAliasMeansLead, phraseAliasMeans,
		phraseAliasOtherLead, phraseAliasOther, phraseAliasReason, phraseAddedSubject, phraseAdded, phraseAddedMine, phraseAddedOther,
		phraseMerged, phraseMergedOther, phraseRemovedSubject, phraseRemoved, phraseRemovedAddress, phraseRemovedOwn, phraseRemovedFreed,
		phraseRemovedOther,
	}
	list = append(list, zones[:]...)
	list = append(list, weekdays[:]...)
	return append(list, months[:]...)
}
