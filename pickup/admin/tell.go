package admin

import (
	"context"
	"fmt"
	"slices"

	"postern/pickup/notify"
	"postern/store"
	"postern/store/outbox"
)

// tell prepares the mails about a change of somebody's access: to whoever it is about, and to all others who may change
// it, the actor too, for it may have been done in his name. Nobody is told of an access of his own before he has
// signed in: the address may be mistyped, and whoever makes the link hands it over.
func (s *Service) tell(ctx context.Context, c change) (mails, error) {
	m := c.mail
	m.About, m.At = c.who.Address, s.now()
	if c.by != Socket() {
		m.By = c.by.Name
	}
	readers, err := s.deciders(ctx)
	if err != nil {
		return nil, err
	}
	readers = slices.DeleteFunc(readers, func(x store.Administrator) bool { return x.ID == c.who.ID })
	if m.What != notify.AdminCreated && !c.who.LastSignIn.IsZero() {
		readers = append(readers, c.who)
	}
	return s.compose(ctx, m, readers)
}

// tellOwn prepares the mail to an administrator who changed the password.
func (s *Service) tellOwn(ctx context.Context, who store.Administrator) (mails, error) {
	m := notify.AdminMail{What: notify.AdminPassword, About: who.Address, By: who.Address.String(), At: s.now()}
	return s.compose(ctx, m, []store.Administrator{who})
}

func (s *Service) compose(ctx context.Context, m notify.AdminMail, readers []store.Administrator) (all mails, err error) {
	for _, x := range readers {
		m.ID, m.To = store.NewMessageID(m.At), x.Address
		ready, err := outbox.Compose(ctx, s.Outbox, m, s.Mails.AdminChanged)
		if err != nil {
			return nil, fmt.Errorf("mail to administrator %s: %w", x.ID, err)
		}
		all = append(all, ready)
	}
	return all, nil
}

// deciders are those who may make and change administrators, and have set their access up.
func (s *Service) deciders(ctx context.Context) (found []store.Administrator, err error) {
	err = s.Store.View(ctx, func(tx store.Tx) error {
		found = nil
		for cursor := store.Cursor(""); ; {
			page, next, err := tx.Administrators().List(cursor, pageSize)
			if err != nil {
				return err
			}
			for _, x := range page {
				if x.Status == store.StatusActive && May(x.Role, "AdminCreate") {
					found = append(found, x)
				}
			}
			if cursor = next; cursor == "" {
				return nil
			}
		}
	})
	if err != nil {
		return nil, fmt.Errorf("find who is to be told: %w", err)
	}
	return found, nil
}

// mails wait for the transaction of what they tell.
type mails []outbox.Prepared

func (all mails) put(tx store.Tx) error {
	for _, m := range all {
		if err := m.Put(tx); err != nil {
			return err
		}
	}
	return nil
}
