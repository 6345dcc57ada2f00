package message

import (
	"context"
	"errors"
	"fmt"
	"time"

	"postern/pickup/account"
	"postern/store"
	"postern/store/mail"
	"postern/store/seal"
)

// SentPage is a page of the replies that an account wrote, newest first.
type SentPage struct {
	Items []SentItem
	Next  store.Cursor
}

// SentItem is a reply. To and Subject are empty when Sealed.
type SentItem struct {
	ID          store.MessageID
	Answers     store.MessageID
	To          []mail.Mailbox
	Subject     string
	At          time.Time
	Size        int64
	Attachments int
	Recipients  []store.Recipient // with state: "not delivered" shows here (MAIL §7)
	Sealed      bool              // the account has no key to it any more
	Damaged     bool
}

// sentRow is what Sent and SentView read of a reply.
type sentRow struct {
	stored
	rcpts  []store.Recipient
	parent store.Recipient // the account's share of what it answers; zero: it is none of the account's any more
}

// Sent lists the replies of an account whose copies still exist. It changes nothing.
func (s *Service) Sent(ctx context.Context, who account.Signed, c store.Cursor) (SentPage, error) {
	p := SentPage{Next: c}
	for scanned := 0; scanned < maxScanned && len(p.Items) == 0; scanned += defaultPage { // past those that have ended
		rows, next, err := s.sentRows(ctx, who, p.Next)
		if err != nil {
			return SentPage{}, fmt.Errorf("list sent replies: %w", err)
		}
		for _, r := range rows {
			p.Items = append(p.Items, s.sentItem(who, r))
		}
		if p.Next = next; next == "" {
			break
		}
	}
	return p, nil
}

func (s *Service) sentRows(ctx context.Context, who account.Signed, c store.Cursor) (rows []sentRow, next store.Cursor, err error) {
	err = s.Store.View(ctx, func(tx store.Tx) error {
		rows = nil
		var list []store.Message
		if list, next, err = tx.Messages().Sent(who.Account.ID, c, defaultPage); err != nil {
			return err
		}
		for _, m := range list {
			if len(m.Card) == 0 {
				continue // ended with what it answers
			}
			r, err := readSent(tx, who, m)
			if err != nil {
				return err
			}
			rows = append(rows, r)
		}
		return nil
	})
	return rows, next, err
}

// readSent reads what belongs to a reply.
func readSent(tx store.Tx, who account.Signed, m store.Message) (r sentRow, err error) {
	r.message = m
	if r.rcpts, _, err = tx.Messages().Recipients(m.ID, "", maxRecipients); err != nil {
		return r, err
	}
	r.parent, err = tx.Messages().Recipient(m.Parent)
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && !answeredBy(who, r.parent):
		r.parent, err = store.Recipient{}, nil
	case isDamage(err): // the writer's own grant may open it all the same
		err = nil
	}
	return r, err
}

// answeredBy reports whether a share is that of who replies.
func answeredBy(who account.Signed, share store.Recipient) bool {
	if who.IsVisit() {
		return who.Account.Owns(share.Address.Key())
	}
	return share.Account == who.Account.ID
}

// maxRecipients of a reply (MAIL 6.11).
const maxRecipients = 50

func (s *Service) sentItem(who account.Signed, r sentRow) SentItem {
	m := r.message
	item := SentItem{ID: m.ID, Answers: m.Parent.Message, At: m.At, Size: m.Size, Recipients: r.rcpts}
	sum, ok := s.cards.get(who.Session.ID, m.ID, s.now())
	if !ok {
		fk, err := s.keyOfSent(who, r)
		if errors.Is(err, ErrNeedsLink) {
			item.Sealed = true
			return item
		}
		var card mail.Card
		if err == nil {
			card, err = openCard(fk, m)
		}
		if err != nil {
			s.Log.Error("reply not listed", "event", "damaged", "msg", m.ID, "error", err)
			item.Damaged = true
			return item
		}
		sum = summarize(m, card, s.Tags)
		s.cards.put(who.Session.ID, m.ID, sum, s.now())
	}
	item.To, item.Subject, item.Attachments = sum.to, sum.subject, sum.attachments
	return item
}

// keyOfSent opens a reply for its writer: by his own grant or, when his key has changed since, through the message
// that it answers (KEYS K6), as a visit always does. ErrNeedsLink when both are closed to him.
func (s *Service) keyOfSent(who account.Signed, r sentRow) (seal.FileKey, error) {
	if !who.IsVisit() {
		fk, err := s.keyByGrants(who, r.message.ID, r.message.Grants)
		if !errors.Is(err, ErrNeedsLink) {
			return fk, err
		}
	}
	for _, g := range r.message.Grants {
		if g.Kind != store.GrantParent {
			continue
		}
		parent, err := s.keyFor(who, r.parent)
		if err != nil {
			return seal.FileKey{}, err
		}
		fk, err := s.Keys.OpenParent(parent, r.message.Parent.Message, r.message.ID, g)
		if err != nil {
			return fk, damaged(r.message.ID, err)
		}
		return fk, nil
	}
	return seal.FileKey{}, ErrNeedsLink
}

// SentView opens a reply for the account that wrote it. ErrNotFound, ErrNeedsLink, *EndedError when what it answers has
// ended, ErrDamaged.
func (s *Service) SentView(ctx context.Context, who account.Signed, id store.MessageID) (*Opened, error) {
	var r sentRow
	err := s.Store.View(ctx, func(tx store.Tx) error {
		m, err := tx.Messages().Get(id)
		if errors.Is(err, store.ErrNotFound) || err == nil && m.Writer != who.Account.ID {
			return ErrNotFound
		}
		if err != nil {
			return readError(id, err)
		}
		if r, err = readSent(tx, who, m); err != nil {
			return err
		}
		if who.IsVisit() && r.parent.Key == (store.RcptKey{}) {
			return ErrNotFound // mail of the network, or an answer from another address
		}
		if len(m.Card) == 0 {
			return r.over()
		}
		r.stored, err = readStored(tx, id)
		return err
	})
	if err != nil {
		return nil, err
	}
	fk, err := s.keyOfSent(who, r)
	if err != nil {
		return nil, err
	}
	o, err := s.open(ctx, fk, r.stored)
	if err != nil {
		return nil, err
	}
	o.Recipients = r.rcpts
	return o, nil
}

// over says how the copy of a reply ended: with what it answers.
func (r sentRow) over() error {
	if r.parent.Ended != "" {
		return &EndedError{State: r.parent.Ended, At: r.parent.EndedAt}
	}
	return &EndedError{State: store.StateExpired, At: r.parent.Since}
}
