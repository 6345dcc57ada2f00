package admin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
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
	Refused    bool            `json:"refused,omitempty"`  // as a whole: there is no body of it, and its size is not known
	Recipients []RecipientView `json:"recipients"`         // none: of a refused message its event alone is left
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
	Live     bool      `json:"live,omitempty"` // can still be opened
	Expires  time.Time `json:"expires,omitzero"`
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

// TraceQuery says whose path is wanted.
type TraceQuery struct {
	// What is the id of a message or an item, its end as lists show it, a Message-ID, an address, or the reference of a
	// refusal.
	What  string    `json:"what"`
	Since time.Time `json:"since,omitzero"` // what was accepted or refused before is left out
}

// MessageTrace finds messages and tells their path in order (MAIL 10.2), of those that were refused as well.
func (s *Service) MessageTrace(ctx context.Context, a Actor, q TraceQuery) (found []MessageView, err error) {
	if err := a.allow("MessageTrace"); err != nil {
		return nil, err
	}
	err = s.Store.View(ctx, func(tx store.Tx) error {
		found = nil
		ids, err := s.look(tx, strings.TrimSpace(q.What), q.Since)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if id.Time().Before(q.Since.Truncate(time.Millisecond)) {
				continue
			}
			v, err := messageView(tx, id)
			if err != nil {
				return err
			}
			found = append(found, v)
		}
		return nil
	})
	if err == nil && len(found) == 0 && isReference(q.What) {
		return nil, sayf(store.ErrNotFound, "no refusal is kept under the reference %q: what was refused before its header was read, or long ago, or in an hour of very many refusals, stands in the log alone; look for the reference there", q.What)
	}
	if err == nil && len(found) == 0 {
		return nil, sayf(store.ErrNotFound, "nothing is known of %q: give the id of a message or an item (of a recent one its end is enough, as the console's lists show it), a Message-ID, an address, or the reference of a refusal", q.What)
	}
	return found, err
}

const maxFound = 20

func (s *Service) find(tx store.Tx, query string, since time.Time) ([]store.MessageID, error) {
	if id, err := store.ParseMessageID(strings.ToLower(query)); err == nil {
		return findID(tx, id)
	}
	if key, err := store.ParseRcptKey(strings.ToLower(query)); err == nil {
		return findID(tx, key.Message)
	}
	if strings.HasPrefix(query, "<") {
		return tx.Messages().ByMsgID(s.Threads.Thread(query), maxFound)
	}
	addr, err := store.ParseAddress(query)
	if err != nil {
		return refusedAs(tx, strings.ToLower(query), since)
	}
	ids, err := byAddress(tx, addr.Key(), since)
	if err != nil || len(ids) > 0 {
		return ids, err
	}
	return tx.Messages().ByMsgID(s.Threads.Thread("<"+query+">"), maxFound) // copied without its brackets
}

// look finds messages by the end of an id too, of the message or of an item. What changes something takes whole ids.
func (s *Service) look(tx store.Tx, query string, since time.Time) ([]store.MessageID, error) {
	text, _, _ := strings.Cut(strings.ToLower(query), ".")
	if end, err := store.ParseIDEnd(text); err == nil {
		if ids, err := tx.Messages().ByEnd(end); err != nil || len(ids) > 0 {
			return ids, err
		}
	}
	return s.find(tx, query, since)
}

func findID(tx store.Tx, id store.MessageID) ([]store.MessageID, error) {
	_, err := tx.Messages().Get(id)
	if errors.Is(err, store.ErrNotFound) {
		_, err = refusal(tx, id)
	}
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return []store.MessageID{id}, err
}

// refusal is the event of a message that was refused as a whole; of an older one nothing else is left.
// store.ErrNotFound: there is none.
func refusal(tx store.Tx, id store.MessageID) (store.Event, error) {
	events, _, err := tx.Audit().OfMessage(id, "", pageSize)
	if err != nil {
		return store.Event{}, err
	}
	i := slices.IndexFunc(events, func(e store.Event) bool { return e.What == store.EventRefused })
	if i < 0 {
		return store.Event{}, fmt.Errorf("refusal of message %s: %w", id, store.ErrNotFound)
	}
	return events[i], nil
}

// refusedAs finds the messages that were refused under a reference "CONN-N" of a reply. Connections are named in the
// events; of one that had several messages refused, all are meant.
func refusedAs(tx store.Tx, ref string, since time.Time) (ids []store.MessageID, err error) {
	const maxPages = 500 // four days of a flood
	conn, ok := connOf(ref)
	if !ok {
		return nil, nil
	}
	c := store.Cursor("")
	for range maxPages {
		events, next, err := tx.Audit().List(store.EventFilter{What: store.EventRefused, From: since}, c, pageSize)
		if err != nil {
			return nil, err
		}
		for _, e := range events {
			if e.Facts["conn"] == conn && len(ids) < maxFound {
				ids = append(ids, e.Message)
			}
		}
		if c = next; c == "" || len(ids) > 0 {
			break
		}
	}
	return ids, nil
}

// connOf is the connection of a reference "CONN-N", as a reply quotes it.
func connOf(ref string) (conn string, ok bool) {
	conn, n, ok := strings.Cut(strings.TrimPrefix(strings.Trim(ref, "() "), "ref "), "-")
	_, err := strconv.ParseUint(n, 10, 32)
	return conn, ok && err == nil && conn != "" && !strings.ContainsAny(conn, "@< ")
}

func isReference(text string) bool {
	_, ok := connOf(strings.ToLower(text))
	return ok
}

