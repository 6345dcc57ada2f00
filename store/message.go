package store

import "time"

// Action is what policy decided for one recipient.
type Action string

// The actions.
const (
	ActionRelay  Action = "relay"  // pass through, byte-exact
	ActionSeal   Action = "seal"   // store, notify, pick up
	ActionReject Action = "reject" // refused
)

// State is where one recipient's share of a message is (ARCHITECTURE 1.11).
type State string

// The states. Relayed mail: queued, then delivered or failed. Sealed mail: queued, notified, opened; bounced and
// declined are open or end later. The others are end states.
const (
	StateQueued    State = "queued"
	StateDelivered State = "delivered"
	StateNotified  State = "notified"
	StateOpened    State = "opened"
	StateFailed    State = "failed"
	StateBounced   State = "bounced"
	StateDeclined  State = "declined"
	StateRecalled  State = "recalled"
	StateExpired   State = "expired"
	StateRefused   State = "refused"
)

// States lists the states that recipients are in.
func States() []State {
	return []State{StateQueued, StateDelivered, StateNotified, StateOpened, StateBounced, StateDeclined, StateRecalled, StateExpired, StateFailed, StateRefused}
}

// Final reports whether the state is an end state (I2).
func (s State) Final() bool {
	switch s {
	case StateDelivered, StateFailed, StateRefused, StateRecalled, StateExpired, StateOpened:
		return true
	}
	return false
}

// Ret is the RET parameter of RFC 3461 §4.3: what a DSN returns of the message.
type Ret string

// The values of Ret; empty when the client gave none.
const (
	RetFull Ret = "FULL"
	RetHdrs Ret = "HDRS"
)

// Notify is the NOTIFY parameter of RFC 3461 §4.1 as a set; zero when the client gave none, which means failure and
// delay.
type Notify uint8

// The members of Notify. NotifyNever stands alone.
const (
	NotifyNever Notify = 1 << iota
	NotifySuccess
	NotifyFailure
	NotifyDelay
)

// Wants reports whether a report of kind k is to be sent.
func (n Notify) Wants(k Notify) bool {
	if n == 0 {
		n = NotifyFailure | NotifyDelay
	}
	return n&k != 0
}

// Rcpt is one RCPT command.
type Rcpt struct {
	Address Address `json:"a"`
	Notify  Notify  `json:"n,omitempty"`
	ORcpt   string  `json:"o,omitempty"` // "rfc822;addr", decoded (RFC 3461 §4.2)
}

// ClientClass is the answer to "who may relay" (MAIL 1.1).
type ClientClass string

// The classes of clients.
const (
	ClientTrusted  ClientClass = "trusted"
	ClientUser     ClientClass = "user"
	ClientStranger ClientClass = "stranger"
	ClientSite     ClientClass = "site" // the pickup site itself: a reply
)

// Client is who hands a message in, as log, trace and Received name it.
type Client struct {
	Conn     string      `json:"conn,omitempty"` // reference of the connection in the log
	Listener string      `json:"listener,omitempty"`
	Class    ClientClass `json:"class,omitempty"`
	IP       string      `json:"ip,omitempty"`
	RDNS     string      `json:"rdns,omitempty"`
	Helo     string      `json:"helo,omitempty"`
	TLS      string      `json:"tls,omitempty"` // "TLS1.3"; empty in clear
	Cipher   string      `json:"cipher,omitempty"`
	User     string      `json:"user,omitempty"` // authenticated as
	ESMTP    bool        `json:"esmtp,omitempty"`
}

// Envelope is one transaction as the edge saw it, before its data.
type Envelope struct {
	ID       MessageID
	At       time.Time
	Client   Client
	From     *Address // nil: null sender
	Rcpts    []Rcpt
	Ret      Ret
	EnvID    string
	Size     int64 // announced; 0: not
	UTF8     bool  // SMTPUTF8 was asked for
	EightBit bool  // BODY=8BITMIME was said
	// Author is the account that wrote a reply on the site; zero for mail from the network, and for who reads with a
	// mailed code. Parent is the share of the message that the reply answers.
	Author AccountID
	Parent RcptKey
}

// Receipt is the answer to an accepted message. That to a refused one has what is known of its header.
type Receipt struct {
	ID        MessageID
	MessageID string   // the field's value, for the log; empty: none
	Author    *Address // the one address of the one From field; nil: none or several
	Size      int64    // octets received
	Parts     []RcptResult
}

// RcptResult is the fate of one recipient at acceptance, for logs and LMTP.
type RcptResult struct {
	Address Address
	Action  Action
	Rule    string
	Reason  string
}

// GrantKind says what opens a grant (KEYS K6).
type GrantKind string

// The kinds of grants.
const (
	GrantLink     GrantKind = "link"
	GrantAccount  GrantKind = "account"
	GrantParent   GrantKind = "parent"
	GrantSender   GrantKind = "sender"
	GrantRecovery GrantKind = "recovery"
)

// Grant is a wrapped file key (KEYS K6).
type Grant struct {
	Kind   GrantKind `json:"k"`
	Key    KeyID     `json:"id,omitempty"`    // account and recovery grants: the public key
	Link   LinkID    `json:"l,omitzero"`      // link grants: the link that opens it
	Parent MessageID `json:"parent,omitzero"` // parent grants: the message whose file key opens it
	Made   time.Time `json:"made,omitzero"`   // link grants: decides standing (KEYS K8)
	Data   []byte    `json:"d"`
}

