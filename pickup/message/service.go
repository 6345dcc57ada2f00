package message

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"postern/pickup/account"
	"postern/pickup/notify"
	"postern/store"
	"postern/store/outbox"
	"postern/store/seal"
)

// The answers that a page tells apart. Everything else is a fault of ours.
var (
	// ErrUnknownLink: no row belongs to the link's secret, or a newer link replaced it.
	ErrUnknownLink = account.ErrUnknownLink
	// ErrNotYours: the link was sent to an address that the signed-in account does not own (C4).
	ErrNotYours = account.ErrNotYours
	// ErrNotFound: no such message among the account's.
	ErrNotFound = errors.New("no such message")
	// ErrNotOpened: the message is there and waits for its first opening.
	ErrNotOpened = errors.New("not opened yet")
	// ErrNeedsLink: the account has no key to the message; its own link opens it (KEYS K8).
	ErrNeedsLink = errors.New("opens by its own link only")
	// ErrEnded is what every *EndedError is.
	ErrEnded = errors.New("the message has ended")
	// ErrOpened: too late to close the message unopened.
	ErrOpened = errors.New("opened already")
	// ErrNoReply: the sender wants no reply, or cannot get one.
	ErrNoReply = errors.New("no reply possible")
	// ErrDamaged: what is stored of this message does not open or read. Other messages are not touched by that.
	ErrDamaged = errors.New("the stored message is damaged")
)

// EndedError says what ended a message, or closed it, and when.
type EndedError struct {
	State store.State // expired, recalled, failed or declined
	At    time.Time
}

func (e *EndedError) Error() string { return "the message is " + string(e.State) }

// Is makes every EndedError an ErrEnded.
func (e *EndedError) Is(target error) bool { return target == ErrEnded }

// Seeds finds the seed of an account's key version; *account.Service does.
type Seeds interface {
	SeedOf(account.Signed, store.KeyID) (seal.Seed, error)
}

// Mails composes what this package sends; *notify.Composer does.
type Mails interface {
	NotForMe(notify.Event) (store.OwnMail, error)
	ExpiredUnread(notify.Event) (store.OwnMail, error)
	Reminder(notify.Reminder) (store.OwnMail, error)
	Reply(notify.ReplyLetter) notify.ReplyMail
}

// Sender takes replies to the mail server, and marks the share that is answered; the intake does. parent opens what the
// reply answers. Errors of reading come back unchanged.
type Sender interface {
	AcceptReply(ctx context.Context, env store.Envelope, parent seal.FileKey, letter io.Reader) (store.Receipt, error)
}

// Config is what a Service works with.
type Config struct {
	Store    store.Store
	Keys     *seal.ServerKeys
	Seeds    Seeds
	Outbox   *outbox.Outbox
	Mails    Mails
	Sender   Sender
	Recorder *Recorder
	Internal func(domain string) bool // is it the organisation's
	Tags     []string                 // policy.tags, cut from subjects where they are shown
	KeepTag  bool                     // pickup.reply_keep_tag
	SiteURL  string                   // pickup.url; links are built from it (KEYS K15)

	// Unsettled reports that the clock leapt forward lately: nothing is destroyed by it then. Nil: it never does.
	Unsettled func() bool

	Now func() time.Time
	Log *slog.Logger
}

// Service holds the rules of sealed messages. Its methods may be called from several goroutines.
type Service struct {
	Config
	cards *shelves
}

// New makes a Service.
func New(c Config) *Service {
	if c.Unsettled == nil {
		c.Unsettled = func() bool { return false }
	}
	c.SiteURL = strings.TrimRight(c.SiteURL, "/")
	return &Service{Config: c, cards: newShelves()}
}

// now is the time as records keep it.
func (s *Service) now() time.Time { return s.Now().UTC().Truncate(time.Millisecond) }

// Fetched counts a fetch of a link's page, apart from people who opened the message (P9). It never blocks.
func (s *Service) Fetched(id store.LinkID) { s.Recorder.Fetched(id) }

// Downloaded records that an account saved a part of a message: its path in the card, or "eml". It never blocks.
func (s *Service) Downloaded(who account.Signed, k store.RcptKey, part string) {
	const maxPart = 64
	part = strings.ToValidUTF8(part[:min(len(part), maxPart)], "")
	s.Recorder.Record(store.Event{ID: store.NewEventID(s.now()), What: store.EventDownloaded, Message: k.Message, N: k.N,
		Account: who.Account.ID, Actor: actorRecipient, Facts: map[string]string{"part": part}})
}

// Actors of audit events.
const (
	actorRecipient = "recipient"
	actorSystem    = "system"
)

// ended says whether, and how, a recipient's share is over at a time. A share is over at its expiry, whether or not
// the expiry job has come by.
func ended(r store.Recipient, now time.Time) error {
	switch {
	case r.Ended != "":
		return &EndedError{State: r.Ended, At: r.EndedAt}
	case r.State == store.StateDeclined, !r.Live():
		return &EndedError{State: r.State, At: r.Since}
	case !r.Expires.IsZero() && !now.Before(r.Expires):
		return &EndedError{State: store.StateExpired, At: r.Expires}
	}
	return nil
}

// damaged marks an error as this one message's damage.
func damaged(id store.MessageID, err error) error {
	return fmt.Errorf("message %s: %w: %w", id, ErrDamaged, err)
}

// readError tells a damaged row from a missing one and from trouble with the store.
func readError(id store.MessageID, err error) error {
	if errors.Is(err, store.ErrCorrupt) {
		return damaged(id, err)
	}
	return fmt.Errorf("message %s: %w", id, err)
}
