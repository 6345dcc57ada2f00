package message

import (
	"context"
	"errors"
	"fmt"
	"time"

	"postern/pickup/notify"
	"postern/store"
	"postern/store/outbox"
)

const (
	expireBatch = 500 // recipients a transaction (ARCHITECTURE 1.10)
	// expireTick is how long the expiry job sleeps at most: what was accepted meanwhile may end before what it knew.
	expireTick = 15 * time.Second
	// expireAgain is how long it sleeps when some shares could not be ended: they are due still.
	expireAgain = time.Minute
)

// dying is a recipient whose share is to end, with what its sender is told.
type dying struct {
	rcpt    store.Recipient
	event   store.Event
	notice  *outbox.Prepared
	rowOnly bool // the message's own record is damaged
}

// Expire ends up to n shares that are due at a time, and says how many it ended. The sender of a message that nobody
// opened is told, unless the mail came from a list or a null sender.
func (s *Service) Expire(ctx context.Context, now time.Time, n int) (int, error) {
	p, err := s.expirePage(ctx, now, "", n)
	return p.done, err
}

// expired is what one page of shares came to.
type expired struct {
	done, failed int
	next         store.Cursor // "": nothing is due behind them
}

// expirePage ends the shares that are due on a page. One that cannot be ended holds up no other (I5).
func (s *Service) expirePage(ctx context.Context, now time.Time, c store.Cursor, n int) (p expired, err error) {
	due, p, err := s.due(ctx, now, c, n)
	if err != nil {
		return p, fmt.Errorf("find expired messages: %w", err)
	}
	p.done, err = s.expire(ctx, due, now)
	if !isDamage(err) {
		return p, err
	}
	p.done = 0
	for _, d := range due {
		done, err := s.expireAlone(ctx, d, now)
		if p.done += done; err != nil {
			s.notExpired(ctx, &p, d.rcpt.Key, err)
		}
	}
	return p, nil
}

func isDamage(err error) bool {
	return errors.Is(err, store.ErrCorrupt) || errors.Is(err, store.ErrNotFound)
}

// expireAlone ends one share by itself, and how many that were. If the message's own record is damaged, at least the
// recipient's grants go.
func (s *Service) expireAlone(ctx context.Context, d dying, now time.Time) (int, error) {
	done, err := s.expire(ctx, []dying{d}, now)
	if isDamage(err) {
		d.rowOnly = true
		done, err = s.expire(ctx, []dying{d}, now)
		s.Log.ErrorContext(ctx, "damaged message expired in part", "event", "expire", "msg", d.rcpt.Key.Message)
	}
	return done, err
}

// notExpired counts a share that could not be ended. The first few of a page are named in the log.
func (s *Service) notExpired(ctx context.Context, p *expired, k store.RcptKey, err error) {
	const few = 10
	if p.failed++; p.failed <= few {
		s.Log.WarnContext(ctx, "share not ended at its expiry", "event", "expire", "msg", k.Message, "item", k, "error", err)
	}
}

// due reads what is to end on a page, and composes the notices.
func (s *Service) due(ctx context.Context, now time.Time, c store.Cursor, n int) (due []dying, p expired, err error) {
	var rows []row
	err = s.Store.View(ctx, func(tx store.Tx) (err error) {
		rows, p, err = s.dueRows(ctx, tx, dueAt{now, c, n})
		return err
	})
	if err != nil {
		return nil, p, err
	}
	for _, r := range rows {
		d := dying{rcpt: r.rcpt, event: store.Event{ID: store.NewEventID(now), What: store.EventExpired,
			Message: r.rcpt.Key.Message, N: r.rcpt.Key.N, Actor: actorSystem}}
		if d.notice, err = s.expiredNotice(ctx, r, now); err != nil {
			s.notExpired(ctx, &p, r.rcpt.Key, err)
			continue
		}
		due = append(due, d)
	}
	return due, p, nil
}

// dueAt says which page of the shares that are due is read.
type dueAt struct {
	now time.Time
	c   store.Cursor
	n   int
}

func (s *Service) dueRows(ctx context.Context, tx store.Tx, at dueAt) (rows []row, p expired, err error) {
	keys, next, err := tx.Messages().Expired(at.now, at.c, at.n)
	if err != nil {
		return nil, p, err
	}
	p.next = next
	for _, k := range keys {
		r, err := tx.Messages().Recipient(k)
		if err != nil {
			s.notExpired(ctx, &p, k, err)
			continue
		}
		last := len(rows) - 1
		if last >= 0 && rows[last].message.ID == k.Message { // recipients of a message stand together
			rows = append(rows, row{r, rows[last].message, nil})
			continue
		}
		m, err := tx.Messages().Get(k.Message)
		rows = append(rows, row{r, m, err})
	}
	return rows, p, nil
}

