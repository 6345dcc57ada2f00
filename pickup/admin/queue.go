package admin

import (
	"context"
	"errors"
	"fmt"
	"time"

	"postern/store"
)

// pageSize bounds one page of any list.
const pageSize = 200

// QueueRow is one waiting delivery.
type QueueRow struct {
	Item     string    `json:"item"`
	Kind     string    `json:"kind"`
	From     string    `json:"from"` // "<>" for the null sender
	To       string    `json:"to"`
	Domain   string    `json:"domain"`
	Size     int64     `json:"size"`
	Arrived  time.Time `json:"arrived"`
	Due      time.Time `json:"due"`
	GiveUp   time.Time `json:"give_up"`
	Attempts int       `json:"attempts"`
	Running  bool      `json:"running"`
	Why      string    `json:"why"` // one sentence
}

// QueuePage is a page of the queue.
type QueuePage struct {
	Rows []QueueRow   `json:"rows"`
	Next store.Cursor `json:"next,omitempty"`
	All  int64        `json:"all"`
}

// QueueList pages through waiting deliveries, of one domain or of all.
func (s *Service) QueueList(ctx context.Context, a Actor, domain string, c store.Cursor) (page QueuePage, err error) {
	if err := a.allow("QueueList"); err != nil {
		return page, err
	}
	err = s.Store.View(ctx, func(tx store.Tx) error {
		page = QueuePage{}
		items, next, err := tx.Queue().List(domain, c, pageSize)
		if err != nil {
			return err
		}
		for _, it := range items {
			page.Rows = append(page.Rows, s.queueRow(it))
		}
		page.Next = next
		page.All, err = tx.Queue().Count()
		return err
	})
	return page, err
}

// QueueCount counts waiting deliveries.
func (s *Service) QueueCount(ctx context.Context, a Actor) (n int64, err error) {
	if err := a.allow("QueueCount"); err != nil {
		return 0, err
	}
	err = s.Store.View(ctx, func(tx store.Tx) error {
		n, err = tx.Queue().Count()
		return err
	})
	return n, err
}

// QueueShow tells of one waiting delivery.
func (s *Service) QueueShow(ctx context.Context, a Actor, key store.RcptKey) (row QueueRow, err error) {
	if err := a.allow("QueueShow"); err != nil {
		return row, err
	}
	err = s.Store.View(ctx, func(tx store.Tx) error {
		it, err := tx.Queue().Get(key)
		row = s.queueRow(it)
		return err
	})
	if err != nil {
		return row, queueError(key, err)
	}
	return row, nil
}

// QueueRetry makes one item due now.
func (s *Service) QueueRetry(ctx context.Context, a Actor, key store.RcptKey) error {
	if err := a.allow("QueueRetry"); err != nil {
		return err
	}
	now := s.Now()
	event := s.event(a, store.EventQueueRetry, key)
	var domain string
	err := s.Store.Update(ctx, func(tx store.Tx) error {
		it, err := tx.Queue().Get(key)
		if err != nil {
			return err
		}
		domain = it.Domain
		it.Due = now
		if err := tx.Queue().Replace(it); err != nil {
			return err
		}
		return tx.Audit().Add(event)
	})
	if err != nil {
		return queueError(key, err)
	}
	s.Runner.Flush(domain)
	return nil
}

// queueError says in a sentence why an item could not be had.
func queueError(key store.RcptKey, err error) error {
	switch {
	case errors.Is(err, store.ErrNotFound):
		return fmt.Errorf("item %s is not in the queue: it was delivered, failed or never existed: %w", key, err)
	case errors.Is(err, store.ErrConflict):
		return fmt.Errorf("item %s is being delivered right now: %w", key, err)
	}
	return fmt.Errorf("item %s: %w", key, err)
}

// QueueDrop ends one item as failed; its sender gets a report where one is due.
func (s *Service) QueueDrop(ctx context.Context, a Actor, key store.RcptKey, reason string) error {
	if err := a.allow("QueueDrop"); err != nil {
		return err
	}
	if err := s.Runner.Drop(ctx, key, reason, s.event(a, store.EventQueueDrop, key)); err != nil {
		return queueError(key, err)
	}
	return nil
}

func (s *Service) event(a Actor, what store.What, key store.RcptKey) store.Event {
	return store.Event{ID: store.NewEventID(s.Now()), What: what, Message: key.Message, N: key.N, Actor: a.Name}
}

func (s *Service) queueRow(it store.QueueItem) QueueRow {
	from := "<>"
	if it.From != nil {
		from = it.From.String()
	}
	down := s.Runner.Down(it.Domain)
	if it.Due.Before(down) {
		it.Due = down
	}
	return QueueRow{
		Item: it.Key.String(), Kind: string(it.Kind), From: from, To: it.To.Address.String(), Domain: it.Domain, Size: it.Size,
		Arrived: it.Arrived, Due: it.Due, GiveUp: it.GiveUp, Attempts: it.Attempts, Running: !it.Owner.IsZero(), Why: whyWaiting(it, !down.IsZero()),
	}
}

// whyWaiting says in one sentence what an item waits for.
func whyWaiting(it store.QueueItem, down bool) string {
	switch {
	case !it.Owner.IsZero():
		return "is being delivered now"
	case down && it.Last != "":
		return "its next hop does not answer: " + it.Last
	case down:
		return "its next hop does not answer"
	case it.Last != "":
		return "the last attempt ended with: " + it.Last
	case it.Attempts == 0:
		return "waits for its first attempt"
	default:
		return "waits for its next attempt"
	}
}
