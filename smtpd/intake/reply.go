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
	writer, err := tx.Accounts().Get(j.env.Author)
	if err != nil {
		return err
	}
	if writer.Status != store.StatusActive || !writer.Registered {
		return errReplyOver
	}
	if !sameForSealing(writer, j.facts.writer) {
		return store.ErrConflict
	}
	share, err := tx.Messages().Recipient(j.env.Parent)
	if err != nil {
		return err
	}
	over := !share.Expires.IsZero() && !now.Before(share.Expires)
	if share.Account != j.env.Author || share.State != store.StateOpened || !share.Live() || over {
		return errReplyOver
	}
	share.Replied = j.env.At
	return tx.Messages().Set(share)
}

// repliedEvent is the line in the story of the message that is answered.
func (j *job) repliedEvent() store.Event {
	return store.Event{ID: store.NewEventID(j.env.At), What: store.EventReplied, Message: j.env.Parent.Message, N: j.env.Parent.N,
		Account: j.env.Author, Actor: "recipient", Facts: map[string]string{"reply": j.env.ID.String()}}
}
