// Package dsn composes delivery status notifications: a plain Report goes in, a finished mail of our own comes out.
//
// Flow: package relay (and intake, for recipients refused among accepted ones) fills a Report with what happened to
// the recipients of one message, and Compose renders it: multipart/report (RFC 6522) of a part for people in the words
// of Phrases, a message/delivery-status part (RFC 3464), and what may be returned of the original. For reports that
// themselves travel with SMTPUTF8 these become their global forms (RFC 6533). The result is a store.OwnMail, which
// package outbox seals and puts into the queue in the transaction of the fact that it reports.
//
// Duties: identity and fields by MAIL §6 (null sender, Auto-Submitted, In-Reply-To, X-Postern-ID); ASCII on the wire
// and lines of at most 76 octets, so that no report ever needs 8BITMIME; nothing of a sealed message but From, To,
// Date, Message-ID and Subject, and the Subject only for a sender inside the organisation (MAIL 6.6). Remote text must
// come in scrubbed (mail.Scrub, MAIL 6.5). The package has no clock and does no I/O.
package dsn
