package admin

import (
	"context"
	"time"

	"postern/store"
	"postern/store/seal"
)

// censusLife is how long a count of what names each server key may be shown.
const censusLife = time.Minute

// census is the last count of what names each server key. Whoever asks while somebody counts waits for that count, so
// that pages loaded again and again do not keep the store busy.
type census struct {
	turn chan struct{} // holds the census when nobody uses it
	at   time.Time     // when the count ended; zero: there is none
	rows map[store.KeyID]int
}

func newCensus() *census {
	c := &census{turn: make(chan struct{}, 1)}
	c.turn <- struct{}{}
	return c
}

// read is the last count, or a new one when that is too old.
func (c *census) read(ctx context.Context, s *Service) (map[store.KeyID]int, error) {
	select {
	case <-c.turn:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { c.turn <- struct{}{} }()
	if age := s.Now().Sub(c.at); !c.at.IsZero() && age >= 0 && age < censusLife {
		return c.rows, nil
	}
	rows, err := s.countKeys(ctx)
	if err == nil {
		c.rows, c.at = rows, s.Now()
	}
	return rows, err
}

// forget drops a count that a rotation made wrong.
func (c *census) forget() {
	<-c.turn
	c.at = time.Time{}
	c.turn <- struct{}{}
}

// countKeys says how many sealed values name each server key.
func (s *Service) countKeys(ctx context.Context) (map[store.KeyID]int, error) {
	count := map[store.KeyID]int{}
	book := func(values ...[]byte) {
		for _, v := range values {
			if id, ok := seal.KeyOf(v); ok && len(v) > 0 {
				count[id]++
			}
		}
	}
	err := s.walk(ctx, walker{
		message:   func(_ store.Tx, m store.Message) error { book(m.MsgID); bookGrants(book, m.Grants); return nil },
		recipient: func(_ store.Tx, r store.Recipient) error { bookGrants(book, r.Grants); return nil },
		account:   func(_ store.Tx, x store.Account) error { bookAccount(book, x); return nil },
		admin:     func(_ store.Tx, x store.Administrator) error { book(x.Key.Box, x.TOTP); return nil },
		session:   func(_ store.Tx, x store.Session) error { book(x.Sealed); return nil },
		token:     func(_ store.Tx, x store.Token) error { bookToken(book, x); return nil },
		setting:   func(_ store.Tx, _ string, v []byte) error { book(v); return nil },
	})
	return count, err
}

func bookGrants(book func(...[]byte), grants []store.Grant) {
	for _, g := range grants {
		if g.Kind != store.GrantRecovery { // has no server layer (KEYS K6)
			book(g.Data)
		}
	}
}

func bookAccount(book func(...[]byte), a store.Account) {
	book(a.Reminder)
	for _, k := range a.Keys {
		book(k.Box, k.Chain)
	}
}

func bookToken(book func(...[]byte), t store.Token) {
	book(t.Sealed)
	if t.Key != nil {
		book(t.Key.Box)
	}
}
