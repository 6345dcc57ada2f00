package store

import "time"

// Access is how somebody without account comes to a message: pickup.first_access (KEYS K8).
type Access string

// The ways of first access; empty: AccessPassword.
const (
	AccessPassword  Access = "password"           // chooses a password on the page of the link
	AccessTemporary Access = "temporary-password" // signs in with a mailed one and must change it
	AccessCode      Access = "code"               // reads with a mailed code, without account
)

// firstPasswordLife is how long a temporary password of a first access works, if its message lives as long (KEYS K8).
const firstPasswordLife = 14 * 24 * time.Hour

// NewFirstPassword is the row of a temporary password that is mailed to an address without account. It ends with the
// message that it was mailed for, or after 14 days.
func NewFirstPassword(id TokenID, r Recipient, at time.Time) Token {
	t := Token{ID: id, Purpose: PurposeTemp, Owner: string(r.Address.Key()), About: r.Key, Created: at, Ends: at.Add(firstPasswordLife)}
	if !r.Expires.IsZero() && r.Expires.Before(t.Ends) {
		t.Ends = r.Expires
	}
	return t
}

// FirstPasswords is how many of them an address has at one time: one more ends the oldest.
func FirstPasswords() Keep { return Keep{Max: 5, Drop: true} }
