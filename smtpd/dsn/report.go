package dsn

import (
	"errors"
	"time"

	"postern/store"
)

// Kind is what a report says; its text is the Action field of RFC 3464 §2.3.3.
type Kind string

// The kinds. Relayed is the answer to NOTIFY=SUCCESS where the next hop gives no such reports (RFC 3461 §5.2.4).
const (
	Failed  Kind = "failed"
	Delayed Kind = "delayed"
	Relayed Kind = "relayed"
)

// MaxReturned is how large, in octets, a message may be that a report returns whole (RET=FULL); of a larger one the
// header is returned.
const MaxReturned = 32 << 10

// Report is what happened to recipients of one message.
type Report struct {
	Kind       Kind
	Host       string        // hostname of this gateway: Reporting-MTA, and the right side of the Message-ID
	Postmaster store.Address // author of the report
	OrgName    string        // signs the text for people; may be empty
	Now        time.Time
	Zone       *time.Location // of Date and of the times in the text; nil: UTC
	To         store.Address  // the original envelope sender, who gets the report
	EnvID      string         // ENVID of the original, decoded
	Arrived    time.Time      // when the original was accepted
	ID         store.MessageID
	About      store.RcptKey // the recipient whose record lists the report while it is queued
	Rcpts      []Rcpt
	Original   Original
	GiveUp     time.Time // of the report itself; zero: 5 days from Now
	NeedTLS    bool      // besides the case of MAIL 6.6, which Compose sees itself
	UTF8       bool      // write the forms of RFC 6533, to travel with SMTPUTF8

	// Item and MessageID identify the report itself. They are drawn when left empty.
	Item      store.MessageID
	MessageID string
}

// Rcpt is one recipient in a report.
type Rcpt struct {
	Final          store.Address
	ORcpt          string // "rfc822;addr", decoded, as the client gave it; empty: it gave none
	Action         Kind   // empty: that of the report
	Status         string // RFC 3463, such as "5.1.1"
	Diagnostic     string // "smtp; 550 ..." or "x-postern; ...", scrubbed (MAIL 6.5); may be empty
	RemoteMTA      string // host that answered; may be empty
	WillRetryUntil time.Time
	LastAttempt    time.Time
	Reason         string // sentence for people; empty: chosen by Status from the Phrases
}

// Original is what may be returned of the message. Exactly one of its forms is used: Excerpt before Message before
// Header; all empty returns nothing.
type Original struct {
	Header  []byte // raw header of relayed mail
	Message []byte // the whole of it, for RET=FULL; what cannot stand in a 7-bit mail is cut down to its header
	// Excerpt is all that a report on a sealed message returns. Its fields are header text, encoded words allowed.
	Excerpt *store.Excerpt
	// Outside says that the envelope sender is not of the organisation: the Subject of the Excerpt is left out.
	Outside bool
}

// ErrReport is what Compose answers to a report that nobody could read: no recipient, kind, host or address.
var ErrReport = errors.New("report lacks kind, host, postmaster, sender or recipients")

func (r Report) check() error {
	switch {
	case r.Kind != Failed && r.Kind != Delayed && r.Kind != Relayed,
		r.Host == "", r.Postmaster.IsZero(), r.To.IsZero(), len(r.Rcpts) == 0:
		return ErrReport
	}
	return nil
}

func (r Report) zone() *time.Location {
	if r.Zone == nil {
		return time.UTC
	}
	return r.Zone
}

func (r Report) secure() bool { return r.Original.Excerpt != nil }

// action is what the report says of one recipient.
func (r Report) action(rc Rcpt) Kind {
	if rc.Action != "" {
		return rc.Action
	}
	return r.Kind
}
