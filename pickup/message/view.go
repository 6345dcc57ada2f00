package message

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"postern/pickup/account"
	"postern/store"
	"postern/store/mail"
	"postern/store/seal"
)

// Opened is a message in clear, for one request. The caller closes it.
type Opened struct {
	Message    store.Message
	Recipient  store.Recipient   // whose share it is; zero in SentView
	Recipients []store.Recipient // of a reply, in SentView only
	Author     mail.Mailbox
	Subject    string // without tag
	Card       mail.Card
	Body       *seal.Body

	close func() error
}

// Close lets go of the body.
func (o *Opened) Close() error { return o.close() }

// View opens a message that was opened before. It changes nothing. ErrNotFound, ErrNotOpened, *EndedError,
// ErrNeedsLink, ErrDamaged.
func (s *Service) View(ctx context.Context, who account.Signed, k store.RcptKey) (*Opened, error) {
	var r store.Recipient
	var b stored
	err := s.Store.View(ctx, func(tx store.Tx) (err error) {
		if r, err = ownRow(tx, who, k); err != nil {
			return err
		}
		if err := ended(r, s.now()); err != nil {
			return err
		}
		b, err = readStored(tx, k.Message)
		return err
	})
	if err != nil {
		return nil, err
	}
	fk, err := s.keyFor(who, r)
	if err != nil {
		return nil, err
	}
	if r.State != store.StateOpened {
		return nil, ErrNotOpened
	}
	o, err := s.open(ctx, fk, b)
	if err != nil {
		return nil, err
	}
	o.Recipient = r
	return o, nil
}

// stored is a message as it lies in the store.
type stored struct {
	message store.Message
	inline  []byte
}

func readStored(tx store.Tx, id store.MessageID) (b stored, err error) {
	if b.message, err = tx.Messages().Get(id); err != nil {
		return b, readError(id, err)
	}
	if !b.message.Blob.IsZero() {
		return b, nil
	}
	if b.inline, err = tx.Bodies().Get(id); errors.Is(err, store.ErrNotFound) {
		return b, damaged(id, err)
	}
	return b, err
}

// open opens card and body with the file key.
func (s *Service) open(ctx context.Context, fk seal.FileKey, b stored) (*Opened, error) {
	card, err := openCard(fk, b.message)
	if err != nil {
		return nil, err
	}
	src, size, closer, err := s.source(ctx, b)
	if err != nil {
		return nil, err
	}
	body, err := seal.Open(src, size, b.message.ID, fk)
	if err != nil {
		return nil, errors.Join(damaged(b.message.ID, err), closer())
	}
	return &Opened{Message: b.message, Author: author(b.message, card), Subject: mail.CutTag(card.Subject, s.Tags),
		Card: card, Body: body, close: closer}, nil
}

// source is where the sealed body lies.
func (s *Service) source(ctx context.Context, b stored) (src io.ReaderAt, size int64, closer func() error, err error) {
	if b.message.Blob.IsZero() {
		return bytes.NewReader(b.inline), int64(len(b.inline)), func() error { return nil }, nil
	}
	blob, err := s.Store.Blobs().Open(ctx, b.message.Blob)
	if errors.Is(err, store.ErrNotFound) {
		return nil, 0, nil, damaged(b.message.ID, err)
	}
	if err != nil {
		return nil, 0, nil, fmt.Errorf("message %s: open body: %w", b.message.ID, err)
	}
	return blob, blob.Size(), blob.Close, nil
}
