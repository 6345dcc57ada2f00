package intake

import (
	"time"

	"postern/store"
)

// write puts the records into the store. It only writes: it may run more than once.
func (rec records) write(tx store.Tx, inline []byte, threadsEnd time.Time) error {
	if err := tx.Messages().Create(rec.message, rec.rcpts); err != nil {
		return err
	}
	if rec.message.Blob.IsZero() {
		if err := tx.Bodies().Put(rec.message.ID, inline); err != nil {
			return err
		}
	}
	for _, id := range rec.threads {
		if id == (store.ThreadID{}) {
			continue
		}
		if err := tx.Threads().Put(id, rec.message.ID, threadsEnd); err != nil {
			return err
		}
	}
	return rec.enqueue(tx)
}

func (rec records) enqueue(tx store.Tx) error {
	for _, item := range rec.items {
		if err := tx.Queue().Put(item); err != nil {
			return err
		}
	}
	for _, t := range rec.tokens {
		if err := tx.Tokens().Put(t, store.FirstPasswords()); err != nil {
			return err
		}
	}
	for _, p := range rec.own {
		if err := p.Put(tx); err != nil {
			return err
		}
	}
	for _, e := range rec.events {
		if err := tx.Audit().Add(e); err != nil {
			return err
		}
	}
	return nil
}
