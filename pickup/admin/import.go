package admin

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"postern/pickup/account"
	"postern/store"
)

// Preview is what a list of people would do, before it does anything (B3).
type Preview struct {
	Draft   string      `json:"draft"` // names the list for GroupFill, for half an hour
	Good    int         `json:"good"`
	Members int         `json:"members"` // among the good
	Known   int         `json:"known"`   // among the good, those who have an account already
	Sample  []Candidate `json:"sample"`  // the first of the good
	Bad     []BadRow    `json:"bad"`     // the first of the bad, by row
	AllBad  int         `json:"all_bad"`
}

// Candidate is a good row of a list.
type Candidate struct {
	Row     int         `json:"row"`
	Address string      `json:"address"`
	Name    string      `json:"name,omitempty"`
	Class   store.Class `json:"class"`
	Status  string      `json:"status,omitempty"` // of the user, where there is one
}

// How much of a list a preview shows.
const (
	sampleRows = 100
	badRows    = 1000
)

// ErrDraft: the previewed list is not there any more.
var ErrDraft = errors.New("the list that was previewed is gone, because of its age or a restart: read it in again")

// InvitePreview reads a pasted list or a CSV file and says what is in it. Nothing is changed; the good rows are kept in
// memory for GroupFill. Rows without a class get the one that is given. Errors are about the list as a whole: too long,
// no row.
func (s *Service) InvitePreview(ctx context.Context, a Actor, list io.Reader, class store.Class) (p Preview, err error) {
	if err := a.allow("InvitePreview"); err != nil {
		return p, err
	}
	good, bad, err := readInvitees(list, class)
	if err != nil {
		return p, inputf("read the list: %w", err)
	}
	if len(good)+len(bad) == 0 {
		return p, inputf("there is nobody in the list")
	}
	var kept []inviteeRow
	for _, part := range chunks(good) {
		err := s.Store.View(ctx, func(tx store.Tx) error { return s.judge(tx, part, &p, &kept, &bad) })
		if err != nil {
			return p, err
		}
	}
	slices.SortStableFunc(bad, func(a, b BadRow) int { return a.Row - b.Row })
	p.Good, p.AllBad, p.Bad = len(kept), len(bad), bad[:min(len(bad), badRows)]
	p.Draft = s.drafts.keep(a.Name, kept, s.now())
	return p, nil
}

// chunks cuts a list so that no transaction is long.
func chunks(list []inviteeRow) (parts [][]inviteeRow) {
	const size = 1000
	for part := range slices.Chunk(list, size) {
		parts = append(parts, part)
	}
	return parts
}

// judge holds rows against the users that are there.
func (s *Service) judge(tx store.Tx, part []inviteeRow, p *Preview, kept *[]inviteeRow, bad *[]BadRow) error {
	for _, r := range part {
		u, err := tx.Accounts().ByAddress(r.Address.Key())
		if errors.Is(err, store.ErrCorrupt) {
			*bad = append(*bad, BadRow{Row: r.row, Reason: "the record of the user is damaged"})
			continue
		}
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if why := s.obstacle(r.Invitee, u); why != "" {
			*bad = append(*bad, BadRow{Row: r.row, Reason: why})
			continue
		}
		*kept = append(*kept, r)
		if r.Class == store.ClassMember {
			p.Members++
		}
		if u.Registered {
			p.Known++
		}
		if len(p.Sample) < sampleRows {
			p.Sample = append(p.Sample, Candidate{Row: r.row, Address: r.Address.String(), Name: r.Name, Class: r.Class, Status: string(u.Status)})
		}
	}
	return nil
}

// obstacle is why somebody cannot be invited; empty: nothing.
func (s *Service) obstacle(x account.Invitee, u store.Account) string {
	switch {
	case x.Class == store.ClassMember && !s.Internal(x.Address.Domain):
		return "members are of the organisation's domains, and this address is not"
	case u.ID.IsZero():
		return ""
	case u.Address.Key() != x.Address.Key():
		return "the address is an alias of another user"
	case u.Status == store.StatusDisabled:
		return "the user is disabled"
	}
	return ""
}

// GroupFill puts a previewed list into a group and says how many people are new in it, or are to be tried again because
// they could not be invited the last time. A group that is enabled already invites them at once.
func (s *Service) GroupFill(ctx context.Context, a Actor, group, draft string) (added int, err error) {
	if err := a.allow("GroupFill"); err != nil {
		return 0, err
	}
	rows, err := s.drafts.take(a.Name, draft, s.now())
	if err != nil {
		return 0, input(err)
	}
	at := s.now()
	for _, part := range chunks(rows) {
		n, err := s.fillPart(ctx, a, filling{group, part, at})
		if added += n; err != nil {
			return added, err
		}
	}
	s.drafts.drop(a.Name)
	return added, nil
}

// filling is a part of a list on its way into a group.
type filling struct {
	group string
	rows  []inviteeRow
	at    time.Time
}

// fillPart adds the people who are new in the group, or who could not be invited the last time, with the event that says so: a list that breaks off half way has
// told of each part that is in.
func (s *Service) fillPart(ctx context.Context, a Actor, in filling) (added int, err error) {
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		added = 0
		g, err := findGroup(tx, in.group)
		if err != nil {
			return err
		}
		for _, r := range in.rows {
			there, err := tx.Groups().Person(g.ID, r.Address.Key())
			if err == nil && !strings.HasPrefix(there.Outcome, NotPossible) {
				continue
			}
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
			if err := tx.Groups().Put(store.GroupPerson{Group: g.ID, Address: r.Address, Name: r.Name, Class: r.Class, Added: in.at}); err != nil {
				return err
			}
			added++
		}
		if added == 0 {
			return nil
		}
		e := s.groupEvent(a, store.EventGroupFilled, g)
		e.Facts["people"] = fmt.Sprint(added)
		return tx.Audit().Add(e)
	})
	if err != nil {
		return 0, err
	}
	s.nudge()
	return added, nil
}

// drafts are previewed lists, one for each actor. They hold addresses and names and nothing else.
type drafts struct {
	mu   sync.Mutex
	list map[string]draft
}

type draft struct {
	id   string
	rows []inviteeRow
	made time.Time
}

// draftLife is how long a previewed list is kept, maxDrafts how many there are.
const (
	draftLife = 30 * time.Minute
	maxDrafts = 8
)

func (d *drafts) keep(actor string, rows []inviteeRow, now time.Time) string {
	var id [16]byte
	rand.Read(id[:])
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.list == nil {
		d.list = map[string]draft{}
	}
	oldest := ""
	for name, x := range d.list {
		if now.Sub(x.made) > draftLife {
			delete(d.list, name)
		} else if oldest == "" || x.made.Before(d.list[oldest].made) {
			oldest = name
		}
	}
	if _, own := d.list[actor]; !own && len(d.list) >= maxDrafts {
		delete(d.list, oldest)
	}
	d.list[actor] = draft{id: store.EncodeB32(id[:]), rows: rows, made: now}
	return d.list[actor].id
}

func (d *drafts) take(actor, id string, now time.Time) ([]inviteeRow, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	x, ok := d.list[actor]
	if !ok || x.id != id || now.Sub(x.made) > draftLife {
		return nil, ErrDraft
	}
	return x.rows, nil
}

func (d *drafts) drop(actor string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.list, actor)
}
