package admin

import (
	"context"
	"strings"

	"postern/store"
	"postern/store/seal"
)

// walker is called for every row that holds values of the server layer (KEYS K3).
type walker struct {
	message   func(store.Tx, store.Message) error
	recipient func(store.Tx, store.Recipient) error
	account   func(store.Tx, store.Account) error
	admin     func(store.Tx, store.Administrator) error
	session   func(store.Tx, store.Session) error
	token     func(store.Tx, store.Token) error
	setting   func(tx store.Tx, name string, value []byte) error
	update    bool // in transactions that may write
}

// walk visits every row in small transactions. A row that changes meanwhile is visited as it is then.
func (s *Service) walk(ctx context.Context, w walker) error {
	for _, pages := range []func(store.Tx, walker, store.Cursor) (store.Cursor, error){
		walkMessages, walkAccounts, walkAdministrators, walkVisits, walkTokens, walkSettings,
	} {
		for c := store.Cursor(""); ; {
			var next store.Cursor
			err := store.Retry(ctx, func() error {
				return s.in(ctx, w.update, func(tx store.Tx) (err error) {
					next, err = pages(tx, w, c)
					return err
				})
			})
			if err != nil {
				return err
			}
			if c = next; c == "" {
				break
			}
		}
	}
	return nil
}

func (s *Service) in(ctx context.Context, update bool, f func(store.Tx) error) error {
	if update {
		return s.Store.Update(ctx, f)
	}
	return s.Store.View(ctx, f)
}

const walkSize = 100

// walkMessages visits a page of recipients and their messages. A message whose recipients lie on two pages is visited
// with its first one, which is not number 1 where that one was refused without a trace.
func walkMessages(tx store.Tx, w walker, c store.Cursor) (store.Cursor, error) {
	rows, next, err := tx.Messages().List(store.Filter{}, c, walkSize)
	if err != nil {
		return "", err
	}
	for _, r := range rows {
		if err := w.recipient(tx, r); err != nil {
			return "", err
		}
		if first, _, err := tx.Messages().Recipients(r.Key.Message, "", 1); err != nil {
			return "", err
		} else if len(first) == 0 || first[0].Key != r.Key {
			continue
		}
		m, err := tx.Messages().Get(r.Key.Message)
		if gone(err) {
			continue // no key opens it any more
		}
		if err != nil {
			return "", err
		}
		if err := w.message(tx, m); err != nil {
			return "", err
		}
	}
	return next, nil
}

func walkAccounts(tx store.Tx, w walker, c store.Cursor) (store.Cursor, error) {
	accounts, next, err := tx.Accounts().List(store.AccountFilter{}, c, walkSize)
	if err != nil {
		return "", err
	}
	for _, a := range accounts {
		if err := walkSessions(tx, w, a.ID); err != nil {
			return "", err
		}
		if err := w.account(tx, a); err != nil {
			return "", err
		}
	}
	return next, nil
}

// walkVisits visits the sessions of addresses without account.
func walkVisits(tx store.Tx, w walker, c store.Cursor) (store.Cursor, error) {
	visits, next, err := tx.Sessions().Visits(c, walkSize)
	if err != nil {
		return "", err
	}
	for _, x := range visits {
		if err := w.session(tx, x); err != nil {
			return "", err
		}
	}
	return next, nil
}

func walkSessions(tx store.Tx, w walker, of store.AccountID) error {
	sessions, err := tx.Sessions().Of(of)
	if err != nil {
		return err
	}
	for _, x := range sessions {
		if err := w.session(tx, x); err != nil {
			return err
		}
	}
	return nil
}

func walkAdministrators(tx store.Tx, w walker, c store.Cursor) (store.Cursor, error) {
	admins, next, err := tx.Administrators().List(c, walkSize)
	if err != nil {
		return "", err
	}
	for _, a := range admins {
		if err := walkSessions(tx, w, a.ID); err != nil {
			return "", err
		}
		if err := w.admin(tx, a); err != nil {
			return "", err
		}
	}
	return next, nil
}

func walkTokens(tx store.Tx, w walker, c store.Cursor) (store.Cursor, error) {
	tokens, next, err := tx.Tokens().List(c, walkSize)
	if err != nil {
		return "", err
	}
	for _, t := range tokens {
		if err := w.token(tx, t); err != nil {
			return "", err
		}
	}
	return next, nil
}

func walkSettings(tx store.Tx, w walker, _ store.Cursor) (store.Cursor, error) {
	names, err := tx.Settings().Names(seal.MACKeyPrefix)
	if err != nil {
		return "", err
	}
	for _, name := range names {
		value, err := tx.Settings().Get(name)
		if err != nil {
			return "", err
		}
		if err := w.setting(tx, strings.TrimPrefix(name, seal.MACKeyPrefix), value); err != nil {
			return "", err
		}
	}
	return "", nil
}

// rewrapAll seals every row anew under the current key. It may be cut off and begun again. It draws nonces inside its
// transactions: one that runs twice draws others, which mean the same.
func (s *Service) rewrapAll(ctx context.Context) error {
	return s.walk(ctx, walker{
		update: true,
		message: func(tx store.Tx, m store.Message) error {
			changed, err := s.Keys.RewrapMessage(&m)
			if err != nil || !changed {
				return err
			}
			return tx.Messages().SetMessage(m)
		},
		recipient: func(tx store.Tx, r store.Recipient) error {
			changed, err := s.Keys.RewrapRecipient(&r)
			if err != nil || !changed {
				return err
			}
			return tx.Messages().Set(r)
		},
		account: func(tx store.Tx, a store.Account) error {
			changed, err := s.Keys.RewrapAccount(&a)
			if err != nil || !changed {
				return err
			}
			return tx.Accounts().Set(a)
		},
		admin: func(tx store.Tx, a store.Administrator) error {
			changed, err := s.Keys.RewrapAdministrator(&a)
			if err != nil || !changed {
				return err
			}
			return tx.Administrators().Set(a)
		},
		session: func(tx store.Tx, x store.Session) error {
			changed, err := s.Keys.RewrapSession(&x)
			if err != nil || !changed {
				return err
			}
			return tx.Sessions().Put(x)
		},
		token: func(tx store.Tx, t store.Token) error {
			changed, err := s.Keys.RewrapToken(&t)
			if err != nil || !changed {
				return err
			}
			return tx.Tokens().Set(t)
		},
		setting: func(tx store.Tx, name string, value []byte) error {
			out, changed, err := s.Keys.RewrapMACKey(name, value)
			if err != nil || !changed {
				return err
			}
			return tx.Settings().Set(seal.MACKeyPrefix+name, out)
		},
	})
}
