// Package admin is what an administrator may ask and do: the queue, messages by their metadata, users, keys, dry runs of
// policy. It knows no HTTP and shows no content: nothing here can open a message (I3, A7).
//
// Flow: the command line (through the local socket, or in its own process when no server runs) and later the console
// call the same methods with an Actor. One table says which role may do what. Every change leaves an audit event: in
// the transaction of the change where this package makes it, behind it where the queue runner or the key file do.
package admin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"postern/pickup/message"
	"postern/store"
	"postern/store/seal"
)

// Role is what an administrator is for.
type Role string

// The roles. RoleSocket is whoever may use the local socket: the operator of the machine.
const (
	RoleSocket   Role = "socket"
	RoleAdmin    Role = "admin"
	RoleHelpDesk Role = "help-desk"
	RoleAuditor  Role = "auditor"
)

// Actor is who asks.
type Actor struct {
	Role Role
	Name string
}

// Socket is the actor of the command line.
var Socket = Actor{Role: RoleSocket, Name: "socket"}

// ErrForbidden: the role may not do that.
var ErrForbidden = errors.New("your role does not allow this")

// Action names a thing that can be asked for.
type Action string

// The actions.
const (
	SeeQueue      Action = "see the queue"
	ChangeQueue   Action = "change the queue"
	SeeMessage    Action = "see a message's history"
	RecallMessage Action = "recall a message"
	SeeUser       Action = "see a user"
	ChangeUser    Action = "change a user"
	SeeKeys       Action = "see keys"
	ChangeKeys    Action = "change keys"
	ExplainPolicy Action = "explain policy"
)

// may is the one table of rights.
var may = map[Action][]Role{
	SeeQueue:      {RoleSocket, RoleAdmin, RoleHelpDesk, RoleAuditor},
	ChangeQueue:   {RoleSocket, RoleAdmin},
	SeeMessage:    {RoleSocket, RoleAdmin, RoleHelpDesk, RoleAuditor},
	RecallMessage: {RoleSocket, RoleAdmin},
	SeeUser:       {RoleSocket, RoleAdmin, RoleHelpDesk, RoleAuditor},
	ChangeUser:    {RoleSocket, RoleAdmin, RoleHelpDesk},
	SeeKeys:       {RoleSocket, RoleAdmin, RoleAuditor},
	ChangeKeys:    {RoleSocket, RoleAdmin},
	ExplainPolicy: {RoleSocket, RoleAdmin, RoleHelpDesk, RoleAuditor},
}

func (a Actor) allow(what Action) error {
	if slices.Contains(may[what], a.Role) {
		return nil
	}
	return fmt.Errorf("%s: %w", what, ErrForbidden)
}

// Messages ends shares; package message does.
type Messages interface {
	Recall(ctx context.Context, by message.Actor, key store.RcptKey) error
	RecallAll(ctx context.Context, by message.Actor, id store.MessageID) error
}

// Users switches accounts; package account does.
type Users interface {
	Disable(ctx context.Context, actor string, id store.AccountID) error
	Enable(ctx context.Context, actor string, id store.AccountID) error
}

// Runner is the queue runner.
type Runner interface {
	// Flush makes a domain's waiting items due now; where none runs, it does nothing.
	Flush(domain string)
	// Down is until when the next hop of a domain is left alone because it does not answer; zero: it is not.
	Down(domain string) time.Time
	// Drop ends a waiting item as failed, with a report to its sender where one is due.
	Drop(ctx context.Context, key store.RcptKey, reason string) error
}

// Explainer says what policy would do; the caller joins it to package intake.
type Explainer interface {
	Explain(ctx context.Context, env store.Envelope, header []byte) ([]Verdict, error)
}

// Verdict is one recipient's line of a dry run.
type Verdict struct {
	To     string `json:"to"`
	Action string `json:"action"`
	Rule   string `json:"rule"`
	Reason string `json:"reason"`
	Reply  string `json:"reply,omitempty"` // what the sender would be told
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
	Log      *slog.Logger
	Now      func() time.Time
}

// Service answers administrators.
type Service struct{ Config }

// New makes a Service.
func New(c Config) *Service { return &Service{Config: c} }
