package intake

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"postern/store"
)

func TestLimitOfSealedRecipientsPerAuthor(t *testing.T) {
	l := newLimiter(10, 15, errTooMany)
	at := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	steps := []struct {
		after  time.Duration
		author string
		n      int
		ok     bool
	}{
		{0, "a@example.org", 6, true},
		{time.Minute, "a@example.org", 5, false}, // 11 in the hour
		{time.Minute, "a@example.org", 4, true},
		{time.Minute, "b@example.org", 10, true}, // somebody else's window
		{time.Minute, "a@example.org", 1, false},
		{61 * time.Minute, "a@example.org", 5, true},
		{62 * time.Minute, "a@example.org", 1, false}, // 16 in the day
		{25 * time.Hour, "a@example.org", 10, true},
		{50 * time.Hour, "a@example.org", 100, true}, // one message over the whole limit, alone
		{50 * time.Hour, "", 1000, true},             // no author: nothing is sealed
	}
	for i, s := range steps {
		err := l.reserve(store.AddressKey(s.author), s.n, at.Add(s.after))
		if (err == nil) != s.ok {
			t.Errorf("step %d: %v", i, err)
		}
		var reply *store.ReplyError
		if err != nil && (!errors.As(err, &reply) || reply.Code != 451) {
			t.Errorf("step %d: not the temporary reply of MAIL 5: %v", i, err)
		}
	}
}

func TestLimitForgetsOldAuthorsWhenFull(t *testing.T) {
	l := newLimiter(1, 1, errTooMany)
	at := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	for i := range maxAuthors + 100 {
		if err := l.reserve(store.AddressKey(fmt.Sprintf("u%d@example.org", i)), 1, at); err != nil {
			t.Fatal(err)
		}
	}
	if len(l.authors) > maxAuthors {
		t.Errorf("%d authors are remembered, over %d", len(l.authors), maxAuthors)
	}
}
