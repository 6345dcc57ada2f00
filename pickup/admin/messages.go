package admin

import (
	"context"
	"errors"
	"strings"
	"time"

	"postern/store"
)

// MessageQuery selects recipients of messages; zero fields do not select. Several fields must all fit.
type MessageQuery struct {
	From   string       `json:"from,omitempty"` // sender's address
	To     string       `json:"to,omitempty"`   // recipient's address
	State  store.State  `json:"state,omitempty"`
	Action store.Action `json:"action,omitempty"` // seal or reject
	Rule   string       `json:"rule,omitempty"`   // name of the rule that decided
	After  time.Time    `json:"after,omitzero"`   // accepted at or after
	Before time.Time    `json:"before,omitzero"`  // accepted before
	Limit  int          `json:"limit,omitempty"`
}

// MessageRow is one recipient's share in a list: who, when, size, rule and reason, state.
type MessageRow struct {
	RecipientView
	ID      string    `json:"id"`
	At      time.Time `json:"at"`
	From    string    `json:"from"` // "<>" for the null sender; empty: the record of the message is damaged
	Size    int64     `json:"size"`
	Expires time.Time `json:"expires,omitzero"`
}

// MessagePage is a page of messages, newest first.
type MessagePage struct {
	Rows []MessageRow `json:"rows"`
	Next store.Cursor `json:"next,omitempty"`
}

// MessageList pages through messages by their metadata, newest first, one row for each recipient. A page may be short,
// even empty, while Next says that there is more.
func (s *Service) MessageList(ctx context.Context, a Actor, q MessageQuery, c store.Cursor) (page MessagePage, err error) {
	if err := a.allow("MessageList"); err != nil {
		return page, err
	}
	f, err := q.filter()
	if err != nil {
		return page, err
	}
	err = s.Store.View(ctx, func(tx store.Tx) error {
		page = MessagePage{}
		rows, next, err := tx.Messages().List(f, c, limit(q.Limit))
		if err != nil {
			return err
		}
		page.Next = next
		page.Rows, err = messageRows(tx, rows)
		return err
	})
	return page, err
}

func (q MessageQuery) filter() (store.Filter, error) {
	err := errors.Join(oneOf("state", q.State, store.States()...), oneOf("action", q.Action, store.ActionSeal, store.ActionReject), notNegative(q.Limit))
	if err != nil {
		return store.Filter{}, err
	}
	f := store.Filter{State: q.State, Action: q.Action, Rule: strings.TrimSpace(q.Rule), From: q.After, To: q.Before}
	for _, x := range []struct {
		typed string
		key   *store.AddressKey
	}{{q.From, &f.Sender}, {q.To, &f.Rcpt}} {
		if typed := strings.TrimSpace(x.typed); typed != "" {
			addr, err := readAddress(typed)
			if err != nil {
				return f, err
			}
			*x.key = addr.Key()
		}
	}
	return f, nil
}

// messageRows reads the messages of recipients, each once. One whose record is damaged is shown by what its recipients'
// records tell.
func messageRows(tx store.Tx, rcpts []store.Recipient) (rows []MessageRow, err error) {
	var m store.Message
	from := ""
	for _, r := range rcpts {
		if m.ID != r.Key.Message {
			m, err = tx.Messages().Get(r.Key.Message)
			switch {
			case gone(err):
				m, from = store.Message{ID: r.Key.Message, At: r.Key.Message.Time()}, ""
			case err != nil:
				return nil, err
			case m.From == nil:
				from = "<>"
			default:
				from = m.From.String()
			}
		}
		rows = append(rows, MessageRow{RecipientView: recipientView(r), ID: m.ID.String(), At: m.At, From: from, Size: m.Size, Expires: r.Expires})
	}
	return rows, nil
}

// gone reports whether an error tells of one record alone, which is damaged or not there: a list goes on without it.
func gone(err error) bool {
	return errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrCorrupt)
}

// MessageShow tells one message's metadata and story, by its id or an item's.
func (s *Service) MessageShow(ctx context.Context, a Actor, id string) (v MessageView, err error) {
	if err := a.allow("MessageShow"); err != nil {
		return v, err
	}
	mid, err := parseMessage(id)
	if err != nil {
		return v, err
	}
	err = s.Store.View(ctx, func(tx store.Tx) error {
		v, err = messageView(tx, mid)
		return err
	})
	return v, err
}

// parseMessage reads the id of a message, or that of an item of it.
func parseMessage(text string) (store.MessageID, error) {
	text = strings.ToLower(strings.TrimSpace(text))
	if key, err := store.ParseRcptKey(text); err == nil {
		return key.Message, nil
	}
	return store.ParseMessageID(text)
}
