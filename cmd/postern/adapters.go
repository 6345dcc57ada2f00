package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"strconv"
	"time"

	"postern/pickup/admin"
	"postern/pickup/message"
	"postern/pickup/notify"
	"postern/smtpd"
	"postern/smtpd/dkim"
	"postern/smtpd/dsn"
	"postern/smtpd/intake"
	"postern/smtpd/policy"
	"postern/smtpd/relay"
	"postern/store"
	"postern/store/mail"
	"postern/store/seal"
)

// notices joins the intake to the composer of mails: the two sides never import each other.
type notices struct {
	mails *notify.Composer
	site  string
}

// Notification implements intake.Notices.
func (n notices) Notification(x intake.Notice) (store.OwnMail, string, error) {
	return n.mails.Notification(notify.Notice{
		ID: x.ID, About: x.About, To: x.To, Author: x.Author, Sender: x.Sender, Link: n.site + "/p/" + x.Link.Token(seal.TokenPickup),
		Sent: x.Sent, Expires: x.Expires, GiveUp: x.GiveUp, Blind: x.Blind, External: x.External, NoReply: x.NoReply, InInbox: x.InInbox,
		Original: x.Original, Lang: x.Language,
	})
}

// FirstPassword implements intake.Notices.
func (n notices) FirstPassword(x intake.FirstPassword) (store.OwnMail, error) {
	return n.mails.FirstPassword(notify.FirstPasswordMail{ID: x.ID, To: x.To, Author: x.Author, Password: x.Password, Until: x.Until, GiveUp: x.GiveUp})
}

// reports joins the intake to package dsn, for recipients that are refused while others are accepted.
type reports struct {
	host, org  string
	postmaster store.Address
	internal   func(domain string) bool
	zone       *time.Location
	now        func() time.Time
}

func (g *gateway) reports() reports {
	return reports{host: g.cfg.Hostname, postmaster: g.parsed.postmaster, org: g.cfg.Organization.Name, internal: g.cfg.Internal, zone: g.parsed.zone, now: time.Now}
}

// Refused implements intake.Reports.
func (r reports) Refused(env store.Envelope, what intake.Returned, refused []intake.Refusal) (store.OwnMail, error) {
	report := dsn.Report{
		Kind: dsn.Failed, Host: r.host, OrgName: r.org, Now: r.now(), Zone: r.zone, To: *env.From, EnvID: env.EnvID,
		Arrived: env.At, ID: env.ID, UTF8: !env.From.ASCII(), Postmaster: r.postmaster,
		Original: dsn.Original{Header: what.Header, Excerpt: what.Excerpt, Outside: !r.internal(env.From.Domain)},
	}
	for _, x := range refused {
		if !x.Rcpt.Notify.Wants(store.NotifyFailure) {
			continue
		}
		report.Rcpts = append(report.Rcpts, dsn.Rcpt{
			Final: x.Rcpt.Address, ORcpt: x.Rcpt.ORcpt, Status: x.Reply.Status(),
			Diagnostic: "smtp; " + strconv.Itoa(x.Reply.Code) + " " + x.Reply.Status() + " " + x.Reply.Text,
			Reason:     x.Reply.Text, LastAttempt: r.now(),
		})
	}
	if len(report.Rcpts) == 0 {
		return store.OwnMail{}, store.ErrNotFound
	}
	return dsn.Compose(report, dsn.English())
}

// explains says what would become of a message, and what is known of it; package intake does.
type explains interface {
	Explain(ctx context.Context, env store.Envelope, h mail.Header) ([]policy.Decision, error)
	Known(ctx context.Context, env store.Envelope, h mail.Header) (policy.Input, error)
}

// explainer joins the admin service to the intake.
type explainer struct{ by explains }

// Explain implements admin.Explainer.
func (e explainer) Explain(ctx context.Context, env store.Envelope, header []byte) ([]admin.Verdict, error) {
	h, _, err := mail.ReadHeader(bufio.NewReader(bytes.NewReader(header)), len(header)+1)
	if err != nil {
		return nil, err
	}
	decisions, err := e.by.Explain(ctx, env, h)
	if err != nil {
		return nil, err
	}
	verdicts := make([]admin.Verdict, len(decisions))
	for i, d := range decisions {
		verdicts[i] = admin.Verdict{To: env.Rcpts[i].Address.String(), Action: string(d.Action), Rule: d.Rule, Reason: d.Reason}
		if d.Refusal != nil {
			verdicts[i].Reply = d.Refusal.Error()
		}
	}
	return verdicts, nil
}

