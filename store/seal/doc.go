// Package seal keeps every secret of Postern: it seals message bodies, hands out the grants that open them, and holds
// the keys that lie between a grant and the disk.
//
// Flow. A message is written through a Writer: an age file whose file key is not in the file. The file key is wrapped
// once for each reader as a grant: under the secret of a mailed link (GrantLink), to an account's public key
// (GrantAccount), under the file key of the message that it answers (GrantParent), under a status link (GrantSender),
// to the organisation's offline key (GrantRecovery). While a message or a mail of our own waits in the queue, the
// Ring's key of the hour wraps it, and is destroyed when no item names it. Reading goes the other way: a grant gives
// the file key, Open gives the Body.
//
// Duty. Whoever holds disk, database, backups and the server key, but neither mailbox nor password, opens nothing
// (I3; KEYS K0). So the server key is only an outer layer (ServerKeys.Seal) around values that need a second secret,
// and a link secret waits for its delivery under a Ring key, never under the server key.
//
// Everything is bound to its place: each derivation and each sealed value carries a context of labelled, length-
// prefixed parts (ids, kind, key id), so a value that is moved, swapped or re-labelled does not open. FORMAT.md
// describes every octet; testdata holds samples that must open for ever.
//
// Secrets are types that hide themselves from fmt, log/slog and encoding/json. fmt cannot do so for an unexported
// field of another package's struct: keep secrets in exported fields, in variables, or behind a pointer. Texts that
// must leave the server are made by name: LinkSecret.Token, Temporary.String, SessionToken.String. No error text
// depends on a secret.
//
// The package has no clock but the Ring's, and all randomness comes from crypto/rand, which does not fail.
package seal
