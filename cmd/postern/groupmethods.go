package main

import (
	"bytes"
	"context"

	"postern/cmd/internal/control"
	"postern/pickup/admin"
	"postern/store"
)

// The requests about groups.
type (
	groupRequest struct {
		Group  string
		Cursor store.Cursor
	}
	previewRequest struct {
		List  []byte
		Class store.Class
	}
	fillRequest    struct{ Group, Draft string }
	inviterRequest struct{ Address string }
)

// groupMethods names what the socket answers about groups.
func groupMethods(s *admin.Service) control.Methods {
	return control.Methods{
		"group.list": control.Handle(func(ctx context.Context, r groupRequest) (admin.GroupPage, error) {
			return s.GroupList(ctx, admin.Socket(), r.Cursor)
		}),
		"group.show": control.Handle(func(ctx context.Context, r groupRequest) (admin.GroupRow, error) {
			return s.GroupShow(ctx, admin.Socket(), r.Group)
		}),
		"group.people": control.Handle(func(ctx context.Context, r groupRequest) (admin.GroupPeople, error) {
			return s.GroupPeopleList(ctx, admin.Socket(), r.Group, r.Cursor)
		}),
		"group.create": control.Handle(func(ctx context.Context, r groupRequest) (admin.GroupRow, error) {
			return s.GroupCreate(ctx, admin.Socket(), r.Group)
		}),
		"group.enable": control.Handle(func(ctx context.Context, r groupRequest) (admin.GroupRow, error) {
			return s.GroupEnable(ctx, admin.Socket(), r.Group)
		}),
		"group.work": control.Handle(func(ctx context.Context, _ struct{}) (int, error) {
			return s.Work(ctx)
		}),
		"inviter.show": control.Handle(func(ctx context.Context, _ struct{}) (string, error) {
			return s.InviterShow(ctx, admin.Socket())
		}),
		"inviter.set": control.Do(func(ctx context.Context, r inviterRequest) error {
			return s.InviterSet(ctx, admin.Socket(), r.Address)
		}),
		"invite.preview": control.Handle(func(ctx context.Context, r previewRequest) (admin.Preview, error) {
			return s.InvitePreview(ctx, admin.Socket(), bytes.NewReader(r.List), r.Class)
		}),
		"group.fill": control.Handle(func(ctx context.Context, r fillRequest) (int, error) {
			return s.GroupFill(ctx, admin.Socket(), r.Group, r.Draft)
		}),
	}
}
