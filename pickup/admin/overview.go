package admin

import (
	"context"
	"errors"
	"time"

	"postern/store"
)

// Overview is the first page of the console in numbers.
type Overview struct {
	At       time.Time    `json:"at"`
	Users    UserCounts   `json:"users"`
	Messages SealedCounts `json:"messages"`
	Queue    QueueCounts  `json:"queue"`
	Days     []Day        `json:"days"` // oldest first, today last, none left out
}

// UserCounts counts users. Disabled ones are not among the active (B7).
type UserCounts struct {
	Active   int64 `json:"active"`
	Invited  int64 `json:"invited"`
	Disabled int64 `json:"disabled"`
	Members  int64 `json:"members"`
	Guests   int64 `json:"guests"`
}

// SealedCounts counts recipients of sealed mail by their state.
type SealedCounts struct {
	Sealed   int64 `json:"sealed"`   // all there ever were
	Waiting  int64 `json:"waiting"`  // not opened yet: queued, notified, bounced
	Opened   int64 `json:"opened"`   // also those that have ended since
	Expired  int64 `json:"expired"`  // unopened
	Failed   int64 `json:"failed"`   // the notification could not be delivered
	Bounced  int64 `json:"bounced"`  // among the waiting
	Declined int64 `json:"declined"` // closed as not meant for the recipient
	Recalled int64 `json:"recalled"`
	Refused  int64 `json:"refused"`
	Expiring int   `json:"expiring"` // end within three days, ExpiringMost at most
}

// ExpiringMost is where the count of shares that end soon stops; ExpiringSoon is what soon means.
const (
	ExpiringMost = 10_000
	ExpiringSoon = 3 * 24 * time.Hour
)

// QueueCounts tells of what waits to be delivered.
type QueueCounts struct {
	Waiting int64     `json:"waiting"`
	Oldest  time.Time `json:"oldest,omitzero"` // when the oldest arrived
}

// Day is what happened on one day, in the organisation's time zone.
type Day struct {
	Day       time.Time `json:"day"` // its beginning
	Accepted  int64     `json:"accepted"`
	Sealed    int64     `json:"sealed"` // recipients
	Opened    int64     `json:"opened"`
	Replied   int64     `json:"replied"`
	Expired   int64     `json:"expired"`
	Failed    int64     `json:"failed"`  // recipients whose notification could not be delivered
	Refused   int64     `json:"refused"` // messages
	SignIns   int64     `json:"sign_ins"`
	SignFails int64     `json:"sign_fails"`
}

// maxDays bounds the charts.
const maxDays = 366

// OverviewShow counts, with the last so many days.
func (s *Service) OverviewShow(ctx context.Context, a Actor, days int) (o Overview, err error) {
	if err := a.allow("OverviewShow"); err != nil {
		return o, err
	}
	now := s.now()
	list := s.days(now, min(max(days, 1), maxDays))
	err = s.Store.View(ctx, func(tx store.Tx) error {
		o = Overview{At: now}
		tallies, err := tx.Audit().Tally(list[0].Day, now.Add(time.Hour))
		if err != nil {
			return err
		}
		o.Days = s.sum(list, tallies)
		return errors.Join(countUsers(tx, &o.Users), countSealed(tx, &o.Messages, now), countQueue(tx, &o.Queue))
	})
	return o, err
}

// days are the last n days, empty.
func (s *Service) days(now time.Time, n int) []Day {
	y, m, d := now.In(s.zone()).Date()
	list := make([]Day, n)
	for i := range list {
		list[i].Day = time.Date(y, m, d-(n-1-i), 0, 0, 0, 0, s.zone())
	}
	return list
}

func (s *Service) zone() *time.Location {
	if s.Zone == nil {
		return time.UTC
	}
	return s.Zone
}

// sum adds hours up to days. An hour belongs to the day in which it begins.
func (s *Service) sum(list []Day, tallies []store.Tally) []Day {
	out := append([]Day{}, list...)
	i := 0
	for _, t := range tallies {
		for i+1 < len(out) && !t.Hour.Before(out[i+1].Day) {
			i++
		}
		if !t.Hour.Before(out[i].Day) {
			out[i].add(t)
		}
	}
	return out
}

func (d *Day) add(t store.Tally) {
	for what, n := range map[store.What]*int64{
		store.EventAccepted: &d.Accepted, store.TallySealed: &d.Sealed, store.EventOpened: &d.Opened, store.EventReplied: &d.Replied,
		store.EventExpired: &d.Expired, store.TallySealedFailed: &d.Failed, store.EventRefused: &d.Refused,
		store.EventSignedIn: &d.SignIns, store.EventSignInFail: &d.SignFails,
	} {
		if t.What == what {
			*n += t.N
		}
	}
}

func countUsers(tx store.Tx, u *UserCounts) (err error) {
	for _, c := range []struct {
		n      *int64
		status store.Status
		class  store.Class
	}{
		{&u.Active, store.StatusActive, ""}, {&u.Invited, store.StatusInvited, ""}, {&u.Disabled, store.StatusDisabled, ""},
		{&u.Members, "", store.ClassMember}, {&u.Guests, "", store.ClassGuest},
	} {
		if *c.n, err = tx.Accounts().Count(c.status, c.class); err != nil {
			return err
		}
	}
	return nil
}

func countSealed(tx store.Tx, m *SealedCounts, now time.Time) (err error) {
	var queued, notified int64
	for state, n := range map[store.State]*int64{
		store.StateQueued: &queued, store.StateNotified: &notified, store.StateBounced: &m.Bounced, store.StateOpened: &m.Opened,
		store.StateExpired: &m.Expired, store.StateFailed: &m.Failed, store.StateDeclined: &m.Declined, store.StateRecalled: &m.Recalled,
	} {
		if *n, err = tx.Messages().CountState(state, true); err != nil {
			return err
		}
		m.Sealed += *n
	}
	if m.Refused, err = tx.Messages().CountState(store.StateRefused, false); err != nil {
		return err
	}
	m.Waiting = queued + notified + m.Bounced
	m.Expiring, err = tx.Messages().CountExpiring(now.Add(ExpiringSoon), ExpiringMost)
	return err
}

func countQueue(tx store.Tx, q *QueueCounts) (err error) {
	if q.Waiting, err = tx.Queue().Count(); err != nil {
		return err
	}
	q.Oldest, err = tx.Queue().Oldest()
	if errors.Is(err, store.ErrNotFound) {
		err = nil
	}
	return err
}
