package admin

import (
	"context"
	"errors"
	"fmt"
	"time"

	"postern/pickup/account"
	"postern/store"
)

// nudge tells Run that there may be something to send.
func (s *Service) nudge() {
	select {
	case s.work <- struct{}{}:
	default:
	}
}

// inviteBatch is how many invitations are one transaction.
const inviteBatch = 50

// NotPossible begins the outcome of an invitation that can never be made; the reason follows. Who is put into the group
// again is tried again.
const NotPossible = "not possible: "

// Work sends the next invitations of enabled groups and says how many it dealt with; 0: there are none left that are due.
// What became of each is written in the transaction of its mail, so that a crash sends none twice.
//
// A person who cannot be invited holds up no other (I5): what fails together is tried one by one, what is proven to stay
// so is noted with its reason, and everything else is put off and tried again.
func (s *Service) Work(ctx context.Context) (int, error) {
	s.working.Lock()
	defer s.working.Unlock()
	g, people, err := s.nextWaiting(ctx)
	if err != nil || len(people) == 0 {
		return 0, err
	}
	from, err := s.inviter(ctx)
	if err != nil {
		return 0, err
	}
	in := account.Invitation{By: g.EnabledBy, From: from, Group: g.Name}
	err = s.invite(ctx, in, people)
	if err == nil {
		return len(people), nil
	}
	if storeTrouble(ctx, err) {
		return 0, fmt.Errorf("group %q: %w", g.Name, err)
	}
	return s.oneByOne(ctx, in, people)
}

// storeTrouble reports whether an error is about none of the people: every other invitation would meet it too.
func storeTrouble(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.Is(err, store.ErrFull) || errors.Is(err, store.ErrUncertain) || errors.Is(err, store.ErrClosed)
}

// invite sends the invitations of some people and notes what became of them, in one transaction.
func (s *Service) invite(ctx context.Context, in account.Invitation, people []store.GroupPerson) error {
	list := make([]account.Invitee, len(people))
	for i, p := range people {
		list[i] = account.Invitee{Address: p.Address, Name: p.Name, Class: p.Class}
	}
	at := s.now()
	in.Note = func(tx store.Tx, outcomes []account.Outcome) error {
		for i, p := range people {
			p.Outcome, p.Unsent, p.Done = string(outcomes[i]), !outcomes[i].Sent(), at
			if err := tx.Groups().Put(p); err != nil {
				return err
			}
		}
		return nil
	}
	if _, err := s.Users.Invite(ctx, in, list); err != nil {
		return err
	}
	s.put.over(people)
	return nil
}

// oneByOne invites people of whom one at least cannot be invited now. The error is that of the last one who was put off,
// if nobody was dealt with; else it goes to the log.
func (s *Service) oneByOne(ctx context.Context, in account.Invitation, people []store.GroupPerson) (n int, later error) {
	for _, p := range people {
		err := s.invite(ctx, in, []store.GroupPerson{p})
		if never := new(account.InviteeError); errors.As(err, &never) {
			s.Log.ErrorContext(ctx, "somebody cannot be invited", "event", "invite", "group", in.Group, "error", err)
			err = s.noteNever(ctx, in, p, never.Reason)
		}
		switch {
		case err == nil:
			n++
		case storeTrouble(ctx, err):
			return n, fmt.Errorf("group %q: %w", in.Group, err)
		default:
			s.put.off(p, s.now())
			later = fmt.Errorf("group %q: %w", in.Group, err)
		}
	}
	if n > 0 && later != nil {
		s.Log.WarnContext(ctx, "some invitations not sent, will try them again", "event", "invite", "error", later)
		later = nil
	}
	return n, later
}

// noteNever takes somebody off those who wait, with the reason.
func (s *Service) noteNever(ctx context.Context, in account.Invitation, p store.GroupPerson, reason string) error {
	p.Outcome, p.Unsent, p.Done = NotPossible+reason, true, s.now()
	e := store.Event{ID: store.NewEventID(p.Done), What: store.EventNotInvited, Actor: in.By,
		Facts: map[string]string{"group": in.Group, "address": p.Address.String(), "reason": reason}}
	err := s.Store.Update(ctx, func(tx store.Tx) error { return errors.Join(tx.Groups().Put(p), tx.Audit().Add(e)) })
	if err != nil {
		return err
	}
	s.put.over([]store.GroupPerson{p})
	return nil
}

// nextWaiting finds people of an enabled group whose invitation is to be sent and was not put off.
func (s *Service) nextWaiting(ctx context.Context) (g store.Group, people []store.GroupPerson, err error) {
	now := s.now()
	err = s.Store.View(ctx, func(tx store.Tx) error {
		for c := store.Cursor(""); ; {
			all, next, err := tx.Groups().List(c, pageSize)
			if err != nil {
				return err
			}
			for _, g = range all {
				if g.Enabled.IsZero() {
					continue
				}
				waiting, err := tx.Groups().Waiting(g.ID, inviteBatch+len(s.put))
				if err != nil {
					return err
				}
				if people = s.put.due(waiting, now); len(people) > 0 {
					return nil
				}
			}
			if c = next; c == "" {
				return nil
			}
		}
	})
	return g, people, err
}

// putOff are the people whose invitation failed for a reason that may pass. It lives in memory: after a restart they
// are tried at once. Service.working guards it.
type putOff map[string]putOffRow

type putOffRow struct {
	until time.Time
	wait  time.Duration
}

// The first wait of somebody who was put off is workAgain; each further one is twice as long, an hour at most.
const (
	workAgain = 30 * time.Second
	workMost  = time.Hour
)

func putOffKey(p store.GroupPerson) string { return p.Group.String() + " " + string(p.Address.Key()) }

func (o putOff) off(p store.GroupPerson, now time.Time) {
	wait := min(max(2*o[putOffKey(p)].wait, workAgain), workMost)
	o[putOffKey(p)] = putOffRow{until: now.Add(wait), wait: wait}
}

func (o putOff) over(people []store.GroupPerson) {
	for _, p := range people {
		delete(o, putOffKey(p))
	}
}

// due are the first of some people who may be tried now, a batch at most.
func (o putOff) due(waiting []store.GroupPerson, now time.Time) (people []store.GroupPerson) {
	for _, p := range waiting {
		if len(people) < inviteBatch && !now.Before(o[putOffKey(p)].until) {
			people = append(people, p)
		}
	}
	return people
}

// Run sends invitations in the background until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	for {
		n, err := s.Work(ctx)
		if err != nil {
			s.Log.ErrorContext(ctx, "invitations not sent, will try again", "event", "invite", "error", err)
		}
		if n > 0 {
			continue
		}
		wait := time.Duration(0)
		if err != nil || s.anyPutOff() {
			wait = workAgain
		}
		if err := s.rest(ctx, wait); err != nil {
			return err
		}
	}
}

func (s *Service) anyPutOff() bool {
	s.working.Lock()
	defer s.working.Unlock()
	return len(s.put) > 0
}

// rest waits for something to do; after an error, for a while only.
func (s *Service) rest(ctx context.Context, most time.Duration) error {
	var over <-chan time.Time
	if most > 0 {
		timer := time.NewTimer(most)
		defer timer.Stop()
		over = timer.C
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-s.work:
	case <-over:
	}
	return nil
}
