// Package notify composes every mail that Postern writes in its own name, except delivery status notifications.
//
// Flow: intake or the site fills a small struct (Notice, Event, AccountMail …) and gets back a store.OwnMail, complete
// and rendered, which package outbox seals into the queue. A Composer holds no state besides its configuration and may
// be used by many goroutines.
//
// Duty: who a mail is from, where answers and bounces go and which header fields it carries is the table of MAIL §6;
// how it reads is decided here. Each mail is written once, as a list of blocks, and rendered twice: as plain text (7bit
// whenever the words are ASCII, the link alone on its line and never broken) and as HTML without image, style sheet or
// remote content. Both carry the same words and at most one link, which always starts with the site's own address.
//
// What a mail never holds: the topic of the message, a tag, an attachment name, a reason why anything is pressing. The
// display names in it come from outside: they are stripped of control, bidi and quote characters, and one that looks
// like an address or a link is dropped or taken apart, so that no mail program turns it into a link (names.go).
//
// All words go through a Catalogue, as whole sentences in English (phrases.go); dates are put together by patterns of
// the catalogue too (dates.go).
package notify
