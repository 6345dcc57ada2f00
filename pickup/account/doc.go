// Package account holds the rules of the people who pick up mail: registration, sign-in, sessions, and how far an
// account has shown that it owns its address. It knows no HTTP; package pickup turns forms into its calls.
//
// Flow of a first access (KEYS K8 "password"): the link in a notification leads to Register, which makes a key pair,
// seals its seed under the chosen password (Argon2id, then the server key), stores the account as provisional, opens a
// session and mails a welcome to the address. The welcome's own link tells when and from which browser that happened
// and offers ConfirmWelcome and DisownWelcome.
//
// Flow of a sign-in (KEYS K9, K13): throttle, one Argon2id in a slot, box, seed, session. There is no password hash:
// signing in is opening the seed's box. Every failure is the one ErrSignIn, answered at a multiple of half a second
// after its arrival, whatever its cause (I9). Resume turns the cookie of a session back into the account and its seed,
// which lives for that one request.
//
// Flow of a forgotten password (KEYS K9): Remind, Recover and AskChange do the same for every address, answer, and look
// up only then, in a job of Later. What the mail carries leads to Reset, ChoosePassword or Activate, and all of these to
// complete, the one place where a new password begins to count: it locks what the earlier one opened, unless that one's
// seed is in hand, ends everything else, and opens a session. UseEarlier brings locked keys back.
//
// Other first accesses. With mailed codes (SendCode, OpenByCode) nobody needs an account: a visit is a session of an
// address that carries the links opened in it (Visit, Carry) and has no key of its own. With mailed temporary passwords
// a sign-in is a session of kind "change" of an address (signInFirst); choosing a password makes the account, confirmed,
// and the links that the session carried lead into their messages (chooseFirst). An address that somebody is registered
// with signs in, whatever the mode (vacant).
//
// Standing: what an account made from one link may see is what links it opens; only a confirmed account gets grants for
// messages as they are sealed. So somebody who was forwarded a link gains that one message and nothing that comes
// later. Confirm is the one place where an account becomes confirmed.
//
// Flow of an invitation: Invite makes rows with the status invited, or leaves those that there are, and mails each a link.
// InvitationLink shows it; Accept chooses the password and makes the account, confirmed, because the link came by mail.
// An administrator's Disable and Enable are a flag, which is read after the work of a sign-in (I9); Attempt gives the
// console's sign-in the same throttle and pace.
//
// Flow of the settings: what a stolen session must not do asks for the password again, throttled and paced like a
// sign-in (Prove): a new password, a new reminder, an earlier password, an alias to be added or removed. A new password
// is a new key version; the one before it hangs on it by a chain, so that nothing is lost (succeed), and everything else
// that is open for the account ends (endPending).
//
// Flow of an alias (KEYS K9): AddAlias mails a link to the new address; ConfirmAlias takes it from a full session of the
// account that asked, and nothing else makes an alias: so each was confirmed by whoever reads that mailbox and has the
// account's password. An account that the address has of its own is merged: its row stays, its key versions hang under
// the account that took it over, and adopt moves its messages.
//
// Flow of a release: RemoveAlias by the person, ReleaseAlias by the help desk and DisownWelcome take addresses off an
// account (release). What was merged gets its row, its locked versions and, page by page after the transaction, its
// messages back (giveBack), without the grants of the account that loses them.
//
// In the background Run goes through all accounts: it drops key versions that no live grant needs (DropKeys, KEYS K7) and
// goes on with messages whose return was cut off. Later does what must not show in the time of an answer.
//
// Secrets: passwords, seeds and tokens are never logged, and no error text quotes what was typed. Audit events are
// written in the transaction of the fact; failed sign-ins, which have none, go to the Recorder.
package account
