package admin

import (
	"postern/pickup/account"
	"postern/pickup/message"
	"postern/store/seal"
)

// What the console's pages must be able to name without knowing the packages of the recipients' site.
type (
	Client          = account.Client
	BusyError       = account.BusyError
	CriteriaError   = account.CriteriaError
	IncompleteError = seal.IncompleteError
	EndedError      = message.EndedError
)

// Errors of other packages that pages explain.
var (
	ErrDamaged   = seal.ErrDamaged      // the characters of a link do not belong together
	ErrMailWaits = message.ErrMailWaits // a mail about a share still waits in the queue
	ErrNoAuthor  = message.ErrNoAuthor  // a message has no author to name
)

// Bounds of a password, in characters: the least, the most, and the length from which classes of characters do not count.
const (
	MinPassword  = account.MinPassword
	MaxPassword  = account.MaxPassword
	LongPassword = account.LongPassword
)