// byAddress finds the newest messages to or from an address.
func byAddress(tx store.Tx, k store.AddressKey, since time.Time) (ids []store.MessageID, err error) {
	for _, f := range []store.Filter{{Rcpt: k, From: since}, {Sender: k, From: since}} {
		found, err := newest(tx, f)
		if err != nil {
			return nil, err
		}
		ids = append(ids, found...)
	}
	slices.SortFunc(ids, func(a, b store.MessageID) int { return bytes.Compare(b[:], a[:]) })
	ids = slices.Compact(ids)
	return ids[:min(len(ids), maxFound)], nil
}

// newest finds the first messages of a list. One with many recipients fills pages by itself, and pages may be short.
func newest(tx store.Tx, f store.Filter) (ids []store.MessageID, err error) {
	const maxPages = 100
	c := store.Cursor("")
	for range maxPages {
		rows, next, err := tx.Messages().List(f, c, pageSize)
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			if n := len(ids); n > 0 && ids[n-1] == r.Key.Message {
				continue
			}
			if ids = append(ids, r.Key.Message); len(ids) == maxFound {
				return ids, nil
			}
		}
		if c = next; c == "" {
			break
		}
	}
	return ids, nil
}

func messageView(tx store.Tx, id store.MessageID) (MessageView, error) {
	m, err := tx.Messages().Get(id)
	if errors.Is(err, store.ErrNotFound) {
		return refusedView(tx, id)
	}
	if err != nil {
		return MessageView{}, err
	}
	v := MessageView{ID: id.String(), At: m.At, From: "<>", Client: m.Client.IP, Size: m.Size, Expires: m.Expires, Refused: m.Refused}
	if m.From != nil {
		v.From = m.From.String()
	}
	if m.Author != nil {
		v.Author = m.Author.String()
	}
	if !m.Parent.Message.IsZero() {
		v.ReplyTo = m.Parent.Message.String()
	}
	if err := addRecipients(tx, &v, id); err != nil {
		return v, err
	}
	return v, addEvents(tx, &v, id)
}

// refusedView is a message of whose refusal the event alone is left. store.ErrNotFound: there is none.
func refusedView(tx store.Tx, id store.MessageID) (MessageView, error) {
	e, err := refusal(tx, id)
	if err != nil {
		return MessageView{}, err
	}
	v := MessageView{ID: id.String(), At: e.At(), From: e.Facts["from"], Client: e.Facts["client"], Refused: true}
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
		Live: r.Live(), Expires: r.Expires, Since: r.Since, Ended: string(r.Ended), Notified: r.Notified, Fetched: r.Fetched.N, Opened: r.Opened, Detail: r.Detail,
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

// MessageRecall ends shares of a sealed message and says how many: of one recipient, whose item's id is given, or of
// all, when it is the message's id or Message-ID.
func (s *Service) MessageRecall(ctx context.Context, a Actor, query string) (int, error) {
	if err := a.allow("MessageRecall"); err != nil {
		return 0, err
	}
	by := message.Actor(a.Name)
	if key, err := store.ParseRcptKey(strings.ToLower(query)); err == nil {
		return 1, s.recallOne(ctx, by, key)
	}
	id, live, err := s.oneMessage(ctx, query)
	if err != nil {
		return 0, err
	}
	if live == 0 {
		return 0, sayf(store.ErrConflict, "message %s has no share left that could be taken back: it was not sealed, or every share has ended", id)
	}
	return live, s.Messages.RecallAll(ctx, by, id)
}

func (s *Service) recallOne(ctx context.Context, by message.Actor, key store.RcptKey) error {
	return shareError(key.String(), s.Messages.Recall(ctx, by, key))
}

// shareError says in a sentence why nothing could be done with a share: store.ErrNotFound when there is none,
// store.ErrConflict when it is over.
func shareError(id string, err error) error {
	ended, date := new(message.EndedError), new(message.DateError)
	switch {
	case errors.Is(err, message.ErrNotFound), errors.Is(err, store.ErrNotFound):
		return sayf(store.ErrNotFound, "%s is no recipient of a sealed message", id)
	case errors.As(err, &ended):
		return sayf(errors.Join(store.ErrConflict, err), "%s: %v", id, err)
	case errors.Is(err, message.ErrMailWaits), errors.Is(err, message.ErrNoAuthor):
		return sayf(errors.Join(store.ErrConflict, err), "%s: %v", id, err)
	case errors.As(err, &date):
		return input(err)
	}
	return err
}

// oneMessage finds the one message that a query means, and how many recipients have a share of it.
func (s *Service) oneMessage(ctx context.Context, query string) (id store.MessageID, live int, err error) {
	query = strings.TrimSpace(query)
	if strings.Contains(query, "@") && !strings.HasPrefix(query, "<") {
		return id, 0, fmt.Errorf("%s is an address: name one message by its id or Message-ID, which a trace of the address shows", query)
	}
	err = s.Store.View(ctx, func(tx store.Tx) error {
		ids, err := s.find(tx, query, time.Time{})
		if err != nil {
			return err
		}
		if len(ids) != 1 {
			return fmt.Errorf("%q names %d messages; give the id of one", query, len(ids))
		}
		id = ids[0]
		live, err = countLive(tx, id)
		return err
	})
	return id, live, err
}

func countLive(tx store.Tx, id store.MessageID) (live int, err error) {
	for c := store.Cursor(""); ; {
		rows, next, err := tx.Messages().Recipients(id, c, pageSize)
		if err != nil {
			return 0, err
		}
		for _, r := range rows {
			if r.Live() {
				live++
			}
		}
		if c = next; c == "" {
			return live, nil
		}
	}
}
