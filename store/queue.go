package store

import "time"

// Kind says what a queue item is, and so which identity and life it has (MAIL §6).
type Kind string

// The kinds. KindRelay carries an accepted message; the others are mails of our own and carry themselves.
const (
	KindRelay        Kind = "relay"
	KindNotification Kind = "notification"
	KindReminder     Kind = "reminder" // a later mail about the same message; its refusal ends nobody's share (KEYS K11)
	KindReply        Kind = "reply"    // a reply from the site to an internal address: a message, relayed
	KindDSN          Kind = "dsn"
	KindNotForMe     Kind = "not-for-me"
	KindExpired      Kind = "expired-unread"
	KindWelcome      Kind = "welcome"
	KindAccount      Kind = "account"
	KindCode         Kind = "code" // worth nothing after a few minutes
	KindAlarm        Kind = "alarm"
)

// Kinds lists all kinds.
func Kinds() []Kind {
	return []Kind{KindRelay, KindNotification, KindReminder, KindReply, KindDSN, KindNotForMe, KindExpired, KindWelcome, KindAccount, KindCode, KindAlarm}
}

// QueueItem is one delivery to one recipient.
type QueueItem struct {
	Key      RcptKey   `json:"-"`
	Kind     Kind      `json:"kind"`
	Domain   string    `json:"domain"`         // DomainKey of the recipient, by which the queue is ordered
	From     *Address  `json:"from,omitempty"` // MAIL FROM; nil: null sender
	To       Rcpt      `json:"to"`
	Ret      Ret       `json:"ret,omitempty"`
	EnvID    string    `json:"envid,omitempty"`
	UTF8     bool      `json:"utf8,omitempty"`
	EightBit bool      `json:"eight,omitempty"`
	Size     int64     `json:"size"`
	NeedTLS  bool      `json:"need_tls,omitempty"` // TLS or a local address only (MAIL 3.2, 6.6)
	About    RcptKey   `json:"about,omitzero"`     // own mail: the recipient whom it is about
	KeyID    KeyID     `json:"key"`                // queue key of the hour (KEYS K4)
	Wrap     []byte    `json:"wrap,omitempty"`     // relay copies: the wrapped file key
	Sealed   []byte    `json:"sealed,omitempty"`   // own mail: mail and excerpt
	Arrived  time.Time `json:"arrived"`
	Due      time.Time `json:"due"`
	GiveUp   time.Time `json:"give_up"`
	Attempts int       `json:"attempts"`
	Delays   int       `json:"delays,omitempty"` // delay notices sent
	Owner    Owner     `json:"owner,omitzero"`   // who has claimed it; Due is then the end of the lease
	LastAt   time.Time `json:"last_at,omitzero"`
	LastCode int       `json:"last_code,omitempty"`
	Last     string    `json:"last,omitempty"` // last answer in one line, scrubbed (MAIL 6.5)
}

// Claim asks for due items of one domain.
type Claim struct {
	Domain  string
	Owner   Owner
	Now     time.Time
	Lease   time.Duration
	Backoff []time.Duration // delay after the n-th attempt; the last one repeats
	Max     int
}

// Until is when a claimed item becomes due again if its owner dies: the longer of lease and the step that the attempt
// would have cost.
func (c Claim) Until(attempts int) time.Time {
	step := c.Lease
	if n := len(c.Backoff); n > 0 {
		step = max(step, c.Backoff[min(max(attempts, 1), n)-1])
	}
	return c.Now.Add(step)
}

// Destination is a domain with waiting items and the earliest Due among them.
type Destination struct {
	Domain string
	Due    time.Time
}

// Excerpt is what a report on an own mail may name of the original message (KEYS K4, MAIL 6.6).
type Excerpt struct {
	From      string `json:"from,omitempty"`
	To        string `json:"to,omitempty"`
	Subject   string `json:"subject,omitempty"`
	Date      string `json:"date,omitempty"`
	MessageID string `json:"message_id,omitempty"`
}

// OwnMail is a mail that Postern writes, complete and rendered, before it is sealed into the queue by package outbox.
type OwnMail struct {
	ID      MessageID // of the item; its key is {ID, 0}
	Kind    Kind
	From    *Address // MAIL FROM; nil: null sender
	To      Rcpt
	Ret     Ret
	EnvID   string
	UTF8    bool
	NeedTLS bool
	About   RcptKey
	At      time.Time
	GiveUp  time.Time
	Raw     []byte // the whole message, CRLF lines
	Excerpt Excerpt
}