// Message is what is kept once per accepted message.
type Message struct {
	ID       MessageID `json:"-"`
	At       time.Time `json:"at"`
	Client   Client    `json:"client"`
	From     *Address  `json:"from,omitempty"`   // envelope sender; nil: null sender
	Author   *Address  `json:"author,omitempty"` // the one address of the one From field; nil: none or several
	Writer   AccountID `json:"writer,omitzero"`  // the account that wrote it on the site; zero: none, or read with a mailed code
	Parent   RcptKey   `json:"parent,omitzero"`  // the share that a reply answers, and ends with
	Ret      Ret       `json:"ret,omitempty"`
	EnvID    string    `json:"envid,omitempty"`
	UTF8     bool      `json:"utf8,omitempty"`
	EightBit bool      `json:"eight,omitempty"`   // the stored body has octets over 127
	Received string    `json:"received"`          // trace field to prepend on delivery, CRLF included
	Size     int64     `json:"size"`              // octets of the stored message in clear
	Stored   int64     `json:"stored"`            // octets of the sealed body
	Blob     BlobID    `json:"blob,omitzero"`     // zero: the body lies inline, in Bodies
	Card     []byte    `json:"card,omitempty"`    // KEYS K5; sealed messages only
	Thread   ThreadID  `json:"thread,omitzero"`   // keyed hash of the original's Message-ID; zero: it had none
	MsgID    []byte    `json:"msgid,omitempty"`   // the Message-ID itself, sealed under the server key
	Expires  time.Time `json:"expires,omitzero"`  // when the last share ends
	Flagged  bool      `json:"flagged,omitempty"` // some recipient is sealed
	Refused  bool      `json:"refused,omitempty"` // as a whole, by Messages.Refuse: metadata is all there is of it
	List     bool      `json:"list,omitempty"`    // a mailing list or bulk mail: no confirmation, no receipt
	Grants   []Grant   `json:"grants,omitempty"`  // parent, sender and recovery grants
	Refs     int       `json:"refs"`              // recipients that still need the body, and the writer of a reply
}

// IsReply reports whether the message was written on the site, with an account or with a mailed code.
func (m Message) IsReply() bool { return !m.Writer.IsZero() || m.Parent != RcptKey{} }

// Fetches counts what fetched a link, apart from people who opened it (P9).
type Fetches struct {
	First time.Time `json:"first,omitzero"`
	Last  time.Time `json:"last,omitzero"`
	N     int64     `json:"n,omitempty"`
}

// Recipient is one recipient's share of a message.
type Recipient struct {
	Key      RcptKey   `json:"-"`
	Version  uint64    `json:"v"` // of this row; Set demands and raises it
	Address  Address   `json:"addr"`
	Account  AccountID `json:"acct,omitzero"` // whose inbox it is in; zero: nobody's yet
	Sender   Address   `json:"sender,omitzero"`
	Return   Address   `json:"return,omitzero"` // envelope sender, where it is another address than Sender
	Action   Action    `json:"action"`
	Rule     string    `json:"rule"`
	Reason   string    `json:"reason"`
	State    State     `json:"state"`
	Since    time.Time `json:"since"`           // when State was reached
	Ended    State     `json:"ended,omitempty"` // what ended the share of an opened one: recalled or expired
	EndedAt  time.Time `json:"ended_at,omitzero"`
	Internal bool      `json:"internal,omitempty"`
	Blind    bool      `json:"blind,omitempty"` // not named in To or Cc
	Notify   Notify    `json:"notify,omitempty"`
	ORcpt    string    `json:"orcpt,omitempty"`
	Expires  time.Time `json:"expires,omitzero"`
	NoReply  bool      `json:"noreply,omitempty"`
	Grants   []Grant   `json:"grants,omitempty"` // link and account grants
	Links    []LinkID  `json:"links,omitempty"`  // kept after the grants are gone, to say what became of it
	Own      []RcptKey `json:"own,omitempty"`    // queued mails of ours about this recipient
	Notified time.Time `json:"notified,omitzero"`
	// NoticeID is the Message-ID of the notification, so that later mails can refer to it.
	NoticeID string    `json:"notice,omitempty"`
	Opened   time.Time `json:"opened,omitzero"`
	Replied  time.Time `json:"replied,omitzero"` // last answered on the site
	Fetched  Fetches   `json:"fetched,omitzero"`
	Detail   string    `json:"detail,omitempty"` // last remote answer, scrubbed (MAIL 6.5)
}

// Live reports whether the recipient's share can still be opened (bounced ones can, MAIL §7).
func (r Recipient) Live() bool {
	if r.Action != ActionSeal || r.Ended != "" {
		return false
	}
	switch r.State {
	case StateQueued, StateNotified, StateBounced, StateOpened, StateDeclined:
		return true
	}
	return false
}

// Grant finds the first grant of a kind.
func (r Recipient) Grant(k GrantKind) (Grant, bool) {
	for _, g := range r.Grants {
		if g.Kind == k {
			return g, true
		}
	}
	return Grant{}, false
}

// Filter selects recipients for Messages.List; zero fields do not select. The engine uses the best index for it.
type Filter struct {
	Sender AddressKey // author, or envelope sender
	Rcpt   AddressKey
	State  State
	Action Action    // ActionRelay does not select: it is what most mail has
	Rule   string    // name of the rule that decided
	From   time.Time // accepted at or after
	To     time.Time // accepted before
}
