// Package admin is what an administrator may ask and do: the queue, messages by their metadata, users, keys, dry runs of
// policy. It knows no HTTP and shows no content: nothing here can open a message (I3, A7).
//
// Flow: the command line (through the local socket, or in its own process when no server runs) and the console call the
// same methods with an Actor. One table says which role may call what (rights.go). Every change leaves an audit event
// that names the actor, in the transaction of the change where this package makes it.
//
// People are invited one by one or put into groups from a list, of which a preview names the bad rows first (import.go).
// Enabling a group only marks it: Run sends its invitations in the background, so that a list of thousands holds up
// nobody, and one person who cannot be invited no other (work.go). Lists answer from indexes, a page at a time; alerts
// say what needs a hand. Rotation seals every row anew under a new server key, in portions that can be cut off anywhere
// (rotate.go).
//
// Administrators are people of their own, apart from the accounts of recipients. A one-time set-up link lets one choose
// a password and a second factor; SignIn wants both and opens a session that holds no key of any message (KEYS K10).
// Resume finds the session of a request and answers with a Signed, which is the Actor of what follows. A session is not
// enough to touch the access of another administrator: that wants a Proof (proof.go), and mails tell of it (tell.go).
//
// Methods without an Actor act for nobody else. SignIn, Resume, Enrolment, CheckCode and Setup find out who acts, by what
// they are given. SignOut, ChangePassword, Sessions, EndSession and EndOthers are about the own access of whoever is
// signed in, whatever the role, so there is nothing to allow; their events name him. Criteria and OwnWords answer the
// same to everybody. Work and Run finish what an Actor began: invitations go out in the name of who enabled the group.
package admin

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"postern/pickup/account"
	"postern/pickup/message"
	"postern/pickup/notify"
	"postern/store"
	"postern/store/outbox"
	"postern/store/seal"
)

// Messages ends and extends shares, and mails about them; package message does.
type Messages interface {
	Recall(ctx context.Context, by message.Actor, key store.RcptKey) error
	RecallAll(ctx context.Context, by message.Actor, id store.MessageID) error
	Renotify(ctx context.Context, by message.Actor, key store.RcptKey) (message.Way, error)
	Extend(ctx context.Context, by message.Actor, key store.RcptKey, until time.Time) error
	ExtendAll(ctx context.Context, by message.Actor, id store.MessageID, until time.Time) (int, error)
}

// Users invites people and switches accounts; package account does.
type Users interface {
	Invite(ctx context.Context, in account.Invitation, list []account.Invitee) ([]account.Outcome, error)
	Disable(ctx context.Context, actor string, id store.AccountID) error
	Enable(ctx context.Context, actor string, id store.AccountID) error
	ReleaseAlias(ctx context.Context, actor string, id store.AccountID, address store.Address) error
}

// Runner is the queue runner.
type Runner interface {
	// Flush makes a domain's waiting items due now; where none runs, it does nothing.
	Flush(domain string)
	// Down is until when the next hop of a domain is left alone because it does not answer; zero: it is not.
	Down(domain string) time.Time
	// Drop ends a waiting item as failed, with a report to its sender where one is due, and writes who did it in the same
	// transaction.
	Drop(ctx context.Context, key store.RcptKey, reason string, by store.Event) error
}

// Explainer says what policy would do; the caller joins it to package intake.
type Explainer interface {
	Explain(ctx context.Context, env store.Envelope, header []byte) ([]Verdict, error)
	Known(ctx context.Context, env store.Envelope, header []byte) (Known, error)
}

// Known is what a decision about a message depends on beside the rules.
type Known struct {
	Thread bool           `json:"thread,omitempty"` // it answers a sealed conversation
	Sender store.Status   `json:"sender,omitempty"`
	Rcpts  []store.Status `json:"rcpts,omitempty"`
	Own    bool           `json:"own,omitempty"` // it is a mail of the gateway's own
	OwnTLS bool           `json:"own_tls,omitempty"`
}

// Verdict is one recipient's line of a dry run.
type Verdict struct {
	To     string `json:"to"`
	Action string `json:"action"`
	Rule   string `json:"rule"`
	Reason string `json:"reason"`
	Reply  string `json:"reply,omitempty"` // what the sender would be told
}

// LogOns holds the rules of every log-on: throttle, Argon2 slots, times of answers, demands on passwords; package
// account does.
type LogOns interface {
	Attempt(ctx context.Context, a account.Attempt, try func(context.Context) error) error
	Criteria(password string, about []string) []account.Criterion
	OwnWords(about []string) []string
}

// Mails composes what administrators are told; package notify does.
type Mails interface {
	AdminChanged(notify.AdminMail) (store.OwnMail, error)
}

// Config is what a Service works with.
type Config struct {
	Store    store.Store
	Keys     *seal.ServerKeys
	Threads  seal.MACKey
	Messages Messages
	Users    Users
	Runner   Runner
	Explain  Explainer
	LogOns   LogOns
	Mails    Mails
	Outbox   *outbox.Outbox
	Recorder account.Recorder

	Internal func(domain string) bool // is it the organisation's
	Signs    func(domain string) bool // is there a DKIM key of it; nil: there are none
	Zone     *time.Location           // in which days are counted; nil: UTC

	ConsoleURL   string // admin.url, without slash at its end; set-up links are built from it
	Organization string // names the console in authenticator apps
	Settings     string // the configuration in force as YAML; it names files of secrets, and holds none

	Alarms func(context.Context) []Alert // what the machine has to say: disk, certificates; nil: nothing

	Log *slog.Logger
	Now func() time.Time
}

// Service answers administrators.
type Service struct {
	Config
	work    chan struct{} // there may be invitations to send
	working sync.Mutex    // whoever sends them
	put     putOff
	drafts  drafts
	census  *census
}

// New makes a Service.
func New(c Config) *Service {
	c.ConsoleURL = strings.TrimRight(c.ConsoleURL, "/")
	return &Service{Config: c, work: make(chan struct{}, 1), put: putOff{}, census: newCensus()}
}

// now is the time as records keep it.
func (s *Service) now() time.Time { return s.Now().UTC().Truncate(time.Millisecond) }
