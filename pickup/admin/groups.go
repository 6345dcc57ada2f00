package admin

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"time"

	"postern/store"
)

// GroupRow is one group: people who are enabled for secure mail together (B2).
type GroupRow struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Created time.Time `json:"created"`
	By      string    `json:"by,omitempty"`
	Enabled time.Time `json:"enabled,omitzero"` // zero: not yet, its people may not send by it
	Waiting int64     `json:"waiting"`          // people whose invitation is still to be sent
	Sent    int64     `json:"sent"`             // people whose invitation was sent
	Unsent  int64     `json:"unsent"`           // people who got none: they have an account, or cannot be invited
}

// Sending reports whether invitations are under way.
func (g GroupRow) Sending() bool { return !g.Enabled.IsZero() && g.Waiting > 0 }

// GroupPage is a page of groups.
type GroupPage struct {
	Rows []GroupRow   `json:"rows"`
	Next store.Cursor `json:"next,omitempty"`
}

// GroupPerson is one person of a group, with the state of the invitation.
type GroupPerson struct {
	Address string      `json:"address"`
	Name    string      `json:"name,omitempty"`
	Class   store.Class `json:"class"`
	Outcome string      `json:"outcome,omitempty"` // empty: none yet
	Done    time.Time   `json:"done,omitzero"`
	Status  string      `json:"status,omitempty"` // of the user; empty: there is none yet
}

// GroupPeople is a page of a group's people, by address.
type GroupPeople struct {
	Rows []GroupPerson `json:"rows"`
	Next store.Cursor  `json:"next,omitempty"`
}

// GroupList pages through groups by name.
func (s *Service) GroupList(ctx context.Context, a Actor, c store.Cursor) (page GroupPage, err error) {
	if err := a.allow("GroupList"); err != nil {
		return page, err
	}
	err = s.Store.View(ctx, func(tx store.Tx) error {
		page = GroupPage{}
		all, next, err := tx.Groups().List(c, pageSize)
		if err != nil {
			return err
		}
		for _, g := range all {
			row, err := groupRow(tx, g)
			if err != nil {
				return err
			}
			page.Rows = append(page.Rows, row)
		}
		page.Next = next
		return nil
	})
	return page, err
}

func groupRow(tx store.Tx, g store.Group) (GroupRow, error) {
	row := GroupRow{ID: g.ID.String(), Name: g.Name, Created: g.Created, By: g.By, Enabled: g.Enabled}
	n, err := tx.Groups().Count(g.ID)
	row.Waiting, row.Sent, row.Unsent = n.Waiting, n.Sent, n.Unsent
	return row, err
}

// GroupShow tells of one group, by its name or id.
func (s *Service) GroupShow(ctx context.Context, a Actor, group string) (row GroupRow, err error) {
	if err := a.allow("GroupShow"); err != nil {
		return row, err
	}
	err = s.Store.View(ctx, func(tx store.Tx) error {
		g, err := findGroup(tx, group)
		if err != nil {
			return err
		}
		row, err = groupRow(tx, g)
		return err
	})
	return row, err
}

func findGroup(tx store.Tx, group string) (store.Group, error) {
	name := cleanName(group)
	g, err := tx.Groups().ByName(name)
	var id store.GroupID
	if errors.Is(err, store.ErrNotFound) && id.UnmarshalText([]byte(strings.ToLower(name))) == nil {
		g, err = tx.Groups().Get(id)
	}
	if errors.Is(err, store.ErrNotFound) {
		err = sayf(store.ErrNotFound, "there is no group %q", name)
	}
	return g, err
}

// GroupPeopleList pages through the people of a group.
func (s *Service) GroupPeopleList(ctx context.Context, a Actor, group string, c store.Cursor) (page GroupPeople, err error) {
	if err := a.allow("GroupPeopleList"); err != nil {
		return page, err
	}
	err = s.Store.View(ctx, func(tx store.Tx) error {
		page = GroupPeople{}
		g, err := findGroup(tx, group)
		if err != nil {
			return err
		}
		all, next, err := tx.Groups().People(g.ID, c, pageSize)
		if err != nil {
			return err
		}
		for _, p := range all {
			row := GroupPerson{Address: p.Address.String(), Name: p.Name, Class: p.Class, Outcome: p.Outcome, Done: p.Done}
			if u, err := tx.Accounts().ByAddress(p.Address.Key()); err == nil {
				row.Status = string(u.Status)
			} else if !gone(err) {
				return err
			}
			page.Rows = append(page.Rows, row)
		}
		page.Next = next
		return nil
	})
	return page, err
}

// GroupCreate makes an empty group.
func (s *Service) GroupCreate(ctx context.Context, a Actor, name string) (GroupRow, error) {
	if err := a.allow("GroupCreate"); err != nil {
		return GroupRow{}, err
	}
	g := store.Group{Name: cleanName(name), Created: s.now(), By: a.Name}
	rand.Read(g.ID[:])
	if g.Name == "" {
		return GroupRow{}, inputf("a group needs a name")
	}
	e := s.groupEvent(a, store.EventGroupMade, g)
	err := s.Store.Update(ctx, func(tx store.Tx) error {
		return errors.Join(tx.Groups().Create(g), tx.Audit().Add(e))
	})
	if errors.Is(err, store.ErrExists) {
		return GroupRow{}, inputf("there is a group %q already: %w", g.Name, store.ErrExists)
	}
	return GroupRow{ID: g.ID.String(), Name: g.Name, Created: g.Created, By: g.By}, err
}

func (s *Service) groupEvent(a Actor, what store.What, g store.Group) store.Event {
	return store.Event{ID: store.NewEventID(s.now()), What: what, Actor: a.Name, Facts: map[string]string{"group": g.Name}}
}

// GroupEnable invites the people of a group: from then on they may send, and each gets the mail with the link. It only
// says so; Work sends the invitations, in the background of a server or by whoever called.
func (s *Service) GroupEnable(ctx context.Context, a Actor, group string) (row GroupRow, err error) {
	if err := a.allow("GroupEnable"); err != nil {
		return row, err
	}
	e := s.groupEvent(a, store.EventGroupEnabled, store.Group{})
	at := s.now()
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		g, err := findGroup(tx, group)
		if err != nil {
			return err
		}
		if g.Enabled.IsZero() {
			g.Enabled, g.EnabledBy = at, a.Name
			e.Facts = map[string]string{"group": g.Name}
			if err := errors.Join(tx.Groups().Set(g), tx.Audit().Add(e)); err != nil {
				return err
			}
		}
		row, err = groupRow(tx, g)
		return err
	})
	s.nudge()
	return row, err
}
