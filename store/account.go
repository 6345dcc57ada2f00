package store

import (
	"slices"
	"time"
)

// Status is whether an account may be used (B4-B9).
type Status string

// The statuses. StatusNone is the answer for an address without account.
const (
	StatusNone     Status = ""
	StatusActive   Status = "active"
	StatusInvited  Status = "invited"
	StatusDisabled Status = "disabled"
	// StatusMerged is that of a row whose address became an alias of another account. Nobody signs in to it.
	StatusMerged Status = "merged"
)

// Standing is how far an account has shown that it owns its address (KEYS K8).
type Standing string

// The standings.
const (
	Provisional Standing = "provisional"
	Confirmed   Standing = "confirmed"
)

// KeyState is what a key version still does (KEYS K7).
type KeyState string

// The states of a key version.
const (
	KeyCurrent KeyState = "current"
	KeyChained KeyState = "chained"
	KeyLocked  KeyState = "locked"
)

// KeyVersion is one key pair of an account. The seed lies in Box only.
type KeyVersion struct {
	ID     KeyID     `json:"id"`
	Public []byte    `json:"pk"`
	State  KeyState  `json:"state"`
	Params string    `json:"params"` // of Argon2id, salt included
	Box    []byte    `json:"box"`
	Chain  []byte    `json:"chain,omitempty"` // seed sealed to To, for chained versions
	To     KeyID     `json:"to,omitempty"`    // the newer version whose seed opens Chain
	Made   time.Time `json:"made"`
	// Of is the account that the version was made for, if another one took it over by an alias; see Owner.
	Of AccountID `json:"of,omitzero"`
}

// Owner is the account that Box and Chain of a version name, which an account has in its list.
func (v KeyVersion) Owner(has AccountID) AccountID {
	if v.Of.IsZero() {
		return has
	}
	return v.Of
}

// Class is which of the two kinds of people somebody is (B18).
type Class string

// The classes. A member belongs to the organisation and may send; a guest picks up what is sent.
const (
	ClassMember Class = "member"
	ClassGuest  Class = "guest"
)

// AccountFilter selects accounts; zero fields do not select.
type AccountFilter struct {
	Status Status
	Class  Class
	// Search is the beginning of an address, of its domain, or of words of the name, in any case. Who is found by the
	// address comes first.
	Search string
	// Recent lists whoever signed in last first, instead of by address. It does not go with Search.
	Recent bool
}

// Account is a person who picks up mail. Rows are never deleted (B4).
type Account struct {
	ID         AccountID `json:"-"`
	Version    uint64    `json:"v"`
	Address    Address   `json:"addr"`
	Name       string    `json:"name,omitempty"`    // as an administrator wrote it
	Aliases    []Address `json:"aliases,omitempty"` // confirmed ones only
	Status     Status    `json:"status"`
	Before     Status    `json:"before,omitempty"` // of a disabled one: what enabling returns to
	Standing   Standing  `json:"standing"`
	Registered bool      `json:"registered"` // has a usable password; false again after "it was not me"
	Member     bool      `json:"member,omitempty"`
	// MemberBy are merged accounts to which alone it owes being a member; with the last one that leaves, it is a guest.
	MemberBy []AccountID  `json:"member_by,omitempty"`
	Keys     []KeyVersion `json:"keys,omitempty"`
	Reminder []byte       `json:"reminder,omitempty"`
	Language string       `json:"lang,omitempty"`
	Created  time.Time    `json:"created"`
	// Into is the account that took this one over; for StatusMerged.
	Into AccountID `json:"into,omitzero"`
	// Brought are its aliases of then, which that account took over as well.
	Brought []Address `json:"brought,omitempty"`
	// Adopts are accounts whose messages this one is still to take over.
	Adopts []AccountID `json:"adopts,omitempty"`
	// Returns are accounts whose address was an alias of this one, and which are still to get back what came for it.
	Returns []AccountID `json:"returns,omitempty"`
	// OwedBy are the accounts that have this one among their Returns.
	OwedBy []AccountID `json:"owed_by,omitempty"`
	// RegisteredAt decides which links may confirm the account (KEYS K8 (a)).
	RegisteredAt time.Time `json:"reg_at,omitzero"`
	LastSignIn   time.Time `json:"last,omitzero"`
	Disowned     time.Time `json:"disowned,omitzero"` // when the owner last said "it was not me"; older links register nobody
	Muted        bool      `json:"muted,omitempty"`   // stored key does not match its seed: no new grants (KEYS K7)
}