// expiredNotice is the "expired unread" mail, nil when nobody is to get one. Trouble with the outbox is an error: the
// share then ends later, with its notice.
func (s *Service) expiredNotice(ctx context.Context, r row, now time.Time) (*outbox.Prepared, error) {
	if r.err != nil || r.rcpt.State == store.StateOpened || r.rcpt.State == store.StateDeclined || !wantsNotices(r.message) {
		return nil, nil
	}
	return s.notice(ctx, r, r.rcpt.Expires, now, s.Mails.ExpiredUnread)
}

// wantsNotices reports whether the sender of a message is told what became of it (MAIL §4, §7).
func wantsNotices(m store.Message) bool { return m.From != nil && !m.List }

// notice composes and seals a mail to the sender about one recipient. One that cannot be composed is left out: what it
// tells of happens all the same.
func (s *Service) notice(ctx context.Context, r row, at, now time.Time, compose func(notify.Event) (store.OwnMail, error)) (*outbox.Prepared, error) {
	own, err := compose(notify.Event{ID: store.NewMessageID(now), About: r.rcpt.Key, To: *r.message.From,
		Recipient: r.rcpt.Address, MessageID: s.messageID(r.message), Sent: r.message.At, At: at})
	if err != nil {
		s.Log.ErrorContext(ctx, "notice not composed", "event", "notice", "msg", r.rcpt.Key.Message, "error", err)
		return nil, nil
	}
	prepared, err := s.Outbox.Prepare(ctx, own)
	if err != nil {
		return nil, fmt.Errorf("seal notice: %w", err)
	}
	return &prepared, nil
}

// messageID is the original's Message-ID, to which later notices refer; "" when it had none.
func (s *Service) messageID(m store.Message) string {
	if len(m.MsgID) == 0 {
		return ""
	}
	id, err := s.Keys.OpenMessageID(m.ID, m.MsgID)
	if err != nil {
		s.Log.Error("Message-ID does not open", "event", "damaged", "msg", m.ID, "error", err)
		return ""
	}
	return id
}

// expire writes the ends. A recipient that changed meanwhile is left for the next round.
func (s *Service) expire(ctx context.Context, due []dying, now time.Time) (done int, err error) {
	if len(due) == 0 {
		return 0, nil
	}
	at := now.UTC().Truncate(time.Millisecond)
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		done = 0
		touched := make(map[store.MessageID]bool)
		for _, d := range due {
			cur, err := tx.Messages().Recipient(d.rcpt.Key)
			if err != nil {
				return err
			}
			if cur.Version != d.rcpt.Version {
				continue
			}
			if err := d.write(tx, at); err != nil {
				return err
			}
			touched[d.rcpt.Key.Message] = touched[d.rcpt.Key.Message] || !d.rowOnly
			done++
		}
		for id, whole := range touched {
			if !whole {
				continue
			}
			if err := closeMessage(tx, id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("expire messages: %w", err)
	}
	return done, nil
}

func (d dying) write(tx store.Tx, at time.Time) error {
	end := endShare
	if d.rowOnly {
		end = endRow
	}
	if err := end(tx, d.rcpt, store.StateExpired, at); err != nil {
		return err
	}
	if d.notice != nil {
		if err := d.notice.Put(tx); err != nil {
			return err
		}
	}
	return tx.Audit().Add(d.event)
}

// Run is the expiry job: it ends what is due, also what became due while the server was down, and sleeps until the
// next expiry. It returns when ctx ends.
func (s *Service) Run(ctx context.Context) error {
	for {
		failed := 0
		if !s.Unsettled() {
			failed = s.expireAll(ctx)
		}
		s.cards.tidy(s.now())
		wait := expireAgain
		if failed == 0 && !s.Unsettled() {
			wait = s.untilNext(ctx)
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}

// expireAll goes once through all that is due, and says how many shares could not be ended.
func (s *Service) expireAll(ctx context.Context) (failed int) {
	now, done := s.now(), 0
	for c := store.Cursor(""); ctx.Err() == nil; {
		p, err := s.expirePage(ctx, now, c, expireBatch)
		done, failed = done+p.done, failed+p.failed
		if err != nil && ctx.Err() == nil {
			s.Log.ErrorContext(ctx, "expiry", "event", "expire", "error", err)
		}
		if c = p.next; c == "" || err != nil {
			break
		}
	}
	if done > 0 {
		s.Log.InfoContext(ctx, "messages expired", "event", "expire", "count", done)
	}
	if failed > 0 {
		s.Log.ErrorContext(ctx, "shares did not end at their expiry; lines before this one name some", "event", "expire", "count", failed, "again_in", expireAgain)
	}
	return failed
}

func (s *Service) untilNext(ctx context.Context) time.Duration {
	wait := expireTick
	err := s.Store.View(ctx, func(tx store.Tx) error {
		next, err := tx.Messages().NextExpiry()
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err == nil {
			wait = min(expireTick, max(time.Second, next.Sub(s.Now())))
		}
		return err
	})
	if err != nil && ctx.Err() == nil {
		s.Log.ErrorContext(ctx, "next expiry", "event", "expire", "error", err)
	}
	return wait
}
