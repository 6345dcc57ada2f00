package intake

import (
	"time"

	"postern/store"
)

// errReplyOver refuses a reply whose writer may not answer any more.
var errReplyOver = store.Reply(550, [3]int{5, 7, 1}, "Reply not sent: the message that it answers has ended meanwhile")

// answer marks the share that a reply answers, inside the transaction, if its writer still may answer it: uploads take
// their time. Otherwise the copy would outlive the share, which it ends with (KEYS K12).
func (j *job) answer(tx store.Tx, now time.Time) error {
	if !j.isReply() {
		return nil
	}
	share, err := tx.Messages().Recipient(j.env.Parent)
	if err != nil {
		return err
	}
	writer, err := j.writer(tx, share)
	switch {
	case err != nil:
		return err
	case !j.mayAnswer(writer, share):
		return errReplyOver
	case !sameForSealing(writer, j.facts.writer):
		return store.ErrConflict
	}
	over := !share.Expires.IsZero() && !now.Before(share.Expires)
	if share.State != store.StateOpened || !share.Live() || over {
		return errReplyOver
	}
	share.Replied = j.env.At
	return tx.Messages().Set(share)
}

// writer is the account of a reply's author. Who reads with a mailed code has none (KEYS K8): then it is whatever row
// there is of the address, which the grants must not be for.
func (j *job) writer(tx store.Tx, share store.Recipient) (store.Account, error) {
	if !j.env.Author.IsZero() {
		return tx.Accounts().Get(j.env.Author)
	}
	_, a, err := statusOf(tx, share.Address.Key())
	return a, err
}

// mayAnswer reports whether a writer may still answer a share: his own, signed in; or with a code, while nobody is
// registered with its address.
func (j *job) mayAnswer(writer store.Account, share store.Recipient) bool {
	if j.env.Author.IsZero() {
		return !writer.Registered && writer.Status != store.StatusDisabled
	}
	return writer.Registered && writer.Status == store.StatusActive && share.Account == j.env.Author
}

// repliedEvent is the line in the story of the message that is answered.
func (j *job) repliedEvent() store.Event {
	return store.Event{ID: store.NewEventID(j.env.At), What: store.EventReplied, Message: j.env.Parent.Message, N: j.env.Parent.N,
		Account: j.env.Author, Actor: "recipient", Facts: map[string]string{"reply": j.env.ID.String()}}
}