// Class is member or guest.
func (a Account) Class() Class {
	if a.Member {
		return ClassMember
	}
	return ClassGuest
}

// Current is the account's current key version.
func (a Account) Current() (KeyVersion, bool) {
	for _, k := range a.Keys {
		if k.State == KeyCurrent {
			return k, true
		}
	}
	return KeyVersion{}, false
}

// Owns reports whether an address is the account's own or a confirmed alias.
func (a Account) Owns(k AddressKey) bool {
	return a.Address.Key() == k || slices.ContainsFunc(a.Aliases, func(alias Address) bool { return alias.Key() == k })
}

// Proved reports whether the account has shown that an address is its own: a confirmed account all of them, any account
// its aliases, of which each was confirmed by a mail of its own (KEYS K8, K9). What comes for such an address is
// granted to the account as it is sealed.
func (a Account) Proved(k AddressKey) bool {
	return a.Owns(k) && (a.Standing == Confirmed || a.Address.Key() != k)
}

// SessionKind is what a session may do (KEYS K10).
type SessionKind string

// The kinds of sessions.
const (
	SessionFull    SessionKind = "full"
	SessionChange  SessionKind = "change"
	SessionCode    SessionKind = "code"
	SessionConsole SessionKind = "console"
)

// Session is a log-on of a browser. Sealed opens with the cookie's token only. Where there is no account, it is that of
// an address.
type Session struct {
	ID      SessionID     `json:"-"`
	Account AccountID     `json:"acct"`
	Address Address       `json:"addr,omitzero"` // of a session without account (KEYS K8)
	Kind    SessionKind   `json:"kind"`
	Created time.Time     `json:"created"`
	Seen    time.Time     `json:"seen"`
	Idle    time.Duration `json:"idle"` // ends so long after Seen
	Ends    time.Time     `json:"ends"`
	Browser string        `json:"browser,omitempty"`
	Kept    bool          `json:"kept,omitempty"`
	Sealed  []byte        `json:"sealed"`
}

// Until is when the session ends if nothing more is done.
func (s Session) Until() time.Time {
	if idle := s.Seen.Add(s.Idle); idle.Before(s.Ends) {
		return idle
	}
	return s.Ends
}

// LiveSessions are the sessions of an account that have not ended at a time.
func LiveSessions(tx Tx, owner AccountID, now time.Time) ([]Session, error) {
	all, err := tx.Sessions().Of(owner)
	return slices.DeleteFunc(all, func(s Session) bool { return !now.Before(s.Until()) }), err
}

// Purpose says what a use-once token does.
type Purpose string

// The purposes, one per kind of KEYS K2 but pickup links, which are found by Messages.ByLink.
const (
	PurposeWelcome Purpose = "welcome"
	PurposeReset   Purpose = "reset"
	PurposeVerify  Purpose = "activate"
	PurposeAlias   Purpose = "alias"
	PurposeSetup   Purpose = "setup"
	PurposeConsole Purpose = "console" // set-up of an administrator
	PurposeTemp    Purpose = "temporary"
	PurposeCode    Purpose = "code"
)

// Token is a row that a secret in a mail leads to.
type Token struct {
	ID      TokenID   `json:"-"`
	Purpose Purpose   `json:"purpose"`
	Owner   string    `json:"owner"` // account id, or address key where there is no account
	Account AccountID `json:"acct,omitzero"`
	Created time.Time `json:"created"`
	Ends    time.Time `json:"ends"`
	Used    time.Time `json:"used,omitzero"`
	Browser string    `json:"browser,omitempty"`
	About   RcptKey   `json:"about,omitzero"` // temporary password of a first access: the message that it ends with
	Sealed  []byte    `json:"sealed,omitempty"`
	Address Address   `json:"addr,omitzero"` // the one that PurposeAlias adds
	// Key is the key version that PurposeVerify makes the account's own; Sealed is its reminder phrase (KEYS K9).
	Key    *KeyVersion `json:"key,omitempty"`
	Misses int         `json:"misses,omitempty"` // tries at what must be typed that failed, or are under way
}

// Keep bounds the live tokens of one purpose and owner.
type Keep struct {
	Max  int
	Drop bool // true: one more drops the oldest; false: one more is ErrLimit
}
