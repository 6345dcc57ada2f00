package admin

import (
	"context"
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
	way, err := s.Messages.Renotify(ctx, message.Actor{Name: a.Name, Account: a.Account}, key)
	if err != nil {
		return "", shareError(key, err)
	}
	if way == message.BySignIn {
		return "The mail leads to the message, which opens once the recipient has signed in.", nil
	}
	return "The mail asks the recipient to open the first one, whose link alone opens the message. A new link can be had from the sender only.", nil
}

// MessageExtend gives a recipient's share, by the item's id, more time.
func (s *Service) MessageExtend(ctx context.Context, a Actor, item string, until time.Time) error {
	if err := a.allow("MessageExtend"); err != nil {
		return err
	}
	key, err := store.ParseRcptKey(strings.ToLower(strings.TrimSpace(item)))
	if err != nil {
		return input(err)
	}
	return shareError(key, s.Messages.Extend(ctx, message.Actor{Name: a.Name, Account: a.Account}, key, until))
}