// Known implements admin.Explainer.
func (e explainer) Known(ctx context.Context, env store.Envelope, header []byte) (admin.Known, error) {
	h, _, err := mail.ReadHeader(bufio.NewReader(bytes.NewReader(header)), len(header)+1)
	if err != nil {
		return admin.Known{}, err
	}
	in, err := e.by.Known(ctx, env, h)
	return admin.Known{Thread: in.Facts.ThreadSealed, Sender: in.Facts.Sender, Rcpts: in.Facts.Rcpts, Own: in.Own, OwnTLS: in.OwnTLS}, err
}

// failedReplies joins the queue runner to the composer: the writer of a reply on the site is told when the mail server
// refused it (MAIL §7).
type failedReplies struct {
	mails *notify.Composer
	db    store.Store
}

// ReplyNotDelivered implements relay.Replies.
func (f failedReplies) ReplyNotDelivered(ctx context.Context, now time.Time, m store.Message, r store.Recipient) (store.OwnMail, bool, error) {
	writer, err := f.writer(ctx, m)
	if errors.Is(err, store.ErrNotFound) {
		return store.OwnMail{}, false, nil
	}
	if err != nil {
		return store.OwnMail{}, false, err
	}
	own, err := f.mails.ReplyNotDelivered(notify.ReplyFailure{
		ID: store.NewMessageID(now), About: r.Key, To: writer.Address, Recipient: mail.Mailbox{Address: r.Address}, Written: m.At, At: now, Lang: writer.Language,
		Visit: m.Writer.IsZero(),
	})
	return own, err == nil, err
}

// writer is who wrote a reply: an account, or who read with a mailed code the message that it answers.
func (f failedReplies) writer(ctx context.Context, m store.Message) (a store.Account, err error) {
	err = f.db.View(ctx, func(tx store.Tx) error {
		if !m.Writer.IsZero() {
			a, err = tx.Accounts().Get(m.Writer)
			return err
		}
		share, err := tx.Messages().Recipient(m.Parent)
		a.Address = share.Address
		return err
	})
	return a, err
}

func (g *gateway) relayHooks() relay.Hooks {
	return relay.Hooks{
		Attempt: func(a relay.Attempt) {
			g.metrics.Attempts.WithLabelValues(string(a.Kind), string(a.Result)).Inc()
			if a.Result == relay.Sent {
				g.metrics.Latency.Observe(a.Delay.Seconds())
			}
		},
		Signed: func(domain string, err error) {
			result := "signed"
			if err != nil {
				result = "failed"
			}
			g.metrics.Signatures.WithLabelValues(store.DomainKey(domain), result).Inc()
		},
		Down:         g.hops.note,
		DoubleBounce: func(k store.Kind) { g.metrics.DoubleBounces.WithLabelValues(string(k)).Inc() },
	}
}

// sign joins the queue runner to package dkim.
func (g *gateway) sign(domain string, rewind func() (io.Reader, error)) ([]byte, error) {
	fields, err := g.dkim.Sign(domain, rewind)
	if errors.Is(err, dkim.ErrUnsignable) {
		return nil, errors.Join(relay.ErrUnsigned, err)
	}
	return fields, err
}

func (g *gateway) smtpMetrics() smtpd.Metrics {
	return smtpd.Metrics{
		Connected: func(l string) { g.metrics.Connections.WithLabelValues(l).Inc() },
		Rejected:  func(l string) { g.metrics.Capped.WithLabelValues(l).Inc() },
		Accepted:  func(int64, time.Duration) { g.metrics.Messages.WithLabelValues("250").Inc() },
		Refused:   func(code int) { g.metrics.Messages.WithLabelValues(strconv.Itoa(code)).Inc() },
	}
}

// logAddress is how the log spells addresses: plainly, or with the local part hashed.
func (g *gateway) logAddress() func(store.Address) string {
	if g.hide == nil {
		return store.Address.String
	}
	return g.hide.address
}

// roomy takes replies from the site only while the disk has room for one more (MAIL 9.2): new mail must leave the
// reserve to deliveries and expiry.
type roomy struct {
	message.Sender
	room *room
}

// AcceptReply implements message.Sender.
func (r roomy) AcceptReply(ctx context.Context, env store.Envelope, parent seal.FileKey, letter io.Reader) (store.Receipt, error) {
	if err := r.room.check(env.Size); err != nil {
		return store.Receipt{}, err
	}
	return r.Sender.AcceptReply(ctx, env, parent, letter)
}
