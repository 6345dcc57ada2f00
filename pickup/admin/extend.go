package admin

import (
	"context"
	"errors"
	"strings"
	"time"

	"postern/pickup/message"
	"postern/store"
)

// MessageRenotify mails a recipient, by the item's id, once more about a sealed message, and says in a sentence what the
// mail holds. It never holds a new link: nobody here can make one (KEYS K11).
func (s *Service) MessageRenotify(ctx context.Context, a Actor, item string) (string, error) {
	if err := a.allow("MessageRenotify"); err != nil {
		return "", err
	}
	key, err := store.ParseRcptKey(strings.ToLower(strings.TrimSpace(item)))
	if err != nil {
		return "", input(err)
	}
	way, err := s.Messages.Renotify(ctx, message.Actor(a.Name), key)
	if err != nil {
		return "", shareError(key.String(), err)
	}
	if way == message.BySignIn {
		return "The mail leads to the message, which opens once the recipient has signed in.", nil
	}
	return "The mail asks the recipient to open the first one, whose link alone opens the message. A new link can be had from the sender only.", nil
}

// MessageExtend gives shares of a sealed message more time and says how many: that of one recipient, whose item's id is
// given, or all that are open and end earlier, when it is the message's id or Message-ID. It is all of them or none.
func (s *Service) MessageExtend(ctx context.Context, a Actor, query string, until time.Time) (int, error) {
	if err := a.allow("MessageExtend"); err != nil {
		return 0, err
	}
	by := message.Actor(a.Name)
	if key, err := store.ParseRcptKey(strings.ToLower(strings.TrimSpace(query))); err == nil {
		return 1, shareError(key.String(), s.local(s.Messages.Extend(ctx, by, key, until)))
	}
	id, live, err := s.oneMessage(ctx, query)
	if err != nil {
		return 0, err
	}
	if live == 0 {
		return 0, sayf(store.ErrConflict, "message %s has no share left that could be extended: it was not sealed, or every share has ended", id)
	}
	n, err := s.Messages.ExtendAll(ctx, by, id, until)
	return n, shareError(id.String(), s.local(err))
}

// local puts the times that an error names into the organisation's zone.
func (s *Service) local(err error) error {
	if date := new(message.DateError); errors.As(err, &date) {
		return &message.DateError{Ends: date.Ends.In(s.zone()), Latest: date.Latest.In(s.zone())}
	}
	return err
}
