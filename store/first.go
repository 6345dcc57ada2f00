package store

import "time"

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
