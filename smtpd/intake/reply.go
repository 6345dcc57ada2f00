package intake

import (
	"time"

	"postern/store"
)

// errReplyOver refuses a reply whose writer may not answer any more.
var errReplyOver = store.Reply(550, [3]int{5, 7, 1}, "Reply not sent: the message that it answers has ended meanwhile")

// mayReply checks inside the transaction that the writer of a reply still may write one: uploads take their time.
// Otherwise the copy would outlive the share of the message that it answers and ends with (KEYS K12).
func (j *job) mayReply(tx store.Tx, now time.Time) error {
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
	return j.hasShare(tx, now)
}

// hasShare looks for the writer's share of the message that is answered.
func (j *job) hasShare(tx store.Tx, now time.Time) error {
	const page = 100
	for c := store.Cursor(""); ; {
		rcpts, next, err := tx.Messages().Recipients(j.env.Parent, c, page)
		if err != nil {
			return err
		}
		for _, r := range rcpts {
			if r.Account == j.env.Author && r.State == store.StateOpened && r.Live() && (r.Expires.IsZero() || now.Before(r.Expires)) {
				return nil
			}
		}
		if next == "" {
			return errReplyOver
		}
		c = next
	}
}
