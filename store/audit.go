package store

import (
	"strings"
	"time"
)

// What names an event in the audit log.
type What string

// The events. Their facts carry no content of a message.
const (
	EventAccepted     What = "message.accepted"
	EventRefused      What = "message.refused"
	EventRefusedMany  What = "message.refused-many" // what is refused in the rest of this hour is counted, not told one by one
	EventDelivered    What = "message.delivered"
	EventDeferred     What = "message.deferred"
	EventFailed       What = "message.failed"
	EventNotified     What = "message.notified"
	EventBounced      What = "message.bounced"
	EventOpened       What = "message.opened"
	EventReplied      What = "message.replied"
	EventDownloaded   What = "message.downloaded"
	EventDeclined     What = "message.declined"
	EventReopened     What = "message.reopened"
	EventRecalled     What = "message.recalled"
	EventExpired      What = "message.expired"
	EventExtended     What = "message.extended"
	EventRenotified   What = "message.renotified"
	EventInvited      What = "account.invited"
	EventNotInvited   What = "account.not-invited" // one person of a group, for a reason that stays
	EventGroupMade    What = "group.created"
	EventGroupFilled  What = "group.filled"
	EventGroupEnabled What = "group.enabled"
	EventRegistered   What = "account.registered"
	EventConfirmed    What = "account.confirmed"
	EventDisowned     What = "account.disowned"
	EventVisit        What = "message.code"               // a code was typed: a session without account began
	EventFirst        What = "message.temporary-password" // one was typed: a first password is to be chosen
	EventSignedIn     What = "account.signed-in"
	EventSignInFail   What = "account.sign-in-failed"
	EventSignedOut    What = "account.signed-out"
	EventPassword     What = "account.password-changed"
	EventReminder     What = "account.reminder-changed"
	EventSignedOff    What = "account.session-ended" // a session of it, from another one
	EventAliasAsked   What = "account.alias-asked"
	EventAliasAdded   What = "account.alias-added"
	EventAliasGone    What = "account.alias-removed"
	EventMerged       What = "account.merged" // its address became an alias of another account
	EventMuted        What = "account.muted"  // its stored key is not its own (KEYS K7)
	EventRecovery     What = "account.recovery-mailed"
	EventChangeEnded  What = "account.change-ended" // a new password was declined, or mistyped too often
	EventEarlier      What = "account.earlier-password"
	EventChanged      What = "account.changed" // by an administrator: name, class
	EventDisabled     What = "account.disabled"
	EventEnabled      What = "account.enabled"
	EventQueueRetry   What = "queue.retried"
	EventQueueDrop    What = "queue.dropped"
	EventKeyAdded     What = "key.added"
	EventKeyRotated   What = "key.rotated"
	EventKeyRetired   What = "key.retired"
	EventAdmin        What = "admin.created"
	EventAdminSetUp   What = "admin.set-up"
	EventAdminReset   What = "admin.reset"
	EventAdminRole    What = "admin.role-changed"
	EventAdminOff     What = "admin.disabled"
	EventAdminOn      What = "admin.enabled"
	EventAdminIn      What = "admin.signed-in"
	EventAdminFail    What = "admin.sign-in-failed"
	EventAdminProof   What = "admin.confirmation-failed" // password and code, typed again to change another one
	EventAdminOut     What = "admin.signed-out"
	EventAdminPass    What = "admin.password-changed"
	EventAdminEnded   What = "admin.session-ended" // sessions of his own, from another one
	EventSetting      What = "setting.changed"
	EventConfigStart  What = "server.started"
)

// Event is one line of the audit log, written in the transaction of the fact that it tells.
type Event struct {
	ID      EventID           `json:"-"` // carries the time
	What    What              `json:"what"`
	Message MessageID         `json:"msg,omitzero"`
	N       uint32            `json:"n,omitempty"`
	Account AccountID         `json:"acct,omitzero"`
	Actor   string            `json:"actor,omitempty"` // "recipient", "sender", "system", "socket", or an administrator
	Facts   map[string]string `json:"facts,omitempty"`
}

// EventFilter selects events; zero fields do not select.
type EventFilter struct {
	Actor   string
	What    What // one that ends with a dot stands for all that begin with it: "queue."
	Account AccountID
	From    time.Time // at or after
	To      time.Time // before
}

// Matches reports whether an event is selected. The span is not looked at.
func (f EventFilter) Matches(e Event) bool {
	what := f.What == "" || e.What == f.What || strings.HasSuffix(string(f.What), ".") && strings.HasPrefix(string(e.What), string(f.What))
	return what && (f.Actor == "" || e.Actor == f.Actor) && (f.Account.IsZero() || e.Account == f.Account)
}

// What is counted beside events: recipients for whom mail was sealed (a message has one event for all of them), and those
// of them who could not be told of it (the event of failed delivery is that of mail that passes through, too).
const (
	TallySealed       What = "message.sealed"
	TallySealedFailed What = "message.sealed.failed"
)

// Tally is how often something happened within an hour.
type Tally struct {
	Hour time.Time
	What What
	N    int64
}

// At is when it happened.
func (e Event) At() time.Time { return e.ID.Time() }
