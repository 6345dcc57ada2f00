package admin

import (
	"errors"
	"fmt"
	"slices"

	"postern/store"
)

// Role is what an administrator is for.
type Role = store.Role

// The roles.
const (
	RoleAdmin    = store.RoleAdmin
	RoleHelpDesk = store.RoleHelpDesk
	RoleAuditor  = store.RoleAuditor
)

// Roles lists the roles, the mightiest first.
func Roles() []Role { return []Role{RoleAdmin, RoleHelpDesk, RoleAuditor} }

// Actor is who asks. Name stands in the audit log: an administrator's address, or "socket".
type Actor struct {
	Role    Role
	Name    string
	Account store.AccountID // of the administrator; zero for the socket
}

// Socket is the actor of the command line: whoever may open the local socket operates the machine.
func Socket() Actor { return Actor{Role: RoleAdmin, Name: "socket"} }

// ErrForbidden: the role may not do that. It is the one answer to every such call.
var ErrForbidden = errors.New("your role does not allow this")

// Method is the name of a method of Service.
type Method string

// rights is the one table of who may call what. A method that takes an Actor and is not in it is open to nobody.
func rights(m Method) []Role {
	switch m {
	case "QueueList", "QueueCount", "QueueShow",
		"OverviewShow",
		"AlertList",
		"MessageList", "MessageShow", "MessageTrace",
		"UserList", "UserShow",
		"GroupList", "GroupShow", "GroupPeopleList",
		"InviterShow",
		"PolicyExplain":
		return Roles()
	case "AuditList", "AuditExport",
		"KeyList",
		"SettingsShow",
		"AdminList", "AdminShow":
		return []Role{RoleAdmin, RoleAuditor}
	case "MessageRenotify",
		"UserSwitch", "UserInvite", "UserAliasRemove":
		return []Role{RoleAdmin, RoleHelpDesk}
	case "QueueRetry", "QueueDrop",
		"MessageRecall", "MessageExtend",
		"UserChange",
		"GroupCreate", "GroupFill", "GroupEnable",
		"InvitePreview",
		"InviterSet",
		"KeyRotate", "KeyRetire",
		"PolicyKnownShow",
		"AdminCreate", "AdminSwitch", "AdminRole", "AdminReset":
		return []Role{RoleAdmin}
	}
	return nil
}

// May reports whether a role may call a method, so that pages can leave out what would be refused.
func May(r Role, m Method) bool { return slices.Contains(rights(m), r) }

// allow answers ErrForbidden unless the actor's role may call the method.
func (a Actor) allow(m Method) error {
	if May(a.Role, m) {
		return nil
	}
	return fmt.Errorf("%s: %w", m, ErrForbidden)
}
