package message

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"postern/pickup/notify"
	"postern/store"
	"postern/store/mail"
	"postern/store/outbox"
)

// Why no later mail goes out.
var (
	// ErrMailWaits: a mail about this share still waits in the queue; another one would only follow it.
	ErrMailWaits = errors.New("a mail about it still waits to be delivered")
	// ErrNoAuthor: nobody is known as the author, in whose name the mail would go.
	ErrNoAuthor = errors.New("it has no author to name")
)

// Way is how a later mail leads to the message (KEYS K11).
type Way string

// The ways. A console has no others: whoever has no account grant opens by the link that was mailed, and only the sender
// can have a new one made.
const (
	BySignIn    Way = "sign-in"    // its link has no secret: signing in opens the message
	ByFirstMail Way = "first mail" // it has no link: it names the mail that has
)

// Renotify mails a recipient once more about a message, without a secret (KEYS K11), and says how that mail leads to it.
// Errors: ErrNotFound, *EndedError, ErrMailWaits, ErrNoAuthor.
func (s *Service) Renotify(ctx context.Context, by Actor, k store.RcptKey) (way Way, err error) {
	err = store.Retry(ctx, func() error {
		way, err = s.renotify(ctx, by, k)
		return err
	})
	return way, err
}

// announced is what a later mail is composed from.
type announced struct {
	rcpt    store.Recipient
	message store.Message
	reader  store.Account // zero: none
}

func (s *Service) renotify(ctx context.Context, by Actor, k store.RcptKey) (Way, error) {
	x, err := s.announced(ctx, k)
	if err != nil {
		return "", err
	}
	now := s.now()
	if err := ended(x.rcpt, now); err != nil {
		return "", err
	}
	switch {
	case len(x.rcpt.Own) > 0:
		return "", ErrMailWaits
	case x.message.Author == nil:
		return "", ErrNoAuthor
	}
	way := x.way()
	ready, err := s.reminder(ctx, x, way, now)
	if err != nil {
		return "", err
	}
	e := store.Event{ID: store.NewEventID(now), What: store.EventRenotified, Message: k.Message, N: k.N, Actor: string(by),
		Facts: map[string]string{"way": string(way)}}
	x.rcpt.Own = append(slices.Clone(x.rcpt.Own), ready.Item().Key)
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		if err := tx.Messages().Set(x.rcpt); err != nil {
			return err
		}
		return errors.Join(ready.Put(tx), tx.Audit().Add(e))
	})
	if err != nil {
		return "", fmt.Errorf("notify recipient %s again: %w", k, err)
	}
	return way, nil
}

func (s *Service) announced(ctx context.Context, k store.RcptKey) (x announced, err error) {
	err = s.Store.View(ctx, func(tx store.Tx) error {
		x = announced{}
		if x.rcpt, err = tx.Messages().Recipient(k); err != nil {
			return err
		}
		if x.rcpt.Action != store.ActionSeal {
			return store.ErrNotFound
		}
		if x.message, err = tx.Messages().Get(k.Message); err != nil {
			return err
		}
		x.reader, err = tx.Accounts().ByAddress(x.rcpt.Address.Key())
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return x, ErrNotFound
	}
	if err != nil {
		return x, readError(k.Message, err)
	}
	return x, nil
}

// way is BySignIn where the reader's account has a key that opens the share: a current one, or a chained one.
func (x announced) way() Way {
	for _, g := range x.rcpt.Grants {
		usable := func(v store.KeyVersion) bool { return v.ID == g.Key && v.State != store.KeyLocked }
		if g.Kind == store.GrantAccount && x.reader.Status == store.StatusActive && slices.ContainsFunc(x.reader.Keys, usable) {
			return BySignIn
		}
	}
	return ByFirstMail
}

func (s *Service) reminder(ctx context.Context, x announced, way Way, now time.Time) (outbox.Prepared, error) {
	r, m := x.rcpt, x.message
	first := r.Notified
	if first.IsZero() {
		first = m.At
	}
	ready, err := outbox.Compose(ctx, s.Outbox, notify.Reminder{First: r.NoticeID, FirstSent: first, Notice: notify.Notice{
		ID: store.NewMessageID(now), About: r.Key, To: store.Rcpt{Address: r.Address}, Author: mail.Mailbox{Address: *m.Author}, Sender: m.From,
		Link: s.linkFor(r.Key, way), Sent: m.At, Expires: r.Expires, GiveUp: r.Expires, Blind: r.Blind, External: !s.Internal(m.Author.Domain),
		NoReply: r.NoReply, Lang: x.reader.Language,
	}}, s.Mails.Reminder)
	if err != nil {
		return ready, fmt.Errorf("reminder: %w", err)
	}
	return ready, nil
}

func (s *Service) linkFor(k store.RcptKey, way Way) string {
	if way != BySignIn {
		return ""
	}
	return s.SiteURL + "/m/" + k.String()
}
