package intake

import (
	"context"
	"errors"
	"fmt"
	"time"

	"postern/smtpd/policy"
	"postern/store"
	"postern/store/mail"
	"postern/store/outbox"
	"postern/store/seal"
)

// job is one message on its way in.
type job struct {
	in     *Intake
	env    store.Envelope
	header mail.Header
	raw    []byte        // header as it will be relayed
	own    *outbox.Mark  // of a mail of ours that came back; nil for all other mail
	parent *seal.FileKey // of what a reply from the site answers; nil for all other mail

	author    store.AddressKey // "" when there is none or several
	facts     facts
	decisions []policy.Decision

	heading *heading  // see head
	told    *original // see original

	key      seal.FileKey
	parts    []mail.Part
	size     int64
	eightBit bool
}

// facts is what one View gathers for policy and for grants.
type facts struct {
	thread   bool
	sender   store.Status
	rcpts    []store.Status
	accounts []store.Account // per recipient; zero ID: none
	writer   store.Account   // of a reply
	share    store.Recipient // what a reply answers
}

// isReply reports whether the message was written on the site.
func (j *job) isReply() bool { return j.parent != nil }

// decide gathers facts and asks policy.
func (j *job) decide(ctx context.Context) error {
	f, err := j.gather(ctx)
	if err != nil {
		return err
	}
	decisions := j.judge(f)
	if j.decisions != nil && !sameActions(j.decisions, decisions) {
		// The body is sealed already by the earlier decision (with or without Bcc fields): begin again from the wire.
		return store.Reply(451, [3]int{4, 3, 0}, "Temporary local problem").With(errors.New("decision changed meanwhile"))
	}
	j.facts, j.decisions = f, decisions
	return nil
}

func (j *job) judge(f facts) []policy.Decision {
	return j.in.Policy.Decide(j.input(f))
}

func (j *job) input(f facts) policy.Input {
	return policy.Input{
		Env: j.env, Header: j.header, Own: j.own != nil, OwnTLS: j.own != nil && j.own.NeedTLS,
		Facts: policy.Facts{ThreadSealed: f.thread, Sender: f.sender, Rcpts: f.rcpts},
	}
}

func sameActions(a, b []policy.Decision) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Action != b[i].Action {
			return false
		}
	}
	return true
}

func (j *job) gather(ctx context.Context) (f facts, err error) {
	if h := j.head(); h.authorErr == nil {
		j.author = h.author.Address.Key()
	}
	err = j.in.Store.View(ctx, func(tx store.Tx) error {
		f, err = j.read(tx)
		return err
	})
	if err != nil {
		return f, fmt.Errorf("gather facts: %w", err)
	}
	return f, nil
}

// read gathers the facts in a transaction.
func (j *job) read(tx store.Tx) (f facts, err error) {
	f.rcpts = make([]store.Status, len(j.env.Rcpts))
	f.accounts = make([]store.Account, len(j.env.Rcpts))
	if j.isReply() {
		if f.share, err = tx.Messages().Recipient(j.env.Parent); err != nil {
			return f, err
		}
		if f.writer, err = j.writer(tx, f.share); err != nil {
			return f, err
		}
	}
	if f.sender, err = senderStatus(tx, j.author); err != nil {
		return f, err
	}
	for i, r := range j.env.Rcpts {
		if f.rcpts[i], f.accounts[i], err = statusOf(tx, r.Address.Key()); err != nil {
			return f, err
		}
	}
	f.thread, err = tx.Threads().Sealed(j.threadIDs())
	return f, err
}

// senderStatus is an author's status as a sender: somebody who only registered to read mail is not an invited one (B2).
func senderStatus(tx store.Tx, k store.AddressKey) (store.Status, error) {
	status, a, err := statusOf(tx, k)
	if err == nil && !a.Member && status != store.StatusDisabled {
		status = store.StatusNone
	}
	return status, err
}

func statusOf(tx store.Tx, k store.AddressKey) (store.Status, store.Account, error) {
	if k == "" {
		return store.StatusNone, store.Account{}, nil
	}
	a, err := tx.Accounts().ByAddress(k)
	if errors.Is(err, store.ErrNotFound) {
		return store.StatusNone, store.Account{}, nil
	}
	return a.Status, a, err
}

// threadIDs are the hashes of what the message answers.
func (j *job) threadIDs() []store.ThreadID {
	var ids []store.ThreadID
	for _, name := range []string{"In-Reply-To", "References"} {
		for _, id := range j.header.MessageIDs(name) {
			ids = append(ids, j.in.Threads.Thread(id))
		}
	}
	return ids
}

// sealed counts recipients to be sealed.
func (j *job) sealed() int { return j.count(store.ActionSeal) }

func (j *job) count(a store.Action) (n int) {
	for _, d := range j.decisions {
		if d.Action == a {
			n++
		}
	}
	return n
}

// refuseWhole answers when nothing of the message can go on: every recipient is refused, or one is and the sender is
// null, so that nobody could get the report (MAIL §4, 5.2).
func (j *job) refuseWhole() error {
	rejected := j.count(store.ActionReject)
	if rejected == 0 || rejected < len(j.decisions) && j.env.From != nil {
		return nil
	}
	for _, d := range j.decisions {
		if d.Action == store.ActionReject {
			return d.Refusal
		}
	}
	return nil
}

// refusals are the recipients that are refused while others go on.
func (j *job) refusals() []Refusal {
	var out []Refusal
	for i, d := range j.decisions {
		if d.Action == store.ActionReject {
			out = append(out, Refusal{Rcpt: j.env.Rcpts[i], Reply: d.Refusal})
		}
	}
	return out
}

func (j *job) firstRule(a store.Action) string {
	for _, d := range j.decisions {
		if d.Action == a {
			return d.Rule
		}
	}
	return ""
}

// receipt tells the edge what became of each recipient, and what its log names of the header.
func (j *job) receipt() store.Receipt {
	r := store.Receipt{ID: j.env.ID, Size: j.size}
	h := j.head()
	if len(h.ids) > 0 {
		r.MessageID = h.ids[0][:min(len(h.ids[0]), maxExcerpt)]
	}
	if h.authorErr == nil {
		r.Author = &h.author.Address
	}
	for i, d := range j.decisions {
		r.Parts = append(r.Parts, store.RcptResult{Address: j.env.Rcpts[i].Address, Action: d.Action, Rule: d.Rule, Reason: d.Reason})
	}
	return r
}

// logDecisions writes one line per recipient (MAIL 10.1).
func (j *job) logDecisions() {
	for i, d := range j.decisions {
		j.in.Log.Info("decision", "event", "decision", "conn", j.env.Client.Conn, "msg", j.env.ID,
			"to", j.in.LogAddress(j.env.Rcpts[i].Address), "orcpt", j.env.Rcpts[i].ORcpt, "action", d.Action, "rule", d.Rule, "reason", d.Reason)
	}
}

// expiry is when a recipient's share ends: as tag and rule say, else as configured.
func (j *job) expiry(d policy.Decision) time.Time {
	if d.Options.Expire > 0 {
		return j.env.At.Add(d.Options.Expire)
	}
	return j.env.At.Add(j.in.ExpireAfter)
}

// lastExpiry is when the last share ends. The copy of a reply ends with what it answers.
func (j *job) lastExpiry() (last time.Time) {
	if j.isReply() {
		last = j.facts.share.Expires
	}
	for _, d := range j.decisions {
		if end := j.expiry(d); d.Action == store.ActionSeal && end.After(last) {
			last = end
		}
	}
	return last
}
