package pickup_test

import (
	"context"
	"regexp"
	"slices"

	"postern/store"
)

// ownMails are the mails of our own that wait in the queue, oldest first.
func (w *world) ownMails() (list []string) {
	w.t.Helper()
	var items []store.QueueItem
	must(w.t, w.store.View(context.Background(), func(tx store.Tx) (err error) {
		items, _, err = tx.Queue().List("", "", 1000)
		return err
	}))
	slices.SortFunc(items, func(a, b store.QueueItem) int { return a.Key.Message.Time().Compare(b.Key.Message.Time()) })
	for _, item := range items {
		raw, _, err := w.outbox.Open(item)
		must(w.t, err)
		list = append(list, string(raw))
	}
	return list
}

// mailed is the first group of an expression in the newest mail that has one.
func (w *world) mailed(expression string) string {
	w.t.Helper()
	for _, m := range slices.Backward(w.ownMails()) {
		if found := regexp.MustCompile(expression).FindStringSubmatch(m); found != nil {
			return found[1]
		}
	}
	w.t.Fatalf("no mail says %s", expression)
	return ""
}
