package admin

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"postern/pickup/message"
	"postern/store"
)

// MessageView is a message by its metadata: who, when, size, rule, state. There is no subject and no content in it.
type MessageView struct {
	ID         string          `json:"id"`
	At         time.Time       `json:"at"`
	From       string          `json:"from"`
	Author     string          `json:"author,omitempty"`
	Client     string          `json:"client"`
	Size       int64           `json:"size"`
	Expires    time.Time       `json:"expires,omitzero"`
	ReplyTo    string          `json:"reply_to,omitempty"` // id of the message that this one answers
	Recipients []RecipientView `json:"recipients"`
	Events     []EventView     `json:"events"`
}

// RecipientView is one recipient's share.
type RecipientView struct {
	Item     string    `json:"item"`
	To       string    `json:"to"`
	Action   string    `json:"action"`
	Rule     string    `json:"rule"`
	Reason   string    `json:"reason"`
	State    string    `json:"state"`
	Since    time.Time `json:"since"`
	Ended    string    `json:"ended,omitempty"`
	Notified time.Time `json:"notified,omitzero"`
	Fetched  int64     `json:"fetched,omitempty"` // by programs or people before signing in
	Opened   time.Time `json:"opened,omitzero"`
	Detail   string    `json:"detail,omitempty"`
}

// EventView is one line of the history.
type EventView struct {
	At    time.Time         `json:"at"`
	What  string            `json:"what"`
	N     uint32            `json:"n,omitempty"`
	Actor string            `json:"actor,omitempty"`
	Facts map[string]string `json:"facts,omitempty"`
}

// MessageTrace finds messages by id, Message-ID or address and tells their path in order (MAIL 10.2).
func (s *Service) MessageTrace(ctx context.Context, a Actor, query string) (found []MessageView, err error) {
	if err := a.allow(SeeMessage); err != nil {
		return nil, err
	}
	err = s.Store.View(ctx, func(tx store.Tx) error {
		found = nil
		ids, err := s.find(tx, strings.TrimSpace(query))
		if err != nil {
			return err
		}
		for _, id := range ids {
			v, err := messageView(tx, id)
			if err != nil {
				return err
			}
			found = append(found, v)
		}
		return nil
	})
	if err == nil && len(found) == 0 {
		return nil, fmt.Errorf("nothing is known of %q: give a message id, an item id, a Message-ID or an address: %w", query, store.ErrNotFound)
	}
	return found, err
}

const maxFound = 20

func (s *Service) find(tx store.Tx, query string) ([]store.MessageID, error) {
	if id, err := store.ParseMessageID(strings.ToLower(query)); err == nil {
		return s.findID(tx, id)
	}
	if key, err := store.ParseRcptKey(strings.ToLower(query)); err == nil {
		return s.findID(tx, key.Message)
	}
	if strings.HasPrefix(query, "<") {
		return tx.Messages().ByMsgID(s.Threads.Thread(query), maxFound)
	}
	addr, err := store.ParseAddress(query)
	if err != nil {
		return nil, nil
	}
	return byAddress(tx, addr.Key())
}

func (s *Service) findID(tx store.Tx, id store.MessageID) ([]store.MessageID, error) {
	_, err := tx.Messages().Get(id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return []store.MessageID{id}, err
}

func byAddress(tx store.Tx, k store.AddressKey) (ids []store.MessageID, err error) {
	seen := map[store.MessageID]bool{}
	for _, f := range []store.Filter{{Rcpt: k}, {Sender: k}} {
		rows, _, err := tx.Messages().List(f, "", maxFound)
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			if !seen[r.Key.Message] && len(ids) < maxFound {
				seen[r.Key.Message] = true
				ids = append(ids, r.Key.Message)
			}
		}
	}
	return ids, nil
}

func messageView(tx store.Tx, id store.MessageID) (MessageView, error) {
	m, err := tx.Messages().Get(id)
	if err != nil {
		return MessageView{}, err
	}
	v := MessageView{ID: id.String(), At: m.At, From: "<>", Client: m.Client.IP, Size: m.Size, Expires: m.Expires}
	if m.From != nil {
		v.From = m.From.String()
	}
	if m.Author != nil {
		v.Author = m.Author.String()
	}
	if !m.Parent.IsZero() {
		v.ReplyTo = m.Parent.String()
	}
	if err := addRecipients(tx, &v, id); err != nil {
		return v, err
	}
	return v, addEvents(tx, &v, id)
}

func addRecipients(tx store.Tx, v *MessageView, id store.MessageID) error {
	for c := store.Cursor(""); ; {
		rows, next, err := tx.Messages().Recipients(id, c, pageSize)
		if err != nil {
			return err
		}
		for _, r := range rows {
			v.Recipients = append(v.Recipients, recipientView(r))
		}
		if next == "" {
			return nil
		}
		c = next
	}
}

func recipientView(r store.Recipient) RecipientView {
	return RecipientView{
		Item: r.Key.String(), To: r.Address.String(), Action: string(r.Action), Rule: r.Rule, Reason: r.Reason, State: string(r.State),
		Since: r.Since, Ended: string(r.Ended), Notified: r.Notified, Fetched: r.Fetched.N, Opened: r.Opened, Detail: r.Detail,
	}
}

func addEvents(tx store.Tx, v *MessageView, id store.MessageID) error {
	for c := store.Cursor(""); ; {
		events, next, err := tx.Audit().OfMessage(id, c, pageSize)
		if err != nil {
			return err
		}
		for _, e := range events {
			v.Events = append(v.Events, EventView{At: e.At(), What: string(e.What), N: e.N, Actor: e.Actor, Facts: e.Facts})
		}
		if next == "" {
			return nil
		}
		c = next
	}
}

// MessageRecall ends the share of one recipient, or with N 0 of all.
func (s *Service) MessageRecall(ctx context.Context, a Actor, key store.RcptKey) error {
	if err := a.allow(RecallMessage); err != nil {
		return err
	}
	by := message.Actor{Name: a.Name}
	if key.N == 0 {
		return s.Messages.RecallAll(ctx, by, key.Message)
	}
	return s.Messages.Recall(ctx, by, key)
}
