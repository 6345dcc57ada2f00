package admin

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

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
	id := store.NewEventID(now)
	var domain string
	err := s.Store.Update(ctx, func(tx store.Tx) error {
		it, err := tx.Queue().Get(key)
		if err != nil {
			return err
		}
		event := queueEvent(it, store.Event{ID: id, What: store.EventQueueRetry, Actor: a.Name})
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

// QueueDrop ends one item as failed; its sender gets a report where one is due. The audit log keeps the reason.
func (s *Service) QueueDrop(ctx context.Context, a Actor, key store.RcptKey, reason string) error {
	if err := a.allow("QueueDrop"); err != nil {
		return err
	}
	var it store.QueueItem
	err := s.Store.View(ctx, func(tx store.Tx) (err error) {
		it, err = tx.Queue().Get(key)
		return err
	})
	if err != nil {
		return queueError(key, err)
	}
	event := queueEvent(it, store.Event{ID: store.NewEventID(s.Now()), What: store.EventQueueDrop, Actor: a.Name})
	if reason = oneLine(reason); reason != "" {
		event.Facts["reason"] = reason
	}
	if err := s.Runner.Drop(ctx, key, reason, event); err != nil {
		return queueError(key, err)
	}
	return nil
}

// oneLine makes a sentence that somebody typed fit for a report and the audit log.
func oneLine(typed string) string {
	const longest = 300
	plain := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, typed)
	all := []rune(strings.Join(strings.Fields(plain), " "))
	return string(all[:min(len(all), longest)])
}

// queueEvent puts what was done to an item into the story of the message that it belongs to: a mail of ours tells about
// another one.
func queueEvent(it store.QueueItem, e store.Event) store.Event {
	about := it.Key
	if !it.About.Message.IsZero() {
		about = it.About
	}
	e.Message, e.N = about.Message, about.N
	e.Facts = map[string]string{"item": it.Key.String(), "kind": string(it.Kind), "to": it.To.Address.String()}
	return e
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
