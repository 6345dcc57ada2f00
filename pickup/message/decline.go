package message

import (
	"context"
	"errors"
	"fmt"

	"postern/store"
	"postern/store/outbox"
	"postern/store/seal"
)

// NotForMe closes a message that its recipient says is not meant for them (P10). It needs the link and a tick, which
// the caller has demanded, but no account; it is possible until the message is first opened. The sender is told, and
// the grants stay until expiry or recall (KEYS K12). It may be repeated without effect.
//
// Errors: ErrUnknownLink, ErrOpened, *EndedError.
func (s *Service) NotForMe(ctx context.Context, secret seal.LinkSecret) error {
	return store.Retry(ctx, func() error {
		l, err := s.follow(ctx, secret.LinkID())
		if err != nil {
			return err
		}
		r, now := l.rcpt, s.now()
		if r.State == store.StateDeclined {
			return nil
		}
		if err := ended(r, now); err != nil {
			return err
		}
		if r.State == store.StateOpened {
			return ErrOpened
		}
		if _, _, err := s.keyByLink(secret, r); errors.Is(err, ErrUnknownLink) {
			return err // replaced; what is damaged may be closed
		}
		var notice *outbox.Prepared
		if wantsNotices(l.message) {
			if notice, err = s.notice(ctx, row{rcpt: r, message: l.message}, now, now, s.Mails.NotForMe); err != nil {
				return err
			}
		}
		r.State, r.Since = store.StateDeclined, now
		return s.decline(ctx, r, notice)
	})
}

func (s *Service) decline(ctx context.Context, r store.Recipient, notice *outbox.Prepared) error {
	e := store.Event{ID: store.NewEventID(r.Since), What: store.EventDeclined, Message: r.Key.Message, N: r.Key.N, Actor: actorRecipient}
	err := s.Store.Update(ctx, func(tx store.Tx) error {
		if err := tx.Messages().Set(r); err != nil {
			return err
		}
		if notice != nil {
			if err := notice.Put(tx); err != nil {
				return err
			}
		}
		return tx.Audit().Add(e)
	})
	if err != nil {
		return fmt.Errorf("close message %s: %w", r.Key.Message, err)
	}
	return nil
}
