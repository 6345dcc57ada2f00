package smtpd

import (
	"strings"
	"sync"
	"time"

	"postern/store"
)

// What anybody may send: letters to the postmaster of this host (RFC 5321 §4.5.1, MAIL 6.4). They go on to the
// organisation's postmaster and nowhere else, so whoever can send nothing but them cannot relay.

// Bounds on letters to the postmaster.
const (
	lettersPerHour  = 60
	maxStrangerSize = 1 << 20
)

var errLetters = store.Reply(450, [3]int{4, 7, 1}, "Too many letters to the postmaster, try again later")

// isPostmaster reports whether an address is that of the postmaster of this host.
func (s *Server) isPostmaster(a store.Address) bool {
	return !s.cfg.Postmaster.IsZero() && strings.EqualFold(a.Local, "postmaster") && store.DomainKey(a.Domain) == store.DomainKey(s.cfg.Host)
}

// toPostmaster sends a recipient on. A stranger's sender address may be anybody's: no report goes there, from here or
// from the next hop.
func (s *session) toPostmaster(tx *transaction, r store.Rcpt) (store.Rcpt, error) {
	if !s.srv.letters.take(tx.env.Client.Class) {
		return r, errLetters
	}
	r.Address = s.srv.cfg.Postmaster
	if tx.env.Client.Class == store.ClientStranger {
		r.Notify = store.NotifyNever
	}
	return r, nil
}

// maxSize is how large a message the client may send.
func (s *session) maxSize() int64 {
	if s.client().Class == store.ClientStranger {
		return min(maxStrangerSize, s.srv.cfg.MaxSize)
	}
	return s.srv.cfg.MaxSize
}

// letters counts what goes to the postmaster, strangers' and others' apart, so that no stranger's flood keeps the
// organisation's own mail out.
type letters struct {
	now func() time.Time

	mu sync.Mutex
	at map[store.ClientClass][]time.Time
}

func newLetters(now func() time.Time) *letters {
	return &letters{now: now, at: map[store.ClientClass][]time.Time{}}
}

// take books one letter; false: there were too many within an hour.
func (l *letters) take(class store.ClientClass) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	times := l.at[class]
	for len(times) > 0 && now.Sub(times[0]) >= time.Hour {
		times = times[1:]
	}
	ok := len(times) < lettersPerHour
	if ok {
		times = append(times, now)
	}
	l.at[class] = times
	return ok
}
