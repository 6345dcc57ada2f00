package bolt

import (
	"errors"
	"fmt"

	"postern/store"
)

// bodies implements store.Bodies.
type bodies struct{ t *tx }

func (b bodies) Put(id store.MessageID, body []byte) error {
	msg, err := messages(b).Get(id)
	switch {
	case err != nil:
		return err
	case !msg.Blob.IsZero():
		return fmt.Errorf("body of message %s: it lies in a blob", id)
	case msg.Refs <= 0:
		return fmt.Errorf("body of message %s: nobody needs it", id)
	}
	return b.t.put(bodiesB, id[:], wrapRaw(body))
}

func (b bodies) Get(id store.MessageID) ([]byte, error) {
	value := b.t.get(bodiesB, id[:])
	if value == nil {
		return nil, fmt.Errorf("body of message %s: %w", id, store.ErrNotFound)
	}
	body, ok := unwrapRaw(value)
	if !ok {
		return nil, corrupt("body of message", id)
	}
	return body, nil
}

func (b bodies) Unref(id store.MessageID) error {
	msg, err := messages(b).Get(id)
	if err != nil {
		return err
	}
	if msg.Refs <= 0 {
		return fmt.Errorf("body of message %s is needed by nobody: %w", id, store.ErrNotFound)
	}
	old := msg
	if msg.Refs--; msg.Refs == 0 {
		if err := b.release(msg); err != nil {
			return err
		}
	}
	return messages(b).write(&old, msg)
}

func (b bodies) release(msg store.Message) error {
	if msg.Blob.IsZero() {
		return b.t.del(bodiesB, msg.ID[:])
	}
	return errors.Join(b.t.del(blobsB, msg.Blob[:]), b.t.put(releasedB, msg.Blob[:], nil))
}

func (b bodies) Released(after store.BlobID, n int) (ids []store.BlobID, err error) {
	for k := range b.t.up(releasedB, nil, append(after[:], 0)) {
		if len(ids) >= n {
			break
		}
		ids = append(ids, toID[store.BlobID](k))
	}
	return ids, nil
}

func (b bodies) Forget(id store.BlobID) error { return b.t.del(releasedB, id[:]) }

func (b bodies) Known(id store.BlobID) (bool, error) {
	return b.t.has(blobsB, id[:]) || b.t.has(releasedB, id[:]), nil
}
