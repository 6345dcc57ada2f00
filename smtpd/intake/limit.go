package intake

import (
	"sync"
	"time"

	"postern/store"
)

// maxAuthors bounds the memory of the limiter; when more authors than this are active, the oldest windows go first.
const maxAuthors = 20000

var (
	errTooMany        = store.Reply(451, [3]int{4, 7, 1}, "Secure message not accepted now: too many from this sender")
	errTooManyReplies = store.Reply(451, [3]int{4, 7, 1}, "Reply not accepted now: too many from this account")
)

// limiter counts sealed recipients per author, or replies per account, in windows of an hour and a day (MAIL 9.1).
type limiter struct {
	hour, day int
	refusal   *store.ReplyError
	mu        sync.Mutex
	authors   map[store.AddressKey]*usage
}

type usage struct {
	hourFrom, dayFrom time.Time
	hour, day         int
}

func newLimiter(hour, day int, refusal *store.ReplyError) *limiter {
	return &limiter{hour: hour, day: day, refusal: refusal, authors: map[store.AddressKey]*usage{}}
}

// reserve books n for an author, or says that it is too many now. A zero limit does not limit.
func (l *limiter) reserve(author store.AddressKey, n int, now time.Time) error {
	if n == 0 || author == "" {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	u := l.usage(author, now)
	if over(u.hour, n, l.hour) || over(u.day, n, l.day) {
		return l.refusal
	}
	u.hour += n
	u.day += n
	return nil
}

// give takes a booking back: the message was not accepted after all.
func (l *limiter) give(author store.AddressKey, n int, now time.Time) {
	if n == 0 || author == "" {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	u := l.usage(author, now)
	u.hour, u.day = max(0, u.hour-n), max(0, u.day-n)
}

// over lets a single message through that is larger than the whole limit when nothing else was sent: it could never
// be sent otherwise.
func over(used, n, limit int) bool { return limit > 0 && used > 0 && used+n > limit }

func (l *limiter) usage(author store.AddressKey, now time.Time) *usage {
	u := l.authors[author]
	if u == nil {
		l.forget(now)
		u = &usage{hourFrom: now, dayFrom: now}
		l.authors[author] = u
	}
	if now.Sub(u.hourFrom) >= time.Hour {
		u.hourFrom, u.hour = now, 0
	}
	if now.Sub(u.dayFrom) >= 24*time.Hour {
		u.dayFrom, u.day = now, 0
	}
	return u
}

// forget drops windows that are over when the map is full, and then whatever comes first.
func (l *limiter) forget(now time.Time) {
	if len(l.authors) < maxAuthors {
		return
	}
	for k, u := range l.authors {
		if now.Sub(u.dayFrom) >= 24*time.Hour {
			delete(l.authors, k)
		}
	}
	for k := range l.authors {
		if len(l.authors) < maxAuthors {
			return
		}
		delete(l.authors, k)
	}
}
