// Package mail is the syntax of mail that both sides need: it reads what others wrote, however broken, and writes our
// own mails. It knows no network, no store and no secret.
//
// Flow of a message that comes in: ReadHeader takes the header off the stream, octet for octet; policy asks it for
// author, subjects and tags; the whole message then runs through an Indexer, which notes where each part lies; NewCard
// makes of header and parts the small summary that is sealed beside the body. Later a part is read back from the
// stored message by its offsets with DecodePart and DecodeCharset. Flow of a mail of ours: a Letter is filled in and
// rendered.
//
// Duties: reading never fails where a mail program would show something. Every text that leaves this package is valid
// UTF-8 on one line (but for bodies). Every reader is bounded in memory by a constant, not by the message. What looks
// like a seal tag counts as one (MAIL 3.3). No remote text reaches a log or a person before Scrub (MAIL 6.5).
package mail
