package admin

import (
	"context"
	"fmt"
	"strconv"

	"postern/store"
)

// Sessions lists the live sessions of a signed-in administrator, that of the request included.
func (s *Service) Sessions(ctx context.Context, who Signed) (live []store.Session, err error) {
	err = s.Store.View(ctx, func(tx store.Tx) error {
		live, err = store.LiveSessions(tx, who.Actor.Account, s.now())
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list console sessions: %w", err)
	}
	return live, nil
}

// EndSession signs a signed-in administrator out elsewhere: of the session with that id. It is no error when there is
// none, which may have ended by itself; one of somebody else, and that of the request, stay.
func (s *Service) EndSession(ctx context.Context, who Signed, id store.SessionID) error {
	return s.endSessions(ctx, who, func(ses store.Session) bool { return ses.ID == id })
}

// EndOthers signs a signed-in administrator out everywhere else.
func (s *Service) EndOthers(ctx context.Context, who Signed) error {
	return s.endSessions(ctx, who, func(store.Session) bool { return true })
}

func (s *Service) endSessions(ctx context.Context, who Signed, chosen func(store.Session) bool) error {
	e := s.adminEvent(who.Actor, store.EventAdminEnded, who.Actor.Account)
	err := s.Store.Update(ctx, func(tx store.Tx) error {
		all, err := tx.Sessions().Of(who.Actor.Account)
		if err != nil {
			return err
		}
		n := 0
		for _, ses := range all {
			if ses.ID == who.Session.ID || !chosen(ses) {
				continue
			}
			if err := tx.Sessions().Delete(ses.ID); err != nil {
				return err
			}
			if e.At().Before(ses.Until()) {
				n++
			}
		}
		if n == 0 {
			return nil
		}
		e.Facts = map[string]string{"browser": who.Session.Browser, "count": strconv.Itoa(n)}
		return tx.Audit().Add(e)
	})
	if err != nil {
		return fmt.Errorf("end console sessions: %w", err)
	}
	return nil
}
