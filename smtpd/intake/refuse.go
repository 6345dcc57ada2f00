package intake

import (
	"context"
	"errors"
	"fmt"

	"postern/smtpd/policy"
	"postern/store"
)

// What is kept of messages that were refused as a whole: some 50 MB of recipients, of which older ones make room, and a
// few hundred kilobytes of events an hour. So a flood of refused mail fills the disk slowly, and hides nothing that was
// refused before it.
const (
	maxRefused       = 50_000
	maxRefusedHourly = 1000
)

// maxRefusedOfOne is how many recipients of one refused message are kept; its event has the number of all. A message to a
// thousand people would push a thousand others out.
const maxRefusedOfOne = 20

// recordRefused keeps of a refused message who, when and why, so that it is found like any other (MAIL 10.2). The refusal
// stands whether or not that succeeds.
func (j *job) recordRefused(ctx context.Context, cause error) {
	reply := new(store.ReplyError)
	if !errors.As(cause, &reply) {
		return
	}
	j.logDecisions()
	m, rcpts, e := j.metadata(), j.refusedRcpts(reply), j.refusedEvent(reply) // in nobody's lists: a writer on the site was told
	room := store.RefusedRoom{Recipients: maxRefused, Hourly: maxRefusedHourly}
	err := j.in.Store.Update(ctx, func(tx store.Tx) error { return tx.Messages().Refuse(m, rcpts, e, room) })
	if err != nil {
		j.in.Log.WarnContext(ctx, "refusal not recorded", "event", "audit", "msg", j.env.ID, "error", err)
	}
}

// refusedRcpts are the first recipients, each address once, each with the rule and reason that refused it, or that
// refused another one and the message with it.
func (j *job) refusedRcpts(reply *store.ReplyError) (rcpts []store.Recipient) {
	seen := map[store.AddressKey]bool{}
	for i, to := range j.env.Rcpts {
		if seen[to.Address.Key()] || len(rcpts) == maxRefusedOfOne {
			continue
		}
		seen[to.Address.Key()] = true
		d := policy.Decision{Action: store.ActionReject, Rule: j.firstRule(store.ActionReject), Reason: reply.Text}
		if i < len(j.decisions) && j.decisions[i].Action == store.ActionReject {
			d = j.decisions[i]
		} else if len(j.decisions) > 0 {
			d.Reason = "Another recipient was refused, and a message without sender cannot be refused in part: nobody would get the report."
		}
		r := j.recipient(i, d)
		r.State = store.StateRefused
		rcpts = append(rcpts, r)
	}
	return rcpts
}

// refusedEvent outlasts what else is kept of the message, so it has what a trace must tell.
func (j *job) refusedEvent(reply *store.ReplyError) store.Event {
	from := "<>"
	if j.env.From != nil {
		from = j.env.From.String()
	}
	return store.Event{ID: store.NewEventID(j.in.Now()), What: store.EventRefused, Message: j.env.ID, Actor: "system", Facts: map[string]string{
		"code": fmt.Sprint(reply.Code), "status": reply.Status(), "conn": j.env.Client.Conn, "client": j.env.Client.IP, "from": from,
		"recipients": fmt.Sprint(len(j.env.Rcpts)), "rule": j.firstRule(store.ActionReject), "reason": j.firstReason(reply),
	}}
}

// firstReason is why the first refused recipient was refused, in words for administrators.
func (j *job) firstReason(reply *store.ReplyError) string {
	for _, d := range j.decisions {
		if d.Action == store.ActionReject {
			return d.Reason
		}
	}
	return reply.Text
}
