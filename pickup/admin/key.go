package admin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"postern/store"
)

// CheckPrefix leads the settings that hold the check values of server keys: a start that lacks a key named there ends
// at once (KEYS K3).
const CheckPrefix = "server-key-check/"

// KeyRow is one server key.
type KeyRow struct {
	ID      store.KeyID `json:"id"`
	Rows    int         `json:"rows"` // sealed values that name it
	Current bool        `json:"current"`
}

// KeyList tells of the server keys. Counting reads every row, which takes its time on a large store: one count goes on
// at a time, and is good for a minute.
func (s *Service) KeyList(ctx context.Context, a Actor) ([]KeyRow, error) {
	if err := a.allow("KeyList"); err != nil {
		return nil, err
	}
	count, err := s.census.read(ctx, s)
	if err != nil {
		return nil, err
	}
	var rows []KeyRow
	for _, id := range s.Keys.IDs() {
		rows = append(rows, KeyRow{ID: id, Rows: count[id], Current: id == s.Keys.Current()})
	}
	return rows, nil
}

// KeyRotate makes a new server key the one that seals, and seals every row anew under it; no password or other secret
// is needed, and what is inside stays as it is. Where an earlier rotation was cut off, it is completed instead.
func (s *Service) KeyRotate(ctx context.Context, a Actor) (KeyRow, error) {
	if err := a.allow("KeyRotate"); err != nil {
		return KeyRow{}, err
	}
	defer s.census.forget()
	count, err := s.countKeys(ctx)
	if err != nil {
		return KeyRow{}, err
	}
	if !unfinished(count, s.Keys.Current()) {
		if err := s.addKey(ctx, a); err != nil {
			return KeyRow{}, err
		}
	}
	if count, err = s.sealAnew(ctx); err != nil {
		return KeyRow{}, fmt.Errorf("seal rows anew (rotate again to go on): %w", err)
	}
	id := s.Keys.Current()
	event := store.Event{ID: store.NewEventID(s.Now()), What: store.EventKeyRotated, Actor: a.Name, Facts: map[string]string{"key": string(id)}}
	err = s.Store.Update(ctx, func(tx store.Tx) error { return tx.Audit().Add(event) })
	return KeyRow{ID: id, Rows: count[id], Current: true}, err
}

// rewrapPasses is how often a rotation goes through the store. What was being sealed under the key before when the new
// one took over may be written behind the first pass.
const rewrapPasses = 3

// sealAnew brings every row under the current key, and answers what names each key then.
func (s *Service) sealAnew(ctx context.Context) (count map[store.KeyID]int, err error) {
	for range rewrapPasses {
		if err := s.rewrapAll(ctx); err != nil {
			return nil, err
		}
		if count, err = s.countKeys(ctx); err != nil || !unfinished(count, s.Keys.Current()) {
			return count, err
		}
	}
	return count, nil
}

func unfinished(count map[store.KeyID]int, current store.KeyID) bool {
	for id, n := range count {
		if id != current && n > 0 {
			return true
		}
	}
	return false
}

// addKey adds a key in an order that a crash at any step leaves safe: in the file where it opens, its check value in
// the store, and only then the one that seals. Its event does not wait for the end of the rotation.
func (s *Service) addKey(ctx context.Context, a Actor) error {
	id, err := s.Keys.Add()
	if err != nil {
		return fmt.Errorf("add a key: %w", err)
	}
	check := s.Keys.Checks()[id]
	event := store.Event{ID: store.NewEventID(s.Now()), What: store.EventKeyAdded, Actor: a.Name, Facts: map[string]string{"key": string(id)}}
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		return errors.Join(tx.Settings().Set(CheckPrefix+string(id), check), tx.Audit().Add(event))
	})
	if err != nil {
		return fmt.Errorf("remember the new key: %w", err)
	}
	if err := s.Keys.Promote(id); err != nil {
		return fmt.Errorf("seal under the new key: %w", err)
	}
	return nil
}

// retireAfter is how long a key is kept after a rotation: what was being sealed or read at that moment may name the old
// one for as long as a request lasts.
const retireAfter = 15 * time.Minute

// KeyRetire destroys a key that no row names. From then on older copies of the store open nothing that was sealed
// under it. Within a quarter of an hour after a rotation it refuses, unless it is told not to wait.
func (s *Service) KeyRetire(ctx context.Context, a Actor, id store.KeyID, atOnce bool) error {
	if err := a.allow("KeyRetire"); err != nil {
		return err
	}
	switch {
	case !slices.Contains(s.Keys.IDs(), id):
		return sayf(store.ErrNotFound, "there is no key %s", id)
	case id == s.Keys.Current():
		return fmt.Errorf("key %s is the one that seals; rotate first", id)
	}
	count, err := s.countKeys(ctx)
	if err != nil {
		return err
	}
	if n := count[id]; n > 0 {
		return fmt.Errorf("%d rows name key %s; rotate first, which seals them anew", n, id)
	}
	if err := s.rotatedLongAgo(ctx); err != nil && !atOnce {
		return err
	}
	event := store.Event{ID: store.NewEventID(s.Now()), What: store.EventKeyRetired, Actor: a.Name, Facts: map[string]string{"key": string(id)}}
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		if err := tx.Settings().Delete(CheckPrefix + string(id)); err != nil {
			return err
		}
		return tx.Audit().Add(event)
	})
	if err != nil {
		return err
	}
	s.census.forget()
	return s.Keys.Remove(id)
}

// rotatedLongAgo refuses while a rotation is fresh.
func (s *Service) rotatedLongAgo(ctx context.Context) error {
	var last []store.Event
	err := s.Store.View(ctx, func(tx store.Tx) (err error) {
		last, _, err = tx.Audit().List(store.EventFilter{What: store.EventKeyRotated}, "", 1)
		return err
	})
	if err != nil || len(last) == 0 {
		return err
	}
	if left := retireAfter - s.Now().Sub(last[0].At()); left > 0 {
		return inputf("the key was rotated a moment ago, and what was under way then may still need the old one: try again in %s, or say that it must be now (--now)",
			left.Round(time.Second))
	}
	return nil
}
