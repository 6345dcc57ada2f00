package store

import "time"

// Role is what an administrator is for (P16).
type Role string

// The roles.
const (
	RoleAdmin    Role = "admin"    // everything
	RoleHelpDesk Role = "helpdesk" // sees what people ask about, and helps them
	RoleAuditor  Role = "auditor"  // sees everything, changes nothing
)

// Administrator is a person of the console. It is no recipient: it has no inbox, and its sessions hold no keys
// (KEYS K10). Rows are never deleted, because the audit log names them.
type Administrator struct {
	ID      AccountID `json:"-"` // of its own: no Account has it
	Version uint64    `json:"v"`
	Address Address   `json:"addr"`
	Role    Role      `json:"role"`
	Status  Status    `json:"status"` // invited until the set-up link was followed
	// Key opens with the password, as an account's does, so that there is no password hash here either. Its seed guards
	// nothing.
	Key        KeyVersion `json:"key,omitzero"`
	TOTP       []byte     `json:"totp,omitempty"` // secret of RFC 6238, sealed under the server key
	Step       int64      `json:"step,omitempty"` // time step of the last code that was taken: none counts twice
	Created    time.Time  `json:"created"`
	SetUp      time.Time  `json:"set_up,omitzero"`
	LastSignIn time.Time  `json:"last,omitzero"`
}
