package admin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"postern/store"
)

// AlertKind says what an alert is about.
type AlertKind string

// The alerts.
const (
	AlertDisk        AlertKind = "disk"        // N octets are left above the reserve; urgent: below it no mail is taken
	AlertStore       AlertKind = "store"       // nothing can be stored
	AlertCertificate AlertKind = "certificate" // of listener Subject, ends At
	AlertQueue       AlertKind = "queue"       // a delivery waits since At, N wait in all
	AlertMuted       AlertKind = "muted"       // the stored key of user Subject, or of at least N more, is not its own (KEYS K7)
	AlertDeclined    AlertKind = "declined"    // N messages were not meant for their readers, of late
)

// Alert is something that needs a hand.
type Alert struct {
	Kind    AlertKind `json:"kind"`
	Urgent  bool      `json:"urgent"` // harm is being done; else it will be
	Subject string    `json:"subject,omitempty"`
	N       int64     `json:"n,omitempty"`
	At      time.Time `json:"at,omitzero"`
}

const (
	queueOld    = time.Hour
	alertWindow = 7 * 24 * time.Hour // how long what happened is told
	alertMost   = 20                 // users with a changed key who are named; more are counted
	alertPages  = 50                 // of events that are looked at for them
)

// AlertList tells what needs a hand now, of the machine and of the store, urgent things first.
func (s *Service) AlertList(ctx context.Context, a Actor) (list []Alert, err error) {
	if err := a.allow("AlertList"); err != nil {
		return nil, err
	}
	now := s.now()
	var machine []Alert
	if s.Alarms != nil { // not within the View: a look at the store may write
		machine = s.Alarms(ctx)
	}
	err = s.Store.View(ctx, func(tx store.Tx) error {
		list = slices.Clone(machine)
		for _, find := range []func(store.Tx, time.Time) ([]Alert, error){oldQueue, muted, declined} {
			found, err := find(tx, now)
			if err != nil {
				return err
			}
			list = append(list, found...)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look for alerts: %w", err)
	}
	slices.SortStableFunc(list, func(a, b Alert) int { // urgent ones first
		switch {
		case a.Urgent == b.Urgent:
			return 0
		case a.Urgent:
			return -1
		}
		return 1
	})
	return list, nil
}

func oldQueue(tx store.Tx, now time.Time) ([]Alert, error) {
	oldest, err := tx.Queue().Oldest()
	if errors.Is(err, store.ErrNotFound) || err == nil && now.Sub(oldest) < queueOld {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	n, err := tx.Queue().Count()
	return []Alert{{Kind: AlertQueue, Urgent: true, N: n, At: oldest}}, err
}

// muted are users whose sign-in found a wrong key of late, if they are still so: the newest by name, the others counted.
func muted(tx store.Tx, now time.Time) (list []Alert, err error) {
	more := Alert{Kind: AlertMuted, Urgent: true}
	seen := map[store.AccountID]bool{}
	c := store.Cursor("")
	for range alertPages {
		events, next, err := tx.Audit().List(store.EventFilter{What: store.EventMuted, From: now.Add(-alertWindow)}, c, pageSize)
		if err != nil {
			return nil, err
		}
		for _, e := range events {
			acc, err := tx.Accounts().Get(e.Account)
			switch {
			case err != nil && !gone(err):
				return nil, err
			case !acc.Muted || seen[e.Account]:
			case len(list) < alertMost:
				list = append(list, Alert{Kind: AlertMuted, Urgent: true, Subject: acc.Address.String(), At: e.At()})
			default:
				more.N, more.At = more.N+1, e.At()
			}
			seen[e.Account] = true
		}
		if c = next; c == "" {
			break
		}
	}
	if more.N > 0 {
		list = append(list, more)
	}
	return list, nil
}

func declined(tx store.Tx, now time.Time) ([]Alert, error) {
	events, _, err := tx.Audit().List(store.EventFilter{What: store.EventDeclined, From: now.Add(-alertWindow)}, "", 1)
	if err != nil || len(events) == 0 {
		return nil, err
	}
	tallies, err := tx.Audit().Tally(now.Add(-alertWindow), now.Add(time.Hour))
	n := int64(0)
	for _, t := range tallies {
		if t.What == store.EventDeclined {
			n += t.N
		}
	}
	return []Alert{{Kind: AlertDeclined, N: n, At: events[0].At()}}, err
}
