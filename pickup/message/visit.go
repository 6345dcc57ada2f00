package message

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"postern/pickup/account"
	"postern/store"
)

// Carried lists the live messages that a visit opens: those whose links it carries, the last one first. It changes
// nothing.
func (s *Service) Carried(ctx context.Context, who account.Signed) ([]Item, error) {
	var items []Item
	for _, secret := range slices.Backward(who.Links) {
		l, err := s.follow(ctx, secret.LinkID())
		if errors.Is(err, ErrUnknownLink) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("list messages of a visit: %w", err)
		}
		again := slices.ContainsFunc(items, func(i Item) bool { return i.Key == l.rcpt.Key }) // by another of its links
		if again || ended(l.rcpt, s.now()) != nil || !who.Account.Owns(l.rcpt.Address.Key()) {
			continue
		}
		items = append(items, s.carriedItem(who, l.rcpt, l.message))
	}
	return items, nil
}

func (s *Service) carriedItem(who account.Signed, r store.Recipient, m store.Message) Item {
	item := Item{Key: r.Key, At: m.At, Expires: r.Expires, Opened: r.Opened, Replied: r.Replied, Size: m.Size}
	fk, err := s.keyFor(who, r)
	if err == nil {
		card, cardErr := openCard(fk, m)
		sum := summarize(m, card, s.Tags)
		item.Author, item.Subject, item.Attachments, err = sum.author, sum.subject, sum.attachments, cardErr
	}
	if err != nil {
		s.Log.Error("message not listed", "event", "damaged", "msg", m.ID, "error", err)
		item.Damaged = true
	}
	return item
}
