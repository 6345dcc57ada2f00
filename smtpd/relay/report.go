package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"postern/smtpd/dsn"
	"postern/store"
	"postern/store/mail"
)

// addMails composes the mails that a plan's changes call for: reports to senders, one for all recipients of a message
// with the same fate; word to the writers of replies; double bounces. An error leaves out the mails that it names.
func (r *Runner) addMails(ctx context.Context, p *plan) error {
	type group struct {
		p    *parcel
		kind dsn.Kind
	}
	reports := map[group][]int{}
	var order []group
	var errs []error
	for i, c := range p.changes {
		if kind, ok := r.kindOwed(c.result); ok {
			g := group{p: c.p, kind: kind}
			if reports[g] == nil {
				order = append(order, g)
			}
			reports[g] = append(reports[g], i)
			continue
		}
		if c.how != Failed {
			continue
		}
		if err := r.addFailure(ctx, p, i); err != nil {
			errs = append(errs, fmt.Errorf("word of %s: %w", c.item.Key, err))
		}
	}
	for _, g := range order {
		of := reports[g]
		m, err := r.compose(ctx, g.kind, p, of)
		if err == nil {
			err = r.addMail(ctx, p, m, of)
		}
		if err == nil {
			// The end of a share takes the mails about it out of the queue; this one is owed even then.
			p.mails[len(p.mails)-1].unlisted = g.kind == dsn.Relayed
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("report on %s: %w", p.changes[of[0]].item.Key, err))
		}
	}
	return errors.Join(errs...)
}

// addMail seals a mail and adds it to a plan.
func (r *Runner) addMail(ctx context.Context, p *plan, m store.OwnMail, of []int) error {
	prepared, err := r.cfg.Outbox.Prepare(ctx, m)
	if err == nil {
		p.mails = append(p.mails, mailing{mail: prepared, of: of})
	}
	return err
}

// addFailure adds what a failure calls for that is no report to a sender.
func (r *Runner) addFailure(ctx context.Context, p *plan, i int) error {
	c := p.changes[i]
	switch {
	case c.p.reply():
		m, ok, err := r.replyMail(ctx, c)
		if err != nil || !ok {
			return err
		}
		return r.addMail(ctx, p, m, []int{i})
	case c.p.own() && c.item.From == nil && c.item.Kind != store.KindAlarm && c.reason == "": // not one that was dropped
		m, err := r.alarm(c.result)
		if err != nil {
			return err
		}
		return r.addMail(ctx, p, m, []int{i})
	}
	return nil
}

// replyMail is what the writer of a reply is told.
func (r *Runner) replyMail(ctx context.Context, c change) (m store.OwnMail, ok bool, err error) {
	if r.cfg.Replies == nil || !c.p.known {
		return m, false, nil
	}
	about := c.p.about
	if !c.p.own() {
		err := r.cfg.Store.View(ctx, func(tx store.Tx) (err error) {
			about, err = tx.Messages().Recipient(c.item.Key)
			return err
		})
		if err != nil {
			return m, false, gone(err)
		}
	}
	return r.cfg.Replies.ReplyNotDelivered(ctx, r.cfg.Now(), c.p.message, about)
}

// compose makes the report on some changes of one parcel.
func (r *Runner) compose(ctx context.Context, kind dsn.Kind, p *plan, of []int) (store.OwnMail, error) {
	c := p.changes[of[0]]
	to := *c.sender()
	rep := dsn.Report{
		Kind: kind, Host: r.cfg.Host, Postmaster: r.cfg.Postmaster, OrgName: r.cfg.OrgName, Now: c.at, Zone: r.cfg.Zone,
		To: to, EnvID: c.item.EnvID, Arrived: c.item.Arrived, ID: c.item.Key.Message, About: c.p.subject(c.item),
		GiveUp: c.at.Add(r.cfg.GiveUp), UTF8: !to.ASCII(),
	}
	if c.p.own() {
		rep.EnvID, rep.Arrived, rep.ID = c.p.message.EnvID, c.p.message.At, c.p.message.ID
	}
	for _, i := range of {
		rep.Rcpts = append(rep.Rcpts, r.reportRcpt(kind, p.changes[i]))
	}
	rep.Original = r.original(ctx, c.result, kind)
	rep.Original.Outside = !r.cfg.Internal(to.Domain)
	return dsn.Compose(rep, r.cfg.Phrases)
}

func (r *Runner) reportRcpt(kind dsn.Kind, c change) dsn.Rcpt {
	rc := dsn.Rcpt{
		Final: c.item.To.Address, ORcpt: c.item.To.ORcpt, Status: c.status(), Reason: c.reason, LastAttempt: c.at,
		WillRetryUntil: r.ends(c.item, c.at),
	}
	if c.p.own() {
		rc.ORcpt = c.p.about.ORcpt
	}
	if c.idle {
		rc.LastAttempt = c.item.LastAt
	}
	if kind == dsn.Delayed {
		rc.Status = "4" + rc.Status[1:] // some 5xx are temporary (MAIL 8.2)
	}
	switch {
	case c.answer.code != 0:
		rc.Diagnostic, rc.RemoteMTA = "smtp; "+c.answer.text, hostOnly(c.via.host)
	case c.answer.text != "":
		rc.Diagnostic = "x-postern; " + c.answer.text
	}
	if c.answer.damaged {
		rc.Reason = r.cfg.Phrases.SendAgain
	}
	return rc
}

func hostOnly(hostport string) string {
	if host, _, err := net.SplitHostPort(hostport); err == nil {
		return host
	}
	return hostport
}

// original is what a report may return of a message. Of one that is sealed for anybody it is only what MAIL 6.6 lists.
func (r *Runner) original(ctx context.Context, res result, kind dsn.Kind) dsn.Original {
	p := res.p
	if p.content == nil {
		if _, err := r.open(ctx, p); err != nil && !p.own() {
			return dsn.Original{} // the report is owed even so
		}
	}
	if p.own() {
		return dsn.Original{Excerpt: &p.excerpt}
	}
	header, err := p.header()
	if err != nil {
		return dsn.Original{}
	}
	if p.message.Flagged || res.item.NeedTLS {
		return dsn.Original{Excerpt: excerptOf(mail.ParseHeader(header))}
	}
	if kind == dsn.Failed && res.item.Ret == store.RetFull && p.content.size <= dsn.MaxReturned {
		if whole, err := p.whole(); err == nil {
			return dsn.Original{Message: whole}
		}
	}
	return dsn.Original{Header: header}
}

func excerptOf(h mail.Header) *store.Excerpt {
	return &store.Excerpt{
		From: h.Get("From"), To: h.Get("To"), Subject: h.Get("Subject"), Date: h.Get("Date"), MessageID: h.Get("Message-ID"),
	}
}

// whole is the stored message.
func (p *parcel) whole() ([]byte, error) {
	if _, err := p.content.body.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	return io.ReadAll(p.content.body)
}

// closeAll closes what results hold open.
func closeAll(results []result) {
	for _, res := range results {
		res.p.content.Close()
		res.p.content = nil
	}
}

func oneLine(s string) string {
	return strings.Join(strings.Fields(mail.Scrub(s)), " ")
}
