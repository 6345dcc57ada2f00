package main

import (
	"context"
	"maps"
	"time"

	"postern/cmd/internal/control"
	"postern/pickup/account"
	"postern/pickup/admin"
	"postern/store"
)

// The requests of the control socket. Every command sends one of them.
type (
	queueListRequest struct {
		Domain string
		Cursor store.Cursor
	}
	itemRequest struct{ Item store.RcptKey }
	dropRequest struct {
		Item   store.RcptKey
		Reason string
	}
	traceRequest struct {
		Query string
		Since time.Time
	}
	shareRequest struct {
		Item  string
		Until time.Time
	}
	userListRequest struct {
		Query  admin.UserQuery
		Cursor store.Cursor
	}
	messageListRequest struct {
		Query  admin.MessageQuery
		Cursor store.Cursor
	}
	auditListRequest struct {
		Query  admin.AuditQuery
		Cursor store.Cursor
	}
	inviteRequest   struct{ Form admin.InviteForm }
	userEditRequest struct {
		User string
		Edit admin.UserEdit
	}
	userRequest struct {
		Address string
		Status  store.Status
	}
	aliasRequest struct{ User, Address string }
	keyRequest   struct {
		Key store.KeyID
		Now bool // do not wait after a rotation
	}
	adminRequest struct {
		Address string
		Role    admin.Role
		Status  store.Status
	}
	adminListRequest struct{ Cursor store.Cursor }
)

// methods names what the socket answers, and how.
func methods(s *admin.Service) control.Methods {
	all := control.Methods{
		"queue.list": control.Handle(func(ctx context.Context, r queueListRequest) (admin.QueuePage, error) {
			return s.QueueList(ctx, admin.Socket(), r.Domain, r.Cursor)
		}),
		"queue.show": control.Handle(func(ctx context.Context, r itemRequest) (admin.QueueRow, error) {
			return s.QueueShow(ctx, admin.Socket(), r.Item)
		}),
		"queue.retry": control.Do(func(ctx context.Context, r itemRequest) error {
			return s.QueueRetry(ctx, admin.Socket(), r.Item)
		}),
		"queue.drop": control.Do(func(ctx context.Context, r dropRequest) error {
			return s.QueueDrop(ctx, admin.Socket(), r.Item, r.Reason)
		}),
		"message.trace": control.Handle(func(ctx context.Context, r traceRequest) ([]admin.MessageView, error) {
			return s.MessageTrace(ctx, admin.Socket(), admin.TraceQuery{What: r.Query, Since: r.Since})
		}),
		"message.renotify": control.Handle(func(ctx context.Context, r shareRequest) (string, error) {
			return s.MessageRenotify(ctx, admin.Socket(), r.Item)
		}),
		"message.extend": control.Handle(func(ctx context.Context, r shareRequest) (int, error) {
			return s.MessageExtend(ctx, admin.Socket(), r.Item, r.Until)
		}),
		"message.recall": control.Handle(func(ctx context.Context, r traceRequest) (int, error) {
			return s.MessageRecall(ctx, admin.Socket(), r.Query)
		}),
		"user.list": control.Handle(func(ctx context.Context, r userListRequest) (admin.UserPage, error) {
			return s.UserList(ctx, admin.Socket(), r.Query, r.Cursor)
		}),
		"user.show": control.Handle(func(ctx context.Context, r userRequest) (admin.UserView, error) {
			return s.UserShow(ctx, admin.Socket(), r.Address)
		}),
		"user.switch": control.Do(func(ctx context.Context, r userRequest) error {
			return s.UserSwitch(ctx, admin.Socket(), r.Address, r.Status)
		}),
		"user.change": control.Do(func(ctx context.Context, r userEditRequest) error {
			return s.UserChange(ctx, admin.Socket(), r.User, r.Edit)
		}),
		"user.alias.remove": control.Do(func(ctx context.Context, r aliasRequest) error {
			return s.UserAliasRemove(ctx, admin.Socket(), r.User, r.Address)
		}),
		"user.invite": control.Handle(func(ctx context.Context, r inviteRequest) (account.Outcome, error) {
			return s.UserInvite(ctx, admin.Socket(), r.Form)
		}),
		"message.list": control.Handle(func(ctx context.Context, r messageListRequest) (admin.MessagePage, error) {
			return s.MessageList(ctx, admin.Socket(), r.Query, r.Cursor)
		}),
		"audit.list": control.Handle(func(ctx context.Context, r auditListRequest) (admin.AuditPage, error) {
			return s.AuditList(ctx, admin.Socket(), r.Query, r.Cursor)
		}),
		"alert.list": control.Handle(func(ctx context.Context, _ struct{}) ([]admin.Alert, error) {
			return s.AlertList(ctx, admin.Socket())
		}),
		"key.list": control.Handle(func(ctx context.Context, _ struct{}) ([]admin.KeyRow, error) {
			return s.KeyList(ctx, admin.Socket())
		}),
		"key.rotate": control.Handle(func(ctx context.Context, _ struct{}) (admin.KeyRow, error) {
			return s.KeyRotate(ctx, admin.Socket())
		}),
		"key.retire": control.Do(func(ctx context.Context, r keyRequest) error {
			return s.KeyRetire(ctx, admin.Socket(), r.Key, r.Now)
		}),
		"admin.list": control.Handle(func(ctx context.Context, r adminListRequest) (admin.AdminPage, error) {
			return s.AdminList(ctx, admin.Socket(), r.Cursor)
		}),
		"admin.create": control.Handle(func(ctx context.Context, r adminRequest) (admin.SetupLink, error) {
			return s.AdminCreate(ctx, admin.Socket(), admin.Proof{}, r.Address, r.Role)
		}),
		"admin.reset": control.Handle(func(ctx context.Context, r adminRequest) (admin.SetupLink, error) {
			return s.AdminReset(ctx, admin.Socket(), admin.Proof{}, r.Address)
		}),
		"admin.switch": control.Do(func(ctx context.Context, r adminRequest) error {
			return s.AdminSwitch(ctx, admin.Socket(), admin.Proof{}, r.Address, r.Status)
		}),
		"admin.role": control.Do(func(ctx context.Context, r adminRequest) error {
			return s.AdminRole(ctx, admin.Socket(), admin.Proof{}, r.Address, r.Role)
		}),
		"policy.known": control.Handle(func(ctx context.Context, r admin.DryRun) (admin.Known, error) {
			return s.PolicyKnownShow(ctx, admin.Socket(), r)
		}),
	}
	maps.Copy(all, groupMethods(s))
	return all
}
