package message

import (
	"context"
	"fmt"
	"io"
	"strings"
	"unicode"

	"postern/pickup/account"
	"postern/pickup/notify"
	"postern/store"
	"postern/store/mail"
	"postern/store/seal"
)

// Draft is a reply as it comes from the page's form.
type Draft struct {
	Text string
	// Attachments yields the files of the form as they arrive, until io.EOF; nil: none. Each is read before the next is
	// asked for, and nothing of them is kept in clear (I1).
	Attachments func() (mail.Attachment, error)
	Client      account.Client
}

// Reply sends an answer to the author of a message that the account has opened, and keeps a copy that the account
// finds under Sent. When it returns nil, the reply is durable.
//
// Errors: ErrNotFound, ErrNotOpened, *EndedError, ErrNeedsLink, ErrNoReply (the sender wants none, or no address of the
// organisation would get it), account.ErrNoSession (disabled meanwhile), ErrDamaged, *store.ReplyError, and what reading
// the attachments answers, unchanged.
func (s *Service) Reply(ctx context.Context, who account.Signed, k store.RcptKey, d Draft) (store.Receipt, error) {
	a, err := s.answering(ctx, who, k)
	if err != nil {
		return store.Receipt{}, err
	}
	letter, err := s.letter(a, d)
	if err != nil {
		return store.Receipt{}, err
	}
	return s.send(ctx, a, letter, d.Client)
}

// answered is a message that is being answered.
type answered struct {
	who     account.Signed
	rcpt    store.Recipient
	message store.Message
	card    mail.Card
	key     seal.FileKey
}

// answering reads and opens the message and checks that it may be answered.
func (s *Service) answering(ctx context.Context, who account.Signed, k store.RcptKey) (a answered, err error) {
	a.who = who
	err = s.Store.View(ctx, func(tx store.Tx) error {
		if _, err := s.unchanged(tx, who); err != nil {
			return err
		}
		if a.rcpt, err = ownRow(tx, who, k); err != nil {
			return err
		}
		if a.message, err = tx.Messages().Get(k.Message); err != nil {
			return readError(k.Message, err)
		}
		return nil
	})
	if err != nil {
		return a, err
	}
	if err := ended(a.rcpt, s.now()); err != nil {
		return a, err
	}
	if a.key, err = s.keyFor(who, a.rcpt); err != nil {
		return a, err
	}
	if a.rcpt.State != store.StateOpened {
		return a, ErrNotOpened
	}
	if a.rcpt.NoReply {
		return a, ErrNoReply
	}
	a.card, err = openCard(a.key, a.message)
	return a, err
}

// letter composes the reply under the identity of MAIL §6.
func (s *Service) letter(a answered, d Draft) (notify.ReplyMail, error) {
	to, err := s.replyTo(a)
	if err != nil {
		return notify.ReplyMail{}, err
	}
	return s.Mails.Reply(notify.ReplyLetter{
		Writer: mail.Mailbox{Name: nameOf(a.card, a.rcpt.Address), Address: a.rcpt.Address}, To: []mail.Mailbox{to},
		Subject: a.card.Subject, Tags: s.Tags, KeepTag: s.KeepTag, MessageID: a.card.MessageID,
		References: a.card.References, At: s.Now(), Text: cleanText(d.Text), Lang: a.who.Account.Language,
		Attachments: d.Attachments,
	}), nil
}

// replyTo is where an answer goes: to the one Reply-To of the organisation that the author asked for, else to the
// author. Nothing goes outside, where it would leave in clear.
func (s *Service) replyTo(a answered) (mail.Mailbox, error) {
	if len(a.card.ReplyTo) == 1 && s.Internal(a.card.ReplyTo[0].Address.Domain) {
		return a.card.ReplyTo[0], nil
	}
	if box := author(a.message, a.card); s.Internal(box.Address.Domain) {
		return box, nil
	}
	return mail.Mailbox{}, ErrNoReply
}

// nameOf is the name under which the author wrote to an address.
func nameOf(card mail.Card, address store.Address) string {
	for _, box := range append(card.To[:len(card.To):len(card.To)], card.Cc...) {
		if box.Address.Key() == address.Key() {
			return box.Name
		}
	}
	return ""
}

// cleanText takes out what a form field may hold and a text part may not.
func cleanText(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' && r != '\r' {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

// send streams the letter into the sender while the form is still being read.
func (s *Service) send(ctx context.Context, a answered, m notify.ReplyMail, c account.Client) (store.Receipt, error) {
	r, w := io.Pipe()
	rendered := make(chan struct{})
	go func() {
		defer close(rendered)
		w.CloseWithError(m.Letter.Render(w))
	}()
	defer func() {
		r.CloseWithError(io.ErrClosedPipe) // a sender that stopped reading lets the renderer go
		<-rendered                         // the form belongs to the request, which ends when we return
	}()
	receipt, err := s.Sender.AcceptReply(ctx, s.envelope(a, m, c), a.key, r)
	if err != nil {
		return receipt, fmt.Errorf("send reply: %w", err)
	}
	return receipt, nil
}

func (s *Service) envelope(a answered, m notify.ReplyMail, c account.Client) store.Envelope {
	now := s.now()
	id := store.NewMessageID(now)
	from, to := m.From, m.Letter.To[0].Address
	ip := ""
	if c.IP.IsValid() {
		ip = c.IP.String()
	}
	return store.Envelope{
		ID: id, At: now, From: &from, Ret: m.Ret, EnvID: id.String(), UTF8: needsUTF8(m),
		Client: store.Client{Class: store.ClientSite, Listener: "site", Conn: c.Ref, IP: ip},
		Rcpts:  []store.Rcpt{{Address: to, Notify: m.Notify}},
		Author: a.who.Account.ID, Parent: a.rcpt.Key,
	}
}

// needsUTF8 reports whether an address of the letter can only be sent with SMTPUTF8.
func needsUTF8(m notify.ReplyMail) bool {
	if !m.From.ASCII() || m.Letter.ReplyTo != nil && !m.Letter.ReplyTo.Address.ASCII() {
		return true
	}
	for _, box := range m.Letter.To {
		if !box.Address.ASCII() {
			return true
		}
	}
	return false
}
