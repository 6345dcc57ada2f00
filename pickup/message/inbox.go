package message

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"postern/pickup/account"
	"postern/store"
	"postern/store/mail"
)

const (
	defaultPage = 50
	maxPage     = 200
	maxScanned  = 2000 // rows that one search looks at
	maxWaiting  = 100
)

// InboxQuery asks for a page of an inbox.
type InboxQuery struct {
	Cursor store.Cursor
	Search string // words that must all stand in subject, names, addresses or attachment names; any case
	Limit  int    // 0: 50
}

// Page is a page of an inbox, newest first.
type Page struct {
	Items   []Item
	Waiting []WaitingItem // of addresses that the account has proved to be its own; not in searches
	Next    store.Cursor
}

// Item is a message that the account can open.
type Item struct {
	Key         store.RcptKey
	Author      mail.Mailbox
	Subject     string // without tag
	At          time.Time
	Expires     time.Time
	Opened      time.Time // zero: unread
	Replied     time.Time
	Size        int64
	Attachments int
	Damaged     bool // the card does not open; nothing else is known
}

// Unread reports whether the message waits for its first opening.
func (i Item) Unread() bool { return i.Opened.IsZero() }

// WaitingItem is a message that opens by its own link only (KEYS K8).
type WaitingItem struct {
	Key     store.RcptKey
	Sender  store.Address
	At      time.Time
	Expires time.Time
	Locked  bool // it was sealed for an earlier password, which opens it too (KEYS K7)
}

// row is what a list reads of a message.
type row struct {
	rcpt    store.Recipient
	message store.Message
	err     error // the message's record is damaged
}

// Inbox lists the live messages of an account. What has ended is left out. It changes nothing.
func (s *Service) Inbox(ctx context.Context, who account.Signed, q InboxQuery) (Page, error) {
	if q.Limit <= 0 || q.Limit > maxPage {
		q.Limit = defaultPage
	}
	words := strings.Fields(strings.ToLower(q.Search))
	p := Page{Next: q.Cursor}
	for scanned := 0; scanned < maxScanned; {
		rows, next, err := s.inboxRows(ctx, who, p.Next, max(q.Limit-len(p.Items), 10))
		if err != nil {
			return Page{}, fmt.Errorf("list inbox: %w", err)
		}
		scanned += len(rows)
		for _, r := range rows {
			s.list(&p, who, r, words)
		}
		p.Next = next
		if next == "" || len(p.Items) >= q.Limit {
			break
		}
	}
	if q.Cursor != "" || len(words) > 0 {
		return p, nil
	}
	return p, s.addUnclaimed(ctx, &p, who)
}

func (s *Service) inboxRows(ctx context.Context, who account.Signed, c store.Cursor, n int) (rows []row, next store.Cursor, err error) {
	err = s.Store.View(ctx, func(tx store.Tx) error {
		rows = nil
		var rcpts []store.Recipient
		if rcpts, next, err = tx.Messages().Inbox(who.Account.ID, c, n); err != nil {
			return err
		}
		for _, r := range rcpts {
			m, err := tx.Messages().Get(r.Key.Message)
			if err != nil && !errors.Is(err, store.ErrCorrupt) && !errors.Is(err, store.ErrNotFound) {
				return err
			}
			rows = append(rows, row{r, m, err})
		}
		return nil
	})
	return rows, next, err
}

// list puts a row where it belongs on a page: among the messages, among those that wait for their link, or nowhere.
func (s *Service) list(p *Page, who account.Signed, r row, words []string) {
	if ended(r.rcpt, s.now()) != nil {
		return
	}
	sum, err := s.summary(who, r.message, r.err, r.rcpt.Grants)
	if errors.Is(err, ErrNeedsLink) {
		if len(words) == 0 {
			p.wait(who, r.rcpt)
		}
		return
	}
	item := Item{Key: r.rcpt.Key, Author: sum.author, Subject: sum.subject, At: r.message.At, Expires: r.rcpt.Expires,
		Opened: r.rcpt.Opened, Replied: r.rcpt.Replied, Size: r.message.Size, Attachments: sum.attachments}
	if err != nil {
		s.Log.Error("message not listed", "event", "damaged", "msg", r.rcpt.Key.Message, "error", err)
		item.Damaged, item.At = true, r.rcpt.Key.Message.Time()
		item.Author.Address = r.rcpt.Sender
	}
	if sum.matches(words) {
		p.Items = append(p.Items, item)
	}
}

// summary opens a message's card, or finds it on the session's shelf. The grants decide each time.
func (s *Service) summary(who account.Signed, m store.Message, err error, grants []store.Grant) (summary, error) {
	if err != nil {
		return summary{}, readError(m.ID, err)
	}
	now := s.now()
	if sum, ok := s.cards.get(who.Session.ID, m.ID, now); ok && opensWith(who.Account, grants) {
		return sum, nil
	}
	fk, err := s.keyByGrants(who, m.ID, grants)
	if err != nil {
		return summary{}, err
	}
	card, err := openCard(fk, m)
	if err != nil {
		return summary{}, err
	}
	sum := summarize(m, card, s.Tags)
	s.cards.put(who.Session.ID, m.ID, sum, now)
	return sum, nil
}

// opensWith reports whether one of the account's usable keys has a grant.
func opensWith(a store.Account, grants []store.Grant) bool {
	for _, g := range grants {
		for _, v := range a.Keys {
			if g.Kind == store.GrantAccount && g.Key == v.ID && v.State != store.KeyLocked {
				return true
			}
		}
	}
	return false
}

func (s summary) matches(words []string) bool {
	for _, w := range words {
		if !strings.Contains(s.text, w) {
			return false
		}
	}
	return true
}

// wait lists a message that waits for its link; an account sees nothing of such for an address that it has not shown to
// be its own (KEYS K8). What came for an address that was an alias once stays.
func (p *Page) wait(who account.Signed, r store.Recipient) {
	provisional := who.Account.Standing != store.Confirmed && r.Address.Key() == who.Account.Address.Key()
	if provisional || len(p.Waiting) >= maxWaiting {
		return
	}
	locked := slices.ContainsFunc(r.Grants, func(g store.Grant) bool { return g.Kind == store.GrantAccount && account.Locked(who.Account, g.Key) })
	p.Waiting = append(p.Waiting, WaitingItem{Key: r.Key, Sender: r.Sender, At: r.Key.Message.Time(), Expires: r.Expires, Locked: locked})
}

// addUnclaimed lists what waits for the account's addresses and is in nobody's inbox yet.
func (s *Service) addUnclaimed(ctx context.Context, p *Page, who account.Signed) error {
	var rows []store.Recipient
	err := s.Store.View(ctx, func(tx store.Tx) error {
		rows = nil
		for _, address := range append([]store.Address{who.Account.Address}, who.Account.Aliases...) {
			if !who.Account.Proved(address.Key()) {
				continue
			}
			keys, err := tx.Messages().Unclaimed(address.Key(), maxWaiting)
			if err != nil {
				return err
			}
			for _, k := range keys {
				r, err := tx.Messages().Recipient(k)
				if isDamage(err) {
					s.Log.ErrorContext(ctx, "waiting message not listed", "event", "damaged", "msg", k.Message, "error", err)
					continue
				}
				if err != nil {
					return err
				}
				rows = append(rows, r)
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("list waiting messages: %w", err)
	}
	for _, r := range rows {
		if ended(r, s.now()) == nil {
			p.wait(who, r)
		}
	}
	return nil
}
