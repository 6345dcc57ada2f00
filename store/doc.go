// Package store holds Postern's domain types and the contract of its storage engines. It knows no engine and holds no
// logic but the reading and writing of its own types.
//
// Flow: an edge (smtpd, pickup) builds plain records, opens a transaction with Store.View or Store.Update and hands
// them to the small role interfaces of Tx. Secrets arrive here already sealed (package seal); what a record holds in
// clear is metadata only: addresses, times, sizes, states, rules.
//
// Rules that every engine and every caller keeps:
//
//   - The function given to Update may run more than once: no clock, randomness, key derivation, blob or network use
//     inside, and results that it captures are reset on its first line. No network write inside View.
//   - Values are copies. Role methods return pages, never iterators.
//   - What was computed from a View is compared by Version inside Update, else ErrConflict and the caller begins
//     again. Retry does that.
//   - Strings in records are valid UTF-8 without NUL; times are UTC, truncated to milliseconds.
//   - An error of Update that did not come from its function may stand for a commit that happened (ErrUncertain): the
//     caller answers "try again" and leaves what it wrote elsewhere (a blob) to the sweeper.
package store
